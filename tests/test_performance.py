"""Times and ceilings: that what is timed is the same work, that operations are counted right, that the file holds."""

import ctypes
import json
import os
import re
import sys
from collections import Counter
from dataclasses import replace
from functools import partial

import pytest
import torch
from drawn import compiled
from torch.utils._python_dispatch import TorchDispatchMode

from lltd import __main__ as command_line
from lltd import experiments, performance, philox, roofline
from lltd.kernels import guess, latch, lstm96, native
from lltd.kernels.latch import reference
from lltd.kernels.lstm96 import reference as lstm96_reference
from lltd.measurements import MEASUREMENTS
from lltd.peers import MissingPeer, lstm96_jax, lstm96_numba
from lltd.peers import guess as guess_peers
from lltd.peers import latch as peers
from lltd.peers import lstm96 as lstm96_peers
from lltd.peers import small_net as small_net_peers
from lltd.peers.guess import Guesses
from lltd.peers.latch import LEAD, Stretch
from lltd.peers.lstm96 import Learning
from lltd.philox import Purpose
from lltd.races import Race, small_net_races
from lltd.record import MissingRecordError, RecordError

TINY = Stretch(runs=5, length=6, epochs=3)  # an odd number of noisy steps
FEW = Guesses(nets=2000, sequences=3, shortest=20, longest=27)  # no whole chunks of compiled steps
BRIEF = Learning(trials=5, length=21, sequences=3)
COMPILED, COMPILED_STEPS = "torch.compile of the reference", "torch.compile, ten steps a call"


def race(theirs):
    return Race("add", "add", "a peer", lambda: torch.ones(2), theirs)


# --- peers ---


