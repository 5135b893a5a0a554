"""Trials of the LSTM of 1996: exact stops, the same however they are cut and crowded, and the settings as printed."""

import io
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from drawn import compiled

from lltd.kernels import lstm96 as kernel
from lltd.kernels.lstm96 import Task, Topology
from lltd.record import Recipe
from lltd.systems import lstm96 as system
from lltd.systems.lstm96 import COMMON, LEARNT, STOPS, Training, trials
from lltd.systems.stopping import Criterion

SEED, IDS = 11, 7 * 2**33 + torch.arange(13) * 2**32
# Soon met by chance: a net that has learnt nothing has one sequence in six right.
QUICK = (
    Criterion(4, 0, "squared", 30),
    Criterion(7, 2, "absolute", None, 0.17),
    Criterion(4, 0, "squared", 5),
)
QUICK = tuple(replace(one, below=0.2) if one.measure == "squared" else one for one in QUICK)
SHORT = {"length": 20, "budget": 900, "tests": 40, "criteria": [asdict(one) for one in QUICK]}
MANY = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


def equal(first, second):
    """Whether two outcomes are the same to the last bit."""
    return first.keys() == second.keys() and all(
        torch.equal(first[name].nan_to_num(nan=-1.0), second[name].nan_to_num(nan=-1.0)) for name in first
    )


def trained(setting, ids, theta, count):
    """Weights and errors after so many sequences of each trial, in one go."""
    setting = system.complete(setting)
    options = {"first": torch.zeros_like(ids), "count": count, "rate": setting["rate"]}
    return kernel.train(system.net(setting), system.task(setting), SEED, ids, theta, **options)


# --- the settings ---


def test_settings_are_as_printed():
    setting = system.complete({"length": 100, "budget": 1})
    assert system.net(setting) == Topology() and system.net(setting).weights == 93
    assert system.task(setting) == Task("adding", 100, "neutral")
    assert (setting["rate"], setting["span"], setting["tests"], setting["tolerance"]) == (
        0.5,
        0.1,
        2560,
        0.04,
    )
    assert tuple(setting["input_gate_bias"]) == (-3, -6)
    assert system.criteria(setting) == (STOPS["squared, latest 2000"],)
    for stop in STOPS.values():
        assert (stop.recent, stop.wrong, stop.below) == (2000, 0, 0.01)


def test_settings_can_stand_in_a_recipe():
    recipe = Recipe("adding/try", 1, 1, 4, 2, "float32", {"common": COMMON, "vary": {"length": [100, 500]}})
    assert recipe.address == recipe.of(4).address
    system.complete({**recipe.cells[0], "budget": 5})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lengths": 3}, "setting lengths: blocks, budget, cell_bias"),
        ({"length": None}, "length is None: a whole number"),
        ({"length": 19}, "length is 19: T between 20"),
        ({"budget": 0}, "budget is 0"),
        ({"budget": 2.5}, "budget is 2.5"),
        ({"budget": 2**30}, r"budget is 1073741824: a trial of this length has fewer than \d+ sequences"),
        ({"tests": 0}, "tests is 0"),
        ({"rate": 0.0}, "rate is 0.0: a positive number"),
        ({"rate": float("nan")}, "rate is nan"),
        ({"tolerance": -1.0}, "tolerance is -1.0"),
        ({"blocks": 0}, "blocks is 0"),
        ({"output": "tanh"}, "output is 'tanh'"),
        ({"first_pair": "kept"}, "first_pair is 'kept'"),
        ({"task": "parity"}, "name is 'parity'"),
        ({"criteria": [{"measure": "cubed"}]}, "measure is 'cubed'"),
        ({"criteria": []}, "criteria is empty"),
        ({"blocks": 1}, r"input_gate_bias is \(-3.0, -6.0\): 1 are needed"),
    ],
)
def test_bad_settings_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        trials(SEED, IDS, {**SHORT, **change})


# --- exact stops ---


@MANY
def test_stops_are_those_of_training_in_one_go(dtype):
    begin = system.begin(SEED, IDS, SHORT, dtype)
    training = system.advance(SEED, IDS, SHORT, begin)
    found = system.outcomes(SEED, IDS, SHORT, training)
    _, errors = trained(SHORT, IDS, begin.theta, torch.full_like(IDS, 900))
    for c, criterion in enumerate(QUICK):
        for b, run in enumerate(errors.T.double().numpy()):
            stop = first_met(run, criterion)
            assert bool(found["met"][b, c]) == (stop > 0)
            assert int(found["sequences"][b, c]) == (stop or 900)
            assert int(found["right"][b, c]) == (run[: stop or 900] < 0.04).sum()
    assert found["met"].any(0).all() and not found["met"].all(0).any()
    theta = system.weights(SEED, IDS, SHORT, training)
    for c in range(len(QUICK)):
        expected, _ = trained(SHORT, IDS, begin.theta, found["sequences"][:, c])
        done = found["met"][:, c] | ~found["met"].all(1)
        assert torch.equal(theta[c][:, done], expected[:, done]) and done.all()


def first_met(errors, criterion):
    """The number of the sequence with which a criterion is first met, or 0."""
    for n in range(criterion.least, len(errors) + 1):
        right = (errors[n - criterion.recent : n] < 0.04).sum()
        window = errors[n - criterion.window : n] if criterion.window else errors[:n]
        average = (window if criterion.measure == "absolute" else window**2).mean()
        if right >= criterion.recent - criterion.wrong and average < criterion.below:
            return n
    return 0


