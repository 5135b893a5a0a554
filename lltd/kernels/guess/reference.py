"""Guessed nets: weights drawn at random, and what the net answers at a sequence's end. [HS96] section 1.

A net has n hidden units and one output, all y = f(net) with the logistic f, all 0 at a sequence's start. Sources of a
unit are numbered 0 the input x(t), 1 the constant 1, 2 the output o, 3 + j hidden unit j.

Letters: P weights, B nets, S sequences, T steps. wiring (P, 2): the unit that a weight leads to (n: the output), and
its source. lengths (S): each in 1 … T.
"""

import torch
from torch import Tensor

from lltd.philox import Purpose, uniform

HIDDEN_FIRST, SYNCHRONOUS, ONE_BY_ONE = 0, 1, 2  # when, within a step, a unit sees the others' new values


def draw(seed: int, ids: Tensor, weights: int, span: float, dtype: torch.dtype) -> Tensor:
    """Weights (P, B), uniform in ±span: single-precision numbers, whatever precision the net then runs in."""
    blocks = torch.arange(-(-weights // 4), device=ids.device)
    u = uniform(seed, ids, blocks[:, None], Purpose.SEARCH, torch.float32)  # (4, blocks, B)
    return (span * (2 * u.transpose(0, 1).flatten(0, 1)[:weights] - 1)).to(dtype)


def net_input(w: Tensor, x: Tensor, h: Tensor, o: Tensor) -> Tensor:
    """Net input (units, B) of units with weights w (units, 3 + n, B), from the input, h (n, B) and o (B)."""
    total = w[:, 1] + w[:, 0] * x + w[:, 2] * o
    for j, y in enumerate(h):
        total = total + w[:, 3 + j] * y
    return total


def step(w: Tensor, x: Tensor, h: Tensor, o: Tensor, order: int) -> tuple[Tensor, Tensor]:
    """Hidden units (n, B) and output (B) after one step, from those before it; w (n + 1, 3 + n, B)."""
    n, before = len(h), h
    if order == ONE_BY_ONE:
        for i in range(n):
            h = torch.cat((h[:i], torch.sigmoid(net_input(w[i : i + 1], x, h, o)), h[i + 1 :]))
    else:
        h = torch.sigmoid(net_input(w[:n], x, h, o))
    return h, torch.sigmoid(net_input(w[n:], x, before if order == SYNCHRONOUS else h, o))[0]


def ends(theta: Tensor, inputs: Tensor, lengths: Tensor, wiring: Tensor, hidden: int, order: int) -> Tensor:
    """The output at the end of each sequence, (S, B), of nets with weights theta (P, B); inputs (S, T)."""
    w = theta.new_zeros(hidden + 1, hidden + 3, theta.shape[1])
    w[wiring[:, 0], wiring[:, 1]] = theta
    found = theta.new_empty(len(inputs), theta.shape[1])
    for s, length in enumerate(lengths.tolist()):
        h, o = theta.new_zeros(hidden, theta.shape[1]), theta.new_zeros(theta.shape[1])
        for x in inputs[s, :length]:
            h, o = step(w, x, h, o, order)
        found[s] = o
    return found


def guess(
    seed: int,
    ids: Tensor,
    inputs: Tensor,
    lengths: Tensor,
    wiring: Tensor,
    hidden: int,
    order: int,
    span: float,
) -> Tensor:
    """The same of nets whose weights are drawn for their ids (B)."""
    theta = draw(seed, ids, len(wiring), span, inputs.dtype)
    return ends(theta, inputs, lengths, wiring, hidden, order)
