"""The introduction: gradients by autograd, complex steps and hand; memories against closed forms."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from lltd.analysis import requirements
from lltd.analysis.requirements import lights
from lltd.chapters import introduction
from lltd.systems import memory_units, recurrent_net
from lltd.systems.memory_units import gated, integrator, latch, leaky, linear, noisy_tape
from lltd.systems.recurrent_net import TANH

CASES = [introduction.random_case(number) for number in range(8)]


def normal_cdf(x):
    return 0.5 * math.erfc(-x / math.sqrt(2))


def test_a_step_is_its_sums_written_out():
    W, start, inputs, _, transfer = CASES[1]
    z = torch.cat((start, inputs[0]), dim=-1)
    net = torch.stack([sum(w * x for w, x in zip(row, z.T, strict=True)) for row in W], dim=-1)
    torch.testing.assert_close(recurrent_net.step(W, start, inputs[0], transfer), transfer.f(net))


def test_one_gradient_three_ways():
    assert max(introduction.differences()) < introduction.TOLERANCE


@pytest.mark.parametrize("case", CASES)
def test_bptt_is_the_complex_step_derivative(case):
    """Independent of autograd: Im E(W + i h V) / h is the slope along V, free of cancellation."""
    direction = torch.linspace(-1, 1, case.W.numel(), dtype=torch.float64).reshape(case.W.shape)
    W = case.W + 1e-30j * direction
    activations = recurrent_net.unfold(W, case.start + 0j, case.inputs + 0j, case.transfer)
    slope = recurrent_net.error(activations, case.targets).imag / 1e-30
    torch.testing.assert_close((recurrent_net.bptt(*case) * direction).sum(), slope)


@pytest.mark.parametrize("case", CASES)
def test_bptt_is_static_in_the_unfolded_net(case):
    _, by_copy = introduction.static_gradients(case)
    torch.testing.assert_close(recurrent_net.bptt(*case), by_copy.sum(0))


def test_the_gradient_of_many_sequences_is_the_sum_of_theirs():
    W, start, inputs, targets, transfer = CASES[2]
    for gradient in (recurrent_net.bptt, recurrent_net.rtrl):
        alone = [gradient(W, start[b], inputs[:, b], targets[:, b], transfer) for b in range(2)]
        torch.testing.assert_close(sum(alone), gradient(W, start, inputs, targets, transfer))


def test_rtrl_goes_on_from_where_it_stopped():
    """Local in time: a and p are all that the past has left, so a run cut in two is the whole run."""
    W, start, inputs, _, transfer = CASES[3]
    influence = torch.zeros(2, *W.shape[:1], *W.shape, dtype=W.dtype)
    a = start
    for u in inputs:
        z = torch.cat((a, u), dim=-1)
        a = recurrent_net.step(W, a, u, transfer)
        influence = recurrent_net.influence_step(W, influence, z, a, transfer)
    jacobian = torch.autograd.functional.jacobian(
        lambda free: recurrent_net.unfold(free, start, inputs, transfer)[-1], W
    )
    torch.testing.assert_close(influence, jacobian)


@given(st.integers(2, 1000), st.integers(0, 1000))
def test_rtrl_costs_more_than_bptt(units, inputs):
    bptt, rtrl = introduction.cost(units, inputs)
    assert rtrl > bptt


@pytest.mark.parametrize(("units", "inputs"), [(2, 1), (3, 2), (8, 1)])
def test_the_cost_formulas_count_what_the_code_multiplies(units, inputs):
    steps, W = 3, recurrent_net.init(0, 0, units, inputs)
    start, targets = W.new_zeros(1, units), W.new_zeros(steps, 1, units)
    for gradient, expected in zip(
        (recurrent_net.bptt, recurrent_net.rtrl), introduction.cost(units, inputs), strict=True
    ):
        with FlopCounterMode(display=False) as counter:  # counts a multiplication and an addition each
            gradient(W, start, W.new_zeros(steps, 1, inputs), targets)
        assert counter.get_total_flops() == 2 * steps * expected


@pytest.mark.parametrize("case", CASES)
def test_the_printed_update_climbs_the_error(case):
    """[HBFS01] prints + eta delta a_l with delta = dE/dnet: a small step of it raises the error E."""

    def error(W):
        activations = recurrent_net.unfold(W, case.start, case.inputs, case.transfer)
        return recurrent_net.error(activations, case.targets)

    gradient, eta = recurrent_net.bptt(*case), 1e-5
    assert error(case.W + eta * gradient) > error(case.W) > error(case.W - eta * gradient)


def test_weights_of_a_run_do_not_depend_on_chance_elsewhere():
    W = recurrent_net.init(3, 7, 5, 2)
    assert torch.equal(W, recurrent_net.init(3, 7, 5, 2))
    assert not torch.equal(W, recurrent_net.init(3, 8, 5, 2))


def test_weights_have_the_stated_spread():
    W = recurrent_net.init(3, 0, 100, 100, gain=2.0)
    assert abs(W.std().item() * math.sqrt(200) - 2) < 5 * 2 / math.sqrt(2 * W.numel())


def test_four_units_and_their_lights():
    tape = introduction.tapes()
    found = [lights(unit, tape) for unit in introduction.UNITS]
    assert [(one.stores, one.resists, one.learns) for one in found] == [
        (False, False, False),
        (True, False, True),
        (True, True, False),
        (True, True, True),
    ]


@pytest.mark.parametrize("weight", [0.0, 0.5, 0.9, 1.0, 1.1])
def test_a_linear_unit_keeps_a_power_of_its_weight(weight):
    silent = torch.zeros(50, 1, dtype=torch.float64)
    silent[0] = 1
    states = memory_units.run(linear(weight), silent)
    assert states[-1].item() == pytest.approx(weight**49, rel=1e-12)
    if weight:
        decades = memory_units.gradient_decades(linear(weight), states).item()
        assert decades == pytest.approx(49 * math.log10(weight), abs=1e-12)


@pytest.mark.parametrize("unit", introduction.UNITS, ids=lambda unit: unit.name)
def test_decades_are_those_of_autograd(unit):
    tape = introduction.tapes(draws=20).requires_grad_()
    states = memory_units.run(unit, tape)
    (slope,) = torch.autograd.grad(states[-1].sum(), tape)
    torch.testing.assert_close(
        memory_units.gradient_decades(unit, states).detach(), slope[0].abs().log10(), atol=1e-9, rtol=0
    )


def test_integrated_noise_has_variance_t_s_squared():
    steps, noise, draws = 100, 0.2, 20_000
    tape = introduction.tapes(draws, steps, noise)
    states = memory_units.run(integrator(), tape)
    expected = (steps - 1) * noise**2
    drift = states[-1] - states[0]
    assert abs(drift.var().item() / expected - 1) < 5 * math.sqrt(2 / draws)
    share = normal_cdf(1 / math.sqrt(expected))
    found = requirements.right(integrator(), tape) / draws
    assert abs(found - share) < 5 * math.sqrt(share * (1 - share) / draws)


def test_leaky_noise_settles_at_its_stationary_variance():
    draws = 20_000
    ends = memory_units.run(leaky(0.9), introduction.tapes(draws, 100, 0.2))[-1]
    assert abs(ends.var().item() / (0.2**2 / (1 - 0.9**2)) - 1) < 5 * math.sqrt(2 / draws)


def test_the_gate_scales_the_noise():
    tape = introduction.tapes(draws=50)
    states = memory_units.run(gated(-3.0), tape)
    share = 1 / (1 + math.exp(3.0))
    torch.testing.assert_close(states[-1], tape[0] + share * tape[1:].sum(0))


@pytest.mark.parametrize("weight", [1.25, 2.0, 3.0])
def test_a_silent_latch_rests_at_its_fixed_point(weight):
    silent = torch.zeros(400, 2, dtype=torch.float64)
    silent[0] = torch.tensor([1.0, -1.0])
    rest = memory_units.run(latch(weight), silent)[-1]
    torch.testing.assert_close(rest, weight * torch.tanh(rest))
    assert rest[0] > 0 and rest[1] == -rest[0]


def test_a_latch_forgets_nothing_and_its_gradient_falls_at_the_slope_of_its_fixed_point():
    weight, steps = 2.0, 400
    silent = torch.zeros(steps, 1, dtype=torch.float64)
    silent[0] = 1
    states = memory_units.run(latch(weight), silent)
    slope = weight * (1 - (states[-1].item() / weight) ** 2)  # w (1 - tanh² x*), with tanh x* = x* / w
    decades = memory_units.gradient_decades(latch(weight), states[200:]).item()
    assert decades == pytest.approx(199 * math.log10(slope), rel=1e-12)


def test_a_draw_has_the_same_noise_with_either_bit():
    ids = torch.arange(6)
    up = noisy_tape(torch.ones(6), 10, 0.3, 5, ids)
    down = noisy_tape(-torch.ones(6), 10, 0.3, 5, ids)
    assert torch.equal(up[1:], down[1:]) and torch.equal(up[0], -down[0])
    assert torch.equal(up[:, 3:4], noisy_tape(torch.ones(1), 10, 0.3, 5, ids[3:4]))


W, START = torch.zeros(3, 5, dtype=torch.float64), torch.zeros(3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: recurrent_net.init(0, 0, 0, 1), "units is 0"),
        (lambda: recurrent_net.init(0, 0, 2, -1), "inputs is -1"),
        (lambda: recurrent_net.unfold(W, torch.zeros(4), torch.zeros(6, 2), TANH), "start has shape"),
        (lambda: recurrent_net.unfold(W, START, torch.zeros(6, 3), TANH), "inputs has shape"),
        (lambda: recurrent_net.bptt(W, START, torch.zeros(6, 2), torch.zeros(5, 3)), "targets has shape"),
        (lambda: recurrent_net.rtrl(W, START, torch.zeros(6, 2), torch.zeros(6, 2)), "targets has shape"),
        (lambda: leaky(1.0), "weight is 1.0"),
        (lambda: latch(1.0), "weight is 1.0"),
        (lambda: noisy_tape(torch.tensor([1.0, 0.5]), 5, 0.1, 0, torch.arange(2)), "bits holds 0.5"),
        (lambda: noisy_tape(torch.ones(1), 0, 0.1, 0, torch.arange(1)), "steps is 0"),
        (lambda: noisy_tape(torch.ones(1), 5, -0.1, 0, torch.arange(1)), "noise is -0.1"),
        (lambda: noisy_tape(torch.ones(1), 5, math.nan, 0, torch.arange(1)), "noise is nan"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
