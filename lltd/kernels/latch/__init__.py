"""Learning the minimal task with one tanh neuron: whole stretches of training, for many runs at once."""

import torch
from torch import Tensor

from lltd.kernels.latch import reference
from lltd.kernels.op import Op
from lltd.philox import Purpose, normal
from lltd.tasks import check_latch

RULES = {"gradient": reference.GRADIENT, "sign": reference.SIGN, "adam": reference.ADAM}
STARTS = ("random", "wrong", "oracle")
ORACLE = 5.0  # an input that no noise in use can outweigh
SPREAD = 0.1  # standard deviation of the initial inputs


def _trained(
    seed: int, ids: Tensor, theta: Tensor, memory: Tensor, *others: Tensor | float
) -> tuple[Tensor, Tensor]:
    return theta.new_empty(theta.shape), memory.new_empty(memory.shape)


def _right(seed: int, ids: Tensor, *others: Tensor | int) -> Tensor:
    return ids.new_empty(2, len(ids))


TRAIN = Op("latch", reference.train, _trained)
RECALL = Op("latch_recall", reference.recall, _right)


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
    chosen = {"random": SPREAD * u, "wrong": -SPREAD * side * u.abs(), "oracle": ORACLE * side.expand_as(u)}
    return torch.cat((weight[None], chosen[start]))


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
) -> tuple[Tensor, Tensor]:
    """Train runs for some epochs, one update an epoch on one presentation of both classes.

    ids: int64 (B,). theta: (1 + 2L, B), see `initial`, float64 or float32. memory: (2, 1 + 2L, B), Adam's
    running means, zeros if None. noise: standard deviations (B,). first: number of the first epoch, so that a
    long training can be cut anywhere. rule: "gradient", "sign" (a fixed step against each sign) or "adam".
    fresh: new noise in each epoch, else that of epoch 0 again. limit: bound on the size of w. Returns theta and
    memory after the stretch. Raises ValueError or TypeError that names the argument.
    Source: [BFS93] section II, eq. 1.
    """
    _check(seed, ids, theta, noise, length, target)
    if rule not in RULES:
        raise ValueError(f"rule is {rule!r}: one of {', '.join(RULES)} is needed")
    if epochs < 0 or first < 0:
        raise ValueError(f"epochs is {epochs} and first is {first}: neither may be negative")
    if not rate > 0 or not limit > 0:
        raise ValueError(f"rate is {rate} and limit is {limit}: both must be positive")
    if memory is None:
        memory = theta.new_zeros(2, *theta.shape)
    if memory.shape != (2, *theta.shape) or memory.dtype != theta.dtype or memory.device != theta.device:
        raise TypeError(
            f"memory is {memory.dtype} {tuple(memory.shape)} on {memory.device}: "
            f"{theta.dtype} of {(2, *theta.shape)} on {theta.device} is needed, as theta has"
        )
    numbers = (first, epochs, length, rate, target, RULES[rule], learn_weight, fresh, limit)
    return TRAIN(seed, ids, theta, memory, noise, *numbers)


def recall(
    seed: int,
    ids: Tensor,
    theta: Tensor,
    *,
    noise: Tensor,
    length: int,
    draws: int,
    first: int = 0,
) -> Tensor:
    """Of `draws` presentations with fresh test noise, how many end on the right side: int64 (2, B), by class."""
    _check(seed, ids, theta, noise, length, 0.5)
    if draws < 1:
        raise ValueError(f"draws is {draws}: at least one presentation is needed")
    return RECALL(seed, ids, theta, noise, first, draws, length)


def face(theta: Tensor) -> str:
    """Which face serves such parameters: "cpu.cpp", "cuda.py" or "reference"."""
    return TRAIN.face(theta)[0]


def _check(seed: int, ids: Tensor, theta: Tensor, noise: Tensor, length: int, target: float) -> None:
    rows, runs = theta.shape if theta.ndim == 2 else (0, 0)
    if rows < 3 or rows % 2 == 0:
        raise ValueError(f"theta has shape {tuple(theta.shape)}: (1 + 2L, runs) is needed")
    if not theta.is_floating_point():
        raise TypeError(f"theta is {theta.dtype}: real numbers are needed")
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
