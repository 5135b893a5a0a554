"""The memory cell of 1996: what an error can pass, the cut gradient, the cost of a step, the drift of a state."""

import math
from itertools import product

import pytest
import torch

from lltd import philox
from lltd.analysis import carousel, fading, operations, projection, state_drift, truncation
from lltd.kernels import lstm96
from lltd.kernels.lstm96 import Task, Topology, reference
from lltd.kernels.lstm96.tasks import Sequences
from lltd.philox import Purpose
from lltd.systems import hand_set_cell, recurrent_net

SIZES = [(1, 1), (2, 2), (3, 1), (1, 4)]  # blocks, cells
sizes = pytest.mark.parametrize(("blocks", "cells"), SIZES)
TRIALS = 6


def drawn(net, span=2.0, trials=TRIALS, steps=12, seed=3):
    """Weights theta (P, B), uniform in ±span where the net has some, and sequences of different lengths."""
    ids = torch.arange(trials)
    theta = lstm96.initial(net, seed, ids, span=span, input_gate_bias=None)
    many = steps * net.inputs + net.outputs
    u = philox.uniform(seed, ids, torch.arange(many)[:, None], Purpose.TEST)[0]
    inputs = (2 * u[: steps * net.inputs] - 1).unflatten(0, (steps, net.inputs))
    lengths = steps - ids % 4
    begun = torch.arange(steps, 0, -1)[:, None, None] <= lengths
    return theta, Sequences(inputs * begun, lengths, u[-net.outputs :])


def unfolded(net, theta, shown):
    W, _ = net.layers(theta)
    return W, carousel.unfold(W, shown.inputs, net.blocks, net.cells, shown.lengths)


# --- what an error can pass ---


@sizes
def test_steps_are_the_kernels_and_rest_before_a_sequence_begins(blocks, cells):
    net = Topology(blocks, cells)
    theta, shown = drawn(net)
    W, steps = unfolded(net, theta, shown)
    last = reference.run(W, shown.inputs, shown.lengths, blocks, cells)
    for ours, theirs in zip((*steps[-1].memory, steps[-1].net), (*last.memory, last.net), strict=True):
        assert torch.equal(ours, theirs)
    late = shown.lengths < len(steps)
    assert (steps[0].memory.y[:, late] == 0).all() and (steps[0].seen[:, late] == 0).all()


@sizes
def test_the_derivative_of_a_step_is_that_of_autograd(blocks, cells):
    net = Topology(blocks, cells)
    theta, shown = drawn(net)
    W, steps = unfolded(net, theta, shown)
    now = steps[-2].memory
    ours = carousel.jacobian(carousel.ways(W, steps[-1]))
    for b in range(TRIALS):

        def following(y, s, b=b):
            memory = reference.begin(W[..., b : b + 1], blocks, cells)._replace(
                y=y[:, None], s=s.unflatten(0, (blocks, cells))[..., None]
            )
            later = reference.step(W[..., b : b + 1], memory, shown.inputs[-1, :, b : b + 1]).memory
            return later.y[:, 0], later.s.flatten()

        rows = torch.autograd.functional.jacobian(following, (now.y[:, b], now.s[..., b].flatten()))
        wanted = torch.cat([torch.cat(row, 1) for row in rows])
        torch.testing.assert_close(ours[b], wanted, rtol=0, atol=1e-14)


@sizes
def test_inside_a_cell_an_error_comes_back_as_it_was(blocks, cells):
    net = Topology(blocks, cells)
    theta, shown = drawn(net, span=4.0, steps=300)
    W, steps = unfolded(net, theta, shown)
    ways = [carousel.ways(W, step) for step in steps]
    e = torch.ones_like(steps[-1].memory.y)
    cut, full = (carousel.errors(ways, e, truncated=truncated).s for truncated in (True, False))
    assert (cut == cut[-1]).all() and not (full == full[-1]).all()
    whole = carousel.unfold(W, shown.inputs, blocks, cells)
    every = [carousel.ways(W, step) for step in whole]
    for truncated in (True, False):
        ours = carousel.errors(every, e, truncated=truncated).s
        theirs = carousel.by_autograd(W, shown.inputs, blocks, cells, truncated=truncated)
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-14)
    one = torch.eye(blocks * cells).expand(TRIALS, -1, -1)
    for way in ways:
        assert torch.equal(carousel.jacobian(way)[:, net.units :, net.units :].float(), one)


