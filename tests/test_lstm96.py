"""The LSTM kernel: the tasks by the letter, the gradient against autograd, C++ against the reference, divergence."""

import math
import time
from dataclasses import replace
from importlib.util import find_spec
from itertools import product

import pytest
import torch
from drawn import avx2, compiled
from torch._subclasses import FakeTensorMode
from torch.library import opcheck

from lltd import philox
from lltd.kernels import lstm96
from lltd.kernels.lstm96 import Task, Topology, reference, tasks
from lltd.philox import Purpose

DTYPES = (torch.float64, torch.float32)
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
ADDING = Task()  # T = 100, as in 1996
SHORT = Task(length=20)
PAIRS = ("adding", "multiplication")
TASKS = [Task(name, 23, first_pair) for name, first_pair in product(PAIRS, lstm96.FIRST_PAIRS)]
ORDERS = {2: Task("order of two"), 3: Task("order of three")}
CLASSES = [Task("two-sequence", 23, elements=N, noisy=noisy) for N, noisy in product((1, 3), lstm96.NOISY)]
classes = pytest.mark.parametrize("task", CLASSES, ids=lambda task: f"{task.elements}, {task.noisy}")
READINGS = {
    "1996": Topology(),
    "cells only": Topology(sees="cells"),
    "no cell bias": Topology(cell_bias=False),
    "no output bias": Topology(output_bias=False),
    "linear output": Topology(output="linear"),
    "no slope": Topology(slope=False),
}
readings = pytest.mark.parametrize("net", READINGS.values(), ids=READINGS)
sizes = pytest.mark.parametrize(
    "size", sorted(lstm96.COMPILED[2, 1]), ids=lambda size: f"{size[0]}x{size[1]}"
)


@pytest.fixture(params=["cpu.cpp", "reference"])
def face(request, build):
    """Each face in turn."""
    if request.param == "reference":
        build(LLTD_NO_COMPILER=1)
    elif lstm96.face(Topology(), torch.zeros(1)) != request.param:
        pytest.skip("no C++ compiler")


def begun(net, ids, dtype=torch.float64, span=0.1):
    """Initial weights with the gates of 1996 for any number of blocks; a wide span lets every weight matter."""
    biases = [-3.0 * (j + 1) for j in range(net.blocks)]
    return lstm96.initial(net, 1, ids, span=span, input_gate_bias=biases, dtype=dtype)


def learnt(net, task, theta, ids=None, first=0, count=1, **options):
    """A stretch of training; first and count for all trials, or one for each."""
    ids = torch.arange(theta.shape[1]) if ids is None else ids
    first, count = (torch.as_tensor(value).expand(ids.shape) for value in (first, count))
    return lstm96.train(net, task, 1, ids, theta, first=first, count=count, **options)


def arguments(net, task, theta, count=1, rate=0.5, seed=1):
    """Arguments of the op."""
    ids, rates = torch.arange(theta.shape[1]), rate * net.wiring().to(theta)
    numbers = (net.blocks, net.cells, lstm96.OUTPUTS[net.output], net.slope, lstm96.TASKS[task.name])
    stretch = (torch.zeros_like(ids), torch.full_like(ids, count), rates, count)
    return seed, ids, theta, *stretch, *numbers, task.length, task.variant, int(Purpose.TASK)


# --- what a net is ---


def test_the_net_of_1996_has_93_weights():
    net = Topology()
    assert net.weights == len(net.wiring()) == 8 * 11 + 5 and net.wiring().all()
    weights = {name: other.weights for name, other in READINGS.items()}
    assert weights["cells only"] == 93 - 8 * 4 and weights["no cell bias"] == 89
    assert weights["no output bias"] == 92 and weights["linear output"] == weights["no slope"] == 93


def test_weights_that_a_reading_leaves_out():
    W, V = Topology(sees="cells").layers(Topology(sees="cells").wiring()[:, None])
    gates = torch.tensor([0, 1, 4, 5])
    assert not W[:, gates].any() and W[:, [2, 3, 6, 7, 8, 9, 10]].all() and V.all()
    net = Topology(3, 1, cell_bias=False, output_bias=False)
    W, V = net.layers(net.wiring()[:, None])
    assert torch.equal(W[:, -1, 0], torch.tensor([True, True, False] * 3)) and W[:, :-1].all()
    assert V[0, :, 0].tolist() == [True] * 3 + [False]


