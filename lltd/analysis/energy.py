"""A function that symmetric nets descend: E(x) = -x·Wx/2 - bias·x + Σ G(x_i), with G(x) = x artanh x + log(1 - x²)/2.

For M(a) = W tanh a + bias and x_t = tanh a_t, E(x_t) - E(x_{t+1}) >= d·(1 + W)d / 2 where d = x_{t+1} - x_t, with
equality only for d = 0. After C. M. Marcus and R. M. Westervelt; cited in [BFS93] section III.A.
"""

import math

import torch
from torch import Tensor

from lltd.philox import Purpose, normal


def energy(W: Tensor, a: Tensor, bias: Tensor | float = 0.0) -> Tensor:
    """E(tanh a) of states a (..., n) of one net W (n, n) or of many (..., n, n), shape (...).

    In terms of a, G = a tanh a - log cosh a, which stays exact where tanh rounds to 1. Raises ValueError unless W is
    symmetric.
    """
    if not torch.equal(W, W.mT):
        raise ValueError("W is not symmetric: only then does the net descend E")
    x = torch.tanh(a)
    log_cosh = a.abs() + torch.log1p(torch.exp(-2 * a.abs())) - math.log(2)
    quadratic = (x * (W @ x[..., None])[..., 0]).sum(-1)
    return (a * x - log_cosh - x * bias).sum(-1) - quadratic / 2


def symmetric(seed: int, ids: Tensor, n: int, smallest: Tensor | float) -> Tensor:
    """Random symmetric matrices (ids, n, n), Gaussian but for a shift that sets their smallest eigenvalue."""
    z = normal(seed, ids[:, None], torch.arange(n * n), Purpose.INITIAL)[0].reshape(-1, n, n)
    W = (z + z.mT) / 2
    shift = torch.as_tensor(smallest, dtype=W.dtype) - torch.linalg.eigvalsh(W)[:, 0]
    return W + shift[:, None, None] * torch.eye(n, dtype=W.dtype)


def two_cycle(W: Tensor, steps: int = 5000) -> Tensor:
    """A state a != 0 with M(a) = -a for M = W tanh, of symmetric nets (..., n, n), smallest eigenvalue below -1.

    tanh a is a critical point of the energy of -W, found by small steps along da/dt = -W tanh a - a. Raises ValueError
    where the smallest eigenvalue is -1 or more, for then there is no such state, and if the steps do not suffice.
    """
    values, vectors = torch.linalg.eigh(W)
    if not (values[..., 0] < -1).all():
        raise ValueError(f"the smallest eigenvalue is {values[..., 0].max().item():.6g}: below -1 is needed")
    step = 1 / (1 + values[..., -1:].clamp(min=0))
    a = vectors[..., 0]
    for _ in range(steps):
        a = a + step * (-(W @ torch.tanh(a)[..., None])[..., 0] - a)
    left = ((W @ torch.tanh(a)[..., None])[..., 0] + a).abs().max().item()
    if left > 1e-6:
        raise ValueError(f"steps is {steps}: too few, a state is still {left:.1e} away from a cycle")
    return a
