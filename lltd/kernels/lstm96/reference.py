"""LSTM as it was in 1996, learning on-line from errors at the ends of sequences: the mathematics, in plain torch.

By the letters of [HS96] section 2; the gradient is that of Hochreiter & Schmidhuber 1997, appendix A: errors that
reach a net input go no further back, those inside a cell go back unweakened, so that ∂s/∂w can be carried forward.

A net has J blocks of C cells. The hidden layer is, block by block, the input gate, the output gate and the cells:
H = J (2 + C) units. A hidden unit sees the hidden layer one step before, the I inputs, and 1: F = H + I + 1 sources.
An output sees the J C cells of this step, and 1.

Letters: B trials, T steps; hidden weights W (H, F, B), output weights V (O, J C + 1, B), theta (P, B) is both, W
first; states s (J, C, B).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from lltd.kernels.lstm96.tasks import Sequences, draw

LOGISTIC, LINEAR = 0, 1  # the output units
LARGEST = 2.0**16  # a trial has diverged once a weight is larger than that


class Memory(NamedTuple):
    """What a net keeps from step to step: activations y (H, B), states s (J, C, B), and their derivatives.

    by_cell (J, C, F, B) is ∂s/∂w of a cell's own weights, by_gate (J, C, F, B) of its input gate's.
    """

    y: Tensor
    s: Tensor
    by_cell: Tensor
    by_gate: Tensor


class Step(NamedTuple):
    """What a time step leaves: the memory after it, what was seen (F, B), and the net inputs (J, 2 + C, B)."""

    memory: Memory
    seen: Tensor
    net: Tensor


def g(x: Tensor) -> Tensor:
    """Squashes a cell's net input, into (-2, 2)."""
    return 4 * torch.sigmoid(x) - 2


def h(x: Tensor) -> Tensor:
    """Squashes a cell's state, into (-1, 1)."""
    return 2 * torch.sigmoid(x) - 1


def layers(theta: Tensor, blocks: int, cells: int, inputs: int, outputs: int) -> tuple[Tensor, Tensor]:
    """Weights theta (P, B) as those of the hidden layer W (H, F, B) and of the outputs V (O, J C + 1, B)."""
    units = blocks * (2 + cells)
    sources = units + inputs + 1
    W, V = theta.split((units * sources, outputs * (blocks * cells + 1)))
    return W.unflatten(0, (units, sources)), V.unflatten(0, (outputs, blocks * cells + 1))


def begin(W: Tensor, blocks: int, cells: int) -> Memory:
    """All zero, at a sequence's begin."""
    units, sources, trials = W.shape
    traces = W.new_zeros(2, blocks, cells, sources, trials)
    return Memory(W.new_zeros(units, trials), W.new_zeros(blocks, cells, trials), *traces)


def step(W: Tensor, memory: Memory, x: Tensor) -> Step:
    """One time step with inputs x (I, B).

    s(t) = s(t-1) + y_in g(net_c), y_c = y_out h(s), from net inputs with the y of one step before.
    """
    y, s, by_cell, by_gate = memory
    blocks, cells, _ = s.shape
    seen = torch.cat((y, x, torch.ones_like(x[:1])))
    net = torch.zeros_like(W[:, 0])
    for m, y_m in enumerate(seen):
        net = net + W[:, m] * y_m
    net = net.unflatten(0, (blocks, 2 + cells))
    y_in, y_out = torch.sigmoid(net[:, :1]), torch.sigmoid(net[:, 1:2])
    g_c = g(net[:, 2:])
    by_gate = by_gate + (g_c * y_in * (1 - y_in))[:, :, None] * seen  # g(net_c) f'(net_in) y_m(t-1)
    by_cell = by_cell + (y_in * (4 - g_c**2) / 4)[:, :, None] * seen  # g'(net_c) y_in y_m(t-1)
    s = s + y_in * g_c
    y = torch.cat((y_in, y_out, y_out * h(s)), 1).flatten(0, 1)
    return Step(Memory(y, s, by_cell, by_gate), seen, net)


