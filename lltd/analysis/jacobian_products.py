"""Products of many Jacobians, J_T … J_2 J_1, whose size may leave the range of floating point numbers.

The derivative of a state in an earlier one is such a product ([BFS93] section III, [HBFS01] section 3). It is kept as
a matrix of moderate size and the logarithm of a scale, so that neither a vanishing nor an exploding one is lost.
Factors have the shape (..., n, n); the leading ... are products that are carried along together, on any device.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from lltd.philox import Purpose, normal

SWEEPS = 300  # at most; each divides what couples two singular values by their ratio, squared
SETTLED = 1e-9  # in the logarithms


class Scaled(NamedTuple):
    """The matrix exp(log) * matrix; the largest |entry| of `matrix` is 1, or the log is -inf and it is zero."""

    matrix: Tensor  # (..., n, n)
    log: Tensor  # (...), natural logarithm


def partial_products(factors: Iterable[Tensor]) -> Iterator[Scaled]:
    """J_1, J_2 J_1, J_3 J_2 J_1, …: each factor comes from the left. Raises ValueError for no factor at all."""
    product = None
    for factor in factors:
        product = (
            _rescaled(factor, 0.0) if product is None else _rescaled(factor @ product.matrix, product.log)
        )
        yield product
    if product is None:
        raise ValueError("factors is empty: a product needs at least one")


def product(factors: Iterable[Tensor]) -> Scaled:
    """The whole product J_T … J_1."""
    return deque(partial_products(factors), maxlen=1).pop()


def log_norms(factors: Iterable[Tensor]) -> Tensor:
    """Natural logarithm of the 2-norm of J_t … J_1 for t = 1 … T, shape (T, ...)."""
    return torch.stack(
        [torch.linalg.matrix_norm(matrix, ord=2).log() + log for matrix, log in partial_products(factors)]
    )


def log_singular_values(factors: Iterable[Tensor], every: int = 1) -> Tensor:
    """Natural logarithms of the singular values of J_T … J_1, shape (..., n), largest first.

    The product is kept as Q D U: Q orthogonal, D = exp(d) diagonal, U triangular of moderate size. It is made so anew
    after `every` factors, 1 or more or ValueError; within them, rounding blurs singular values that fall 1e-16 below
    the largest, so that a larger `every` is faster and less exact.
    """
    if every < 1:
        raise ValueError(f"every is {every}: at least 1 is needed")
    Q, d, U = None, None, None
    for block in _blocks(factors, every):
        if Q is None:
            Q, U = _generic_rotation(block.matrix), torch.eye(block.matrix.shape[-1]).to(block.matrix)
            d = U.new_zeros(block.matrix.shape[:-1])
        Q, R = torch.linalg.qr(block.matrix @ Q)
        d, row_scaled = _row_scaled(R, d)
        U = row_scaled @ U
        d = d + block.log[..., None]
    # The singular values of D U are those of U^T D = Q R D: done again and again this makes U diagonal, D what we want.
    for _ in range(SWEEPS):
        before = d
        d, U = _row_scaled(torch.linalg.qr(U.mT)[1], d)
        if torch.allclose(d, before, rtol=0, atol=SETTLED):
            break
    return d.sort(-1, descending=True).values


def _row_scaled(R: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """Write the triangle R exp(d) as exp(d') U, the diagonal of U being ±1: d' and U."""
    kind = torch.finfo(R.dtype)
    diagonal = R.diagonal(dim1=-2, dim2=-1).abs().clamp(min=kind.tiny)  # 0 for a singular factor
    # Where d ascends, which a generic start makes rare and slight, the ratio must not overflow.
    ratio = (d[..., None, :] - d[..., :, None]).nan_to_num(nan=0.0).clamp(max=80.0).exp()
    U = R / diagonal[..., None] * ratio
    # What is far below rounding goes: denormal numbers make a matrix product a hundred times slower.
    return d + diagonal.log(), torch.where(U.abs() < kind.eps**2, 0.0, U)


def _blocks(factors: Iterable[Tensor], size: int) -> Iterator[Scaled]:
    """Products of `size` successive factors, the last one of what is left."""
    factors = iter(factors)
    while block := list(islice(factors, size)):
        yield product(block)


def _generic_rotation(like: Tensor) -> Tensor:
    """An orthogonal matrix that no structured product singles out: from an identity, a diagonal one never mixes."""
    n = like.shape[-1]
    numbers = normal(0, 0, torch.arange(n * n), Purpose.INITIAL)[0].reshape(n, n)
    return torch.linalg.qr(numbers.to(like))[0]


def _rescaled(matrix: Tensor, log: Tensor | float) -> Scaled:
    size = matrix.abs().amax((-2, -1))
    safe = torch.where(size > 0, size, 1.0)
    return Scaled(matrix / safe[..., None, None], size.log() + log)
