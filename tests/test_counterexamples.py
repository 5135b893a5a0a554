"""The counterexamples and their proofs: exact certificates hold, those of perturbed examples are refused."""

import math
from fractions import Fraction

import mpmath
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lltd.analysis import enclosures, latch, maps
from lltd.analysis.counterexamples import (
    chaotic_bands,
    overshoot,
    sheared_latch,
    spectral_latch,
    stall,
    szlenk,
    two_attractors,
)
from lltd.philox import Purpose, normal, uniform

DOUBLE = torch.float64
MAPS = {
    "szlenk": (szlenk.as_map(), 2, 5.0),
    "stall": (stall.as_map(), 1, 60.0),
    "two attractors": (two_attractors.as_map(), 2, 4.0),
    "chaotic bands": (chaotic_bands.as_map(), 1, 1.5),
    "overshoot": (overshoot.as_map(), 1, 2.0),
    "sheared latch": (sheared_latch.as_map(), 2, 2.0),
}


def states(count, n, scale, run=0):
    return scale * normal(7, run, torch.arange(count * n), Purpose.TEST)[0].reshape(count, n).double()


def ball_of(count, n, size, run=0):
    """Inputs (count, n) of length `size` or less: uniform directions, many of full length."""
    raw = states(count, n, 1.0, run)
    length = (2 * uniform(8, run, torch.arange(count), Purpose.TEST)[0].double()).clamp(max=1)
    return size * raw / raw.norm(dim=-1, keepdim=True) * length[:, None]


@pytest.mark.parametrize("name", MAPS)
def test_the_derivative_is_that_of_autograd(name):
    map, n, scale = MAPS[name]
    a = states(2000, n, scale).requires_grad_()
    rows = [torch.autograd.grad(map(a)[:, i].sum(), a, retain_graph=True)[0] for i in range(n)]
    torch.testing.assert_close(map.derivative(a.detach()), torch.stack(rows, -2), rtol=1e-10, atol=1e-12)


# Szlenk's map: eigenvalues below 1 everywhere, and a cycle that repels.


@pytest.mark.parametrize("k", ["10/9", "11/10", "1.01", "1.15"])
def test_the_szlenk_cycle_repels_although_all_eigenvalues_are_small(k):
    found = szlenk.certify(k)
    assert found.holds and found.multiplier > 1 >= found.radius_squared
    map, cycle = szlenk.as_map(Fraction(k)), szlenk.cycle(Fraction(k))
    torch.testing.assert_close(map(cycle), cycle.roll(-1, 0))
    J = map.derivative(cycle)
    around = maps.spectral_radius(J[3] @ J[2] @ J[1] @ J[0])
    assert maps.spectral_radius(J).max() < 1e-7 and around == pytest.approx(float(found.multiplier))
    assert (cycle**2).sum(-1).mean().item() == pytest.approx(float(found.cycle_squared))


def test_the_multipliers_of_two_szlenk_maps():
    assert szlenk.certify("11/10").multiplier == Fraction(13, 11) ** 4
    assert szlenk.certify().multiplier == Fraction(6, 5) ** 4


@pytest.mark.parametrize("k", ["6/5", "1.155", "1", "0.9"])
def test_the_szlenk_certificate_is_refused_outside_its_range(k):
    assert not szlenk.certify(k).holds


def test_above_two_over_root_three_some_eigenvalue_exceeds_one():
    far = torch.tensor([[200.0, 200.0]], dtype=DOUBLE)
    assert maps.spectral_radius(szlenk.as_map(1.2).derivative(far)) > 1
    assert maps.spectral_radius(szlenk.as_map(2 / math.sqrt(3)).derivative(far)) < 1


