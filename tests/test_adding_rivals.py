"""Rivals of LSTM on the adding problem: gradients against autograd and RTRL, data, outcomes, and tiny recipes."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from lltd.chapters.adding import rivals
from lltd.experiments import EXPERIMENTS
from lltd.kernels import lstm96 as kernel
from lltd.kernels.lstm96 import Task
from lltd.philox import Purpose, uniform
from lltd.systems import (
    adding_rivals,
    elman,
    gap,
    guessed_sums,
    modern_lstm,
    short_and_long,
    small_nets,
    tdnn,
)
from lltd.systems.adding_rivals import complete, trials
from lltd.systems.lessons import draw, from_begin, together
from lltd.systems.random_search import GUESSES, weights

SEED = 11
DOUBLE = torch.float64
BPTT = {"method": "bptt", "rate": 0.1}
NEWTON = {"method": "pseudo_newton", "rate": 0.01, "mu": 0.1}
DELAYS = {"method": "tdnn", "rate": 0.1, "near": 3, "window": 22}
MODERN = {"method": "modern_lstm", "rate": 0.01}
METHODS = pytest.mark.parametrize("method", [BPTT, NEWTON, DELAYS, MODERN], ids=lambda m: m["method"])
SHORT = {"length": 20, "budget": 300, "stages": (150, 300), "tests": 50}


@pytest.fixture(autouse=True)
def few_sequences(monkeypatch):
    monkeypatch.setattr(adding_rivals, "AVERAGED", 100)


def shown(count=4, trials_=3, length=20, purpose=Purpose.TASK):
    return draw(Task(length=length), SEED, torch.arange(trials_), 0, count, purpose, DOUBLE)


def numbers(*shape, step=0):
    """Uniform in (-1, 1)."""
    size = int(np.prod(shape))
    return (2 * uniform(SEED, torch.arange(size), step, Purpose.NOISE)[0] - 1).reshape(shape)


# --- data ---


def test_sequences_are_those_that_the_lstm_is_shown():
    ids = torch.tensor([5, 2, 9])
    ours = draw(Task(length=50), SEED, ids, 7, 3, Purpose.TASK, DOUBLE)
    for s in range(3):
        theirs = kernel.sequences(Task(length=50), SEED, ids, torch.full_like(ids, 7 + s))
        assert torch.equal(ours.inputs[:, :, s], theirs.inputs)
        assert torch.equal(ours.lengths[s], theirs.lengths) and torch.equal(
            ours.targets[s], theirs.targets[0]
        )


def test_aligned_at_their_begins_sequences_are_the_same():
    given = shown()
    moved = from_begin(given)
    for s in range(4):
        for b in range(3):
            steps = int(given.lengths[s, b])
            assert torch.equal(moved[s, :steps, :, b], given.inputs[-steps:, :, s, b])


@pytest.mark.parametrize("length", [20, 50, 100])
def test_no_mark_lies_in_the_last_half(length):
    given = shown(500, 4, length)
    assert not (given.inputs[-(length // 2) :, 1] == 1).any()
    assert (given.inputs[-(length // 2) - 1 :, 1] == 1).any()
    assert ((given.inputs[:, 1] == 1).sum(0) == 2).all()


@pytest.mark.parametrize("length", [20, 100])
def test_targets_vary_as_reckoned(length):
    targets = draw(Task(length=length), SEED, torch.arange(20), 0, 1000, Purpose.TASK, DOUBLE).targets
    squares = (targets - 0.5).square()
    assert abs(float(squares.mean()) - rivals.variance(length)) < 4 * float(squares.std()) / 20_000**0.5
    assert abs(float(squares.mean()) - 1 / 24) > 4 * float(squares.std()) / 20_000**0.5


def test_lessons_of_several_lengths_lie_side_by_side():
    ids, parts = torch.arange(3), [shown(length=20), shown(length=50)]
    both = together(parts)
    for lessons, part in ((ids, parts[0]), (3 + ids, parts[1])):
        for one, other in zip(both.of(lessons), part, strict=True):
            assert torch.equal(one, other[-len(one) :])
    for s, half in enumerate(both.split(2)):
        assert torch.equal(half.targets, both.targets[2 * s : 2 * s + 2]) and half.inputs.shape[2] == 2


# --- Elman nets ---


def test_the_elman_net_is_what_its_equations_say():
    net, hidden = elman.net(4), 4
    theta, given = small_nets.initial(SEED, torch.arange(3), net, 1.0), shown(1)
    W, V = elman.layers(theta, hidden)
    answers = adding_rivals.small_net.ends(net, theta, from_begin(given), given.lengths)[0]
    for b in range(3):
        h = torch.zeros(hidden, dtype=DOUBLE)
        for x in given.inputs[-int(given.lengths[0, b]) :, :, 0, b]:
            h = torch.tanh(W[:, :, b] @ torch.cat((h, x, torch.ones(1))))
        torch.testing.assert_close(torch.tanh(V[:-1, b] @ h + V[-1, b]), answers[b])


def test_rtrl_has_the_gradient_of_bptt():
    assert rivals.gradient_distance(40) < 1e-10


def test_rtrl_that_forgets_has_another_gradient(monkeypatch):
    kept = elman.influence_step
    monkeypatch.setattr(elman, "influence_step", lambda W, p, z, a: kept(W, 0 * p, z, a))
    assert rivals.gradient_distance(5) > 0.01


def test_rtrl_wants_weights_that_fit_a_net():
    with pytest.raises(ValueError, match="theta has 20 weights"):
        elman.rtrl(torch.zeros(20), torch.zeros(3, 2), 0.5)


def test_multiplications_of_rtrl_grow_with_the_fourth_power_of_the_units():
    assert rivals.work("bptt", 8) == 3 * 88
    large = [rivals.work("rtrl", n) / n**4 for n in (100, 1000)]
    assert abs(large[1] - 1) < abs(large[0] - 1) < 0.1
    with pytest.raises(ValueError, match="method is 'tdnn'"):
        rivals.work("tdnn", 8)


@pytest.mark.parametrize(("hidden", "inputs"), [(0, 2), (2, 0)])
def test_an_elman_net_needs_units_and_inputs(hidden, inputs):
    with pytest.raises(ValueError, match=f"hidden is {hidden} and inputs is {inputs}"):
        elman.net(hidden, inputs)


def test_bptt_steps_down_the_gradient_and_newton_divides_it_by_curvatures():
    settings, given, ids = [complete({**SHORT, **NEWTON})] * 3, shown(1), torch.arange(3)
    one, other = (
        adding_rivals.Elman(SEED, ids, rows, ids, DOUBLE)
        for rows in (settings, [complete({**SHORT, **BPTT})] * 3)
    )
    start = one.theta.clone()
    far, inputs, targets = (
        torch.full((3,), torch.inf, dtype=DOUBLE),
        from_begin(given)[0],
        2 * given.targets[0] - 1,
    )
    ends, (g, h, _) = adding_rivals.small_net.slopes(one.net, start, inputs, given.lengths[0], targets, far)
    for nets in (one, other):
        torch.testing.assert_close(nets.learn(given)[0], (ends - targets).abs() / 2)
    torch.testing.assert_close(one.theta, start - 0.01 * g / (h + 0.1))
    torch.testing.assert_close(other.theta, start - 0.1 * g)


# --- time-delay nets ---


@pytest.mark.parametrize("near", [1, 3, 10])
def test_the_gradient_of_a_time_delay_net_is_that_of_autograd(near):
    shape, window = tdnn.Shape(4, near, 10), numbers(3, 10, 2)
    theta = tdnn.initial(shape, SEED, torch.arange(3)).requires_grad_()
    seen = tdnn.views(shape, window)
    y, h = tdnn.answer(shape, theta, seen)
    target = torch.tensor([0.2, 0.5, 0.9], dtype=DOUBLE)
    (expected,) = torch.autograd.grad((y - target).square().sum() / 2, theta)
    with torch.no_grad():
        torch.testing.assert_close(tdnn.gradient(shape, theta, seen, h, y, target), expected)


def blind(window, seen):
    """Whether nets that see so many steps answer alike to sequences that differ only before the last `window`."""
    shape, late = tdnn.Shape(3, 2, seen), numbers(200, window, 2, step=1)
    theta = tdnn.initial(shape, SEED, torch.arange(200))
    both = [torch.cat((numbers(200, 12, 2, step=step), late), 1)[:, -seen:] for step in (2, 3)]
    one, other = (tdnn.answer(shape, theta, tdnn.views(shape, inputs))[0] for inputs in both)
    return (one == other).all()


def test_a_time_delay_net_cannot_know_what_lies_before_its_window():
    for window in (3, 8, 15):
        assert blind(window, window) and not blind(window, window + 1)


@pytest.mark.parametrize(
    ("shape", "message"),
    [((0, 1, 3), "hidden is 0"), ((2, 0, 3), "near is 0"), ((2, 4, 3), "near is 4: 1 … 3")],
)
def test_shapes_of_time_delay_nets_are_checked(shape, message):
    with pytest.raises(ValueError, match=message):
        tdnn.initial(tdnn.Shape(*shape), SEED, torch.arange(2))


# --- LSTM with forget gates ---


def lstm_inputs():
    given = shown(5)
    return given.inputs.permute(0, 3, 1, 2).contiguous(), given.lengths.T, given.targets.T


def test_the_lstm_with_forget_gates_is_that_of_torch():
    cells, (inputs, lengths, _) = 3, lstm_inputs()
    theta = modern_lstm.initial(cells, 2, SEED, torch.arange(3), 1.0)
    y, _ = modern_lstm.answer(theta, cells, inputs, lengths)
    W, V = modern_lstm.layers(theta, cells, 2)
    order = torch.tensor([0, 1, 3, 2])[:, None] * cells + torch.arange(cells)  # torch: i, f, g, o
    for b in range(3):
        net, rows = torch.nn.LSTM(2, cells, dtype=DOUBLE), W[b][order.flatten()]
        with torch.no_grad():
            net.weight_hh_l0.copy_(rows[:, :cells])
            net.weight_ih_l0.copy_(rows[:, cells:-1])
            net.bias_ih_l0.copy_(rows[:, -1])
            net.bias_hh_l0.zero_()
            for s in range(5):
                h, _ = net(inputs[-int(lengths[b, s]) :, b, :, s])
                torch.testing.assert_close(h[-1] @ V[b, :-1] + V[b, -1], y[b, s])


def test_its_gradient_is_that_of_finite_differences():
    cells, (inputs, lengths, targets) = 3, lstm_inputs()
    theta = modern_lstm.initial(cells, 2, SEED, torch.arange(3), 1.0)

    def error(theta):
        return (modern_lstm.answer(theta, cells, inputs, lengths)[0] - targets).square().sum(1) / 2

    y, kept = modern_lstm.answer(theta, cells, inputs, lengths)
    g = modern_lstm.gradient(theta, cells, lengths, kept, y - targets)
    for p in range(theta.shape[1]):
        change = torch.zeros_like(theta)
        change[:, p] = 1e-6
        slope = (error(theta + change) - error(theta - change)) / 2e-6
        torch.testing.assert_close(g[:, p], slope, rtol=1e-5, atol=1e-8)


def test_biases_of_forget_gates_are_as_given_and_others_0():
    theta = modern_lstm.initial(2, 2, SEED, torch.arange(3), torch.tensor([1.0, 2.0, 3.0]))
    W, V = modern_lstm.layers(theta, 2, 2)
    assert torch.equal(W[:, 2:4, -1], torch.tensor([[1.0] * 2, [2.0] * 2, [3.0] * 2], dtype=DOUBLE))
    assert not W[:, :2, -1].any() and not W[:, 4:, -1].any() and not V[:, -1].any()
    with pytest.raises(ValueError, match="cells is 0"):
        modern_lstm.initial(0, 2, SEED, torch.arange(3), 1.0)


def test_adam_is_that_of_torch():
    theta = numbers(2, 5)
    ours, adam = theta.clone(), modern_lstm.Adam.start(torch.full((2,), 0.03, dtype=DOUBLE), theta)
    theirs = theta.clone().requires_grad_()
    optimiser = torch.optim.Adam([theirs], lr=0.03)
    for step in range(4):
        theirs.grad = numbers(2, 5, step=step)
        optimiser.step()
        ours = ours + adam.step(theirs.grad)
    torch.testing.assert_close(ours, theirs.detach())


# --- trials ---


@METHODS
def test_a_trial_does_not_depend_on_its_company(method):
    ids, some = torch.arange(40) // 2, [3, 17, 38]
    settings = [
        {**SHORT, **method, "rate": method["rate"] * (1 + i % 3), "length": 20 + i % 2} for i in range(40)
    ]
    all_ = trials(SEED, ids, settings)
    few = trials(SEED, ids[some], [settings[i] for i in some])
    for name, value in few.items():
        assert torch.equal(value, all_[name][some]), name


@METHODS
def test_stretches_change_nothing(method, monkeypatch):
    whole = trials(SEED, torch.arange(2), [{**SHORT, **method}] * 2)
    monkeypatch.setattr(adding_rivals, "STRETCH", 60)
    for name, value in trials(SEED, torch.arange(2), [{**SHORT, **method}] * 2).items():
        assert torch.equal(value, whole[name]), name


class Constant:
    """Always answers the same, and is right where the target is near."""

    def __init__(self, seed, ids, settings, lessons, dtype):
        self.theta = torch.full((1, len(ids)), torch.nan)

    def learn(self, shown):
        return (shown.targets - 0.5).abs()

    def answer(self, shown):
        return torch.where(shown.lengths > 20, 0.5, torch.nan)


def test_outcomes_are_what_they_are_called(monkeypatch):
    monkeypatch.setitem(adding_rivals.RIVALS, "bptt", Constant)
    easy = (
        replace(adding_rivals.CRITERIA[0], recent=2, window=2),
        replace(adding_rivals.CRITERIA[1], below=0.03),
    )
    monkeypatch.setattr(adding_rivals, "CRITERIA", easy)
    ids = torch.arange(3)
    found = trials(SEED, ids, [{**SHORT, **BPTT, "stages": (100, 170)}] * 3)
    errors, tests = (
        (draw(Task(length=20), SEED, ids, 0, count, purpose, torch.float32).targets - 0.5).abs().double()
        for count, purpose in ((300, Purpose.TASK), (50, Purpose.TEST))
    )
    for k, stage in enumerate((100, 170)):
        mean = errors[stage - 100 : stage].square().mean(0)
        torch.testing.assert_close(found["training"][:, k], mean)
    right = errors < 0.04
    for b in range(3):
        first = next(n for n in range(2, 301) if right[n - 2 : n, b].all())
        assert found["stops"][b, 0] == first and found["stops"][b, 1] == 0
    lengths = draw(Task(length=20), SEED, ids, 0, 50, Purpose.TEST, torch.float32).lengths
    tests = torch.where(lengths > 20, tests, 1.0)
    assert torch.equal(found["wrong"], (tests >= 0.04).sum(0)) and found["diverged"].all()
    torch.testing.assert_close(found["squared"], tests.square().mean(0))


def test_nets_that_diverge_are_counted():
    found = trials(SEED, torch.arange(2), [{**SHORT, **MODERN, "rate": 1e30}] * 2)
    assert found["diverged"].all() and (found["squared"] == 1).all() and (found["wrong"] == 50).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "rtrl"}, "method is 'rtrl': one of bptt"),
        ({"near": 3}, "setting near is unknown: bptt has budget"),
        ({"length": 19}, "length is 19"),
        ({"length": None}, "length is None: a whole number"),
        ({"budget": 0}, "budget is 0"),
        ({"hidden": 0}, "hidden is 0"),
        ({"rate": 0.0}, "rate is 0.0: a positive number"),
        ({"rate": None}, "rate is None"),
        ({"spread": float("nan")}, "spread is nan"),
        ({"tolerance": -1.0}, "tolerance is -1.0"),
        ({"stages": (99,)}, r"stages is \(99,\)"),
        ({"stages": (301,)}, r"stages is \(301,\)"),
        ({"method": "modern_lstm", "batch": 30}, "batch is 30: a divisor of 500"),
        ({"first_pair": "kept"}, "first_pair is 'kept'"),
    ],
)
def test_bad_settings_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        trials(SEED, torch.arange(1), [{**SHORT, **BPTT, **change}])


def test_every_trial_has_a_setting():
    with pytest.raises(ValueError, match="settings has 1 entries"):
        trials(SEED, torch.arange(2), [{**SHORT, **BPTT}])


# --- guessing ---


def test_guesses_stand_as_long_as_they_are_right():
    setting = {
        "length": 20, "first_pair": "neutral", "sequences": 8, "hidden": 2,
        "span": 1.0, "tolerance": 0.2, "guesses": 300,
    }  # fmt: skip
    found = guessed_sums.stood(SEED, 4, setting)
    given = draw(Task(length=20), SEED, torch.tensor([4]), 0, 8, Purpose.TASK, torch.float32)
    theta = guessed(4, 300)
    inputs = from_begin(given).expand(-1, -1, -1, 300).contiguous()
    ends = adding_rivals.small_net.ends(
        elman.net(2), theta, inputs, given.lengths.expand(-1, 300).contiguous()
    )
    right = ((ends + 1) / 2 - given.targets).abs() < 0.2
    assert torch.equal(found, right.cumprod(0).sum(0)) and found.max() > 2
    for wrong in ({"guesses": 0}, {"tolerance": 0.0}, {"span": -1.0}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} is"):
            guessed_sums.stood(SEED, 4, {**setting, **wrong})


def guessed(trial, guesses):
    return weights(elman.net(2), SEED, trial * GUESSES + torch.arange(guesses), 1.0, torch.float32)


# --- two dependencies in one task ---


@pytest.mark.parametrize("length", [10, 20, 57])
def test_one_mark_is_early_and_one_late(length):
    given, X = short_and_long.draw(length, SEED, torch.arange(4), 0, 300, Purpose.TASK, DOUBLE)
    ahead = from_begin(given)
    assert ((given.inputs[:, 1] == 1).sum(0) == 2).all()
    assert (ahead[:, :5, 1].sum(1) == 1).all() and (given.inputs[-5:, 1].sum(0) == 1).all()
    torch.testing.assert_close(given.targets, 0.5 + (given.inputs[:, 0] * given.inputs[:, 1]).sum(0) / 4)
    torch.testing.assert_close(X[0], (ahead[:, :5, 0] * ahead[:, :5, 1]).sum(1))
    assert set(given.lengths.unique().tolist()) == set(range(length, length + length // 10 + 1))


def test_drawing_two_dependencies_needs_room():
    with pytest.raises(ValueError, match="length is 9: 10 or more"):
        short_and_long.draw(9, SEED, torch.arange(4), 0, 3, Purpose.TASK, DOUBLE)


def test_sensitivities_are_those_of_a_linear_answer():
    X = numbers(2, 400, 3)
    outputs = 0.3 + 0.25 * X[0] * torch.tensor([0.0, 0.5, 1.0]) + 0.25 * X[1]
    expected = torch.tensor([[0.0, 0.5, 1.0], [1.0, 1.0, 1.0]], dtype=DOUBLE)
    torch.testing.assert_close(short_and_long.sensitivities(outputs, X), expected)


# --- the gap task ---


def spelt(gap_):
    return ["".join("XYABCDEFGHIJK"[s] for s in row) for row in gap.sequences(gap_).tolist()]


def test_the_first_symbol_comes_back_after_the_gap():
    assert spelt(4) == ["XABCDXEFGHIJK", "YABCDYEFGHIJK"]
    assert spelt(11) == ["XABCDEFGHIJKX", "YABCDEFGHIJKY"]
    with pytest.raises(ValueError, match="gap is 12"):
        gap.sequences(12)


@pytest.mark.parametrize("softmax", [False, True])
def test_the_gradient_of_an_epoch_is_that_of_autograd(softmax):
    W, V = (part.requires_grad_() for part in gap.initial(SEED, torch.arange(2), 5, 1.0))
    seen, following = gap.sources([2, 6], 5)
    with torch.no_grad():
        by_W, by_V, right = gap.epoch(W, V, seen, following, softmax)
    total = 0.0
    for b, size in enumerate((2, 6)):
        for symbols in gap.sequences(size):
            h = torch.zeros(5, dtype=DOUBLE)
            for now, then in pairwise(symbols):
                x = torch.nn.functional.one_hot(now, 13).to(DOUBLE)
                h = torch.tanh(W[b] @ torch.cat((h, x, torch.ones(1))))
                net = V[b] @ torch.cat((h, torch.ones(1)))
                wanted = torch.nn.functional.one_hot(then, 13)
                squares = (torch.sigmoid(net) - wanted).square().sum() / 2
                total = total + (-torch.log_softmax(net, 0)[then] if softmax else squares)
    expected = torch.autograd.grad(total, (W, V))
    torch.testing.assert_close((by_W, by_V), expected)
    assert not right.any()


GAP = {"gap": 2, "hidden": 10, "output": "logistic", "rate": 0.2, "spread": 0.5, "epochs": 90}


def test_nets_that_are_done_leave_without_a_trace(monkeypatch):
    monkeypatch.setattr(gap, "CRITERIA", ("largest",))
    monkeypatch.setattr(gap, "LOOK", 20)
    ids, settings = (
        torch.arange(6),
        [{**GAP, "gap": 1 + 5 * (i % 2), "output": gap.OUTPUTS[i // 4]} for i in range(6)],
    )
    side_by_side = gap.epochs_to_success(SEED, ids, settings)
    alone = torch.cat([gap.epochs_to_success(SEED, ids[i : i + 1], settings[i : i + 1]) for i in range(6)])
    assert torch.equal(side_by_side, alone)
    assert ((side_by_side > 0) & (side_by_side < 80)).any() and not (side_by_side > 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gap": 0}, "gap is 0"),
        ({"output": "linear"}, "output is 'linear'"),
        ({"hidden": 0}, "hidden is 0"),
        ({"epochs": 0}, "epochs is 0"),
        ({"rate": -1.0}, "rate is -1.0"),
    ],
)
def test_bad_settings_of_the_gap_task_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        gap.epochs_to_success(SEED, torch.arange(1), [{**GAP, **change}])


def test_every_run_of_the_gap_task_has_a_setting():
    with pytest.raises(ValueError, match="settings has 1"):
        gap.epochs_to_success(SEED, torch.arange(2), [GAP])


# --- experiments ---

TINY = {"budget": 100, "stages": (100,), "tests": 20, "epochs": 20, "guesses": 500}


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if name.split("/")[0] == "adding" and name in (
    "adding/rivals_bptt", "adding/rivals_pseudo_newton", "adding/rivals_tdnn", "adding/rivals_modern_lstm",
    "adding/rivals_lstm96", "adding/rivals_guessing", "adding/short_and_long", "adding/gap",
)])  # fmt: skip
def test_every_experiment_runs_from_end_to_end_on_a_tiny_recipe(name):
    work = EXPERIMENTS[name]
    common = work.recipe.parameters["common"]
    changed = {**{key: TINY.get(key, value) for key, value in common.items()}}
    if name == "adding/short_and_long":
        changed["stages"] = (0, 40)
    parameters = {**work.recipe.parameters, "common": changed}
    ids = torch.arange(0, len(work.recipe.cells), 3)
    found = work.compute(replace(work.recipe, parameters=parameters, seed=SEED), ids)
    for key, value in found.items():
        assert len(value) == len(ids) and value.dtype != object, key
    assert sum(value.nbytes for value in found.values()) / len(ids) * work.recipe.runs < 100_000
    assert work.recipe.runs % len(work.recipe.cells) == 0 and work.recipe.shard % len(work.recipe.cells) == 0
