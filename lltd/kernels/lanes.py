"""What every Triton face stands on: the elementary functions and random numbers of lanes.hpp, operation by operation.

Rounding is that of lanes.hpp on a processor with fused multiply-add, so that a face built on either has the same
bits, if its kernels are launched with enable_fp_fusion=False. Shapes are a block of runs throughout; real numbers
are float32 or float64. Needs Triton.
"""

from math import factorial, pi

import triton
import triton.language as tl

# Taylor coefficients, as in lanes.hpp; float32 takes the first few of each.
EXPM1 = tl.constexpr(tuple(1 / factorial(n + 1) for n in range(13)))
ATANH = tl.constexpr(tuple(2 / (2 * n + 1) for n in range(11)))
SIN = tl.constexpr(tuple((-1) ** n / factorial(2 * n + 1) for n in range(8)))
COS = tl.constexpr(tuple((-1) ** n / factorial(2 * n) for n in range(9)))
LOG2_E = tl.constexpr(1.44269504088896340736)
TAU = tl.constexpr(2 * pi)


@triton.jit
def whole(x):
    """The bits of real numbers, as integers of the same width."""
    return x.to(tl.int32 if x.dtype == tl.float32 else tl.int64, bitcast=True)


@triton.jit
def constant(value, like):
    """A constant of the shape and type of other numbers."""
    return tl.full(like.shape, value, like.dtype)


@triton.jit
def divide(x, y):
    """Correctly rounded x / y; Triton's own division is so in float64 only."""
    if x.dtype == tl.float32:
        return tl.div_rn(x, y)
    else:
        return x / y


@triton.jit
def root(x):
    """Correctly rounded square root; Triton's own is so in float64 only."""
    if x.dtype == tl.float32:
        return tl.sqrt_rn(x)
    else:
        return tl.sqrt(x)


@triton.jit
def horner(x, COEFFICIENTS: tl.constexpr, TERMS: tl.constexpr):
    """The first TERMS terms of a power series."""
    total = constant(COEFFICIENTS[TERMS - 1], x)
    for n in tl.static_range(2, TERMS + 1):
        total = tl.fma(total, x, constant(COEFFICIENTS[TERMS - n], x))
    return total


@triton.jit
def tanh(a):
    """The hyperbolic tangent, through expm1."""
    SINGLE: tl.constexpr = a.dtype == tl.float32
    LN2_HIGH: tl.constexpr = 0.693359375 if SINGLE else 6.93147180369123816490e-01
    LN2_LOW: tl.constexpr = -2.12194440054690583e-04 if SINGLE else 1.90821492927058770002e-10
    ROUND: tl.constexpr = 1.5 * 2**23 if SINGLE else 1.5 * 2**52
    SIGN: tl.constexpr = -(2**31) if SINGLE else -(2**63)
    y = 2 * tl.abs(a)
    y = tl.where(y > 80, constant(80, y), y)
    shifted = tl.fma(y, constant(LOG2_E, y), constant(ROUND, y))
    k = shifted - ROUND
    r = tl.fma(-k, constant(LN2_LOW, y), tl.fma(-k, constant(LN2_HIGH, y), y))
    scale = (whole(shifted) + (127 if SINGLE else 1023)) << (23 if SINGLE else 52)
    scale = scale.to(a.dtype, bitcast=True)
    e = tl.fma(scale, r * horner(r, EXPM1, 7 if SINGLE else 13), scale - 1)
    size = whole(divide(e, e + 2))
    return (size | (whole(a) & constant(SIGN, size))).to(a.dtype, bitcast=True)


@triton.jit
def log(u):
    """The natural logarithm of numbers in (0, 1)."""
    SINGLE: tl.constexpr = u.dtype == tl.float32
    LN2_HIGH: tl.constexpr = 0.693359375 if SINGLE else 6.93147180369123816490e-01
    LN2_LOW: tl.constexpr = -2.12194440054690583e-04 if SINGLE else 1.90821492927058770002e-10
    ROUND: tl.constexpr = 1.5 * 2**23 if SINGLE else 1.5 * 2**52
    MANTISSA: tl.constexpr = 23 if SINGLE else 52
    ROOT_HALF: tl.constexpr = 0x3F3504F3 if SINGLE else 0x3FE6A09E667F3BCD
    bits = whole(u)
    shifted = bits - constant(ROOT_HALF, bits)
    low = shifted & constant(2**MANTISSA - 1, bits)
    m = (low + constant(ROOT_HALF, bits)).to(u.dtype, bitcast=True)
    e = ((shifted >> MANTISSA) + whole(constant(ROUND, u))).to(u.dtype, bitcast=True) - ROUND
    f = divide(m - 1, m + 1)
    tail = tl.fma(e, constant(LN2_LOW, u), f * horner(f * f, ATANH, 5 if SINGLE else 11))
    return tl.fma(e, constant(LN2_HIGH, u), tail)


@triton.jit
def cos_sin(u):
    """Cosine and sine of 2 pi u, for u in (0, 1)."""
    SINGLE: tl.constexpr = u.dtype == tl.float32
    ROUND: tl.constexpr = 1.5 * 2**23 if SINGLE else 1.5 * 2**52
    shifted = tl.fma(u, constant(4, u), constant(ROUND, u))
    quadrant = whole(shifted)
    angle = (u - 0.25 * (shifted - ROUND)) * TAU
    s = angle * horner(angle * angle, SIN, 5 if SINGLE else 8)
    c = horner(angle * angle, COS, 6 if SINGLE else 9)
    odd = (quadrant & 1) != 0
    cosine, sine = tl.where(odd, s, c), tl.where(odd, c, s)
    cosine = tl.where(((quadrant + 1) & 2) != 0, -cosine, cosine)
    return cosine, tl.where((quadrant & 2) != 0, -sine, sine)


@triton.jit
def words(seed, ids, step, PURPOSE: tl.constexpr):
    """The four words of each id's address, uint32, lltd.philox.block."""
    low, high = (ids & 0xFFFFFFFF).to(tl.uint32), (ids >> 32).to(tl.uint32)
    step = constant(0, low) + step.to(tl.uint32)
    return tl.philox(seed, low, high, step, constant(PURPOSE, low))


@triton.jit
def uniform(word, REAL: tl.constexpr):
    """A word as a uniform number in (0, 1), lltd.philox.uniform."""
    return ((word >> 9).to(tl.int32).to(REAL) + 0.5) * 1.1920928955078125e-07  # 2**-23


@triton.jit
def normals(word0, word1, scale):
    """One pair of words as a pair of normals of standard deviation `scale`, lltd.philox.normal."""
    radius = scale * root(-2 * log(uniform(word0, scale.dtype)))
    cosine, sine = cos_sin(uniform(word1, scale.dtype))
    return radius * cosine, radius * sine
