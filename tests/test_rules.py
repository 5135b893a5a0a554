"""Each rule on evidence that decides it one way and the other."""

import numpy as np
import pytest

from lltd import rules
from lltd.rules import Count, Value

THIS = "test_rules.py::test_constant_is_reproduced_within_its_rounding"


def only(rows):
    (row,) = rows
    return row


@pytest.fixture
def waits():
    return np.random.default_rng(1).exponential(100.0, size=400)


def test_number_within_the_band_is_reproduced(waits):
    row = only(rules.number("wait", Value(110, 10), waits))
    assert row.verdict == "reproduced"
    assert row.allowed_low < 110 < row.allowed_high
    assert row.low < row.measured < row.high
    assert (row.k, row.runs, row.reading) == (10, 400, "")


@pytest.mark.parametrize("m", [20, 400])
def test_number_outside_the_band_is_not_reproduced(waits, m):
    assert only(rules.number("wait", Value(m, 10), waits)).verdict == "not reproduced"


def test_rounding_widens_the_printed_number(waits):
    high = only(rules.number("wait", Value(110, 10), waits)).allowed_high
    assert only(rules.number("wait", Value(high + 10, 10), waits)).verdict == "not reproduced"
    assert only(rules.number("wait", Value(high + 10, 10, rounding=10.5), waits)).verdict == "reproduced"


def test_unprinted_number_of_runs_is_tried_at_10_and_100(waits):
    few, many = rules.number("wait", Value(160, None), waits, reading="fresh noise")
    assert (few.k, many.k) == (10, 100)
    assert (few.reading, many.reading) == ("fresh noise, k = 10 assumed", "fresh noise, k = 100 assumed")
    assert (few.verdict, many.verdict) == ("reproduced", "not reproduced")


def test_few_runs_of_ours_are_marked_coarse(waits):
    assert "coarse, only 99 runs" in only(rules.number("wait", Value(100, 10), waits[:99])).rule
    assert "coarse" not in only(rules.number("wait", Value(100, 10), waits[:100])).rule


def test_cut_runs_first_ask_whether_all_finished(waits):
    cut = np.where(waits > 300, np.inf, waits)
    finished, wait = rules.number("wait", Value(70, 10, "median"), cut)
    assert finished.label == "wait: all runs finished"
    assert (finished.paper, finished.verdict, wait.verdict) == (1, "reproduced", "reproduced")
    most = np.where(waits > 30, np.inf, waits)
    assert rules.number("wait", Value(70, 10, "median"), most)[0].verdict == "not reproduced"


def test_mean_of_cut_runs_is_refused(waits):
    with pytest.raises(ValueError, match="no mean"):
        rules.number("wait", Value(70, 10), np.where(waits > 300, np.inf, waits))


def test_nan_among_runs_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        rules.number("wait", Value(70, 10), np.array([1.0, np.nan] * 100))


def test_factors_are_those_whose_product_would_be_allowed(waits):
    value = Value(110, 10, rounding=5)
    row = only(rules.number("wait", value, waits))
    low, high = rules.factors(value, row.allowed_low, row.allowed_high)
    assert f"{low:.2f} to {high:.2f}" in row.rule
    for factor, verdict in [
        (low * 1.001, "reproduced"),
        (low * 0.999, "not reproduced"),
        (high * 0.999, "reproduced"),
        (high * 1.001, "not reproduced"),
    ]:
        scaled = Value(110 * factor, 10, rounding=5 * factor)
        assert only(rules.number("wait", scaled, waits)).verdict == verdict


def test_proportion_follows_the_binomial_band():
    count = Count(500, 1000)
    assert only(rules.proportion("share", Value(9 / 18, 18, "proportion"), count)).verdict == "reproduced"
    far = only(rules.proportion("share", Value(17 / 18, 18, "proportion"), count))
    assert (far.verdict, far.measured) == ("not reproduced", 0.5)
    assert far.low < 0.5 < far.high


def test_constant_is_reproduced_within_its_rounding():
    assert only(rules.constant("u*", 0.532, 5e-4, 0.53284)).verdict == "not reproduced"
    assert only(rules.constant("u*", 0.532, 1e-3, 0.53284)).verdict == "reproduced"


