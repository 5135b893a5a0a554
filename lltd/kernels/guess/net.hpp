// Guessed nets, in lanes: their wires, their weights, one step. The same net runs on numbers or on intervals.

#pragma once

#include <utility>

#include "logistic.hpp"

constexpr int SYNCHRONOUS = 1, ONE_BY_ONE = 2;            // reference.py
constexpr int MOST_HIDDEN = 10;                           // lltd.kernels.guess.MOST
constexpr int INPUT = 0, ONE = 1, OUTPUT = 2, FIRST = 3;  // sources

struct Wiring {
  Tensor<const int64_t> weights;
  int64_t count() const { return weights.shape[0]; }
  int64_t to(int64_t p) const { return weights.data[2 * p]; }
  int64_t from(int64_t p) const { return weights.data[2 * p + 1]; }

  // Does a hidden unit see another one?
  bool dense(int64_t hidden) const {
    for (int64_t p = 0; p < count(); p++)
      if (to(p) < hidden && from(p) >= FIRST && from(p) != FIRST + to(p)) return true;
    return false;
  }
};

template <int SIZE>
using Lanes = Real[SIZE];  // one number of each of SIZE nets

inline Real lane(Real x, int) { return x; }  // the same for all
inline Real lane(const Real* x, int i) { return x[i]; }

// Adds w[FIRST + j] y[j], for all j < N. Recursion, as in horner: nothing inside the loop over lanes may loop. Pick::of
// says which number of a value y is meant.
template <class Pick, int N, int SIZE, class Value, int j = 0>
inline Real fed(const Lanes<SIZE>* w, const Value* y, int i, Real total) {
  if constexpr (j == N)
    return total;
  else
    return fed<Pick, N, SIZE, Value, j + 1>(w, y, i, fma_(w[FIRST + j][i], Pick::of(y[j], w[FIRST + j][i], i), total));
}

// One unit's net input from the input x, the output before, o, and the N hidden units y that it sees.
template <class Pick, int N, int SIZE, class Input, class Value>
inline Real net_input(const Lanes<SIZE>* w, Input x, const Value& o, const Value* y, int i) {
  const Real given = fma_(w[INPUT][i], lane(x, i), w[ONE][i]);
  return fed<Pick, N, SIZE>(w, y, i, fma_(w[OUTPUT][i], Pick::of(o, w[OUTPUT][i], i), given));
}

// The value of a unit in each net.
template <int SIZE>
struct alignas(64) Point {
  Lanes<SIZE> value;

  static Real of(const Point& y, Real, int i) { return y.value[i]; }

  void fill() { std::fill_n(value, SIZE, Real(0)); }

  // One unit's new value.
  template <int N, class Input>
  [[gnu::flatten, gnu::noinline]] static void unit(const Lanes<SIZE>* w, Input x, const Point& o, const Point* y,
                                                   Point& to) {
#pragma GCC ivdep
    for (int i = 0; i < SIZE; i++) to.value[i] = logistic_(net_input<Point, N, SIZE>(w, x, o, y, i));
  }
};

// MORE times LANES nets with HIDDEN hidden units: a unit waits for the one before it, and other nets fill the wait.
template <int HIDDEN, bool DENSE, template <int> class Value = Point, int MORE = HIDDEN < 4 ? 4 : 2>
struct Block {
  static constexpr int SIZE = LANES * MORE;
  static constexpr int UNITS = HIDDEN + 1;
  static constexpr int SEEN = DENSE ? HIDDEN : HIDDEN > 0;  // hidden units that a hidden unit sees

  // Weights, and the units' values. Without any hidden unit there still is an array.
  alignas(64) Lanes<SIZE> hidden[HIDDEN + 1][FIRST + SEEN] = {}, output[FIRST + HIDDEN] = {};
  Value<SIZE> h[HIDDEN + 1], later[HIDDEN + 1], o;

  Real* weight(int64_t to, int64_t from) {
    if (to == HIDDEN) return output[from];
    return hidden[to][DENSE || from < FIRST ? from : FIRST];
  }

  template <class Input>
  void step(Input x, int64_t order) {
    const bool at_once = DENSE && order != ONE_BY_ONE;  // hidden units see what the others were
    Value<SIZE>& answer = order == SYNCHRONOUS ? later[HIDDEN] : o;
    if (order == SYNCHRONOUS) Value<SIZE>::template unit<HIDDEN>(output, x, o, h, answer);
    for (int u = 0; u < HIDDEN; u++)
      Value<SIZE>::template unit<SEEN>(hidden[u], x, o, DENSE ? h : &h[u], at_once ? later[u] : h[u]);
    if (at_once) std::copy_n(later, HIDDEN, h);
    if (order == SYNCHRONOUS)
      o = answer;
    else
      Value<SIZE>::template unit<HIDDEN>(output, x, o, h, answer);
  }

  // As units are at a sequence's begin.
  void begin() {
    for (int u = 0; u < HIDDEN; u++) h[u].fill();
    o.fill();
  }

  // From a sequence's begin to its end; the output is left in o.
  void run(const Real* inputs, int64_t length, int64_t order) {
    begin();
    for (int64_t t = 0; t < length; t++) step(inputs[t], order);
  }
};

// reference.draw: of SIZE pairs of an id and a number, the four weights of that block of random words. The product is
// rounded once, in float.
template <int SIZE>
void draw(uint64_t seed, const uint64_t* ids, const uint32_t* numbers, float span, float (*four)[SIZE]) {
#pragma GCC ivdep
  for (int i = 0; i < SIZE; i++) {
    uint32_t c0, c1, c2, c3;
    words(seed, ids[i], numbers[i], SEARCH, c0, c1, c2, c3);
    auto weight = [span](uint32_t word) { return span * (float(int32_t(word >> 9)) * 0x1p-22f + (0x1p-23f - 1)); };
    four[0][i] = weight(c0), four[1][i] = weight(c1), four[2][i] = weight(c2), four[3][i] = weight(c3);
  }
}

// Draws the weights of the nets with these ids, one in each lane of a block; the last of count ids fills what is left.
template <class Net>
void enter(Net& net, const Wiring& wiring, uint64_t seed, const uint64_t* ids, int64_t count, float span) {
  uint64_t own[Net::SIZE];
  uint32_t numbers[Net::SIZE];
  float four[4][Net::SIZE];
  for (int i = 0; i < Net::SIZE; i++) own[i] = ids[i < count ? i : count - 1];
  for (int64_t p = 0; p < wiring.count(); p++) {
    if (p % 4 == 0) {
      std::fill_n(numbers, Net::SIZE, uint32_t(p / 4));
      draw<Net::SIZE>(seed, own, numbers, span, four);
    }
    std::copy_n(four[p % 4], Net::SIZE, net.weight(wiring.to(p), wiring.from(p)));
  }
}

// The kinds of nets that are compiled.
template <int HIDDEN_, bool DENSE_>
struct Kind {
  static constexpr int HIDDEN = HIDDEN_;
  static constexpr bool DENSE = DENSE_;
};

template <class Work, int... HIDDEN>
void by_kind(int64_t hidden, bool dense, Work work, std::integer_sequence<int, HIDDEN...>) {
  ((HIDDEN != hidden ? void() : dense ? work(Kind<HIDDEN, true>()) : work(Kind<HIDDEN, false>())), ...);
}

// Calls work with the kind of the nets so wired.
template <class Work>
void by_kind(const Wiring& wiring, int64_t hidden, Work work) {
  by_kind(hidden, wiring.dense(hidden), work, std::make_integer_sequence<int, MOST_HIDDEN + 1>());
}