def growth(blocks, cells, span, share=1.0):
    """‖∂s_t/∂s_τ - 1‖ and its bound for each trial and lag, (lags, B) each; with a share of the rate dr / (1 - a)."""
    net = Topology(blocks, cells)
    theta, shown = drawn(net, span, trials=40, steps=20)
    W, _ = net.layers(theta)
    ways = [carousel.ways(W, step) for step in carousel.unfold(W, shown.inputs, blocks, cells)]
    d, c, a = (
        torch.stack([torch.linalg.matrix_norm(m.movedim(-1, 0), 2) for m in kind]).amax(0)
        for kind in zip(*ways, strict=True)
    )
    whole, off, bound = torch.eye(net.units + blocks * cells, dtype=d.dtype), [], []
    for lag, way in enumerate(ways[1:], 1):
        whole = carousel.jacobian(way) @ whole
        state = whole[:, net.units :, net.units :]
        off.append(torch.linalg.matrix_norm(state - torch.eye(state.shape[-1], dtype=d.dtype), 2))
        bound.append((1 + share * d * c / (1 - a)) ** lag - 1)
    fits = a < 1
    return torch.stack(off)[:, fits], torch.stack(bound)[:, fits]


CASES = list(product(SIZES, (0.1, 0.5, 1.0, 2.0, 3.0)))


def test_with_all_ways_open_the_error_leaves_1_no_faster_than_the_theorem_says():
    cases = 0
    for (blocks, cells), span in CASES:
        off, bound = growth(blocks, cells, span)
        assert (off <= bound * (1 + 1e-12) + 1e-14).all()
        cases += off.numel()
    assert cases > 5000


def test_half_the_bound_would_be_wrong():
    found = (growth(blocks, cells, span, share=0.5) for (blocks, cells), span in CASES)
    assert any((off > bound * (1 + 1e-6) + 1e-12).any() for off, bound in found)


def test_gates_that_hear_gates_let_the_error_leave_1_faster():
    """One cell whose output gate hears itself, as the bound allows it: without its 1 / (1 - a) it fails."""
    net, steps = Topology(1, 1), 200
    theta = torch.zeros(len(net.wiring()), 1, dtype=torch.float64)
    W, _ = net.layers(theta)
    W[1, 1], W[1, 5], W[1, 2] = 2.4, -1.2, 3.0  # the output gate: near one half, where its slope is 1/4
    W[2, 1], W[2, 5] = 0.02, -0.01  # the cell hears it
    ways = [carousel.ways(W, step) for step in carousel.unfold(W, torch.zeros(steps, 2, 1), 1, 1)]
    d, c, a = (max(m[..., 0].norm().item() for m in kind) for kind in zip(*ways, strict=True))
    whole = torch.eye(4, dtype=W.dtype)
    for way in ways[1:]:
        whole = carousel.jacobian(way)[0] @ whole
    off, lag = abs(whole[3, 3].item() - 1), steps - 1
    assert a < 1 and off <= (1 + d * c / (1 - a)) ** lag - 1
    assert off > (1 + d * c) ** lag - 1


def test_what_came_through_the_door_stays_while_what_was_shown_fades():
    net, ids = Topology(), torch.arange(8)
    theta = lstm96.initial(net, 1, ids)
    shown = lstm96.sequences(Task(length=300), 1, ids, 0 * ids)
    W, _ = net.layers(theta)
    ways = [carousel.ways(W, step) for step in carousel.unfold(W, shown.inputs[-300:], 2, 2)]
    split = projection.coordinates(12, 8)
    whole, alone, door = torch.eye(12, dtype=W.dtype), torch.eye(8, dtype=W.dtype), []
    for way in ways[1:]:
        whole, alone = carousel.jacobian(way) @ whole, way.among.movedim(-1, 0) @ alone
        door.append(split.blocks(whole).y_z.norm(dim=(1, 2)))
    assert (alone.norm(dim=(1, 2)) < 1e-100).all()
    ratio = door[-1] / door[0]
    assert ((ratio > 0.5) & (ratio < 2)).all()


