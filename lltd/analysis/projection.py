"""A state seen in two parts, z = P a and y = R a, and what of da_t/da_0 passes through which part.

[BFS93] section III.C, eq. 6: a = P+ z + R+ y with P P+ = 1, R R+ = 1, P R+ = 0, R P+ = 0. P has p rows, R the
other n - p. The derivative of a_t in a_0 falls into four blocks, for which we write z_z = dz_t/dz_0, and so on:

    da_t/da_0 = P+ z_z P + P+ z_y R + R+ y_z P + R+ y_y R.

Derivatives have the shape (..., n, n).
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Blocks(NamedTuple):
    """The four blocks of a derivative; z_y is the derivative of the later z in the earlier y."""

    z_z: Tensor  # (..., p, p)
    z_y: Tensor  # (..., p, n - p)
    y_z: Tensor  # (..., n - p, p)
    y_y: Tensor  # (..., n - p, n - p)


@dataclass(frozen=True)
class Split:
    """Projections P (p, n) and R (n - p, n) and their right inverses, (n, p) and (n, n - p)."""

    P: Tensor
    R: Tensor
    P_right: Tensor
    R_right: Tensor

    def parts(self, a: Tensor) -> tuple[Tensor, Tensor]:
        """Both parts of a state (..., n): z = P a, shape (..., p), and y = R a, shape (..., n - p)."""
        return a @ self.P.T, a @ self.R.T

    def state(self, z: Tensor, y: Tensor) -> Tensor:
        """The state of which z and y are the parts: a = P+ z + R+ y. [BFS93] eq. 6."""
        return z @ self.P_right.T + y @ self.R_right.T

    def blocks(self, derivative: Tensor) -> Blocks:
        """The blocks of a derivative da_t/da_0."""
        return Blocks(
            *(out @ derivative @ into for out in (self.P, self.R) for into in (self.P_right, self.R_right))
        )

    def whole(self, blocks: Blocks) -> Tensor:
        """The derivative da_t/da_0 put together again from its blocks."""
        return (
            self.P_right @ blocks.z_z @ self.P
            + self.P_right @ blocks.z_y @ self.R
            + self.R_right @ blocks.y_z @ self.P
            + self.R_right @ blocks.y_y @ self.R
        )


def split(P: Tensor, R: Tensor) -> Split:
    """The split that two projections make; orthonormal rows, as in the paper, are not needed.

    The right inverses are the columns of the inverse of P over R: no others meet all four conditions of eq. 6.
    Raises ValueError unless P over R is square and invertible.
    """
    both = torch.cat((P, R))
    if both.shape[0] != both.shape[1]:
        raise ValueError(
            f"P has shape {tuple(P.shape)} and R {tuple(R.shape)}: together they need n rows of n"
        )
    if int(torch.linalg.matrix_rank(both)) < len(both):
        raise ValueError("the rows of P and R are linearly dependent: they must span the state space")
    inverse = torch.linalg.inv(both)
    return Split(P, R, inverse[:, : len(P)], inverse[:, len(P) :])


def coordinates(n: int, p: int, dtype: torch.dtype = torch.float64) -> Split:
    """The simplest split of n numbers: z is the first p of them and y the rest. ValueError unless 0 < p < n."""
    if not 0 < p < n:
        raise ValueError(f"p is {p} and n is {n}: 0 < p < n is needed")
    identity = torch.eye(n, dtype=dtype)
    return split(identity[:p], identity[p:])
