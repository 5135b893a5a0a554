// Small recurrent nets of fixed wiring, on a CPU: the same mathematics as reference.py.

#include <cstring>
#ifdef __SSE2__
#include <xmmintrin.h>
#endif

#include "lanes.hpp"

namespace {

constexpr int64_t SIGNED = 1;  // reference.py
constexpr Real LARGEST = 2;
constexpr int TOGETHER = 4;    // blocks side by side

// A number for each lane, in vectors of the processor's own width: sums over weights then stay in its registers.
#if defined(__AVX512F__)
constexpr int WIDTH = 64;
#elif defined(__AVX__)
constexpr int WIDTH = 32;
#else
constexpr int WIDTH = 16;
#endif
constexpr int PARTS = LANES * sizeof(Real) / WIDTH;
typedef Real Vector __attribute__((vector_size(WIDTH)));
typedef Whole Mask __attribute__((vector_size(WIDTH)));

struct Lanes {
  Vector part[PARTS];
  Vector& operator[](int r) { return part[r]; }
  const Vector& operator[](int r) const { return part[r]; }
  Real* numbers() { return reinterpret_cast<Real*>(part); }
  const Real* numbers() const { return reinterpret_cast<const Real*>(part); }
};

inline Vector all(Real value) { return Vector{} + value; }

// While it lives, results too small for a normal number are 0: processors are slow on them, and gradients vanish.
struct Flush {
#ifdef __SSE2__
  const unsigned before = _mm_getcsr();
  Flush() { _mm_setcsr(before | _MM_FLUSH_ZERO_ON); }
  ~Flush() { _mm_setcsr(before); }
#endif
};

struct Edge {
  int64_t weight, source;
};

// The wiring by units. A step's sources lie in one table: x(t - 1), x(t), the inputs, 1.
struct Net {
  int64_t units, inputs, entry, output, weights, sources;
  std::vector<std::vector<Edge>> edges;  // of each unit, those that lead to it

  Net(Tensor<const int64_t> wiring, int64_t units, int64_t inputs, int64_t entry, int64_t output)
      : units(units), inputs(inputs), entry(entry), output(output), weights(wiring.shape[0]),
        sources(2 * units + inputs + 1), edges(units) {
    for (int64_t p = 0; p < weights; p++) edges[wiring.data[2 * p]].push_back({p, wiring.data[2 * p + 1]});
  }
};

// A row of runs into lanes. Most blocks are full, and theirs is a plain copy.
inline void load(const Real* row, int64_t count, Lanes& lanes) {
  if (count == LANES)
    std::memcpy(lanes.part, row, sizeof lanes);
  else
    gather(row, count, lanes.numbers());
}

// Rows of lanes into rows of runs.
void leave(const Lanes* rows, int64_t number, Tensor<Real> out, int64_t runs, int64_t run, int64_t count) {
  for (int64_t p = 0; p < number; p++) scatter(rows[p].numbers(), count, out.data + p * runs + run);
}

struct Sequence {  // how long each lane's sequence is, and where it ended
  Mask length[PARTS];
  Lanes end;
  int64_t longest = 0;

  void enter(const int64_t* row, int64_t count) {
    Whole* lanes = reinterpret_cast<Whole*>(length);
    for (int l = 0; l < LANES; l++) lanes[l] = Whole(row[l < count ? l : count - 1]);
    longest = *std::max_element(row, row + count);
  }

  void reach(int64_t steps, const Lanes& x) {
    for (int r = 0; r < PARTS; r++) end[r] = length[r] == Whole(steps) ? x[r] : end[r];
  }
};

struct Block {  // one block of LANES runs and its working space, with `kept` tables of sources
  const Net& net;
  std::vector<Lanes> theta, tables, a;

  Block(const Net& net, int64_t kept)
      : net(net), theta(net.weights), tables(kept * net.sources), a(kept * net.units) {
    for (Lanes& ones : tables) std::fill_n(ones.part, PARTS, all(1));
  }

  Lanes* sources(int64_t k) { return &tables[k * net.sources]; }
  Lanes* activations(int64_t k) { return &a[k * net.units]; }

