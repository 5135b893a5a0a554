// LSTM as it was in 1996, on a CPU: the same mathematics as reference.py, the same tasks as tasks.py.

#include <memory>
#include <utility>

#include "flush.hpp"
#include "logistic.hpp"

namespace {

constexpr int MULTIPLICATION = 1, ORDER_OF_TWO = 2, ORDER_OF_THREE = 3, TWO_SEQUENCE = 4;  // tasks.py
constexpr int UNMARKED = 1, ELEMENTS = 1, TARGETS = 2, PLACES = 3;                         // tasks.py
constexpr int LINEAR = 1;  // reference.py
constexpr Real LARGEST = 0x1p16;  // net inputs, of sources that add up to less than ±32, stay in logistic_'s domain
constexpr int SIZE = LANES / 2;  // trials side by side: of more, weights and traces would not stay in the first cache
constexpr int CHUNK = 8;         // steps whose traces are added together: each trace is then fetched and stored once

using Lanes = Real[SIZE];

// f(0), f(1) … f(N - 1), the arguments known to the compiler: it only vectorises over lanes if nothing inside loops.
template <class F, int... n>
inline void unrolled(std::integer_sequence<int, n...>, F f) {
  (f(std::integral_constant<int, n>()), ...);
}
template <int N, class F>
inline void unrolled(F f) {
  unrolled(std::make_integer_sequence<int, N>(), f);
}

// What a block of trials is shown, each lane its own sequence. They are aligned at their ends, and steps are counted
// from there: k = 0 is the last. A task adds what it shows, `begin`, `step` and `target`.
struct Sequences {
  uint64_t seed;
  int64_t kind, length, variant;
  uint32_t purpose;

  uint64_t ids[SIZE];
  uint32_t address[SIZE];              // of the sequence's first block
  alignas(64) Whole last[SIZE];        // k of the first step
  alignas(64) uint32_t word[4][SIZE];  // of the block drawn last

  static Whole below(uint32_t word, int64_t limit) { return Whole((uint64_t(word) * uint64_t(limit)) >> 32); }

  [[gnu::flatten]] void draw(uint32_t block) {
#pragma GCC ivdep
    for (int i = 0; i < SIZE; i++)
      words(seed, ids[i], address[i] + block, purpose, word[0][i], word[1][i], word[2][i], word[3][i]);
  }

  // The first block of the sequences of these numbers, and from it their lengths; returns the greatest.
  int64_t open(const int64_t* numbers) {
    const uint32_t blocks = uint32_t(1 + (length + length / 10 + 3) / 4);
    for (int i = 0; i < SIZE; i++) address[i] = uint32_t(numbers[i]) * blocks;
    draw(0);
    for (int i = 0; i < SIZE; i++) last[i] = Whole(length) - 1 + below(word[0][i], length / 10 + 1);
    return *std::max_element(last, last + SIZE) + 1;
  }
};

// tasks.marked_pairs.
struct MarkedPairs : Sequences {
  static constexpr int INPUTS = 2, OUTPUTS = 1;

  alignas(64) Whole first[SIZE], second[SIZE];  // k of the marks
  alignas(64) Lanes values[2];                  // of the marked pairs

  int64_t begin(const int64_t* numbers) {
    const int64_t longest = open(numbers);
    for (int i = 0; i < SIZE; i++) {
      const Whole one = below(word[1][i], 10), two = below(word[2][i], length / 2 - 1);
      first[i] = last[i] - one;
      second[i] = last[i] - two - (two >= one);  // counted among the pairs still unmarked
    }
    return longest;
  }

  // The inputs of step k, from a word for each lane.
  [[gnu::flatten]] void step(Whole k, const uint32_t* word, Lanes* inputs) {
    const bool product = kind == MULTIPLICATION;
    const Real span = product ? 1 : 2, low = product ? 0 : -1, neutral = product ? 1 : 0;
    const Real at_begin = variant == UNMARKED ? -1 : 1, at_end = k == 0 ? -1 : 0;
#pragma GCC ivdep
    for (int i = 0; i < SIZE; i++) {
      const bool begins = k == last[i], one = k == first[i], two = k == second[i];
      const Real drawn = fma_(uniform(word[i]), span, low), plain = begins ? Real(-1) : at_end;
      const Real marked = begins ? at_begin : Real(1), counted = begins ? neutral : drawn;
      inputs[0][i] = one | two ? counted : drawn;
      inputs[1][i] = one | two ? marked : plain;
      values[0][i] = one ? counted : values[0][i];
      values[1][i] = two ? counted : values[1][i];
    }
  }

