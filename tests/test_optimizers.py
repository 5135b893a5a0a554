"""Chapter optimizers: the formulas of the slides, the methods' own properties, and the record."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lltd import experiments
from lltd.analysis import cost_surface, discrete_signal, newton, unfolded
from lltd.chapters import optimizers
from lltd.kernels.small_net import ends, slopes
from lltd.philox import Purpose, uniform
from lltd.systems import annealing, gradient_descent, pseudo_newton, small_nets
from lltd.systems import trials_1994 as trials

NAMES = [f"optimizers/{name}" for name in ("methods", "longest", "long", "printed", "settings")]
fractions = st.fractions(-5, 5, max_denominator=40)


def latch(length, method="multigrid", **changed):
    return {"task": "latch", "length": length, "method": method, "budget": 10_000, **changed}


def shown(setting, ids, seed=1):
    whole = trials.complete(setting)
    return trials.sequences(seed, ids, whole, 0, whole["sequences"])


def test_the_three_tasks_and_the_sizes_of_their_nets():
    assert set(trials.TASKS) == set(optimizers.LENGTHS) == {"latch", "two_sequence", "parity"}
    sizes = {task: (trials.NETS[task].units, trials.NETS[task].weights) for task in trials.TASKS}
    assert sizes == {"latch": (1, 3), "two_sequence": (5, 25), "parity": (2, 7)}


def test_what_tells_the_classes_apart():
    ids = torch.arange(50)
    own = shown(latch(20), ids).inputs
    assert (own[:, 0, 0] == 0).all() and (own[:, 0, 1:].sum(1) == 1).all() and (own[:, 1:, 1:] == 0).all()
    two = shown({**latch(20), "task": "two_sequence"}, ids)
    lead = two.inputs[:, :3, 0]  # (S, 3, B)
    for kind in (0, 1):
        mine = lead.movedim(1, 0)[:, two.classes == kind].reshape(3, -1, 50)
        assert (mine == mine[:, :1]).all()  # the same in all sequences of a class
        assert (mine[0] != mine[1]).all()  # and not constant
    assert (two.inputs[:, 3:].abs() <= 0.2).all()


def test_the_surface_is_the_cost_that_the_learners_see():
    ids = torch.arange(20)
    theta = small_nets.initial(5, ids, small_nets.LATCH, 2.0)
    sequences = shown(latch(20), ids)
    found = ends(small_nets.LATCH, theta, sequences.inputs, sequences.lengths)
    torch.testing.assert_close(cost_surface.ends(theta, sequences), found)


@pytest.mark.parametrize("task", optimizers.LENGTHS)
def test_the_gradient_is_the_sum_over_the_copies(task):
    net = trials.NETS[task]
    sequence = shown({**latch(6), "task": task}, torch.arange(2))
    theta = small_nets.initial(5, torch.arange(2), net, 1.5)
    one = torch.ones(2, dtype=torch.float64)
    _, (g, _, _) = slopes(net, theta, sequence.inputs[0], sequence.lengths[0], 0.8 * one, one)
    for run in range(2):
        given_ = sequence.inputs[0, : sequence.lengths[0, run], :, run]
        by_copy, _ = unfolded.derivatives(net, theta[:, run], given_, 0.8)
        whole, _ = unfolded.shared(net, theta[:, run], given_, 0.8)
        torch.testing.assert_close(by_copy.sum(0), whole)
        torch.testing.assert_close(g[:, run], whole)


def worst_curvature(net, kind):
    """Largest relative distance of the recursion's Σ ∂²C/∂w_t² from autograd's."""
    worst, one = 0.0, torch.ones(1, dtype=torch.float64)
    for run in range(3):
        theta = small_nets.initial(3, torch.tensor([run]), net, 1.5)
        given_ = 2 * uniform(3, run, torch.arange(5)[:, None], Purpose.TASK)[: net.inputs, :, 0].T - 1
        _, exact = unfolded.derivatives(net, theta[:, 0], given_, 0.8)
        length = torch.tensor([5])
        _, (_, h, _) = slopes(net, theta, given_[..., None], length, 0.8 * one, one, curvature=kind)
        worst = max(worst, float((h[:, 0] - exact.sum(0)).abs().max() / exact.sum(0).abs().max()))
    return worst


def test_the_recursion_for_curvatures_is_exact_for_one_unit_and_not_for_five():
    assert worst_curvature(small_nets.LATCH, "signed") < 1e-9
    assert worst_curvature(small_nets.LATCH, "gauss-newton") > 0.1
    assert worst_curvature(small_nets.TWO_SEQUENCE, "signed") > 0.1


def test_the_curvature_of_a_shared_weight_may_have_the_other_sign():
    theta, pulse = torch.tensor([0.9, -0.8, 0.5], dtype=torch.float64), torch.zeros(5, 3, dtype=torch.float64)
    pulse[0, 1] = 1
    _, by_copy = unfolded.derivatives(small_nets.LATCH, theta, pulse, 0.8)
    _, whole = unfolded.shared(small_nets.LATCH, theta, pulse, 0.8)
    assert by_copy[:, 0].sum() < 0 < whole[0, 0]


def first_line(g, h, rate, mu):
    """The line above back-propagation's on the slide of the comparison."""
    return -(rate / (h.abs() + mu) * g).sum(0)


