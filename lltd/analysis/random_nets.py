"""Random nets of logistic units under random input, many at a time: what the bounds of [HBFS01] section 2 are tried on.

    net(tau) = W a(tau - 1) + bias + input(tau),    a(tau) = f(net(tau)),    f(x) = 1 / (1 + exp(-x)).
Each net has its own weights, so that leading axes are nets: W (..., n, n), bias and activations (..., n).
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from lltd.philox import Purpose, normal, uniform

AT_ONCE = 50  # steps whose inputs are drawn together: a draw of few numbers takes as long as one of many


class Nets(NamedTuple):
    """Nets by their weights, biases and first activations."""

    W: Tensor  # (..., n, n)
    bias: Tensor  # (..., n)
    start: Tensor  # (..., n), in (0, 1)


def logistic_slope(net: Tensor) -> Tensor:
    """f'(net) = f (1 - f) of the logistic function, never above 1/4; exact far out, where 1 - f would round to 0."""
    return torch.sigmoid(net) * torch.sigmoid(-net)


def largest_weight(gain: Tensor | float, n: int) -> Tensor | float:
    """w_max of weights drawn evenly from (-w_max, w_max) with standard deviation gain / sqrt(n)."""
    return gain * (3 / n) ** 0.5


def draw(seed: int, ids: Tensor, n: int, gain: Tensor | float, centred: Tensor | bool) -> Nets:
    """One net of n units for each id (B,): weights even in (-w_max, w_max), first activations even in (0, 1).

    centred: the bias cancels the net input at activations of 1/2, where every slope is 1/4; else it is 0.
    gain and centred may be numbers or of shape (B,). Raises ValueError for n < 1 or a gain that is not positive.
    """
    gain = torch.as_tensor(gain, dtype=torch.float64, device=ids.device).expand(ids.shape)
    centred = torch.as_tensor(centred, dtype=torch.float64, device=ids.device).expand(ids.shape)
    if n < 1 or not (gain > 0).all():
        raise ValueError(f"n is {n} and gain is {gain.tolist()}: at least 1 and positive numbers are needed")
    size = n * n + n
    numbers = uniform(seed, ids[:, None], torch.arange(-(-size // 4), device=ids.device), Purpose.INITIAL)
    numbers = numbers.movedim(0, -1).flatten(-2)[:, :size]
    W = (2 * numbers[:, n:] - 1).unflatten(-1, (n, n)) * largest_weight(gain, n)[:, None, None]
    return Nets(W, -centred[:, None] * W.sum(-1) / 2, numbers[:, :n])


def activations(nets: Nets, inputs: Iterable[Tensor]) -> Iterator[Tensor]:
    """a(tau), shape (..., n), for tau = 0, 1, … as long as there are inputs (..., n)."""
    for net in net_inputs(nets, inputs):
        yield torch.sigmoid(net)


def slopes(nets: Nets, inputs: Iterable[Tensor]) -> Iterator[Tensor]:
    """f'(net(tau)), shape (..., n), for tau = 0, 1, … as long as there are inputs (..., n)."""
    for net in net_inputs(nets, inputs):
        yield logistic_slope(net)


def net_inputs(nets: Nets, inputs: Iterable[Tensor]) -> Iterator[Tensor]:
    """net(tau), shape (..., n), for tau = 0, 1, … as long as there are inputs (..., n)."""
    a = nets.start
    for u in inputs:
        net = weighted(nets.W, a) + nets.bias + u
        a = torch.sigmoid(net)
        yield net


def weighted(W: Tensor, a: Tensor) -> Tensor:
    """W a, shape (..., n), rounded the same way however many nets are carried along.

    A matrix product may sum in another order for one net than for many. In a chaotic net that last bit would make a
    run computed alone another one than the same run among others.
    """
    return (W * a[..., None, :]).sum(-1)


def noise(seed: int, ids: Tensor, n: int, steps: int) -> Iterator[Tensor]:
    """Inputs (B, n) of `steps` steps, one after the other: independent standard normal numbers."""
    blocks = -(-n // 4)
    for first in range(0, steps, AT_ONCE):
        some = torch.arange(first, min(first + AT_ONCE, steps), device=ids.device)
        places = some[:, None] * blocks + torch.arange(blocks, device=ids.device)  # (steps, blocks)
        numbers = normal(seed, ids[:, None], places[:, None], Purpose.NOISE)  # (4, steps, B, blocks)
        yield from numbers.movedim(0, -1).flatten(-2)[..., :n]