def test_shapes_that_do_not_fit_are_named():
    net = Topology()
    theta, shown = drawn(net)
    W, _ = net.layers(theta)
    for inputs, blocks in ((shown.inputs[:, :1], 2), (shown.inputs[..., :3], 2), (shown.inputs, 3)):
        with pytest.raises(ValueError, match=r"W is \(8, 11, 6\) and inputs .*: \(H, H \+ I \+ 1, B\)"):
            carousel.unfold(W, inputs, blocks, 2)


# --- the cut ---

NETS = [
    *(Topology(blocks, cells, inputs=3, outputs=2) for blocks, cells in SIZES),
    Topology(output="linear"),
    Topology(slope=False),
    Topology(sees="cells", cell_bias=False),
]


def cost(net, theta, shown):
    """Sum of all trials' costs, to be differentiated through every step."""
    W, V = net.layers(theta)
    last = reference.run(W, shown.inputs, shown.lengths, net.blocks, net.cells)
    total, _ = reference.output(V, last.memory)
    if net.output == "logistic" and not net.slope:
        return (torch.log1p(torch.exp(total)) - shown.targets * total).sum()
    o = total if net.output == "linear" else torch.sigmoid(total)
    return ((shown.targets - o) ** 2).sum() / 2


@pytest.mark.parametrize("net", NETS, ids=str)
def test_both_gradients_are_the_kernels_and_autograds(net):
    theta, shown = drawn(net)
    found = truncation.gradients(net, theta, shown)
    kind = reference.LINEAR if net.output == "linear" else reference.LOGISTIC
    change, _ = reference.answer(theta, shown, net.blocks, net.cells, kind, net.slope)
    exists = net.layers(net.wiring()[:, None])[0]
    torch.testing.assert_close(found.truncated, -net.layers(change)[0] * exists, rtol=1e-12, atol=1e-15)
    free = theta.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(cost(net, free, shown), free)
    torch.testing.assert_close(found.full, net.layers(slopes)[0] * exists, rtol=1e-12, atol=1e-15)
    assert not torch.allclose(found.truncated, found.full, rtol=1e-3)


def difference(scale):
    """Size of what is cut, relative to the full gradient, (B), with the hidden layer's weights on itself scaled."""
    net = Topology()
    theta, shown = drawn(net, span=1.0, steps=30)
    net.layers(theta)[0][:, : net.units] *= scale
    cut, full = truncation.gradients(net, theta, shown)
    return (cut - full).flatten(0, 1).norm(dim=0) / full.flatten(0, 1).norm(dim=0)


def test_nothing_is_cut_where_the_hidden_layer_does_not_hear_itself():
    assert (difference(0.0) == 0).all()
    ratio = difference(1e-4) / difference(1e-5)
    assert ((ratio - 10).abs() < 0.1).all()  # in proportion to the weights


def test_parts_of_a_gradient_are_all_of_it_and_agreement_is_geometry():
    net = Topology(2, 3)
    theta, shown = drawn(net)
    pair = truncation.gradients(net, theta, shown)
    parts = truncation.of_kind(net, pair.full)
    assert tuple(parts) == truncation.KINDS
    squares = sum(part.square().sum(0) for part in parts.values())
    torch.testing.assert_close(squares, pair.full.square().sum((0, 1)))
    torch.testing.assert_close(parts["input gates"], pair.full[[0, 5]].flatten(0, 1))
    cosine, size = truncation.agreement(-2 * pair.full, pair.full)
    torch.testing.assert_close((cosine, size), (torch.full_like(cosine, -1), torch.full_like(size, 2)))


