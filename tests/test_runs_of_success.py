"""Waiting for a run of right sequences: formula, recursion and inverse against sums, a chain of states, and trials."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lltd import philox
from lltd.analysis import runs_of_success as runs


def by_states(sequences, p, run):
    """P(N <= n) from the chain whose state is how many in a row have been right, up to `run`, where it stays."""
    step = np.zeros((run + 1, run + 1))
    step[:run, 0] = 1 - p
    step[np.arange(run), np.arange(1, run + 1)] += p
    step[run, run] = 1
    state, done = np.eye(run + 1)[0], []
    for _ in range(sequences + 1):
        done.append(state[run])
        state = state @ step
    return np.array(done)


def expectation(done):
    """Σ P(N > n) over n = 0, 1 …"""
    return (1 - done).sum()


@given(st.integers(0, 60), st.floats(0, 1), st.integers(1, 9))
def test_recursion_is_the_markov_chain(sequences, p, run):
    np.testing.assert_allclose(runs.finished(sequences, p, run), by_states(sequences, p, run), atol=1e-12)


@settings(max_examples=30)
@given(st.floats(0.6, 1), st.integers(1, 6))
def test_expected_wait_is_the_sum_over_the_distribution(p, run):
    done = runs.finished(5000, p, run)
    assert done[-1] > 1 - 1e-9
    assert runs.expected_wait(p, run) == pytest.approx(expectation(done), rel=1e-6)


def test_a_wait_counted_from_the_last_mistake_only_is_refuted():
    # 1 / p^r would be the wait if each attempt cost one sequence, r / p^r if each cost r
    p, run = 0.8, 5
    true = expectation(runs.finished(20_000, p, run))
    assert runs.expected_wait(p, run) == pytest.approx(true)
    assert abs(p**-run - true) > 0.2 * true and abs(run * p**-run - true) > 0.2 * true


def test_drawn_trials_wait_as_long():
    u = philox.uniform(3, torch.arange(4000), torch.arange(500)[:, None], philox.Purpose.TASK)[0].numpy()
    right, run = u < 0.7, 4
    window = np.lib.stride_tricks.sliding_window_view(right, run, axis=0).all(-1)
    waits = window.argmax(0) + run
    assert window.any(0).all()
    expected = runs.expected_wait(0.7, run)
    assert abs(waits.mean() - expected) < 4 * waits.std() / np.sqrt(len(waits))
    assert (waits <= 8).mean() == pytest.approx(runs.finished(8, 0.7, run)[-1], abs=0.03)


@given(st.floats(2000, 1e12))
def test_probability_is_the_inverse(wait):
    p = runs.probability(wait)
    assert 0.98 < p <= 1
    # a double near 1 knows 1 - p to 1e-16, of 1e-3 or less where the wait is long
    assert runs.expected_wait(p) == pytest.approx(wait, rel=1e-8)


def test_the_run_of_1996_asks_for_few_mistakes_and_hardly_ever_ends_with_many():
    assert runs.expected_wait(1.0) == 2000
    assert runs.expected_wait(0.999) == pytest.approx((0.999**-2000 - 1) / 0.001, rel=1e-9)
    assert runs.expected_wait(0.5) == np.inf == runs.expected_wait(0.0, 1)
    assert 0.0015 < 1 - runs.probability(74_000) < 0.003
    np.testing.assert_allclose(runs.expected_wait([0.5, 1.0], 1), [2.0, 1.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: runs.expected_wait(1.1), "p is 1.1: a probability"),
        (lambda: runs.expected_wait([0.5, np.nan]), "p is nan"),
        (lambda: runs.expected_wait(0.5, 0), "run is 0: 1 or more"),
        (lambda: runs.probability(1999), "wait is 1999: a number in"),
        (lambda: runs.probability(np.inf), "wait is inf"),
        (lambda: runs.probability(5, -1), "run is -1"),
        (lambda: runs.finished(-1, 0.5), "sequences is -1"),
        (lambda: runs.finished(5, 2.0), "p is 2.0"),
        (lambda: runs.finished(5, 0.5, 0), "run is 0"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
