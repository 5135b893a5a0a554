"""The methods of 1994: each step against its formula, and the trials in which they are set against each other."""

import math
from dataclasses import dataclass
from functools import cache
from itertools import product

import pytest
import torch

from lltd.kernels.small_net import ends
from lltd.philox import Purpose, uniform
from lltd.systems import annealing, gradient_descent, guessing, multigrid, pseudo_newton, small_nets
from lltd.systems import trials_1994 as trials
from lltd.systems.batches import Batch, Chance, alike
from lltd.systems.small_nets import LATCH, PARITY, PARITY_A1, TWO_SEQUENCE
from lltd.systems.training_set import OnLine, TrainingSet
from lltd.tasks import parity

pytestmark = pytest.mark.usefixtures("doubles")
SHORT = {"latch": 5, "two_sequence": 5, "parity": 3}


def setting(method, task="latch", length=5, budget=300, **others):
    return {"task": task, "length": length, "method": method, "budget": budget, **others}


def often(count, share, of):
    """Whether a count agrees with a probability, to four standard deviations."""
    return abs(count - share * of) <= 4 * math.sqrt(of * share * (1 - share))


@dataclass
class Bowl(Batch):
    """A toy for searches: the cost is a |θ - centre|², and nothing is ever learned. Its "set" has one sequence."""

    centre: float = 0.0
    size = 1
    net = LATCH

    def examine(self, theta):
        cost = ((theta - self.centre) ** 2).sum(0)
        return cost, cost < 0


# Batches


def test_runs_share_a_batch_if_they_differ_only_in_what_may_be_apart():
    settings = [{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 1}, {"b": 7, "a": 1}]
    assert alike(settings, {"b"}) == [[0, 1, 3], [2]]
    assert alike(settings, ()) == [[0], [1], [2], [3]]


def test_chance_has_the_same_numbers_whatever_is_asked_for_first():
    ids = torch.arange(7)
    asked = Chance(3, ids, 5)
    late = asked.round(200)
    early = asked.round(2)
    u = uniform(
        3, ids, torch.tensor([[4], [5]]), Purpose.SEARCH
    )  # five numbers take two blocks: round 2 has 4, 5
    assert torch.equal(early, torch.cat((u[:, 0], u[:1, 1])))
    asked.keep(ids > 3)
    assert torch.equal(asked.round(2), early[:, 4:])
    assert torch.equal(Chance(3, ids[4:], 5).round(200), late[:, 4:])


# Nets


def test_initial_weights_are_uniform_and_each_run_s_own():
    theta = small_nets.initial(1, torch.arange(4000), TWO_SEQUENCE, 0.5)
    assert theta.shape == (25, 4000)
    assert theta.abs().max() < 0.5
    assert theta.mean().abs() < 4 * 0.5 / math.sqrt(3 * theta.numel())
    assert (theta**2).mean() == pytest.approx(0.25 / 3, rel=0.01)
    assert torch.equal(small_nets.initial(1, torch.tensor([17]), TWO_SEQUENCE, 0.5)[:, 0], theta[:, 17])
    with pytest.raises(ValueError, match="spread is 0: a positive number is needed"):
        small_nets.initial(1, torch.arange(2), LATCH, 0)


def test_nets_have_the_weights_that_are_reported():
    assert [net.weights for net in (LATCH, TWO_SEQUENCE, PARITY, PARITY_A1)] == [3, 25, 7, 7]


def drawn(task, runs=4, count=6, method="gradient", **others):
    whole = trials.complete(setting(method, task, 6, **others))
    sequences = trials.sequences(1, torch.arange(runs), whole, 0, count)
    return TrainingSet.of(trials.net(whole), sequences, 0.8)


def outputs(lessons, theta):
    return ends(lessons.net, theta, lessons.inputs, lessons.lengths)