@pytest.mark.parametrize("scale", [1.0, 3.0, 100.0])
@pytest.mark.parametrize("k", ["1.01", "10/9", "1.1547"])
def test_the_spectral_radius_of_szlenk_is_the_root_of_its_closed_form(k, scale):
    points, k = states(1000, 2, scale), float(Fraction(k))
    J = szlenk.as_map(k).derivative(points)
    x, y = points.unbind(-1)
    s = 1 + x**2 + y**2
    closed = 3 * k**2 * (x * y) ** 2 * (s + 2) / s**3
    torch.testing.assert_close(torch.linalg.det(J), closed, rtol=1e-9, atol=1e-12)
    assert (closed < 3 * k**2 / 4).all() and 3 * k**2 / 4 <= 1
    # Where the eigenvalues nearly meet, their rounding is the root of that of the entries.
    torch.testing.assert_close(maps.spectral_radius(J), closed.sqrt(), rtol=0, atol=1e-6)


def test_states_near_the_szlenk_cycle_leave_it():
    map, start = szlenk.as_map(), torch.tensor([[3.001, 0.0], [2.999, 0.0]], dtype=DOUBLE)
    end = maps.autonomous(map, start, 200)[-1].abs().amax(-1)
    assert end[0] > 100 and end[1] < 1e-3


def test_eigenvalues_of_factors_say_nothing_of_the_product():
    A, B = (torch.tensor(each, dtype=DOUBLE) for each in szlenk.CORE)
    assert maps.spectral_radius(A) == 0 == maps.spectral_radius(B)
    assert maps.spectral_radius(A @ B) == 4 and torch.equal(B, A.T)


def test_a_szlenk_cycle_needs_k_above_one():
    with pytest.raises(ValueError, match="k is 1"):
        szlenk.cycle(1)


# The stall: theorem 3 as printed.


def test_the_stall_fulfils_theorem_3_and_defies_its_conclusion():
    found = stall.certify()
    assert found.holds and found.slope == (Fraction(399, 1000), Fraction(999, 1000))
    assert found.distance == 50 and found.radius == Fraction(5, 3)
    alone = maps.autonomous(stall.as_map(), torch.tensor([50.0], dtype=DOUBLE), found.step).flatten()
    assert 50 - alone[-1] > 5 / 3 >= 50 - alone[-2]
    state = torch.tensor([[float(stall.STATE)]], dtype=DOUBLE)
    held = maps.orbit(stall.as_map(), state, torch.full((1000, 1, 1), float(stall.INPUT), dtype=DOUBLE))
    torch.testing.assert_close(held[-1], state, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    "change",
    [
        {"rate": "0.39"},  # less than M'(50)
        {"bound": "1.1"},  # the ball is wider than the bump
        {"bound": "0.95"},  # the input is not below it
        {"input": "0.94"},  # the state is not held
        {"state": "49"},
        {
            "state": "1",
            "input": "0.001",
        },  # held, but near the attractor, where the slope is no less than 0.999
        {"rate": "0.99"},  # true, but now the theorem promises a radius of 100
    ],
)
def test_the_stall_is_refused_when_a_number_is_wrong(change):
    assert not stall.certify(**change).holds


def test_the_stalling_map_is_its_exact_self():
    map, y = stall.as_map(), torch.cat([states(1000, 1, 40.0), 50 + states(2000, 1, 1.5)])
    exact = [Fraction(number) for number in y.flatten().tolist()]
    for ours, theirs in ((map(y), stall._M), (map.derivative(y), stall._slope)):
        expected = torch.tensor([float(theirs(number)) for number in exact], dtype=DOUBLE)
        torch.testing.assert_close(ours.flatten(), expected, rtol=1e-14, atol=1e-13)


def test_every_state_of_the_stalling_map_comes_to_zero_without_inputs():
    start = torch.tensor([[-80.0], [10.0], [50.0], [90.0]], dtype=DOUBLE)
    path = maps.autonomous(stall.as_map(), start, 5000)[::100, :, 0]
    assert path[-1].abs().max() < 1
    assert (path.abs().diff(dim=0) < 0).all()


# Theorem 4's net.


