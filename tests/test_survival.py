"""Waits that are cut: curves and means against what is known without cuts, by hand, and from drawn trials."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lltd import philox
from lltd.analysis.survival import kaplan_meier, restricted_mean

waits = st.lists(st.integers(1, 30), min_size=2, max_size=40)


@given(waits)
def test_without_cuts_the_curve_is_the_share_that_waits_longer(times):
    curve = kaplan_meier(times, np.ones(len(times), bool))
    shares = [(np.array(times) > t).mean() for t in curve.times]
    np.testing.assert_allclose(curve.waiting, shares, atol=1e-12)
    assert curve.times[0] == 0 and curve.waiting[0] == 1 and curve.waiting[-1] < 1e-12


@given(waits, st.integers(1, 29))
def test_cut_at_one_time_the_mean_is_that_of_the_smaller_of_wait_and_limit(times, limit):
    times = np.array(times)
    done = times <= limit
    mean, low, high = restricted_mean(np.where(done, times, limit), done, limit)
    assert mean == pytest.approx(np.minimum(times, limit).mean())
    if done.sum() > 1:
        assert low <= mean <= high


@given(waits)
def test_without_cuts_the_interval_is_that_of_a_mean(times):
    mean, low, high = restricted_mean(times, np.ones(len(times), bool), 31)
    half = 1.959964 * np.std(times, ddof=1) / np.sqrt(len(times))
    np.testing.assert_allclose([mean, low, high], np.mean(times) + half * np.array([0, -1, 1]), atol=1e-5)


def test_a_curve_by_hand():
    # 10 wait; one done at 3, one cut at 4, two done at 5 of 8, one cut for ever, the others at 9
    times = [3, 4, 5, 5, 9, 9, 9, 9, 9, np.inf]
    curve = kaplan_meier(times, [True, False, True, True] + 6 * [False])
    assert curve.times.tolist() == [0, 3, 5] and curve.at_risk.tolist() == [10, 10, 8]
    np.testing.assert_allclose(curve.waiting, [1, 0.9, 0.9 * 0.75])
    # Greenwood: 1/(10 9) + 2/(8 6), on the scale of log(-log)
    spread = np.sqrt(1 / 90 + 2 / 48) / -np.log(0.675)
    np.testing.assert_allclose(curve.low[2], 0.675 ** np.exp(1.959964 * spread), rtol=1e-6)
    np.testing.assert_allclose(curve.high[2], 0.675 ** np.exp(-1.959964 * spread), rtol=1e-6)
    assert np.isnan(curve.low[0])
    assert restricted_mean(times, [True, False, True, True] + 6 * [False], 9)[0] == pytest.approx(
        3 + 1.8 + 2.7
    )


def exponential(trials, seed):
    """Waits with mean 10, and independent times of a cut, uniform in (5, 45)."""
    u = philox.uniform(seed, torch.arange(trials), 0, philox.Purpose.TASK).numpy()
    return -10 * np.log(u[0]), 5 + 40 * u[1]


def test_intervals_cover_the_truth_and_taking_a_cut_for_the_end_does_not():
    covers, naive = [], []
    true = 10 * (1 - np.exp(-2))
    for seed in range(300):
        wait, cut = exponential(150, seed)
        times, done = np.minimum(wait, cut), wait <= cut
        curve = kaplan_meier(times, done)
        last = np.flatnonzero(curve.times <= 20)[-1]
        _, low, high = restricted_mean(times, done, 20) if times.max() >= 20 else (true,) * 3
        covers.append((curve.low[last] < np.exp(-2) < curve.high[last], low <= true <= high))
        naive.append(restricted_mean(times, np.ones(150, bool), 20))
    assert (np.mean(covers, 0) > 0.9).all() and (np.mean(covers, 0) < 0.99).all()
    assert np.mean([low <= true <= high for _, low, high in naive]) < 0.8


def test_no_interval_is_made_of_one_end():
    assert np.isnan(restricted_mean([5, 9, 9], [True, False, False], 9)[1:]).all()
    assert restricted_mean([9, 9], [False, False], 9)[0] == 9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kaplan_meier([], []), r"times has shape \(0,\)"),
        (lambda: kaplan_meier([1, 2], [True]), "done"),
        (lambda: kaplan_meier([1, 0], [True, True]), "times has 0.0: a wait is positive"),
        (lambda: kaplan_meier([1, np.nan], [True, True]), "times has nan"),
        (lambda: kaplan_meier([1, np.inf], [True, True]), "times is infinite for a trial that is done"),
        (lambda: kaplan_meier([1, 2], [True, True], 1.0), "level is 1.0"),
        (lambda: restricted_mean([1, 2], [True, False], 3), "limit is 3: a positive number, 2 or less"),
        (lambda: restricted_mean([1, 2], [True, True], 0), "limit is 0"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
