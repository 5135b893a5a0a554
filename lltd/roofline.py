"""What kernels must compute and move, counted, and what this machine can do at most of it.

Counting rule: an addition, subtraction, multiplication, division or square root of real numbers is one operation,
a fused multiplication and addition two. Comparisons, signs, conversions, the moving of bits and integer work count
nothing; Philox's wide multiplications are counted apart. The counts follow the C++ files; a test runs these on numbers
that count.
"""

import ctypes
from pathlib import Path

import torch

from lltd.kernels import guess, latch, lstm96, native
from lltd.kernels.op import REALS
from lltd.peers import MissingPeer
from lltd.peers.latch import LEAD, Stretch

SOURCE = Path(latch.__file__).with_name("ceiling.cpp")
SIZE = 1024  # of its array
TERMS = {"EXPM1": 13, "ATANH": 11, "SIN": 8, "COS": 9}  # of the polynomials in lanes.hpp, in double


def horner(name: str) -> int:
    """Operations of one polynomial: a fused step for each term but the first."""
    return 2 * (TERMS[name] - 1)


SINGLE = {"logistic": 6}  # and of that of the logistic function in single precision


def logistic(dtype: torch.dtype) -> int:
    """Operations of one value of the logistic function."""
    terms = SINGLE["logistic"] if dtype == torch.float32 else TERMS["EXPM1"]
    return 10 + 2 * (terms - 1)


TANH = 14 + horner("EXPM1")
LOG = 10 + horner("ATANH")
COS_SIN = 8 + horner("SIN") + horner("COS")
PAIR = 9 + LOG + COS_SIN  # two normals from two words, with their standard deviation


def operations(length: int, lead: int = LEAD) -> dict[str, int]:
    """What one run does in one epoch of gradient descent, T = length: part of the work → operations."""
    blocks = -(-(length - lead) // 2)
    return {
        "noise": blocks * 2 * PAIR,
        "forward": length * 2 * (2 + TANH),
        "backward": 10 + length * 12,
        "update": 2 * (1 + 2 * lead),
        "wide multiplications": blocks * 20,
    }


def arithmetic(work: Stretch) -> int:
    """Operations on real numbers in a whole stretch."""
    parts = operations(work.length)
    return work.runs * work.epochs * (sum(parts.values()) - parts["wide multiplications"])


def traffic(work: Stretch, lead: int = LEAD) -> int:
    """Bytes that a stretch must fetch and bring back: id and noise, theta and memory, before and after."""
    return work.runs * 8 * (2 + 2 * 3 * (1 + 2 * lead))


def working_set(length: int, lead: int = LEAD, lanes: int = 16) -> int:
    """Bytes that one block of lanes goes over in each epoch: outputs and noise, theta, memory and slope."""
    return 8 * lanes * (2 * (length + 1) + 2 * (length - lead + 1) + 4 * (1 + 2 * lead) + 2)


def functions(work: Stretch) -> dict[str, int]:
    """Of a stretch, how many hyperbolic tangents and how many normals."""
    blocks = -(-(work.length - LEAD) // 2)
    return {"tanh": work.runs * work.epochs * 2 * work.length, "noise": work.runs * work.epochs * blocks * 4}


def guess_operations(net: guess.Topology, dtype: torch.dtype = torch.float32) -> int:
    """Of one step of a guessed net; drawing its weights, done once, is left out.

    The kernel's units all see input, output and 1, with weight 0 where the net has no such wire.
    """
    seen = net.hidden if net.dense else min(net.hidden, 1)
    return net.hidden * (2 * (2 + seen) + logistic(dtype)) + 2 * (2 + net.hidden) + logistic(dtype)


def lstm96_operations(net: lstm96.Topology, dtype: torch.dtype = torch.float32) -> dict[str, int]:
    """Of one step of the LSTM of 1996 on the adding problem, its inputs drawn, and of what ends a sequence."""
    J, cells, f = net.blocks, net.blocks * net.cells, logistic(dtype)
    sources = net.units + net.inputs + 1
    weights = net.blocks * (net.cells * 2 + 1 + net.cells) * sources + net.outputs * cells  # of changes
    moved = 2 * (net.units * sources + net.outputs * (cells + 1))
    answer = net.outputs * (4 * cells + f + 4) + cells * (2 + f + 2 + 5) + J * 3
    return {
        "inputs": 4,
        "net inputs": 2 * net.units * (sources - 1),
        "units": net.units * f + 2 * J + cells * (4 + 2 + f + 9 + 1),
        "traces": 2 * 2 * cells * sources,
        "end": 4 + answer + weights + moved,
    }


def bare(source: Path, function: str, values: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """So many values of a function in a kernel's ceiling.cpp and nothing else: what is left in x.

    Raises MissingPeer where there is no compiler that works.
    """
    library = native.library(source, REALS[dtype])
    if library is None:
        raise MissingPeer("no C++ compiler works here")
    x = torch.zeros(SIZE, dtype=dtype)
    library[f"lltd_ceiling_{function}"](ctypes.c_int64(-(-values // SIZE)), ctypes.c_void_p(x.data_ptr()))
    return x
