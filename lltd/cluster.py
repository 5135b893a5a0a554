"""Shards on many machines: the workers of a Dask cluster as an engine for `experiments.run`.

A worker needs this package and a way to the scheduler, and no folder of ours: a shard comes back as the bytes of
its file, and the process that asked for it keeps it. A worker whose versions or code differ is refused, so that
a result never mixes two programs. Dask is an optional extra, and is imported when a cluster is asked for.
"""

import logging
import pickle
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

import lltd
from lltd.code_digest import code_digest

BEGAN = time.time()  # when this process read the package, near enough
PATIENCE = 10.0  # seconds that a scheduler may take to answer


class ClusterError(ConnectionError):
    """A cluster that cannot be used: not reached, lost, or with a worker that does not fit or keeps dying."""


class Cluster(Executor):
    """An Executor whose tasks run on the workers of a Dask client."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401
        self._client = client
        self._pool = client.get_executor(pure=False)

    @property
    def workers(self) -> int:
        """How many workers have joined so far."""
        return len(self._client.scheduler_info(n_workers=-1)["workers"])

    def submit(self, function: Callable, compute: Callable, /, *arguments: object) -> Future:
        """Have function(compute, *arguments) called on a worker, if it runs the code that this process runs."""
        call = _Call(_on_worker, identity(function, compute), function, compute, *arguments)
        return self._pool.submit(pickle.loads, pickle.dumps(call))


@contextmanager
def connect(
    address: str, *, ca: str | None = None, cert: str | None = None, key: str | None = None
) -> Iterator[Cluster]:
    """The cluster whose scheduler is at tcp://host:port, or with TLS at tls://host:port, as an engine.

    ca, cert, key: PEM files of the authority, of our certificate and of its key; with TLS, those that are not
    named are Dask's own settings. Raises ValueError for a bad address or file, ClusterError for a cluster that
    cannot be used, and leaves no task behind.
    """
    if not re.fullmatch(r"(tcp|tls)://(\[[0-9a-fA-F:]+\]|[^\s/:\[\]]+):\d+", address):
        raise ValueError(f"scheduler is {address!r}: tcp://host:port or tls://host:port is needed")
    named = {"tls_ca_file": ca, "tls_client_cert": cert, "tls_client_key": key}
    client = _client(address, {name: file for name, file in named.items() if file})
    try:
        yield Cluster(client)
    except Exception as error:
        told = _told(error, address)
        if told:
            raise ClusterError(f"{told}; finished shards are kept") from error
        raise
    finally:
        client.close(timeout=PATIENCE)  # the scheduler then drops what is still asked for


@cache
def identity(*functions: Callable) -> dict[str, str]:
    """What must be equal where shards of one result are made: versions, and digests of these functions' code.

    Raises ClusterError if the package's files have changed since this process read them: their digest would
    speak of code that is not what runs here.
    """
    here = Path(lltd.__file__).parent
    changed = {path.stat().st_mtime: path for kind in ("*.py", "*.[ch]pp") for path in here.rglob(kind)}
    last, newest = max(changed.items())
    if last > BEGAN:
        raise ClusterError(f"{newest} has changed since this process began: start it anew")
    return {
        **{"lltd": lltd.__version__, "numpy": np.__version__, "torch": torch.__version__},
        **{f"{part.__module__}.{part.__name__}": code_digest(part)[:12] for part in functions},
    }


def differences(wanted: dict[str, str], found: dict[str, str]) -> str:
    """In words, where an identity is not the wanted one; empty if it is."""
    return ", ".join(
        f"{name} {found[name]}, not {wanted[name]}" for name in wanted if found[name] != wanted[name]
    )


class _Call:
    """A call that is made where it is unpickled: a scheduler, which hands on bytes, needs nothing of ours."""

    def __init__(self, function: Callable, *arguments: object) -> None:
        self.made = function, arguments

    def __reduce__(self) -> tuple[Callable, tuple]:
        return self.made


def _on_worker(wanted: dict[str, str], function: Callable, compute: Callable, *arguments: object) -> object:
    from distributed import get_worker

    apart = differences(wanted, identity(function, compute))
    if apart:
        raise ClusterError(
            f"worker {get_worker().address} is refused: {apart}; it needs the same code as here"
        )
    return function(compute, *arguments)


def _told(error: Exception, address: str) -> str:
    """What went wrong with a cluster, in words; empty if it was something else."""
    from distributed import KilledWorker

    match error:
        case CancelledError():
            return f"the scheduler at {address} was lost"
        case KilledWorker(allowed_failures=allowed, last_worker=worker):
            died = f"every worker that took up one shard has died, {allowed + 1} so far"
            return f"{died}, the last at {worker.address}, whose log may say why"
        case ModuleNotFoundError(name=name):
            return f"a worker of {address} cannot import {name}: it needs the same code as here"
    return ""


def _client(address: str, files: dict[str, str]) -> Any:  # noqa: ANN401
    try:
        from distributed import Client, Security
    except ImportError as error:
        raise ClusterError("a cluster needs Dask: pip install -e .[cluster]") from error
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what goes wrong is told once, by _told
    encrypted = address.startswith("tls")
    if files and not encrypted:
        raise ValueError(f"scheduler is {address!r}: TLS files are for one at tls://host:port")
    security = Security(require_encryption=encrypted or None, **files)
    try:
        secured = security.get_connection_args("client")["ssl_context"]
    except OSError as error:  # so are those of TLS
        raise ValueError(f"the TLS files {', '.join(files.values())} do not serve: {error}") from error
    if encrypted and not secured:
        raise ValueError(f"scheduler is {address!r}: TLS needs a CA file, a certificate and its key")
    try:
        return Client(address, timeout=PATIENCE, security=security, set_as_default=False)
    except OSError as error:
        raise ClusterError(f"no scheduler answers at {address}: {error}") from error
