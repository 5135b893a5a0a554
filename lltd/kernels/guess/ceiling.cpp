// The most that this machine can do of what the kernel does: its logistic function alone, on SIZE numbers x in the
// nearest cache, none of which waits for another. Results are left in x, so that the compiler cannot drop the work.

#include "logistic.hpp"

namespace {
constexpr int SIZE = 1024;  // lltd.roofline.SIZE
}

extern "C" {

// rounds · SIZE values of the logistic function.
void lltd_ceiling_logistic(int64_t rounds, Real* x) {
  for (int64_t round = 0; round < rounds; round++)
#pragma GCC ivdep
    for (int i = 0; i < SIZE; i++) x[i] = logistic_(x[i]);
}
}
