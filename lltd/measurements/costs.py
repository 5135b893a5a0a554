"""How a kernel's cost grows along each axis of its work, beside the plain torch reference, and what any call costs."""

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from lltd import clock
from lltd.clock import turns
from lltd.measurements.loads import LOADS

Row = dict[str, Any]
SIDES = ("kernel", "reference")
CALL = "call"  # the axis of the least work there is

# What is changed, one at a time, of the loads' defaults.
AXES: dict[str, dict[str, tuple[int, ...]]] = {
    "latch": {
        "runs": (64, 256, 1024, 4096, 16384),
        "length": (10, 20, 40, 80, 160),
        "times": (10, 20, 40, 80, 160),
    },
    "small_net": {
        "runs": (64, 256, 1024, 4096),
        "length": (25, 50, 100, 200),
        "units": (1, 2, 4, 8, 16),
    },
    "guess": {
        "runs": (64, 256, 1024, 4096, 16384),
        "length": (50, 100, 200, 400),
        "units": (1, 2, 4, 7, 10),
    },
    "lstm96": {
        "runs": (16, 64, 256, 1024, 4096),
        "length": (50, 100, 200, 400),
        "units": (3, 6, 9, 12),
        "times": (1, 2, 4, 8, 16),
    },
    "stream": {
        "runs": (64, 256, 1024, 4096),
        "length": (25, 100, 400, 1600),
        "times": (5, 10, 20, 40, 80),
    },
}
LEAST: dict[str, dict[str, int]] = {
    "latch": {"runs": 1, "length": 4, "times": 1},
    "small_net": {"runs": 1, "length": 1, "units": 1},
    "guess": {"runs": 1, "length": 1, "units": 1},
    "lstm96": {"runs": 1, "length": 20, "units": 3, "times": 1},
    "stream": {"runs": 1, "length": 1, "times": 1},
}
ENOUGH = 0.02  # seconds: calls that are shorter are made so often that they take as long together


def measure(repeats: int) -> list[Row]:
    """Rows {op, axis, at, side, seconds}: those of each turn, along AXES, and of a call with next to no work.

    side: one of SIDES. A turn goes over all points of a kernel once, so that a line can be fitted to each.
    """
    return [row for op in AXES for row in _along(op, repeats)]


def _along(op: str, repeats: int) -> Iterable[Row]:
    loads = {(axis, at): LOADS[op](**{axis: at}) for axis, values in AXES[op].items() for at in values}
    loads[CALL, 1] = LOADS[op](**LEAST[op])
    calls = {(*point, side): getattr(load, side) for point, load in loads.items() for side in SIDES}
    often = {point: _often(call) for point, call in calls.items()}
    works = {point: partial(_repeat, call, often[point]) for point, call in calls.items()}
    for (axis, at, side), seconds in turns(works, repeats).items():
        each = [total / often[axis, at, side] for total in seconds]
        yield {"op": op, "axis": axis, "at": at, "side": side, "seconds": each}


def _often(call: Callable[[], object]) -> int:
    """How often a call is made for one time, so that a clock's grain and a short disturbance do not count."""
    call()  # builds and loads
    return max(1, math.ceil(ENOUGH / clock.seconds(call)))


def _repeat(call: Callable[[], object], times: int) -> None:
    for _ in range(times):
        call()


def slope(at: Sequence[float], seconds: Sequence[float]) -> float:
    """The exponent b of seconds ∝ at^b, fitted by least squares to the logarithms of both."""
    return float(np.polyfit(np.log(at), np.log(seconds), 1)[0])


def slopes(at: Sequence[float], seconds: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """The exponent of each turn, seconds (points, turns): its median, and its range over the turns.

    Of five turns the range covers the median of all that might be taken with 1 - 2⁻⁴ = 94 %, whatever the noise.
    """
    each = [slope(at, turn) for turn in zip(*seconds, strict=True)]
    return statistics.median(each), min(each), max(each)


def along(rows: Iterable[Row], op: str, axis: str, side: str) -> tuple[np.ndarray, np.ndarray]:
    """Of one axis: where it was measured, (points,), and the seconds of all turns, (points, turns)."""
    chosen = [row for row in rows if (row["op"], row["axis"], row["side"]) == (op, axis, side)]
    return np.array([row["at"] for row in chosen]), np.array([row["seconds"] for row in chosen])


def table(rows: list[Row]) -> list[str]:
    """Lines to read: slopes of both sides over all points and the last three, and the cost of a call."""
    heads = [f"{side:>20}  {'last three':>10}" for side in SIDES]
    lines = ["  ".join((f"{'slope':19}", *heads))]
    for op, axis in dict.fromkeys((row["op"], row["axis"]) for row in rows if row["axis"] != CALL):
        cells = []
        for side in SIDES:
            at, seconds = along(rows, op, axis, side)
            middle, low, high = slopes(at, seconds)
            cells.append(f"{middle:5.2f} [{low:5.2f}, {high:5.2f}]")
            cells.append(f"{slopes(at[-3:], seconds[-3:])[0]:10.2f}")
        lines.append("  ".join((f"{op:10} {axis:8}", *cells)))
    for op in dict.fromkeys(row["op"] for row in rows):
        ours, theirs = (1e6 * np.median(along(rows, op, CALL, side)[1]) for side in SIDES)
        lines.append(f"a call of {op:10} {ours:8.0f} µs    of its reference {theirs:8.0f} µs")
    return lines
