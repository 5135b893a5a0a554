"""Parity and the order of update: at once, a quarter of all sequences ends wrong; hidden first, or later, none must."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lltd.kernels import guess
from lltd.kernels.guess import A1, Topology

pytestmark = pytest.mark.usefixtures("doubles")
AND = [40.0, -60.0, 40.0, 0.0, 20.0, 40.0, -90.0]  # h <- x, 1, o, h; o <- x, o, h
OR_LESS_AND = [40.0, 0.0, -80.0, 80.0, 60.0, -70.0, -80.0, 80.0]  # the same, and o <- 1


def right(net, weights, steps, late=0):
    """Share of all sequences of so many steps that end on the right side, for each net: (B,); late: steps of 0."""
    bits = (torch.arange(2**steps)[:, None] >> torch.arange(steps)) & 1
    inputs = torch.cat((2.0 * bits - 1, torch.zeros(2**steps, late)), 1)
    ends = guess.ends(net, weights, inputs, torch.full((2**steps,), steps + late))
    odd = (bits.sum(1) % 2)[:, None]
    return torch.where(odd == 1, ends > 0.5, ends < 0.5).double().mean(0)


TOPOLOGIES = st.builds(
    Topology,
    st.integers(1, 4),
    dense=st.booleans(),
    loops=st.booleans(),
    output_bias=st.booleans(),
    output_loop=st.booleans(),
    direct=st.booleans(),
    order=st.just("synchronous"),
)


@settings(max_examples=25, deadline=None)
@given(TOPOLOGIES, st.integers(2, 7), st.floats(0.5, 300), st.integers(0, 2**20))
def test_at_once_no_net_has_more_than_three_quarters_of_all_sequences_right(net, steps, span, trial):
    weights = guess.weights(net, 5, trial * 2**32 + torch.arange(300), span=span)
    assert right(net, weights, steps).max() <= 0.75


def test_three_quarters_are_reached():
    weights = guess.weights(Topology(1, output_bias=True, order="synchronous"), 5, torch.arange(3000))
    assert right(Topology(1, output_bias=True, order="synchronous"), weights, 4).max() == 0.75


def test_the_bound_fails_for_hidden_units_first():
    assert right(A1(1), torch.tensor(AND)[:, None], 9).item() == 1


def test_the_bound_fails_for_an_output_read_a_step_later():
    net, weights = Topology(1, output_bias=True, order="synchronous"), torch.tensor(OR_LESS_AND)[:, None]
    assert right(net, weights, 9, late=1).item() == 1
    assert right(net, weights, 9).item() <= 0.75
