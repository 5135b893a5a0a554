"""Chapter dilemma: its theorems searched for counterexamples, its counterexamples run, its measurement checked."""

import json
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lltd import experiments
from lltd.analysis import bit_memories, latch, maps, noise_survival, safe_levels
from lltd.analysis.counterexamples import chaotic_bands, sheared_latch
from lltd.analysis.maps import operator_norm, orbit, spectral_radius
from lltd.analysis.noise_survival import UNITS, WAYS, survived
from lltd.chapters import dilemma
from lltd.philox import Purpose, normal, uniform
from lltd.systems import flip_flop
from lltd.systems.memory_units import integrator

STEPS = 300


def between(low, high, *address):
    """Uniform numbers from low to high, one for each run of the last part of the address."""
    seed, runs, t = address
    return low + (high - low) * uniform(seed, torch.arange(runs), t, Purpose.TEST)[0]


# --- large slopes ------------------------------------------------------------------------------------------


def signs_kept(w, a, bound):
    """Whether runs from states a > 0 stay positive, (B,): under the worst input for ever, and under random ones."""
    worst, mixed, kept = a.clone(), a.clone(), a > 0
    for t in range(STEPS):
        worst = w * torch.tanh(worst) - bound
        mixed = w * torch.tanh(mixed) + bound * between(-1, 1, 4, len(a), t)
        kept &= (worst > 0) & (mixed > 0)
    return kept


def test_the_level_of_a_latch_is_exact():
    w, a = between(1.1, 5, 1, 3000, 0), between(0.05, 3, 2, 3000, 0)
    level = torch.tensor([latch.safe_input(*case) for case in zip(w.tolist(), a.tolist(), strict=True)])
    assert signs_kept(w, a, 0.99 * level).all()
    assert not signs_kept(w, a, level + 0.03).any()  # the weakened hypothesis: a larger bound


def test_states_of_slope_above_one_survive_noise():
    exact = latch.safe_input_enclosure(2, Fraction(1, 2))
    assert exact.holds and float(exact.slope.lower) > 1.57 and float(exact.input.lower) > 0.424
    start = torch.tensor([0.5], dtype=torch.float64)
    assert signs_kept(2.0, start, 0.424).all()
    sheared = sheared_latch.as_map()
    rest = torch.tensor([latch.fixed_point(2), 0.0], dtype=torch.float64)
    torch.testing.assert_close(sheared(rest), rest)
    slope = sheared.derivative(rest)
    assert operator_norm(slope) > 4 and spectral_radius(slope) < 0.51
    assert 4 * math.tanh(0.1) + sheared_latch.BOUND < latch.critical_input(2)
    bound = sheared_latch.BOUND
    kicks = torch.cat(
        (safe_levels.kicks(bound, STEPS, 500), torch.full((STEPS, 1, 2), -bound / math.sqrt(2))), 1
    )
    assert (orbit(sheared, rest.expand(501, 2), kicks)[..., 0] > 0).all()


def test_levels_fall_to_zero_at_the_boundary_and_only_there():
    a = torch.logspace(-6, 0, 50, dtype=torch.float64)
    level = torch.tensor([latch.safe_input(2, x) for x in a.tolist()])
    assert (level > 0).all() and (level <= 2 * torch.tanh(a)).all() and level[0] < 2e-6


def test_levels_on_a_grid_are_those_of_the_closed_form():
    """Two neurons that do not meet: the second one never leaves, so that the first decides."""
    W = torch.tensor([[2.0, 0.0], [0.0, 0.5]], dtype=torch.float64)
    axis = torch.linspace(-3, 3, 121, dtype=torch.float64)
    cell, between_levels = 0.05, 0.06
    levels = [between_levels * k for k in range(1, 11)]
    found = safe_levels.plane_level(maps.tanh_net(W), axis, (axis > 0).expand(121, 121), levels)[60]
    exact = torch.tensor([latch.safe_input(2, a) if a > 0 else 0.0 for a in axis.tolist()])
    assert (found <= exact + cell).all() and (found >= exact - between_levels - 2 * cell).all()


@pytest.mark.parametrize(
    ("start", "large", "keeps"),
    [
        ("dark, keeps", 0, True),
        ("pale, loses", 1, False),
        ("pale, keeps", 1, True),
        ("dark, loses", 0, False),
    ],
)
def test_dark_or_pale_does_not_decide(start, large, keeps):
    state = torch.tensor(dilemma.STARTS[start], dtype=torch.float64)
    assert (operator_norm(dilemma.SKETCH.derivative(state)) > 1) == bool(large)
    end = maps.autonomous(dilemma.SKETCH, state, 200)[-1]
    assert end[0] > 0  # in the right basin
    hits, runs = dilemma.kept(dilemma.STARTS[start])
    assert (hits == runs) == keeps