  void target(Lanes* wanted) const {
    for (int i = 0; i < SIZE; i++) {
      const Real sum = values[0][i] + values[1][i], product = values[0][i] * values[1][i];
      wanted[0][i] = kind == MULTIPLICATION ? product : fma_(sum, Real(0.25), Real(0.5));
    }
  }
};

// tasks.temporal_order, with MARKS symbols whose order is asked for.
template <int MARKS>
struct TemporalOrder : Sequences {
  static constexpr int INPUTS = 8, OUTPUTS = 1 << MARKS;

  alignas(64) Whole marks[MARKS][SIZE], symbols[MARKS][SIZE], order[SIZE];  // k of the marks; X is 0 and Y is 1

  int64_t begin(const int64_t* numbers) {
    const int64_t longest = open(numbers);
    std::fill_n(order, SIZE, Whole(0));
    for (int m = 0; m < MARKS; m++) {
      const int64_t earliest = length * (m == 0 ? 10 : MARKS == 2 ? 50 : 33 * m) / 100;
      for (int i = 0; i < SIZE; i++) {
        marks[m][i] = last[i] - Whole(earliest) - below(word[1 + m][i], length / 10 + 1);
        symbols[m][i] = word[1 + m][i] & 1;
        order[i] = 2 * order[i] + symbols[m][i];
      }
    }
    return longest;
  }

  [[gnu::flatten]] void step(Whole k, const uint32_t* word, Lanes* inputs) {
#pragma GCC ivdep
    for (int i = 0; i < SIZE; i++) {
      Whole shown = 2 + Whole(word[i] >> 30);
      unrolled<MARKS>([&](auto m) { shown = k == marks[m][i] ? 6 + symbols[m][i] : shown; });
      shown = k == last[i] ? 0 : shown;
      shown = k == 0 ? 1 : shown;
      unrolled<INPUTS>([&](auto n) { inputs[n][i] = shown == n; });
    }
  }

  void target(Lanes* wanted) const {
    for (int o = 0; o < OUTPUTS; o++)
      for (int i = 0; i < SIZE; i++) wanted[o][i] = order[i] == o;
  }
};

// tasks.two_sequence.
struct TwoSequence : Sequences {
  static constexpr int INPUTS = 1, OUTPUTS = 1;
  static constexpr Real LOUD = 0.44721359549995794, LOUDEST = 0.31622776601683794;  // roots of the variances

  alignas(64) Lanes told, heard;  // the element of the class, and the noise on the target
  alignas(64) Lanes noise[4];     // of the words drawn last

  [[gnu::flatten]] void draw(uint32_t block) {
    Sequences::draw(block);
#pragma GCC ivdep
    for (int i = 0; i < SIZE; i++) {
      normals(word[0][i], word[1][i], LOUD, noise[0][i], noise[1][i]);
      normals(word[2][i], word[3][i], LOUD, noise[2][i], noise[3][i]);
    }
  }

  int64_t begin(const int64_t* numbers) {
    const int64_t longest = open(numbers);
    for (int i = 0; i < SIZE; i++) {
      Real unused;
      told[i] = word[1][i] & 1 ? 1 : -1;
      normals(word[2][i], word[3][i], purpose == TASK ? LOUDEST : 0, heard[i], unused);
    }
    return longest;
  }

  [[gnu::flatten]] void step(Whole k, const uint32_t*, Lanes* inputs) {
    const Whole elements = Whole(variant / PLACES);
    const Real both = variant % PLACES == ELEMENTS;
    const Lanes& own = noise[k % 4];
#pragma GCC ivdep
    for (int i = 0; i < SIZE; i++)
      inputs[0][i] = last[i] - k < elements ? fma_(both, own[i], told[i]) : own[i];
  }

  void target(Lanes* wanted) const {
    for (int i = 0; i < SIZE; i++) {
      const bool upper = told[i] > 0;
      wanted[0][i] = variant % PLACES == TARGETS ? Real(upper ? 0.2 : 0.8) + heard[i] : Real(upper);
    }
  }
};

// A block of trials with J blocks of C cells, I inputs and O outputs.
template <int J, int C, int I, int O>
struct Block {
  static constexpr int UNITS = J * (2 + C), CELLS = J * C, ONE = UNITS + I, SOURCES = ONE + 1;
  static constexpr int P = UNITS * SOURCES + O * (CELLS + 1);
  static constexpr int SLOPES = 2 * CELLS;  // of each cell's state: in its own net input, in its input gate's

