"""Gradient descent on a bit that must cross a lag: what vanishing and exploding errors do to the weights.

Random nets (`lltd.analysis.random_nets`) see one bit, +1 or -1 on each unit through a weight of its own, at the first
step. After `lag` more steps unit 0 is to show .9 or .1. All weights W learn by the complete gradient; biases stay.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from lltd.analysis.random_nets import Nets, weighted
from lltd.philox import Purpose, normal

TARGETS = (0.9, 0.1)


class Descent(NamedTuple):
    """What happened over the epochs, for each net."""

    error: Tensor  # (epochs, B), half the sum of the two squared differences, before each update
    turned: Tensor  # (epochs - 1, B) bool: an update that points against the one before


def descend(nets: Nets, seed: int, ids: Tensor, lag: int, rate: float, epochs: int) -> Descent:
    """Train every net for so many epochs, one presentation of both bits each.

    Raises ValueError for a lag or a number of epochs that leaves nothing to do.
    """
    if lag < 1 or epochs < 2:
        raise ValueError(f"lag is {lag} and epochs is {epochs}: at least 1 and at least 2 are needed")
    n = nets.W.shape[-1]
    inward = normal(seed, ids[:, None], torch.arange(n, device=ids.device), Purpose.TASK)[
        0
    ]  # weights of the bit
    errors, updates, W = [], [], nets.W
    for _ in range(epochs):
        W = W.detach().requires_grad_()
        error = _error(W, nets, inward, lag)
        (slope,) = torch.autograd.grad(error.sum(), W)
        errors.append(error.detach())
        updates.append(-slope.flatten(1))
        W = W - rate * slope
    update = torch.stack(updates)
    return Descent(torch.stack(errors), (update[1:] * update[:-1]).sum(-1) < 0)


def _error(W: Tensor, nets: Nets, inward: Tensor, lag: int) -> Tensor:
    """Error of each net, (B,), after both sequences."""
    bits = torch.tensor(
        [[[1.0]], [[-1.0]]], dtype=W.dtype, device=W.device
    )  # (2, 1, 1): both bits side by side
    a = torch.sigmoid(weighted(W, nets.start) + nets.bias + bits * inward)
    for _ in range(lag):
        a = torch.sigmoid(weighted(W, a) + nets.bias)
    return ((a[..., 0] - torch.tensor(TARGETS, dtype=W.dtype, device=W.device)[:, None]) ** 2).sum(0) / 2
