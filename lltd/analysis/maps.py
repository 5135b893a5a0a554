"""Differentiable maps of R^n, driven by additive inputs: what the theorems of [BFS93] section III speak of.

    a_t = M(a_{t-1}) + u_t     [BFS93] eq. 2,        a_t = M(a_{t-1})     eq. 3, without inputs.

States have the shape (..., n); the leading ... are states that are carried along together. A derivative M'(a) has
the shape (..., n, n), with M'[i, j] = dM_i / da_j. The paper measures its size in two ways that part for n > 1:
by its eigenvalues (definitions 2 and 4) and by its norm (the theorems).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Map:
    """A map M of R^n to itself and its derivative M', both over leading axes."""

    name: str
    M: Callable[[Tensor], Tensor]  # (..., n) -> (..., n)
    derivative: Callable[[Tensor], Tensor]  # (..., n) -> (..., n, n)

    def __call__(self, a: Tensor) -> Tensor:
        """M(a), of the shape (..., n) of a."""
        return self.M(a)


def tanh_net(W: Tensor, bias: Tensor | float = 0.0, name: str = "tanh net") -> Map:
    """M(a) = W tanh a + bias, the net of [BFS93] section III.A; W (n, n), bias (n,) or a number.

    Raises ValueError for a W that is not square.
    """
    if W.ndim != 2 or W.shape[0] != W.shape[1]:
        raise ValueError(f"W has shape {tuple(W.shape)}: a square matrix is needed")
    return Map(
        name, lambda a: torch.tanh(a) @ W.T + bias, lambda a: W * (1 - torch.tanh(a) ** 2)[..., None, :]
    )


def scalar(name: str, M: Callable[[Tensor], Tensor], slope: Callable[[Tensor], Tensor]) -> Map:
    """A map of one dimension, n = 1, from functions M and M' that act on each number alone."""
    return Map(name, M, lambda a: slope(a)[..., None])


def orbit(map: Map, start: Tensor, inputs: Tensor) -> Tensor:
    """States a_0 … a_T, shape (T + 1, ..., n), of the driven map from `start` (..., n) under inputs (T, ..., n)."""
    states = [start]
    for u in inputs:
        states.append(map(states[-1]) + u)
    return torch.stack(torch.broadcast_tensors(*states))


def autonomous(map: Map, start: Tensor, steps: int) -> Tensor:
    """States a_0 … a_T, shape (steps + 1, ..., n), of the map left to itself. [BFS93] eq. 3.

    Raises ValueError for a negative number of steps.
    """
    if steps < 0:
        raise ValueError(f"steps is {steps}: at least 0 is needed")
    states = [start]
    for _ in range(steps):
        states.append(map(states[-1]))
    return torch.stack(states)


def spectral_radius(J: Tensor) -> Tensor:
    """Largest absolute eigenvalue of matrices (..., n, n), shape (...)."""
    return torch.linalg.eigvals(J).abs().amax(-1)


def operator_norm(J: Tensor) -> Tensor:
    """Largest factor by which matrices (..., n, n) stretch a Euclidean length, shape (...)."""
    return torch.linalg.matrix_norm(J, ord=2)