def test_latch_net_is_one_neuron_that_learns_its_inputs():
    lessons = drawn("latch")
    theta = small_nets.initial(1, torch.arange(4), LATCH)
    for s, b in product(range(6), range(4)):
        w, u1, u2 = theta[:, b]
        x = torch.tensor(0.0)
        for t in range(lessons.lengths[s, b]):
            noise, first, second = lessons.inputs[s, t, :, b]
            x = torch.tanh(w * x + noise + u1 * first + u2 * second)
        assert outputs(lessons, theta)[s, b] == pytest.approx(float(x), abs=1e-14)


def test_two_sequence_net_is_fed_at_the_first_unit_and_read_at_the_last_or_where_one_says():
    theta = small_nets.initial(1, torch.arange(4), TWO_SEQUENCE)
    for read in (None, 0):
        lessons = drawn("two_sequence", read=read)
        for s, b in product(range(6), range(4)):
            x, fed = torch.zeros(5), torch.eye(5)[0]
            for t in range(lessons.lengths[s, b]):
                x = torch.tanh(theta[:, b].reshape(5, 5) @ x + fed * lessons.inputs[s, t, 0, b])
            assert outputs(lessons, theta)[s, b] == pytest.approx(
                float(x[-1 if read is None else 0]), abs=1e-14
            )


def test_parity_net_has_weights_that_solve_every_length():
    hidden, output = (
        torch.tensor([1, 1, -1.5]),
        torch.tensor([1, 1, -2, -1.3]),
    )  # and; one of two, but not both
    theta = 20 * torch.cat((hidden, output))[:, None].expand(7, 50)
    sequences = parity(1, torch.arange(50), first=0, count=20, shortest=1, longest=200, noise=0.2)
    lessons = TrainingSet.of(PARITY, sequences, 1.0)
    assert (outputs(lessons, theta) * lessons.targets > 0.9).all()


def makes_an_xor(a, c, b, alpha, gamma, beta, bias):
    """Whether ax + co + b tanh(αx + γo + β) + bias has the sign of -xo, or of xo, on x, o = ±1."""
    x, o = torch.tensor([[1.0, 1, -1, -1], [1, -1, 1, -1]])[..., None]
    sign = torch.sign((a * x + c * o + b * torch.tanh(alpha * x + gamma * o + beta) + bias) * x * o)
    return (sign.abs().sum(0) == 4) & (sign.sum(0).abs() == 4)


def test_without_a_bias_at_its_output_a_net_cannot_make_the_xor_of_its_input_and_its_output():
    u = 20 * uniform(1, torch.arange(100_000), torch.tensor([[0], [1]]), Purpose.TEST).flatten(0, 1) - 10
    assert not makes_an_xor(*u[:6], bias=0.0).any()
    assert makes_an_xor(*u[:6], bias=u[6]).any()


# Training sets


def test_a_training_set_s_cost_is_half_the_sum_of_squares_and_right_is_a_matter_of_sides():
    lessons = drawn("latch")
    theta = torch.tensor([[2.0, 2, 2, 2], [-3, -3, 3, torch.nan], [3, -3, -3, 3]])
    found = outputs(lessons, theta)
    cost, solved = lessons.examine(theta)
    assert torch.allclose(cost, ((found - lessons.targets) ** 2).sum(0) / 2, equal_nan=True)
    assert solved.tolist() == [True, False, False, False]
    for p in (0, 5, 6, 13):
        inputs, lengths, targets = lessons.show(p)
        assert torch.equal(inputs, lessons.inputs[p % 6])
        assert torch.equal(lengths, lessons.lengths[p % 6])
        assert torch.equal(targets, lessons.targets[p % 6])


def test_lengths_and_classes_are_those_of_1994():
    ids = torch.arange(200)
    for task, length, shortest in (
        ("latch", 5, 3),
        ("two_sequence", 5, 3),
        ("two_sequence", 4, 3),
        ("parity", 3, 2),
    ):
        whole = trials.complete(setting("gradient", task, length))
        sequences = trials.sequences(1, ids, whole, 0, 30)
        assert (sequences.lengths.min(), sequences.lengths.max()) == (shortest, length)
        assert (sequences.classes.sum(0) == 15).all()


