"""The ball of uncertainty: how far bounded inputs can drive a state from its undisturbed orbit. [BFS93] theorem 3.

With the radius rho_t = lambda rho_{t-1} + b, rho_0 = 0, the corrected theorem asks for ||M'|| <= lambda on the ball of
radius rho_s around each undisturbed state, and then no inputs of at most b drive the state further away than rho_t.
"""

import math

import torch
from torch import Tensor

from lltd.analysis.latch import fixed_point
from lltd.analysis.norms import Norm


def radii(bound: float, rate: float, steps: int) -> Tensor:
    """rho_0 … rho_T = b (1 - lambda^t) / (1 - lambda), shape (steps + 1,), float64. [BFS93] proof of theorem 3.

    Raises ValueError unless bound >= 0 and 0 <= rate < 1.
    """
    if not bound >= 0 or not 0 <= rate < 1:
        raise ValueError(f"bound is {bound} and rate is {rate}: bound >= 0 and 0 <= rate < 1 are needed")
    t = torch.arange(steps + 1, dtype=torch.float64)
    return bound * (1 - rate**t) / (1 - rate)


def rate_on_balls(W: Tensor, centres: Tensor, radius: Tensor | float, norm: Norm) -> Tensor:
    """At least as large as ||M'|| on balls around centres (..., n), for M = W tanh + bias; shape (...).

    On a ball component i of the state comes no nearer to 0 than |a_i| - radius * reach_i, so that M' = W D with a
    diagonal D of entries at most 1 - tanh² there; and a smaller D cannot have a larger norm, if S is diagonal.
    Raises ValueError for a norm whose S is not diagonal.
    """
    if not torch.equal(norm.S, torch.diag(norm.S.diagonal())):
        raise ValueError("the norm's S is not diagonal: only then does a smaller slope mean a smaller norm")
    nearest = (centres.abs() - torch.as_tensor(radius)[..., None] * norm.reaches()).clamp(min=0)
    return norm.operator(W * (1 - torch.tanh(nearest) ** 2)[..., None, :])


def certified_rate(W: Tensor, states: Tensor, bound: float, norm: Norm) -> float | None:
    """A rate lambda < 1 that holds on the balls B(a~_t, rho_t) it implies itself; None if none is found.

    states: the undisturbed orbit (T, n). A larger rate makes larger balls, on which the rate is larger: starting
    from the rate on the orbit alone it is raised until it suffices, or reaches 1.
    """
    rate = 0.0
    for _ in range(100):
        needed = rate_on_balls(W, states, radii(bound, rate, len(states) - 1), norm).max().item()
        if needed <= rate:
            return rate
        rate = needed + (needed - rate) / 4  # a step beyond, or the last ones would be endlessly small
        if rate >= 1:
            return None
    return None


def certified_bound(w: float, radius: float) -> float:
    """The largest b for which the corrected theorem keeps the latch within `radius` of a*: radius (1 - lambda).

    lambda = M'(a* - radius) is the largest slope on the ball. Raises ValueError unless 0 <= radius <= a*.
    """
    a = fixed_point(w)
    if not 0 <= radius <= a:
        raise ValueError(f"radius is {radius}: between 0 and a* = {a:.6g} is needed")
    return max(0.0, radius * (1 - w / math.cosh(a - radius) ** 2))


def needed_input(w: float, radius: float) -> float:
    """The constant input that holds the latch `radius` below a*; what inputs must be to drive it there and no less."""
    a = fixed_point(w) - radius
    return w * math.tanh(a) - a
