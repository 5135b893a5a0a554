"""Intervals and resampling bands against exact probabilities, and their coverage by simulation."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lltd import resampling


def exact_tail(s, n, p):
    return sum(comb(n, c) * p**c * (1 - p) ** (n - c) for c in range(s, n + 1))


def exact_coverage(n, p):
    low, high = resampling.interval(np.arange(n + 1), n)
    return sum(comb(n, c) * p**c * (1 - p) ** (n - c) for c in range(n + 1) if low[c] <= p <= high[c])


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n))), st.floats(0.01, 1))
def test_binomial_tail_is_the_sum_of_its_terms(counts, share):
    (s, n), p = counts, share * counts[0] / counts[1]
    tail, first = resampling.binomial_tail(np.array(s), np.array(n), np.array(p))
    assert first == pytest.approx(comb(n, s) * p**s * (1 - p) ** (n - s), rel=1e-9)
    assert tail == pytest.approx(exact_tail(s, n, p), rel=1e-9)


def test_bound_of_only_successes_has_its_closed_form():
    n = np.array([1, 10, 100, 4000])
    np.testing.assert_allclose(resampling.lower_bound(n, n), 0.05 ** (1 / n), rtol=1e-10)
    np.testing.assert_allclose(resampling.upper_bound(0 * n, n), 1 - 0.05 ** (1 / n), rtol=1e-8)


@pytest.mark.parametrize(("s", "n"), [(1, 10), (7, 18), (99, 100), (995, 1000)])
def test_bound_is_where_the_tail_has_five_per_cent(s, n):
    bound = float(resampling.lower_bound(s, n))
    assert exact_tail(s, n, bound) == pytest.approx(0.05, rel=1e-6)


@pytest.mark.parametrize("n", [5, 18, 100])
def test_interval_covers_every_proportion_at_95_per_cent_or_more(n):
    assert min(exact_coverage(n, p) for p in np.linspace(0.001, 0.999, 97)) >= 0.95


def test_interval_is_one_of_each_element_and_symmetric():
    low, high = resampling.interval(np.array([[3], [9]]), np.array([10, 20]))
    assert low.shape == high.shape == (2, 2)
    np.testing.assert_allclose(resampling.interval(7, 10), (1 - high[0, 0], 1 - low[0, 0]), atol=1e-12)
    np.testing.assert_allclose(resampling.interval(3, 10), (low[0, 0], high[0, 0]), rtol=1e-12)


def test_large_counts_stay_finite_and_close_to_the_normal_interval():
    low, high = resampling.interval(500_000, 1_000_000)
    np.testing.assert_allclose((low, high), 0.5 + np.array([-1, 1]) * 1.96 * 0.0005, atol=2e-6)


@pytest.mark.parametrize(("successes", "trials"), [(-1, 10), (11, 10), (0, 0), ([1, 5], 4)])
def test_impossible_counts_are_refused(successes, trials):
    with pytest.raises(ValueError, match="0 <= successes <= trials"):
        resampling.interval(successes, trials)


def test_proportions_in_place_of_counts_are_refused():
    with pytest.raises(TypeError, match="successes is float64"):
        resampling.interval(0.9, 10)


def test_band_of_a_mean_of_ten_waiting_times_is_that_of_the_gamma_distribution():
    # A mean of 10 exponential times has quantiles .4795 and 1.7085 of the true mean (chi-squared, 20).
    runs = -np.log1p(-(np.arange(20_000) + 0.5) / 20_000)
    low, high = resampling.allowed(runs, 10, "mean")
    assert low / runs.mean() == pytest.approx(0.4795, abs=0.01)
    assert high / runs.mean() == pytest.approx(1.7085, abs=0.02)


def test_both_sides_are_resampled():
    # The variance of a mean is s2/k for the paper's runs and s2/N for ours: with N = k it doubles.
    runs = np.random.default_rng(0).normal(size=100)
    means = resampling.resampled(runs, 100, "mean", draws=20_000)
    assert means.var() == pytest.approx(2 * runs.var() / 100, rel=5 * np.sqrt(2 / 20_000) + 0.01)


def test_resampling_is_addressed_not_remembered():
    runs = np.arange(50.0)
    few = resampling.resampled(runs, 7, "mean", draws=100)
    many = resampling.resampled(runs, 7, "mean", draws=5000)
    np.testing.assert_array_equal(few, many[:100])
    assert not np.array_equal(few, resampling.resampled(runs, 7, "mean", draws=100, seed=2))


@pytest.mark.parametrize(("statistic", "ours"), [("mean", 400), ("median", 200)])
def test_papers_of_the_same_kind_are_reproduced_95_times_in_100(statistic, ours):
    chance, k, papers = np.random.default_rng(7), 10, 500
    covered = 0
    for _ in range(papers):
        low, high = resampling.allowed(chance.exponential(size=ours), k, statistic, draws=2000)
        printed = resampling.STATISTICS[statistic](chance.exponential(size=k))
        covered += low <= printed <= high
    # Four standard errors of 500 papers, and half a per cent for the 2000 draws behind each band.
    assert abs(covered / papers - 0.95) < 4 * np.sqrt(0.95 * 0.05 / papers) + 0.005


@pytest.mark.parametrize("p", [0.03, 0.5, 0.9])
def test_proportions_of_the_same_kind_are_reproduced_at_least_95_times_in_100(p):
    chance, k, ours, papers = np.random.default_rng(8), 18, 400, 2000
    bands = [resampling.allowed_proportion(s, ours, k) for s in range(ours + 1)]
    covered = 0
    for s, printed in zip(chance.binomial(ours, p, papers), chance.binomial(k, p, papers) / k, strict=True):
        low, high = bands[s]
        covered += low - 1e-9 <= printed <= high + 1e-9
    assert covered / papers > 0.95 - 4 * np.sqrt(0.95 * 0.05 / papers)


def test_band_of_a_proportion_is_never_empty_and_widens_for_few_trials():
    assert resampling.allowed_proportion(0, 100, 18) == (0, 1 / 18)
    assert resampling.allowed_proportion(4000, 4000, 18) == (1, 1)
    few, many = resampling.allowed_proportion(500, 1000, 10), resampling.allowed_proportion(500, 1000, 1000)
    assert few[0] < many[0] < 0.5 < many[1] < few[1]


def test_median_of_cut_runs_may_be_unbounded():
    runs = np.concatenate([np.arange(60.0), np.full(40, np.inf)])
    low, high = resampling.allowed(runs, 5, "median")
    assert np.isfinite(low) and np.isinf(high)
    assert not np.isnan(resampling.resampled(runs, 4, "median", draws=1000)).any()


def test_interval_of_the_median_covers_it():
    chance, repeats = np.random.default_rng(3), 2000
    inside = 0
    for _ in range(repeats):
        low, high = resampling.statistic_interval(chance.exponential(size=101), "median")
        inside += low <= np.log(2) <= high
    assert inside / repeats > 0.95 - 4 * np.sqrt(0.95 * 0.05 / repeats)


def test_dominance_counts_pairs():
    chance = np.random.default_rng(4)
    x, y = chance.integers(0, 9, 30), chance.integers(2, 12, 40)
    effect, low, high = resampling.dominance(x, y)
    pairs = np.sign(y[:, None].astype(int) - x[None]).mean()
    assert effect == pytest.approx(pairs)
    assert low < effect < high


def test_dominance_takes_cut_runs_as_the_longest():
    assert resampling.dominance(np.arange(20.0), np.full(20, np.inf))[0] == 1


@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_interval_of_dominance_covers_it(shift):
    # For unit normals shifted by d, P(Y > X) - P(Y < X) = erf(d / 2).
    chance, repeats, truth = np.random.default_rng(5), 1500, {0.0: 0.0, 0.4: 0.2227025892}[shift]
    inside = 0
    for _ in range(repeats):
        _, low, high = resampling.dominance(chance.normal(size=60), chance.normal(shift, size=80))
        inside += low <= truth <= high
    assert inside / repeats > 0.95 - 4 * np.sqrt(0.95 * 0.05 / repeats) - 0.01  # normal only for many runs


def test_interval_of_a_difference_covers_it():
    chance, repeats = np.random.default_rng(6), 300
    first, second = chance.binomial(50, 0.3, repeats), chance.binomial(70, 0.6, repeats)
    inside = [
        low <= 0.3 <= high
        for _, low, high in (
            resampling.difference((int(a), 50), (int(b), 70)) for a, b in zip(first, second, strict=True)
        )
    ]
    assert np.mean(inside) > 0.95 - 4 * np.sqrt(0.95 * 0.05 / repeats)


@pytest.mark.parametrize(
    ("runs", "k", "statistic", "said"),
    [
        ([1.0, np.nan], 2, "mean", "1 NaN"),
        ([1.0, np.inf], 2, "mean", "no mean"),
        ([1.0, 2.0], 0, "mean", "k is 0"),
        ([1.0, 2.0], 2.5, "mean", "k is 2.5"),
        ([], 2, "mean", "shape"),
        ([[1.0]], 2, "mean", "shape"),
        ([1.0], 2, "mode", "one of mean, median"),
    ],
)
def test_bad_runs_are_refused(runs, k, statistic, said):
    with pytest.raises(ValueError, match=said):
        resampling.resampled(runs, k, statistic, draws=10)


def test_orders_need_ten_runs():
    with pytest.raises(ValueError, match="3 and 20 runs"):
        resampling.dominance(np.arange(3.0), np.arange(20.0))