  void enter(Tensor<const Real> all, int64_t run, int64_t count) {
    for (int64_t p = 0; p < net.weights; p++) load(all.data + p * all.shape[1] + run, count, theta[p]);
  }

  // One step into table k, after that in table `before` (-1: the first). row: where the block finds the inputs of this
  // step, one row of `runs` for each. Returns the output.
  template <bool HARD>
  const Lanes& step(int64_t k, int64_t before, const Real* row, int64_t runs, int64_t count) {
    const int64_t n = net.units;
    Lanes *z = sources(k), *x = z + n, *in = x + n;
    for (int64_t j = 0; j < n; j++) z[j] = before < 0 ? Lanes{} : sources(before)[n + j];
    for (int64_t c = 0; c < net.inputs; c++) {
      load(row + c * runs, count, in[c]);
      const Real* next = row + (c + net.inputs) * runs;  // too far from this row for the processor to foresee
      __builtin_prefetch(next);
      __builtin_prefetch(next + LANES / 2);
    }
    for (int64_t i = 0; i < n; i++) {
      Lanes sum = {};
      for (const Edge& edge : net.edges[i]) {
        const Lanes &w = theta[edge.weight], &from = z[edge.source];
        for (int r = 0; r < PARTS; r++) sum[r] += w[r] * from[r];
      }
      if (i == net.entry)
        for (int r = 0; r < PARTS; r++) sum[r] += in[0][r];
      activations(k)[i] = sum;
      if constexpr (HARD)
        for (int r = 0; r < PARTS; r++) x[i][r] = sum[r] >= 0 ? all(1) : all(-1);
      else
        squash(activations(k)[i].numbers(), x[i].numbers());
    }
    return x[net.output];
  }

  static void squash(const Real* a, Real* x) {
#pragma GCC ivdep
    for (int l = 0; l < LANES; l++) x[l] = tanh_(a[l]);
  }
};

struct Back : Block {  // a block that keeps every step, and what is sent back through them
  Sequence shown;
  Lanes target;
  std::vector<Lanes> first, second;  // errors of a table's first 2n sources
  std::vector<Lanes> sums, chance;   // for each weight; for each unit

  Back(const Net& net, int64_t steps, int64_t kinds)
      : Block(net, steps), first(2 * net.units), second(2 * net.units), sums(kinds * net.weights),
        chance((net.units + 3) / 4 * 4) {}

  // Run the sequences; returns the length of the longest.
  template <bool HARD>
  int64_t forward(Tensor<const Real> start, Tensor<const Real> inputs, Tensor<const int64_t> lengths,
                  Tensor<const Real> targets, int64_t run, int64_t count) {
    const int64_t runs = start.shape[1];
    enter(start, run, count);
    load(targets.data + run, count, target);
    shown.enter(lengths.data + run, count);
    for (auto* zeroed : {&first, &second, &sums}) std::fill(zeroed->begin(), zeroed->end(), Lanes{});
    for (int64_t t = 0; t < shown.longest; t++)
      shown.reach(t + 1, step<HARD>(t, t - 1, inputs.data + t * net.inputs * runs + run, runs, count));
    return shown.longest;
  }

  // Errors of x(t - 1) become those of the step before.
  void recede(std::vector<Lanes>& error) {
    for (int64_t j = 0; j < net.units; j++) {
      error[net.units + j] = error[j];
      error[j] = {};
    }
  }

