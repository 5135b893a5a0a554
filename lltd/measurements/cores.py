"""Strong scaling: the same work by one worker, two, four … as many as there are cores; processes, and threads.

Processes are how experiments use a machine: shards, made by an engine's workers, put together as one record. Threads
share one call of a kernel. Whatever the number, the result must be the same bits.
"""

import os
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from threading import Barrier
from typing import Any

import torch
from torch import Tensor

from lltd import experiments
from lltd.clock import threads, turns
from lltd.measurements.loads import LOADS
from lltd.record import Record

Row = dict[str, Any]
NAME, RUNS, SHARDS = (
    "minimal_task/length",
    4000,
    16,
)  # what processes do; each of 64 cores has a shard, and more
PATIENCE = 600  # seconds that workers wait for each other
SIZES = {  # what threads do: a fifth of a second or so on one
    "latch": {"runs": 32768},
    "guess": {"runs": 131072},
    "lstm96": {"runs": 8192, "times": 16},
}


def counts(cores: int | None = None) -> list[int]:
    """1, 2, 4 … and the number of cores itself, of this machine by default. Raises ValueError below one."""
    most = len(os.sched_getaffinity(0)) if cores is None else cores
    if most < 1:
        raise ValueError(f"cores is {most}: at least one is needed")
    return sorted({2**k for k in range(most.bit_length())} | {most})


def measure(repeats: int) -> list[Row]:
    """Rows {by, work, count, seconds, equal}: the seconds of each turn, and whether the result was one worker's."""
    return [*_over_processes(repeats), *_over_threads(repeats)]


def _over_processes(repeats: int) -> Iterator[Row]:
    declared = experiments.find(NAME)
    shard = -(-RUNS // max(SHARDS, 4 * counts()[-1]))
    work = replace(declared, recipe=replace(declared.recipe, runs=RUNS, shard=shard))
    title, made = f"{NAME}, {RUNS:,} runs in {-(-RUNS // shard)} shards", {}

    def run(count: int, pool: ProcessPoolExecutor) -> None:
        with _fresh_results():
            made[count] = experiments.run(work, engine=pool)

    with ExitStack() as open_pools:
        pools = {count: open_pools.enter_context(_workers(count, work)) for count in counts()}
        taken = turns({count: partial(run, count, pool) for count, pool in pools.items()}, repeats)
    for count, seconds in taken.items():
        equal = _same_records(made[1], made[count])
        yield {"by": "processes", "work": title, "count": count, "seconds": seconds, "equal": equal}


def _over_threads(repeats: int) -> Iterator[Row]:
    for op, sizes in SIZES.items():
        load, made = LOADS[op](**sizes), {}

        def run(count: int, load: Any = load, made: dict = made) -> None:  # noqa: ANN401
            with threads(count):
                made[count] = load.kernel()

        title = f"one call of {op}, {sizes['runs']:,} runs"
        for count, seconds in turns({count: partial(run, count) for count in counts()}, repeats).items():
            equal = _same_tensors(made[1], made[count])
            yield {"by": "threads", "work": title, "count": count, "seconds": seconds, "equal": equal}


@contextmanager
def _workers(count: int, work: experiments.Experiment) -> Iterator[ProcessPoolExecutor]:
    """So many processes that have imported all there is, and made a run: how they start is another measurement."""
    context = get_context("spawn")
    ready = context.Barrier(count)
    with ProcessPoolExecutor(count, context, _get_ready, (ready, work.recipe.name)) as pool:
        for job in [pool.submit(int) for _ in range(count)]:  # a worker is started when a job finds none idle
            job.result()
        yield pool


def _get_ready(ready: Barrier, name: str) -> None:
    work = experiments.find(name)
    experiments.make_shard(work.compute, work.recipe.of(1), 0)
    ready.wait(PATIENCE)


@contextmanager
def _fresh_results() -> Iterator[None]:
    before = os.environ.get("LLTD_RESULTS")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LLTD_RESULTS"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["LLTD_RESULTS"]
            else:
                os.environ["LLTD_RESULTS"] = before


def _same_records(one: Record, other: Record) -> bool:
    return one.arrays.keys() == other.arrays.keys() and all(
        one[name].tobytes() == other[name].tobytes() for name in one.arrays
    )


def _same_tensors(one: Tensor | tuple[Tensor, ...], other: Tensor | tuple[Tensor, ...]) -> bool:
    pairs = zip(*((made,) if isinstance(made, Tensor) else made for made in (one, other)), strict=True)
    return all(torch.equal(left.view(torch.uint8), right.view(torch.uint8)) for left, right in pairs)


def efficiency(one: Sequence[float], count: int, seconds: Sequence[float]) -> tuple[float, float, float]:
    """t₁ / (n tₙ) of n workers: its median over the turns, and its range. 1: n workers take an nth of the time."""
    each = [alone / (count * together) for alone, together in zip(one, seconds, strict=True)]
    return statistics.median(each), min(each), max(each)


def table(rows: list[Row]) -> list[str]:
    """Lines to read: for each work and number of workers the seconds, the efficiency, whether bits are the same."""
    lines = []
    for row in rows:
        one = next(other for other in rows if other["work"] == row["work"] and other["count"] == 1)
        if row is one:
            lines.append(f"{row['work']}, by {row['by']}")
        middle, low, high = efficiency(one["seconds"], row["count"], row["seconds"])
        bits = "the same bits" if row["equal"] else "OTHER BITS"
        seconds = statistics.median(row["seconds"])
        lines.append(
            f"  {row['count']:3}: {seconds:7.3f} s, efficiency {middle:.2f} [{low:.2f}, {high:.2f}], {bits}"
        )
    return lines
