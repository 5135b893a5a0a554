"""Times and ceilings: that what is timed is the same work, that operations are counted right, that the file holds."""

import ctypes
import json
import re
from collections import Counter
from dataclasses import replace
from functools import partial

import pytest
import torch
from drawn import compiled
from small_work import BRIEF, DRAWN, FEW, KERNELS, SHOWN, TINY
from torch.utils._python_dispatch import TorchDispatchMode

from lltd import __main__ as command_line
from lltd import experiments, performance, philox, roofline
from lltd.kernels import latch, native
from lltd.kernels.latch import reference
from lltd.kernels.lstm96 import reference as lstm96_reference
from lltd.measurements import MEASUREMENTS
from lltd.peers import MissingPeer
from lltd.peers import guess as guess_peers
from lltd.peers import latch as peers
from lltd.peers import lstm96 as lstm96_peers
from lltd.peers import small_net as small_net_peers
from lltd.peers import stream as stream_peers
from lltd.peers.guess import Guesses
from lltd.peers.latch import LEAD, Stretch
from lltd.peers.lstm96 import Learning
from lltd.peers.small_net import Showing
from lltd.peers.stream import Drawing
from lltd.philox import Purpose
from lltd.races import ALTERNATIVES, Race, small_net_races, stream_races
from lltd.record import MissingRecordError, RecordError
from lltd.stretches import machine


def race(theirs):
    return Race("add", "add", "a peer", lambda: torch.ones(2), theirs)


# --- ratios ---


def test_only_what_agrees_is_timed():
    with pytest.raises(ArithmeticError, match="it and a peer disagree"):
        performance.timed(race(lambda: torch.zeros(2)))


def test_a_ceiling_is_no_answer_and_needs_none():
    bound = replace(race(lambda: torch.zeros(3)), ceiling=True)
    assert performance.timed(bound, repeats=1)["ratio"] > 0


@compiled
@pytest.mark.parametrize("found", [True, False])
def test_a_search_that_finds_wrong_nets_or_loses_right_ones_is_not_timed(found, monkeypatch):
    careless = torch.full((FEW.nets,), found)
    monkeypatch.setitem(guess_peers.SEARCHES, "a careless one", lambda work: careless)
    *_, last = [race for race in performance.guess_races(FEW) if race.peer in guess_peers.SEARCHES]
    with pytest.raises(ArithmeticError, match="guess: it and a careless one disagree"):
        performance.timed(last)


def test_searches_that_find_nothing_agree():
    none = torch.zeros(3, dtype=torch.bool)
    assert performance.timed(Race("add", "add", "a peer", none.clone, none.clone), repeats=1)["ratio"] > 0


def test_a_run_tipped_by_rounding_is_no_disagreement():
    ours, theirs = torch.zeros(200), torch.zeros(200)
    theirs[17] = 1
    assert (
        performance.timed(Race("add", "add", "a peer", lambda: ours, lambda: theirs), repeats=1)["ratio"] > 0
    )


def test_times_are_taken_on_one_thread_which_is_undone():
    before, seen = torch.get_num_threads(), []
    torch.set_num_threads(2)
    performance.timed(race(lambda: seen.append(torch.get_num_threads()) or torch.ones(2)), repeats=2)
    assert seen == [1, 1, 1] and torch.get_num_threads() == 2
    torch.set_num_threads(before)


@compiled
def test_latch_is_timed_against_every_peer():
    races = list(performance.latch_races(TINY))
    assert [race.peer for race in races] == list(peers.PEERS)
    row = performance.timed(races[0], repeats=2)
    assert row["op"] == "latch" and row["work"] == "train 5 runs, T = 6, 3 epochs, one thread"
    assert 0 < row["low"] <= row["ratio"] <= row["high"]


@compiled
def test_small_nets_are_timed_against_every_peer():
    races = {race.peer: race for race in small_net_races(SHOWN)}
    assert list(races) == list(small_net_peers.PEERS)
    for name, shape in (("NumPy", (3, 25, 3)), (small_net_peers.GRADIENT_ALONE, (25, 3))):
        assert races[name].ours().shape == races[name].theirs().shape == shape
        assert performance.timed(races[name], repeats=2)["op"] == "small_net"


@compiled
def test_random_numbers_are_timed_against_every_peer():
    races = list(stream_races(DRAWN))
    assert [race.peer for race in races] == list(stream_peers.PEERS)
    assert [race.peer for race in races if race.ceiling] == list(stream_peers.OTHERS)
    row = performance.timed(races[0], repeats=2)
    assert row["work"] == "120 uniform numbers for 3 × 4 sequences, one thread" and row["items"] == 120