def test_the_first_line_of_the_comparison_is_the_time_weighted_formula():
    g, h = (2 * uniform(1, torch.arange(60), k, Purpose.TASK)[0].reshape(5, 3, 4) - 1 for k in (0, 1))
    torch.testing.assert_close(first_line(g, h, 0.1, 0.3), pseudo_newton.time_weighted_step(g, h, 0.1, 0.3))
    assert ((first_line(g, h, 0.1, 0.3) + 0.1 * g.sum(0)).abs() > 1e-3).any()


def test_newton_lands_on_the_stationary_point_and_goes_uphill_where_it_is_a_maximum():
    least, start = torch.tensor([0.5, -1.0]), torch.tensor([2.0, 2.0])
    for h, rises in (
        (torch.diag(torch.tensor([2.0, 1.0])), False),
        (torch.diag(torch.tensor([-2.0, -1.0])), True),
    ):
        g = h @ (start - least)
        torch.testing.assert_close(start + newton.step(g, h), least)
        first_order = g @ newton.step(g, h)
        assert (first_order > 0) == rises
        assert g @ newton.diagonal_step(g, h) < 0  # the absolute value goes down in both


@pytest.mark.parametrize(("examples", "weights"), [(1, 1), (3, 5), (10, 20), (25, 4)])
def test_newton_counts_its_multiplications(examples, weights):
    hessian, solving, diagonal = (newton.multiplications(what, examples, weights) for what in newton.COUNTS)
    assert hessian == examples * weights * (weights + 1) and diagonal == examples * 2 * weights
    n = weights
    assert solving == n * (n - 1) * (2 * n - 1) // 6 + 3 * n * (n - 1) // 2 + n  # W³/3 and smaller terms


def test_no_multiple_of_examples_times_weights_squared_bounds_newtons_update():
    for multiple in (1, 2, 4):
        weights = 12 * multiple
        total = sum(newton.multiplications(what, 1, weights) for what in ("hessian", "solving"))
        assert total > multiple * weights**2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("inverse", 1, 1), "what is 'inverse'"), (("hessian", 0, 1), "examples is 0")],
)
def test_counting_refuses_what_it_does_not_know(arguments, message):
    with pytest.raises(ValueError, match=message):
        newton.multiplications(*arguments)


def means_right(low, high):
    """Of three g in [low, high], which keep their mean as a discrete signal."""
    return [g for g in (low, (low + high) / 2, high) if discrete_signal.mean(g, low, high) == g]


@given(fractions, fractions)
def test_the_discrete_signal_keeps_the_mean_only_between_minus_two_and_two(a, b):
    low, high = min(a, b), max(a, b)
    if low < high and (low, high) != (-2, 2):
        assert len(means_right(low, high)) <= 1
    assert len(means_right(Fraction(-2), Fraction(2))) == 3