  static constexpr int in(int j) { return j * (2 + C); }
  static constexpr int out(int j) { return j * (2 + C) + 1; }
  static constexpr int cell(int c) { return c / C * (2 + C) + 2 + c % C; }

  alignas(64) Lanes theta[P], traces[SOURCES][SLOPES];  // weights, and ∂s/∂w
  alignas(64) Lanes seen[CHUNK + 1][SOURCES];           // what step n of a chunk sees; its y are seen by step n + 1
  alignas(64) Lanes slopes[CHUNK][SLOPES], s[CELLS];
  alignas(64) Lanes e[O], e_s[CELLS], e_out[J];         // errors: at outputs, in cells, at output gates

  static constexpr int W(int u, int m) { return u * SOURCES + m; }
  static constexpr int V(int o, int c) { return UNITS * SOURCES + o * (CELLS + 1) + c; }

  // Step n of a chunk, k steps from the end. A lane whose sequence has not begun keeps s = y = 0: its gates are shut.
  [[gnu::flatten, gnu::noinline]] void step(int n, Whole k, const Whole* last) {
    const auto& sees = seen[n];
    auto& y = seen[n + 1];
    auto& slope = slopes[n];
#pragma GCC ivdep
    for (int i = 0; i < SIZE; i++) {
      Real f[UNITS], state[CELLS], squashed[CELLS];
      unrolled<UNITS>([&](auto u) { f[u] = theta[W(u, ONE)][i]; });
      unrolled<ONE>([&](auto m) {
        const Real source = sees[m][i];
        unrolled<UNITS>([&](auto u) { f[u] = fma_(theta[W(u, m)][i], source, f[u]); });
      });
      // What takes long goes first. A product shuts the gates: what a choice might not need the compiler would put off.
      const Real runs = k <= last[i];
      unrolled<UNITS>([&](auto u) { f[u] = logistic_(f[u]); });
      unrolled<J>([&](auto j) { f[in(j)] *= runs, f[out(j)] *= runs; });
      unrolled<CELLS>([&](auto c) { state[c] = fma_(f[in(c / C)], fma_(4, f[cell(c)], -2), s[c][i]); });
      unrolled<CELLS>([&](auto c) { squashed[c] = fma_(2, logistic_(state[c]), -1); });
      unrolled<CELLS>([&](auto c) {
        const Real y_in = f[in(c / C)], q = f[cell(c)];
        slope[c][i] = 4 * y_in * (q * (1 - q));
        slope[CELLS + c][i] = y_in * fma_(4, q, -2) * (1 - y_in);
        s[c][i] = state[c];
        f[cell(c)] = f[out(c / C)] * squashed[c];
      });
      unrolled<UNITS>([&](auto u) { y[u][i] = f[u]; });
    }
  }

  // Adds slope × source, over the steps of a chunk, to the traces of one source.
  [[gnu::flatten, gnu::noinline]] void accumulate(int m) {
    Lanes(&trace)[SLOPES] = traces[m];
#pragma GCC ivdep
    for (int i = 0; i < SIZE; i++) {
      Real total[SLOPES];
      unrolled<SLOPES>([&](auto c) { total[c] = trace[c][i]; });
      unrolled<CHUNK>([&](auto n) {
        const Real source = seen[n][m][i];
        unrolled<SLOPES>([&](auto c) { total[c] = fma_(slopes[n][c][i], source, total[c]); });
      });
      unrolled<SLOPES>([&](auto c) { trace[c][i] = total[c]; });
    }
  }

  void clear() {
    std::fill_n(traces[0][0], SOURCES * SLOPES * SIZE, Real(0));
    std::fill_n(seen[0][0], (CHUNK + 1) * SOURCES * SIZE, Real(0));
    for (auto& sources : seen) std::fill_n(sources[ONE], SIZE, Real(1));
    std::fill_n(slopes[0][0], CHUNK * SLOPES * SIZE, Real(0));
    std::fill_n(s[0], CELLS * SIZE, Real(0));
  }

