"""The kernels on a GPU, where there is one: the Triton face beside the C++ face on one thread."""

import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from lltd.clock import turns
from lltd.measurements.loads import LOADS, Load
from lltd.stretches import machine

Row = dict[str, Any]
SIZES = {  # enough runs to fill a large GPU
    "latch": {"runs": 65536},
    "guess": {"runs": 262144, "length": 550},
    "lstm96": {"runs": 16384},
}
NONE = "not measured: no GPU"


def measure(repeats: int) -> list[Row]:
    """Rows {op, runs, device, face, seconds, cpu_seconds}; without a GPU one row {note}."""
    if not torch.cuda.is_available():
        return [{"note": NONE}]
    return [_raced(op, "cuda", torch.cuda.synchronize, repeats) for op in SIZES]


def _raced(op: str, device: str, wait: Callable[[], object], repeats: int) -> Row:
    load = LOADS[op](**SIZES[op])
    there = load.on(device)
    taken = turns({"here": load.kernel, "there": partial(_waited, there, wait)}, repeats)
    row = {"op": op, "runs": SIZES[op]["runs"], "device": machine(device)}
    row["face"] = there.op.face(*there.arguments)[0]
    return {**row, "seconds": taken["there"], "cpu_seconds": taken["here"]}


def _waited(load: Load, wait: Callable[[], object]) -> None:
    load.kernel()
    wait()


def table(rows: list[Row]) -> list[str]:
    """Lines to read: the seconds on either, and the median of their ratios."""
    lines = [row["note"] for row in rows if "note" in row]
    for row in rows[len(lines) :]:
        ratios = [cpu / gpu for cpu, gpu in zip(row["cpu_seconds"], row["seconds"], strict=True)]
        here, there = (statistics.median(row[name]) for name in ("cpu_seconds", "seconds"))
        lines.append(
            f"{row['op']}, {row['runs']:,} runs: {there:.3g} s by {row['face']} on {row['device']}, {here:.3g} s on "
            f"one thread: {statistics.median(ratios):.1f} times as fast ({min(ratios):.1f} to {max(ratios):.1f})"
        )
    return lines