@pytest.fixture
def captured(monkeypatch):
    """torch.compile without its last step, the C++ code, which takes most of a minute."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    made = (peers._compiled_epoch, guess_peers._compiled_steps, lstm96_peers._compiled_steps)
    for cached in made:
        cached.cache_clear()
    yield
    for cached in made:
        cached.cache_clear()


@pytest.mark.parametrize("name", peers.PEERS)
def test_peers_compute_what_the_reference_does(name, captured):
    try:
        theta = peers.PEERS[name](TINY)
    except MissingPeer as missing:
        pytest.skip(str(missing))
    torch.testing.assert_close(theta, peers.eager(TINY), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in peers.PEERS if name != COMPILED])
def test_peers_leave_their_arguments_alone(name):
    before = [tensor.clone() for tensor in TINY.start]
    try:
        peers.PEERS[name](TINY)
    except MissingPeer as missing:
        pytest.skip(str(missing))
    assert all(map(torch.equal, before, TINY.start))


@pytest.mark.parametrize("name", small_net_peers.PEERS)
def test_peers_of_small_nets_find_the_gradient_and_leave_their_arguments_alone(name):
    work = small_net_peers.Showing(runs=3, length=7)
    before = [tensor.clone() for tensor in work.shown]
    torch.testing.assert_close(
        small_net_peers.PEERS[name](work), small_net_peers.kernel(work), rtol=1e-10, atol=1e-14
    )
    assert all(map(torch.equal, before, work.shown))


@pytest.mark.parametrize("peer", [guess_peers.search, *guess_peers.SEARCHES.values()])
def test_searches_find_the_nets_that_are_right_in_double_precision(peer, captured, monkeypatch):
    monkeypatch.setattr(guess_peers, "BATCH", 700)
    ids, shown = FEW.shown
    ends = guess.guess(guess.A2, guess_peers.SEED, ids, shown.inputs[:, :, 0].contiguous(), shown.lengths)
    wanted = ((ends - shown.targets[:, None]).abs() < 0.1).all(0)
    assert wanted.any()
    assert torch.equal(peer(FEW), wanted)


@pytest.mark.parametrize("task", guess_peers.TASKS)
def test_each_way_of_the_search_finds_the_same_nets(task):
    work = replace(FEW, task=task)
    wanted = guess_peers.plain(work)
    assert wanted.any()
    for way in guess_peers.WAYS.values():
        assert torch.equal(way(work), wanted)


@compiled
def test_ways_leave_out_what_they_are_named_for(monkeypatch):
    done, system = [], guess_peers.random_search

    def noted(function, name, *given, **named):
        done.append(name)
        return function(*given, **named)

    for owner, name in ((system, "possible"), (system.sieve, "stood"), (system.guess, "guess")):
        monkeypatch.setattr(owner, name, partial(noted, getattr(owner, name), name))
    made = {}
    for name, way in {"plain": guess_peers.plain, **guess_peers.WAYS}.items():
        done.clear()
        way(FEW)
        made[name] = set(done)
    assert made == {
        "plain": {"guess"},
        "words, then the plain kernel": {"possible", "guess"},
        "states alone": {"stood"},
        "words, then states": {"possible", "stood"},
    }


def test_each_trial_has_a_training_set_of_its_own():
    apart = [guess_peers.plain(replace(FEW, trial=trial)) for trial in range(3)]
    assert not torch.equal(apart[0], apart[1])
    assert torch.equal(guess_peers.over_sets(guess_peers.search, FEW, 3), torch.cat(apart))
    first, second = (replace(FEW, trial=trial).shown for trial in (0, 1))
    assert int(second[0][0]) == 2**32 and not torch.equal(first[1].inputs, second[1].inputs)


def test_a_search_in_torch_leaves_the_smallest_numbers_as_they_were():
    guess_peers.with_torch(FEW)
    assert torch.tensor(1e-30) * torch.tensor(1e-10) > 0


@compiled
@pytest.mark.parametrize("name", guess_peers.BUILDS)
def test_other_builds_decide_alike_and_leave_no_trace(name, build):
    build(LLTD_MARCH="x86-64")
    guess_peers._face.cache_clear()
    try:
        assert torch.equal(guess_peers.BUILDS[name](FEW), guess_peers.kernel(FEW))
    except MissingPeer as missing:
        pytest.skip(str(missing))
    finally:
        guess_peers._face.cache_clear()
    assert os.environ["LLTD_MARCH"] == "x86-64"


@pytest.mark.parametrize("size", [{}, {"blocks": 3, "cells": 1}], ids=str)
@pytest.mark.parametrize("name", [name for name in lstm96_peers.PEERS if name not in lstm96_peers.OTHERS])
def test_peers_of_lstm_learn_what_double_precision_does(name, size, captured):
    work = replace(BRIEF, sequences=1, **size)
    (ids, theta), count = work.start, torch.ones(work.trials, dtype=torch.int64)
    before = [tensor.clone() for tensor in (theta, *work.shown)]
    task = lstm96.Task(length=work.length)
    wanted, _ = lstm96.train(work.net, task, 1, ids, theta.double(), first=count - 1, count=count, rate=0.5)
    try:
        found = lstm96_peers.PEERS[name](work).double()
    except MissingPeer as missing:
        pytest.skip(str(missing))
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-6)
    moved = (found - theta).norm(), (wanted - theta).norm()
    assert moved[0] == pytest.approx(moved[1].item(), rel=1e-4)
    assert all(map(torch.equal, before, (theta, *work.shown)))


@compiled
def test_a_peer_whose_input_gates_do_not_learn_is_not_timed(monkeypatch):
    (race,) = performance.lstm96_races(BRIEF, ["PyTorch, one sum over all steps"])
    assert performance.timed(race, repeats=1)["ratio"] > 0
    downhill = lstm96_reference.downhill

    def shut(*given):
        by_W, by_V = downhill(*given)
        by_W[:: 2 + BRIEF.cells] = 0
        return by_W, by_V

    monkeypatch.setattr(lstm96_reference, "downhill", shut)
    with pytest.raises(ArithmeticError, match="lstm96: it and PyTorch, one sum over all steps disagree"):
        performance.timed(race, repeats=1)


def test_modern_nets_learn_alone_or_as_one():
    state, one = torch.get_rng_state(), replace(BRIEF, trials=1)
    alone, together = (lstm96_peers.modern(way, BRIEF) for way in (False, True))
    assert alone.shape == (len(together), BRIEF.trials) and together.shape[1] == 1
    assert not torch.equal(alone[:, 0], alone[:, 1])
    assert torch.equal(lstm96_peers.modern(False, one), lstm96_peers.modern(True, one))
    torch.testing.assert_close(alone[:, :1], lstm96_peers.modern(False, one))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system binds no threads to cores")
def test_threads_are_held_to_one_core_while_they_are_begun():
    before = os.sched_getaffinity(0)
    with lstm96_jax._one_core():
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_words_of_the_peers_are_those_of_philox():
    ids = torch.tensor([0, 3, 2**40 + 5])
    words = peers.words(ids.numpy().astype("uint64"), peers.U64(7))
    wanted = philox.block(peers.SEED, ids, 7, Purpose.NOISE).tolist()
    assert [word.tolist() for word in words] == wanted


def test_a_library_that_is_not_installed_is_a_missing_peer(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    peers._numba_train.cache_clear()
    with pytest.raises(MissingPeer, match="not installed"):
        peers.with_numba(TINY)
    row = performance.timed(
        Race("latch", "train", "Numba", lambda: peers.eager(TINY), lambda: peers.with_numba(TINY))
    )
    assert row["peer"] == "Numba (not installed)" and row["ratio"] is None
    assert performance.table([row]).splitlines()[1:] == ["  not measured: Numba (not installed)"]


@pytest.mark.parametrize("name", [name for name in lstm96_peers.PEERS if name.startswith(("JAX", "Numba"))])
def test_libraries_that_lstm_would_need_are_missing_peers(name, monkeypatch):
    for library, learner in (("jax", lstm96_jax.learner), ("numba", lstm96_numba.learner)):
        monkeypatch.setitem(sys.modules, library, None)
        learner.cache_clear()
    with pytest.raises(MissingPeer, match="not installed"):
        lstm96_peers.PEERS[name](BRIEF)


def test_torch_compile_without_a_compiler_is_a_missing_peer(monkeypatch):
    def fail(*arguments):
        raise RuntimeError("InvalidCxxCompiler")

    monkeypatch.setattr(peers, "_compiled_epoch", lambda length: fail)
    for module in (guess_peers, lstm96_peers):
        monkeypatch.setattr(module, "_compiled_steps", lambda: fail)
    for peer, work in ((peers.compiled, TINY), (guess_peers.compiled, FEW), (lstm96_peers.compiled, BRIEF)):
        with pytest.raises(MissingPeer, match="no C\\+\\+ compiler works here"):
            peer(work)


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
    races = list(small_net_races(small_net_peers.Showing(runs=3, length=7)))
    assert [race.peer for race in races] == list(small_net_peers.PEERS)
    assert performance.timed(races[0], repeats=2)["op"] == "small_net"


@compiled
def test_guessing_is_timed_against_searches_its_ceiling_and_other_builds():
    races = list(performance.guess_races(FEW))
    wanted = [*guess_peers.SEARCHES, "a bare logistic loop", *guess_peers.BUILDS]
    assert [race.peer for race in races] == wanted
    assert [race.peer for race in races if race.ceiling] == ["a bare logistic loop"]
    assert performance.timed(races[0], repeats=2)["op"] == "guess"
    assert performance.timed(races[3], repeats=2)["ratio"] > 0


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
    monkeypatch.delitem(peers.PEERS, COMPILED)
    monkeypatch.setattr(performance, "LEARNING", BRIEF)
    monkeypatch.delitem(guess_peers.SEARCHES, COMPILED_STEPS)
    monkeypatch.delitem(lstm96_peers.PEERS, COMPILED_STEPS)
    performance.store(repeats=1)
    return {op: performance.read(op) for op in performance.PARTS}


@compiled
def test_what_is_stored_is_read_back(stored, results):
    assert performance.path_of("latch") == results / "performance" / "latch.json"
    latch, guess, lstm = (stored[op] for op in ("latch", "guess", "lstm96"))
    assert [row["peer"].partition(" (")[0] for row in latch["races"]] == list(peers.PEERS)
    assert Stretch(**latch["work"]) == TINY and Guesses(**guess["work"]) == FEW
    assert len(guess["races"]) == 5 and len(guess["ways"]) == 20
    assert Learning(**lstm["work"]) == BRIEF
    assert [row["peer"].partition(" (")[0] for row in lstm["races"]] == list(lstm96_peers.PEERS)
    for file in stored.values():
        assert file["versions"]["torch"] == torch.__version__ and file["machine"] == experiments.machine()


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


def test_command_stores_and_prints(monkeypatch, capsys):
    races = [*performance.RACES, *MEASUREMENTS]
    for known, *arguments in ((races, "gru"), (performance.PARTS, "small_net", "--store")):
        assert command_line.main(["performance", *arguments]) == 2
        said = f"lltd: op is {arguments[0]!r}: one of {', '.join(known)} is needed\n"
        assert capsys.readouterr().err == said
    row = performance.timed(race(lambda: torch.ones(2)), repeats=1)
    monkeypatch.setattr(performance, "store", lambda op: [row] if op == "guess" else [])
    assert command_line.main(["performance", "guess", "--store", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [row]
