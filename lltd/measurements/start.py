"""What comes before any work: the import, and a first call, with nothing built yet and with all that can be kept.

Each is taken in a fresh process, whose caches lie in a folder of their own, empty before the first of two.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from lltd.peers import MissingPeer

Row = dict[str, Any]
TURNS = 2  # at most: some of them take long
IMPORTS = {
    "Python": "pass",
    "torch": "import torch",
    "lltd, with every chapter": "from lltd import chapters; chapters.load()",
}
KERNELS = ("latch", "small_net", "guess", "lstm96", "stream")
PEERS = {
    "latch": ("torch.compile of the reference", "Numba"),
    "lstm96": (
        "torch.compile, ten steps a call",
        "JAX, jit of vmap of scan",
        "Numba, 256 trials side by side",
    ),
}
CACHES = ("LLTD_CACHE", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME")


def measure(repeats: int) -> list[Row]:
    """Rows {what, by, cache, first, second}: seconds of each turn; of an import, of first and of second calls.

    cache: "empty" or "kept". A peer that is not here has a note instead.
    """
    calls = [(op, "C++") for op in KERNELS] + [(op, peer) for op, peers in PEERS.items() for peer in peers]
    rows = [_imported(what, code, repeats) for what, code in IMPORTS.items()]
    return rows + [row for op, by in calls for row in _called(op, by, min(repeats, TURNS))]


def _imported(what: str, code: str, repeats: int) -> Row:
    _process(code, {})  # so that files lie in the system's memory
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        _process(code, {})
        seconds.append(time.perf_counter() - began)
    return {"what": what, "by": "import", "cache": "kept", "first": seconds, "second": []}


def _called(op: str, by: str, repeats: int) -> list[Row]:
    call = f"from lltd.measurements import start; start.call_twice({op!r}, {by!r})"
    rows = [{"what": op, "by": by, "cache": cache, "first": [], "second": []} for cache in ("empty", "kept")]
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            for row in rows:
                told = json.loads(_process(call, dict.fromkeys(CACHES, folder)))
                if "note" in told:
                    return [{"what": op, "by": by, **told}]
                row["first"].append(told["first"])
                row["second"].append(told["second"])
    return rows


def _process(code: str, environment: dict[str, str]) -> str:
    command = [sys.executable, "-c", code]
    told = {"env": {**os.environ, **environment}, "capture_output": True, "text": True}
    return subprocess.run(command, check=True, **told).stdout


def call_twice(op: str, by: str) -> None:
    """Do a little work two times in this process, and print {first, second}, seconds, or {note}, as JSON."""
    import torch

    from lltd.clock import seconds

    torch.set_num_threads(1)
    call = _work(op, by)
    try:
        told: dict[str, Any] = {"first": seconds(call), "second": seconds(call)}
    except MissingPeer as missing:
        told = {"note": f"not measured: {missing}"}
    print(json.dumps(told))


def _work(op: str, by: str) -> Callable[[], object]:
    """A little work of a kernel, or of a peer of it, with all that it is given at hand."""
    if by == "C++":
        from lltd.measurements.loads import LOADS

        return LOADS[op]().kernel
    from lltd.peers import latch, lstm96

    peers, work = {
        "latch": (latch.PEERS, latch.Stretch(runs=1024)),
        "lstm96": (lstm96.PEERS, lstm96.Learning(sequences=4)),
    }[op]
    work.start, getattr(work, "shown", None)  # made here, so that it is not timed
    return partial(peers[by], work)


def table(rows: list[Row]) -> list[str]:
    """Lines to read: seconds of imports; of first calls with empty caches and with kept ones, and of second calls."""
    lines = []
    for row in rows:
        head = f"{row['what']:10} {row['by']:32}"
        if "note" in row:
            lines.append(f"{head} {row['note']}")
        elif row["by"] == "import":
            lines.append(f"{row['what']:43} {statistics.median(row['first']):7.2f} s")
        else:
            first, second = (statistics.median(row[name]) for name in ("first", "second"))
            lines.append(f"{head} {first:7.2f} s, cache {row['cache']}; then {1e3 * second:7.1f} ms")
    return lines
