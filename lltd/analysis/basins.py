"""Basins of attraction and reduced attracting sets of a map, found by running it from many points.

Points have the shape (..., n), a grid for example. [BFS93] section III.A, definitions 3 and 4.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from lltd.analysis.jacobian_products import partial_products
from lltd.analysis.maps import Map, autonomous


def lead(map: Map, points: Tensor, attractors: Tensor, steps: int, radius: float) -> Tensor:
    """Which attractor each point comes to, int64 (...): the index of the fixed point (k, n) it ends near, or -1.

    A point has come when it is within `radius` of the attractor after so many steps. [BFS93] definition 3.
    Raises ValueError for a radius that is not positive.
    """
    if not radius > 0:
        raise ValueError(f"radius is {radius}: a positive number is needed")
    end = autonomous(map, points, steps)[-1]
    distance, nearest = (end[..., None, :] - attractors).norm(dim=-1).min(-1)
    return torch.where(distance <= radius, nearest, -1)


def reduced(map: Map, points: Tensor, size: Callable[[Tensor], Tensor], steps: int) -> Tensor:
    """Whether the derivative of M^l at each point is smaller than 1 for every l = 1 … steps, bool (...).

    With the basin this is the reduced attracting set of [BFS93] definition 4. `size` says how a derivative is
    measured: `maps.spectral_radius`, as the definition has it, or `maps.operator_norm`, as the proofs do.
    """
    states = autonomous(map, points, steps - 1)
    inside = torch.ones(points.shape[:-1], dtype=torch.bool, device=points.device)
    for matrix, log in partial_products(map.derivative(a) for a in states):
        inside &= size(matrix).log() + log < 0
    return inside
