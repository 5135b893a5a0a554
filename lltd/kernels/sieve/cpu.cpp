// Guessed nets put to the test on a CPU: the same mathematics as reference.py, and no step computed twice.

#include <cstring>
#include <memory>

#include "guess/net.hpp"

namespace {

// --- boxes: what a unit can be, from low to high ---

// Rounding is monotone, so sums need no slack: with the ends chosen by the weights' signs, the kernel's own sums lie
// between these. Its logistic function is monotone but for this much: lltd_sieve_slack.
constexpr Real RELATIVE = 0x1p-20, ABSOLUTE = 0x1p-60;  // reference.py
inline Real below(Real y, Real relative = RELATIVE, Real absolute = ABSOLUTE) {
  return fma_(y, 1 - relative, -absolute);
}
inline Real above(Real y, Real relative = RELATIVE, Real absolute = ABSOLUTE) { return fma_(y, 1 + relative, absolute); }

template <int SIZE>
struct alignas(64) Span {
  Lanes<SIZE> low, high;

  void fill() {  // any value there is
    std::fill_n(low, SIZE, Real(0));
    std::fill_n(high, SIZE, Real(1));
  }

  struct Least {  // the end that makes w y least
    static Real of(const Span& y, Real w, int i) { return w > 0 ? y.low[i] : y.high[i]; }
  };

  struct Most {
    static Real of(const Span& y, Real w, int i) { return w > 0 ? y.high[i] : y.low[i]; }
  };

  // One unit's new interval.
  template <int N, class Input>
  [[gnu::flatten, gnu::noinline]] static void unit(const Lanes<SIZE>* w, Input x, const Span& o, const Span* y,
                                                   Span& to) {
#pragma GCC ivdep
    for (int i = 0; i < SIZE; i++) {
      const Real low = below(logistic_(net_input<Least, N, SIZE>(w, x, o, y, i)));
      to.high[i] = above(logistic_(net_input<Most, N, SIZE>(w, x, o, y, i)));
      to.low[i] = low;  // last, as `to` may be one of y
    }
  }
};

// Nets put to words, one word after the other: each only to those that the words before have left.
template <class Net>
struct Sieve {
  Net net;
  uint64_t own[Net::SIZE];   // ids of nets that the first word has left
  int64_t place[Net::SIZE];  // of each, among all
  bool left[Net::SIZE];

  // Whether the answers after word k, within their bounds, can be right for all sequences that end so.
  [[gnu::flatten, gnu::noinline]] void judge(Tensor<const Real> words, Tensor<const Real> asked, int64_t k,
                                             int64_t order, Real tolerance) {
    net.run(words.data + k * words.shape[1], words.shape[1], order);
    for (int64_t a = 0; a < asked.shape[0]; a++) {
      const Real target = asked.data[a * words.shape[0] + k];
#pragma GCC ivdep
      for (int i = 0; i < Net::SIZE; i++)
        left[i] &= (net.o.low[i] - target < tolerance) & (net.o.high[i] - target > -tolerance);
    }
  }

  // The nets from first to last.
  void run(const Wiring& wiring, uint64_t seed, const uint64_t* ids, float span, int64_t order,
           Tensor<const Real> words, Tensor<const Real> asked, Real tolerance, int64_t first, int64_t last, bool* out) {
    int count = 0;
    auto settle = [&] {  // the nets gathered
      enter(net, wiring, seed, own, count, span);
      std::fill_n(left, Net::SIZE, true);
      for (int64_t k = 1; k < words.shape[0]; k++) judge(words, asked, k, order, tolerance);
      for (int i = 0; i < count; i++) out[place[i]] = left[i];
      count = 0;
    };
    for (int64_t start = first; start < last; start += Net::SIZE) {
      const int64_t some = std::min<int64_t>(Net::SIZE, last - start);
      enter(net, wiring, seed, ids + start, some, span);
      std::fill_n(left, Net::SIZE, true);
      if (words.shape[0]) judge(words, asked, 0, order, tolerance);
      bool after[Net::SIZE];
      std::copy_n(left, Net::SIZE, after);
      for (int i = 0; i < some; i++) {
        out[start + i] = after[i];
        if (!after[i]) continue;
        own[count] = ids[start + i], place[count] = start + i;
        if (++count == Net::SIZE) settle();
      }
    }
    if (count) settle();
  }
};

// The logistic function of floats in a row, by their numbers in order of size.
template <int COUNT>
[[gnu::flatten, gnu::noinline]] void logistic_of(int64_t first, Real* y) {
#pragma GCC ivdep
  for (int i = 0; i < COUNT; i++) {
    const int32_t number = int32_t(first) + i;
    y[i] = logistic_(number < 0 ? -bits<float>(-number) : bits<float>(number));
  }
}

// --- states: a net on few symbols has few states, bit by bit; what follows from one is computed once ---

struct Lessons {
  Tensor<const uint8_t> symbols;  // (S, T)
  Tensor<const Real> alphabet;
  const int64_t* lengths;
  const Real* targets;
  Real tolerance;

