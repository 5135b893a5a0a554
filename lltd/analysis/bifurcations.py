"""How the attractors of the neuron a_t = w tanh(a_{t-1}) + u come and go as w and a constant input u change.

For u = 0: one attractor, 0, while |w| <= 1; beyond w = 1 a pair ±a* (a pitchfork), beyond w = -1 a cycle of two.
With an input two attractors are left inside the cusp |u| < u*(w), w > 1, whose edge is a saddle-node bifurcation:
`latch.critical_input`. For w < -1 the cycle lives where |u| < `flip_input`.

After the cusp the two fixed points are gone, and the state passes slowly where they were. Near a_c the step is
a_{t+1} - a_t = -(excess + kappa (a - a_c)² + …) with kappa = -M''(a_c)/2 = tanh a_c = sqrt(1 - 1/w), so that for a
small excess = |u| - u* it takes the time of da/dt = -(excess + kappa a²) from +infinity to -infinity:
pi / sqrt(kappa excess).
"""

import math

import torch
from torch import Tensor

from lltd.analysis.latch import critical_input, fixed_point


def flip_input(w: float) -> float:
    """|u| below which the neuron with w < -1 settles on a cycle of two states; beyond it, on a fixed point.

    The fixed point a = w tanh a + u has the slope -1 at cosh² a = |w|: u = a + |w| tanh a there.
    """
    if not w < -1:
        raise ValueError(f"w is {w}: the neuron has a cycle of two only for w < -1")
    return math.acosh(math.sqrt(-w)) + math.sqrt(w * (w + 1))


def settled(w: Tensor, u: Tensor | float, starts: Tensor, steps: int = 3000) -> Tensor:
    """States after `steps` and one step later, shape (2, *starts.shape, *w.shape): equal unless a cycle is left."""
    shape = starts.shape + torch.broadcast_shapes(w.shape, torch.as_tensor(u).shape)
    a = starts.reshape(*starts.shape, *(1,) * (len(shape) - starts.ndim)).expand(shape)
    for _ in range(steps):
        a = w * torch.tanh(a) + u
    return torch.stack((a, w * torch.tanh(a) + u))


def passage_time(w: float, excess: Tensor, limit: int = 10**6) -> Tensor:
    """Steps in which the constant input -(u* + excess) drives the state from a* to below 0, like excess, int64.

    Raises ValueError unless every excess is positive, or if a state has not passed within `limit` steps.
    """
    if not (excess > 0).all():
        raise ValueError(f"excess is {excess.min().item()}: the state passes only if the input exceeds u*")
    a = torch.full_like(excess, fixed_point(w))
    time, u = torch.zeros(excess.shape, dtype=torch.int64), -(critical_input(w) + excess)
    for _ in range(limit):
        here = a >= 0
        if not here.any():
            return time
        time += here
        a = w * torch.tanh(a) + u
    raise ValueError(f"limit is {limit}: the smallest excess, {excess.min().item()}, needs more steps")


def passage_constant(w: float) -> float:
    """C of the law: passage time ≈ c excess^(-1/2), c = pi (1 - 1/w)^(-1/4). ValueError unless w > 1."""
    if not w > 1:
        raise ValueError(f"w is {w}: there is a cusp to pass only for w > 1")
    return math.pi * (1 - 1 / w) ** -0.25