# --- small slopes and products -------------------------------------------------------------------------------


def farthest(factor, radius, bound):
    """Largest distance from the fixed point, (B,), of runs from the ball of this radius in the plane.

    The maps have ||M'|| <= factor: M(a) = factor R sin(a), R a turn, and for every other run factor a, which is
    pushed outwards for ever.
    """
    runs = len(factor)
    angle, linear = between(0, 2 * math.pi, 7, runs, 0), torch.arange(runs) % 2 == 1
    R = torch.stack((angle.cos(), -angle.sin(), angle.sin(), angle.cos()), -1).reshape(runs, 2, 2)
    push = torch.tensor([1.0, 0.0], dtype=torch.float64)
    a = radius[:, None] * safe_levels.kicks(1.0, 1, runs, seed=2)[0]
    farthest = a.norm(dim=-1)
    for kick in safe_levels.kicks(1.0, STEPS, runs, seed=3):
        turned = (R @ torch.sin(a)[..., None])[..., 0]
        u = bound[:, None] * torch.where(linear[:, None], push, kick)
        a = factor[:, None] * torch.where(linear[:, None], a, turned) + u
        farthest = torch.maximum(farthest, a.norm(dim=-1))
    return farthest


def test_perturbations_up_to_the_level_stay_in_the_ball():
    factor, radius = between(0, 0.95, 5, 2000, 0), between(0.01, 10, 6, 2000, 0)
    level = torch.tensor([safe_levels.contraction_level(*case) for case in torch.stack((factor, radius), 1)])
    assert (farthest(factor, radius, level) <= radius * (1 + 1e-12)).all()
    assert (farthest(factor, radius, 1.01 * level) > radius)[1::2].all()  # the weakened hypothesis


def test_the_level_grows_with_the_scale_of_the_map_while_its_slopes_do_not():
    for scale in (0.1, 10.0):
        a = scale * torch.linspace(-3, 3, 50, dtype=torch.float64)
        slopes = 2 / torch.cosh(a / scale) ** 2
        b = 0.99 * scale * latch.critical_input(2)
        state = torch.tensor(scale * latch.fixed_point(2), dtype=torch.float64)
        for _ in range(STEPS):
            state = scale * 2 * torch.tanh(state / scale) - b
        assert state > 0 and slopes.max() <= 2


def factors(norms):
    """Random 3 × 3 matrices with these norms."""
    z = normal(8, torch.arange(len(norms))[:, None], torch.arange(9), Purpose.TEST)[0].reshape(-1, 3, 3)
    return z / torch.linalg.matrix_norm(z, ord=2)[:, None, None] * norms[:, None, None]


@given(st.floats(0.01, 0.999), st.integers(1, 100), st.integers(0, 2**32))
def test_norms_below_one_lambda_bound_the_product(factor, steps, seed):
    norms = factor * uniform(seed, torch.arange(steps), 0, Purpose.TEST)[0]
    product = torch.eye(3, dtype=torch.float64)
    for J in factors(norms):
        product = J @ product
    assert torch.linalg.matrix_norm(product, ord=2) <= factor**steps * (1 + 1e-9)


def test_norms_below_one_do_not_make_a_product_vanish():
    """The weakened hypothesis of the bound above: below 1, but by no one λ. Reached by inputs, at w = 2."""
    wanted = 1 - 2.0 ** -(torch.arange(41, dtype=torch.float64) + 1)
    states = torch.acosh((2 / wanted).sqrt())
    inputs = states[1:] - 2 * torch.tanh(states[:-1])
    a, product = states[0], 1.0
    for u in inputs:
        slope = (2 / torch.cosh(a) ** 2).item()
        assert slope < 1
        product *= slope
        a = 2 * torch.tanh(a) + u
    assert product == pytest.approx(0.288788, abs=1e-6)


def test_the_critical_neuron_loses_its_gradient_as_a_power_only():
    a, product, at = 1.0, 1.0, {}
    for t in range(1, 10_001):
        product *= 1 - math.tanh(a) ** 2
        a = math.tanh(a)
        at[t] = product
    assert at[10_000] / at[1000] == pytest.approx(10**-1.5, rel=0.01)


def test_the_derivative_is_the_product_of_w_times_slopes():
    cases, worst = dilemma.product_errors()
    assert cases == 100 and worst < 1e-12