@dataclass(kw_only=True)
class Steady(OnLine):
    """On-line learning with the same change every time, of nets that are right or wrong for good."""

    by: float

    def change(self, inputs, lengths, targets):
        return targets, torch.full_like(self.theta, self.by)


def test_momentum_adds_up_and_a_run_that_has_learned_stands_still():
    runs = Steady.start(drawn("latch", runs=2), torch.zeros(3, 2), by=0.1, momentum=torch.tensor([0.0, 0.8]))
    for n in range(1, 6):
        runs.advance()
        lengths = torch.tensor([n, sum((1 - 0.8**k) / 0.2 for k in range(1, n + 1))])
        assert torch.allclose(runs.theta, 0.1 * lengths.expand(3, 2))
    assert not runs.learned.any()
    runs.advance()  # the sixth of six
    assert runs.learned.all()
    assert runs.used.tolist() == [6, 6]
    before = runs.theta
    runs.advance()
    assert torch.equal(runs.theta, before)
    assert runs.used.tolist() == [6, 6]


# Steps of the methods that learn on line


def latch_slopes(theta, lessons, s, b):
    """∂C/∂θ of one sequence by autograd."""
    theta = theta[:, b].clone().requires_grad_()
    x = theta.new_zeros(())
    for noise, first, second in lessons.inputs[s, : lessons.lengths[s, b], :, b]:
        x = torch.tanh(theta[0] * x + noise + theta[1] * first + theta[2] * second)
    (cost,) = torch.autograd.grad((x - lessons.targets[s, b]) ** 2 / 2, theta)
    return cost


def test_gradient_descent_goes_down_the_gradient_and_its_cousin_by_its_signs():
    lessons, theta = drawn("latch"), small_nets.initial(1, torch.arange(4), LATCH)
    for signs in (False, True):
        runs = gradient_descent.Learner.start(lessons, theta, rate=0.1, signs=signs)
        runs.advance()
        for b in range(4):
            g = latch_slopes(theta, lessons, 0, b)
            assert torch.allclose(runs.theta[:, b] - theta[:, b], -0.1 * (torch.sign(g) if signs else g))


def test_pseudo_newton_s_step_reaches_the_minimum_of_a_quadratic():
    h, minimum, w = torch.tensor([[0.01, 1, 300], [7, 2, 1], [3, -2, 40]])
    assert torch.allclose(w + pseudo_newton.step(h * (w - minimum), h, 1.0, 1e-12), minimum)
    # where the curvature is negative it leaves the maximum as far behind, and Newton's own step would go there
    assert torch.allclose(w + pseudo_newton.step(-h * (w - minimum), -h, 1.0, 1e-12), 2 * w - minimum)


def test_the_time_weighted_step_is_the_sum_of_the_copies_steps():
    g, h = torch.tensor([[[1.0], [2]], [[3], [-4]]]), torch.tensor([[[1.0], [0]], [[-2], [7]]])
    found = pseudo_newton.time_weighted_step(g, h, 0.5, 1.0)
    assert found.tolist() == [[-0.5 * (1 / 2 + 3 / 3)], [-0.5 * (2 / 1 - 4 / 8)]]


