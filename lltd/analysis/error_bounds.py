"""How large can the factor of an error be? The bound of [HBFS01] section 2 and its rivals, in logarithms.

Of the factors of one net over a lag q (`lltd.analysis.error_flow`) the largest, over all pairs of units, is compared
with the largest single path, with the sum of the sizes of all paths, and with six bounds. No logarithm leaves the
range of floating point numbers, however long the lag.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from lltd.analysis.error_flow import jacobians
from lltd.analysis.jacobian_products import Scaled, partial_products
from lltd.analysis.maps import operator_norm, spectral_radius

STEEPEST = 0.25  # the largest slope of the logistic function
# What each quantity is. The first three and the product of norms need the run of the net, the others its weights only.
QUANTITIES = {
    "largest path": "size of the largest product along a single path",
    "factor": "largest |d delta_v(s) / d delta_k(t)| over all units k, v",
    "all paths": "largest sum of the sizes of all paths between two units",
    "norms": "product of ||W F'(tau)||_2 over the steps",
    "entrywise": "largest entry of (|W| / 4)^q",
    "2-norm": "(||W||_2 / 4)^q",
    "lambda^q / n": "(n w_max / 4)^q / n",
    "n (W/4)^q": "n (||W|| / 4)^q in the row-sum norm, as printed",
    "n lambda^q": "n (n w_max / 4)^q, as printed",
}


def log_sizes(W: Tensor, slopes: Iterable[Tensor]) -> dict[str, Tensor]:
    """Natural logarithm of each of `QUANTITIES`, shape (T, ...), at the lags q = 1 … T.

    W (..., n, n); slopes (..., n) of the times s, s + 1, …: the lag grows as t moves on. -inf stands for 0.
    """
    slopes, size = list(slopes), W.abs()
    lags = torch.arange(1, len(slopes) + 1, dtype=W.dtype, device=W.device).view(-1, *[1] * (W.ndim - 2))
    n, largest = W.shape[-1], size.amax((-2, -1))
    rows = lags * (STEEPEST * size.sum(-1).amax(-1)).log()
    power = lags * (STEEPEST * n * largest).log()
    return {
        "largest path": _largest_paths(jacobians(W, slopes), like=slopes[0]),
        "factor": _largest_entries(partial_products(jacobians(W, slopes))),
        "all paths": _largest_entries(partial_products(J.abs() for J in jacobians(W, slopes))),
        "norms": torch.stack([_norm(J).log() for J in jacobians(W, slopes)]).cumsum(0),
        "entrywise": _largest_entries(partial_products(STEEPEST * size for _ in slopes)),
        "2-norm": lags * (STEEPEST * operator_norm(W)).log(),
        "lambda^q / n": power - math.log(n),
        "n (W/4)^q": rows + math.log(n),
        "n lambda^q": power + math.log(n),
    }


def worst_case_rate(W: Tensor) -> Tensor:
    """Spectral radius of ``|W| / 4``, (...): below 1 the error flow vanishes whatever the signs, biases and inputs."""
    return STEEPEST * spectral_radius(W.abs())


def _largest_entries(products: Iterable[Scaled]) -> Tensor:
    return torch.stack([log for _, log in products])  # the largest entry of the matrix is 1


def _largest_paths(jacobians: Iterable[Tensor], like: Tensor) -> Tensor:
    """Logarithm of the largest path, from any unit to any other, at each lag: sums and maxima only."""
    best, found = torch.zeros_like(like), []
    for J in jacobians:
        best = (J.abs().log() + best[..., None, :]).amax(-1)  # best way that ends at each unit
        found.append(best.amax(-1))
    return torch.stack(found)


def _norm(J: Tensor) -> Tensor:
    """2-norm from the symmetric square, twice as fast as from singular values, and as exact for the largest."""
    size = J.abs().amax((-2, -1))
    J = J / torch.where(size > 0, size, 1.0)[..., None, None]  # a square of tiny slopes would be 0
    return size * torch.linalg.eigvalsh(J.mT @ J)[..., -1].clamp(min=0).sqrt()
