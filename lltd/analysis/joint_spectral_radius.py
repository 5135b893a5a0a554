"""The largest rate at which products of matrices from a set can grow: the joint spectral radius.

For a bounded set 𝒥 it is rho = lim_k (largest norm of a product of k matrices from 𝒥)**(1/k), Rota & Strang 1960.
Where inputs are free, it decides whether every driven trajectory forgets its start: with 𝒥 = {M'(y) : y in K},
all derivatives along trajectories in a compact K decay if and only if rho < 1.
"""

from itertools import product as choices
from typing import NamedTuple

import torch
from torch import Tensor

from lltd.analysis.maps import operator_norm, spectral_radius


class Bounds(NamedTuple):
    """low <= rho <= high, and a product (its factors by index, the first applied first) that attains low."""

    low: float
    high: float
    word: tuple[int, ...]


def bounds(matrices: Tensor, length: int = 12, gap: float = 1e-3, limit: int = 200_000) -> Bounds:
    """Enclose the joint spectral radius of matrices (k, n, n), by the branch and bound of Gripenberg 1996.

    low: the largest spectral_radius(P)**(1/l) over the products P of l matrices that are examined. high: a product
    is followed further only while the norms of all its beginnings, each to the power 1/l, exceed low + gap; rho is
    at most the larger of low + gap and the largest size of those still followed. Stops at `length` factors, or
    before it would hold more than `limit` products. Raises ValueError for another shape or a gap that is not positive.
    """
    if matrices.ndim != 3 or matrices.shape[1] != matrices.shape[2] or not len(matrices):
        raise ValueError(f"matrices has shape {tuple(matrices.shape)}: (k, n, n) with k >= 1 is needed")
    if not gap > 0:
        raise ValueError(f"gap is {gap}: a positive number is needed")
    count, n = matrices.shape[:2]
    products, words = matrices, torch.arange(count, device=matrices.device)[:, None]
    size = operator_norm(matrices)
    low, high, word = 0.0, float(size.max()), ()
    for factors in range(1, length + 1):
        radius = spectral_radius(products) ** (1 / factors)
        if float(radius.max()) > low * (1 + 1e-9):  # a repeated word is as large as itself, up to rounding
            low, word = float(radius.max()), tuple(words[radius.argmax()].tolist())
        size = torch.minimum(size, operator_norm(products) ** (1 / factors))
        high = min(high, max(low + gap, float(size.max())))
        followed = size > low + gap
        if factors == length or not followed.any() or int(followed.sum()) * count > limit:
            break
        products = (matrices[:, None] @ products[followed]).reshape(-1, n, n)
        last = torch.arange(count, device=words.device).repeat_interleave(int(followed.sum()))
        words = torch.cat((words[followed].repeat(count, 1), last[:, None]), dim=1)
        size = size[followed].repeat(count)
    return Bounds(low, high, word)


def corners(W: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """The 2**n matrices W diag(d), each d_j at its lowest or highest value; (2**n, n, n).

    The derivatives W diag(tanh'(a)) of a tanh net over a box of states lie in their convex hull, and the joint
    spectral radius of a set is that of its convex hull: so `bounds(corners(...))` judges the whole box.
    low, high: (n,). Raises ValueError where low exceeds high.
    """
    if not bool((low <= high).all()):
        raise ValueError(f"low is {low.tolist()} and high is {high.tolist()}: low must not exceed high")
    picks = torch.tensor(list(choices((False, True), repeat=len(low))), device=W.device)
    return W * torch.where(picks, high, low)[:, None, :]


def slopes(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Smallest and largest tanh' over a box of states low <= a <= high, (n,) each."""
    ends = torch.stack((low, high))
    nearest = torch.where((low <= 0) & (high >= 0), 0.0, ends.abs().amin(0))
    return 1 - torch.tanh(ends.abs().amax(0)) ** 2, 1 - torch.tanh(nearest) ** 2
