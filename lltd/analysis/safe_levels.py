"""How large a perturbation a state survives: near a fixed point, and on a grid for a map of the plane.

The level of a state a_0 in a basin is the largest b such that no perturbations with ||u_t|| <= b, however they are
chosen, ever drive a_t = M(a_{t-1}) + u_t out of the basin. [HBFS01] section 3 reads it off |M'(a_0)|; it is the
way to the basin's boundary that decides. (For the latching neuron `latch.safe_input` has it in closed form.)
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lltd.analysis.maps import Map
from lltd.philox import Purpose, uniform


def contraction_level(factor: float, radius: float) -> float:
    """(1 - λ) d: what a fixed point survives if ||M'|| <= λ on the ball of radius d around it. [HBFS01] section 3.

    Raises ValueError unless 0 <= factor < 1 and radius > 0.
    """
    if not 0 <= factor < 1 or not radius > 0:
        raise ValueError(f"factor is {factor} and radius {radius}: [0, 1) and a positive number are needed")
    return (1 - factor) * radius


def plane_level(map: Map, axis: Tensor, basin: Tensor, levels: Sequence[float]) -> Tensor:
    """The largest of the rising `levels` that each state of a square grid survives, (k, k); 0 if none.

    axis: (k,), equally spaced; the state (axis[j], axis[i]) stands in row i and column j, as in a picture.
    basin: (k, k) bool. The survivors of level b are found as the largest set S of grid points within the basin
    such that the ball of radius b around M(a) holds, for each a of S, grid points of S only; so that they are not
    too many, balls are widened by half the diagonal of a grid cell. Levels are right to within about a cell. Images
    must fall on the grid, or ValueError.
    """
    if list(levels) != sorted(levels) or not levels or levels[0] < 0:
        raise ValueError(f"levels is {list(levels)}: rising numbers, none negative, are needed")
    spacing = (axis[-1] - axis[0]).item() / (len(axis) - 1)
    a = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1)
    index = ((map(a) - axis[0]) / spacing).round().long()  # nearest grid point of M(a): (column, row)
    if not ((index >= 0) & (index < len(axis))).all():
        raise ValueError(f"axis reaches from {axis[0]} to {axis[-1]}: some images fall outside")
    column, row = index.unbind(-1)
    found, safe = torch.zeros_like(a[..., 0]), basin
    for level in levels:
        disc = _disc(level / spacing + math.sqrt(0.5)).to(a)
        while True:
            left = safe & _eroded(safe, disc)[row, column]
            if torch.equal(left, safe):
                break
            safe = left
        found[safe] = level
    return found


def kicks(bound: float, steps: int, runs: int, seed: int = 1) -> Tensor:
    """Perturbations, uniform in the disc ||u|| <= bound of the plane; (steps, runs, 2)."""
    chance = uniform(seed, torch.arange(runs), torch.arange(steps)[:, None], Purpose.NOISE)
    radius, angle = bound * chance[0].sqrt(), 2 * torch.pi * chance[1]
    return torch.stack((radius * angle.cos(), radius * angle.sin()), dim=-1)


def _disc(radius: float) -> Tensor:
    offsets = torch.arange(-int(radius), int(radius) + 1)
    return (offsets[:, None] ** 2 + offsets**2 <= radius**2)[None, None]


def _eroded(inside: Tensor, disc: Tensor) -> Tensor:
    """Which points have the whole disc around them inside; what lies beyond the grid counts as outside."""
    outside = 1 - torch.nn.functional.pad(inside.to(disc), [disc.shape[-1] // 2] * 4)
    return torch.nn.functional.conv2d(outside[None, None], disc)[0, 0] < 0.5
