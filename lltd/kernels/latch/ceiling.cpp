// The most that this machine can do of what the kernel does: its functions alone, on SIZE numbers x in the nearest
// cache, none of which waits for another. Results are left in x, so that the compiler cannot drop the work.

#include "lanes.hpp"

namespace {
constexpr int SIZE = 1024;       // lltd.roofline.SIZE; 8 kB in double
constexpr int HELD = 8 * LANES;  // numbers in registers at a time: enough to hide how long one sum takes
}  // namespace

extern "C" {

// rounds · SIZE hyperbolic tangents.
void lltd_ceiling_tanh(int64_t rounds, Real* x) {
  for (int64_t round = 0; round < rounds; round++)
#pragma GCC ivdep
    for (int i = 0; i < SIZE; i++) x[i] = tanh_(x[i] + 1);
}

// rounds · SIZE / 4 blocks of Philox, each made into four normals.
void lltd_ceiling_noise(int64_t rounds, Real* x) {
  for (int64_t round = 0; round < rounds; round++)
#pragma GCC ivdep
    for (int i = 0; i < SIZE / 4; i++) {
      uint32_t c0, c1, c2, c3;
      words(1, uint64_t(i), uint32_t(round), NOISE, c0, c1, c2, c3);
      normals(c0, c1, 1, x[i], x[SIZE / 4 + i]);
      normals(c2, c3, 1, x[SIZE / 2 + i], x[3 * SIZE / 4 + i]);
    }
}

// rounds · SIZE fused multiplications and additions: the processor's peak.
void lltd_ceiling_fma(int64_t rounds, Real* x) {
  Real held[HELD];
  for (int i = 0; i < HELD; i++) held[i] = x[i];
  for (int64_t round = 0; round < rounds * (SIZE / HELD); round++)
#pragma GCC unroll 64
    for (int i = 0; i < HELD; i++) held[i] = fma_(held[i], Real(0.999), Real(0.001));
  for (int i = 0; i < HELD; i++) x[i] = held[i];
}
}
