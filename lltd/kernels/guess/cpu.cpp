// Guessed nets on a CPU: the same mathematics as reference.py.

#include <utility>

#include "logistic.hpp"

namespace {

constexpr int SYNCHRONOUS = 1, ONE_BY_ONE = 2;             // reference.py
constexpr int MOST = 10;                                          // hidden units
constexpr int INPUT = 0, ONE = 1, OUTPUT = 2, FIRST = 3;          // sources

struct Wiring {
  Tensor<const int64_t> weights;
  int64_t to(int64_t p) const { return weights.data[2 * p]; }
  int64_t from(int64_t p) const { return weights.data[2 * p + 1]; }

  // Does a hidden unit see another one?
  bool dense(int64_t hidden) const {
    for (int64_t p = 0; p < weights.shape[0]; p++)
      if (to(p) < hidden && from(p) >= FIRST && from(p) != FIRST + to(p)) return true;
    return false;
  }
};

template <int SIZE>
using Lanes = Real[SIZE];  // one number of each of SIZE nets

// w[FIRST + j] y[j], summed over j < N. Recursion, as in horner: nothing inside the loop over lanes may loop.
template <int N, int SIZE, int j = 0>
inline Real fed(const Lanes<SIZE>* w, const Lanes<SIZE>* y, int i, Real total) {
  if constexpr (j == N)
    return total;
  else
    return fed<N, SIZE, j + 1>(w, y, i, fma_(w[FIRST + j][i], y[j][i], total));
}

// One unit's new value, from the input, the output before and the N hidden units y that it sees.
template <int N, int SIZE>
[[gnu::flatten, gnu::noinline]] void unit(const Lanes<SIZE>* w, Real x, const Lanes<SIZE>& o, const Lanes<SIZE>* y,
                                          Lanes<SIZE>& to) {
#pragma GCC ivdep
  for (int i = 0; i < SIZE; i++)
    to[i] = logistic_(fed<N, SIZE>(w, y, i, fma_(w[OUTPUT][i], o[i], fma_(w[INPUT][i], x, w[ONE][i]))));
}

// A block of nets with HIDDEN hidden units. A unit waits for the one before it; SIZE nets at once fill the wait.
template <int HIDDEN, bool DENSE>
struct Block {
  static constexpr int SIZE = LANES * (HIDDEN < 4 ? 4 : 2);
  static constexpr int SEEN = DENSE ? HIDDEN : HIDDEN > 0;  // hidden units that a hidden unit sees

  // Weights, and the units' values. Without any hidden unit there still is an array.
  alignas(64) Lanes<SIZE> hidden[HIDDEN + 1][FIRST + SEEN] = {}, output[FIRST + HIDDEN] = {};
  alignas(64) Lanes<SIZE> h[HIDDEN + 1], later[HIDDEN + 1], o;

  Real* weight(int64_t to, int64_t from) {
    if (to == HIDDEN) return output[from];
    return hidden[to][DENSE || from < FIRST ? from : FIRST];
  }

  void step(Real x, int64_t order) {
    const bool at_once = DENSE && order != ONE_BY_ONE;  // hidden units see what the others were
    Lanes<SIZE>& answer = order == SYNCHRONOUS ? later[HIDDEN] : o;
    if (order == SYNCHRONOUS) unit<HIDDEN, SIZE>(output, x, o, h, answer);
    for (int u = 0; u < HIDDEN; u++)
      unit<SEEN, SIZE>(hidden[u], x, o, DENSE ? h : &h[u], at_once ? later[u] : h[u]);
    if (at_once) std::copy_n(later[0], HIDDEN * SIZE, h[0]);
    if (order == SYNCHRONOUS)
      std::copy_n(answer, SIZE, o);
    else
      unit<HIDDEN, SIZE>(output, x, o, h, answer);
  }