def test_nets_are_tested_as_they_stood_at_each_stop():
    begin = system.begin(SEED, IDS, SHORT)
    found = trials(SEED, IDS, SHORT)
    for c in range(len(QUICK)):
        theta, _ = trained(SHORT, IDS, begin.theta, found["sequences"][:, c])
        errors = kernel.examine(Topology(), Task(length=20), SEED, IDS, theta, count=40).double()
        assert torch.equal(found["wrong"][:, c], (errors >= 0.04).sum(0))
        torch.testing.assert_close(found["squared"][:, c], errors.square().mean(0))
        torch.testing.assert_close(found["absolute"][:, c], errors.mean(0))


def test_a_trial_stops_at_its_last_criterion_and_a_wait_that_is_cut_is_its_budget():
    never = replace(QUICK[0], below=1e-9)
    setting = {**SHORT, "criteria": [asdict(never), asdict(QUICK[0])], "budget": 217}
    found = trials(SEED, IDS, setting)
    assert not found["met"][:, 0].any() and (found["sequences"][:, 0] == 217).all()
    assert found["met"][:, 1].any() and not found["diverged"].any()
    alone = trials(SEED, IDS, {**setting, "criteria": [asdict(QUICK[0])]})
    for name in ("sequences", "met", "wrong", "right"):
        assert torch.equal(alone[name][:, 0], found[name][:, 1]), name


# --- the same however it is done ---


@MANY
def test_no_outcome_depends_on_where_training_is_cut(dtype, monkeypatch):
    usual = trials(SEED, IDS, SHORT, dtype)
    for stretch in (37, 899):
        monkeypatch.setattr(system, "STRETCH", stretch)
        assert equal(trials(SEED, IDS, SHORT, dtype), usual)


def test_no_outcome_depends_on_who_else_is_trained():
    usual = trials(SEED, IDS, SHORT)
    order = torch.tensor([5, 0, 12, 3])
    some = trials(SEED, IDS[order], SHORT)
    assert equal(some, {name: value[order] for name, value in usual.items()})
    assert equal(trials(SEED, IDS[7:8], SHORT), {name: value[7:8] for name, value in usual.items()})


def test_training_goes_on_from_a_state_that_was_written_to_a_file():
    usual = trials(SEED, IDS, SHORT)
    training = system.begin(SEED, IDS, SHORT)
    while system.going(system.complete(SHORT), training).any():
        kept = [value.clone() for value in training]
        later = system.advance(SEED, IDS, SHORT, training, most=211)
        assert all(map(torch.equal, kept, training))  # as it was
        assert int((later.shown - training.shown).max()) == min(211, 900 - int(training.shown.max()))
        file = io.BytesIO()
        np.savez(file, **{name: value.numpy() for name, value in later._asdict().items()})
        file.seek(0)
        with np.load(file) as written:
            training = Training(*(torch.from_numpy(written[name]) for name in Training._fields))
    assert equal(system.outcomes(SEED, IDS, SHORT, training), usual)


# --- divergence ---

# The bias of a linear output alone diverges at a rate of 2: a little above, trials last some 250 to 380 sequences.
ONCE = Criterion(1, 0, "squared", 1, 0.9)
WILD = {**SHORT, "output": "linear", "rate": 2.04, "budget": 280, "criteria": [asdict(ONCE), asdict(LEARNT)]}


def test_trials_that_diverge_are_counted_and_harm_no_other():
    found, setting = trials(SEED, IDS, WILD), WILD
    gone = found["diverged"]
    assert gone.any() and not gone.all()
    assert (found["wrong"][gone, 1] == 40).all() and found["squared"][gone, 1].isnan().all()
    assert found["squared"][~gone].isfinite().all() and not found["met"][gone, 1].any()
    begin = system.begin(SEED, IDS, setting)
    shown = found["sequences"][:, 1]
    assert trained(setting, IDS, begin.theta, shown)[0][:, gone].isnan().all()
    assert trained(setting, IDS, begin.theta, shown - 1)[0].isfinite().all()
    assert (shown[gone] <= 280).all() and (shown[~gone] == 280).all()
    before = found["met"][:, 0] & gone  # one criterion met, the other never
    assert before.any() and found["squared"][before, 0].isfinite().all()
    assert equal(trials(SEED, IDS[~gone], setting), {name: value[~gone] for name, value in found.items()})


@compiled
def test_where_training_is_cut_does_not_matter_to_what_diverges(monkeypatch):
    usual = trials(SEED, IDS, WILD)
    assert usual["diverged"].any()
    monkeypatch.setattr(system, "STRETCH", 41)
    assert equal(trials(SEED, IDS, WILD), usual)


# --- what is learnt ---


@compiled
def test_short_sequences_are_learnt():
    stop = Criterion(100, 0, "absolute", 100, 0.015)
    setting = {"length": 20, "budget": 60_000, "criteria": [asdict(LEARNT), asdict(stop)]}
    found = trials(1996, torch.arange(16), setting)
    assert found["met"].float().mean(0).min() > 0.7
    both = found["met"].all(1)
    assert (found["sequences"][both, 0] <= found["sequences"][both, 1]).all()
    assert (found["squared"][both] < 0.01).all()
    assert found["wrong"][both, 1].float().median() < 2560 / 10
