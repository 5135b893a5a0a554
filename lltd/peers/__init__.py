"""The kernels' peers: the same work by other means, each written as its own library wants it written.

A module for each kernel. A peer takes a piece of work and returns what the kernel returns for it; it raises
`MissingPeer`, with the reason, where it cannot run.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType


class MissingPeer(Exception):
    """A peer that is not here; the message is the reason in a few words."""


def library(name: str) -> ModuleType:
    """The library of this name, all of whose threads share one core. Raises MissingPeer where it is not installed."""
    with one_core():
        try:
            found = import_module(name)
            if name in ("jax", "evosax.algorithms"):
                import_module("jax").devices("cpu")
            return found
        except ImportError as error:
            raise MissingPeer("not installed") from error


@contextmanager
def one_core() -> Iterator[None]:
    """Threads begun in here stay on one core: JAX makes as many as it finds cores, and no setting of its own helps."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
