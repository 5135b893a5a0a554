"""How a recurrent net scales an error on its way back in time: [HBFS01] section 2, equation by equation.

delta_k(t) is the error of unit k at time t, and the factor d delta_v(s) / d delta_k(t) says how much of it comes to
unit v at the earlier time s; the lag is q = t - s. It equals d net_k(t) / d net_v(s), and is the entry [k, v] of
    W F'(t - 1) … W F'(s + 1) W F'(s),    F'(tau) the diagonal matrix of the slopes f'(net(tau)).
W (..., n, n) with w_ij from unit j to unit i. The slopes (q, ..., n) are those of the times s, s + 1, …, t - 1.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise, product

import torch
from torch import Tensor

from lltd.analysis import jacobian_products
from lltd.analysis.jacobian_products import Scaled


def recursion(W: Tensor, slopes: Tensor, k: int) -> Tensor:
    """The factors of all units v, shape (n,), for one unit k, by recursion. [HBFS01] eq. 1."""
    _check(W, slopes)
    if len(slopes) == 1:
        return slopes[0] * W[k]  # f'_v w_kv
    return slopes[0] * (recursion(W, slopes[1:], k) @ W)  # f'_v sum_l w_lv (factor of l, one step shorter)


def paths(W: Tensor, slopes: Tensor, k: int, v: int) -> Tensor:
    """The n**(q-1) terms of the path sum, one for each way l_s = v, l_s+1, …, l_t = k. [HBFS01] eq. 2.

    Raises ValueError when there are more than a million of them.
    """
    _check(W, slopes)
    n, q = len(W), len(slopes)
    if n ** (q - 1) > 1_000_000:
        raise ValueError(f"{n} units and a lag of {q} have {n}**{q - 1} paths: at most a million are listed")
    ways = torch.tensor([(v, *between, k) for between in product(range(n), repeat=q - 1)])
    steps = [
        slope[earlier] * W[later, earlier]
        for slope, (earlier, later) in zip(slopes, pairwise(ways.T), strict=True)
    ]
    return torch.stack(steps).prod(0)


def matrix_form(W: Tensor, slopes: Tensor, k: int, v: int) -> Tensor:
    """The factor as W_k^T F'(t-1) [prod W F'(tau)] W_v f'_v(net_v(s)), for lags above 1. [HBFS01] section 2.

    W_k^T is the row of weights that lead to unit k, W_v the column of those that leave unit v.
    Raises ValueError for a lag of 1, for which the form is not meant.
    """
    _check(W, slopes)
    if len(slopes) < 2:
        raise ValueError("slopes has the lag 1: the matrix form is for lags above 1")
    row = W[k] * slopes[-1]
    for slope in slopes[1:-1].flip(0):  # tau = t - 2 … s + 1
        row = row @ (W * slope)
    return row @ W[:, v] * slopes[0, v]


def jacobians(W: Tensor, slopes: Iterable[Tensor]) -> Iterator[Tensor]:
    """W F'(tau), shape (..., n, n), one step after the other."""
    for slope in slopes:
        yield W * slope[..., None, :]


def flow(W: Tensor, slopes: Iterable[Tensor]) -> Scaled:
    """All factors at once, [..., k, v], as a matrix and the logarithm of its scale: no lag is too long."""
    return jacobian_products.product(jacobians(W, slopes))


def contributions(delta: Tensor, sources: Tensor) -> Tensor:
    """What each time adds to the gradient, (T, ..., n, m): delta_j(tau) z_l(tau), of (T, ..., n) and (T, ..., m)."""
    return delta[..., :, None] * sources[..., None, :]


def _check(W: Tensor, slopes: Tensor) -> None:
    if W.ndim != 2 or W.shape[0] != W.shape[1]:
        raise ValueError(f"W has shape {tuple(W.shape)}: a square matrix is needed")
    if slopes.ndim != 2 or len(slopes) < 1 or slopes.shape[1] != len(W):
        raise ValueError(f"slopes has shape {tuple(slopes.shape)}: (q, {len(W)}) with q at least 1 is needed")
