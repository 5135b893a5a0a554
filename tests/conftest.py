"""What several test modules share: a results folder of their own, and a small experiment."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from lltd.kernels import native

settings.register_profile("book", deadline=None)  # a busy machine is no counterexample
settings.load_profile("book")
HERE = Path(__file__).parent
# Tests interrupt processes, as Ctrl-C does. A shell that runs them in the background has it ignored from the start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def doubles():
    """Double precision wherever a test does not say otherwise, as on the chapters' pages."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.fixture
def results(tmp_path, monkeypatch):
    """An empty results folder that the library uses during the test."""
    monkeypatch.setenv("LLTD_RESULTS", str(tmp_path / "results"))
    return tmp_path / "results"


@pytest.fixture
def python():
    """Runs Python with these arguments, the tests' folder on its path, and returns the finished process."""

    def run(*arguments, **environment):
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=HERE,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            timeout=300,
        )

    return run


@pytest.fixture
def build(monkeypatch):
    """Sets environment variables, and forgets the libraries of another environment, before the test and after."""
    for name in ("LLTD_NO_COMPILER", "LLTD_MARCH", "CXX"):
        monkeypatch.delenv(name, raising=False)
    native.library.cache_clear()

    def set_(**environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, str(value))
        native.library.cache_clear()

    yield set_
    native.library.cache_clear()
