"""Chapter latching: its theorems searched for counterexamples, weaker hypotheses refuted, its counterexamples run."""

import math
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lltd.analysis import bifurcations, energy, latch, searches, two_readings, uncertainty
from lltd.analysis.basins import reduced
from lltd.analysis.counterexamples import overshoot, spectral_latch, stall, szlenk
from lltd.analysis.maps import Map, autonomous, operator_norm, orbit, scalar, spectral_radius, tanh_net
from lltd.analysis.norms import Norm
from lltd.chapters import latching
from lltd.philox import Purpose, normal, uniform

pytestmark = pytest.mark.usefixtures("doubles")


@cache
def settled_cycles():
    return tuple(searches.settled_cycles(80))


def neuron(w: float) -> Map:
    return tanh_net(torch.tensor([[w]]))


def test_an_orbit_without_inputs_is_the_autonomous_one():
    for case in searches.cases(50):
        n = len(case.state)
        assert torch.equal(
            orbit(case.net, case.state, torch.zeros(30, n)), autonomous(case.net, case.state, 30)
        )


def test_a_gate_keeps_a_number_that_its_net_of_double_size_loses_when_left_alone():
    doubled = latching.with_additive_inputs(lambda a, u: u * a, n=1)
    state = torch.tensor([0.7, 1.0])
    for _ in range(100):
        state = doubled(state) + torch.tensor([0.0, 1.0])
    assert state.tolist() == [0.7, 1.0]
    assert doubled(doubled(state)).tolist() == [0.0, 0.0]


# Definitions 2 to 4


def test_szlenk_s_cycle_repels():
    proof = szlenk.certify()
    assert proof.holds and proof.radius_squared < 1 < proof.multiplier
    F, cycle = szlenk.as_map(), szlenk.cycle()
    assert (spectral_radius(F.derivative(cycle)) < 1e-6).all()
    assert not reduced(F, cycle, spectral_radius, 4).any()
    start = cycle[0] + torch.tensor([1e-6, 0])
    assert (autonomous(F, start, 100)[-1] - cycle).norm(dim=-1).min() > 1


def test_cycles_with_small_multipliers_keep_states_and_lose_gradients_under_weak_inputs():
    found = settled_cycles()
    assert len(found) > 60 and any(len(cycle) > 1 for _, cycle in found)
    assert all((searches.growing_near_cycle(net, cycle, 1e-3, 4, 100) < 0).all() for net, cycle in found)


def test_small_eigenvalues_at_each_point_of_a_cycle_do_not_suffice_for_that():
    assert (searches.growing_near_cycle(szlenk.as_map(), szlenk.cycle(), 1e-12, 4, 30) > 0).all()


def test_small_multipliers_have_a_power_of_small_norm():
    for net, cycle in settled_cycles():
        powers = torch.eye(cycle.shape[1])
        for t in range(400 * len(cycle)):
            powers = net.derivative(cycle[t % len(cycle)]) @ powers
            if t % len(cycle) == len(cycle) - 1 and operator_norm(powers) < 1:
                break
        assert operator_norm(powers) < 1


def test_small_norms_on_an_attractor_stay_small():
    found = 0
    for net, cycle in settled_cycles():
        if (operator_norm(net.derivative(cycle)) < 1).all():
            found += 1
            assert (
                reduced(net, cycle, operator_norm, 60).all()
                and reduced(net, cycle, spectral_radius, 60).all()
            )
    assert found > 20


def test_a_closed_set_that_is_not_bounded_may_be_all_of_space():
    half = scalar("half", lambda x: x / 2, lambda x: torch.full_like(x, 0.5))
    line = torch.linspace(-100, 100, 201)[:, None]
    assert torch.equal(half(2 * line), line)  # onto: M(R) = R
    assert (operator_norm(half.derivative(line)) < 1).all()


def test_to_come_near_again_and_again_is_not_to_converge():
    x = [0.3]
    for _ in range(5000):
        x.append(4 * x[-1] * (1 - x[-1]))
    late = x[2500:]
    assert min(late) < 1e-5 and max(late) > 0.99


