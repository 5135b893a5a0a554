"""How near kernels come to what the machine can do: each by turns with its ceilings, in one process, on one thread.

What is counted and how stands in `lltd.roofline`.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from lltd import roofline
from lltd.clock import turns
from lltd.kernels import native
from lltd.peers import guess as guess_peers
from lltd.peers import latch as latch_peers
from lltd.peers import lstm96 as lstm96_peers
from lltd.peers.guess import CEILING, Guesses
from lltd.peers.latch import Stretch
from lltd.peers.lstm96 import Learning

Row = dict[str, Any]
COPIED = 2**23  # numbers, 64 MB: more than the caches hold
BARE = {"tanh": roofline.SOURCE, "noise": roofline.SOURCE, "logistic": CEILING}  # where functions stand alone


@dataclass(frozen=True)
class Limits:
    """A kernel's work, what it must compute, in operations and in values of functions, and what it must move."""

    work: Stretch | Guesses | Learning
    kernel: Callable[[], object]
    dtype: torch.dtype
    operations: int
    bytes: int
    functions: dict[str, int]


def latch(work: Stretch) -> Limits:
    """Training on the minimal task, in double precision."""
    amounts = (roofline.arithmetic(work), roofline.traffic(work), roofline.functions(work))
    return Limits(work, partial(latch_peers.kernel, work), torch.float64, *amounts)


def guess(work: Guesses) -> Limits:
    """The plain kernel of random search on one sequence, in single precision: ids and inputs in, an output out."""
    steps, moved = work.nets * int(work.first[1]), 12 * work.nets + 4 * work.first[0].numel()
    amounts = (
        steps * roofline.guess_operations(work.net),
        moved,
        {"logistic": steps * (work.net.hidden + 1)},
    )
    return Limits(work, partial(guess_peers.kernel, work), torch.float32, *amounts)


def lstm96(work: Learning) -> Limits:
    """On-line learning of the adding problem, in single precision: weights in and out, an error for each sequence."""
    parts = roofline.lstm96_operations(work.net)
    ends, end = work.trials * work.sequences, parts.pop("end")
    values = lstm96_peers.functions(work.net) * work.steps + ends * (1 + work.blocks * work.cells)
    moved = work.trials * (8 + 16 + 2 * 4 * len(work.start[1])) + 4 * ends
    amounts = (work.steps * sum(parts.values()) + ends * end, moved, {"logistic": values})
    return Limits(work, partial(lstm96_peers.kernel, work), torch.float32, *amounts)


LIMITS: dict[str, Callable[[], Limits]] = {
    "latch": lambda: latch(Stretch()),
    "guess": lambda: guess(Guesses()),
    "lstm96": lambda: lstm96(Learning()),
}


def measure(repeats: int) -> list[Row]:
    """Rows {op, work, real, operations, bytes, kernel, peak, memory, alone}, the last four in seconds of each turn.

    peak: all operations as fused ones, on registers. memory: all bytes, as a copy moves them. alone: function → all
    its values and nothing else. Raises ValueError where there is no compiler that works.
    """
    if native.library(roofline.SOURCE) is None:
        raise ValueError("roofline: there is no ceiling to measure, for want of a compiler that works")
    here, there = torch.ones(2, COPIED, dtype=torch.float64)
    rows = []
    for op, make in LIMITS.items():
        limits = make()
        works: dict[str, Callable[[], object]] = {
            "kernel": limits.kernel,
            "peak": partial(roofline.bare, roofline.SOURCE, "fma", limits.operations // 2, limits.dtype),
            "memory": partial(there.copy_, here),
        }
        for name, values in limits.functions.items():
            works[name] = partial(roofline.bare, BARE[name], name, values, limits.dtype)
        taken = turns(works, repeats)
        share = limits.bytes / (2 * 8 * COPIED)
        row = {"op": op, "work": asdict(limits.work), "real": str(limits.dtype).removeprefix("torch.")}
        row |= {"operations": limits.operations, "bytes": limits.bytes}
        row |= {name: taken[name] for name in ("kernel", "peak")}
        row["memory"] = [share * seconds for seconds in taken["memory"]]
        rows.append({**row, "alone": {name: taken[name] for name in limits.functions}})
    return rows


def shares(row: Row) -> dict[str, np.ndarray]:
    """What part of the kernel's time each of its bounds would suffice for, by turns; "functions" is all together."""
    parts = {"functions": np.sum([*row["alone"].values()], axis=0), **row["alone"]}
    parts |= {name: np.array(row[name]) for name in ("peak", "memory")}
    return {name: seconds / np.array(row["kernel"]) for name, seconds in parts.items()}


def table(rows: list[Row]) -> list[str]:
    """Lines to read: for each kernel its rate, and the share of its time that each bound would take."""
    lines = []
    for row in rows:
        rate = row["operations"] / np.median(row["kernel"]) / 1e9
        lines.append(
            f"{row['op']}: {rate:.1f} · 10⁹ operations a second, {row['operations'] / row['bytes']:,.0f} to the byte"
        )
        for name, share in shares(row).items():
            lines.append(f"  {name:10} {np.median(share):7.2%} [{share.min():.2%}, {share.max():.2%}]")
    return lines
