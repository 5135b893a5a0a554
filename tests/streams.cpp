// Random numbers as every C++ face draws them, for the tests to look at.

#include "lanes.hpp"

// out (4, runs) each: the words, uniforms and standard normals of ids (runs,) at one step of one purpose.
extern "C" void streams(uint64_t seed, Tensor<const uint64_t> ids, int64_t step, int64_t purpose,
                        Tensor<int64_t> word, Tensor<Real> even, Tensor<Real> normal) {
  const int64_t runs = ids.shape[0];
  for (int64_t i = 0; i < runs; i++) {
    uint32_t c[4];
    words(seed, uint64_t(ids.data[i]), uint32_t(step), uint32_t(purpose), c[0], c[1], c[2], c[3]);
    for (int k = 0; k < 4; k++) {
      word.data[k * runs + i] = c[k];
      even.data[k * runs + i] = uniform(c[k]);
    }
    for (int k = 0; k < 4; k += 2)
      normals(c[k], c[k + 1], Real(1), normal.data[k * runs + i], normal.data[(k + 1) * runs + i]);
  }
}