def test_without_absolute_values_a_slope_of_minus_two_is_small():
    slope = neuron(-2.0).derivative(torch.zeros(1))
    assert torch.linalg.eigvals(slope).real.item() < 1 < spectral_radius(slope).item()


def test_at_w_one_zero_attracts_with_slope_one():
    a = torch.linspace(-5, 5, 100)
    for t in range(1, 10_001):
        a = torch.tanh(a)
        if t in (100, 10_000):
            assert a.abs().max() < 1.01 * math.sqrt(1.5 / t)
    assert neuron(1.0).derivative(torch.zeros(1)).item() == 1


def test_the_gradient_at_slope_one_falls_as_a_power():
    log = latching.quiet_after_one()
    ratios = [math.exp(log[t]) * t**1.5 for t in (1000, 10_000)]
    assert ratios == pytest.approx([1.64, 1.64], abs=0.01)
    a = torch.tensor(1.0, requires_grad=True)
    b = a
    for _ in range(50):
        b = torch.tanh(b)
    b.backward()
    assert math.exp(log[50]) == pytest.approx(a.grad.item(), rel=1e-12)


@settings(deadline=None, max_examples=40)
@given(st.floats(1.05, 6))
def test_the_neuron_s_reduced_set_begins_where_the_slope_is_one(w):
    a = torch.linspace(1e-3, 8, 500)[:, None]
    edge = latch.critical_state(w)
    clear = (a[:, 0] - edge).abs() > 1e-9
    inside = a[:, 0] > edge
    assert torch.equal(reduced(neuron(w), a, operator_norm, 60)[clear], inside[clear])
    after = neuron(w)(a[inside]) - latch.critical_input(w)
    assert (after > edge - 1e-12).all()  # carried into itself, under the worst harmless input
    assert neuron(w)(torch.tensor([edge])) - 1.01 * latch.critical_input(w) < edge


def test_figure_3_prints_u_star_with_its_digits_cut_off():
    proof = latch.critical_input_enclosure(2)
    assert proof.holds and 0.532 < float(proof.input.lower) < float(proof.input.upper) < 0.533
    assert float(proof.input.upper) - float(proof.input.lower) <= 1.01e-12


# Bifurcations


@settings(deadline=None, max_examples=30)
@given(st.floats(1.1, 4), st.floats(-2.5, 2.5))
def test_there_are_two_attractors_inside_the_cusp_only(w, u):
    if abs(abs(u) - latch.critical_input(w)) < 1e-3:
        return
    low, high = bifurcations.settled(torch.tensor(w), u, torch.tensor([-9.0, 9.0]), steps=600)[0]
    assert (high - low > 1e-6) == (abs(u) < latch.critical_input(w))


@settings(deadline=None, max_examples=30)
@given(st.floats(1.1, 4), st.floats(-6, 6))
def test_a_cycle_of_two_lives_below_the_flip_input_only(w, u):
    if abs(abs(u) - bifurcations.flip_input(-w)) < 2e-2:
        return
    now, then = bifurcations.settled(torch.tensor(-w), u, torch.tensor([0.7]), steps=1500)
    assert ((now - then).abs().item() > 1e-6) == (abs(u) < bifurcations.flip_input(-w))


@settings(deadline=None, max_examples=30)
@given(st.floats(-1, 1), st.floats(-3, 3))
def test_up_to_w_one_all_states_come_together(w, u):
    ends = bifurcations.settled(torch.tensor(w), u, torch.linspace(-9, 9, 7), steps=3000)[0]
    assert ends.max() - ends.min() < 0.06  # at |w| = 1, u = 0 only as t^(-1/2)


@pytest.mark.parametrize("w", [1.25, 2.0, 4.0])
def test_the_passage_takes_as_long_as_predicted(w):
    excess = torch.tensor([1e-3, 1e-5, 1e-7])
    ratio = bifurcations.passage_time(w, excess) * excess.sqrt() / bifurcations.passage_constant(w)
    assert (1 - ratio).abs()[-1] < 5e-3 and ((1 - ratio).abs().diff() < 0).all()