  // The output at the end of a sequence is left in o.
  void run(const Real* inputs, int64_t length, int64_t order) {
    std::fill_n(h[0], HIDDEN * SIZE, Real(0));
    std::fill_n(o, SIZE, Real(0));
    for (int64_t t = 0; t < length; t++) step(inputs[t], order);
  }
};

// reference.draw: four weights of one block of random words, lanes = nets. The product is rounded once, in float.
template <int SIZE>
void draw(uint64_t seed, const uint64_t* ids, uint32_t number, float span, float (*four)[SIZE]) {
#pragma GCC ivdep
  for (int i = 0; i < SIZE; i++) {
    uint32_t c0, c1, c2, c3;
    words(seed, ids[i], number, SEARCH, c0, c1, c2, c3);
    auto weight = [span](uint32_t word) { return span * (float(int32_t(word >> 9)) * 0x1p-22f + (0x1p-23f - 1)); };
    four[0][i] = weight(c0), four[1][i] = weight(c1), four[2][i] = weight(c2), four[3][i] = weight(c3);
  }
}

struct Work {  // what both ops share
  int64_t threads, nets, order;
  Tensor<const Real> inputs;
  Tensor<const int64_t> lengths;
  Wiring wiring;
  Real* out;  // (S, nets)

  // enter(block, first net, how many): puts the weights of some nets into a block.
  template <class Net, class Enter>
  void over(Enter enter) const {
    constexpr int64_t TIMES = Net::SIZE / LANES;
    for_blocks((nets + TIMES - 1) / TIMES, threads, [] { return Net(); }, [&](Net& net, int64_t first, int64_t) {
      const int64_t run = first * TIMES, count = std::min<int64_t>(Net::SIZE, nets - run);
      enter(net, run, count);
      for (int64_t s = 0; s < inputs.shape[0]; s++) {
        net.run(inputs.data + s * inputs.shape[1], lengths.data[s], order);
        std::copy_n(net.o, count, out + s * nets + run);
      }
    });
  }

  template <class Enter, int... HIDDEN>
  void dispatch(int64_t hidden, Enter enter, std::integer_sequence<int, HIDDEN...>) const {
    const bool dense = wiring.dense(hidden);
    ((HIDDEN != hidden ? void() : dense ? over<Block<HIDDEN, true>>(enter) : over<Block<HIDDEN, false>>(enter)), ...);
  }
};

constexpr auto SIZES = std::make_integer_sequence<int, MOST + 1>();

}  // namespace

extern "C" {

// reference.guess.
void lltd_guess(int64_t threads, uint64_t seed, Tensor<const uint64_t> ids, Tensor<const Real> inputs,
                Tensor<const int64_t> lengths, Tensor<const int64_t> table, int64_t hidden, int64_t order, double span,
                Tensor<Real> out) {
  Work work{threads, ids.shape[0], order, inputs, lengths, {table}, out.data};
  const int64_t weights = table.shape[0];
  work.dispatch(hidden, [&](auto& net, int64_t run, int64_t count) {
    constexpr int SIZE = std::decay_t<decltype(net)>::SIZE;
    uint64_t own[SIZE];
    float four[4][SIZE];
    for (int i = 0; i < SIZE; i++) own[i] = ids.data[run + (i < count ? i : count - 1)];
    for (int64_t p = 0; p < weights; p++) {
      if (p % 4 == 0) draw<SIZE>(seed, own, uint32_t(p / 4), float(span), four);
      std::copy_n(four[p % 4], SIZE, net.weight(work.wiring.to(p), work.wiring.from(p)));
    }
  }, SIZES);
}

// reference.ends.
void lltd_guess_ends(int64_t threads, Tensor<const Real> theta, Tensor<const Real> inputs,
                     Tensor<const int64_t> lengths, Tensor<const int64_t> table, int64_t hidden, int64_t order,
                     Tensor<Real> out) {
  const int64_t nets = theta.shape[1];
  Work work{threads, nets, order, inputs, lengths, {table}, out.data};
  work.dispatch(hidden, [&](auto& net, int64_t run, int64_t count) {
    constexpr int SIZE = std::decay_t<decltype(net)>::SIZE;
    for (int64_t p = 0; p < table.shape[0]; p++) {
      Real* lanes = net.weight(work.wiring.to(p), work.wiring.from(p));
      for (int i = 0; i < SIZE; i++) lanes[i] = theta.data[p * nets + run + (i < count ? i : count - 1)];
    }
  }, SIZES);
}

}  // extern "C"
