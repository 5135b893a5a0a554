"""The LSTM of 1996 stopped by tests: when it stops, what it is tested on, and the settings as printed."""

import pytest
import torch
from drawn import compiled

from lltd.kernels import lstm96 as kernel
from lltd.kernels.lstm96 import Task
from lltd.systems import stopped_by_tests as system
from lltd.systems.stopped_by_tests import COMMON, NET, STOPS, trials

SEED, IDS = 11, 7 * 2**33 + torch.arange(5) * 2**32
STAGES = ({"wrong": 200, "below": 1.0}, {"wrong": 9, "below": 0.06})
SHORT = {"length": 20, "budget": 8000, "every": 500, "final": 300, "elements": 3, "stops": STAGES}


def equal(first, second):
    """Whether two outcomes are the same to the last bit."""
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_settings_are_as_printed():
    setting = system.complete({"length": 100, "budget": 1000})
    assert NET.weights == 102 and system.task(setting) == Task("two-sequence", 100, elements=1, noisy="rest")
    assert (setting["rate"], setting["span"], setting["tolerance"]) == (1.0, 0.1, 0.2)
    assert (setting["tests"], setting["final"]) == (256, 2560)
    assert tuple(setting["input_gate_bias"]) == (-1, -3, -5)
    assert tuple(setting["output_gate_bias"]) == (-2, -4, -6)
    assert [(stop["wrong"], stop["below"]) for stop in STOPS["3a"]] == [(0, 1.0), (0, 0.01)]
    assert [(stop["wrong"], stop["below"]) for stop in STOPS["3b"]] == [(5, 1.0), (5, 0.04)]
    assert [(stop["wrong"], stop["below"]) for stop in STOPS["3c"]] == [(0, 0.015)]


@compiled
def test_a_trial_stops_with_the_first_test_that_it_passes():
    found, task = trials(SEED, IDS, SHORT), Task("two-sequence", 20, elements=3)
    biases = {name: COMMON[name] for name in ("input_gate_bias", "output_gate_bias")}
    theta = kernel.initial(NET, SEED, IDS, **biases, dtype=torch.float32)
    stopped = torch.zeros(2, len(IDS), dtype=torch.int64)
    passed = torch.zeros(2, *theta.shape)
    for look in range(16):
        first = torch.full_like(IDS, 500 * look)
        theta, _ = kernel.train(NET, task, SEED, IDS, theta, first=first, count=first * 0 + 500, rate=1.0)
        errors = kernel.examine(NET, task, SEED, IDS, theta, first=256 * look, count=256).double()
        for n, stop in enumerate(STAGES):
            well = ((errors >= 0.2).sum(0) <= stop["wrong"]) & (errors.mean(0) < stop["below"])
            now = well & (stopped[n] == 0)
            stopped[n] = torch.where(now, 500 * (look + 1), stopped[n])
            passed[n] = torch.where(now, theta, passed[n])
    assert (
        torch.equal(found["met"].T, stopped > 0) and (stopped > 0).all() and (stopped[0] < stopped[1]).any()
    )
    assert torch.equal(found["sequences"].T, stopped)
    for n in range(2):
        errors = kernel.examine(NET, task, SEED, IDS, passed[n], first=256 * 16, count=300).double()
        assert torch.equal(found["wrong"][:, n], (errors >= 0.2).sum(0))
        torch.testing.assert_close(found["absolute"][:, n], errors.mean(0))


@compiled
def test_no_outcome_depends_on_who_else_is_trained():
    usual = trials(SEED, IDS, SHORT)
    some = torch.tensor([3, 1])
    assert equal(trials(SEED, IDS[some], SHORT), {name: value[some] for name, value in usual.items()})


def test_a_trial_that_passes_no_test_is_cut():
    never = ({"wrong": 0, "below": 1e-9},)
    found = trials(SEED, IDS[:2], {**SHORT, "budget": 20, "every": 10, "tests": 8, "stops": never})
    assert not found["met"].any() and (found["sequences"] == 20).all() and not found["diverged"].any()
    assert (found["absolute"] > 0.1).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lengths": 3}, "setting lengths: budget, elements, every"),
        ({"length": None}, "length is None: a whole number"),
        ({"length": 19}, "length is 19: T between 20"),
        ({"budget": 0}, "budget is 0"),
        ({"budget": 8100}, "budget is 8100: a multiple of 500"),
        ({"every": 0}, "every is 0"),
        ({"tests": 2.5}, "tests is 2.5"),
        ({"final": -1}, "final is -1"),
        ({"rate": 0.0}, "rate is 0.0: a positive number"),
        ({"tolerance": float("nan")}, "tolerance is nan"),
        ({"stops": ()}, "stops is empty"),
        ({"noisy": "all"}, "noisy is 'all'"),
        ({"elements": 0}, "elements is 0"),
        ({"input_gate_bias": (-1.0,)}, r"input_gate_bias is \(-1.0,\): 3 are needed"),
    ],
)
def test_bad_settings_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        trials(SEED, IDS, {**SHORT, **change})