def test_the_net_has_its_attractors_and_grows_although_latched():
    found = two_attractors.certify()
    assert found.holds and found.steps == 2
    assert all(Fraction(radius.upper) < 1 for radius in found.radii)
    net = two_attractors.as_map()
    for k, box in enumerate(found.attractors):
        state = torch.tensor([float(side.lower) for side in box], dtype=DOUBLE)
        image = (
            net(state) if k < 2 else net(state).flip(0)
        )  # the cycle's states are each other's mirror images
        torch.testing.assert_close(image, state, rtol=0, atol=1e-10)
    growth = torch.linalg.eigvals(net.derivative(torch.tensor([0.0, 3.0], dtype=DOUBLE)).flip(0)).abs().max()
    assert growth.item() == pytest.approx(float(found.growth.lower), abs=1e-10)


def test_the_derivative_along_the_alternating_inputs_grows_fivefold_a_step():
    net, steps = two_attractors.as_map(), 40
    start = torch.tensor(two_attractors.P, dtype=DOUBLE)
    path = maps.orbit(net, start, two_attractors.alternating_inputs(steps))
    assert path[1].tolist() == pytest.approx(two_attractors.Q, abs=1e-12)
    J = torch.eye(2, dtype=DOUBLE)
    for t, a in enumerate(path[:-1], start=1):
        J = net.derivative(a) @ J
        assert maps.operator_norm(J) >= 5**t * (1 - 1e-12)


@pytest.mark.parametrize(
    "change",
    [
        {"cross": 1},  # one attractor is left
        {"cross": 3},
        {"p": (0, 1)},  # an eigenvalue of M'(p) is -3.6
        {"p": (3, 3)},  # latched, but nothing grows
        {"p": (0, -3)},  # in another basin
    ],
)
def test_the_net_is_refused_when_a_number_is_wrong(change):
    assert not two_attractors.certify(**change).holds


def test_the_net_needs_a_positive_cross_weight():
    with pytest.raises(ValueError, match="cross is -5"):
        two_attractors.certify(cross=-5)


def test_from_everywhere_the_net_comes_to_one_of_its_attractors():
    net, found = two_attractors.as_map(), two_attractors.certify()
    known = [tuple(float(side.lower) for side in box) for box in found.attractors]
    known = torch.tensor([*known, known[2][::-1]], dtype=DOUBLE)
    side = torch.linspace(-9.9, 10, 60, dtype=DOUBLE)
    end = maps.autonomous(net, torch.cartesian_prod(side, side), 500)[-1]
    assert (torch.cdist(end, known).amin(1) < 1e-6).float().mean() == 1


# Chaotic bands: kept for ever, and growing.


@pytest.mark.parametrize(
    "band",
    [
        (),
        ("0.1", "0.75", "2.05"),
        (str(chaotic_bands.WIDE_BOUND), str(chaotic_bands.WIDE_LOW), str(chaotic_bands.WIDE_HIGH)),
        ("0", "1.1805", "1.95"),
    ],
)
def test_the_bands_trap_their_states(band):
    assert chaotic_bands.certify(*band).holds


@pytest.mark.parametrize(
    "band",
    [
        ("0.02",),
        ("0.0101",),
        ("0.01", "1.1359", "1.9599"),
        ("0.01", "1.1361", "1.96"),
        ("0.101", "0.75", "2.05"),
        ("0.01", "0.005", "2"),  # the sign could change
        ("-0.01",),
    ],
)
def test_a_band_that_could_be_left_is_refused(band):
    assert not chaotic_bands.certify(*band).holds


def test_the_certified_band_is_the_one_in_use():
    found = chaotic_bands.certify(
        *(str(x) for x in (chaotic_bands.BOUND, chaotic_bands.LOW, chaotic_bands.HIGH))
    )
    assert found == chaotic_bands.certify() and found.holds


def test_the_banded_map_is_its_exact_self():
    x = torch.cat([states(2000, 1, 1.5), states(500, 1, 0.05) + 2, states(500, 1, 0.05) - 1]).flatten()
    exact = [Fraction(abs(number)) for number in x.tolist()]
    size = torch.tensor([float(chaotic_bands._size(number)) for number in exact], dtype=DOUBLE)
    slope = torch.tensor([float(chaotic_bands._slope(number)) for number in exact], dtype=DOUBLE)
    torch.testing.assert_close(chaotic_bands.step(x), torch.sign(x) * size, rtol=0, atol=1e-12)
    torch.testing.assert_close(chaotic_bands.slope(x), slope, rtol=0, atol=1e-11)