# --- what a step costs ---


def counted(blocks, cells, inputs, outputs, steps):
    """Operations of so many steps with an error in each, by running them."""
    net = Topology(blocks, cells, inputs=inputs, outputs=outputs)
    W, V = net.layers(torch.zeros(len(net.wiring()), 1))

    def learn():
        memory = reference.begin(W, blocks, cells)
        for x in torch.zeros(steps, inputs, 1):
            last = reference.step(W, memory, x)
            total, y_c = reference.output(V, last.memory)
            reference.downhill(V, last, y_c, total)
            memory = last.memory

    return operations.count(learn)


MANY = list(product((1, 2, 5), (1, 2, 6), (1, 4), (1, 3)))


def a_step(J, C, I, O):  # noqa: E741
    H, F = J * (2 + C), J * (2 + C) + I + 1
    return 2 * H * F + 7 * J * C * F + 6 * J + 25 * J * C + O * (5 * J * C + 1)


def within(constant):
    """Whether a step takes at most so many operations for each weight in all nets tried."""
    sizes = {case: len(Topology(*case[:2], inputs=case[2], outputs=case[3]).wiring()) for case in MANY}
    return all(a_step(*case) <= constant * weights for case, weights in sizes.items())


def test_a_step_costs_what_the_theorem_says_however_long_the_sequence():
    for case in MANY:
        costs = [counted(*case, steps) for steps in (1, 2, 7)]
        assert costs[1] - costs[0] == a_step(*case) and costs[2] - costs[1] == 5 * a_step(*case)


def test_the_cost_is_proportional_to_the_number_of_weights():
    assert within(14) and not within(7)
    for J, C, I, O in MANY:  # noqa: E741
        net, n = Topology(J, C, inputs=I, outputs=O), J * (2 + C) + I + O + 1
        assert len(net.wiring()) <= n**2
        kept = 2 * J * C * (net.units + I + 1) + net.units + J * C
        assert kept < 3 * len(net.wiring())
        memory = reference.begin(net.layers(torch.zeros(len(net.wiring()), 1))[0], J, C)
        assert sum(part.numel() for part in memory) == kept


def test_bptt_costs_a_fixed_number_of_operations_for_each_weight_too():
    for units, inputs in product((2, 6, 24), (1, 5)):
        W = recurrent_net.init(1, 0, units, inputs)

        def bptt(steps, W=W, units=units, inputs=inputs):
            given = (W.new_zeros(shape) for shape in (units, (steps, inputs), (steps, units)))
            return operations.count(lambda: recurrent_net.bptt(W, *given))

        first, later = bptt(4) - bptt(3), bptt(40) - bptt(39)
        assert first == later and 4 * W.numel() <= first <= 8 * W.numel()


def test_a_weight_of_an_input_gate_has_work_for_each_cell_of_its_block():
    for blocks, cells in product((1, 3, 7), (1, 2, 5)):
        net = Topology(blocks, cells)
        W, _ = net.layers(torch.zeros(len(net.wiring()), 1))
        memory = reference.begin(W, blocks, cells)
        of_gates, of_cells = blocks * W.shape[1], blocks * cells * W.shape[1]  # weights
        assert memory.by_gate.numel() == cells * of_gates and memory.by_cell.numel() == of_cells


def test_operations_are_counted_one_by_one():
    a, b, c = torch.ones(3, 4), torch.ones(4, 5), torch.ones(4)
    prices = {
        12: lambda: a + 1,
        24: lambda: (a * 2).sigmoid(),
        11: lambda: a.sum(),
        8: lambda: a.sum(0),
        120: lambda: a @ b,
        18: lambda: a[:, :3] @ c[:3],
        0: lambda: torch.cat((a, a))[1:3].clone(),
    }
    for price, work in prices.items():
        assert operations.count(work) == price
    with pytest.raises(NotImplementedError, match="torch's sort has no price"):
        operations.count(lambda: a.sort())


# --- drift ---


