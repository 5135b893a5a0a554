"""How seconds are taken: on one thread, by turns, and the first turn, which builds and warms up, not counted."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def threads(count: int) -> Iterator[None]:
    """torch, and with it each kernel, on so many threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def seconds(work: Callable[[], object]) -> float:
    """What one call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def turns(works: Mapping[Any, Callable[[], object]], repeats: int) -> dict[Any, list[float]]:
    """Seconds of each work in so many turns; in a turn each is done once, so that all share a machine's moods."""
    for work in works.values():
        work()
    taken: dict[Any, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            taken[name].append(seconds(work))
    return taken