@compiled
def test_a_peer_with_guesses_of_its_own_must_judge_them_as_the_kernel_does(monkeypatch):
    def careless(right, weights, nets, span, seed):
        theta = FEW.theta.flip(1).contiguous()
        return theta, right(theta) | (torch.arange(nets) < 10)

    def careful(right, weights, nets, span, seed):
        theta = FEW.theta.flip(1).contiguous()
        return theta, right(theta)

    for library_, passes in ((careful, True), (careless, False)):
        parts = library_, guess_peers._run
        monkeypatch.setitem(guess_peers.EVOLUTIONS, "a library", parts)
        monkeypatch.setitem(guess_peers.SEARCHES, "a library", partial(guess_peers.evolved, *parts))
        (one,) = [race for race in performance.guess_races(FEW) if race.peer == "a library"]
        if passes:
            assert performance.timed(one, repeats=1)["ratio"] > 0
        else:
            with pytest.raises(ArithmeticError, match="it and a library disagree"):
                performance.timed(one, repeats=1)


def test_alternatives_do_all_of_a_kernels_work():
    assert set(ALTERNATIVES) == set(performance.RACES)
    for op, module in KERNELS.items():
        left_out = {*getattr(module, "OTHERS", ()), *([small_net_peers.GRADIENT_ALONE] * (op == "small_net"))}
        assert set(module.PEERS) - set(ALTERNATIVES[op]) == left_out
    assert set(guess_peers.SEARCHES) - set(ALTERNATIVES["guess"]) == {guess_peers.PLAIN}


@compiled
def test_guessing_is_timed_against_searches_its_ceiling_and_other_builds():
    races = list(performance.guess_races(FEW))
    wanted = [*guess_peers.SEARCHES, "a bare logistic loop", *guess_peers.BUILDS]
    assert [race.peer for race in races] == wanted
    assert [race.peer for race in races if race.ceiling] == ["a bare logistic loop"]
    assert performance.timed(races[0], repeats=2)["op"] == "guess"
    (bound,) = [race for race in races if race.ceiling]
    assert performance.timed(bound, repeats=2)["ratio"] > 0


@compiled
def test_each_way_of_the_search_is_timed_against_the_plain_kernel_on_each_task():
    races = list(performance.ways_races(FEW, sets=2, each=100))
    tasks = len(guess_peers.TASKS)
    assert [race.way for race in races] == [*guess_peers.WAYS] * tasks + [""] * tasks
    assert {race.peer for race in races} == {"the plain kernel"}
    assert [race.work.partition(": ")[0] for race in races[-tasks:]] == [*guess_peers.TASKS]
    rows = [performance.timed(race, repeats=1) for race in races]
    assert [row["items"] for row in rows] == [2000] * 3 * tasks + [200] * tasks
    head, first, *_ = performance.table(rows).splitlines()
    assert head.startswith("guess: parity, A2: 2,000 guesses sieved by 3 sequences, one thread on ")
    assert first.startswith("  words, then the plain kernel: ") and first.endswith(" a second")


@compiled
def test_lstm_is_timed_against_every_peer():
    races = list(performance.lstm96_races(replace(BRIEF, trials=17)))
    assert [race.peer for race in races] == list(lstm96_peers.PEERS)
    assert [race.peer for race in races if race.ceiling] == list(lstm96_peers.OTHERS)
    titles = {race.peer: race.work for race in races}
    assert titles.pop(lstm96_peers.ALONE).startswith(
        "16 trials of 2 × 2 cells learn from 3 sequences, T = 21"
    )
    assert {title.split()[0] for title in titles.values()} == {"17"}
    row = performance.timed(races[-1], repeats=1)
    assert row["op"] == "lstm96" and row["ratio"] > 0
    assert 17 * 3 * 21 <= row["items"] <= 17 * 3 * 23


def test_without_a_compiler_there_is_nothing_to_time(build):
    build(LLTD_NO_COMPILER=1)
    with pytest.raises(ValueError, match="latch: there is no C\\+\\+ face"):
        list(performance.latch_races(TINY))
    with pytest.raises(ValueError, match="guess: there is no C\\+\\+ face"):
        list(performance.guess_races(FEW))
    with pytest.raises(ValueError, match="guess: there is no C\\+\\+ face"):
        list(performance.ways_races(FEW))
    with pytest.raises(ValueError, match="lstm96: there is no C\\+\\+ face"):
        list(performance.lstm96_races(BRIEF))
    with pytest.raises(ValueError, match="stream: there is no C\\+\\+ face"):
        list(stream_races(DRAWN))
    with pytest.raises(ValueError, match="roofline: there is no ceiling"):
        MEASUREMENTS["roofline"].measure(repeats=1)
    with pytest.raises(MissingPeer, match="no C\\+\\+ compiler works here"):
        guess_peers.bare(FEW)