# --- gates -----------------------------------------------------------------------------------------------------


def gated_steps(bits, rest, runs, steps=100):
    """The cell a + g(v)(c - a) with a smooth step for a gate, v within 0.5 of `rest`, c ten times the bit."""
    a = bits
    for t in range(steps):
        z = normal(5, torch.arange(runs), t, Purpose.TEST)
        s = ((rest + 0.5 * z[0].clamp(-1, 1) + 1) / 2).clamp(0, 1)
        a = a + s**2 * (3 - 2 * s) * (10 * z[1] - a)
    return a


def test_a_closed_gate_keeps_a_bit_with_derivative_one():
    bits = torch.tensor([-1.0, 1.0], dtype=torch.float64).repeat(200).requires_grad_()
    end = gated_steps(bits, rest=-1.5, runs=400)
    (slope,) = torch.autograd.grad(end.sum(), bits)
    assert torch.equal(end, bits) and (slope == 1).all()
    open_end = gated_steps(bits, rest=0.0, runs=400)  # as the reduction to additive inputs judges it
    (slope,) = torch.autograd.grad(open_end.sum(), bits)
    assert (slope.abs() < 1e-6).all()


def cell_runs(gates, steps=60, runs=1000):
    """States and derivatives of a + g (c - a) in the plane, g from the interval `gates`, |c| <= 1, from |a| <= 1."""
    a, slope = safe_levels.kicks(1.0, 1, runs, seed=8)[0], torch.ones(runs, dtype=torch.float64)
    for t, c in enumerate(safe_levels.kicks(1.0, steps, runs, seed=9)):
        g = between(*gates, 10, runs, t)
        a, slope = a + g[:, None] * (c - a), slope * (1 - g)
    return a, slope


@pytest.mark.parametrize("least", [0.05, 0.3, 0.9])
def test_slopes_at_the_inputs_that_occur_bound_state_and_gradient(least):
    a, slope = cell_runs((least, 1.0))
    assert (a.norm(dim=-1) <= 1).all() and (slope <= (1 - least) ** 60).all()
    _, slope = cell_runs((0.0, 1e-9))  # weakened: a gate that shuts
    assert (slope > (1 - least) ** 60).all()


# --- the dilemma --------------------------------------------------------------------------------------------------


def test_the_bands_trap_by_exact_arithmetic():
    low, high, bound = Fraction("1.1359"), Fraction("1.96"), Fraction("0.01")

    def band(x):
        return 1 + Fraction("3.8") * (x - 1) * (2 - x)

    assert min(band(low), band(high)) - bound >= low and band(Fraction(3, 2)) + bound <= high
    assert min(band(low), band(high)) - 4 * bound < low  # a weaker hypothesis does not do


def tent_band(bound):
    """Ends of the band of sgn(x) (1 + 1.8 min(y, 1 - y)) under inputs up to a bound, and whether it traps."""

    def tent(y):
        return Fraction("1.8") * min(y, 1 - y)

    top = tent(Fraction(1, 2)) + bound
    bottom = tent(top) - bound
    return bottom, top, 0 < bottom <= tent(bottom) - bound and top < 1


def test_a_band_of_slope_above_one_everywhere_may_trap():
    assert tent_band(Fraction("0.01"))[2]
    assert tent_band(Fraction("0.044"))[2] and not tent_band(Fraction("0.045"))[2]


def bits_agree(step, start, bound, steps=STEPS, runs=500, seed=6):
    """Whether the sign after so many steps is that of the first run, for all starts and all inputs drawn."""
    a = start(between(0, 1, seed, runs, 0))
    for t in range(1, steps):
        a = step(a, between(-bound, bound, seed, runs, t))
    return bool((torch.sign(a) == torch.sign(a[0])).all())


SAFE = {
    "chaotic bands": (
        chaotic_bands.step,
        lambda q: chaotic_bands.LOW + (chaotic_bands.HIGH - chaotic_bands.LOW) * q,
        chaotic_bands.BOUND,
    ),
    "flip-flop": (flip_flop.step, lambda q: 3 * q, 0.999),
    "latch": (lambda a, u: 2 * torch.tanh(a) + u, lambda q: 0.8814 + 3 * q, 0.5328),
    "rippled latch": (
        lambda a, u: 2 * torch.tanh(a) + 0.05 * torch.sin(100 * a) + u,
        lambda q: 0.8814 + 3 * q,
        0.4828,
    ),
}