def test_a_law_with_another_exponent_would_be_noticed():
    excess = torch.tensor([1e-3, 1e-5, 1e-7])
    wrong = bifurcations.passage_time(2.0, excess) * excess**0.6
    assert wrong.max() / wrong.min() > 2


# Theorems 1 and 2


def test_where_the_norm_exceeds_one_some_neighbour_is_driven_apart():
    assert searches.not_expanding(1000) == 0


def test_that_search_finds_nets_where_the_norm_is_below_one():
    assert searches.not_expanding(200, 0.5, 0.99) > 50


def test_a_differentiable_map_may_have_a_remainder_of_order_three_halves():
    s = 2.0 ** -torch.arange(4, 40, dtype=torch.float64)
    remainder = s * s.sqrt()  # of M(x) = x |x|^(1/2) at 0, where M' = 0
    assert (remainder / s).diff().max() < 0 and (remainder / s)[-1] < 1e-5  # o(s)
    assert (remainder / s**2)[-1] > 1e5  # not O(s²)


def test_a_state_outside_the_reduced_set_keeps_its_bit():
    assert latch.safe_input_enclosure(2, "0.5").holds
    w, start = 2.0, 0.5
    net, bound = neuron(w), latch.safe_input(w, start)
    signs = torch.stack([2 * uniform(5, torch.arange(2000), t, Purpose.NOISE)[0] - 1 for t in range(300)])
    signs[:, 0] = -1
    states = orbit(net, torch.tensor([start]), 0.999 * bound * signs[..., None])
    assert (states > start - 1e-12).all() and net.derivative(states[0, 0]).item() > 1.5
    assert orbit(net, torch.tensor([start]), -1.01 * bound * torch.ones(300, 1))[-1] < 0


def test_growth_in_the_basin_is_finite_and_then_decays():
    a = torch.linspace(1e-3, 5, 200)[:, None]
    states, log = autonomous(neuron(2.0), a, 200), torch.zeros(200)
    logs = []
    for state in states:
        log = log + neuron(2.0).derivative(state)[:, 0, 0].log()
        logs.append(log)
    assert torch.stack(logs).max() < math.log(2000) and logs[-1].max() < -100


def test_slopes_below_one_need_not_contract():
    x = torch.tensor([latch.critical_state(2.0)])
    ratios = [two_readings.ratio(neuron(2.0), x + gap, x + 2 * gap).item() for gap in (1e-1, 1e-3, 1e-5)]
    assert ratios == sorted(ratios) and 1 - 1e-4 < ratios[-1] < 1
    net, y = two_readings.creeping(), torch.linspace(0, 30, 100)[:, None]
    assert (net.derivative(y).abs() < 1).all() and (net(y) > y).all()  # no fixed point


def test_a_supremum_below_one_contracts():
    assert searches.not_lipschitz(600) == 0


def test_moderate_eigenvalues_may_stretch():
    assert searches.not_lipschitz(60, "eigenvalues") > 10
    net, e = two_readings.shear(), torch.tensor([0.0, 1.0])
    assert spectral_radius(net.derivative(e)).item() == pytest.approx(0.9, abs=1e-6)
    assert two_readings.ratio(net, e, 0 * e) > 10


# Theorem 3


def test_a_stalled_state_never_comes_near_its_attractor():
    proof = stall.certify()
    assert proof.holds and proof.distance > 2 * proof.radius  # beyond the theorem, and beyond 2b/(1 - λ)
    inputs = torch.full((2000, 1), float(stall.INPUT))
    states = orbit(stall.as_map(), torch.tensor([50.0]), inputs)
    assert (states - 50).abs().max() < 1e-6
    assert autonomous(stall.as_map(), torch.tensor([50.0]), 4000)[-1].abs() < 2  # on its way to 0