def test_both_pseudo_newton_learners_take_their_steps_with_the_curvatures_of_the_copies():
    lessons, rate, mu = drawn("latch"), 0.1, 0.05
    theta = small_nets.initial(1, torch.arange(4), LATCH)
    runs = {
        way: pseudo_newton.Learner.start(lessons, theta, rate=rate, mu=mu, time_weighted=way)
        for way in (False, True)
    }
    for way in runs:
        runs[way].advance()
    for b in range(4):
        w, u1, _ = theta[:, b]  # the first sequence is of the class whose input is u1
        tape = lessons.inputs[0, : lessons.lengths[0, b], 0, b].clone()
        tape[0] += u1
        x = [torch.tensor(0.0)]
        for u in tape:
            x.append(torch.tanh(w * x[-1] + u))
        g = h = None
        copies = []
        for t in range(len(tape), 0, -1):
            slope = 1 - x[t] ** 2
            g, h = (x[t] - lessons.targets[0, b], torch.tensor(1.0)) if g is None else (w * g, w**2 * h)
            g, h = slope * g, slope**2 * h
            copies.append((g * x[t - 1], h * x[t - 1] ** 2))
        gs, hs = (torch.stack(part)[:, None, None] for part in zip(*copies, strict=True))
        together = pseudo_newton.step(gs.sum(0), hs.sum(0), rate, mu)
        apart = pseudo_newton.time_weighted_step(gs, hs, rate, mu)
        assert runs[False].theta[0, b] - w == pytest.approx(float(together), rel=1e-9)
        assert runs[True].theta[0, b] - w == pytest.approx(float(apart), rel=1e-9)
        assert runs[True].theta[1, b] == runs[False].theta[1, b]  # u1 has one copy


def test_a_discrete_error_has_the_continuous_one_as_its_mean():
    count, w, up = 20_000, 0.3, torch.ones(20_000)
    runs = trials.start(
        1, torch.arange(count), setting("discrete", length=2, noise=0.0, sequences=2, margin=0.5, rate=1.0)
    )
    runs.lessons.lengths[:] = 2
    before = torch.stack((w * up, up, up))  # the first sequence, of class 0, ends on the other class's side
    runs.theta = before.clone()
    runs.advance()
    moved = runs.theta - before
    # at the end the unit is asked for -0.5 in place of 0.3, and the one before, x = 1, for w times that change
    assert torch.allclose(moved[0], -0.8 * up)
    wish = w * -0.8
    falls = moved[1] != 0  # it was asked to change over: from activation 1 to -0.5
    assert torch.allclose(moved[1][falls], -1.5 * up[falls])
    assert often(int(falls.sum()), (2 - wish) / 4, count)
    assert not often(int(falls.sum()), 1 / 2, count)
    assert float((2 - 4 * falls.double()).mean()) == pytest.approx(wish, abs=4 * 2 / math.sqrt(count))


# Searches


def test_annealing_goes_uphill_as_often_as_metropolis_says():
    chance = uniform(5, torch.arange(100_000), 0, Purpose.SEARCH)[0]
    for rise, temperature in ((0.1, 1.0), (0.7, 1.3), (3.0, 1.0)):
        found = int(annealing.accepts(torch.full_like(chance, rise), temperature, chance).sum())
        assert often(found, math.exp(-rise / temperature), len(chance))
        assert not often(found, math.exp(-rise / (1.1 * temperature)), len(chance))
    for fall in (0.0, -1e-9, -1e4):
        assert annealing.accepts(torch.full_like(chance, fall), 0.01, chance).all()
    assert not annealing.accepts(torch.full_like(chance, torch.nan), 1.0, chance).any()


def test_annealing_s_box_grows_by_up_to_three_and_shrinks_by_as_much():
    rates = torch.tensor([0, 0.2, 0.4, 0.5, 0.6, 0.8, 1])
    wanted = torch.tensor([1 / 3, 1 / 2, 1, 1, 1, 2, 3])
    assert torch.allclose(annealing.resized(torch.ones(7), rates), wanted)


def cooled(runs=64, **own):
    usual = {"temperature": 1.0, "cooling": 0.5, "box": 1.0, "widest": 100.0, "cycles": 20, "adjustments": 5}
    theta = small_nets.initial(2, torch.arange(runs), LATCH, 5.0)
    return annealing.Learner.start(Bowl(), theta, seed=2, ids=torch.arange(runs), **{**usual, **own})


@pytest.mark.parametrize("box", [0.001, 1000.0])
def test_annealing_s_box_keeps_about_half_of_the_moves(box):
    runs, shares = cooled(box=box, widest=1e6, adjustments=10**6), []
    for k in range(3 * 20 * 40):
        runs.advance()
        if k % (3 * 20) == 3 * 20 - 1:  # the next advance resizes
            shares.append(float(runs.accepted.mean()) / 20)
    assert not 0.3 < shares[0] < 0.7
    assert all(0.4 < share < 0.6 for share in shares[-10:])


