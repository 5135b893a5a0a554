"""When training stops: running totals against a slow count of every sequence, however training is cut."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lltd import philox
from lltd.systems import stopping
from lltd.systems.stopping import Criterion

TOLERANCE = 0.04
CRITERIA = (
    Criterion(),
    Criterion(5, 0, "squared", 5, 0.01),
    Criterion(5, 2, "absolute", 8, 0.03),
    Criterion(3, 0, "absolute", None, 0.05),
    Criterion(0, 0, "squared", 7, 0.001),
    Criterion(6, 0, "squared", None, 0.01),
)


def drawn(runs, count, chance, seed=1):
    """Errors (count, runs), uniform in (0, 0.04) with this chance, and in (0.04, 0.5) otherwise."""
    u = philox.uniform(seed, torch.arange(runs), torch.arange(count)[:, None], philox.Purpose.TASK)
    return torch.where(u[0] < chance, TOLERANCE * u[1], TOLERANCE + 0.46 * u[1])


def watched(errors, criteria, cuts=()):
    """Where each criterion is first met, counted from the begin, and how many were right there, stretch by stretch."""
    watch = stopping.begin(criteria, errors.shape[1])
    met, right = torch.zeros(2, len(criteria), errors.shape[1], dtype=torch.int64)
    for part in errors.tensor_split(list(cuts)):
        if len(part):
            before = watch.shown
            watch, seen = stopping.look(watch, part, criteria, TOLERANCE)
            waiting = met == 0
            right = torch.where(waiting, seen.right, right)
            met = torch.where(waiting & (seen.met > 0), before + seen.met, met)
    return met, right, watch


def counted(errors, criterion, begins=(0,)):
    """The same for one criterion and run, by looking back from every sequence; no run reaches back over a begin."""
    for n in range(1, len(errors) + 1):
        begin = max(b for b in begins if b < n)
        latest = errors[max(begin, n - criterion.recent) : n] if criterion.recent else []
        window = errors[max(0, n - (criterion.window or n)) : n]
        average = np.mean(np.square(window) if criterion.measure == "squared" else window)
        wrong = sum(not e < TOLERANCE for e in latest)
        enough = len(latest) == criterion.recent and wrong <= criterion.wrong and n >= criterion.least
        if enough and average < criterion.below:
            return n
    return 0


def slowly(errors, criteria, **options):
    """`counted` for all criteria and runs."""
    return torch.tensor([[counted(run, one, **options) for run in errors.T.numpy()] for one in criteria])


@pytest.mark.parametrize("chance", [0.3, 0.8])
def test_criteria_are_met_where_a_slow_count_finds_them(chance):
    errors = drawn(30, 120, chance)
    met, right, watch = watched(errors, CRITERIA[1:])
    assert torch.equal(met, slowly(errors, CRITERIA[1:]))
    assert (met > 0).any(1).sum() >= 2 and (met == 0).any()
    last = torch.where(met > 0, met, 120)
    all_right = (errors < TOLERANCE).long().cumsum(0)
    assert torch.equal(right, all_right.gather(0, last - 1))
    assert (watch.shown == 120).all()


@settings(max_examples=40)
@given(st.lists(st.integers(1, 99), max_size=12), st.floats(0.2, 1.0), st.integers(0, 2**20))
def test_where_training_is_cut_changes_not_a_bit(cuts, chance, seed):
    errors = drawn(6, 100, chance, seed)
    whole, parts = watched(errors, CRITERIA), watched(errors, CRITERIA, sorted(cuts))
    assert torch.equal(whole[0], parts[0]) and torch.equal(whole[1], parts[1])
    assert all(map(torch.equal, whole[2], parts[2]))


def test_a_count_that_begins_anew_at_each_cut_is_refuted():
    errors = drawn(60, 100, 0.8)
    cuts = list(range(7, 100, 7))
    met, _, _ = watched(errors, CRITERIA[1:], cuts)
    assert torch.equal(met, slowly(errors, CRITERIA[1:]))
    assert not torch.equal(met, slowly(errors, CRITERIA[1:], begins=(0, *cuts)))


def test_a_run_longer_than_a_stretch_is_seen():
    errors = torch.full((4100, 2), 0.01, dtype=torch.float64)
    errors[1047, 0] = 0.04  # not below
    criteria = (Criterion(), Criterion(recent=0))
    met, right, _ = watched(errors, criteria, range(100, 4100, 100))
    assert met.tolist() == [[3048, 2000], [2000, 2000]]
    assert right.tolist() == [[3047, 2000], [1999, 2000]]


def test_of_more_sequences_than_the_latest_only_these_are_counted():
    errors = torch.full((stopping.RECENT + 300, 1), 0.01)
    errors[:600] = 0.5
    _, right, _ = watched(errors, (Criterion(recent=0, below=1e-9),), (77, 5000))
    assert int(right) == stopping.RECENT - 300


@given(st.lists(st.floats(0, 0.04, exclude_max=True), min_size=1, max_size=50))
def test_2000_right_sequences_average_less_than_the_printed_squared_error(errors):
    assert np.mean(np.square(errors)) < 0.04**2 < Criterion().below
    assert Criterion(measure="absolute").below < 0.04  # and need not for the absolute one


def test_a_run_that_diverges_is_not_shown_more_and_meets_nothing():
    errors = drawn(3, 50, 1.0)
    errors[20:, 1] = torch.nan
    criteria = (
        Criterion(5, 0, "squared", 5),
        Criterion(25, 0, "squared", 5),
        Criterion(25, 25, "absolute", 30, 1.0),
    )
    met, right, watch = watched(errors, criteria)
    assert met.tolist() == [[5, 5, 5], [25, 0, 25], [30, 0, 30]]
    assert right[:, 1].tolist() == [5, 20, 20]
    assert watch.shown.tolist() == [50, 20, 50]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"measure": "cubed"}, "measure is 'cubed': one of absolute, squared"),
        ({"window": 0}, "window is 0: 1 or more"),
        ({"wrong": -1}, "wrong is -1 of 2000 recent"),
        ({"recent": 3, "wrong": 4}, "wrong is 4 of 3 recent"),
        ({"below": 0.0}, "below is 0.0: a positive number"),
        ({"below": np.nan}, "below is nan"),
    ],
)
def test_bad_criteria_are_named(fields, message):
    with pytest.raises(ValueError, match=message):
        Criterion(**fields)


def test_at_least_one_criterion_is_needed():
    with pytest.raises(ValueError, match="criteria is empty"):
        stopping.begin((), 3)
