"""How much noise a memory of one bit survives, and at what rate its gradient grows or fades meanwhile.

[HBFS01] section 3 and [BFS93] section III set one against the other: a state that withstands noise, and a derivative
da_T / da_0 that does not vanish. Here both are measured on any unit of a registry. Noise comes in two ways:

    "state"   a_t = step(a_{t-1}, 0) + noise      each coordinate of the state is pushed, whatever the unit does
    "input"   a_t = step(a_{t-1}, noise)          the noise takes the unit's own way in, through threshold or gate

It is Gaussian; its size is its standard deviation over the unit's `scale`, half the distance between the states of
the two bits, so that no unit is safe merely by being large. A unit says beforehand how its bit is read.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from lltd import resampling
from lltd.analysis.jacobian_products import product
from lltd.philox import Purpose, normal

WAYS = ("state", "input")
SHARE = 0.99  # of the bits must be read rightly at the end


@dataclass(frozen=True)
class Unit:
    """A memory of one bit. States have the shape (..., n), inputs (..., inputs); all inputs are 0 at rest.

    start: the states of bit 0 and bit 1, (2, n). step(a, u): the next state. derivative(a, u): that of `step` in a,
    (..., n, n). read(a, t): the number (...) that is read from the state t steps after the start; from 0 on it says
    bit 1. trapped: whether small enough noise in the state can never change the bit, because the states of each
    bit trap it.
    """

    name: str
    start: tuple[tuple[float, ...], tuple[float, ...]]
    step: Callable[[Tensor, Tensor], Tensor]
    derivative: Callable[[Tensor, Tensor], Tensor]
    read: Callable[[Tensor, int], Tensor]
    inputs: int
    trapped: bool

    @property
    def size(self) -> int:
        """Number n of coordinates of the state."""
        return len(self.start[0])

    @property
    def scale(self) -> float:
        """Half the distance between the states of the two bits: the unit in which noise is counted."""
        return math.dist(*self.start) / 2


UNITS: dict[str, Unit] = {}


def register(unit: Unit) -> Unit:
    """Add a unit to the registry. Raises ValueError if its name is taken, or if it misreads its own start."""
    if unit.name in UNITS:
        raise ValueError(f"unit {unit.name!r} is registered twice")
    if (unit.read(torch.tensor(unit.start), 0) >= 0).tolist() != [False, True]:
        raise ValueError(f"unit {unit.name!r} misreads its own start: bit 0, then bit 1 is needed")
    UNITS[unit.name] = unit
    return unit


def find(name: str) -> Unit:
    """The unit of that name. Raises ValueError, listing the known ones."""
    if name not in UNITS:
        raise ValueError(f"unknown unit {name!r}; known: {', '.join(UNITS)}")
    return UNITS[name]


def run(unit: Unit, start: Tensor, noise: Iterator[Tensor], way: str) -> Iterator[Tensor]:
    """The states after 1, 2, … steps of noise of the shape (..., n) or (..., inputs), already scaled."""
    _check_way(way)
    a, rest = start, start.new_zeros(unit.inputs)
    for z in noise:
        a = unit.step(a, rest) + z if way == "state" else unit.step(a, z)
        yield a


def noise(unit: Unit, way: str, seed: int, ids: Tensor, steps: int) -> Iterator[Tensor]:
    """Standard normal noise times the unit's scale, step by step, (B, n) or (B, inputs) for ids (B,)."""
    _check_way(way)
    width = unit.size if way == "state" else unit.inputs
    for first in range(0, steps, CHUNK):  # a chunk takes a whole number of blocks of four
        blocks = torch.arange(first * width // 4, (first + CHUNK) * width // 4, device=ids.device)
        z = normal(seed, ids, blocks[:, None], Purpose.NOISE)  # (4, blocks, B)
        z = unit.scale * z.transpose(0, 1).reshape(CHUNK, width, len(ids)).movedim(1, 2)
        yield from z[: steps - first]


CHUNK = 100


def bits(ids: Tensor) -> Tensor:
    """The bit that a run stores: runs 0, 2, … hold bit 0, the others bit 1; bool (B,)."""
    return ids % 2 == 1


def survives(unit: Unit, way: str, sizes: Tensor, *, seed: int, ids: Tensor, steps: int) -> Tensor:
    """Whether the bit is read rightly after so many steps, bool (sizes, B); noise of a run is the same at all sizes.

    sizes: (S,), standard deviations over the unit's scale. ids: int64 (B,). ValueError for a negative size.
    """
    *_, end = _noisy(unit, way, sizes, seed, ids, steps)
    return (unit.read(end, steps) >= 0) == bits(ids)


def readings(unit: Unit, way: str, sizes: Tensor, *, seed: int, ids: Tensor, steps: int) -> Tensor:
    """What is read at the start and after each step, (steps + 1, sizes, B); arguments as those of `survives`."""
    start = unit.read(torch.tensor(unit.start, dtype=sizes.dtype), 0)[bits(ids).long()]
    states = _noisy(unit, way, sizes, seed, ids, steps)
    later = [unit.read(a, t) for t, a in enumerate(states, start=1)]
    return torch.stack([start.expand(len(sizes), -1), *later])


def _noisy(unit: Unit, way: str, sizes: Tensor, seed: int, ids: Tensor, steps: int) -> Iterator[Tensor]:
    """States (sizes, B, n) of the runs."""
    if not (sizes >= 0).all():
        raise ValueError(f"sizes holds {sizes.min().item()}: a standard deviation is not negative")
    start = torch.tensor(unit.start, dtype=sizes.dtype, device=ids.device)[bits(ids).long()]
    return run(unit, start, (sizes[:, None, None] * z for z in noise(unit, way, seed, ids, steps)), way)


def decades(
    unit: Unit, way: str = "state", size: float = 0.0, *, seed: int = 0, ids: Tensor, steps: int
) -> Tensor:
    """log10 of the 2-norm of da_T / da_0 over T = steps, along runs under noise of this size; (B,)."""
    start = torch.tensor(unit.start, dtype=torch.float64, device=ids.device)[bits(ids).long()]
    inputs = (size * z for z in noise(unit, way, seed, ids, steps))
    rest = start.new_zeros(unit.inputs)

    def factors() -> Iterator[Tensor]:
        a = start
        for z in inputs:
            u = rest if way == "state" else z
            yield unit.derivative(a, u)
            a = unit.step(a, u) + (z if way == "state" else 0.0)

    matrix, log = product(factors())
    return (torch.linalg.matrix_norm(matrix, ord=2).log() + log) / math.log(10)


@dataclass(frozen=True)
class Survived:
    """The largest noise of a grid that a unit survives, and what the counts leave open at 95 %.

    size: up to here at least SHARE of the runs end right; 0 if not even at the grid's least. low, high: the least
    and the largest value that exact intervals of the shares allow; infinite beyond the grid.
    """

    size: float
    low: float
    high: float


def survived(sizes: np.ndarray, right: np.ndarray, trials: int, share: float = SHARE) -> Survived:
    """Read the survived noise off the right ends (S,) of so many trials at each of the rising sizes (S,)."""
    surely, possibly = _fewest(trials, share)
    limits = np.append(sizes, np.inf)

    def before_fewer_than(count: float) -> float:
        first = int(np.argmax(np.append(right < count, True)))
        return float(limits[first - 1]) if first else 0.0

    first_hopeless = int(np.argmax(np.append(right < possibly, True)))
    return Survived(
        before_fewer_than(share * trials), before_fewer_than(surely), float(limits[first_hopeless])
    )


@cache
def _fewest(trials: int, share: float) -> tuple[int, int]:
    """The fewest right ends of so many whose exact 95 % interval lies above the share, and that reach up to it."""
    low, high = resampling.interval(np.arange(trials + 1), trials)
    return int(np.argmax(np.append(low >= share, True))), int(np.argmax(high >= share))


def _check_way(way: str) -> None:
    if way not in WAYS:
        raise ValueError(f"way is {way!r}: one of {', '.join(WAYS)} is needed")