  // Runs the sequences of a task. What the last step saw is left in seen[CHUNK - 1], its y in seen[CHUNK].
  template <class Task>
  void run(Task& task, int64_t longest) {
    clear();
    for (int64_t left = longest; left > 0; left = (left - 1) / CHUNK * CHUNK) {
      const int64_t end = (left - 1) / CHUNK * CHUNK;  // of this chunk, in steps from the end; the first may be short
      for (int n = 0; n < CHUNK; n++) {
        const int64_t k = end + CHUNK - 1 - n;
        if (n % 4 == 0) task.draw(uint32_t(1 + k / 4));  // a block is four steps'
        task.step(Whole(k), task.word[k % 4], &seen[n][UNITS]);
      }
      const int begin = int(end + CHUNK - left);
      std::copy_n(seen[CHUNK][0], UNITS * SIZE, seen[begin][0]);
      for (int n = begin; n < CHUNK; n++) step(n, Whole(end + CHUNK - 1 - n), task.last);
      for (int m = 0; m < SOURCES; m++) accumulate(m);
    }
  }

  // |target - output| after a run, the largest of each lane's outputs; and the errors to be sent back.
  [[gnu::flatten, gnu::noinline]] void answer(const Lanes* targets, bool linear, bool slope, Real* largest) {
    const auto& y = seen[CHUNK];
#pragma GCC ivdep
    for (int i = 0; i < SIZE; i++) {
      Real back[CELLS] = {}, most = 0;
      unrolled<O>([&](auto o) {
        Real net = theta[V(o, CELLS)][i];
        unrolled<CELLS>([&](auto c) { net = fma_(theta[V(o, c)][i], y[cell(c)][i], net); });
        const Real squashed = logistic_(net), answer = linear ? net : squashed, error = targets[o][i] - answer;
        const Real e_o = linear | !slope ? error : error * (squashed * (1 - squashed)), size = std::fabs(error);
        most = size <= most ? most : size;  // nan stays
        e[o][i] = e_o;
        unrolled<CELLS>([&](auto c) { back[c] = fma_(theta[V(o, c)][i], e_o, back[c]); });
      });
      largest[i] = most;
      unrolled<J>([&](auto j) {
        const Real y_out = y[out(j)][i];
        Real sum = 0;
        unrolled<C>([&](auto c) {
          constexpr int own = j * C + c;
          const Real h = fma_(2, logistic_(s[own][i]), -1);
          sum = fma_(h, back[own], sum);
          e_s[own][i] = y_out * fma_(-h, h, 1) * Real(0.5) * back[own];
        });
        e_out[j][i] = y_out * (1 - y_out) * sum;
      });
    }
  }

  // Moves weight p by rate × change(lane).
  template <class Change>
  [[gnu::flatten]] void move(int p, Real rate, const Whole* learns, Whole* lost, Change change) {
#pragma GCC ivdep
    for (int i = 0; i < SIZE; i++) {
      const Real w = fma_(rate, change(i), theta[p][i]);
      theta[p][i] = learns[i] ? w : theta[p][i];
      lost[i] |= !(std::fabs(w) <= LARGEST);
    }
  }

  void learn(const Real* rates, const Whole* learns) {
    alignas(64) Whole lost[SIZE] = {};
    for (int u = 0; u < UNITS; u++)
      for (int m = 0; m < SOURCES; m++) {
        const int p = W(u, m), j = u / (2 + C), c = j * C + u % (2 + C) - 2;
        if (u == in(j))
          move(p, rates[p], learns, lost, [&](int i) {
            Real sum = 0;
            unrolled<C>([&](auto v) { sum = fma_(e_s[j * C + v][i], traces[m][CELLS + j * C + v][i], sum); });
            return sum;
          });
        else if (u == out(j))
          move(p, rates[p], learns, lost, [&](int i) { return e_out[j][i] * seen[CHUNK - 1][m][i]; });
        else
          move(p, rates[p], learns, lost, [&](int i) { return e_s[c][i] * traces[m][c][i]; });
      }
    for (int o = 0; o < O; o++)
      for (int c = 0; c <= CELLS; c++)
        move(V(o, c), rates[V(o, c)], learns, lost,
             [&](int i) { return c < CELLS ? e[o][i] * seen[CHUNK][cell(c)][i] : e[o][i]; });
    for (int i = 0; i < SIZE; i++)
      if (lost[i] & learns[i])
        for (int p = 0; p < P; p++) theta[p][i] = NAN;
  }
};

template <class Task>
struct Work {  // the arguments of the op
  int64_t threads;
  Task task;
  Tensor<const uint64_t> ids;
  Tensor<const Real> theta;
  const int64_t *first, *count;
  const Real* rates;
  bool linear, slope;
  Real *theta_out, *errors;