def test_the_banded_map_has_a_continuous_derivative():
    corners = torch.tensor([-2.1, -2.0, -1.1, -1.0, 1.0, 1.1, 2.0, 2.1], dtype=DOUBLE)
    for function in (chaotic_bands.step, chaotic_bands.slope):
        torch.testing.assert_close(function(corners - 1e-12), function(corners + 1e-12), rtol=0, atol=1e-9)


@pytest.mark.parametrize("band", [("0.01", "1.1359", "1.96"), ("0.1", "0.75", "2.05")])
def test_no_input_leads_out_of_a_band(band):
    found, (bound, low, high) = chaotic_bands.certify(*band), map(float, band)
    least, largest = map(float, found.reach)
    size = torch.linspace(low, high, 4001, dtype=DOUBLE)
    for side in (-1, 1):
        after = side * chaotic_bands.step(
            side * size, bound * torch.tensor([[-1.0], [0.3], [1.0]], dtype=DOUBLE)
        )
        assert after.min().item() == pytest.approx(least, abs=1e-3) and after.min() >= least - 1e-12
        assert after.max().item() == pytest.approx(largest, abs=1e-3) and after.max() <= largest + 1e-12


def test_each_half_line_is_the_basin_of_its_band():
    start = torch.cat([torch.logspace(-6, 2, 500, dtype=DOUBLE)] * 2)
    start[::2] *= -1
    end = maps.autonomous(chaotic_bands.as_map(), start[:, None], 500)[-1, :, 0]
    assert torch.equal(torch.sign(end), torch.sign(start))
    assert (end.abs() >= chaotic_bands.LOW).all() and (end.abs() <= chaotic_bands.HIGH).all()


def test_some_trajectory_grows_whatever_the_inputs():
    found = chaotic_bands.certify_growth()
    assert found == (Fraction(33, 19), Fraction(-9, 5), Fraction(206, 125), True)
    steps, radius = 500, 0.02
    u = chaotic_bands.BOUND * (2 * uniform(5, 0, torch.arange(steps), Purpose.TEST)[0].double() - 1)
    # The trajectory that stays near x*, backwards from its end: M falls there, and its inverse contracts.
    x = [float(found.point)]
    for push in reversed(u.tolist()):
        y = (1 - math.sqrt(1 - 4 * (x[-1] - push - 1) / chaotic_bands.GROWTH)) / 2
        x.append(2 - y)
    path = torch.tensor(x[::-1], dtype=DOUBLE)
    torch.testing.assert_close(chaotic_bands.step(path[:-1], u), path[1:], rtol=0, atol=1e-12)
    assert ((path - float(found.point)).abs() <= radius).all()
    assert (chaotic_bands.slope(path).abs() >= float(found.rate)).all()


@pytest.mark.parametrize("change", [("0.02",), ("0.01", "0.01"), ("0.01", "0.12"), ("0.05", "0.1")])
def test_growth_is_refused_when_a_number_is_wrong(change):
    assert not chaotic_bands.certify_growth(*change).holds


def test_the_mean_growth_under_noise_is_above_its_proved_bound():
    coarse, fine = (chaotic_bands.certify_mean_growth(cells) for cells in (1, 4))
    runs, steps = 300, 2000
    x = torch.linspace(chaotic_bands.LOW, chaotic_bands.HIGH, runs, dtype=DOUBLE)
    logs = torch.zeros_like(x)
    for t in range(steps):
        u = chaotic_bands.BOUND * (2 * uniform(6, torch.arange(runs), t, Purpose.TEST)[0] - 1)
        x = chaotic_bands.step(x, u)
        logs += chaotic_bands.slope(x).abs().log()
    measured = (logs / steps).mean().item()
    error = (logs / steps).std().item() / math.sqrt(runs)
    assert 0.39 < coarse < fine < measured + 4 * error
    assert measured - 4 * error < fine + 0.003  # and the bound is sharp