def run(W: Tensor, inputs: Tensor, lengths: Tensor, blocks: int, cells: int) -> Step:
    """The last step of sequences that are aligned at their ends, inputs (T, I, B) and lengths (B)."""
    memory = begin(W, blocks, cells)
    for left, x in zip(range(len(inputs), 0, -1), inputs, strict=True):
        last = step(W, memory, x)
        memory = Memory(*(torch.where(left <= lengths, value, 0) for value in last.memory))
    return last._replace(memory=memory)


def output(V: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
    """Net inputs of the output units (O, B), and the cells that they see (J C, B)."""
    blocks, cells, _ = memory.s.shape
    y_c = memory.y.unflatten(0, (blocks, 2 + cells))[:, 2:].flatten(0, 1)
    total = V[:, -1]
    for c, y in enumerate(y_c):
        total = total + V[:, c] * y
    return total, y_c


def downhill(V: Tensor, last: Step, y_c: Tensor, e: Tensor) -> tuple[Tensor, Tensor]:
    """The changes of W and V for errors e (O, B) at the outputs' net inputs, per unit of the rate."""
    _, s, by_cell, by_gate = last.memory
    y_out, squashed = torch.sigmoid(last.net[:, 1:2]), h(s)
    back = torch.zeros_like(y_c)
    for w_k, e_k in zip(V, e, strict=True):
        back = back + w_k[:-1] * e_k
    back = back.unflatten(0, s.shape[:2])  # Σ_k w_kc e_k: (J, C, B)
    e_out = (y_out * (1 - y_out))[:, 0] * (squashed * back).sum(1)  # f'(net_out) Σ_c h(s) Σ_k w_kc e_k
    e_s = y_out * (1 - squashed**2) / 2 * back  # y_out h'(s) Σ_k w_kc e_k
    by_in = (e_s[:, :, None] * by_gate).sum(1)
    by_out = e_out[:, None] * last.seen
    by_W = torch.cat((by_in[:, None], by_out[:, None], e_s[:, :, None] * by_cell), 1).flatten(0, 1)
    return by_W, e[:, None] * torch.cat((y_c, torch.ones_like(y_c[:1])))


def answer(
    theta: Tensor, shown: Sequences, blocks: int, cells: int, kind: int, slope: bool
) -> tuple[Tensor, Tensor]:
    """What a sequence asks the weights to change, (P, B) per unit of the rate, and target - output (O, B).

    kind: LOGISTIC or LINEAR outputs. slope: whether the error of a logistic one has the factor o (1 - o).
    """
    W, V = layers(theta, blocks, cells, shown.inputs.shape[1], len(shown.targets))
    inputs = shown.inputs[len(shown.inputs) - int(shown.lengths.max()) :]
    last = run(W, inputs, shown.lengths, blocks, cells)
    net, y_c = output(V, last.memory)
    o = net if kind == LINEAR else torch.sigmoid(net)
    error = shown.targets - o
    by_W, by_V = downhill(V, last, y_c, error * o * (1 - o) if slope and kind == LOGISTIC else error)
    return torch.cat((by_W.flatten(0, 1), by_V.flatten(0, 1))), error


def train(
    seed: int,
    ids: Tensor,
    theta: Tensor,
    first: Tensor,
    count: Tensor,
    rates: Tensor,
    most: int,
    blocks: int,
    cells: int,
    kind: int,
    slope: bool,
    task: int,
    length: int,
    variant: int,
    purpose: int,
) -> tuple[Tensor, Tensor]:
    """Sequences first … first + count - 1 (B) of on-line learning: theta (P, B) after them, and errors (most, B).

    rates (P): of each weight, 0 where there is none. most: the largest count. The error is the largest
    |target - output| of a sequence, 0 beyond a trial's count. A trial with a weight beyond ±LARGEST, or nan, has
    diverged: all its weights are nan from then on.
    """
    errors = theta.new_zeros(most, theta.shape[1])
    for n in range(most):
        shown = draw(seed, ids, first + n, task, length, variant, purpose, theta.dtype)
        change, error = answer(theta, shown, blocks, cells, kind, slope)
        later, learns = theta + rates[:, None] * change, n < count
        later = torch.where((later.abs() <= LARGEST).all(0), later, torch.nan)
        theta = torch.where(learns, later, theta)
        errors[n] = torch.where(learns, error.abs().amax(0), 0)
    return theta, errors
