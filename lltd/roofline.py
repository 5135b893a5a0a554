"""How near the latch kernel comes to what the machine can do: work and bytes counted, ceilings measured.

Counting rule: an addition, subtraction, multiplication, division or square root of real numbers is one operation,
a fused multiplication and addition two. Comparisons, signs, conversions, the moving of bits and integer work count
nothing; Philox's wide multiplications are counted apart. The counts follow lanes.hpp and cpu.cpp.
"""

import ctypes
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import torch

from lltd.kernels import latch, native
from lltd.peers import MissingPeer
from lltd.peers.latch import LEAD, Stretch, kernel

SOURCE = Path(latch.__file__).with_name("ceiling.cpp")
SIZE = 1024  # of its array
ROUNDS = {"tanh": 2_000, "noise": 1_000, "fma": 100_000}  # 5 ms each, or about that
COPIED = 2**23  # numbers, 64 MB: more than the caches hold
TERMS = {"EXPM1": 13, "ATANH": 11, "SIN": 8, "COS": 9}  # of the polynomials in lanes.hpp, in double


def horner(name: str) -> int:
    """Operations of one polynomial: a fused step for each term but the first."""
    return 2 * (TERMS[name] - 1)


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


def measure(work: Stretch, repeats: int) -> dict[str, list[float]]:
    """Seconds by turns: "kernel", of the stretch; "tanh", of one; "noise", of one block of four normals.

    "fma" and "copy" are the seconds of one operation at the processor's peak, and of one byte to or from the
    main memory. Raises ValueError where there is no compiler that works.
    """
    library = native.library(SOURCE)
    if library is None:
        raise ValueError("latch: there is no ceiling to measure, for want of a compiler that works")
    x, here, there = torch.zeros(SIZE, dtype=torch.float64), *torch.ones(2, COPIED, dtype=torch.float64)

    def alone(name: str) -> Callable[[], object]:
        function = library[f"lltd_ceiling_{name}"]
        return lambda: function(ctypes.c_int64(ROUNDS[name]), ctypes.c_void_p(x.data_ptr()))

    turns: dict[str, tuple[Callable[[], object], float]] = {
        "kernel": (lambda: kernel(work), 1),
        "tanh": (alone("tanh"), ROUNDS["tanh"] * SIZE),
        "noise": (alone("noise"), ROUNDS["noise"] * SIZE / 4),
        "fma": (alone("fma"), ROUNDS["fma"] * SIZE * 2),
        "copy": (lambda: there.copy_(here), COPIED * 8 * 2),
    }
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    for turn in range(repeats + 1):
        for name, (do, count) in turns.items():
            began = perf_counter()
            do()
            if turn:  # the first builds and warms up
                seconds[name].append((perf_counter() - began) / count)
    return seconds


def bare(source: Path, function: str, values: int) -> torch.Tensor:
    """So many values of a function in a kernel's ceiling.cpp and nothing else, in single precision: what is left in x.

    Raises MissingPeer where there is no compiler that works.
    """
    library = native.library(source, "float")
    if library is None:
        raise MissingPeer("no C++ compiler works here")
    x = torch.zeros(SIZE)
    library[f"lltd_ceiling_{function}"](ctypes.c_int64(-(-values // SIZE)), ctypes.c_void_p(x.data_ptr()))
    return x


def functions_alone(work: Stretch, tanh: float, noise: float) -> float:
    """Seconds that a stretch's tangents and normals take by themselves, given those of one tanh, one block."""
    blocks = -(-(work.length - LEAD) // 2)
    return work.runs * work.epochs * (2 * work.length * tanh + blocks * noise)