@given(fractions, fractions, st.fractions(0, 1, max_denominator=50))
def test_the_printed_probabilities_do_not_sum_to_one(a, b, share):
    low, high = min(a, b), max(a, b)
    if low == high:
        return
    g = low + share * (high - low)
    assert (sum(discrete_signal.printed(g, low, high)) == 1) == (g == low)
    p = discrete_signal.probability(g, low, high)
    assert p + (high - g) / (high - low) == 1 and 0 <= p <= 1


@pytest.mark.parametrize("g", [Fraction(-3), Fraction(3)])
def test_a_signal_outside_its_bounds_is_refused(g):
    with pytest.raises(ValueError, match=f"g is {g}"):
        discrete_signal.probability(g, Fraction(-2), Fraction(2))


def turns(change, x, wish):
    """Whether a change of x has the wished effect on sign(x), or leaves it where it is already as wished."""
    return discrete_signal.sign(x + change(x, wish)) == (1 if wish > 0 else -1)


@given(fractions, st.sampled_from((-2, 2)))
def test_a_change_onto_the_threshold_turns_no_unit_down(x, wish):
    def printed(x, wish):
        return -x

    def ours(x, wish):
        return discrete_signal.asked(x, wish, Fraction(1, 100))

    assert turns(ours, x, wish)
    assert turns(printed, x, wish) == (wish > 0)


@pytest.mark.parametrize("box", [0.01, 100.0])
def test_the_box_of_annealing_keeps_about_half_of_the_moves_accepted(box):
    """Metropolis at a fixed temperature in a parabola, from a box far too small and one far too large."""
    ids, x = torch.arange(200), torch.zeros(200, dtype=torch.float64)
    box = torch.full_like(x, box)
    for adjustment in range(60):
        taken = torch.zeros_like(x)
        for cycle in range(20):
            chance = uniform(1, ids, 20 * adjustment + cycle, Purpose.SEARCH)
            moved = x + box * (2 * chance[0] - 1)
            accepted = annealing.accepts(moved**2 - x**2, 0.5, chance[1])
            x, taken = torch.where(accepted, moved, x), taken + accepted
        box = annealing.resized(box, taken / 20)
        if adjustment == 0:
            assert taken.mean() / 20 < 0.1 or taken.mean() / 20 > 0.9
    assert 0.4 < taken.mean() / 20 < 0.6


def test_multigrid_never_goes_uphill_and_does_not_follow_the_gradient():
    ids = torch.arange(100)
    sequences, runs = shown(latch(20), ids), trials.start(1, ids, latch(20))
    runs.advance()
    against = 0
    for _ in range(60):
        before, cost = runs.theta, runs.cost
        runs.advance()
        assert (runs.cost <= cost).all()
        against += int((((runs.theta - before) * cost_surface.gradient(before, sequences)).sum(0) > 0).sum())
    assert against > 0