  const uint8_t* of(int64_t sequence) const { return symbols.data + sequence * symbols.shape[1]; }
};

// What is known of one net. A state is a row of the units' values, the output last, and a number below STATES.
template <int UNITS>
struct Known {
  static constexpr int STATES = 255, NONE = 255, SLOTS = 512, SYMBOLS = 4;
  static constexpr int ROW = UNITS <= 4 ? 4 : UNITS <= 8 ? 8 : 16;  // as wide as a register

  struct alignas(ROW * sizeof(Real)) Row {
    Real unit[ROW];
    Real output() const { return unit[UNITS - 1]; }
    bool operator==(const Row& other) const { return !std::memcmp(unit, other.unit, sizeof unit); }
  };

  uint8_t next[SYMBOLS][STATES + 1];  // of a state, after a symbol; NONE: not computed yet
  uint8_t slots[SLOTS];               // of a hash table of states
  int count;
  Row states[STATES];

  // Nothing is known but the state at a sequence's begin.
  void forget() {
    count = 0;
    std::fill_n(next[0], SYMBOLS * (STATES + 1), uint8_t(NONE));
    std::fill_n(slots, SLOTS, uint8_t(NONE));
    number(Row{}, 0);
  }

  // From step t on along what is known: changes the state, and returns the step at which it is left. A function of its
  // own, so that the loop keeps its few registers: most of the time is spent here.
  [[gnu::noinline]] int64_t follow(const uint8_t* symbols, int64_t t, int64_t length, uint64_t& state) const {
    uint64_t now = state;
    for (; t < length; t++) {
      const uint64_t after = next[symbols[t]][now];
      if (after == NONE) break;
      now = after;
    }
    state = now;
    return t;
  }

  // The number of a state, new or known; NONE if it is new and there is no more room.
  int number(const Row& state, uint32_t hash) {
    uint32_t slot = hash % SLOTS;
    for (; slots[slot] != NONE; slot = (slot + 1) % SLOTS)
      if (state == states[slots[slot]]) return slots[slot];
    if (count == STATES) return NONE;
    states[count] = state;
    return slots[slot] = uint8_t(count++);
  }
};

// A net on its way through its sequences, in one lane of a block.
template <int UNITS>
struct Walk {
  Known<UNITS> known;
  int64_t net;          // negative: none
  int64_t sequence, t;  // how far it is
  uint64_t state;       // there; NONE: what the units are stands in the lane alone
};

template <class Net>
struct Walks {
  using What = Known<Net::UNITS>;
  static constexpr int NONE = What::NONE;

  Net nets;
  alignas(64) Lanes<Net::SIZE> x = {};
  alignas(64) uint32_t hashes[Net::SIZE];
  std::unique_ptr<Walk<Net::UNITS>[]> walks{new Walk<Net::UNITS>[Net::SIZE]};

  Real& value(int unit, int i) { return unit == Net::UNITS - 1 ? nets.o.value[i] : nets.h[unit].value[i]; }

