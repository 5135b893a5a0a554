"""Equations of the flip-flop as they are printed, and the finitely many cases that settle them. [BFS93] section IV.

All of eqs 8-13 look at the signs of x and x + Δx and at the places of u and u + Δu among -1 and 1, and what they want
of x or u is told from these as well. So a
grid that has points on and between all these thresholds has all the cases that there are: an equation that is true on
it is true. The grid is of halves, which binary numbers and their sums hold exactly.
"""

import torch
from torch import Tensor

from lltd.systems import flip_flop

GRID = torch.arange(-6, 7, dtype=torch.float64) / 2  # -3, -2.5 … 3


def cases(count: int) -> tuple[Tensor, ...]:
    """All choices of so many numbers of the grid, each (13 ** count,)."""
    return tuple(axis.flatten() for axis in torch.meshgrid(*[GRID] * count, indexing="ij"))


def distinct(x: Tensor, u: Tensor, du: Tensor) -> int:
    """In how many ways the cases lie on, below and above the thresholds."""

    def place(v: Tensor) -> Tensor:
        return (v > -1).int() + (v >= -1) + (v > 1) + (v >= 1)

    return len(torch.stack((x.sign(), place(u), place(u + du))).unique(dim=1).T)


def effect_of_input(du: Tensor, x: Tensor, u: Tensor) -> Tensor:
    """Δf_u as printed in [BFS93] eq. 12, with strict inequalities only."""
    after = u + du
    up = ((x < 0) & (u < 1) & (after > 1)) | ((x > 0) & (u < -1) & (after > -1))
    down = ((x < 0) & (u > 1) & (after < 1)) | ((x > 0) & (u > -1) & (after < -1))
    return 2.0 * up.to(x.dtype) - 2.0 * down.to(x.dtype)


def wanted_of_input(df: Tensor, x: Tensor, u: Tensor, k: float = 1.0) -> Tensor:
    """Δu as printed in [BFS93] eq. 13, with strict inequalities only and one k for all four cases."""
    up, down = df == 2, df == -2
    du = torch.zeros_like(u)
    du = torch.where((x < 0) & (u < 1) & up, 1 - u + k, du)
    du = torch.where((x > 0) & (u < -1) & up, -1 - u + k, du)
    du = torch.where((x < 0) & (u > 1) & down, 1 - u - k, du)
    return torch.where((x > 0) & (u > -1) & down, -1 - u - k, du)


def turned(df: Tensor, x: Tensor, u: Tensor, du: Tensor) -> Tensor:
    """Whether the change Δu of the input does bring the change Δf of the next state, bool."""
    return flip_flop.step(x, u + du) - flip_flop.step(x, u) == df