def test_bounded_inputs_keep_a_state_in_the_tube():
    ratios = searches.overruns(300)
    assert len(ratios) > 50 and ratios.max() <= 1 + 1e-9


def test_a_rate_along_the_orbit_alone_does_not():
    assert (searches.overruns(100, on_balls=False) > 1.01).any()


def test_the_bound_of_the_tube_is_attained_by_a_linear_map():
    line = scalar("line", lambda a: 0.8 * a, lambda a: torch.full_like(a, 0.8))
    states = orbit(line, torch.zeros(1), torch.full((50, 1), 0.3))[:, 0]
    torch.testing.assert_close(states, uncertainty.radii(0.3, 0.8, 50))


def test_the_limit_is_one_radius_from_the_attractor_not_two():
    w, b = 2.0, 0.25
    radii = torch.linspace(0, latch.fixed_point(w), 2000).tolist()
    radius = next(r for r in radii if uncertainty.certified_bound(w, r) >= b)
    signs = torch.stack(
        [2 * uniform(4, torch.arange(2000), t, Purpose.NOISE)[0] - 1 for t in range(200)]
    ).sign()
    signs[:, 0] = -1
    states = orbit(neuron(w), torch.tensor([4.0]), b * signs[..., None])
    assert (states[100:] - latch.fixed_point(w)).abs().max() <= radius


def test_the_rate_on_a_ball_is_never_less_than_at_a_point_of_it():
    for case in searches.cases(200):
        radius = torch.tensor(2 * case.chance)
        bound = uncertainty.rate_on_balls(case.W, case.state, radius, case.norm)
        shift = case.vectors * (radius / case.norm.of(case.vectors))[:, None]
        here = case.norm.operator(case.net.derivative(case.state + shift))
        assert here.max() <= bound * (1 + 1e-12)


def test_a_sphere_inside_the_reduced_set_may_grow_in_one_step():
    assert overshoot.certify().holds
    ball = torch.tensor([[4 - 1e-3], [4 + 1e-3]])
    assert reduced(overshoot.as_map(), ball, operator_norm, 300).all()
    first, second, third = autonomous(overshoot.as_map(), ball, 2).diff(dim=1).abs().flatten()
    assert second < third < first


# Symmetric and small weights


def test_symmetric_nets_come_to_rest_iff_no_eigenvalue_is_below_minus_one():
    for n in (2, 3, 5):
        assert searches.moving_for_ever(1000, -0.99, n) == 0
        assert searches.moving_for_ever(1000, -1.0, n, 3000) == 0
        assert searches.moving_for_ever(1000, -1.5, n) > 50


@pytest.mark.parametrize("smallest", [-1.0, -0.5, 0.3])
def test_symmetric_nets_descend_their_energy(smallest):
    ids = torch.arange(500)
    W, bias = energy.symmetric(2, ids, 4, smallest), normal(3, ids[:, None], torch.arange(4), Purpose.TASK)[0]
    a = 3 * normal(4, ids[:, None], torch.arange(4), Purpose.TEST)[0]
    for _ in range(100):
        following = (W @ torch.tanh(a)[..., None])[..., 0] + bias
        d = torch.tanh(following) - torch.tanh(a)
        fall = energy.energy(W, a, bias) - energy.energy(W, following, bias)
        least = ((d * (W @ d[..., None])[..., 0]).sum(-1) + (d * d).sum(-1)) / 2
        assert (fall >= least - 1e-12).all()
        a = following


def test_energy_may_rise_where_an_eigenvalue_is_below_minus_one():
    W = energy.symmetric(2, torch.arange(500), 4, -1.5)
    a = 3 * normal(4, torch.arange(500)[:, None], torch.arange(4), Purpose.TEST)[0]
    assert (energy.energy(W, (W @ torch.tanh(a)[..., None])[..., 0]) > energy.energy(W, a) + 0.01).any()