def test_more_steps_never_lower_the_bound_on_growth():
    few, some, many = (chaotic_bands.certify_mean_growth(1, steps) for steps in (1, 10, 40))
    assert few < some < many
    with pytest.raises(ValueError, match="fine is 0"):
        chaotic_bands.certify_mean_growth(0)


# The latching neuron.


@pytest.mark.parametrize("w", ["2", "1.25", "1.001", "10"])
@pytest.mark.parametrize("digits", [3, 12, 40])
def test_the_critical_input_lies_in_its_enclosure(w, digits):
    found = latch.critical_input_enclosure(w, digits)
    assert found.holds
    with mpmath.workdps(digits + 30):
        number = mpmath.mpf(w)
        state = mpmath.acosh(mpmath.sqrt(number))
        for enclosure, value in ((found.state, state), (found.input, number * mpmath.tanh(state) - state)):
            assert mpmath.mpf(enclosure.lower) <= value <= mpmath.mpf(enclosure.upper)
            assert Fraction(enclosure.upper) - Fraction(enclosure.lower) == Fraction(1, 10**digits)
    assert found.slope.contains(1) and latch.critical_state(float(w)) == pytest.approx(
        float(found.state.lower), abs=1e-3
    )


def test_the_critical_input_of_w_2_to_twelve_digits():
    assert latch.critical_input_enclosure(2).input == ("0.532839975353", "0.532839975354")


@pytest.mark.parametrize("w", ["1", "0.5", 0, -2])
def test_enclosures_need_a_latch(w):
    with pytest.raises(ValueError, match="latches only for w > 1"):
        latch.critical_input_enclosure(w)


def test_an_enclosure_needs_an_exact_weight():
    with pytest.raises(TypeError, match=r"w is the float 1.25"):
        latch.critical_input_enclosure(1.25)
    with pytest.raises(ValueError, match="digits is 0"):
        latch.critical_input_enclosure(2, 0)


def test_a_slope_above_one_withstands_its_safe_input():
    found = latch.safe_input_enclosure(2, "0.5")
    assert found.holds and found.input == ("0.424234314520", "0.424234314521")
    assert found.slope == ("1.572895465931", "1.572895465932")
    assert not latch.safe_input_enclosure(2, "0.9").holds  # beyond a_c the slope is less than 1
    assert not latch.safe_input_enclosure(2, "-0.5").holds


@settings(max_examples=100)
@given(st.floats(1.05, 8), st.floats(0.02, 3), st.integers(0, 10**6))
def test_up_to_the_safe_input_a_bit_is_kept_and_beyond_it_is_lost(w, a, run):
    safe, steps = latch.safe_input(w, a), 300
    assert latch.safe_input(w, a) <= latch.critical_input(w) + 1e-12

    def lowest(bound, inputs):
        x = torch.full((8,), a, dtype=DOUBLE)
        low = x.clone()
        for u in inputs:
            x = w * torch.tanh(x) + bound * u
            low = torch.minimum(low, x)
        return low

    random = 2 * uniform(9, run, torch.arange(steps * 8), Purpose.TEST)[0].double().reshape(steps, 8) - 1
    random[:, 0], random[:, 1], random[:, 2] = -1, torch.sign(random[:, 1]), -random[:, 2].abs()
    assert (lowest(safe * (1 - 1e-9), random) >= min(a, latch.critical_state(w)) - 1e-12).all()
    assert lowest(safe + 0.02, random)[0] < 0  # the passage lasts less than 300 steps at this distance


@pytest.mark.parametrize("a", [0.0, -1.0, math.nan])
def test_a_safe_input_needs_a_positive_state(a):
    with pytest.raises(ValueError, match="a is"):
        latch.safe_input(2, a)


# Γ is not forward invariant; a norm of 4 is no danger.


def test_a_state_leaves_gamma_by_its_own_motion():
    found = overshoot.certify()
    assert found.holds
    map = overshoot.as_map()
    path = maps.autonomous(map, torch.tensor([overshoot.START], dtype=DOUBLE), 200)
    slopes = map.derivative(path).flatten()
    assert found.start_slope.contains(slopes[0].item()) and found.next_slope.contains(slopes[1].item())
    assert slopes.cumprod(0).abs().max() < float(found.largest.upper) and slopes[1].abs() > 1
    assert path[-1].item() == pytest.approx(float(found.fixed_point.lower), abs=1e-3)


