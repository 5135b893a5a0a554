"""Nets whose hidden units hear themselves alone: the gradient, its cost, and what such a net cannot tell."""

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lltd.analysis import operations
from lltd.philox import Purpose, normal
from lltd.systems import focused

SEEDS = st.integers(0, 2**31)


def net(seed, n=5, m=3):
    """W, d, v of a random net, and five sequences of 12 steps."""
    drawn = normal(seed, 0, torch.arange(100), Purpose.INITIAL).flatten()
    W, d, v, inputs, _ = drawn.split((n * m, n, n, 60 * m, len(drawn) - n * m - 2 * n - 60 * m))
    return W.view(n, m), 0.7 * d, v, inputs.view(5, 12, m)


@given(SEEDS)
def test_the_derivatives_carried_forward_are_the_whole_gradient(seed):
    W, d, v, (inputs, *_) = net(seed)
    leaves = [part.clone().requires_grad_() for part in (v, d, W)]
    s = torch.zeros_like(d)
    for x in inputs:
        s = leaves[1] * s + torch.tanh(leaves[2] @ x)
    error = (o := leaves[0] @ s) - 0.5
    expected = torch.autograd.grad((o - 0.5) ** 2 / 2, leaves)
    found = focused.gradient(v, focused.read(W, d, inputs), error.detach())
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 3), (8, 5), (40, 7)])
def test_a_step_costs_a_fixed_number_of_operations_a_weight(n, m):
    W, d = torch.zeros(n, m), torch.zeros(n)
    costs = [operations.count(lambda T=T: focused.read(W, d, torch.zeros(T, m))) for T in (1, 2, 9)]
    step = costs[1] - costs[0]
    assert costs[2] - costs[0] == 8 * step
    assert step == 5 * n * m + 7 * n <= 7 * (n * m + n)


@given(SEEDS, st.lists(st.integers(0, 11), min_size=2, max_size=2, unique=True))
def test_what_an_output_owes_to_two_steps_adds_up(seed, places):
    W, d, v, (inputs, other, *_) = net(seed)
    found = {}
    for changed in product((False, True), repeat=2):
        mixed = inputs.clone()
        for place, change in zip(places, changed, strict=True):
            mixed[place] = other[place] if change else inputs[place]
        found[changed] = v @ focused.read(W, d, mixed).s
    alike, unlike = [found[False, False], found[True, True]], [found[False, True], found[True, False]]
    torch.testing.assert_close(sum(alike), sum(unlike), rtol=1e-9, atol=1e-9)
    # so that no threshold is between the two pairs, as parity, or "are they alike?", asks for
    assert not min(unlike) > max(alike) + 1e-9 and not min(alike) > max(unlike) + 1e-9


@given(SEEDS)
def test_with_loops_of_1_the_order_is_lost_and_with_smaller_ones_the_past(seed):
    W, d, _, (inputs, other, *_) = net(seed)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(seed))
    s = focused.read(W, torch.ones_like(d), inputs).s
    torch.testing.assert_close(focused.read(W, torch.ones_like(d), inputs[order]).s, s)
    small = d.clamp(-0.9, 0.9)
    changed = torch.cat((other[:1], inputs[1:]))
    apart = (focused.read(W, small, changed).s - focused.read(W, small, inputs).s).abs()
    assert (apart <= 2 * small.abs() ** 11 + 1e-12).all()


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"shapes \(2, 3\), \(2,\), \(4, 2\): \(n, m\), \(n\) and \(L, m\)"):
        focused.read(torch.zeros(2, 3), torch.zeros(2), torch.zeros(4, 2))