  // Lane i takes up the net of an id.
  void begin(const Wiring& wiring, uint64_t seed, uint64_t id, float span, int i) {
    constexpr int BLOCKS = 16;  // of four weights, drawn at once
    uint64_t ids[BLOCKS];
    uint32_t numbers[BLOCKS];
    float four[4][BLOCKS];
    std::fill_n(ids, BLOCKS, id);
    for (int64_t p = 0; p < wiring.count(); p++) {
      if (p % (4 * BLOCKS) == 0) {
        for (int b = 0; b < BLOCKS; b++) numbers[b] = uint32_t(p / 4 + b);
        draw<BLOCKS>(seed, ids, numbers, span, four);
      }
      nets.weight(wiring.to(p), wiring.from(p))[i] = four[p % 4][p / 4 % BLOCKS];
    }
    walks[i].known.forget();
    walks[i].sequence = walks[i].t = 0;
    walks[i].state = 0;
  }

  // On along what is known, until a step must be computed (then true), or the net has failed or is through.
  bool go(const Lessons& lessons, int i) {
    auto& [known, net, sequence, t, state] = walks[i];
    for (; sequence < lessons.symbols.shape[0]; sequence++, t = state = 0) {
      const uint8_t* symbols = lessons.of(sequence);
      const int64_t length = lessons.lengths[sequence];
      const int64_t before = t;
      if (state != NONE) t = known.follow(symbols, t, length, state);
      if (t < length) {
        if (t > before || !t)  // else the lane holds this state
          for (int u = 0; u < Net::UNITS; u++) value(u, i) = known.states[state].unit[u];
        x[i] = lessons.alphabet.data[symbols[t]];
        return true;
      }
      const Real o = state == NONE ? nets.o.value[i] : known.states[state].output();
      if (!(std::fabs(o - lessons.targets[sequence]) < lessons.tolerance)) return false;
    }
    return false;
  }

  // Takes note of the step that was computed.
  void note(const Lessons& lessons, int i) {
    auto& [known, net, sequence, t, state] = walks[i];
    typename What::Row row{};
    for (int u = 0; u < Net::UNITS; u++) row.unit[u] = value(u, i);
    const uint64_t after = known.number(row, hashes[i]);
    if (state != NONE) known.next[lessons.of(sequence)[t]][state] = uint8_t(after);
    state = after;
    t++;
  }

  // A number for what a lane's units are, the same wherever they are the same.
  [[gnu::flatten]] void hash() {
#pragma GCC ivdep
    for (int i = 0; i < Net::SIZE; i++) hashes[i] = bits<uint32_t>(nets.o.value[i]);
    for (int u = 0; u < Net::UNITS - 1; u++)
#pragma GCC ivdep
      for (int i = 0; i < Net::SIZE; i++) hashes[i] = (hashes[i] + bits<uint32_t>(nets.h[u].value[i])) * 0x9E3779B1u;
#pragma GCC ivdep
    for (int i = 0; i < Net::SIZE; i++) hashes[i] ^= hashes[i] >> 15;
  }

  // The nets from first to last, each until its first mistake; a lane that is done takes the next one.
  void run(const Wiring& wiring, uint64_t seed, const uint64_t* ids, float span, int64_t order, const Lessons& lessons,
           int64_t first, int64_t last, int64_t* out) {
    int going = 0;
    auto take = [&](int i) {
      walks[i].net = first < last ? first++ : -1;
      if (walks[i].net < 0) return;
      begin(wiring, seed, ids[walks[i].net], span, i);
      going++;
    };
    auto settle = [&](int i) {  // until a step must be computed for lane i, or there is no net left for it
      while (walks[i].net >= 0 && !go(lessons, i)) {
        out[walks[i].net] = walks[i].sequence;
        going--;
        take(i);
      }
    };
    for (int i = 0; i < Net::SIZE; i++) take(i), settle(i);
    while (going) {
      nets.step(static_cast<const Real*>(x), order);
      hash();
      for (int i = 0; i < Net::SIZE; i++)
        if (walks[i].net >= 0) note(lessons, i), settle(i);
    }
  }
};

}  // namespace