  void slopes(int64_t t, const Lanes& mu, bool weighted, bool bent) {
    const int64_t n = net.units;
    const Lanes* z = sources(t);
    for (int r = 0; r < PARTS; r++) {
      const auto ends = shown.length[r] == Whole(t + 1);
      first[n + net.output][r] += ends ? shown.end[r] - target[r] : all(0);
      second[n + net.output][r] += ends ? all(1) : all(0);
    }
    for (int64_t i = n - 1; i >= 0; i--) {
      Lanes delta, delta2;
      for (int r = 0; r < PARTS; r++) {
        const Vector x = z[n + i][r], slope = 1 - x * x;
        delta[r] = slope * first[n + i][r];
        delta2[r] = slope * slope * second[n + i][r];
        if (bent) delta2[r] += -2 * x * slope * first[n + i][r];
      }
      for (const Edge& edge : net.edges[i]) {
        const Lanes &from = z[edge.source], &w = theta[edge.weight];
        Lanes* sum = &sums[edge.weight];
        for (int r = 0; r < PARTS; r++) {
          const Vector g = delta[r] * from[r], h = delta2[r] * (from[r] * from[r]);
          sum[0][r] += g;
          sum[net.weights][r] += h;
          if (weighted) sum[2 * net.weights][r] += g / ((h < 0 ? -h : h) + mu[r]);
        }
        if (edge.source >= 2 * n) continue;
        Lanes &back = first[edge.source], &back2 = second[edge.source];
        for (int r = 0; r < PARTS; r++) {
          back[r] += w[r] * delta[r];
          back2[r] += w[r] * w[r] * delta2[r];
        }
      }
    }
    recede(first);
    recede(second);
  }

  // reference.draw: four units to a Philox block.
  void draw(uint64_t seed, const uint64_t* ids, uint64_t address) {
    const int64_t blocks = (net.units + 3) / 4;
    for (int64_t b = 0; b < blocks; b++) {
      Real* u = chance[4 * b].numbers();
#pragma GCC ivdep
      for (int l = 0; l < LANES; l++) {
        uint32_t c0, c1, c2, c3;
        words(seed, ids[l], uint32_t(address * blocks + b), SEARCH, c0, c1, c2, c3);
        u[l] = uniform(c0);
        u[LANES + l] = uniform(c1);
        u[2 * LANES + l] = uniform(c2);
        u[3 * LANES + l] = uniform(c3);
      }
    }
  }

  void wishes(int64_t t, Real margin) {
    const int64_t n = net.units;
    const Lanes* z = sources(t);
    for (int r = 0; r < PARTS; r++)
      first[n + net.output][r] += shown.length[r] == Whole(t + 1) ? target[r] - shown.end[r] : all(0);
    for (int64_t i = n - 1; i >= 0; i--) {
      Lanes change;
      for (int r = 0; r < PARTS; r++) {
        const Vector wish = first[n + i][r], now = activations(t)[i][r];
        const Vector most = wish > LARGEST ? all(LARGEST) : wish, e = most < -LARGEST ? all(-LARGEST) : most;
        const auto up = chance[i][r] < (e + LARGEST) / (2 * LARGEST), moves = (e != 0) & (up ^ (now >= 0));
        change[r] = moves ? (up ? all(margin) : all(-margin)) - now : all(0);
      }
      for (const Edge& edge : net.edges[i]) {
        const Lanes &from = z[edge.source], &w = theta[edge.weight];
        Lanes& sum = sums[edge.weight];
        for (int r = 0; r < PARTS; r++) sum[r] += change[r] * from[r];
        if (edge.source >= 2 * n) continue;
        Lanes& back = first[edge.source];
        for (int r = 0; r < PARTS; r++) back[r] += w[r] * change[r];
      }
    }
    recede(first);
  }
};

}  // namespace

