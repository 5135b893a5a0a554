// The logistic function, in lanes.

#pragma once

#include "lanes.hpp"

// 1 / (1 + exp(-a)) for |a| < 2^21, with an error under 2^-23 (float) or 2^-52 (double). Reduction by a single constant
// for ln 2 leaves an error in exp that grows with |a|, but faster than that the result ceases to depend on exp.
inline Real logistic_(Real a) {
  constexpr Whole NONE = SINGLE ? Whole(0x4B400000) : Whole(0x4338000000000000);  // the bits of ROUND
  constexpr Whole MOST = 64;  // beyond 2^±64 exp makes no difference, and subnormal numbers would be slow
  Real shifted = fma_(-a, Real(1.44269504088896340736), ROUND);
  Real r = fma_(-(shifted - ROUND), Real(0.693147180559945309417), -a);  // |r| <= ln 2 / 2
  // Clamped as integers, which takes two instructions; comparisons of floats would take four.
  Whole power = bits<Whole>(shifted);
  power = power < NONE - MOST ? NONE - MOST : power;
  power = power > NONE + MOST ? NONE + MOST : power;
  Real scale = bits<Real>((power + BIAS) << MANTISSA);  // the high bits are shifted out
  return 1 / (1 + fma_(scale, r * horner<SINGLE ? 6 : 13>(r, EXPM1), scale));
}
