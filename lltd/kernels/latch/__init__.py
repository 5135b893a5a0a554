"""Learning the minimal task with one tanh neuron: whole stretches of training, for many runs at once."""

import ctypes
from pathlib import Path

import torch
from torch import Tensor

from lltd.kernels import native
from lltd.kernels.latch import reference
from lltd.philox import Purpose, normal
from lltd.tasks import check_latch

RULES = {"gradient": reference.GRADIENT, "sign": reference.SIGN, "adam": reference.ADAM}
STARTS = ("random", "wrong", "oracle")
ORACLE = 5.0  # an input that no noise in use can outweigh
SPREAD = 0.1  # standard deviation of the initial inputs


def initial(seed: int, ids: Tensor, weight: Tensor, lead: int, start: str = "random") -> Tensor:
    """Initial parameters theta (1 + 2L, B): the weights (B,), then both classes' inputs.

    start: "random", u ~ N(0, 0.1²); "wrong", the same magnitudes, every sign pushing to the other class's
    side; "oracle", the answer set by hand, u = -5 for class 0 and +5 for class 1. Raises ValueError.
    """
    if start not in STARTS:
        raise ValueError(f"start is {start!r}: one of {', '.join(STARTS)} is needed")
    steps = torch.arange(-(-2 * lead // 4), device=ids.device)
    u = (
        normal(seed, ids, steps[:, None], Purpose.INITIAL, weight.dtype)
        .transpose(0, 1)
        .flatten(0, 1)[: 2 * lead]
    )
    side = torch.tensor([-1.0, 1.0], dtype=weight.dtype, device=ids.device).repeat_interleave(lead)[:, None]
    if start == "oracle":
        u = ORACLE * side.expand_as(u)
    else:
        u = SPREAD * (u if start == "random" else -side * u.abs())
    return torch.cat((weight[None], u))


def train(
    seed: int,
    ids: Tensor,
    theta: Tensor,
    memory: Tensor | None = None,
    *,
    noise: Tensor,
    length: int,
    epochs: int,
    rate: float,
    first: int = 0,
    target: float = 0.8,
    rule: str = "gradient",
    learn_weight: bool = True,
    fresh: bool = True,
    limit: float = float("inf"),
    threads: int = 1,
) -> tuple[Tensor, Tensor]:
    """Train runs for some epochs, one update an epoch on one presentation of both classes.

    ids: int64 (B,). theta: (1 + 2L, B), see `initial`; float64 on a CPU takes the C++ face. memory: (2, 1 + 2L,
    B), Adam's running means, zeros if None. noise: standard deviations (B,). first: number of the first epoch,
    so that a long training can be cut anywhere. rule: "gradient", "sign" (a fixed step against each sign) or
    "adam". fresh: new noise in each epoch, else that of epoch 0 again. limit: bound on |w|. Returns theta and
    memory after the stretch. Raises ValueError or TypeError that names the argument.
    Source: [BFS93] section II, eq. 1.
    """
    lead = _check(seed, ids, theta, noise, length, target)
    if rule not in RULES:
        raise ValueError(f"rule is {rule!r}: one of {', '.join(RULES)} is needed")
    if epochs < 0 or first < 0:
        raise ValueError(f"epochs is {epochs} and first is {first}: neither may be negative")
    if not rate > 0 or not limit > 0:
        raise ValueError(f"rate is {rate} and limit is {limit}: both must be positive")
    if memory is None:
        memory = theta.new_zeros(2, *theta.shape)
    numbers = (first, epochs, length, rate, target, RULES[rule], learn_weight, fresh, limit)
    faces = _library(theta)
    if faces is None:
        return reference.train(seed, ids, theta, memory, noise, *numbers)
    theta, memory = theta.clone().contiguous(), memory.clone().contiguous()
    faces.lltd_latch_train(
        *(len(ids), threads, seed, ids.contiguous().data_ptr(), theta.data_ptr(), memory.data_ptr()),
        *(noise.contiguous().data_ptr(), first, epochs, length, lead, rate, target, RULES[rule]),
        *(learn_weight, fresh, limit),
    )
    return theta, memory


def recall(
    seed: int,
    ids: Tensor,
    theta: Tensor,
    *,
    noise: Tensor,
    length: int,
    draws: int,
    first: int = 0,
    threads: int = 1,
) -> Tensor:
    """Of `draws` presentations with fresh test noise, how many end on the right side: int64 (2, B), by class."""
    lead = _check(seed, ids, theta, noise, length, 0.5)
    if draws < 1:
        raise ValueError(f"draws is {draws}: at least one presentation is needed")
    faces = _library(theta)
    if faces is None:
        return reference.recall(seed, ids, theta, noise, first, draws, length)
    right = torch.empty(2, len(ids), dtype=torch.int64)
    faces.lltd_latch_recall(
        *(len(ids), threads, seed, ids.contiguous().data_ptr(), theta.contiguous().data_ptr()),
        *(noise.contiguous().data_ptr(), first, draws, length, lead, right.data_ptr()),
    )
    return right


def face(theta: Tensor) -> str:
    """Which face serves such parameters: "cpu.cpp" or "reference"."""
    return "reference" if _library(theta) is None else "cpu.cpp"


def _library(theta: Tensor) -> ctypes.CDLL | None:
    if theta.dtype != torch.float64 or theta.device.type != "cpu":
        return None
    faces = native.library(Path(__file__).with_name("cpu.cpp"))
    if faces is not None:
        whole, real, at = ctypes.c_int64, ctypes.c_double, ctypes.c_void_p
        faces.lltd_latch_train.argtypes = (
            *(whole, whole, ctypes.c_uint64, at, at, at, at),
            *(whole, whole, whole, whole, real, real, whole, whole, whole, real),
        )
        faces.lltd_latch_recall.argtypes = (whole, whole, ctypes.c_uint64, at, at, at, *(whole,) * 4, at)
    return faces


def _check(seed: int, ids: Tensor, theta: Tensor, noise: Tensor, length: int, target: float) -> int:
    rows, runs = theta.shape if theta.ndim == 2 else (0, 0)
    if rows < 3 or rows % 2 == 0:
        raise ValueError(f"theta has shape {tuple(theta.shape)}: (1 + 2L, runs) is needed")
    if ids.dtype != torch.int64 or ids.shape != (runs,):
        raise TypeError(
            f"ids is {ids.dtype} {tuple(ids.shape)}: int64 of shape ({runs},) is needed, as theta has"
        )
    if noise.shape != (runs,) or noise.dtype != theta.dtype:
        raise TypeError(f"noise is {noise.dtype} {tuple(noise.shape)}: {theta.dtype} of ({runs},) is needed")
    if not theta.device == ids.device == noise.device:
        raise ValueError(
            f"theta, ids and noise lie on {theta.device}, {ids.device}, {noise.device}: one is needed"
        )
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed is {seed}: an integer in [0, 2**63) is needed")
    check_latch(length, (rows - 1) // 2, noise, target)
    return (rows - 1) // 2
