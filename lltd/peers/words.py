"""Philox's random words in unsigned 64-bit integers: of NumPy's and JAX's arrays, and of Numba's scalars."""

from typing import Any

import numpy as np

from lltd.philox import MULTIPLIERS, ROUNDS, WEYL, Purpose

U64 = np.uint64  # without it NumPy and Numba would fall back to signed or to real numbers
(M0, M1), (W0, W1) = map(U64, MULTIPLIERS), map(U64, WEYL)
MASK, HALF, NINE = U64(0xFFFFFFFF), U64(32), U64(9)
SEED, NOISE = U64(1), U64(Purpose.NOISE)


def words(ids: Any, step: Any) -> tuple[Any, Any, Any, Any]:  # noqa: ANN401, arrays here, scalars there
    """`philox.block` of noise, with seed 1."""
    c0, c1, c2, c3 = ids & MASK, ids >> HALF, step, NOISE
    k0, k1 = SEED, U64(0)
    for _ in range(ROUNDS):
        p0, p1 = c0 * M0, c2 * M1
        c0, c1, c2, c3 = (p1 >> HALF) ^ c1 ^ k0, p1 & MASK, (p0 >> HALF) ^ c3 ^ k1, p0 & MASK
        k0, k1 = (k0 + W0) & MASK, (k1 + W1) & MASK
    return c0, c1, c2, c3


def uniform(word: Any) -> Any:  # noqa: ANN401
    """The uniform number made of a word, as in `philox.uniform`."""
    return ((word >> NINE) + 0.5) * 2.0**-23
