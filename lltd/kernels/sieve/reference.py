"""Guessed nets put to the test: what can be said of a net's answers before, or without, running it.

Letters as in lltd.kernels.guess.reference: P weights, B nets, S sequences, T steps; W words of K inputs.
"""

import torch
from torch import Tensor

from lltd.kernels.guess.reference import ONE_BY_ONE, SYNCHRONOUS, draw, ends

RELATIVE, ABSOLUTE = 2.0**-20, 2.0**-60  # how far from monotone a face's logistic function may be


def spread(w: Tensor, x: Tensor, h: Tensor, o: Tensor) -> Tensor:
    """What units with weights w (units, 3 + n, B) become, (2, units, B), if h (2, n, B) and o (2, B) are intervals.

    Of each weight's source the end is taken that makes the product least, then the one that makes it most. As
    rounding is monotone, the sums that a net computes lie between these, term by term.
    """
    least = most = w[:, 1] + w[:, 0] * x
    for source, (low, high) in ((2, o), *((3 + j, h[:, j]) for j in range(h.shape[1]))):
        v = w[:, source]
        least = least + v * torch.where(v > 0, low, high)
        most = most + v * torch.where(v > 0, high, low)
    low, high = torch.sigmoid(least), torch.sigmoid(most)
    return torch.stack((low * (1 - RELATIVE) - ABSOLUTE, high * (1 + RELATIVE) + ABSOLUTE))


def slack(first: int, count: int, widening: Tensor) -> Tensor:
    """How far from monotone the logistic function is, as computed, on `count` floats in a row: float32 (5,).

    Floats are numbered in order from `first` on, 0 being number 0. widening (2,): relative and absolute, as above.
    Returned: the largest value and the largest lower bound, the least value and the least upper bound; and for how
    many floats the value of a smaller one is above the upper bound, or the lower bound of one above the value.
    """
    number = torch.arange(first, first + count, device=widening.device)
    y = torch.sigmoid(number.abs().int().view(torch.float32) * number.sign())
    low, high = y * (1 - widening[0]) - widening[1], y * (1 + widening[0]) + widening[1]
    wrong = (y.cummax(0).values > high) | (low.cummax(0).values > y)
    return torch.stack((y.max(), low.max(), y.min(), high.min(), wrong.sum().float()))


def step(w: Tensor, x: Tensor, h: Tensor, o: Tensor, order: int) -> tuple[Tensor, Tensor]:
    """Intervals of the hidden units (2, n, B) and of the output (2, B) after one step, from those before it."""
    n, before = h.shape[1], h
    if order == ONE_BY_ONE:
        for i in range(n):
            h = torch.cat((h[:, :i], spread(w[i : i + 1], x, h, o), h[:, i + 1 :]), 1)
    else:
        h = spread(w[:n], x, h, o)
    return h, spread(w[n:], x, before if order == SYNCHRONOUS else h, o)[:, 0]


def boxes(
    seed: int, ids: Tensor, words: Tensor, wiring: Tensor, hidden: int, order: int, span: float
) -> Tensor:
    """Between what bounds the output is after each word (W, K), whatever all units were before: (W, 2, B)."""
    theta = draw(seed, ids, len(wiring), span, words.dtype)
    w = theta.new_zeros(hidden + 1, hidden + 3, len(ids))
    w[wiring[:, 0], wiring[:, 1]] = theta
    any_value = torch.arange(2).to(theta)[:, None].expand(2, len(ids))
    found = theta.new_empty(len(words), 2, len(ids))
    for k, word in enumerate(words):
        h, o = any_value[:, None].expand(2, hidden, -1), any_value
        for x in word:
            h, o = step(w, x, h, o, order)
        found[k] = o
    return found


def possible(
    seed: int,
    ids: Tensor,
    words: Tensor,
    asked: Tensor,
    wiring: Tensor,
    hidden: int,
    order: int,
    span: float,
    tolerance: float,
) -> Tensor:
    """Which nets may be right after all words (W, K), whose targets are asked (A, W): bool (B)."""
    low, high = boxes(seed, ids, words, wiring, hidden, order, span).unbind(1)
    asked = asked[..., None]
    return ((low - asked < tolerance) & (high - asked > -tolerance)).flatten(0, 1).all(0)


def stood(
    seed: int,
    ids: Tensor,
    symbols: Tensor,
    alphabet: Tensor,
    lengths: Tensor,
    targets: Tensor,
    wiring: Tensor,
    hidden: int,
    order: int,
    span: float,
    tolerance: float,
) -> Tensor:
    """How many sequences in a row, alphabet[symbols], each net has right, |error| < tolerance, from the first on."""
    theta = draw(seed, ids, len(wiring), span, alphabet.dtype)
    given = ends(theta, alphabet[symbols.long()], lengths, wiring, hidden, order)
    return ((given - targets[:, None]).abs() < tolerance).cumprod(0).sum(0)
