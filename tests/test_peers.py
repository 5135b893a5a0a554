"""The kernels' peers: that each does the same work as the kernel, and is missing where its library is."""

import os
import re
import sys
from dataclasses import replace
from functools import partial

import pytest
import torch
from drawn import compiled
from small_work import BRIEF, DRAWN, FEW, KERNELS, SHOWN, TINY

from lltd import performance, philox
from lltd.kernels import guess, lstm96
from lltd.kernels.lstm96 import reference as lstm96_reference
from lltd.peers import MissingPeer, guess_evolution, guess_runs, lstm96_jax, lstm96_numba, one_core, words
from lltd.peers import guess as guess_peers
from lltd.peers import latch as peers
from lltd.peers import lstm96 as lstm96_peers
from lltd.peers import small_net as small_net_peers
from lltd.peers import stream as stream_peers
from lltd.philox import Purpose
from lltd.races import Race

COMPILED = "torch.compile of the reference"


@pytest.fixture
def captured(monkeypatch):
    """torch.compile without its last step, the C++ code, which takes most of a minute."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    made = [peers._compiled_epoch, stream_peers._compiled_reference]
    made += [module._compiled_steps for module in (guess_peers, lstm96_peers, small_net_peers)]
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


def told(peer, work):
    """What a peer says, or a skipped test where its library is not here."""
    try:
        return peer(work)
    except MissingPeer as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("name", small_net_peers.PEERS)
def test_peers_of_small_nets_find_all_derivatives_and_leave_their_arguments_alone(name, captured):
    before = [tensor.clone() for tensor in SHOWN.shown]
    wanted = small_net_peers.eager(SHOWN)
    if name == small_net_peers.GRADIENT_ALONE:
        wanted = wanted[0]
    found = told(small_net_peers.PEERS[name], SHOWN)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-14)
    assert all(map(torch.equal, before, SHOWN.shown))


@pytest.mark.parametrize("name", [name for name in stream_peers.PEERS if name not in stream_peers.OTHERS])
def test_peers_of_random_numbers_draw_the_same_bits(name, captured):
    assert torch.equal(told(stream_peers.PEERS[name], DRAWN), stream_peers.eager(DRAWN))


@pytest.mark.parametrize("name", stream_peers.OTHERS)
def test_other_random_numbers_are_as_many_and_uniform_too(name):
    other = told(stream_peers.OTHERS[name], replace(DRAWN, steps=400))
    wanted = stream_peers.kernel(replace(DRAWN, steps=400))
    assert other.shape == wanted.shape and other.dtype == wanted.dtype
    assert not torch.equal(other, wanted)
    assert other.min() >= 0 and other.max() < 1 and other.mean() == pytest.approx(0.5, abs=0.02)


SIEVED = {name: peer for name, peer in guess_peers.SEARCHES.items() if name not in guess_peers.EVOLUTIONS}


def double_precision(theta, shown):
    """Which nets have all sequences right."""
    inputs = shown.inputs[:, :, 0].contiguous()
    ends = guess.ends(guess.A2, theta.double().contiguous(), inputs, shown.lengths)
    return ((ends - shown.targets[:, None]).abs() < 0.1).all(0)


@pytest.mark.parametrize("name", ["ours", *SIEVED])
def test_searches_find_the_nets_that_are_right_in_double_precision(name, captured, monkeypatch):
    monkeypatch.setattr(guess_peers, "BATCH", 700)
    wanted = double_precision(FEW.theta, FEW.shown[1])
    assert wanted.any()
    assert torch.equal(told({"ours": guess_peers.search, **SIEVED}[name], FEW), wanted)


@pytest.mark.parametrize("name", guess_peers.EVOLUTIONS)
def test_libraries_for_evolution_guess_uniform_weights_and_find_those_that_are_right(name, capfd):
    parts = guess_peers.EVOLUTIONS[name]
    theta, found = told(lambda work: guess_peers._evolved(*parts, work), FEW)
    assert capfd.readouterr().out == ""
    assert theta.shape == FEW.theta.shape and not torch.equal(theta, FEW.theta)
    spans = theta.abs().amax(1)
    assert (spans < 100).all() and (spans > 98).all() and theta.mean().abs() < 1
    wanted = double_precision(theta, FEW.shown[1])
    assert wanted.any() and torch.equal(found, wanted)
    assert torch.equal(guess_peers.evolved(*parts, FEW), found)
    assert torch.equal(guess_peers.judged(*parts, FEW), found)


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
    guess_peers.SEARCHES["PyTorch, A2's wires alone"](FEW)
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
    with one_core():
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_words_of_the_peers_are_those_of_philox():
    ids = torch.tensor([0, 3, 2**40 + 5])
    drawn = words.words(ids.numpy().astype("uint64"), words.U64(7))
    wanted = philox.block(int(words.SEED), ids, 7, Purpose.NOISE).tolist()
    assert peers.SEED == words.SEED and [word.tolist() for word in drawn] == wanted
    uniform = [words.uniform(word).tolist() for word in drawn]
    assert uniform == philox.uniform(peers.SEED, ids, 7, Purpose.NOISE).tolist()


def needing(libraries):
    """Each peer whose name names one of them, with work for it."""
    work = {"latch": TINY, "small_net": SHOWN, "lstm96": BRIEF, "stream": DRAWN}
    known = {op: module.PEERS for op, module in KERNELS.items()} | {"guess": guess_peers.SEARCHES}
    found = {(op, name): peer for op, named in known.items() for name, peer in named.items()}
    return {key: (peer, work.get(key[0], FEW)) for key, peer in found.items() if re.search(libraries, key[1])}


@pytest.mark.parametrize("key", needing("Numba|JAX|jax|Evo|evo"), ids=str)
def test_a_library_that_is_not_installed_is_a_missing_peer(key, monkeypatch):
    for name in ("numba", "jax", "evotorch", "evosax.algorithms"):
        monkeypatch.setitem(sys.modules, name, None)
    for module in (*KERNELS.values(), guess_evolution, guess_runs, lstm96_jax, lstm96_numba):
        for name, made in list(vars(module).items()):
            if hasattr(made, "cache_clear"):  # what was built before is forgotten here, and kept for others
                monkeypatch.setattr(module, name, made.__wrapped__)
    peer, work = needing(re.escape(key[1]))[key]
    with pytest.raises(MissingPeer, match="not installed"):
        peer(work)
    row = performance.timed(Race(key[0], "work", key[1], lambda: torch.zeros(1), lambda: peer(work)))
    assert row["peer"] == f"{key[1]} (not installed)" and row["ratio"] is None
    assert performance.table([row]).splitlines()[1:] == [f"  not measured: {key[1]} (not installed)"]


def test_torch_compile_without_a_compiler_is_a_missing_peer(monkeypatch):
    def fail(*arguments):
        raise RuntimeError("InvalidCxxCompiler")

    monkeypatch.setattr(peers, "_compiled_epoch", lambda length: fail)
    monkeypatch.setattr(stream_peers, "_compiled_reference", lambda: fail)
    monkeypatch.setattr(small_net_peers, "_compiled_steps", lambda: (fail, fail))
    for module in (guess_peers, lstm96_peers):
        monkeypatch.setattr(module, "_compiled_steps", lambda: fail)
    for peer, work in needing("compile").values():
        with pytest.raises(MissingPeer, match="no C\\+\\+ compiler works here"):
            peer(work)