def test_annealing_cools_after_so_many_adjustments_and_goes_back_to_its_best():
    runs, temperature = cooled(), 1.0
    lowest = torch.full((64,), torch.inf)
    for moves in range(3 * 20 * 5 * 4 + 1):
        runs.advance()
        lowest = torch.minimum(lowest, runs.cost)
        if moves and moves % (3 * 20 * 5) == 0:
            temperature *= 0.5
            assert torch.equal(runs.theta, runs.best)
        elif moves:
            assert not torch.equal(runs.theta, runs.best)
        assert (runs.temperature == temperature).all()
        if moves:
            assert torch.equal(runs.lowest, lowest)
            assert torch.equal((runs.answer**2).sum(0), runs.lowest)
    assert runs.lowest.max() < 0.1


def test_annealing_s_box_is_never_wider_than_the_widest():
    runs = cooled(temperature=1e9, widest=7.0)
    for _ in range(3 * 20 * 5):
        runs.advance()
    assert (runs.box == 7).all()


def test_annealing_s_first_moves_by_hand():
    runs = cooled(runs=1)
    theta = runs.theta[:, 0].tolist()
    cost = sum(value**2 for value in theta)
    for k in range(-1, 30):
        if k >= 0:
            move, chance = uniform(2, torch.tensor([0]), k, Purpose.SEARCH)[:2, 0].tolist()
            moved = list(theta)
            moved[k % 3] += 2 * move - 1
            rise = sum(value**2 for value in moved) - cost
            if rise <= 0 or chance < math.exp(-rise):
                theta, cost = moved, cost + rise
        runs.advance()
        assert runs.theta[:, 0].tolist() == pytest.approx(theta, abs=1e-12)


def test_multigrid_s_box_shrinks_with_each_success_and_its_cost_never_rises():
    ids = torch.arange(200)
    theta = small_nets.initial(3, ids, LATCH, 5.0)
    runs = multigrid.Learner.start(Bowl(1.0), theta, seed=3, ids=ids, box=4.0, factor=0.9)
    runs.advance()
    successes = torch.zeros(200)
    for k in range(100):
        before, cost, box = runs.theta, runs.cost, runs.box
        runs.advance()
        u = uniform(3, ids, k, Purpose.SEARCH)[:3]
        moved = (runs.theta != before).any(0)
        assert torch.equal(moved, runs.cost < cost)
        assert (runs.cost <= cost).all()
        assert torch.allclose(runs.theta[:, moved], (before + box * (2 * u - 1))[:, moved])
        successes += moved
        assert torch.allclose(runs.box, 4 * 0.9**successes)
    assert successes.median() > 5


@cache
def guessed_one_by_one(seed, run, budget):
    """Presentations until a guess stands all sequences, or -1: the plainest way."""
    lessons = trials.start(seed, torch.tensor([run]), setting("guessing", "two_sequence")).lessons
    used = 0
    for c in range(10**6):
        theta = guessing.guess(seed, torch.tensor([run]), c, 1, lessons.net.weights, torch.tensor([100.0]))[
            :, 0
        ]
        for s in range(lessons.size):
            used += 1
            if used > budget:
                return -1
            inputs, lengths, targets = lessons.show(s)
            if not (ends(lessons.net, theta, inputs[None], lengths[None]) * targets > 0).all():
                break
        else:
            return used


@pytest.mark.parametrize("together", [1, 40, 4096])
def test_guessing_is_the_same_however_many_guesses_go_together(monkeypatch, together):
    monkeypatch.setattr(guessing, "TOGETHER", together)
    whole = setting("guessing", "two_sequence", budget=100)
    found = trials.learn(1, torch.arange(12), [whole] * 12)["presentations"]
    assert -1 in found
    assert found.max() > 0
    assert found.tolist() == [guessed_one_by_one(1, run, 100) for run in range(12)]