@pytest.mark.parametrize("name", SAFE)
def test_the_decoded_bit_is_locally_constant(name):
    step, start, bound = SAFE[name]
    assert bits_agree(step, start, bound)
    assert not bits_agree(step, lambda q: start(q) - 3 * (q > 0.5), bound)  # weakened: the sets meet
    assert not bits_agree(step, start, 1.5 if name != "chaotic bands" else 0.6)  # weakened: larger inputs


def test_a_ripple_gives_a_safe_latch_any_gradient():
    rest, multiplier, critical = latch.fixed_point(2), latch.multiplier(2), latch.critical_input(2)
    slope, largest = between(-3, 3, 11, 2000, 0), between(0.001, 0.2, 12, 2000, 0)
    waves = ((slope - multiplier).abs() * rest / (2 * math.pi * largest)).ceil()
    omega = 2 * math.pi * waves / rest
    depth = (slope - multiplier) / omega
    assert (depth.abs() <= largest).all()

    def step(a, u):
        return 2 * torch.tanh(a) + depth * torch.sin(omega * a) + u

    a = torch.full_like(depth, rest, requires_grad=True)
    following = step(a, 0.0)
    (found,) = torch.autograd.grad(following.sum(), a)
    torch.testing.assert_close(following.detach(), a.detach())
    torch.testing.assert_close(found, slope)

    safe, a = critical - depth.abs(), latch.critical_state(2) + between(0, 2, 13, 2000, 0)
    beyond = a
    for t in range(STEPS):
        share = between(-1, 1, 14, 2000, t)
        share[::2] = -1
        a = step(a, safe * share)
        beyond = step(
            beyond, -(critical + depth.abs() + 0.03)
        )  # weakened: more than the ripple can make good
        assert (a > 0).all()
    assert (beyond < 0).all()


def test_a_chaotic_gradient_grows_and_its_sign_is_a_coins():
    a = -1.2 - 0.7 * between(0, 1, 9, 4000, 0)
    log, sign = torch.zeros_like(a), torch.ones_like(a)
    for t in range(1, 41):
        slope = chaotic_bands.slope(a)
        log, sign = log + slope.abs().log(), sign * torch.sign(slope)
        a = chaotic_bands.step(a, between(-0.01, 0.01, 9, 4000, t))
    assert (a < 0).all() and log.median() > 10
    assert abs((sign > 0).double().mean() - 0.5) < 5 * 0.5 / math.sqrt(4000)


# --- the measurement ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", UNITS)
def test_a_units_derivative_is_that_of_autograd(name):
    unit = noise_survival.find(name)
    start = torch.tensor(unit.start, dtype=torch.float64) * 0.93
    inputs = 0.3 * normal(3, torch.arange(2)[:, None], torch.arange(unit.inputs), Purpose.TEST)[0]
    if name == "flip-flop":
        assert (unit.derivative(start, inputs) == 0).all()
        return
    for a, u in zip(start, inputs, strict=True):
        exact = torch.autograd.functional.jacobian(lambda free, u=u: unit.step(free, u), a)
        torch.testing.assert_close(unit.derivative(a, u), exact)


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("way", WAYS)
def test_without_noise_every_unit_reads_its_bit(name, way):
    zero, ids = torch.zeros(1, dtype=torch.float64), torch.arange(4)
    assert noise_survival.survives(UNITS[name], way, zero, seed=1, ids=ids, steps=STEPS).all()


def test_an_integrator_survives_what_the_normal_distribution_says():
    sizes, runs, steps = torch.tensor([0.02, 0.05], dtype=torch.float64), 4000, 400
    unit, ids = noise_survival.find("integrator"), torch.arange(4000)
    right = noise_survival.survives(unit, "state", sizes, seed=7, ids=ids, steps=steps).double().mean(1)
    for size, share in zip(sizes.tolist(), right.tolist(), strict=True):
        exact = 0.5 * math.erfc(-1 / (size * math.sqrt(2 * steps)))
        assert abs(share - exact) < 5 * math.sqrt(exact * (1 - exact) / runs)


def test_an_orthogonal_net_is_as_safe_as_an_integrator():
    record = experiments.read("dilemma/survival")
    runs = record.recipe.runs // len(record.recipe.cells)
    one, other = (dilemma.share_right(name, "state") / runs for name in ("integrator", "orthogonal net"))
    assert np.abs(one - other).max() < 5 * math.sqrt(0.5 / runs)