extern "C" {

// reference.ends. Blocks take turns, step by step: their chains of operations overlap in the processor, and what they
// read lies side by side.
void lltd_small_net(int64_t threads, Tensor<const Real> theta, Tensor<const Real> inputs,
                    Tensor<const int64_t> lengths, Tensor<const int64_t> wiring, int64_t units, int64_t entry,
                    int64_t output, int64_t hard, Tensor<Real> ends) {
  const int64_t shown = inputs.shape[0], steps = inputs.shape[1], channels = inputs.shape[2], runs = theta.shape[1];
  const Net net(wiring, units, channels, entry, output);
  auto make = [&] { return std::vector<Block>(TOGETHER, Block(net, 1)); };
  for_blocks((runs + TOGETHER - 1) / TOGETHER, threads, make, [&](std::vector<Block>& blocks, int64_t first, int64_t) {
    const int64_t run = first * TOGETHER, taken = std::min<int64_t>(runs - run, TOGETHER * LANES);
    const int64_t number = (taken + LANES - 1) / LANES;
    const auto count = [&](int64_t b) { return std::min<int64_t>(taken - b * LANES, LANES); };
    for (int64_t b = 0; b < number; b++) blocks[b].enter(theta, run + b * LANES, count(b));
    for (int64_t s = 0; s < shown; s++) {
      Sequence sequences[TOGETHER];
      const int64_t longest = *std::max_element(&lengths.data[s * runs + run], &lengths.data[s * runs + run + taken]);
      for (int64_t b = 0; b < number; b++)
        sequences[b].enter(lengths.data + s * runs + run + b * LANES, count(b));
      for (int64_t t = 0; t < longest; t++)
        for (int64_t b = 0; b < number; b++) {
          const Real* row = inputs.data + (s * steps + t) * channels * runs + run + b * LANES;
          const int64_t before = t ? 0 : -1;
          sequences[b].reach(t + 1, hard ? blocks[b].step<true>(0, before, row, runs, count(b))
                                         : blocks[b].step<false>(0, before, row, runs, count(b)));
        }
      for (int64_t b = 0; b < number; b++)
        leave(&sequences[b].end, 1, ends, runs, s * runs + run + b * LANES, count(b));
    }
  });
}

// reference.slopes. Where mu is infinite no time-weighted sum is asked for, and the divisions are saved.
void lltd_small_net_slopes(int64_t threads, Tensor<const Real> theta, Tensor<const Real> inputs,
                           Tensor<const int64_t> lengths, Tensor<const Real> targets, Tensor<const Real> mu,
                           Tensor<const int64_t> wiring, int64_t units, int64_t entry, int64_t output,
                           int64_t curvature, Tensor<Real> ends, Tensor<Real> sums) {
  const int64_t runs = theta.shape[1];
  const Net net(wiring, units, inputs.shape[1], entry, output);
  auto make = [&] { return Back(net, inputs.shape[0], 3); };
  for_blocks(runs, threads, make, [&](Back& back, int64_t run, int64_t count) {
    Lanes damping;
    load(mu.data + run, count, damping);
    const bool weighted = *std::min_element(mu.data + run, mu.data + run + count) < INFINITY;
    int64_t t = back.forward<false>(theta, inputs, lengths, targets, run, count);
    const Flush flush;
    while (t-- > 0) back.slopes(t, damping, weighted, curvature == SIGNED);
    leave(&back.shown.end, 1, ends, runs, run, count);
    for (int64_t p = 2 * net.weights; p < 3 * net.weights; p++)
      for (int r = 0; r < PARTS; r++) back.sums[p][r] = damping[r] < INFINITY ? back.sums[p][r] : all(0);
    leave(back.sums.data(), 3 * net.weights, sums, runs, run, count);
  });
}

// reference.wanted.
void lltd_small_net_wanted(int64_t threads, Tensor<const Real> theta, Tensor<const uint64_t> ids,
                           Tensor<const Real> inputs, Tensor<const int64_t> lengths, Tensor<const Real> targets,
                           Tensor<const int64_t> wiring, uint64_t seed, int64_t shown, int64_t units, int64_t entry,
                           int64_t output, double margin, Tensor<Real> ends, Tensor<Real> total) {
  const int64_t runs = theta.shape[1], steps = inputs.shape[0];
  const Net net(wiring, units, inputs.shape[1], entry, output);
  auto make = [&] { return Back(net, steps, 1); };
  for_blocks(runs, threads, make, [&](Back& back, int64_t run, int64_t count) {
    uint64_t lanes[LANES];
    gather(ids.data + run, count, lanes);
    int64_t t = back.forward<true>(theta, inputs, lengths, targets, run, count);
    while (t-- > 0) {
      back.draw(seed, lanes, shown * steps + t);
      back.wishes(t, Real(margin));
    }
    leave(&back.shown.end, 1, ends, runs, run, count);
    leave(back.sums.data(), net.weights, total, runs, run, count);
  });
}
}
