"""Chapter gradient_loss: its bounds searched for counterexamples, its operators against paths and autograd."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from lltd.analysis import gradient_by_time, joint_spectral_radius, latch, latched_decay, projection, transfer
from lltd.analysis.counterexamples import two_attractors
from lltd.analysis.jacobian_products import log_norms, partial_products
from lltd.analysis.maps import operator_norm, orbit, spectral_radius, tanh_net
from lltd.chapters import gradient_loss as chapter
from lltd.philox import Purpose, normal, uniform
from lltd.systems import feeding_latch, recurrent_net

WEIGHTS = st.floats(1.02, 8)
pytestmark = pytest.mark.usefixtures("doubles")


def drawn(case, *shape, purpose=Purpose.TASK):
    """Standard normal numbers of a shape, for case number `case`."""
    return normal(77, case, torch.arange(math.prod(shape)), purpose)[0].reshape(shape)


def within(logs, bound):
    """Whether logarithms of derivatives, for t = 1, 2, …, stay under those of a bound, but for rounding."""
    return bool((logs <= bound + 1e-9 * (1 + bound.abs())).all())


# Theorem 4, norms


NORMS = {
    "2": operator_norm,
    "1": lambda J: torch.linalg.matrix_norm(J, ord=1),
    "inf": lambda J: torch.linalg.matrix_norm(J, ord=math.inf),
}


def norm_bound_holds(case, size, norm, limit, runs=500, n=3, steps=30):
    """Whether products of random matrices of size(J) = limit, the derivatives along trajectories, keep to limit**t."""
    factors = drawn(case, steps, runs, n, n)
    factors = factors * (limit / size(factors))[..., None, None]
    logs = torch.stack([norm(part.matrix).log() + part.log for part in partial_products(factors)])
    return within(logs, math.log(limit) * torch.arange(1.0, steps + 1)[:, None].expand_as(logs))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("limit", [0.2, 0.9, 0.999])
def test_norms_bounded_below_one_bound_the_derivative(norm, limit):
    assert all(norm_bound_holds(case, NORMS[norm], NORMS[norm], limit) for case in range(4))


@pytest.mark.parametrize("norm", NORMS)
def test_eigenvalues_bounded_below_one_do_not(norm):
    assert not norm_bound_holds(0, spectral_radius, NORMS[norm], 0.9)


def test_slopes_below_one_need_not_multiply_to_zero():
    low, high = latched_decay.pochhammer()
    assert float(high - low) < 1e-15 and 0.2887880950866 < low < high < 0.2887880950867
    for w in (1.25, 2.0, 5.0):
        states, inputs = latched_decay.undecayed(w, 40)
        slopes = w / states.cosh() ** 2
        assert (slopes < 1).all() and (states > latch.critical_state(w)).all()  # in Γ, always
        torch.testing.assert_close(states[1:], w * states[:-1].tanh() + inputs)
        assert slopes.prod() == pytest.approx(float(high), rel=1e-9)
        assert inputs.min() < -latch.critical_input(w)  # which is why the next theorem escapes


@given(st.lists(st.floats(1e-6, 0.999), min_size=1, max_size=200))
def test_a_product_of_slopes_lies_between_bounds_from_the_sum_of_gaps(gaps):
    product, total = math.prod(1 - gap for gap in gaps), sum(gaps)
    assert 1 - total - 1e-12 <= product <= math.exp(-total) * (1 + 1e-9)


# One neuron: the square law and the exponential


def latch_logs(w, start, inputs):
    """log of da_t/da_0 for t = 1 … T of one neuron under inputs (T,)."""
    a, log, logs = start, 0.0, []
    for u in inputs.tolist():
        log += math.log(w) - 2 * math.log(math.cosh(a))
        a = w * math.tanh(a) + u
        logs.append(log)
    return torch.tensor(logs)


def tape(case, steps, limit, worst):
    """Inputs of at most `limit`: random, or at each step against the latch."""
    chance = 2 * uniform(77, case, torch.arange(steps), Purpose.NOISE)[0] - 1
    return torch.full((steps,), -limit) if worst else limit * chance


def square_law_holds(w, margin, case, worst, excess=1.0, steps=400):
    start = latch.critical_state(w) + margin
    bound = latched_decay.envelope(w, start, steps)[1:].log()
    return within(latch_logs(w, start, tape(case, steps, excess * latch.critical_input(w), worst)), bound)


@given(WEIGHTS, st.floats(0.001, 4), st.integers(0, 1000), st.booleans())
def test_inputs_up_to_the_critical_one_leave_a_square_law(w, margin, case, worst):
    assert square_law_holds(w, margin, case, worst)


def test_thousands_of_latches_keep_to_the_square_law():
    runs, steps = 4000, 200
    draw = uniform(78, torch.arange(runs), 0, Purpose.TASK)
    w = 1.02 + 4 * draw[0]
    critical, edge = (
        torch.tensor([f(float(each)) for each in w]) for f in (latch.critical_input, latch.critical_state)
    )
    start = edge + 3 * draw[1]
    a, slope = start, torch.ones(runs)
    for t in range(1, steps + 1):
        chance = 2 * uniform(78, torch.arange(runs), t, Purpose.NOISE)[0] - 1
        slope = slope * w / a.cosh() ** 2
        a = w * a.tanh() + critical * torch.where(draw[2] < 0.3, -1, chance)
        assert (slope <= (1 + t * (1 - 1 / w).sqrt() * (start - edge)) ** -2 * (1 + 1e-9)).all()


def test_inputs_beyond_the_critical_one_break_the_square_law():
    assert not square_law_holds(2.0, 0.3, 0, worst=True, excess=1.05)


@given(WEIGHTS, st.floats(1e-4, 6))
def test_the_slope_is_at_most_the_squared_ratio(w, e):
    c, tau = latch.critical_state(w), math.sqrt(1 - 1 / w)
    g = math.tanh(e) / (1 + tau * math.tanh(e))
    assert g == pytest.approx(w * (math.tanh(c + e) - math.tanh(c)), rel=1e-7, abs=1e-12)
    assert w / math.cosh(c + e) ** 2 <= (g / e) ** 2 * (1 + 1e-9)
    assert 1 / g >= 1 / e + tau - 1e-9 / e


@pytest.mark.parametrize("w", [1.25, 2.0, 4.0])
def test_the_worst_inputs_attain_the_square_law_up_to_a_constant(w):
    start, steps = latch.fixed_point(w), 200_000
    logs = latch_logs(w, start, torch.full((steps,), -latch.critical_input(w)))
    attained = math.exp(float(logs[-1]) + 2 * math.log(steps))
    assert attained == pytest.approx(latched_decay.limit(w, start), rel=1e-3)


def test_the_constant_of_the_square_law_at_two():
    assert latched_decay.limit(2.0, latch.fixed_point(2.0)) == pytest.approx(1.02711, abs=1e-5)


def exponential_holds(w, margin, share, case, worst, given_share=None, steps=200):
    start, u = latch.critical_state(w) + margin, latch.critical_input(w)
    factor = latched_decay.rate(w, start, share * u)
    limit = (share if given_share is None else given_share) * u
    return within(
        latch_logs(w, start, tape(case, steps, limit, worst)), math.log(factor) * torch.arange(1, steps + 1)
    )


@given(WEIGHTS, st.floats(0.001, 4), st.floats(0, 0.999), st.integers(0, 1000), st.booleans())
def test_inputs_below_the_critical_one_leave_an_exponential(w, margin, share, case, worst):
    assert latched_decay.rate(w, latch.critical_state(w) + margin, share * latch.critical_input(w)) < 1
    assert exponential_holds(w, margin, share, case, worst)


def test_inputs_beyond_their_bound_break_the_exponential():
    assert not exponential_holds(2.0, 2.0, 0.5, 0, worst=True, given_share=1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: latched_decay.envelope(2.0, 0.8, 5), "a is 0.8"),
        (lambda: latched_decay.rate(2.0, 2.0, 0.6), "bound is 0.6"),
        (lambda: latched_decay.rate(2.0, 2.0, -0.1), "bound is -0.1"),
        (lambda: latched_decay.undecayed(0.9, 5), "w is 0.9"),
    ],
)
def test_bounds_need_a_latched_state(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# Theorem 4, eigenvalues, and the joint spectral radius


def test_a_net_latched_by_eigenvalues_multiplies_its_derivative():
    net, start = two_attractors.as_map(), torch.tensor(two_attractors.P, dtype=torch.float64)
    states = orbit(net, start, two_attractors.alternating_inputs(20))
    factors = net.derivative(states[:-1])
    assert (spectral_radius(factors) < 1).all()
    logs = log_norms(factors)
    assert (logs[1::2] >= math.log(5) * torch.arange(2, 21, 2)).all() and logs[-1] > math.log(9e13)
    found = joint_spectral_radius.bounds(factors[:2])
    assert 5 <= found.low <= found.high < 5.01 and found.word in ((0, 1), (1, 0))


def test_the_joint_spectral_radius_of_triangular_matrices_is_their_largest_diagonal():
    for case in range(30):
        matrices = drawn(case, 3, 2, 2).triu()
        exact = float(matrices.diagonal(dim1=-2, dim2=-1).abs().max())
        found = joint_spectral_radius.bounds(matrices, length=14)
        assert found.low == pytest.approx(exact, rel=1e-4) and found.high >= exact * (1 - 1e-9)


def test_the_joint_spectral_radius_of_the_golden_pair():
    pair = torch.tensor([[[1.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]]])
    found = joint_spectral_radius.bounds(pair)
    golden = (1 + math.sqrt(5)) / 2
    assert found.low == pytest.approx(golden) and golden - 1e-9 <= found.high < golden + 2e-3


def products_stay_within(matrices, radius, case, steps=60):
    """Whether a random product of the matrices keeps to C radius**t, with C the largest norm of a short one."""
    picks = (uniform(77, case, torch.arange(steps), Purpose.TASK)[0] * len(matrices)).long()
    excess = log_norms(matrices[picks]) - math.log(radius) * torch.arange(1, steps + 1)
    return float(excess.max()) < 3.0


@pytest.mark.parametrize("case", range(40))
def test_no_trajectory_in_a_box_outgrows_the_joint_spectral_radius_of_its_corners(case):
    W, middle = drawn(case, 2, 2), drawn(case, 2, purpose=Purpose.INITIAL)
    low, high = middle - 0.3, middle + 0.3
    found = joint_spectral_radius.bounds(
        joint_spectral_radius.corners(W, *joint_spectral_radius.slopes(low, high)), length=10, gap=0.02
    )
    inside = low + (high - low) * uniform(77, case, torch.arange(100), Purpose.NOISE)[:2].T
    assert products_stay_within(tanh_net(W).derivative(inside), found.high, case)


def test_the_largest_eigenvalue_is_no_substitute_for_the_joint_spectral_radius():
    J = two_attractors.as_map().derivative(torch.tensor([two_attractors.P, two_attractors.Q]).double())
    assert not products_stay_within(J, float(spectral_radius(J).max()), 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: joint_spectral_radius.bounds(torch.ones(2, 3)), r"shape \(2, 3\)"),
        (lambda: joint_spectral_radius.bounds(torch.ones(1, 2, 2), gap=0.0), "gap is 0.0"),
        (
            lambda: joint_spectral_radius.corners(torch.eye(2), torch.ones(2), torch.zeros(2)),
            "low must not exceed high",
        ),
    ],
)
def test_the_joint_spectral_radius_needs_square_matrices(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# Paths and means


def test_the_mean_derivative_is_the_derivative_of_the_mean():
    w, s, h, start = 1.25, 0.2, 1e-4, 0.7

    def mean_output(a, steps):
        states = transfer.grid(w, s)
        f, kernel = np.tanh(states), transfer.operator(w, s, states).T
        spacing = states[1] - states[0]
        for _ in range(steps - 1):
            f = kernel @ f
        first = np.exp(-0.5 * ((states - w * np.tanh(a)) / s) ** 2) * spacing / (s * np.sqrt(2 * np.pi))
        return first @ f

    exact = transfer.path_moments(w, s, start, 40)
    for steps in (1, 5, 40):
        difference = (mean_output(start + h, steps) - mean_output(start - h, steps)) / (2 * h)
        assert exact[steps] == pytest.approx(difference, rel=1e-6)


def test_the_mean_derivative_falls_as_the_bit_does():
    moments = transfer.path_moments(1.25, 0.2, latch.fixed_point(1.25), 300)
    assert moments[300] / moments[299] == pytest.approx(transfer.second_eigenvalue(1.25, 0.2), rel=1e-9)
    assert moments[60] == pytest.approx(0.0322, abs=5e-5)


@pytest.mark.parametrize("power", [1.0, 0.5, -0.5])
def test_moments_of_the_product_agree_with_paths(power):
    w, s, steps, runs = 1.5, 0.4, 6, 200_000
    sample = 10 ** (power * chapter.paths(w, s, steps, runs)[-1])
    exact = transfer.path_moments(w, s, latch.fixed_point(w), steps, power)[-1]
    assert abs(float(sample.mean()) - exact) < 5 * float(sample.std()) / math.sqrt(runs)


def test_differentiation_carries_one_operator_into_the_other():
    states = transfer.grid(1.5, 0.3, 401)
    spectrum = np.linalg.eigvals(transfer.operator(1.5, 0.3, states))
    slopes = np.linalg.eigvals(transfer.gradient_operator(1.5, 0.3, states))
    first, second = (np.sort(np.abs(values))[::-1] for values in (spectrum, slopes))
    np.testing.assert_allclose(second[:6], first[1:7], rtol=1e-8)


def test_the_lyapunov_exponent_is_the_mean_rate_of_long_paths():
    exponent = transfer.lyapunov_exponent(1.5, 0.4)
    decades = chapter.paths(1.5, 0.4, 2000, 200)[-1] * math.log(10) / 2000
    assert float(decades.mean()) == pytest.approx(exponent, abs=5 * float(decades.std()) / math.sqrt(200))
    assert exponent < math.log(transfer.second_eigenvalue(1.5, 0.4)) < 0  # Jensen's inequality, here strict


def test_moments_need_steps():
    with pytest.raises(ValueError, match="steps is -1"):
        transfer.path_moments(1.25, 0.2, 1.0, -1)


# Equation 5


def random_net(case, steps=9):
    W = recurrent_net.init(77, case, 3, 2, gain=2.0)
    targets = torch.full((steps, 3), math.nan)
    targets[-1] = 0.5
    return W, torch.zeros(3), drawn(case, steps, 2), targets


@pytest.mark.parametrize("case", range(20))
def test_the_terms_of_all_times_sum_to_the_gradient(case):
    given_ = random_net(case)
    slope = recurrent_net.bptt(*given_)
    torch.testing.assert_close(gradient_by_time.terms(*given_).sum(0), slope, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("case", range(20))
def test_total_derivatives_count_a_term_once_for_every_step_that_follows(case):
    given_ = random_net(case)
    terms = gradient_by_time.terms(*given_)
    times = torch.arange(len(terms), 0, -1)[:, None, None]
    total = gradient_by_time.total_terms(*given_).sum(0)
    torch.testing.assert_close(total, (times * terms).sum(0), rtol=1e-10, atol=1e-12)


def test_terms_keep_sequences_apart_and_shares_sum_to_one():
    W, start, inputs, targets = random_net(3)
    both = torch.stack((inputs, -inputs), 1)
    terms = gradient_by_time.terms(W, torch.stack((start, start)), both, torch.stack((targets, targets), 1))
    torch.testing.assert_close(terms[:, 0], gradient_by_time.terms(W, start, inputs, targets))
    torch.testing.assert_close(gradient_by_time.shares(terms).sum(0), torch.ones(2))


def test_total_derivatives_need_a_target_at_the_end_alone():
    W, start, inputs, targets = random_net(0)
    with pytest.raises(ValueError, match="before the last step"):
        gradient_by_time.total_terms(W, start, inputs, targets.nan_to_num())


# The jump


def test_the_slope_of_the_cost_in_the_input_weight_is_that_of_autograd():
    w, v = chapter._latches(torch.arange(50))
    v.requires_grad_()
    cost, slope = chapter.end_cost(w, v, 0.1 * chapter.noise(torch.arange(50), 8))
    (exact,) = torch.autograd.grad(cost.sum(), v)
    torch.testing.assert_close(slope.detach(), exact, rtol=1e-10, atol=1e-14)


def test_every_strengthened_loop_keeps_the_bit():
    jump = chapter.flip_of_loop_weight(500)
    assert (jump.change < -1).all()


# III.C


@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(1, 5))
def test_a_state_and_its_derivative_are_put_together_from_two_parts(case, n, p):
    assume(p < n)
    drawn_ = drawn(case, 2, n, n)
    assume(float(torch.linalg.cond(drawn_[0])) < 1e4)
    parts = projection.split(drawn_[0][:p], drawn_[0][p:])  # no orthogonality needed
    a, J = drawn_[1][0], drawn_[1]
    torch.testing.assert_close(parts.state(*parts.parts(a)), a, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(parts.whole(parts.blocks(J)), J, rtol=1e-8, atol=1e-8)


def test_orthonormal_rows_are_their_own_right_inverses():
    parts = chapter.turned(1.1)
    torch.testing.assert_close(parts.P_right, parts.P.T)
    torch.testing.assert_close(parts.R_right, parts.R.T)


def blocks_along(example, steps, split=None):
    """The four blocks of da_t/da_0 for t = 1 … steps, along the map left to itself from a latched state."""
    split = chapter.turned() if split is None else split
    net = chapter.divided(example.name, split, example)
    a = split.state(torch.tensor([2.0]), torch.tensor([0.3]))
    J, out = torch.eye(2), []
    for _ in range(steps):
        J = net.derivative(a) @ J
        a = net(a)
        out.append(split.blocks(J))
    return projection.Blocks(*(torch.stack(each) for each in zip(*out, strict=True)))


def printed_limit_error(example, steps=60):
    """Distance of da_t/da_0 from R+ (dy_t/dy_0) R at the end."""
    blocks, split = blocks_along(example, steps), chapter.turned()
    last = projection.Blocks(*(block[-1] for block in blocks))
    return float((split.whole(last) - split.R_right @ last.y_y @ split.R).abs().max())


def test_the_printed_limit_holds_where_the_parts_do_not_meet():
    assert printed_limit_error(chapter.EXAMPLES[0]) < 1e-12


def test_an_integrator_keeps_the_derivative_in_a_forgotten_latch():
    blocks = blocks_along(chapter.EXAMPLES[2], 60)
    assert blocks.z_z[-1].abs() < 1e-12 and (blocks.z_y.abs() < 1e-12).all()
    assert blocks.y_z[-1] > 0.1 and blocks.y_z[-1] == pytest.approx(float(blocks.y_z[30]), rel=1e-9)
    assert printed_limit_error(chapter.EXAMPLES[2]) > 0.05


def test_a_latch_that_listens_keeps_the_derivative_in_what_it_hears():
    blocks = blocks_along(chapter.EXAMPLES[1], 60)
    assert blocks.z_z[-1].abs() < 1e-12 and blocks.z_y[-1] > 0.1


def forgetting_bound_holds(case, leak, steps=200):
    """The bound B t max(λ, μ)**(t-1) on dy_t/dz_0, for y_t = leak y + b z and a latch z under small inputs."""
    w, b = 1.5 + 2 * float(uniform(77, case, 0, Purpose.TASK)[0]), 0.7
    start, u = latch.fixed_point(w), latch.critical_input(w) / 2
    factor = latched_decay.rate(w, start, u)
    logs = torch.cat((torch.zeros(1), latch_logs(w, start, tape(case, steps - 1, u, worst=False))))
    y_z, ok = torch.zeros(()), True
    for t in range(1, steps + 1):
        y_z = leak * y_z + b * logs[t - 1].exp()
        ok &= bool(y_z <= b * t * max(factor, 0.9) ** (t - 1) * (1 + 1e-9))
    return ok


@pytest.mark.parametrize("case", range(50))
def test_the_printed_limit_holds_where_y_forgets_z(case):
    assert forgetting_bound_holds(case, leak=0.9)


def test_the_printed_limit_needs_a_y_that_forgets():
    assert not forgetting_bound_holds(0, leak=1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: projection.split(torch.eye(3)[:1], torch.eye(3)[1:2]), "n rows of n"),
        (lambda: projection.split(torch.ones(1, 2), torch.ones(1, 2)), "linearly dependent"),
        (lambda: projection.coordinates(2, 2), "p is 2 and n is 2"),
    ],
)
def test_a_split_needs_two_projections_that_span_the_space(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_map_in_two_parts_has_the_derivative_of_autograd():
    net = chapter.divided("turned", chapter.turned(), chapter.EXAMPLES[1])
    a = torch.tensor([0.4, -0.9])
    torch.testing.assert_close(net.derivative(a), torch.autograd.functional.jacobian(net.M, a))


# Modules A and B


def test_what_comes_back_to_a_is_the_gradient_of_autograd():
    V = torch.tensor([0.3, -0.2, 0.5], requires_grad=True)
    patterns, noise = drawn(1, 2, 5, 3), 0.1 * drawn(2, 12, 5)
    states = feeding_latch.unfold(1.1, feeding_latch.says(V, patterns), noise)
    (slope,) = torch.autograd.grad(torch.tanh(states[-1]).sum(), V)
    ours = feeding_latch.gradient(V.detach(), 1.1, patterns, noise)
    torch.testing.assert_close(ours.sum(0), slope, rtol=1e-12, atol=1e-14)


def test_the_gradient_of_the_loop_is_that_of_autograd():
    w, said, noise = torch.tensor(1.1, requires_grad=True), drawn(1, 2, 5), 0.1 * drawn(2, 12, 5)
    states = feeding_latch.unfold(w, said, noise)
    (slope,) = torch.autograd.grad(torch.tanh(states[-1]).sum(), w)
    ours = feeding_latch.loop_gradient(1.1, states.detach()).sum()
    torch.testing.assert_close(ours, slope, rtol=1e-12, atol=1e-14)


def test_training_the_memory_takes_its_weight_past_one():
    training = chapter.train_memory(0.9, steps=20, epochs=60)
    assert training.weight[0] == 0.9 and training.weight[-1] > 1.2
    assert training.back[-1] < 0.01 * training.back.max()


def test_a_speaks_no_longer_than_the_sequence():
    with pytest.raises(ValueError, match="speaks for 4 steps"):
        feeding_latch.unfold(1.0, torch.zeros(4, 2), torch.zeros(3, 2))


def test_a_weight_of_one_lets_a_gradient_of_the_power_three_halves_through():
    states = feeding_latch.unfold(1.0, torch.full((1, 1), 0.5), torch.zeros(40_000, 1))
    back = [float(feeding_latch.reach(1.0, states[: T + 1], 1)[0, 0]) for T in (20_000, 40_000)]
    assert back[0] / back[1] == pytest.approx(2**1.5, rel=1e-3)