extern "C" {

// reference.boxes.
void lltd_sieve_boxes(int64_t threads, uint64_t seed, Tensor<const uint64_t> ids, Tensor<const Real> words,
                      Tensor<const int64_t> table, int64_t hidden, int64_t order, double span, Tensor<Real> out) {
  const Wiring wiring{table};
  const int64_t nets = ids.shape[0], length = words.shape[1];
  by_kind(wiring, hidden, [&](auto kind) {
    using Net = Block<decltype(kind)::HIDDEN, decltype(kind)::DENSE, Span>;
    constexpr int64_t TIMES = Net::SIZE / LANES;
    for_blocks((nets + TIMES - 1) / TIMES, threads, [] { return Net(); }, [&](Net& net, int64_t block, int64_t) {
      const int64_t first = block * TIMES, count = std::min<int64_t>(Net::SIZE, nets - first);
      enter(net, wiring, seed, ids.data + first, count, float(span));
      for (int64_t k = 0; k < words.shape[0]; k++) {
        net.run(words.data + k * length, length, order);
        std::copy_n(net.o.low, count, out.data + 2 * k * nets + first);
        std::copy_n(net.o.high, count, out.data + (2 * k + 1) * nets + first);
      }
    });
  });
}

// reference.possible.
void lltd_sieve_possible(int64_t threads, uint64_t seed, Tensor<const uint64_t> ids, Tensor<const Real> words,
                         Tensor<const Real> asked, Tensor<const int64_t> table, int64_t hidden, int64_t order,
                         double span, double tolerance, Tensor<bool> out) {
  const Wiring wiring{table};
  const int64_t nets = ids.shape[0];
  by_kind(wiring, hidden, [&](auto kind) {
    using Net = Block<decltype(kind)::HIDDEN, decltype(kind)::DENSE, Span>;
    auto share = [&](int64_t part) { return nets * part / threads; };
    for_blocks(threads * LANES, threads, [] { return Sieve<Net>(); }, [&](auto& sieve, int64_t start, int64_t) {
      const int64_t part = start / LANES;
      sieve.run(wiring, seed, ids.data, float(span), order, words, asked, Real(tolerance), share(part), share(part + 1),
                out.data);
    });
  });
}

// reference.slack.
void lltd_sieve_slack(int64_t, int64_t first, int64_t count, Tensor<const Real> widening, Tensor<Real> out) {
  constexpr int SOME = 1024;
  alignas(64) Real y[SOME];
  const Real relative = widening.data[0], absolute = widening.data[1];
  Real most = -1, most_low = -1, least = 2, least_high = 2;
  int64_t wrong = 0;
  for (int64_t start = 0; start < count; start += SOME) {
    logistic_of<SOME>(first + start, y);
    for (int i = 0; i < SOME && start + i < count; i++) {
      const Real low = below(y[i], relative, absolute), high = above(y[i], relative, absolute);
      most = std::max(most, y[i]), most_low = std::max(most_low, low);
      least = std::min(least, y[i]), least_high = std::min(least_high, high);
      wrong += most > high || most_low > y[i];
    }
  }
  const Real found[] = {most, most_low, least, least_high, Real(wrong)};
  std::copy_n(found, 5, out.data);
}

// reference.stood.
void lltd_sieve_stood(int64_t threads, uint64_t seed, Tensor<const uint64_t> ids, Tensor<const uint8_t> symbols,
                      Tensor<const Real> alphabet, Tensor<const int64_t> lengths, Tensor<const Real> targets,
                      Tensor<const int64_t> table, int64_t hidden, int64_t order, double span, double tolerance,
                      Tensor<int64_t> out) {
  const Wiring wiring{table};
  const int64_t nets = ids.shape[0];
  const Lessons lessons{symbols, alphabet, lengths.data, targets.data, Real(tolerance)};
  by_kind(wiring, hidden, [&](auto kind) {
    using Net = Block<decltype(kind)::HIDDEN, decltype(kind)::DENSE, Point, 1>;  // few lanes: the last net has them alone
    auto share = [&](int64_t part) { return nets * part / threads; };
    for_blocks(threads * LANES, threads, [] { return Walks<Net>(); }, [&](auto& walks, int64_t start, int64_t) {
      const int64_t part = start / LANES;
      walks.run(wiring, seed, ids.data, float(span), order, lessons, share(part), share(part + 1), out.data);
    });
  });
}

}  // extern "C"