def test_initial_weights_are_philox_numbers_but_for_the_input_gates():
    net, ids = Topology(), torch.arange(2000) * 2**40 + 3
    theta = lstm96.initial(net, 2**62 + 5, ids)
    W, _ = net.layers(theta)
    assert (W[0, -1] == -3).all() and (W[4, -1] == -6).all()
    fixed = torch.zeros(93, dtype=torch.bool)
    fixed[[10, 54]] = True
    for p in (~fixed).nonzero()[:, 0].tolist():
        u = philox.uniform(2**62 + 5, ids, p // 4, Purpose.INITIAL)[p % 4]
        assert torch.equal(theta[p], 0.1 * (2 * u - 1))
    even = theta[~fixed].flatten()
    expected = len(even) / 20
    chi_squared = ((torch.histc(even, 20, -0.1, 0.1) - expected) ** 2 / expected).sum()
    assert chi_squared < 19 + 5 * math.sqrt(2 * 19)
    assert (lstm96.initial(net, 1, ids, input_gate_bias=None).abs() < 0.1).all()
    assert torch.equal(lstm96.initial(net, 1, ids[7:9]), lstm96.initial(net, 1, ids)[:, 7:9])
    W, _ = net.layers(lstm96.initial(net, 1, ids, output_gate_bias=(-2, -4)))
    assert torch.equal(W[[0, 1, 4, 5], -1, 0], W.new_tensor([-3, -2, -6, -4]))
    absent = READINGS["cells only"]
    assert (lstm96.initial(absent, 1, ids)[~absent.wiring()] == 0).all()


# --- the tasks, by the letter ---


def presented(task, count=20_000, dtype=torch.float64):
    """Sequences of as many trials: values and markers (T, B) from each begin on, nan after the end, and the rest."""
    ids = torch.arange(count)
    inputs, lengths, targets = lstm96.sequences(task, 3, ids, ids % 7, dtype=dtype)
    steps = torch.arange(len(inputs))[:, None]
    place = steps + len(inputs) - lengths
    rows = inputs.gather(0, place.clamp(max=len(inputs) - 1)[:, None].expand(-1, 2, -1))
    values, markers = torch.where((steps < lengths)[:, None], rows, math.nan).unbind(1)
    return values, markers, lengths, targets[0]


def fair(counts, expected):
    """Whether counts of independent cases could come from these expectations: chi-square within five deviations."""
    freedom = counts.numel() - 1
    return float(((counts - expected) ** 2 / expected).sum()) < freedom + 5 * math.sqrt(2 * freedom)


@pytest.mark.parametrize("length", [20, 23, 100])
def test_lengths_and_marks_follow_their_law(length):
    # Away from the first pair, whose mark may not show; the law there is the rest of the whole.
    task = Task(length=length, first_pair="neutral")
    _, markers, lengths, _ = presented(task)
    lengths_found = torch.bincount(lengths - length)
    assert fair(lengths_found, len(lengths) / (length // 10 + 1)) and len(lengths_found) == length // 10 + 1
    marked = markers == 1
    assert (marked.sum(0) == 2).all() and not marked[length // 2 :].any()
    pairs = marked.nonzero()[:, 0].new_tensor(
        [sorted(where.nonzero()[:, 0].tolist()) for where in marked.T[:20_000]]
    )
    found = torch.zeros(length // 2, length // 2)
    found.index_put_((pairs[:, 0], pairs[:, 1]), torch.ones(len(pairs)), accumulate=True)
    a, b = torch.triu_indices(length // 2, length // 2, 1)
    law = (
        ((a < 10).double() + (b < 10).double()) / 10 / (length // 2 - 1)
    )  # either of the two was the first mark
    assert abs(law.sum() - 1) < 1e-12
    possible = law > 0
    assert found.sum() == found[a[possible], b[possible]].sum()
    assert fair(found[a[possible], b[possible]], law[possible] * len(pairs))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{task.name}, {task.first_pair}")
def test_a_sequence_is_what_the_paper_says(task):
    values, markers, lengths, targets = presented(task)
    ids = torch.arange(len(lengths))
    assert (markers[lengths - 1, ids] == -1).all()
    marked = markers == 1
    inside = ~markers.isnan()
    inside[0], inside[lengths - 1, ids] = False, False
    assert ((markers == 0) | marked)[inside].all()
    adding = task.name == "adding"
    drawn = values[inside]
    low, high, neutral = (-1, 1, 0) if adding else (0, 1, 1)
    assert drawn.min() > low and drawn.max() < high
    assert fair(torch.histc(drawn, 50, low, high), len(drawn) / 50)
    counted = torch.where(marked, values, neutral)
    total = counted.sum(0) if adding else torch.where(marked, values, 1).prod(0)
    torch.testing.assert_close(targets, 0.5 + total / 4 if adding else total, rtol=0, atol=1e-15)
    assert targets.min() >= 0 and targets.max() <= 1
    if task.first_pair == "neutral":
        assert (marked.sum(0) == 2).all()
        special = marked[0]
        assert (markers[0][~special] == -1).all()
    else:
        assert (markers[0] == -1).all()
        special = marked.sum(0) == 1
        assert (marked.sum(0)[~special] == 2).all()
    assert (values[0][special] == neutral).all() and (values[0][~special] != neutral).all()
    share = 1 / 10 + 9 / 10 / (task.length // 2 - 1)
    deviation = math.sqrt(share * (1 - share) * len(ids))
    assert abs(int(special.sum()) - share * len(ids)) < 5 * deviation


@pytest.mark.parametrize("marks", ORDERS)
def test_the_order_of_symbols_is_the_class(marks):
    ids, task = torch.arange(8000), ORDERS[marks]
    inputs, lengths, targets = lstm96.sequences(task, 3, ids, ids % 7)
    steps = torch.arange(110)[:, None] + lengths - 110  # each row's place in the sequence
    assert (inputs.sum(1) == (steps >= 0)).all() and ((inputs == 0) | (inputs == 1)).all()
    shown = torch.where(steps >= 0, inputs.argmax(1), -1)
    assert fair(torch.bincount(lengths - 100), len(ids) / 11)
    assert ((shown == 0) == (steps == 0)).all() and ((shown == 1) == (steps == lengths - 1)).all()
    assert fair(torch.bincount(shown[(shown >= 2) & (shown < 6)] - 2), (shown.clamp(1, 6) % 6 > 1).sum() / 4)
    marked = shown >= 6
    assert (marked.sum(0) == marks).all()
    found = steps.T[marked.T].unflatten(0, (-1, marks))
    for place, earliest in zip(found.T, (10, 50) if marks == 2 else (10, 33, 66), strict=True):
        assert fair(torch.bincount(place - earliest), len(ids) / 11) and place.min() == earliest
    bits = (shown.T[marked.T] - 6).unflatten(0, (-1, marks))
    classes = (bits * 2 ** torch.arange(marks - 1, -1, -1)).sum(1)  # XX … is 0
    assert fair(torch.bincount(classes), len(ids) / 2**marks)
    assert (targets.sum(0) == 1).all() and torch.equal(targets.argmax(0), classes)


@classes
def test_the_class_is_told_at_the_begin(task):
    ids = torch.arange(20_000)
    inputs, lengths, targets = lstm96.sequences(task, 3, ids, ids % 7)
    steps = torch.arange(len(inputs))[:, None] + lengths - len(inputs)  # each row's place in the sequence
    assert (inputs[:, 0][steps < 0] == 0).all() and inputs.shape[1:] == (1, len(ids))
    assert fair(torch.bincount(lengths - 23), len(ids) / 3)
    expected = lstm96.sequences(task, 3, ids, ids % 7, purpose=Purpose.TEST)
    low, high = (0.8, 0.2) if task.noisy == "targets" else (0.0, 1.0)  # of class 2, and of class 1
    telling = (steps >= 0) & (steps < task.elements)
    told = inputs[:, 0].T[telling.T].unflatten(0, (-1, task.elements))
    rest = inputs[:, 0][steps >= task.elements]
    upper = (targets[0] == high) if task.noisy != "targets" else told[:, 0] > 0
    assert fair(torch.bincount(upper.long()), len(ids) / 2)
    own = told - (2.0 * upper - 1)[:, None]  # what is heard with the class
    for heard, loud in ((rest, True), (own, task.noisy == "elements")):
        if loud:
            count = heard.numel()
            assert abs(heard.mean()) < 5 * math.sqrt(0.2 / count)
            assert abs(heard.var() - 0.2) < 5 * 0.2 * math.sqrt(2 / count)
            assert abs(heard.pow(4).mean() - 3 * 0.04) < 5 * math.sqrt(96 / count) * 0.04  # Gaussian
        else:
            assert (heard == 0).all()
    clean = torch.where(upper, high, low)
    if task.noisy == "targets":
        off = targets[0] - clean
        assert abs(off.mean()) < 5 * math.sqrt(0.1 / len(ids))
        assert abs(off.var() - 0.1) < 5 * 0.1 * math.sqrt(2 / len(ids))
        assert abs((off * upper).mean()) < 5 * math.sqrt(0.05 / len(ids))
    else:
        assert torch.equal(targets[0], clean)
    assert expected.targets.unique().tolist() == sorted((low, high))  # what is tested has no noise


def test_a_sequence_has_an_address_of_its_own_and_one_meaning_in_both_precisions():
    ids, numbers = torch.tensor([5, 2**40, 5]), torch.tensor([0, 3, 7])
    both = lstm96.sequences(ADDING, 1, ids, numbers)
    single = lstm96.sequences(ADDING, 1, ids, numbers, dtype=torch.float32)
    assert torch.equal(both.inputs, single.inputs.double()) and torch.equal(both.lengths, single.lengths)
    assert not torch.equal(both.inputs[..., 0], both.inputs[..., 2])
    alone = lstm96.sequences(ADDING, 1, ids[2:], numbers[2:])
    assert torch.equal(alone.inputs, both.inputs[..., 2:]) and torch.equal(alone.targets, both.targets[:, 2:])
    # The last values are drawn first, in the block after the marks'.
    begin = 7 * tasks.blocks_of(100)
    u = philox.uniform(1, 5, torch.arange(begin + 1, begin + 26), Purpose.TASK).T.flatten()
    known = both.inputs[-100:, 0, 2].flip(0)
    assert (known == 2 * u - 1).sum() >= 99
    test = lstm96.sequences(ADDING, 1, ids, numbers, purpose=Purpose.TEST)
    assert not torch.equal(test.inputs, both.inputs)


# --- the gradient ---


def logistic(x):
    return 1 / (1 + torch.exp(-x))


def by_letters(W, V, sequence, blocks, cells, truncated=True):
    """Net inputs of the outputs after one trial's sequence (T, I), unit by unit from the paper's equations."""
    size = 2 + cells
    y, s = [W.new_zeros(())] * (blocks * size), [W.new_zeros(())] * (blocks * cells)
    for x in sequence:
        sources = [*(value.detach() if truncated else value for value in y), *x, W.new_ones(())]
        net = [sum(w * source for w, source in zip(row, sources, strict=True)) for row in W]
        y = []
        for j in range(blocks):
            y_in, y_out = logistic(net[j * size]), logistic(net[j * size + 1])
            y += [y_in, y_out]
            for v in range(cells):
                g = 4 * logistic(net[j * size + 2 + v]) - 2
                s[j * cells + v] = s[j * cells + v] + y_in * g
                y.append(y_out * (2 * logistic(s[j * cells + v]) - 1))
    seen = [value for u, value in enumerate(y) if u % size >= 2]
    return torch.stack([sum(w * source for w, source in zip(row, [*seen, 1], strict=True)) for row in V])


def drawn_sequences(trials, inputs, outputs, longest=9):
    """Sequences with so many inputs and outputs and of different lengths, as the learning takes them."""
    u = philox.uniform(
        5, torch.arange(trials), torch.arange(longest * inputs + outputs)[:, None], Purpose.TEST
    )
    lengths = torch.arange(trials) % 4 + longest - 3
    shown = (2 * u[0, : longest * inputs] - 1).unflatten(0, (longest, inputs))
    return tasks.Sequences(shown, lengths, u[1, -outputs:])


COST = {
    (reference.LOGISTIC, True): lambda net, target: ((target - logistic(net)) ** 2).sum() / 2,
    (reference.LINEAR, True): lambda net, target: ((target - net) ** 2).sum() / 2,
    # Without its slope the error of a logistic output is the gradient of the relative entropy.
    (reference.LOGISTIC, False): lambda net, target: (torch.log1p(torch.exp(net)) - target * net).sum(),
}


@pytest.mark.parametrize(("kind", "slope"), COST, ids=["logistic", "linear", "no slope"])
@pytest.mark.parametrize(("blocks", "cells"), [(2, 2), (1, 1), (3, 1), (1, 4)])
@pytest.mark.parametrize(("inputs", "outputs"), [(2, 1), (3, 4)])
def test_the_change_is_the_truncated_gradient_downhill(kind, slope, blocks, cells, inputs, outputs):
    trials, size = 5, blocks * (2 + cells)
    P = size * (size + inputs + 1) + outputs * (blocks * cells + 1)
    theta = 4 * philox.uniform(2, torch.arange(trials), torch.arange(P)[:, None], Purpose.INITIAL)[0] - 2
    shown = drawn_sequences(trials, inputs, outputs)
    change, error = reference.answer(theta, shown, blocks, cells, kind, slope)
    for b in range(trials):
        w = theta[:, b].clone().requires_grad_()
        W, V = reference.layers(w, blocks, cells, inputs, outputs)
        net = by_letters(W, V, shown.inputs[-int(shown.lengths[b]) :, :, b], blocks, cells)
        (slopes,) = torch.autograd.grad(COST[kind, slope](net, shown.targets[:, b]), w)
        scale = slopes.abs().max()
        assert ((change[:, b] + slopes).abs() < 1e-12 * scale).all()
        o = net if kind == reference.LINEAR else logistic(net)
        torch.testing.assert_close(error[:, b], (shown.targets[:, b] - o).detach(), rtol=0, atol=1e-14)


def test_what_is_truncated_matters():
    theta, shown = begun(Topology(), torch.arange(1), span=2.0), drawn_sequences(1, 2, 1)
    change, _ = reference.answer(theta, shown, 2, 2, reference.LOGISTIC, True)
    w = theta[:, 0].clone().requires_grad_()
    W, V = reference.layers(w, 2, 2, 2, 1)
    net = by_letters(W, V, shown.inputs[-int(shown.lengths[0]) :, :, 0], 2, 2, truncated=False)
    (slopes,) = torch.autograd.grad(COST[reference.LOGISTIC, True](net, shown.targets[:, 0]), w)
    assert (change[:, 0] + slopes).abs().max() > 1e-3 * slopes.abs().max()
    outputs = slice(88, None)  # the cut does not reach the output's own weights
    torch.testing.assert_close(change[outputs, 0], -slopes[outputs])


# --- learning ---


@pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{task.name}, {task.first_pair}")
def test_a_stretch_of_training_is_one_update_after_another(task, face):
    net, ids = Topology(2, 1), torch.arange(5)
    theta = begun(net, ids, span=1.0)
    found, errors = learnt(net, task, theta, first=11, count=3)
    for n in range(3):
        shown = lstm96.sequences(task, 1, ids, ids * 0 + 11 + n)
        change, error = reference.answer(theta, shown, 2, 1, reference.LOGISTIC, True)
        torch.testing.assert_close(errors[n], error[0].abs(), rtol=0, atol=1e-12)
        theta = theta + 0.5 * change
    torch.testing.assert_close(found, theta, rtol=0, atol=1e-12)


@compiled
@readings
def test_short_sequences_are_learnt(net):
    ids = torch.arange(32)
    theta = begun(net, ids, torch.float32)
    theta, errors = learnt(net, SHORT, theta, count=20_000)
    assert errors.isfinite().all()
    early, late = errors[:1000].mean(0), errors[-1000:].mean(0)
    assert (late < early).float().mean() > 0.9 and late.median() < early.median() / 3
    tested = lstm96.examine(net, SHORT, 1, ids, theta, count=500)
    torch.testing.assert_close(tested.mean(0).median(), late.median(), rtol=0.3, atol=0)


@compiled
def test_products_are_learnt():
    ids, net = torch.arange(32), Topology()
    task = replace(SHORT, name="multiplication")
    _, errors = learnt(net, task, begun(net, ids, torch.float32), count=40_000)
    assert errors[-1000:].mean(0).median() < errors[:1000].mean(0).median() / 2


@readings
def test_weights_that_a_net_has_not_stay_0(net, face):
    theta, _ = learnt(net, SHORT, begun(net, torch.arange(3)), count=20)
    absent = ~net.wiring()
    assert (theta[absent] == 0).all() and (theta[~absent] != begun(net, torch.arange(3))[~absent]).all()


@dtypes
def test_examining_leaves_the_weights_and_shows_other_sequences(dtype, face):
    net, ids = Topology(), torch.arange(6)
    theta = begun(net, ids, dtype, span=1.0)
    found = lstm96.examine(net, SHORT, 1, ids, theta, count=4)
    first, last = (lstm96.examine(net, SHORT, 1, ids, theta, first=n, count=2) for n in (0, 2))
    assert found.shape == (4, 6) and torch.equal(found, torch.cat((first, last)))
    for n in range(4):
        shown = lstm96.sequences(SHORT, 1, ids, ids * 0 + n, purpose=Purpose.TEST, dtype=torch.float64)
        _, error = reference.answer(theta.double(), shown, 2, 2, reference.LOGISTIC, True)
        torch.testing.assert_close(found[n].double(), error[0].abs(), rtol=0, atol=1e-6)


# --- one face against the other, and against itself ---


@compiled
@sizes
@readings
def test_the_compiled_face_equals_the_reference(size, net):
    net = replace(net, blocks=size[0], cells=size[1])
    for number, runs in enumerate((1, 17, 40)):
        theta = begun(net, torch.arange(runs), span=1.0)
        called = arguments(net, TASKS[number], theta)
        found, errors = lstm96.TRAIN(*called)
        expected, wanted = reference.train(*called)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(errors, wanted, rtol=0, atol=1e-13)
        single = theta.float()
        exact, _ = reference.train(*arguments(net, TASKS[number], single.double()))
        rough, _ = lstm96.TRAIN(*arguments(net, TASKS[number], single))
        torch.testing.assert_close(rough.double(), exact, rtol=1e-6, atol=1e-6)


@compiled
@pytest.mark.parametrize("output", lstm96.OUTPUTS)
@pytest.mark.parametrize("marks", ORDERS)
def test_several_outputs_on_the_compiled_face_equal_the_reference(marks, output):
    net = Topology(marks, inputs=8, outputs=2**marks, output=output)
    assert net.compiled
    task = replace(ORDERS[marks], length=27)
    called = arguments(net, task, begun(net, torch.arange(20), span=1.0), 2, 0.1)
    for found, expected in zip(lstm96.TRAIN(*called), reference.train(*called), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@compiled
@classes
def test_noise_on_the_compiled_face_is_the_references(task):
    net = Topology(3, 1, inputs=1, output_bias=False)
    assert net.compiled and net.weights == 102  # as in 1997
    theta = begun(net, torch.arange(40), span=1.0)
    called = arguments(net, task, theta, 2)
    for found, expected in zip(lstm96.TRAIN(*called), reference.train(*called), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    single = theta.float()
    exact, _ = reference.train(*arguments(net, task, single.double()))
    rough, _ = lstm96.TRAIN(*arguments(net, task, single))
    torch.testing.assert_close(rough.double(), exact, rtol=1e-6, atol=1e-6)


@compiled
def test_the_class_is_learnt():
    net, ids = Topology(3, 1, inputs=1, output_bias=False), torch.arange(16)
    task = Task("two-sequence", 20, elements=3)
    biases = {"input_gate_bias": (-1, -3, -5), "output_gate_bias": (-2, -4, -6)}
    theta = lstm96.initial(net, 1, ids, **biases, dtype=torch.float32)
    theta, _ = learnt(net, task, theta, count=10_000, rate=1.0)
    assert (lstm96.examine(net, task, 1, ids, theta, count=256) < 0.2).float().mean() > 0.9


@compiled
def test_the_order_of_two_symbols_is_learnt():
    net, ids = Topology(inputs=8, outputs=4), torch.arange(16)
    assert net.weights == 156 and Topology(3, inputs=8, outputs=8).weights == 308  # as in 1997
    theta = lstm96.initial(net, 1, ids, input_gate_bias=(-2, -4), dtype=torch.float32)
    _, errors = learnt(net, replace(ORDERS[2], length=20), theta, count=10_000)
    assert (errors[-1000:] < 0.3).float().mean() > 0.9 > (errors[:1000] < 0.3).float().mean()


@compiled
@dtypes
def test_a_trial_has_the_same_bits_alone_in_a_crowd_and_on_several_threads(dtype):
    net, ids = Topology(), 5 * 2**32 + torch.arange(70) * 2**33
    theta = begun(net, ids, dtype, span=1.0)
    first, count = torch.arange(70) * 3, torch.arange(70) % 9
    threads, found = torch.get_num_threads(), {}
    try:
        for number in (1, 3):
            torch.set_num_threads(number)
            found[number] = learnt(net, SHORT, theta, ids, first, count)
    finally:
        torch.set_num_threads(threads)
    assert all(map(torch.equal, found[1], found[3]))
    after, errors = found[1]
    for n in (0, 8, 41, 69):
        own = slice(n, n + 1)
        alone, error = learnt(net, SHORT, theta[:, own], ids[own], first[own], count[own])
        assert torch.equal(alone, after[:, own]) and torch.equal(error, errors[: int(count[n]), own])
        assert (errors[int(count[n]) :, n] == 0).all() and (errors[: int(count[n]), n] > 0).all()
    turned = learnt(net, SHORT, theta.flip(1), ids.flip(0), first.flip(0), count.flip(0))
    assert torch.equal(turned[0], after.flip(1)) and torch.equal(turned[1], errors.flip(1))
    assert torch.equal(after[:, count == 0], theta[:, count == 0])


@dtypes
def test_training_can_be_cut_anywhere_and_taken_back_to_any_sequence(dtype, face):
    net, ids = Topology(), torch.arange(5)
    begin = begun(net, ids, dtype)
    whole, errors = learnt(net, SHORT, begin, count=12)
    theta, parts, first = begin, [], 0
    for count in (5, 1, 6):
        theta, part = learnt(net, SHORT, theta, first=first, count=count)
        parts.append(part)
        first += count
    assert torch.equal(theta, whole) and torch.equal(torch.cat(parts), errors)
    # Each trial again, to a stop of its own.
    stop = torch.tensor([0, 3, 12, 7, 1])
    stopped, again = learnt(net, SHORT, begin, count=stop)
    assert torch.equal(again, torch.where(torch.arange(12)[:, None] < stop, errors, 0))
    assert torch.equal(learnt(net, SHORT, stopped, first=stop, count=12 - stop)[0], whole)


@compiled
@avx2
def test_builds_for_other_processors_agree(build):
    called, bits = arguments(Topology(), TASKS[0], begun(Topology(), torch.arange(40), torch.float32)), {}
    for march in ("native", "x86-64-v3"):
        build(LLTD_MARCH=march)
        bits[march] = lstm96.TRAIN(*called)
    assert all(map(torch.equal, bits["native"], bits["x86-64-v3"]))  # the width of a register never matters


def test_sizes_that_are_not_compiled_and_machines_without_a_compiler_are_the_references(build):
    large, usual, ids = Topology(2, 3), Topology(), torch.arange(3)
    theta = begun(large, ids)
    assert lstm96.face(large, theta) == "reference"
    expected = reference.train(*arguments(large, SHORT, theta))
    assert all(map(torch.equal, learnt(large, SHORT, theta), expected))
    build(LLTD_NO_COMPILER=1)
    theta = begun(usual, ids)
    assert lstm96.face(usual, theta) == "reference"
    assert all(
        map(torch.equal, learnt(usual, SHORT, theta), reference.train(*arguments(usual, SHORT, theta)))
    )


def test_on_a_gpu_triton_serves_if_it_is_there():
    with FakeTensorMode():
        theta = torch.empty(93, 2, device="cuda")
    assert lstm96.face(Topology(), theta) == ("cuda.py" if find_spec("triton") else "reference")
    assert lstm96.face(Topology(2, 3), theta) == "reference"


@dtypes
def test_the_op_is_registered_as_torch_wants_it(dtype, face):
    opcheck(
        lstm96.TRAIN.registered, arguments(Topology(), SHORT, begun(Topology(), torch.arange(3), dtype), 2)
    )


@sizes
def test_no_trials_and_no_sequences_are_no_trouble(size, face):
    net = Topology(*size)
    theta, errors = learnt(net, SHORT, begun(net, torch.arange(0)))
    assert theta.shape == (len(net.wiring()), 0) and errors.shape == (0, 0)
    begin = begun(net, torch.arange(4))
    theta, errors = learnt(net, SHORT, begin, count=0)
    assert torch.equal(theta, begin) and errors.shape == (0, 4)


# --- divergence ---


@dtypes
def test_a_trial_that_diverges_is_nan_from_then_on_and_harms_no_other(dtype, face):
    net, ids = Topology(output="linear"), torch.arange(4)
    theta = begun(net, ids, dtype)
    theta[-5:, 2] = 60_000  # an output so far off that one step leaves ±2^16
    after, errors = learnt(net, SHORT, theta, count=4)
    assert after[:, 2].isnan().all() and errors[0, 2].isfinite() and errors[1:, 2].isnan().all()
    others = torch.tensor([0, 1, 3])
    alone, error = learnt(net, SHORT, theta[:, others], ids[others], count=4)
    assert alone.isfinite().all() and torch.equal(after[:, others], alone)
    assert torch.equal(errors[:, others], error)
    # Not before its time.
    kept, _ = learnt(net, SHORT, theta, count=torch.tensor([1, 1, 0, 1]))
    assert torch.equal(kept[:, 2], theta[:, 2])
    # What is nan stays so, can be trained on, examined, and left alone.
    again, errors = learnt(net, SHORT, after, first=4, count=torch.tensor([1, 1, 2, 0]))
    assert again[:, 2].isnan().all() and errors[:, 2].isnan().all() and errors[:, others].isfinite().all()
    tested = lstm96.examine(net, SHORT, 1, ids, after, count=2)
    assert tested[:, 2].isnan().all() and tested[:, others].isfinite().all()


@dtypes
def test_a_single_nan_spreads_to_the_whole_trial(dtype, face):
    net, ids = Topology(), torch.arange(93)
    theta = begun(net, ids, dtype)
    theta[ids, ids] = math.nan  # one weight in each trial
    after, errors = learnt(net, SHORT, theta)
    assert after.isnan().all() and errors.isnan().all()


@compiled
@dtypes
def test_the_largest_weights_leave_every_number_defined(dtype):
    net, ids = Topology(), torch.arange(64)
    theta = begun(net, ids, torch.float64, span=reference.LARGEST)
    after, errors = learnt(net, ADDING, theta.to(dtype), rate=1e-3)
    expected, wanted = learnt(net, ADDING, theta.to(dtype).double(), rate=1e-3)
    assert errors.isfinite().all() and after.isfinite().all()
    assert expected.isfinite().all() and ((errors - wanted).abs() < 1e-3).double().mean() > 0.9


@compiled
def test_gates_that_are_shut_for_good_cost_no_more_time():
    net, ids = Topology(), torch.arange(64)
    usual = begun(net, ids, torch.float32)
    shut = usual.clone()
    W, _ = net.layers(shut)
    W[[0, 1, 4, 5], -1] = -100.0  # activations of 2^-64, and products that no single precision holds
    seconds = {}
    for name, theta in (("usual", usual), ("shut", shut)):
        turns = []
        for _ in range(5):
            start = time.perf_counter()
            learnt(net, ADDING, theta, count=20)
            turns.append(time.perf_counter() - start)
        seconds[name] = min(turns)
    assert seconds["shut"] < 3 * seconds["usual"]


# --- bad arguments ---


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"blocks": 0}, "blocks is 0: at least one is needed"),
        ({"cells": 0}, "cells is 0"),
        ({"inputs": 0}, "inputs is 0"),
        ({"outputs": -1}, "outputs is -1"),
        ({"sees": "gates"}, "sees is 'gates': one of gates and cells, cells"),
        ({"output": "tanh"}, "output is 'tanh': one of logistic, linear"),
    ],
)
def test_a_net_that_cannot_be_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        Topology(**change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "parity"}, "name is 'parity': one of adding, multiplication, order of two, order of three"),
        ({"length": 19}, "length is 19: T between 20 and 400000"),
        ({"length": 400_001}, "length is 400001"),
        ({"first_pair": "kept"}, "first_pair is 'kept': one of neutral, unmarked"),
        ({"noisy": "all"}, "noisy is 'all': one of rest, elements, targets"),
        ({"elements": 0}, "elements is 0: a number in 1 … 20"),
        ({"elements": 21}, "elements is 21"),
    ],
)
def test_a_task_that_cannot_be_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        Task(**change)


RUNS = [
    ({"seed": -1}, ValueError, "seed is -1"),
    ({"seed": 2**63}, ValueError, "seed is 9223372036854775808"),
    ({"ids": torch.zeros(3)}, TypeError, r"ids is torch.float32 \(3,\): int64 of shape \(trials,\)"),
    ({"ids": torch.zeros(1, 3).long()}, TypeError, r"ids is torch.int64 \(1, 3\)"),
    ({"ids": torch.tensor([0, -3, 1])}, ValueError, "ids has -3: no number of a trial is negative"),
]
THETAS = [
    ({"task": ORDERS[2]}, ValueError, "net has 2 inputs and 1 outputs: 8 inputs and 4 outputs are needed"),
    ({"theta": torch.zeros(92, 3)}, TypeError, r"theta is torch.float32 \(92, 3\): real \(93, 3\) is needed"),
    ({"theta": torch.zeros(93, 2)}, TypeError, r"theta is torch.float32 \(93, 2\)"),
    ({"theta": torch.zeros(93, 3).long()}, TypeError, r"theta is torch.int64 \(93, 3\)"),
    ({"theta": torch.zeros(93, 3, device="meta")}, ValueError, "theta lies on meta and ids on cpu"),
    ({"theta": torch.full((93, 3), math.inf)}, ValueError, "theta has a weight beyond ±65536"),
    (
        {"net": READINGS["no cell bias"], "theta": torch.ones(93, 3)},
        ValueError,
        "theta has weights that this net has not: they must be 0",
    ),
]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        *RUNS,
        ({"span": -0.1}, ValueError, r"span is -0.1: a number in \[0, 65536\]"),
        ({"span": math.nan}, ValueError, "span is nan"),
        ({"input_gate_bias": (-3.0,)}, ValueError, r"input_gate_bias is \(-3.0,\): 2 are needed"),
        ({"output_gate_bias": (1.0, 2.0, 3.0)}, ValueError, "output_gate_bias is .*: 2 are needed"),
    ],
)
def test_bad_arguments_of_initial_are_named(change, error, message):
    with pytest.raises(error, match=message):
        lstm96.initial(**{"net": Topology(), "seed": 1, "ids": torch.arange(3), **change})


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        *RUNS,
        ({"numbers": torch.zeros(3)}, TypeError, r"numbers is torch.float32 \(3,\): int64 of \(3,\)"),
        ({"numbers": torch.tensor([0, 1, -1])}, ValueError, "numbers has -1: no number of a sequence"),
        ({"numbers": torch.full((3,), 2**31)}, ValueError, "numbers reaches 2147483648: sequences 0 … 1"),
    ],
)
def test_bad_arguments_of_sequences_are_named(change, error, message):
    good = {"task": ADDING, "seed": 1, "ids": torch.arange(3), "numbers": torch.zeros(3).long()}
    with pytest.raises(error, match=message):
        lstm96.sequences(**{**good, **change})


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        *RUNS,
        *THETAS,
        ({"first": torch.zeros(3)}, TypeError, r"first is torch.float32 \(3,\): int64 of \(3,\)"),
        ({"count": torch.zeros(2).long()}, TypeError, r"count is torch.int64 \(2,\)"),
        ({"count": torch.zeros(3, device="meta").long()}, ValueError, "count lies on meta: cpu is needed"),
        ({"first": torch.tensor([0, -1, 0])}, ValueError, "first has -1: no number of a sequence"),
        ({"count": torch.tensor([0, -1, 0])}, ValueError, "count has -1"),
        ({"first": torch.full((3,), 2**40)}, ValueError, r"first \+ count reaches 1099511627777"),
        ({"rate": 0.0}, ValueError, "rate is 0.0: a positive number"),
        ({"rate": -0.5}, ValueError, "rate is -0.5"),
        ({"rate": math.inf}, ValueError, "rate is inf"),
        ({"rate": math.nan}, ValueError, "rate is nan"),
    ],
)
def test_bad_arguments_of_train_are_named(change, error, message):
    good = {"net": Topology(), "task": SHORT, "seed": 1, "ids": torch.arange(3), "theta": torch.zeros(93, 3)}
    good |= {"first": torch.zeros(3).long(), "count": torch.ones(3).long()}
    with pytest.raises(error, match=message):
        lstm96.train(**{**good, **change})


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        *RUNS,
        *THETAS,
        ({"count": 0}, ValueError, "count is 0: a number of sequences in 1 …"),
        ({"first": -1}, ValueError, "first is -1: the number of a sequence, 0 …"),
        ({"first": 2**40}, ValueError, "first is 1099511627776"),
        ({"first": 9, "count": 2**30}, ValueError, "count is 1073741824: a number of sequences in 1 …"),
    ],
)
def test_bad_arguments_of_examine_are_named(change, error, message):
    good = {"net": Topology(), "task": SHORT, "seed": 1, "ids": torch.arange(3), "theta": torch.zeros(93, 3)}
    with pytest.raises(error, match=message):
        lstm96.examine(**{**good, **change})
