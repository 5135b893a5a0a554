// Results too small for a normal number, which processors are slow on.

#pragma once

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

// While it lives, such results are 0.
struct Flush {
#ifdef __SSE2__
  const unsigned before = _mm_getcsr();
  Flush() { _mm_setcsr(before | _MM_FLUSH_ZERO_ON); }
  ~Flush() { _mm_setcsr(before); }
#endif
};
