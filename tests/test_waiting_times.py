"""Geometric waits: exact intervals and bands against summed probabilities, and mixtures against the lemma."""

from math import comb

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lltd import philox
from lltd.analysis import waiting_times


def exactly_finished(guesses, k, p):
    """P(S <= guesses), term by term: the k-th solution at guess s has C(s - 1, k - 1) p^k q^(s - k)."""
    return sum(comb(s - 1, k - 1) * p**k * (1 - p) ** (s - k) for s in range(k, guesses + 1))


def coverage(interval, p, k):
    """Probability that the interval of a mean of k encloses 1/p."""
    most, total = k, 0.0
    while total < 1 - 1e-7:
        total += comb(most - 1, k - 1) * p**k * (1 - p) ** (most - k)
        most += 1
    return sum(
        comb(s - 1, k - 1) * p**k * (1 - p) ** (s - k)
        for s in range(k, most)
        if interval(s / k, k)[0] <= 1 / p <= interval(s / k, k)[1]
    )


@given(st.integers(1, 6), st.floats(0.02, 0.99), st.integers(0, 200))
def test_chance_of_k_solutions_is_the_sum_of_its_terms(k, p, guesses):
    assert waiting_times.finished(guesses, k, 1 / p) == pytest.approx(
        exactly_finished(guesses, k, p), abs=1e-9
    )


@pytest.mark.parametrize("p", [0.9, 0.4, 0.1, 0.037])
def test_interval_covers_the_expected_wait_at_95_per_cent_or_more(p):
    assert coverage(waiting_times.interval, p, 3) >= 0.95 - 1e-6


def test_coverage_refutes_an_interval_that_takes_the_mean_for_normal():
    def normal(mean, k):
        half = 1.96 * mean / np.sqrt(k)
        return mean - half, mean + half

    assert coverage(normal, 0.1, 3) < 0.9


def test_interval_of_a_mean_of_ten_tends_to_the_chi_square_one():
    # 20 / 34.16961 and 20 / 9.590777, quantiles of chi square with 20 degrees of freedom
    np.testing.assert_allclose(np.divide(waiting_times.interval(1e6, 10), 1e6), (0.58532, 2.08534), rtol=1e-4)
    np.testing.assert_allclose(np.divide(waiting_times.band(1e6, 10), 1e6), (0.47954, 1.70848), rtol=1e-4)


@settings(max_examples=50)
@given(st.floats(1.5, 300), st.integers(1, 30))
def test_band_and_interval_are_duals(expected, k):
    low, high = waiting_times.band(expected, k)
    for printed, inside in ((low, True), (high, True), (low - 1 / k, False), (high + 1 / k, False)):
        if printed >= 1:
            least, most = waiting_times.interval(printed, k)
            assert (least <= expected * (1 + 1e-6) and expected <= most * (1 + 1e-6)) or not inside
            assert not (least * (1 + 1e-6) < expected < most * (1 - 1e-6)) or inside


def test_certain_solutions_are_found_at_once():
    assert waiting_times.interval(1, 10)[0] == 1.0
    assert waiting_times.band(1, 10) == (1.0, 1.0)


def mixture(expected, chances):
    """Mean and variance of geometric waits whose expected wait has these values with these chances, by summing."""
    n = np.arange(1, 20_000)
    law = sum(c / m * (1 - 1 / m) ** (n - 1.0) for m, c in zip(expected, chances, strict=True))
    mean = (law * n).sum()
    return mean, (law * (n - mean) ** 2).sum()


def excess(mean, variance):
    """Of a variance over that of geometric waits with the same mean."""
    return variance - (mean**2 - mean)


@given(st.lists(st.tuples(st.floats(1, 200), st.floats(0.05, 1)), min_size=1, max_size=5))
def test_mixture_of_geometric_waits_exceeds_a_geometric_one_by_twice_the_variance_of_difficulty(sets):
    expected, chances = np.array(sets).T
    chances = chances / chances.sum()
    among = (chances * expected**2).sum() - (chances * expected).sum() ** 2
    assert excess(*mixture(expected, chances)) == pytest.approx(2 * among, abs=1e-4, rel=1e-6)


def test_without_independence_given_the_set_waits_can_vary_less():
    # guessing without repetition among 100 nets with one solution: uniform on 1 … 100
    n = np.arange(1, 101)
    assert excess(n.mean(), n.var()) < 0


def test_spread_of_difficulty_is_found_from_one_wait_a_set():
    count = 200_000
    u = philox.uniform(7, torch.arange(count), 0, philox.Purpose.TASK).numpy()
    for expected in ([100.0, 100.0], [50.0, 150.0]):
        among = np.where(u[0] < 0.5, *expected)
        waits = np.ceil(np.log(u[1]) / np.log1p(-1 / among))
        true = np.var(expected) / np.mean(expected) ** 2
        assert waiting_times.spread_of_difficulty(waits) == pytest.approx(true, abs=0.02)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: waiting_times.interval(0.5, 10), "mean is 0.5"),
        (lambda: waiting_times.interval(5, 0), "k is 0"),
        (lambda: waiting_times.interval(np.inf, 10), "mean is inf"),
        (lambda: waiting_times.interval(5, 10, 1.0), "level is 1.0"),
        (lambda: waiting_times.band(5, 10, 0.0), "level is 0.0"),
        (lambda: waiting_times.band(5, 2.5), "k is 2.5"),
        (lambda: waiting_times.spread_of_difficulty([3.0]), "waits has shape"),
        (lambda: waiting_times.spread_of_difficulty([3.0, np.inf]), "waits has shape"),
    ],
)
def test_bad_input_is_named(call, match):
    with pytest.raises(ValueError, match=match):
        call()
