"""Vector norms ``||x|| = ||S x||_p`` and the matrix norms that go with them: what "a compatible norm" may be.

The bound of [HBFS01] section 2 holds for a pair of norms, and which pair decides whether it is true. S stretches and
shears space first; S = 1 gives the usual 1-norm, 2-norm and maximum norm, a diagonal S gives weighted ones.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

DUAL = {1: math.inf, 2: 2, math.inf: 1}


@dataclass(frozen=True)
class Norm:
    """The norm ``||S x||_p`` of R^n, S (n, n) invertible and p = 1, 2 or infinity; ValueError otherwise."""

    S: Tensor
    p: float

    def __post_init__(self) -> None:
        if self.S.ndim != 2 or self.S.shape[0] != self.S.shape[1]:
            raise ValueError(f"S has shape {tuple(self.S.shape)}: a square matrix is needed")
        if self.p not in DUAL:
            raise ValueError(f"p is {self.p}: 1, 2 or infinity is needed")
        if torch.linalg.matrix_rank(self.S) < len(self.S):
            raise ValueError("S is singular: a norm needs an invertible one")

    def of(self, x: Tensor) -> Tensor:
        """Norm ``||x||`` of vectors x (..., n)."""
        return torch.linalg.vector_norm(x @ self.S.T, ord=self.p, dim=-1)

    def operator(self, A: Tensor) -> Tensor:
        """Norm ``||A||`` of matrices A (..., n, n): the largest factor by which A lengthens a vector."""
        return torch.linalg.matrix_norm(self.S @ A @ torch.linalg.inv(self.S), ord=self.p)

    def units(self) -> Tensor:
        """Norms ``||e_v||`` of the unit vectors, (n,)."""
        return self.of(torch.eye(len(self.S), dtype=self.S.dtype))

    def reaches(self) -> Tensor:
        """How large component k of a vector of norm 1 can be, (n,): the dual norm of e_k."""
        return torch.linalg.vector_norm(torch.linalg.inv(self.S).T, ord=DUAL[self.p], dim=0)
