"""The logistic function of logistic.hpp for Triton faces, operation by operation, with the bits that lanes.py has.

Needs Triton.
"""

import triton
import triton.language as tl

from lltd.kernels.lanes import EXPM1, LOG2_E, constant, divide, horner, whole

LN2 = tl.constexpr(0.693147180559945309417)
MOST = tl.constexpr(64)  # beyond 2^±64 exp makes no difference, and subnormal numbers would be slow


@triton.jit
def logistic(a):
    """1 / (1 + exp(-a)) for |a| < 2^21, with an error under 2^-23 (float32) or 2^-52 (float64)."""
    SINGLE: tl.constexpr = a.dtype == tl.float32
    ROUND: tl.constexpr = 1.5 * 2**23 if SINGLE else 1.5 * 2**52
    NONE: tl.constexpr = 0x4B400000 if SINGLE else 0x4338000000000000  # the bits of ROUND
    shifted = tl.fma(-a, constant(LOG2_E, a), constant(ROUND, a))
    r = tl.fma(-(shifted - ROUND), constant(LN2, a), -a)  # |r| <= ln 2 / 2
    power = whole(shifted)
    power = tl.maximum(power, constant(NONE - MOST, power))
    power = tl.minimum(power, constant(NONE + MOST, power))
    scale = ((power + (127 if SINGLE else 1023)) << (23 if SINGLE else 52)).to(a.dtype, bitcast=True)
    e = tl.fma(scale, r * horner(r, EXPM1, 6 if SINGLE else 13), scale)
    return divide(constant(1, a), 1 + e)