# --- roofline ---


class Elements(TorchDispatchMode):
    """Counts the elements that tanh and log are asked for."""

    def __init__(self):
        super().__init__()
        self.count = Counter()

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        self.count[str(function)] += (
            arguments[0].numel() if arguments and torch.is_tensor(arguments[0]) else 0
        )
        return function(*arguments, **(keywords or {}))


@pytest.mark.parametrize("length", [3, 6, 7, 20])
def test_functions_are_counted_as_the_reference_calls_them(length):
    ids, theta, noise = TINY.start
    with Elements() as elements:
        reference.gradient(theta, reference.draw(1, ids, 0, length - LEAD, Purpose.NOISE, noise), 0.8)
    tangents, pairs = (elements.count[f"aten.{name}.default"] / len(ids) for name in ("tanh", "log"))
    parts = roofline.operations(length)
    assert parts["forward"] == tangents * (2 + roofline.TANH)
    assert parts["noise"] == pairs * roofline.PAIR
    assert parts["wide multiplications"] == pairs / 2 * 2 * philox.ROUNDS
    work = Stretch(runs=7, length=length, epochs=2)
    assert roofline.functions(work) == {"tanh": 14 * tangents, "noise": 14 * pairs * 2}


@pytest.mark.parametrize("size", [{}, {"blocks": 3, "cells": 1}], ids=str)
def test_steps_of_lstm_are_counted_as_the_reference_makes_them(size):
    work = replace(BRIEF, **size)
    W, _ = work.net.layers(work.start[1])
    memory = lstm96_reference.begin(W, work.blocks, work.cells)
    with Elements() as elements:
        lstm96_reference.step(W, memory, work.shown[0][0, 0])
    used = (W, memory.by_cell, memory.by_gate)
    assert lstm96_peers.multiply_adds(work.net) == sum(tensor[..., 0].numel() for tensor in used)
    assert lstm96_peers.functions(work.net) == elements.count["aten.sigmoid.default"] / work.trials


