// What every C++ face stands on: elementary functions, Philox, and runs dealt out to lanes and threads.
// SIMD lanes are runs: a loop over `i` is one instruction stream for LANES runs at once, and each lane computes the
// same bits whatever its neighbours are.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

using Real = REAL;  // float or double: the build says which
constexpr bool SINGLE = std::is_same_v<Real, float>;
using Whole = std::conditional_t<SINGLE, int32_t, int64_t>;  // as wide as Real
constexpr int LANES = 128 / sizeof(Real);                    // two of the widest registers

enum Purpose : uint32_t { INITIAL, NOISE, TEST, RESAMPLE, TASK, SEARCH };  // lltd.philox.Purpose

template <class T>
struct Tensor {  // lltd.kernels.op.View: contiguous
  T* data;
  const int64_t* shape;
};

inline Real fma_(Real a, Real b, Real c) {
#ifdef __FMA__
  return std::fma(a, b, c);
#else
  return a * b + c;
#endif
}

template <class To, class From>
inline To bits(From from) {
  return __builtin_bit_cast(To, from);
}

// The first TERMS terms of a power series. Recursion: the compiler only vectorises over lanes if nothing inside loops.
template <int TERMS, int n = 0>
inline Real horner(Real x, const double* c) {
  if constexpr (n == TERMS - 1)
    return Real(c[n]);
  else
    return fma_(horner<TERMS, n + 1>(x, c), x, Real(c[n]));
}

// Taylor coefficients suffice on the reduced ranges below: the first term left out is under 2^-54, or 2^-24 in float.
constexpr double EXPM1[] = {1., 1. / 2, 1. / 6, 1. / 24, 1. / 120, 1. / 720, 1. / 5040, 1. / 40320,
                            1. / 362880, 1. / 3628800, 1. / 39916800, 1. / 479001600, 1. / 6227020800};
constexpr double ATANH[] = {2., 2. / 3, 2. / 5, 2. / 7, 2. / 9, 2. / 11, 2. / 13, 2. / 15, 2. / 17, 2. / 19, 2. / 21};
constexpr double SIN[] = {1., -1. / 6, 1. / 120, -1. / 5040, 1. / 362880, -1. / 39916800, 1. / 6227020800,
                          -1. / 1307674368000};
constexpr double COS[] = {1., -1. / 2, 1. / 24, -1. / 720, 1. / 40320, -1. / 3628800, 1. / 479001600,
                          -1. / 87178291200, 1. / 20922789888000};

// How Real is laid out, and ln 2 in two parts, the first so short that whole multiples of it are exact.
constexpr int MANTISSA = SINGLE ? 23 : 52;
constexpr Whole BIAS = SINGLE ? 127 : 1023;
constexpr Whole ROOT_HALF = SINGLE ? Whole(0x3F3504F3) : Whole(0x3FE6A09E667F3BCD);  // the bits of 1/sqrt 2
constexpr Real LN2_HIGH = SINGLE ? 0x1.63p-1 : 6.93147180369123816490e-01;
constexpr Real LN2_LOW = SINGLE ? -2.12194440054690583e-04 : 1.90821492927058770002e-10;
constexpr Real ROUND = SINGLE ? 0x1.8p23 : 0x1.8p52;  // adding it leaves the nearest integer in the low bits

// tanh through expm1, so that small arguments keep their relative accuracy.
inline Real tanh_(Real a) {
  Real y = 2 * std::fabs(a);
  y = 80 < y ? 80 : y;  // exp clamped; tanh is 1 to the last bit from 19 on
  Real shifted = fma_(y, Real(1.44269504088896340736), ROUND);
  Real k = shifted - ROUND;
  Real r = fma_(-k, LN2_LOW, fma_(-k, LN2_HIGH, y));            // |r| <= ln 2 / 2
  Real scale = bits<Real>((bits<Whole>(shifted) + BIAS) << MANTISSA);  // 2^k: the high bits are shifted out
  Real e = fma_(scale, r * horner<SINGLE ? 7 : 13>(r, EXPM1), scale - 1);  // exp(y) - 1
  return std::copysign(e / (e + 2), a);
}