@pytest.mark.parametrize("method", trials.METHODS)
def test_three_methods_of_1994_ask_for_no_gradient(method, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a gradient was asked for")

    for module in (gradient_descent, pseudo_newton):
        monkeypatch.setattr(module, "slopes", refuse)
    setting = latch(5, method) | {"budget": 100}
    if method in (*optimizers.GRADIENTS, "sign"):
        with pytest.raises(AssertionError, match="asked for"):
            trials.learn(1, torch.arange(2), [setting] * 2)
    else:
        trials.learn(1, torch.arange(2), [setting] * 2)


def test_annealing_goes_uphill():
    runs = trials.start(1, torch.arange(100), latch(20, "annealing"))
    runs.advance()
    costs = []
    for _ in range(60):
        runs.advance()
        costs.append(runs.cost)
    assert (torch.stack(costs).diff(dim=0) > 0).any()


@pytest.mark.parametrize("length", [5, 50])
def test_following_the_slope_never_goes_uphill_and_finds_the_basin_from_its_edge(length):
    sequences = cost_surface.training_set(length)
    w, u = torch.linspace(1.8, 3, 10, dtype=torch.float64), torch.linspace(0.5, 1.5, 10, dtype=torch.float64)
    theta = torch.cat((cost_surface.symmetric(w, u), cost_surface.symmetric(w, 0.5 * u)), dim=1)
    last = cost_surface.follow(theta, sequences, 100)
    assert (cost_surface.cost(last, sequences) <= cost_surface.cost(theta, sequences)).all()
    assert cost_surface.solved(last, sequences).all()


def test_obstacles_are_told_apart():
    sequences, fresh = (cost_surface.training_set(50, seed=seed) for seed in (1, 2))
    before = torch.tensor([[0.4], [-0.2], [0.3]], dtype=torch.float64)
    assert cost_surface.obstacle(before, sequences, fresh, reach=1e9) == cost_surface.SLOPE
    assert cost_surface.obstacle(before, sequences, fresh, reach=1e-9) == cost_surface.PLATEAU
    ids = torch.arange(8)
    early, later = (trials.sequences(1, ids, trials.complete(latch(100)), first, 30) for first in (0, 30))
    shallow = 0.2 * small_nets.initial(1, ids, small_nets.LATCH)
    assert (cost_surface.obstacle(shallow, early, later, reach=1.0, steps=150) == cost_surface.DIMPLE).all()
    alternating = torch.tensor([[-1.5], [0.1], [-0.1]], dtype=torch.float64)
    assert (
        cost_surface.obstacle(alternating, *[cost_surface.training_set(5)] * 2, reach=1.0)
        == cost_surface.MINIMUM
    )


@pytest.mark.parametrize(
    ("theta", "message"), [(torch.zeros(2, 5), "theta has shape"), (torch.zeros(3), "theta has shape")]
)
def test_the_surface_has_three_weights(theta, message):
    with pytest.raises(ValueError, match=message):
        cost_surface.ends(theta, cost_surface.training_set(5))


def test_a_walk_needs_steps():
    with pytest.raises(ValueError, match="steps is 0"):
        cost_surface.follow(torch.zeros(3, 1), cost_surface.training_set(5), 0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"box": 0.0}, "box is 0"),
        ({"factor": 1.0}, "factor is 1"),
        ({"budget": 0}, "budget is 0"),
        ({"target": 1.2}, "target is 1.2"),
        ({"method": "newton"}, "method is 'newton'"),
        ({"cooling": 0.9}, "cooling is no setting of multigrid"),
    ],
)
def test_bad_settings_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        trials.learn(1, torch.arange(2), [latch(5) | changed] * 2)


def test_cooling_must_cool():
    with pytest.raises(ValueError, match="cooling is 1"):
        trials.learn(1, torch.arange(1), [latch(5, "annealing", cooling=1.0)])


def test_the_readings_change_settings_that_their_methods_have():
    for _, case in optimizers.SENSITIVITY:
        trials.complete({**case, "budget": 1})
    assert len({repr(case) for _, case in optimizers.SENSITIVITY}) == len(optimizers.SENSITIVITY)


def test_how_many_times_slower_is_a_mean_of_logarithms():
    slow = np.full((2, 30), 1000.0)
    quick = [np.full((2, 40), 10.0), np.full((2, 30), 1000.0)]
    assert optimizers.slower(slow, quick) == pytest.approx(np.full(30, 1.0))


@pytest.mark.parametrize("name", NAMES)
def test_runs_that_learnt_quickly_are_replayed_to_what_is_stored(name):
    record, work = experiments.read(name), experiments.find(name)
    quick = np.flatnonzero((record["presentations"] > 0) & (record["presentations"] <= 400))
    ids = [int(id) for id in np.random.default_rng(3).permutation(quick)[:6]]
    fresh = experiments.recompute(work, work.recipe, ids)
    for key, found in fresh.items():
        assert (found == record[key][ids]).all()


def test_runs_that_did_not_learn_are_replayed_to_what_is_stored():
    record, work = experiments.read("optimizers/methods"), experiments.find("optimizers/methods")
    cells = record.where(method=("multigrid", "guessing", "annealing"), length=(3, 5, 10))
    runs = np.flatnonzero(np.tile(cells, work.recipe.runs // len(cells)) & (record["presentations"] < 0))
    ids = [int(id) for id in np.random.default_rng(4).permutation(runs)[:8]]
    fresh = experiments.recompute(work, work.recipe, ids)
    assert (fresh["presentations"] == -1).all() and (fresh["wrong"] == record["wrong"][ids]).all()


def test_no_result_is_older_than_its_code():
    assert experiments.code_findings("optimizers") == []