  // Trials run … run + number - 1 of all.
  template <class Net>
  void over(Net& net, Task& task, int64_t run, int64_t number) const {
    const int64_t trials = ids.shape[0];
    const auto trial = [&](int i) { return run + (i < number ? i : number - 1); };
    int64_t most = 0;
    for (int i = 0; i < SIZE; i++) {
      task.ids[i] = ids.data[trial(i)];
      most = std::max(most, count[trial(i)]);
      for (int p = 0; p < Net::P; p++) net.theta[p][i] = theta.data[p * trials + trial(i)];
    }
    for (int64_t n = 0; n < most; n++) {
      int64_t numbers[SIZE];
      alignas(64) Whole learns[SIZE];
      alignas(64) Lanes targets[Task::OUTPUTS];
      alignas(64) Real largest[SIZE];
      for (int i = 0; i < SIZE; i++) numbers[i] = first[trial(i)] + n, learns[i] = n < count[trial(i)];
      net.run(task, task.begin(numbers));
      task.target(targets);
      net.answer(targets, linear, slope, largest);
      net.learn(rates, learns);
      for (int i = 0; i < number; i++) errors[n * trials + run + i] = learns[i] ? largest[i] : 0;
    }
    for (int p = 0; p < Net::P; p++) std::copy_n(net.theta[p], number, theta_out + p * trials + run);
  }

  template <int J, int C>
  void with() const {
    using Net = Block<J, C, Task::INPUTS, Task::OUTPUTS>;
    const auto make = [&] { return std::make_unique<std::pair<Net, Task>>(Net(), task); };
    for_blocks(ids.shape[0], threads, make, [&](auto& space, int64_t run, int64_t number) {
      const Flush flush;
      for (int64_t begin = 0; begin < number; begin += SIZE)
        over(space->first, space->second, run + begin, std::min<int64_t>(SIZE, number - begin));
    });
  }

  // The sizes that lltd.kernels.lstm96.COMPILED names; others are the reference's.
  void dispatch(int64_t blocks, int64_t cells) const {
    const int64_t size = 10 * blocks + cells;
    constexpr bool small = Task::INPUTS == 2;
    if constexpr (Task::INPUTS == 1)
      if (size == 31) with<3, 1>();
    if constexpr (small) {
      if (size == 11) with<1, 1>();
      if (size == 12) with<1, 2>();
      if (size == 21) with<2, 1>();
      if (size == 31) with<3, 1>();
      if (size == 41) with<4, 1>();
    }
    if constexpr (small || Task::OUTPUTS == 4)
      if (size == 22) with<2, 2>();
    if constexpr (small || Task::OUTPUTS == 8)
      if (size == 32) with<3, 2>();
  }
};

}  // namespace

extern "C" {

// reference.train.
void lltd_lstm96(int64_t threads, uint64_t seed, Tensor<const uint64_t> ids, Tensor<const Real> theta,
                 Tensor<const int64_t> first, Tensor<const int64_t> count, Tensor<const Real> rates, int64_t most,
                 int64_t blocks, int64_t cells, int64_t kind, int64_t slope, int64_t task, int64_t length,
                 int64_t variant, int64_t purpose, Tensor<Real> theta_out, Tensor<Real> errors) {
  std::fill_n(errors.data, most * ids.shape[0], Real(0));
  const auto serve = [&](auto shown) {
    shown.seed = seed, shown.kind = task, shown.length = length, shown.variant = variant;
    shown.purpose = uint32_t(purpose);
    Work<decltype(shown)>{threads,    shown,          ids,        theta,          first.data, count.data,
                          rates.data, kind == LINEAR, slope != 0, theta_out.data, errors.data}
        .dispatch(blocks, cells);
  };
  if (task == ORDER_OF_TWO)
    serve(TemporalOrder<2>());
  else if (task == ORDER_OF_THREE)
    serve(TemporalOrder<3>());
  else if (task == TWO_SEQUENCE)
    serve(TwoSequence());
  else
    serve(MarkedPairs());
}
}