def test_bound_needs_more_than_the_share_itself():
    assert only(rules.at_least("share", 0.99, Count(299, 299))).verdict == "reproduced"
    short = only(rules.at_least("share", 0.99, Count(298, 298)))  # .05**(1/298) < .99
    assert short.paper is None and only(rules.at_least("", 0.9, Count(1, 2), printed=True)).paper == 0.9
    assert short.verdict == "not reproduced" and short.low == pytest.approx(0.05 ** (1 / 298))
    assert only(rules.at_most("share", 0.01, Count(0, 299))).verdict == "reproduced"
    assert only(rules.at_most("share", 0.01, Count(5, 299))).verdict == "not reproduced"


def test_trend_of_counts_and_of_runs_has_a_sign():
    low, high = Count(300, 1000), Count(400, 1000)
    assert only(rules.trend("share", low, high)).verdict == "reproduced"
    opposite = only(rules.trend("share", high, low))
    assert opposite.verdict == "not reproduced" and "sign is decided" in opposite.rule
    level = only(rules.trend("share", low, low))
    assert level.verdict == "not reproduced" and "not decided" in level.rule
    fast, slow = np.arange(50.0), np.append(np.arange(25.0, 74.0), np.inf)
    assert only(rules.trend("wait", fast, slow)).verdict == "reproduced"
    with pytest.raises(TypeError, match="both"):
        rules.trend("wait", fast, high)


def test_equivalence_needs_the_interval_within_the_margin():
    a, b = Count(5000, 10_000), Count(5010, 10_000)
    assert only(rules.equivalence("share", a, b, 0.05)).verdict == "reproduced"
    assert only(rules.equivalence("share", a, b, 0.005)).verdict == "not reproduced"
    with pytest.raises(ValueError, match="margin"):
        rules.equivalence("share", a, b, 0)


def test_equation_holds_within_its_tolerance():
    assert only(rules.equation("gradient", 100, 1e-13, 1e-12)).verdict == "holds"
    assert only(rules.equation("gradient", 100, 1e-11, 1e-12)).verdict == "not reproduced"
    for worst in (-1, np.nan):
        with pytest.raises(ValueError, match="worst error"):
            rules.equation("gradient", 100, worst, 1e-12)


def test_words_without_numbers():
    assert only(rules.adopted("task", THIS)).verdict == "adopted"
    assert only(rules.proved("lemma", THIS)).verdict == "proved"
    assert only(rules.corrected("lemma", "holds on compact sets", THIS)).verdict == "corrected"
    assert only(rules.quoted("wait", "Mozer 1992")).verdict == "quoted"
    assert only(rules.beyond_reach("wait", "the data are lost")).verdict == "beyond reach"
    assert "chosen after" in rules.afterwards("rate 0.03")


@pytest.mark.parametrize(
    "test", ["test_rules.py", "test_rules.py::test_no_such", "test_none.py::test_x", "x::y"]
)
def test_a_named_test_must_exist(test):
    with pytest.raises(ValueError, match="test is"):
        rules.adopted("task", test)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((1.0, 10, "mean", -0.1), "rounding is -0.1"),
        ((1.0, 10, "mean", np.inf), "rounding is inf"),
        ((1.0, 0), "k is 0"),
        ((1.0, 1.5), "k is 1.5"),
        ((np.nan, 10), "m is nan"),
        ((1.0, 10, "mode"), "one of mean, median"),
        ((1.2, 10, "proportion"), "lies in"),
    ],
)
def test_bad_values_are_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        Value(*arguments)


def test_bad_limits_and_statistics_are_refused():
    with pytest.raises(ValueError, match="limit is 99"):
        rules.at_least("share", 99, Count(1, 2))
    with pytest.raises(ValueError, match="from counts"):
        rules.number("share", Value(0.5, 18, "proportion"), np.arange(100.0))
    with pytest.raises(ValueError, match="counts settle a proportion"):
        rules.proportion("wait", Value(0.5, 18), Count(1, 2))