@pytest.mark.parametrize("start", ["0.1", "0.7", "-4", "0.3"])
def test_a_state_that_does_not_leave_gamma_is_refused(start):
    assert not overshoot.certify(start).holds


@pytest.mark.parametrize("bound", ["0", "0.02", "0.05"])
def test_a_sheared_latch_keeps_its_bit(bound):
    found = sheared_latch.certify(bound)
    assert found.holds and Fraction(found.norm.lower) > 4
    map = sheared_latch.as_map()
    runs = 500
    a = torch.empty(runs, 2, dtype=DOUBLE)
    box = uniform(11, 0, torch.arange(runs), Purpose.TEST).double()
    low, high, side = (float(x) for x in (sheared_latch.LOW, sheared_latch.HIGH, sheared_latch.SIDE))
    a[:, 0], a[:, 1] = low + (high - low) * box[0], side * (2 * box[1] - 1)
    for t in range(300):
        u = ball_of(runs, 2, float(bound), t)
        u[0] = -float(bound) * torch.tensor([0.6, 0.8])
        a = map(a) + u
        assert (a[:, 0] >= low).all() and (a[:, 0] <= high).all() and (a[:, 1].abs() <= side).all()


@pytest.mark.parametrize("bound", ["0.06", "0.1"])
def test_a_sheared_latch_under_stronger_inputs_is_refused(bound):
    assert not sheared_latch.certify(bound).holds


def test_the_attractor_of_the_sheared_latch_has_a_large_norm_and_small_eigenvalues():
    found = sheared_latch.certify()
    attractor = torch.tensor([latch.fixed_point(2), 0.0], dtype=DOUBLE)
    J = sheared_latch.as_map().derivative(attractor)
    assert found.attractor.contains(latch.fixed_point(2))
    assert maps.operator_norm(J).item() == pytest.approx(float(found.norm.lower), abs=1e-10)
    assert maps.spectral_radius(J).item() == found.spectral_radius == Fraction(1, 2)


# Enclosures.


@settings(max_examples=200)
@given(st.fractions(), st.integers(1, 20))
def test_decimals_are_rounded_outwards(number, digits):
    with enclosures.working_digits(60):
        found = enclosures.decimals(enclosures.ball(number), digits)
    assert found.contains(number)
    assert Fraction(found.upper) - Fraction(found.lower) <= Fraction(2, 10**digits)


@settings(max_examples=200)
@given(st.fractions(-3, 3), st.fractions(0, 2), st.floats(0, 1))
def test_an_interval_holds_its_numbers_and_an_image_their_values(low, width, share):
    with enclosures.working_digits(30):
        wide = enclosures.interval(low, low + width)
        number = enclosures.ball(low + Fraction(share) * width)
        assert wide.overlaps(number)
        assert enclosures.image(lambda x: x.tanh(), wide).overlaps(number.tanh())


def test_bad_bounds_are_named():
    with pytest.raises(ValueError, match="low is 2 and high is 1"):
        enclosures.interval(2, 1)
    with pytest.raises(ValueError, match="no bounds"):
        enclosures.decimals(enclosures.ball(-1).sqrt(), 3)


def test_the_maps_do_without_the_library_of_the_certificates(python):
    modules = (chaotic_bands, overshoot, sheared_latch, spectral_latch, stall, szlenk, two_attractors)
    code = f"""
import sys
sys.modules["flint"] = None
from lltd.analysis import latch
from lltd.analysis.counterexamples import {", ".join(module.__name__.rsplit(".", 1)[1] for module in modules)}
print(stall.certify().holds, szlenk.certify().holds, chaotic_bands.certify().holds)
try:
    latch.critical_input_enclosure(2)
except ModuleNotFoundError as error:
    print(error)
"""
    run = python("-c", code)
    assert run.stdout.splitlines() == [
        "True True True",
        "a certificate needs interval arithmetic: pip install python-flint",
    ], run.stderr
