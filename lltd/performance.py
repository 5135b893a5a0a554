"""How fast the kernels are: each beside a peer that does the same work, in one process and by turns.

Seconds say much about a machine and who else is using it. Two that were taken one right after the other share
both, so what counts is their ratio.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lltd.experiments import machine
from lltd.kernels import latch

REPEATS = 5


@dataclass(frozen=True)
class Race:
    """One piece of work and two ways to do it, both of which return the same tensor but for rounding."""

    op: str
    work: str
    peer: str
    ours: Callable[[], Tensor]
    theirs: Callable[[], Tensor]


def latch_races(runs: int = 4096, length: int = 20, epochs: int = 20) -> Iterator[Race]:
    """Training on the minimal task: the C++ face beside the plain torch reference, both in float64.

    Raises ValueError where there is no C++ face.
    """
    ids = torch.arange(runs)
    theta = latch.initial(1, ids, torch.full((runs,), 1.25, dtype=torch.float64), 3)
    if latch.face(theta) != "cpu.cpp":
        raise ValueError("latch: there is no C++ face to time, for want of a compiler that works")
    noise = torch.full((runs,), 0.2, dtype=torch.float64)

    def ours() -> Tensor:
        return latch.train(1, ids, theta, noise=noise, length=length, epochs=epochs, rate=0.01)[0]

    def theirs() -> Tensor:
        numbers = (0, epochs, length, 0.01, 0.8, latch.RULES["gradient"], True, True, float("inf"))
        return latch.reference.train(1, ids, theta, theta.new_zeros(2, *theta.shape), noise, *numbers)[0]

    work = f"train {runs:,} runs, T = {length}, {epochs} epochs, one thread"
    yield Race("latch", work, "the plain torch reference", ours, theirs)


RACES: dict[str, Callable[[], Iterator[Race]]] = {"latch": latch_races}


def measure(op: str | None = None) -> list[dict[str, Any]]:
    """Time one kernel, or all: a row for each race, see `timed`. Raises ValueError for an unknown one."""
    if op is not None and op not in RACES:
        raise ValueError(f"op is {op!r}: one of {', '.join(RACES)} is needed")
    return [timed(race) for name in RACES if op in (None, name) for race in RACES[name]()]


def timed(race: Race, repeats: int = REPEATS) -> dict[str, Any]:
    """Run both sides by turns: {op, work, peer, ours_s, peer_s, ratio, low, high, device}.

    ours_s, peer_s: median seconds. ratio: the peer's seconds over ours, its median over the pairs; low, high:
    its range over them. Raises ArithmeticError if the two do not agree: a wrong answer has no speed.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        # The first turn, which also builds and loads what is needed, is not counted.
        if not torch.allclose(race.ours(), race.theirs(), rtol=1e-6, atol=1e-9):
            raise ArithmeticError(f"{race.op}: it and {race.peer} disagree: {race.work}")
        pairs = [(_seconds(race.ours), _seconds(race.theirs)) for _ in range(repeats)]
    finally:
        torch.set_num_threads(threads)
    ratios = [theirs / ours for ours, theirs in pairs]
    ours_s, peer_s = (statistics.median(side) for side in zip(*pairs, strict=True))
    return {
        **{"op": race.op, "work": race.work, "peer": race.peer, "ours_s": ours_s, "peer_s": peer_s},
        **{"ratio": statistics.median(ratios), "low": min(ratios), "high": max(ratios)},
        "device": machine(),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows of `measure` as lines to read."""
    return "\n".join(
        f"{row['op']}: {row['work']} on {row['device']}\n"
        f"  {row['ours_s']:.3g} s against {row['peer_s']:.3g} s of {row['peer']}: "
        f"{row['ratio']:.3g} times as fast ({row['low']:.3g} to {row['high']:.3g})"
        for row in rows
    )


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
