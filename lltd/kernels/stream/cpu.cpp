// Random numbers for many sequences on a CPU: the same mathematics as reference.py.

#include "lanes.hpp"

namespace {

// A run, and one of the Philox blocks of one of its sequences, in the order in which lanes take them.
struct Place {
  int64_t run, block, sequence;

  void next(int64_t runs, int64_t blocks) {
    if (++run < runs) return;
    run = 0;
    if (++block == blocks) block = 0, sequence++;
  }
};

// The four numbers of each of LANES addresses.
[[gnu::flatten]] void draw(uint64_t seed, uint32_t purpose, const uint64_t* ids, const uint32_t* steps,
                           Real (*four)[LANES]) {
#pragma GCC ivdep
  for (int i = 0; i < LANES; i++) {
    uint32_t c0, c1, c2, c3;
    words(seed, ids[i], steps[i], purpose, c0, c1, c2, c3);
    four[0][i] = uniform(c0), four[1][i] = uniform(c1), four[2][i] = uniform(c2), four[3][i] = uniform(c3);
  }
}

}  // namespace

extern "C" {

// reference.stream.
void lltd_stream(int64_t threads, uint64_t seed, Tensor<const uint64_t> ids, int64_t first, int64_t count,
                 int64_t steps, int64_t purpose, Tensor<const Real>, Tensor<Real> out) {
  const int64_t runs = ids.shape[0], blocks = (steps + 3) / 4;
  for_blocks(count * blocks * runs, threads, [] { return 0; }, [&](int, int64_t start, int64_t many) {
    alignas(64) uint64_t owner[LANES] = {};
    alignas(64) uint32_t step[LANES] = {};
    alignas(64) Real four[4][LANES];
    const Place begin{start % runs, start / runs % blocks, start / runs / blocks};
    Place at = begin;
    for (int i = 0; i < many; i++, at.next(runs, blocks)) {
      owner[i] = ids.data[at.run];
      step[i] = uint32_t((first + at.sequence) * blocks + at.block);
    }
    draw(seed, uint32_t(purpose), owner, step, four);
    at = begin;
    for (int i = 0; i < many; i++, at.next(runs, blocks)) {
      Real* to = out.data + (at.sequence * steps + 4 * at.block) * runs + at.run;
      for (int j = 0; j < 4 && 4 * at.block + j < steps; j++) to[j * runs] = four[j][i];
    }
  });
}

}  // extern "C"
