"""How much memory a kernel's work takes: the peak of a fresh process above what it held before, beside the reference.

Linux says it of each process in /proc/self/status: VmRSS is what is resident now, VmHWM the most that ever was.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from lltd.measurements.loads import LOADS, sizes

Row = dict[str, Any]
STATUS = Path("/proc/self/status")
SIDES = ("kernel", "reference")
# Runs, so many that arrays are larger than what an allocator keeps at hand; memory does not grow with times.
AXES: dict[str, tuple[int, ...]] = {
    "latch": (16384, 65536, 262144),
    "small_net": (1024, 4096, 16384),
    "guess": (65536, 262144, 1048576),
    "lstm96": (4096, 16384, 65536),
    "stream": (1024, 4096, 16384),
}
LENGTHS = {"guess": 10, "lstm96": 20}  # of sequences, where neither side keeps what it has seen
NOTE = f"not measured: there is no {STATUS} here"


def measure(repeats: int) -> list[Row]:
    """Rows {op, side, runs, before, peak}, in bytes, each of a process of its own; repeats does not matter.

    before: resident when everything is imported and the least work done once. Where the system does not tell, one
    row {note}.
    """
    if not STATUS.exists():
        return [{"note": NOTE}]
    return [
        {"op": op, "side": side, "runs": runs, **_weighed(op, side, runs)}
        for op, axis in AXES.items()
        for side in SIDES
        for runs in axis
    ]


def _weighed(op: str, side: str, runs: int) -> dict[str, int]:
    call = f"from lltd.measurements import memory; memory.weigh({op!r}, {side!r}, {runs})"
    done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def weigh(op: str, side: str, runs: int) -> None:
    """Do the work in this process, and print {before, peak} in bytes as JSON."""
    import torch

    torch.set_num_threads(1)
    size = {"length": LENGTHS[op]} if op in LENGTHS else {}
    if "times" in sizes(op):
        size["times"] = 1
    getattr(LOADS[op](**{**size, "runs": 1}), side)()
    before = _status("VmRSS")
    getattr(LOADS[op](**{**size, "runs": runs}), side)()
    print(json.dumps({"before": before, "peak": _status("VmHWM")}))


def _status(name: str) -> int:
    """A line of the process's status, in bytes."""
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


def per_run(rows: list[Row], op: str, side: str) -> float:
    """Bytes that a further run takes: the slope of a straight line through the peaks, by least squares."""
    chosen = [row for row in rows if (row.get("op"), row.get("side")) == (op, side)]
    return float(np.polyfit([row["runs"] for row in chosen], [row["peak"] for row in chosen], 1)[0])


def table(rows: list[Row]) -> list[str]:
    """Lines to read: for each kernel, megabytes above what was there before, and bytes for each further run."""
    if any("note" in row for row in rows):
        return [row["note"] for row in rows]
    lines = []
    for op in dict.fromkeys(row["op"] for row in rows):
        cells = []
        for side in SIDES:
            last = [row for row in rows if (row["op"], row["side"]) == (op, side)][-1]
            above = (last["peak"] - last["before"]) / 1e6
            cells.append(f"{side} {above:7.1f} MB, {per_run(rows, op, side):8.0f} B a run")
        lines.append(f"{op:10} {last['runs']:>9,} runs: " + "; ".join(cells))
    return lines