@compiled
def test_bare_multiply_adds_are_as_many_as_the_kernel_needs():
    rounds = -(-BRIEF.steps * lstm96_peers.multiply_adds(BRIEF.net) // roofline.SIZE)
    held = 8 * 32  # ceiling.cpp: HELD in single precision
    wanted = 1 - 0.999 ** (rounds * roofline.SIZE // held)
    assert lstm96_peers.bare_multiply_adds(BRIEF)[:held] == pytest.approx(wanted, rel=1e-3)


def test_terms_are_those_of_the_polynomials():
    text = (native.HEADERS / "lanes.hpp").read_text()
    terms = {
        name: len(re.search(rf"{name}\[\] = {{(.*?)}}", text, re.DOTALL)[1].split(","))
        for name in roofline.TERMS
    }
    assert terms == roofline.TERMS
    assert f"SIZE = {roofline.SIZE};" in roofline.SOURCE.read_text()


def test_bytes_are_those_of_the_tensors():
    ids, theta, noise = TINY.start
    given = [ids, noise, theta, theta.new_zeros(2, *theta.shape)]
    made = latch.train(1, ids, theta, noise=noise, length=6, epochs=1, rate=0.1)
    assert roofline.traffic(TINY) == sum(tensor.numel() * tensor.element_size() for tensor in (*given, *made))


@compiled
@pytest.mark.parametrize("name", ["tanh", "noise", "fma"])
def test_ceilings_do_the_work_that_they_are_timed_for(name):
    x = torch.linspace(-2, 2, roofline.SIZE, dtype=torch.float64)
    wanted = x.clone()
    function = native.library(roofline.SOURCE)[f"lltd_ceiling_{name}"]
    function(ctypes.c_int64(3), ctypes.c_void_p(x.data_ptr()))
    if name == "noise":
        ids = torch.arange(roofline.SIZE // 4)
        wanted = philox.normal(1, ids, 2, Purpose.NOISE).flatten()
    elif name == "tanh":
        for _ in range(3):
            wanted = torch.tanh(wanted + 1)
    else:
        held = 8 * 16  # ceiling.cpp: HELD in double
        for _ in range(3 * roofline.SIZE // held):
            wanted[:held] = 0.999 * wanted[:held] + 0.001
    torch.testing.assert_close(x, wanted, rtol=1e-12, atol=1e-12)


@compiled
def test_the_bare_loop_computes_logistic_functions_as_many_as_the_kernel():
    rounds = -(-FEW.nets * int(FEW.first[1]) * 11 // roofline.SIZE)
    wanted = torch.zeros(roofline.SIZE)
    for _ in range(rounds):
        wanted = torch.sigmoid(wanted)
    torch.testing.assert_close(guess_peers.bare(FEW), wanted)
    assert f"SIZE = {roofline.SIZE};" in guess_peers.CEILING.read_text()


# --- the stored measurement ---


@pytest.fixture
def stored(results, monkeypatch):
    """Small measurements on file."""
    monkeypatch.setattr(performance, "USUAL", TINY)
    for name in MEASUREMENTS:  # they have tests of their own
        monkeypatch.delitem(performance.PARTS, name)
    monkeypatch.setattr(performance, "GUESSES", FEW)
    monkeypatch.setattr(performance, "TRIAL", FEW)
    monkeypatch.setattr(performance, "EACH", 100)
    monkeypatch.setattr(performance, "SHOWING", SHOWN)
    monkeypatch.setattr(performance, "DRAWING", DRAWN)
    monkeypatch.setattr(performance, "LEARNING", BRIEF)
    for known in (guess_peers.SEARCHES, *(module.PEERS for module in KERNELS.values())):
        for name in [name for name in known if re.search("compile|Numba|JAX|Evo", name)]:
            monkeypatch.delitem(known, name)  # they take long to compile, and tests of their own hold them
    performance.store(repeats=1)
    return {op: performance.read(op) for op in performance.PARTS}


@compiled
def test_what_is_stored_is_read_back(stored, results):
    assert performance.path_of("latch") == results / "performance" / "latch.json"
    latch, guess, lstm = (stored[op] for op in ("latch", "guess", "lstm96"))
    assert Stretch(**latch["work"]) == TINY and Guesses(**guess["work"]) == FEW
    assert len(guess["races"]) == 7 - 1 and len(guess["ways"]) == 20
    assert Showing(**stored["small_net"]["work"]) == SHOWN and Drawing(**stored["stream"]["work"]) == DRAWN
    for op, module in KERNELS.items():
        peers = [row["peer"].removesuffix(" (not installed)") for row in stored[op]["races"]]
        assert peers == list(module.PEERS)
    assert Learning(**lstm["work"]) == BRIEF
    for file in stored.values():
        assert file["versions"]["torch"] == torch.__version__ and file["machine"] == machine()


@compiled
def test_a_measurement_is_no_result(stored):
    assert all(work.recipe.name.split("/")[0] != "performance" for work in experiments.select(None))
    assert experiments.code_findings() == []


@compiled
@pytest.mark.parametrize("damage", [lambda text: text[:-20], lambda text: "[]", lambda text: '{"races": []}'])
def test_a_damaged_measurement_is_named_with_its_cure(stored, damage):
    path = performance.path_of("latch")
    path.write_text(damage(path.read_text()))
    with pytest.raises(RecordError, match=f"{re.escape(str(path))} is damaged .*performance --store"):
        performance.read("latch")


def test_a_missing_measurement_is_named_with_its_cure(results):
    with pytest.raises(MissingRecordError, match=r"latch\.json is missing; .*performance --store"):
        performance.read("latch")


@pytest.mark.parametrize("op", performance.RACES)
def test_every_kernel_is_measured_beside_every_peer(op):
    measured = {row["peer"] for row in performance.read(op)["races"] if row["ratio"] is not None}
    known = [*guess_peers.SEARCHES, *guess_peers.BUILDS, "a bare logistic loop"]
    if op in KERNELS:
        known = KERNELS[op].PEERS
    missing = set(known) - measured
    assert not missing, f"not measured: {', '.join(sorted(missing))}; python -m lltd performance {op} --store"


def test_command_stores_and_prints(monkeypatch, capsys):
    races = [*performance.RACES, *MEASUREMENTS]
    for known, *arguments in ((races, "gru"), (performance.PARTS, "gru", "--store")):
        assert command_line.main(["performance", *arguments]) == 2
        said = f"lltd: op is {arguments[0]!r}: one of {', '.join(known)} is needed\n"
        assert capsys.readouterr().err == said
    row = performance.timed(race(lambda: torch.ones(2)), repeats=1)
    monkeypatch.setattr(performance, "store", lambda op: [row] if op == "guess" else [])
    assert command_line.main(["performance", "guess", "--store", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [row]