@pytest.mark.parametrize(("w", "b"), [(0.5, 0.0), (0.05, 0.1), (2.0, -1.0), (6.0, 3.0)])
def test_moments_of_g_are_its_integrals(w, b):
    v = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 100_000 - 1
    values = reference.g(w * v + b)
    found = state_drift.of_g(w, b)
    assert found.mean == pytest.approx(values.mean().item(), abs=1e-9)
    assert found.deviation == pytest.approx(values.std().item(), rel=1e-5)


def drift_ratio(beta, steps, runs=1000):
    """Standard deviation of the drift of cells that hear uniform values, over the one foretold."""
    ids = torch.arange(runs)
    u = philox.uniform(4, ids, torch.arange(-(-steps // 4))[:, None], Purpose.NOISE)
    v = 2 * u.transpose(0, 1).flatten(0, 1)[:steps] - 1
    W = hand_set_cell.weights(1, ids, beta, span=0.0)
    memory = reference.begin(W, 1, 1)
    for value in v:
        memory = reference.step(W, memory, torch.stack((value, 0 * value))).memory
    return memory.s.std().item() / state_drift.drift(beta, 0.5, 0.0, steps).deviation


@pytest.mark.parametrize("beta", [-6.0, 0.0])
def test_cells_drift_as_foretold(beta):
    assert abs(drift_ratio(beta, 60) - 1) < 0.08  # of 1000 runs: 2 % off, as a rule


def test_bad_arguments_of_the_drift_are_named():
    with pytest.raises(ValueError, match="w is 0"):
        state_drift.of_g(0.0, 1.0)
    with pytest.raises(ValueError, match="steps is -1"):
        state_drift.drift(-3.0, 0.5, 0.0, -1)


# --- the cell set by hand, and the Elman net beside it ---


def kept(beta, length=100, many=200):
    """Distances of the cell's state at the end from half the sum of the marked values, (B,)."""
    ids = torch.arange(many)
    shown = lstm96.sequences(Task(length=length), 2, ids, 0 * ids)
    W = hand_set_cell.weights(2, ids, beta)
    state = reference.run(W, shown.inputs, shown.lengths, 1, 1).memory.s[0, 0]
    return (state - 2 * (shown.targets[0] - 0.5)).abs()


def test_the_cell_set_by_hand_keeps_the_sum_behind_a_gate_that_is_nearly_shut():
    assert (kept(-6.0) < 0.08).double().mean() > 0.95  # the tolerance of the task
    assert (kept(-1.0) < 0.08).double().mean() < 0.5


def test_fading_is_the_size_of_the_derivative_and_outlasts_every_float():
    W = recurrent_net.init(1, 0, 5, 2, gain=1.5)
    inputs = philox.normal(1, 3, torch.arange(30), Purpose.NOISE)[:2].T
    start = torch.zeros(5, dtype=W.dtype, requires_grad=True)
    a = recurrent_net.unfold(W, start, inputs)
    (slopes,) = torch.autograd.grad(a[-1, 2], start)
    found = fading.decades(W, a.detach(), unit=2)
    assert found[0].item() == pytest.approx(math.log10(slopes.norm()), abs=1e-12)
    assert found[-1] == 0 and len(found) == 31

    small = recurrent_net.init(1, 0, 5, 2, gain=0.1)
    silent = recurrent_net.unfold(small, torch.zeros(5, dtype=W.dtype), torch.zeros(2000, 2, dtype=W.dtype))
    assert -1e5 < fading.decades(small, silent, unit=0)[0] < -400
    both = fading.decades(torch.stack((W, small)), torch.stack((a.detach(), 0 * a.detach()), 1), unit=2)
    torch.testing.assert_close(both[:, 0], found)
    nothing = fading.decades(torch.zeros(5, 7), torch.zeros(4, 5), unit=0)
    assert nothing.tolist() == [-math.inf] * 3 + [0.0]
    with pytest.raises(ValueError, match="unit is 5"):
        fading.decades(W, a, unit=5)