def test_noise_does_not_depend_on_the_company_of_a_run():
    unit, ids = noise_survival.find("rotor"), torch.arange(7)
    together = torch.stack(list(noise_survival.noise(unit, "state", 3, ids, 50)))
    alone = torch.stack(list(noise_survival.noise(unit, "state", 3, ids[5:6], 50)))
    assert together.shape == (50, 7, 2) and torch.equal(together[:, 5:6], alone)
    assert abs(together.std() / unit.scale - 1) < 0.2


def test_decades_are_the_logarithm_of_the_derivative():
    unit, ids = noise_survival.find("rotor"), torch.arange(2)
    start = torch.tensor(unit.start, dtype=torch.float64)
    noise = list(noise_survival.noise(unit, "state", 0, ids, 12))

    def end(first):
        for z in noise:
            first = unit.step(first, torch.zeros(2)) + 0.1 * z
        return first.sum(0)

    exact = torch.autograd.functional.jacobian(end, start).movedim(1, 0)
    logs = noise_survival.decades(unit, "state", 0.1, seed=0, ids=ids, steps=12)
    torch.testing.assert_close(logs, torch.linalg.matrix_norm(exact, ord=2).log10())


def test_a_rippled_latch_has_the_gradient_of_its_ripple():
    for depth in (0.02, 0.05):
        unit = noise_survival.find(f"latch with a ripple of {depth}")
        logs = noise_survival.decades(unit, "state", 0.05, ids=torch.arange(100), steps=STEPS)
        assert logs.mean() / STEPS == pytest.approx(math.log10(depth * bit_memories.RIPPLE / 2), abs=0.02)


def test_the_noise_survived_is_read_off_before_the_first_failure():
    sizes = np.array([0.1, 0.2, 0.3, 0.4])
    found = survived(sizes, np.array([1000, 993, 900, 1000]), 1000)
    assert (found.size, found.low, found.high) == (0.2, 0.1, 0.3)
    assert survived(sizes, np.array([0] * 4), 1000) == noise_survival.Survived(0.0, 0.0, 0.1)
    assert survived(sizes, np.array([1000] * 4), 1000).high == math.inf


def test_the_live_figure_is_given_every_unit_and_its_runs():
    text = dilemma.live_data(dilemma.points()[:3])
    held = json.loads(text.partition(">")[2].removesuffix("</script>"))
    assert [unit["name"] for unit in held["units"]] == list(dilemma.NAMES[:3])
    assert held["units"][0]["rate"] is None and held["units"][1]["rate"] < -1.5
    for unit in held["units"]:
        (survived, thrice), steps = unit["paths"]["state"], dilemma.STEPS // held["every"]
        assert all(len(path) == steps + 1 for path in survived + thrice)
        assert [path[0] for path in survived] == [-100, 100, -100, 100]
        assert all(path[-1] * path[0] > 0 for path in survived)  # the noise that it survives
    assert "input" in held["units"][0]["paths"] and "input" not in held["units"][1]["paths"]


def test_the_flip_flop_is_its_equation():
    for x in (-2.0, -1.0, -1e-9, 0.0, 1.0, 3.0):
        for u in (-1.5, -1.0, -0.9, 0.0, 0.9, 1.0, 1.5):
            up = (abs(u) < 1 and x >= 0) or u >= 1
            assert flip_flop.step(torch.tensor(x), u).item() == (1.0 if up else -1.0)


AXIS = torch.linspace(-1, 1, 5, dtype=torch.float64)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: noise_survival.find("LSTM"), "unknown unit 'LSTM'; known: flip-flop, latch"),
        (lambda: noise_survival.register(UNITS["rotor"]), "'rotor' is registered twice"),
        (
            lambda: noise_survival.register(bit_memories.scalar("odd", integrator(), -1.0, trapped=False)),
            "misreads its own start",
        ),
        (lambda: next(noise_survival.noise(UNITS["rotor"], "both", 0, AXIS, 5)), "way is 'both'"),
        (
            lambda: noise_survival.survives(
                UNITS["rotor"], "state", -AXIS, seed=0, ids=torch.arange(2), steps=5
            ),
            "sizes holds -1",
        ),
        (lambda: safe_levels.contraction_level(1.0, 1.0), "factor is 1.0"),
        (lambda: safe_levels.plane_level(dilemma.SKETCH, AXIS, AXIS > 0, [0.2, 0.1]), "rising numbers"),
        (lambda: safe_levels.plane_level(dilemma.SKETCH, AXIS, AXIS > 0, [0.1]), "images fall outside"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_no_result_is_older_than_its_code():
    assert experiments.code_findings("dilemma") == []
