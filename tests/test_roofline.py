"""Counts of operations, against the C++ files themselves, run on numbers that count; and the ceilings by turns."""

import ctypes
import json
import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from functools import cache, partial
from os import environ
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import compiled

from lltd import clock, performance, roofline
from lltd.kernels import guess, latch, lstm96, native
from lltd.kernels.guess import A1, A2
from lltd.measurements import roofline as measurement
from lltd.peers.guess import Guesses
from lltd.peers.latch import Stretch
from lltd.peers.lstm96 import Learning

HERE = Path(__file__).parent
CHUNK, SIDE = 8, 8  # lstm96/cpu.cpp: CHUNK, and SIZE in double


@pytest.fixture(scope="module")
def counting(tmp_path_factory):
    """counting(kernel, call): the operations that a call takes on a C++ face built to count them."""
    folder, compiler = tmp_path_factory.mktemp("counted"), shlex.split(environ.get("CXX") or "c++")
    if shutil.which(compiler[0]) is None:
        pytest.skip("no C++ compiler")

    @cache
    def library(source, real="double"):
        built = folder / f"{source.parent.name}.so"
        flags = ["-std=c++17", "-O0", "-fPIC", "-shared", "-pthread", "-DREAL=Counted", f"-I{native.HEADERS}"]
        flags += ["-include", HERE / "counted.hpp", source, "-o", built]
        subprocess.run([*compiler, *flags], check=True, capture_output=True)
        return ctypes.CDLL(str(built))

    def operations(kernel, call):
        with pytest.MonkeyPatch.context() as patch, clock.threads(1):
            patch.setattr(native, "library", library)
            counted = library(Path(kernel.__file__).with_name("cpu.cpp")).counted
            counted.restype = ctypes.c_int64
            counted()
            call()
            return counted()

    return operations


@pytest.mark.parametrize("length", [4, 9])
def test_operations_of_latches_are_those_of_the_code(counting, length):
    work = Stretch(runs=16, length=length, epochs=3)
    twice = (
        roofline.functions(work)["noise"] // 2
    )  # cos_sin writes the square of an angle twice; compilers do it once
    assert counting(latch, measurement.latch(work).kernel) == roofline.arithmetic(work) + twice


@pytest.mark.parametrize(
    "net", [A2, A1(1), A1(4)], ids=lambda net: f"{net.hidden} hidden, {net.weights} weights"
)
def test_operations_of_guessed_nets_are_those_of_the_code(counting, net):
    nets, inputs = 64, torch.tensor([[1.0, -1.0, 1.0]], dtype=torch.float64)
    found = counting(guess, lambda: guess.guess(net, 1, torch.arange(nets), inputs, torch.tensor([3])))
    assert found == 3 * nets * roofline.guess_operations(net, torch.float64)


@pytest.mark.parametrize("size", [{}, {"blocks": 3, "cells": 1}], ids=str)
def test_operations_of_lstm_are_those_of_the_code(counting, size):
    work = Learning(trials=SIDE, length=30, sequences=3, **size)
    ids, theta = work.start
    task, first, count = lstm96.Task(length=30), torch.zeros_like(ids), torch.full_like(ids, 3)
    train = partial(lstm96.train, work.net, task, 1, ids, theta.double(), first=first, count=count)
    parts, wanted = roofline.lstm96_operations(work.net, torch.float64), 0
    for lengths in work.shown[1]:
        longest = int(lengths.max())
        whole = -(-longest // CHUNK) * CHUNK  # inputs are drawn, and traces added, for whole chunks
        wanted += SIDE * longest * (parts["net inputs"] + parts["units"])
        wanted += SIDE * (whole * (parts["inputs"] + parts["traces"]) + parts["end"])
    assert counting(lstm96, train) == wanted


def test_chunks_and_sides_are_those_of_the_code():
    text = (native.HEADERS / "lstm96" / "cpu.cpp").read_text()
    assert f"CHUNK = {CHUNK};" in text and "SIZE = LANES / 2;" in text
    lanes = re.search(r"LANES = (\d+) / sizeof", (native.HEADERS / "lanes.hpp").read_text())
    assert int(lanes[1]) // 8 // 2 == SIDE


def test_terms_in_single_precision_are_those_of_the_code():
    text = (native.HEADERS / "logistic.hpp").read_text()
    single, double = map(int, re.search(r"horner<SINGLE \? (\d+) : (\d+)>\(r, EXPM1\)", text).groups())
    assert roofline.SINGLE["logistic"] == single and roofline.TERMS["EXPM1"] == double


# --- limits ---


def test_bytes_of_guessed_nets_are_those_of_the_tensors():
    work = Guesses(nets=50, sequences=2, shortest=20, longest=27)
    ids, (inputs, _) = work.shown[0], work.first
    ends = guess.guess(work.net, 1, ids, inputs, work.first[1])
    assert measurement.guess(work).bytes == sum(t.numel() * t.element_size() for t in (ids, inputs, ends))


def test_bytes_and_functions_of_lstm_are_those_of_its_work():
    work = Learning(trials=5, length=21, sequences=3)
    ids, theta = work.start
    first, count = torch.zeros_like(ids), torch.full_like(ids, 3)
    made = lstm96.train(work.net, lstm96.Task(length=21), 1, ids, theta, first=first, count=count)
    limits = measurement.lstm96(work)
    assert limits.bytes == sum(t.numel() * t.element_size() for t in (ids, theta, first, count, *made))
    # Of each step eight hidden units and four states; at an end the states once more, and the output.
    assert limits.functions["logistic"] == work.steps * 12 + 5 * 3 * 5


# --- the measurement ---


@compiled
def test_ceilings_are_measured_by_turns_and_stored(results, monkeypatch):
    small = {
        "latch": lambda: measurement.latch(Stretch(runs=16, length=6, epochs=3)),
        "guess": lambda: measurement.guess(Guesses(nets=64, sequences=1, shortest=20, longest=27)),
        "lstm96": lambda: measurement.lstm96(Learning(trials=5, length=21, sequences=3)),
    }
    monkeypatch.setattr(measurement, "LIMITS", small)
    monkeypatch.setattr(measurement, "COPIED", 1000)
    rows = performance.store("roofline", repeats=2)
    assert [row["op"] for row in rows] == [*small]
    assert [[*row["alone"]] for row in rows] == [["tanh", "noise"], ["logistic"], ["logistic"]]
    for row, stored in zip(rows, performance.read("roofline")["rows"], strict=True):
        assert row == {"measurement": "roofline", **stored}
        assert {len(row[name]) for name in ("kernel", "peak", "memory")} == {2}
        assert row["operations"] == small[row["op"]]().operations
    assert Stretch(**rows[0]["work"]) == replace(Stretch(), runs=16, length=6, epochs=3)
    lines = performance.table(rows).splitlines()
    assert [line.partition(":")[0] for line in lines if not line.startswith(" ")] == [*small]
    json.dumps(rows)


def test_shares_are_of_the_kernels_time_by_turns():
    row = {"kernel": [2.0, 4.0], "peak": [1.0, 1.0], "memory": [0.2, 0.2]}
    row["alone"] = {"tanh": [0.5, 1.0], "noise": [0.5, 2.0]}
    shares = measurement.shares(row)
    np.testing.assert_allclose(shares["functions"], [0.5, 0.75])
    np.testing.assert_allclose(shares["peak"], [0.5, 0.25])
    np.testing.assert_allclose(shares["memory"], [0.1, 0.05])
