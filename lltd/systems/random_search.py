"""Random search: guess the weights, drop a net at its first mistake, stop at the first that makes none.

A guess is shown the sequences of its trial's training set in order. [HS96] section 1: "REPEAT randomly initialize the
weights and test the resulting net on a training set UNTIL solution found". Guess c of trial r has the id r 2³² + c.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from lltd.kernels import guess, small_net
from lltd.kernels.guess import Topology
from lltd.kernels.small_net import Net
from lltd.tasks import Sequences

GUESSES = 2**32  # that a trial has numbers for
TOGETHER = {"cpu": 8192, "cuda": 2**20}  # guesses looked at in one go, at most: no outcome depends on it
FEW = 1024  # in the first go


class Lessons(NamedTuple):
    """What one net must get right: sequences (S, T, C) and lengths (S,), as in `Sequences`, and targets (S,)."""

    inputs: Tensor
    lengths: Tensor
    targets: Tensor


class Found(NamedTuple):
    """What came of a search: guesses made, presentations of a sequence these took, and whether the last was right."""

    guesses: int
    presentations: int
    solved: bool


def lessons(sequences: Sequences, trial: int, low: float, high: float) -> Lessons:
    """Those of one trial of a batch; targets: low for class 0, high for class 1."""
    inputs, lengths, classes = (part[..., trial].contiguous() for part in sequences)
    return Lessons(inputs, lengths, torch.where(classes == 1, high, low).to(inputs))


def answers(net: Topology | Net, theta: Tensor, shown: Lessons) -> Tensor:
    """What nets with weights theta (P, B) answer at the ends of the sequences, (S, B), in theta's precision."""
    inputs = shown.inputs.to(theta)
    if isinstance(net, Topology):
        return guess.ends(net, theta, inputs[:, :, 0].contiguous(), shown.lengths)
    many = theta.shape[1]
    return small_net.ends(
        net, theta, inputs[..., None].expand(-1, -1, -1, many), shown.lengths[:, None].expand(-1, many)
    )


def weights(net: Topology | Net, seed: int, ids: Tensor, span: float, dtype: torch.dtype) -> Tensor:
    """The weights of guesses, (P, B), uniform in ±span, single-precision numbers."""
    return guess.reference.draw(seed, ids, net.weights, span, dtype)


def stood(
    net: Topology | Net,
    seed: int,
    ids: Tensor,
    shown: Lessons,
    *,
    span: float,
    tolerance: float,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """How many sequences in a row each guess has right, |error| < tolerance, before its first mistake: int64 (B,).

    Most nets fail on one of the first two sequences: these are shown one by one, those after them 2, 4, 8 … together.
    """
    count = torch.zeros_like(ids)
    left, first, some = torch.arange(len(ids), device=ids.device), 0, 1
    while first < len(shown.lengths) and len(left):
        now = Lessons(*(part[first : first + some] for part in shown))
        if isinstance(net, Topology):
            inputs = now.inputs[:, :, 0].to(dtype).contiguous()
            given = guess.guess(net, seed, ids[left], inputs, now.lengths, span=span)
        else:
            given = answers(net, weights(net, seed, ids[left], span, dtype), now)
        right = (given - now.targets[:, None].to(given)).abs() < tolerance
        count[left] += right.cumprod(0).sum(0)
        left = left[right.all(0)]
        first += len(now.lengths)
        some = first if first > 1 else 1
    return count


def search(
    net: Topology | Net,
    seed: int,
    trial: int,
    shown: Lessons,
    *,
    budget: int,
    span: float = 100.0,
    tolerance: float = 0.1,
) -> Found:
    """Guess until a net has all sequences right, or the budget of guesses is used up.

    trial: below 2**31. Raises ValueError for a budget or trial out of range, or a
    tolerance that is not positive. Source: [HS96] section 1.
    """
    if not 1 <= budget <= GUESSES:
        raise ValueError(f"budget is {budget}: between 1 and {GUESSES} guesses are possible")
    if not 0 <= trial < GUESSES // 2:
        raise ValueError(f"trial is {trial}: an integer in [0, {GUESSES // 2}) is needed")
    if not tolerance > 0:
        raise ValueError(f"tolerance is {tolerance}: a positive number is needed")
    made, presentations, some = 0, 0, FEW
    while made < budget:
        candidates = torch.arange(made, min(made + some, budget), device=shown.inputs.device)
        count = stood(net, seed, trial * GUESSES + candidates, shown, span=span, tolerance=tolerance)
        solved = count == len(shown.lengths)
        if solved.any():
            first = int(solved.nonzero()[0])
            return Found(made + first + 1, presentations + int((count[: first + 1] + 1).sum()) - 1, True)
        presentations += int((count + 1).sum())
        made += len(candidates)
        some = min(2 * some, TOGETHER[shown.inputs.device.type])
    return Found(budget, presentations, False)
