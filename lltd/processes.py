"""Processes of this machine that work on shards, and end with the process that began them."""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process


@contextmanager
def pool(count: int) -> Iterator[Executor]:
    """So many worker processes as an engine for shards; one is this process itself.

    Raises ChildProcessError when a worker dies. Left early, it drops what has not begun.
    """
    if count == 1:
        engine: Executor = ThreadPoolExecutor(1)
    else:
        engine = ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_follow)
    try:
        yield engine
    except BrokenProcessPool as error:
        raise ChildProcessError(
            "a worker process died, perhaps for want of memory; finished shards are kept, and the same command "
            "goes on from them"
        ) from error
    except BaseException:
        engine.shutdown(wait=False, cancel_futures=True)
        raise
    engine.shutdown()


def _follow() -> None:
    """Begin a worker. It ends at once on Ctrl-C, of which only its parent speaks, and when its parent dies."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_after_parent, daemon=True).start()


def _end_after_parent() -> None:
    parent_process().join()
    os._exit(1)  # a worker waits for work that no one is left to send