def test_the_number_of_guesses_is_geometric():
    # At T = 1 the latch's output is tanh(u) of the class: a guess is wrong on the first sequence with probability 1/2,
    # on the second with 1/4, and otherwise right on all S: it then takes S presentations after those of the others.
    trials_, S = 4000, 4
    whole = setting("guessing", length=1, sequences=S, budget=10**4)
    found = trials.learn(1, torch.arange(trials_), [whole] * trials_)["presentations"] - S
    chances = [1 / 4]
    for k in range(1, 12):
        chances.append(chances[k - 1] / 2 + (chances[k - 2] / 4 if k > 1 else 0))
    for k, chance in enumerate(chances):
        assert often(int((found == k).sum()), chance, trials_)
    assert not often(
        int((found == 1).sum()), chances[0] * 3 / 4, trials_
    )  # were each failure one presentation


# Trials


@pytest.mark.parametrize("method", trials.METHODS)
def test_a_run_is_the_same_alone_among_others_and_within_a_smaller_budget(method):
    ids = torch.arange(12)
    mixed = [setting(method, task, length, 480) for task, length in SHORT.items()] * 4
    whole = trials.learn(7, ids, mixed)
    assert (whole["presentations"] <= 480).all()
    assert ((whole["wrong"] >= 0) & (whole["wrong"] <= 100)).all()
    for i in (0, 4, 8):
        alone = trials.learn(7, ids[i : i + 1], mixed[i : i + 1])
        assert alone["presentations"] == whole["presentations"][i]
        assert alone["wrong"] == whole["wrong"][i]
    shorter = trials.learn(7, ids, [{**one, "budget": 240} for one in mixed])["presentations"]
    late = whole["presentations"] > 240
    assert torch.equal(shorter, torch.where(late, -1, whole["presentations"]))


@pytest.mark.parametrize("method", trials.METHODS)
def test_weights_are_the_same_bits_alone_and_among_others(method):
    whole = setting(method, "two_sequence")
    among = trials.start(7, torch.arange(9), whole)
    for _ in range(25 if method != "guessing" else 1):
        among.advance()
    alone = trials.walk(7, 5, whole, 25)
    assert torch.equal(alone[0], small_nets.initial(7, torch.tensor([5]), TWO_SEQUENCE)[:, 0])
    if method != "guessing":
        assert torch.equal(alone[-1], among.theta[:, 5])


@pytest.mark.parametrize("method", trials.METHODS)
def test_every_method_learns_the_shortest_latch_in_most_trials(method):
    budget = 6000 if method == "annealing" else 2000
    found = trials.learn(1, torch.arange(48), [setting(method, budget=budget)] * 48)
    learned = found["presentations"] > 0
    assert learned.sum() > (14 if method in ("sign", "pseudo_newton") else 30)
    assert found["wrong"][learned].double().mean() < 5
    assert found["wrong"][~learned].double().sum() >= 20 * (~learned).sum()


def test_settings_of_a_batch_may_differ_from_run_to_run():
    ids = torch.arange(6)
    rates = [{**setting("gradient"), "rate": rate, "spread": 0.1 + rate} for rate in (0.01, 0.2, 0.5)] * 2
    whole = trials.learn(1, ids, rates)["presentations"]
    for i in range(6):
        assert trials.learn(1, ids[i : i + 1], [rates[i]])["presentations"] == whole[i]


@pytest.mark.parametrize("method", ["gradient", "time_weighted", "discrete"])
def test_a_run_that_diverges_has_not_learned(method):
    runs = trials.start(1, torch.arange(2), setting(method))
    runs.theta[:, 1] = torch.nan
    for _ in range(100):
        runs.advance()
    assert runs.theta[:, 0].isfinite().all()
    if method != "discrete":  # for a sign unit, nan lies on one side or the other
        assert not runs.learned[1]
    found = trials.learn(1, torch.arange(4), [setting(method, rate=1e308, momentum=0.8, budget=200)] * 4)
    assert (found["wrong"][found["presentations"] < 0] >= 20).all()


