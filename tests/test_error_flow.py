"""Chapter error_flow: its equations against each other, and every bound searched for a net that breaks it."""

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lltd import experiments
from lltd.analysis import bit_descent, error_bounds, error_flow, random_nets, step_factor, three_forms
from lltd.analysis.norms import Norm
from lltd.chapters import error_flow as chapter
from lltd.philox import Purpose, normal

SLACK = 1 + 1e-9
SHAPES = list(product((2, 3, 4, 5), (1, 2, 3, 4, 6, 8)))  # units and lags
NETS = 50  # of each shape


def many(n, count, draw=0, seed=7):
    """Normal numbers (count, n), others for each draw."""
    blocks = torch.arange(-(-n // 4)) + 1000 * draw
    return (
        normal(seed, torch.arange(count)[:, None], blocks, Purpose.INITIAL).movedim(0, -1).flatten(1)[:, :n]
    )


def drawn(n, q):
    """Nets (NETS, n, n) with about half of the weights 0, and slopes (q, NETS, n) anywhere in (0, 1/4)."""
    W = torch.where(many(n * n, NETS, q) > 0, 2 * many(n * n, NETS, 50 + q), 0.0).unflatten(1, (n, n))
    slopes = torch.special.ndtr(many(q * n, NETS, 100 + q)).unflatten(1, (q, n)).movedim(1, 0) / 4
    return W, slopes


def factors(W, slopes):
    matrix, log = error_flow.flow(W, slopes)
    return matrix.abs() * log.exp()[..., None, None]


def weighted_norm(n, p, spread):
    """A norm with max |x_i| <= ||x||: its unit vectors are as long as `spread` makes them, 1 for spread 0."""
    return Norm(torch.diag((spread * torch.arange(n).double()).exp()), p)


def broken(constant, spread, p, shear=False):
    """How many drawn nets have a factor above constant(norm) (f'_max ||W||)^q, f'_max the largest ||F'(tau)||."""
    count = 0
    for n, q in SHAPES:
        W, slopes = drawn(n, q)
        norm = weighted_norm(n, p, spread)
        if shear:
            norm = Norm(norm.S + many(n * n, 1, q, seed=9)[0].reshape(n, n), p)
        steepest = norm.operator(torch.diag_embed(slopes)).amax(0)
        limit = constant(norm) * ((steepest * norm.operator(W)) ** q)[:, None, None]
        count += int((factors(W, slopes) > SLACK * limit + 1e-300).any((-1, -2)).sum())
    return count


def corrected(norm):
    return norm.reaches()[:, None] * norm.units()[None, :]


def as_printed(norm):
    return len(norm.S)


def test_recursion_paths_product_autograd_and_complex_step_agree():
    found = three_forms.differences(100)
    assert max(found) < three_forms.TOLERANCE


def test_a_wrong_index_would_be_seen():
    case = three_forms.random_case(4)
    slopes = three_forms.slopes(case)
    right = error_flow.recursion(case.W, slopes, 0)
    assert not torch.allclose(right, error_flow.recursion(case.W.T, slopes, 0))
    assert not torch.allclose(right, error_flow.recursion(case.W, slopes.flip(0), 0))


def test_the_total_flow_is_the_sum_over_output_units():
    for n, q in SHAPES:
        W, slopes = (part[0] for part in (drawn(n, q)[0], drawn(n, q)[1].movedim(1, 0)))
        outputs = range(0, len(W), 2)
        each = torch.stack([error_flow.recursion(W, slopes, k) for k in outputs])
        error = torch.zeros(len(W)).double()
        error[list(outputs)] = 1.0
        for slope in slopes.flip(0):
            error = slope * (error @ W)
        torch.testing.assert_close(each.sum(0), error)
        assert error.abs().max() <= len(each) * each.abs().max() * SLACK


def test_a_path_grows_and_shrinks_with_the_bounds_of_its_steps():
    for n, q in SHAPES:
        W, slopes = drawn(n, q)
        step = (W * slopes[..., None, :]).abs()
        largest = error_bounds.log_sizes(W, slopes)["largest path"][-1]
        assert (largest <= q * step.amax((0, 2, 3)).log() + 1e-12).all()
        loop = step.diagonal(dim1=-2, dim2=-1).amin(0).amax(-1)  # a unit that stays with itself
        assert (largest >= q * loop.log() - 1e-12).all()


def test_step_factors_may_exceed_one_for_ever_and_leave_a_path_finite():
    for sign, limit in ((1, 2.384231), (-1, 0.288788)):  # the products of 1 + 2^-k and of 1 - 2^-k
        wanted = 1 + sign * 2.0 ** -torch.arange(1, 60).double()
        W, slopes = torch.tensor([[8.0]]).double(), wanted[:, None] / 8
        assert ((slopes > 0) & (slopes < 0.25)).all()  # slopes that a logistic unit has
        assert factors(W, slopes)[0, 0].item() == pytest.approx(limit, abs=1e-6)


def exact_flow(W, q):
    """(W / 4)^q in fractions: the factors of a net that rests at activations of 1/2."""
    n = len(W)
    power = [[Fraction(i == j) for j in range(n)] for i in range(n)]
    for _ in range(q):
        power = [[sum(W[i][m] * power[m][j] for m in range(n)) / 4 for j in range(n)] for i in range(n)]
    return power


def test_every_path_grows_and_their_sum_is_zero():
    W = [[Fraction(5), Fraction(5)], [Fraction(-5), Fraction(-5)]]
    assert all(abs(w) / 4 > 1 for row in W for w in row)
    assert exact_flow(W, 2) == [[0, 0], [0, 0]]


def test_every_path_shrinks_and_their_sum_grows():
    W = [[Fraction(39, 10)] * 2] * 2
    assert all(abs(w) / 4 < 1 for row in W for w in row)
    assert all(exact_flow(W, q)[0][0] == Fraction(39, 20) ** q / 2 for q in (1, 2, 10, 100))


def test_random_nets_of_small_weights_let_the_error_grow():
    ids = torch.arange(20)
    nets = random_nets.draw(3, ids, 100, 12.0, centred=True)
    assert nets.W.abs().max() < 2.1
    logs = error_flow.flow(nets.W, random_nets.slopes(nets, random_nets.noise(3, ids, 100, 200))).log
    assert (logs / 200 > 0.1).all()


def test_a_single_unit_below_four_always_loses_the_error():
    ids = torch.arange(200)
    for gain in (0.5, 1.0, 2.0, 2.3):  # w_max = sqrt(3) gain < 4
        nets = random_nets.draw(3, ids, 1, gain, centred=True)
        logs = error_flow.flow(nets.W, random_nets.slopes(nets, random_nets.noise(3, ids, 1, 100))).log
        assert (logs <= 100 * (nets.W.abs().flatten() / 4).log() + 1e-9).all() and (logs < 0).all()


@pytest.mark.parametrize("a", [-3.0, -0.2, 0.01, 0.5, 1.0])
@pytest.mark.parametrize("c", [-7.0, -1.0, 0.0, 0.3, 5.0])
def test_the_step_factor_is_largest_where_coth_says(a, c):
    for w in step_factor.best_weights(a, c):
        assert w * a == pytest.approx(1 / math.tanh((w * a + c) / 2), rel=1e-9)
        side = torch.linspace(0, 4 * abs(w) + 40 / abs(a), 40_001).double() * math.copysign(1, w)
        best = step_factor.step_factor(torch.tensor(w).double(), a, c)
        assert (step_factor.step_factor(side, a, c) <= best * SLACK).all()


def test_an_input_above_0_224_never_reaches_one_without_other_inputs():
    x, _ = step_factor.best_weights(1.0)
    peak = step_factor.step_factor(torch.tensor(x).double(), 1.0).item()
    assert (x, peak) == (pytest.approx(1.543405, abs=1e-6), pytest.approx(0.223872, abs=1e-6))
    w = torch.linspace(-2000, 2000, 400_001).double()
    assert (step_factor.step_factor(w, 0.2239) < 1).all() and (step_factor.step_factor(w, 0.2238) >= 1).any()
    assert (step_factor.step_factor(w, 0.5, -w / 2) >= 1).any()  # with a bias that follows, any |w| >= 4 does


@given(st.floats(-300, 300), st.floats(-1, 1), st.floats(-300, 300))
def test_a_step_factor_is_below_a_quarter_of_the_weight_and_falls_in_the_end(w, a, c):
    w = torch.tensor(w).double()
    found = step_factor.step_factor(w, a, c)
    assert found <= abs(w) / 4 * SLACK
    assert found <= abs(w) * math.exp(-abs(w.item() * a + c)) * SLACK


def test_no_slope_is_above_a_quarter():
    net = torch.linspace(-800, 800, 1_600_001).double()
    slope = random_nets.logistic_slope(net)
    assert slope.max() <= 0.25 * SLACK and random_nets.logistic_slope(torch.zeros(())) == 0.25
    assert (slope[net.abs() < 700] > 0).all()


@pytest.mark.parametrize("p", [1, 2, math.inf])
def test_the_corrected_bound_holds_in_every_norm(p):
    assert broken(corrected, spread=3.0, p=p) == 0


@pytest.mark.parametrize("p", [1, 2, math.inf])
def test_the_factor_n_is_not_needed_where_unit_vectors_have_norm_one(p):
    assert broken(lambda norm: 1.0, spread=0.0, p=p) == 0
    assert broken(lambda norm: 0.5, spread=0.0, p=p) > 0  # and 1 cannot be lowered


@pytest.mark.parametrize("p", [1, 2, math.inf])
def test_the_printed_bound_fails_where_unit_vectors_are_longer(p):
    assert broken(as_printed, spread=0.0, p=p) == 0
    assert broken(as_printed, spread=3.0, p=p) > 0


@pytest.mark.parametrize("p", [1, 2, math.inf])
def test_the_corrected_bound_holds_in_sheared_norms(p):
    assert broken(corrected, spread=1.0, p=p, shear=True) == 0
    assert broken(lambda norm: corrected(norm) / 3, spread=1.0, p=p, shear=True) > 0


def test_the_printed_bound_fails_in_exact_arithmetic():
    W = [[Fraction(1, 10), Fraction(1)], [Fraction(0), Fraction(1, 10)]]
    weights = (Fraction(1), Fraction(100))  # ||x|| = |x_1| + 100 |x_2| >= max |x_i|
    size = max(sum(weights[i] * abs(W[i][j]) for i in range(2)) / weights[j] for j in range(2))
    printed = 2 * (size / 4) ** 2
    assert size == Fraction(11, 100)
    assert exact_flow(W, 2)[0][1] == Fraction(1, 80) > Fraction(121, 80000) == printed
    assert sum(weights[i] * W[i][1] for i in range(2)) > size  # ||W_v|| <= ||W|| fails as well
    norm = Norm(torch.diag(torch.tensor([1.0, 100.0]).double()), 1)
    assert norm.operator(torch.tensor([[0.1, 1.0], [0.0, 0.1]]).double()).item() == pytest.approx(float(size))


def test_a_row_of_weights_may_exceed_the_norm_of_the_matrix():
    norm = Norm(torch.eye(2).double(), 1)
    W = torch.tensor([[1.0, 1.0], [0.0, 0.0]]).double()
    assert (norm.units() == 1).all() and norm.operator(W) == 1
    assert norm.of(W[0]) == 2


def test_columns_are_bounded_by_the_matrix_and_rows_by_its_transpose():
    for n, q in SHAPES:
        W, _ = drawn(n, q)
        for p in (1, 2, math.inf):
            norm = weighted_norm(n, p, 0.0)
            assert (norm.of(W.mT) <= SLACK * norm.operator(W)[:, None]).all()
            assert (norm.of(W) <= SLACK * norm.operator(W.mT)[:, None]).all()


def scalar_products_above(constant, norm):
    """How many of some hundred pairs have |x.y| > constant ||x|| ||y||; one pair is all ones."""
    x, y = (many(len(norm.S), 300, draw) for draw in (0, 1))
    x[0] = y[0] = 1.0
    return int(((x * y).sum(-1).abs() > SLACK * constant * norm.of(x) * norm.of(y)).sum())


@pytest.mark.parametrize("p", [1, 2, math.inf])
def test_a_scalar_product_is_at_most_n_times_the_norms(p):
    for n in range(2, 8):
        for spread in (0.0, 1.0):
            norm = weighted_norm(n, p, spread)
            assert scalar_products_above(n, norm) == 0
            assert (
                scalar_products_above(n, Norm(norm.S / norm.S.amax() / 10, p)) > 0
            )  # components exceed the norm
        assert scalar_products_above(n - 0.5, weighted_norm(n, math.inf, 0.0)) > 0  # and n cannot be spared


def beyond(power):
    """How many nets, one of each shape with all weights equal, have a factor above lambda^q / n^power."""
    count = 0
    for n, q in SHAPES:
        W, slopes = drawn(n, q)
        W[0], slopes[:, 0] = 1.7, 0.25
        entrywise = torch.linalg.matrix_power(W.abs() / 4, q)
        limit = (n * W.abs().amax((-1, -2), keepdim=True) / 4) ** q / n**power
        found = factors(W, slopes)
        assert (found <= SLACK * entrywise + 1e-300).all()
        count += int((found > SLACK * limit).any((-1, -2)).sum())
    return count


def test_the_factor_is_at_most_lambda_to_the_q_over_n():
    assert beyond(-1) == 0  # as printed: n lambda^q
    assert beyond(1) == 0  # n^2 times better
    assert beyond(2) > 0  # and no further


def test_equal_weights_attain_the_entrywise_bound():
    for n, q in product((2, 5, 30), (1, 2, 7, 50)):
        signs = (-1.0) ** torch.arange(n).double()
        W = 3.0 / n * signs[:, None] * signs
        found = factors(W, torch.full((q, n), 0.25).double())
        torch.testing.assert_close(found, torch.full_like(found, 0.75**q / n), rtol=1e-12, atol=0)


@pytest.mark.parametrize("n", [2, 3])
def test_at_lag_four_only_nets_of_one_sign_pattern_attain_it(n):
    attained = []
    for signs in product((-1.0, 1.0), repeat=n * n):
        W = torch.tensor(signs).double().reshape(n, n)
        if (torch.linalg.matrix_power(W / 4, 4).abs() >= (n / 4) ** 4 / n / SLACK).any():
            attained.append(W)
    s = [torch.tensor((1.0, *rest)).double() for rest in product((-1.0, 1.0), repeat=n - 1)]
    wanted = [sign * one[:, None] * one for one in s for sign in (1, -1)]
    assert len(attained) == len(wanted) == 2**n
    assert all(any(torch.equal(W, other) for other in wanted) for W in attained)


@pytest.mark.parametrize("p", [1, 2, math.inf])
def test_the_printed_bound_is_never_reached_with_more_than_one_unit(p):
    assert broken(lambda norm: len(norm.S) / 2, spread=0.0, p=p) == 0


def survivors(measure, size):
    """How many nets, scaled to measure(W) = size, keep an error over 300 steps; units are closed at random."""
    count = 0
    for n in (2, 4, 6):
        W = many(n * n, 100, n).unflatten(1, (n, n))
        W = W * (size / measure(W))[:, None, None]
        closed = torch.where(many(n, 100, n + 1) > 0, 0.25, 0.01)  # for good, in half of the nets
        flicker = (
            torch.where(many(300 * n, 100, n + 2) > -1, 0.25, 0.01)
            .unflatten(1, (300, n))
            .movedim(1, 0)
            .clone()
        )
        flicker[:, ::2] = closed[::2]
        count += int((error_flow.flow(W, flicker).log > 0).sum())
    return count


def radius(W):
    return torch.linalg.eigvals(W).abs().amax(-1)


def test_a_spectral_radius_of_absolute_weights_below_four_makes_every_error_vanish():
    assert survivors(lambda W: radius(W.abs()), 3.8) == 0
    assert survivors(radius, 3.8) > 0  # that of W itself does not,
    assert survivors(lambda W: W.abs().amax((-1, -2)), 3.8) > 0  # nor do weights below 4
    W = torch.tensor([[3.9, -3.9], [3.9, 3.9]]).double()
    assert error_bounds.worst_case_rate(W).item() == pytest.approx(1.95)


def test_a_spectral_radius_of_four_or_more_keeps_an_error_for_some_signs_and_inputs():
    for n in (2, 3, 5):
        W = many(n * n, 60).unflatten(1, (n, n)).abs() + 0.01
        W = W * (4.1 / radius(W))[:, None, None]
        assert (error_flow.flow(W, torch.full((400, 60, n), 0.25).double()).log > 0).all()


def test_log_sizes_are_what_their_names_say():
    n, q = 3, 4
    W, slopes = drawn(n, q)[0][3], drawn(n, q)[1][:, 3]
    sizes = {name: logs[-1].exp().item() for name, logs in error_bounds.log_sizes(W, slopes).items()}
    every = torch.stack(
        [torch.stack([error_flow.paths(W, slopes, k, v) for v in range(n)]) for k in range(n)]
    )
    norm = torch.linalg.matrix_norm
    assert sizes == pytest.approx(
        {
            "largest path": every.abs().max().item(),
            "factor": every.sum(-1).abs().max().item(),
            "all paths": every.abs().sum(-1).max().item(),
            "norms": math.prod(norm(W * slope, ord=2).item() for slope in slopes),
            "entrywise": torch.linalg.matrix_power(W.abs() / 4, q).max().item(),
            "2-norm": (norm(W, ord=2).item() / 4) ** q,
            "lambda^q / n": (n * W.abs().max().item() / 4) ** q / n,
            "n (W/4)^q": n * (norm(W, ord=math.inf).item() / 4) ** q,
            "n lambda^q": n * (n * W.abs().max().item() / 4) ** q,
        }
    )


def test_the_record_keeps_the_order_that_is_proved():
    decades = dict(zip(error_bounds.QUANTITIES, np.moveaxis(chapter.decades(), -1, 0), strict=True))
    for small, large in (
        ("factor", "all paths"),
        ("largest path", "all paths"),
        ("all paths", "entrywise"),
        ("entrywise", "lambda^q / n"),
        ("entrywise", "n (W/4)^q"),
        ("factor", "norms"),
        ("norms", "2-norm"),
        ("lambda^q / n", "n lambda^q"),
        ("n (W/4)^q", "n lambda^q"),
    ):
        assert (decades[small] <= decades[large] + 0.002).all(), (small, large)


def test_the_learning_rate_leaves_the_ratio_of_long_and_short_contributions_as_it_is():
    delta, sources = (normal(4, 0, torch.arange(60), Purpose.TEST)[i].reshape(12, 5) for i in (0, 1))
    ratios = []
    for rate in (1e-3, 0.1, 10.0):
        updates = -rate * error_flow.contributions(delta, sources)
        ratios.append(torch.linalg.matrix_norm(updates[0]) / torch.linalg.matrix_norm(updates[-1]))
    torch.testing.assert_close(torch.stack(ratios), ratios[0].expand(3), rtol=1e-12, atol=0)


def test_more_units_may_have_less_error_flow():
    one = exact_flow([[Fraction(1)]], 2)[0][0]
    two = exact_flow([[Fraction(1), Fraction(1)], [Fraction(-1), Fraction(-1)]], 2)
    assert one == Fraction(1, 16) and all(entry == 0 for row in two for entry in row)


def test_one_index_convention_is_used_throughout():
    W = torch.tensor([[0.0, 1.0], [0.0, 0.0]]).double()  # [W]_12 = w_12: from unit 2 to unit 1
    assert factors(W, torch.full((1, 2), 0.25).double())[0, 1] == 0.25  # row 1, column 2
    assert error_flow.matrix_form(W + torch.eye(2), torch.full((2, 2), 0.25).double(), 0, 1) != 0
    assert error_flow.matrix_form(W + torch.eye(2), torch.full((2, 2), 0.25).double(), 1, 0) == 0


def test_descent_follows_the_gradient():
    ids = torch.arange(6)
    nets = random_nets.draw(5, ids, 4, 2.0, centred=True)
    slow = bit_descent.descend(nets, 5, ids, lag=2, rate=1e-3, epochs=20)
    assert slow.error.shape == (20, 6) and not slow.turned.any() and (slow.error.diff(dim=0) < 0).all()
    assert bit_descent.descend(nets, 5, ids, lag=2, rate=300.0, epochs=20).turned.any()


def test_errors_of_a_hundred_units_vanish_then_explode_then_vanish_as_weights_grow():
    ids = torch.arange(4)
    for gain, low, high in ((1.0, -0.8, -0.5), (64.0, 0.3, 0.5), (1024.0, -1.5, -0.7)):  # decades a step
        nets = random_nets.draw(1, ids, 100, gain, centred=True)
        log = error_flow.flow(nets.W, random_nets.slopes(nets, random_nets.noise(1, ids, 100, 400))).log
        assert (low * 400 * math.log(10) < log).all() and (log < high * 400 * math.log(10)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: error_flow.recursion(torch.zeros(2, 3), torch.zeros(1, 2), 0), "W has shape"),
        (lambda: error_flow.paths(torch.zeros(2, 2), torch.zeros(3, 4), 0, 0), "slopes has shape"),
        (lambda: error_flow.paths(torch.zeros(10, 10), torch.zeros(9, 10), 0, 0), "at most a million"),
        (lambda: error_flow.matrix_form(torch.zeros(2, 2), torch.zeros(1, 2), 0, 0), "lags above 1"),
        (lambda: random_nets.draw(1, torch.arange(2), 0, 1.0, True), "n is 0"),
        (lambda: random_nets.draw(1, torch.arange(2), 2, -1.0, True), "positive"),
        (lambda: step_factor.best_weights(0.0), "a is 0"),
        (lambda: Norm(torch.zeros(2, 2), 2), "singular"),
        (lambda: Norm(torch.eye(2), 3), "p is 3"),
        (lambda: Norm(torch.ones(2), 2), "S has shape"),
        (lambda: bit_descent.descend(None, 1, torch.arange(2), 0, 1.0, 5), "lag is 0"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_no_result_is_older_than_its_code():
    assert experiments.code_findings("error_flow") == []


@pytest.mark.parametrize("name", ["bounds", "lags", "descent"])
def test_a_run_alone_is_the_run_it_is_among_others(name):
    """Although most of these nets are chaotic, and another rounding would make another run."""
    work = experiments.find(f"error_flow/{name}")
    ids = [5, 77, 83, 245, 77 + len(work.recipe.cells)]
    together = experiments.recompute(work, work.recipe, ids)
    for place in (1, 3):
        alone = experiments.recompute(work, work.recipe, ids[place : place + 1])
        assert all(np.array_equal(alone[key][0], together[key][place]) for key in alone)