// log of u in (0, 1), through atanh on [1/sqrt 2, sqrt 2).
inline Real log_(Real u) {
  constexpr Whole LOW = (Whole(1) << MANTISSA) - 1;
  Whole shifted = bits<Whole>(u) - ROOT_HALF;  // so that the exponent counts from 1/sqrt 2
  Real m = bits<Real>((shifted & LOW) + ROOT_HALF);
  Real e = bits<Real>((shifted >> MANTISSA) + bits<Whole>(ROUND)) - ROUND;
  Real f = (m - 1) / (m + 1);
  return fma_(e, LN2_HIGH, fma_(e, LN2_LOW, f * horner<SINGLE ? 5 : 11>(f * f, ATANH)));
}

// cos and sin of 2 pi u, u in (0, 1): quadrant, then |angle| <= pi / 4.
inline void cos_sin(Real u, Real& cosine, Real& sine) {
  Real shifted = fma_(u, 4, ROUND);
  Whole quadrant = bits<Whole>(shifted);
  Real angle = (u - Real(0.25) * (shifted - ROUND)) * Real(6.28318530717958647692);
  Real s = angle * horner<SINGLE ? 5 : 8>(angle * angle, SIN), c = horner<SINGLE ? 6 : 9>(angle * angle, COS);
  Real swap_c = quadrant & 1 ? s : c, swap_s = quadrant & 1 ? c : s;
  cosine = (quadrant + 1) & 2 ? -swap_c : swap_c;
  sine = quadrant & 2 ? -swap_s : swap_s;
}

// lltd.philox.philox4x32.
template <int ROUNDS = 10>
inline void philox(uint32_t& c0, uint32_t& c1, uint32_t& c2, uint32_t& c3, uint32_t k0, uint32_t k1) {
  if constexpr (ROUNDS > 0) {
    const uint64_t p0 = uint64_t(c0) * 0xD2511F53u, p1 = uint64_t(c2) * 0xCD9E8D57u;
    c0 = uint32_t(p1 >> 32) ^ c1 ^ k0;
    c1 = uint32_t(p1);
    c2 = uint32_t(p0 >> 32) ^ c3 ^ k1;
    c3 = uint32_t(p0);
    philox<ROUNDS - 1>(c0, c1, c2, c3, k0 + 0x9E3779B9u, k1 + 0xBB67AE85u);
  }
}

// lltd.philox.block: c0 … c3 become the four words of the address.
inline void words(uint64_t seed, uint64_t id, uint32_t step, uint32_t purpose, uint32_t& c0, uint32_t& c1,
                  uint32_t& c2, uint32_t& c3) {
  c0 = uint32_t(id), c1 = uint32_t(id >> 32), c2 = step, c3 = purpose;
  philox(c0, c1, c2, c3, uint32_t(seed), uint32_t(seed >> 32));
}

// lltd.philox.uniform.
inline Real uniform(uint32_t word) { return (Real(int32_t(word >> 9)) + Real(0.5)) * Real(0x1p-23); }

// lltd.philox.normal: one pair of words as a pair of normals of standard deviation `scale`; at scale 1 they are within
// 4 ulp of the exact values.
inline void normals(uint32_t word0, uint32_t word1, Real scale, Real& first, Real& second) {
  Real cosine, sine;
  Real radius = scale * std::sqrt(-2 * log_(uniform(word0)));
  cos_sin(uniform(word1), cosine, sine);
  first = radius * cosine;
  second = radius * sine;
}

// Between a tensor's row of runs and the lanes. A short last block repeats its last run in the empty lanes.
template <class T>
inline void gather(const T* row, int64_t count, T* lanes) {
  for (int i = 0; i < LANES; i++) lanes[i] = row[i < count ? i : count - 1];
}

template <class T>
inline void scatter(const T* lanes, int64_t count, T* row) {
  for (int i = 0; i < count; i++) row[i] = lanes[i];
}

// Runs work(space, first run, number of runs) on every block of lanes. Each thread makes a working space of its own.
template <class Make, class Work>
void for_blocks(int64_t runs, int64_t threads, Make make, Work work) {
  threads = std::clamp<int64_t>((runs + LANES - 1) / LANES, 1, threads);
  auto worker = [&](int64_t offset) {
    auto space = make();
    for (int64_t start = offset * LANES; start < runs; start += threads * LANES)
      work(space, start, std::min<int64_t>(runs - start, LANES));
  };
  std::vector<std::thread> pool;
  for (int64_t n = 1; n < threads; n++) pool.emplace_back(worker, n);
  worker(0);
  for (auto& thread : pool) thread.join();
}