def test_what_a_presentation_costs():
    assert trials.arithmetic(LATCH, "guessing") == (3, 1)
    assert trials.arithmetic(TWO_SEQUENCE, "gradient") == (75, 5)
    assert trials.arithmetic(TWO_SEQUENCE, "time_weighted") == (150, 5)
    assert trials.arithmetic(PARITY, "discrete") == (21, 0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"task": "reber"}, "task is 'reber': one of latch, two_sequence, parity is needed"),
        ({"method": "newton"}, "method is 'newton': one of gradient, .*, guessing is needed"),
        ({"length": 0}, "length is 0: a whole number, 1 or more, is needed"),
        ({"budget": 0}, "budget is 0: a whole number, 1 or more, is needed"),
        ({"budget": 1e4}, "budget is 10000.0: a whole number, 1 or more, is needed"),
        ({"sequences": 1}, "sequences is 1: a whole number, 2 or more, is needed"),
        ({"tests": 0}, "tests is 0: a whole number, 1 or more, is needed"),
        ({"target": 1.2}, r"target is 1.2: a number in \(0, 1\] is needed"),
        ({"target": -0.8}, r"target is -0.8: a number in \(0, 1\] is needed"),
        ({"noise": -1.0}, "noise is -1.0: a level, 0 or more, is needed"),
        ({"spread": 0.0}, "spread is .*: a positive number is needed"),
        ({"net": "parity_a1"}, "net is 'parity_a1': latch or None is needed"),
        ({"read": 1}, "output is 1 .* the units are 0 … 0"),
        ({"temperature": 1.0}, "temperature is no setting of gradient: it has .*, rate"),
        ({"rate": 0.0}, "rate is 0: a positive number is needed"),
        ({"momentum": 1.0}, r"momentum is 1: a number in \[0, 1\) is needed"),
        ({"method": "pseudo_newton", "mu": 0.0}, "mu is 0: a positive number is needed"),
        ({"method": "time_weighted", "rate": -1.0}, "rate is -1: a positive number is needed"),
        ({"method": "time_weighted", "curvature": "full"}, "curvature is 'full'"),
        ({"method": "discrete", "rate": math.nan}, "rate is nan: a positive number is needed"),
        ({"method": "discrete", "margin": 0.0}, "margin is 0.0: a positive number is needed"),
        ({"method": "multigrid", "box": 0.0}, "box is 0: a positive number is needed"),
        ({"method": "multigrid", "factor": 1.0}, r"factor is 1: a number in \(0, 1\) is needed"),
        ({"method": "annealing", "temperature": 0.0}, "temperature is 0: a positive number is needed"),
        ({"method": "annealing", "cooling": 1.0}, r"cooling is 1: a number in \(0, 1\) is needed"),
        ({"method": "annealing", "cooling": 0.0}, r"cooling is 0: a number in \(0, 1\) is needed"),
        ({"method": "annealing", "box": -1.0}, "box is -1: a positive number is needed"),
        ({"method": "annealing", "cycles": 0}, "cycles is 0: a whole number, 1 or more, is needed"),
        ({"method": "annealing", "adjustments": 0}, "adjustments is 0: a whole number, 1 or more, is needed"),
        ({"method": "guessing", "range": 0.0}, "range is 0: a positive number is needed"),
    ],
)
def test_bad_settings_are_named(changed, message):
    with pytest.raises(ValueError, match=message):
        trials.learn(1, torch.arange(2), [{**setting("gradient"), **changed}] * 2)


def test_bad_runs_are_named():
    with pytest.raises(ValueError, match="settings has 2 entries: one for each of 3 runs is needed"):
        trials.learn(1, torch.arange(3), [setting("gradient")] * 2)
    with pytest.raises(ValueError, match="ids has 2147483648: runs that guess are numbered below 2"):
        trials.learn(1, torch.tensor([2**31]), [setting("guessing")])
    with pytest.raises(ValueError, match="shortest is 3 and longest 2"):
        trials.learn(1, torch.arange(1), [setting("gradient", "two_sequence", 2)])