@pytest.mark.parametrize("n", [1, 2, 4, 8])
def test_below_minus_one_there_is_a_cycle_of_two(n):
    W = energy.symmetric(1, torch.arange(200), n, -1.3)
    a = energy.two_cycle(W)
    torch.testing.assert_close((W @ torch.tanh(a)[..., None])[..., 0], -a, rtol=0, atol=1e-6)
    assert a.norm(dim=-1).min() > 0.1


def test_without_symmetry_a_net_may_circle():
    net, a = tanh_net(torch.tensor([[0.0, -2.0], [2.0, 0.0]])), torch.tensor([1.0, 0.5])
    late = autonomous(net, a, 400)[-9:]
    torch.testing.assert_close(late[:5], late[4:])
    assert (late[1:] - late[:-1]).norm(dim=-1).min() > 1


def test_small_weights_lead_to_zero_but_small_eigenvalues_may_not():
    assert searches.not_at_zero(3000) == 0
    assert searches.not_at_zero(3000, "eigenvalues") > 0
    proof = spectral_latch.certify()
    assert proof.holds and proof.trace == 1 and proof.rate < 1
    end = autonomous(spectral_latch.as_map(), torch.tensor([3.0, -3.0]), 500)[-1]
    assert end.tolist() == pytest.approx([1.1205, -2.6449], abs=1e-3)


def test_small_weights_shrink_states_in_weighted_norms():
    for case in searches.cases(300):
        W = case.W * (0.9 / case.norm.operator(case.W))
        states = case.norm.of(autonomous(tanh_net(W), case.state, 30))
        assert (states[1:] <= 0.9 * states[:-1] * (1 + 1e-12) + 1e-300).all()


def test_a_box_that_is_not_carried_into_itself_gets_no_certificate():
    assert not spectral_latch.certify(centre=(spectral_latch.CENTRE[0] + 1, spectral_latch.CENTRE[1])).holds


# Both readings, and bad input


def test_the_table_of_both_readings():
    found = two_readings.both_readings()
    table = {statement: (first.holds, second.holds) for statement, first, second in found.rows}
    assert "Szlenk" in repr(found) and found._repr_html_().count("<tr>") == 1 + len(two_readings.ITEMS)
    assert table["Lemma 1: X lies in Γ(X)"] == (False, True)
    assert table["Theorem 1"] == (True, True)
    assert table["Theorem 2"] == (False, False)
    assert table["Theorem 3: within b/(1 - λ)"] == (False, False)
    assert table["Theorem 3, corrected"] == (False, True)
    assert sum(holds for holds, _ in table.values()) < sum(holds for _, holds in table.values())


def test_a_counterexample_that_shows_nothing_is_an_error():
    with pytest.raises(RuntimeError, match="does not do what is said"):
        two_readings._refuted(False, "nothing")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bifurcations.flip_input(-1.0), "w is -1.0"),
        (lambda: bifurcations.passage_constant(1.0), "w is 1.0"),
        (lambda: bifurcations.passage_time(2.0, torch.tensor([0.0])), "excess is 0.0"),
        (lambda: bifurcations.passage_time(2.0, torch.tensor([1e-6]), limit=10), "limit is 10"),
        (lambda: uncertainty.radii(1.0, 1.0, 3), "rate is 1.0"),
        (lambda: uncertainty.certified_bound(2.0, 5.0), "radius is 5.0"),
        (lambda: energy.energy(torch.tensor([[0.0, 1.0], [2.0, 0.0]]), torch.zeros(2)), "not symmetric"),
        (lambda: energy.two_cycle(torch.eye(2)), "smallest eigenvalue is 1"),
        (lambda: energy.two_cycle(torch.diag(torch.tensor([-1.5, 0.0])), steps=1), "steps is 1"),
        (
            lambda: uncertainty.rate_on_balls(
                torch.eye(2), torch.zeros(2), 1.0, Norm(torch.tensor([[1.0, 1.0], [0.0, 1.0]]), 2)
            ),
            "not diagonal",
        ),
    ],
)
def test_bad_input_is_refused_with_its_name_and_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
