// Learning the minimal task with one tanh neuron, on a CPU: the same mathematics as reference.py.
// SIMD lanes are runs: every loop over `i` below is one instruction stream for LANES runs at once, and each
// lane computes the same bits whatever its neighbours are.

#include <cmath>
#include <cstdint>
#include <thread>
#include <vector>

namespace {

constexpr int LANES = 16;
constexpr int PAIR = 2 * LANES;  // both classes of every lane, class 0 first
constexpr uint32_t NOISE = 1, TEST = 2;  // lltd.philox.Purpose
constexpr int SIGN = 1, ADAM = 2;        // reference.py
constexpr double BETA1 = 0.9, BETA2 = 0.999, EPSILON = 1e-8;

inline double fma_(double a, double b, double c) {
#ifdef __FMA__
  return __builtin_fma(a, b, c);
#else
  return a * b + c;
#endif
}

template <class To, class From>
inline To bits(From from) {
  return __builtin_bit_cast(To, from);
}

// Recursion, not a loop: the compiler only vectorises over lanes when nothing inside is a loop.
template <int N, int n = 0>
inline double horner(double x, const double (&c)[N]) {
  if constexpr (n == N - 1)
    return c[n];
  else
    return fma_(horner<N, n + 1>(x, c), x, c[n]);
}

// Taylor coefficients suffice on the reduced ranges below: the first term left out is under 2^-54.
constexpr double EXPM1[] = {1., 1. / 2, 1. / 6, 1. / 24, 1. / 120, 1. / 720, 1. / 5040, 1. / 40320,
                            1. / 362880, 1. / 3628800, 1. / 39916800, 1. / 479001600, 1. / 6227020800};
constexpr double ATANH[] = {2., 2. / 3, 2. / 5, 2. / 7, 2. / 9, 2. / 11, 2. / 13, 2. / 15, 2. / 17, 2. / 19, 2. / 21};
constexpr double SIN[] = {1., -1. / 6, 1. / 120, -1. / 5040, 1. / 362880, -1. / 39916800, 1. / 6227020800,
                          -1. / 1307674368000};
constexpr double COS[] = {1., -1. / 2, 1. / 24, -1. / 720, 1. / 40320, -1. / 3628800, 1. / 479001600,
                          -1. / 87178291200, 1. / 20922789888000};
constexpr double LN2_HIGH = 6.93147180369123816490e-01, LN2_LOW = 1.90821492927058770002e-10;
constexpr double ROUND = 0x1.8p52;  // adding it leaves the nearest integer in the low bits

// tanh through expm1, so that small arguments keep their relative accuracy.
inline double tanh_(double a) {
  double y = 2 * std::fabs(a);
  y = y < 80 ? y : 80;  // exp clamped; tanh is 1 to the last bit from 19 on
  double shifted = fma_(y, 1.44269504088896340736, ROUND);
  double k = shifted - ROUND;
  double r = fma_(-k, LN2_LOW, fma_(-k, LN2_HIGH, y));  // |r| <= ln 2 / 2
  double scale = bits<double>((bits<int64_t>(shifted) + 1023) << 52);  // 2^k: the high bits are shifted out
  double e = fma_(scale, r * horner(r, EXPM1), scale - 1);             // exp(y) - 1
  return std::copysign(e / (e + 2), a);
}

// log of u in (0, 1), through atanh on [1/sqrt 2, sqrt 2).
inline double log_(double u) {
  int64_t shifted = bits<int64_t>(u) - 0x3FE6A09E667F3BCD;  // so that the exponent counts from 1/sqrt 2
  double m = bits<double>((shifted & 0x000FFFFFFFFFFFFF) + 0x3FE6A09E667F3BCD);
  double e = bits<double>((shifted >> 52) + 0x4338000000000000) - ROUND;
  double f = (m - 1) / (m + 1);
  return fma_(e, LN2_HIGH, fma_(e, LN2_LOW, f * horner(f * f, ATANH)));
}

// cos and sin of 2 pi u, u in (0, 1): quadrant, then |angle| <= pi / 4.
inline void cos_sin(double u, double& cosine, double& sine) {
  double shifted = fma_(u, 4, ROUND);
  int64_t quadrant = bits<int64_t>(shifted);
  double angle = (u - 0.25 * (shifted - ROUND)) * 6.28318530717958647692;
  double s = angle * horner(angle * angle, SIN), c = horner(angle * angle, COS);
  double swap_c = quadrant & 1 ? s : c, swap_s = quadrant & 1 ? c : s;
  cosine = (quadrant + 1) & 2 ? -swap_c : swap_c;
  sine = quadrant & 2 ? -swap_s : swap_s;
}

inline double uniform(uint32_t word) { return (double(int32_t(word >> 9)) + 0.5) * 0x1p-23; }

// lltd.philox.philox4x32.
template <int ROUNDS>
inline void philox(uint32_t& c0, uint32_t& c1, uint32_t& c2, uint32_t& c3, uint32_t k0, uint32_t k1) {
  if constexpr (ROUNDS > 0) {
    const uint64_t p0 = uint64_t(c0) * 0xD2511F53u, p1 = uint64_t(c2) * 0xCD9E8D57u;
    c0 = uint32_t(p1 >> 32) ^ c1 ^ k0;
    c1 = uint32_t(p1);
    c2 = uint32_t(p0 >> 32) ^ c3 ^ k1;
    c3 = uint32_t(p0);
    philox<ROUNDS - 1>(c0, c1, c2, c3, k0 + 0x9E3779B9u, k1 + 0xBB67AE85u);
  }
}

// lltd.tasks.latch_noise, times each lane's standard deviation: z[steps][PAIR]; steps may be odd, z is not.
void draw(uint64_t seed, const uint64_t* ids, uint64_t presentation, int64_t steps, uint32_t purpose,
          const double* noise, double* z) {
  const int64_t blocks = (steps + 1) / 2;
  for (int64_t b = 0; b < blocks; b++) {
    const uint32_t step = uint32_t(presentation * blocks + b);
    double* out = z + 2 * b * PAIR;
#pragma GCC ivdep
    for (int i = 0; i < LANES; i++) {
      uint32_t c0 = uint32_t(ids[i]), c1 = uint32_t(ids[i] >> 32), c2 = step, c3 = purpose;
      philox<10>(c0, c1, c2, c3, uint32_t(seed), uint32_t(seed >> 32));
      double cosine, sine;
      double radius = noise[i] * std::sqrt(-2 * log_(uniform(c0)));
      cos_sin(uniform(c1), cosine, sine);
      out[i] = radius * cosine;
      out[LANES + i] = radius * sine;
      radius = noise[i] * std::sqrt(-2 * log_(uniform(c2)));
      cos_sin(uniform(c3), cosine, sine);
      out[PAIR + i] = radius * cosine;
      out[PAIR + LANES + i] = radius * sine;
    }
  }
}

struct Block {  // one block of LANES runs and its working space
  int64_t length, lead, parameters;
  uint64_t ids[LANES];
  double noise[LANES];
  std::vector<double> theta, memory, slope, x, z;

  Block(int64_t length, int64_t lead)
      : length(length), lead(lead), parameters(1 + 2 * lead), theta(parameters * LANES),
        memory(2 * parameters * LANES), slope(parameters * LANES), x((length + 1) * PAIR),
        z((length - lead + 1) * PAIR) {}

  // Outputs x[t][PAIR], t = 0 … T.
  void forward() {
    for (int i = 0; i < PAIR; i++) x[i] = 0;
    for (int64_t t = 1; t <= length; t++) {
      const double *before = &x[(t - 1) * PAIR], *w = theta.data();
      const double* u0 = t <= lead ? &theta[t * LANES] : &z[(t - lead - 1) * PAIR];
      const double* u1 = t <= lead ? &theta[(lead + t) * LANES] : u0 + LANES;
      double* now = &x[t * PAIR];
#pragma GCC ivdep
      for (int i = 0; i < LANES; i++) {
        now[i] = tanh_(w[i] * before[i] + u0[i]);
        now[LANES + i] = tanh_(w[i] * before[LANES + i] + u1[i]);
      }
    }
  }

  void gradient(double target) {
    double delta[PAIR], by_w[LANES] = {};
    for (int i = 0; i < PAIR; i++) {
      double end = x[length * PAIR + i];
      delta[i] = 2 * (end - (i < LANES ? -target : target)) * (1 - end * end);
    }
    for (int64_t t = length; t > 0; t--) {
      const double* before = &x[(t - 1) * PAIR];
      for (int i = 0; i < LANES; i++)
        by_w[i] += delta[i] * before[i] + delta[LANES + i] * before[LANES + i];
      if (t <= lead)
        for (int i = 0; i < LANES; i++) {
          slope[t * LANES + i] = delta[i];
          slope[(lead + t) * LANES + i] = delta[LANES + i];
        }
      for (int i = 0; i < LANES; i++) {
        delta[i] *= theta[i] * (1 - before[i] * before[i]);
        delta[LANES + i] *= theta[i] * (1 - before[LANES + i] * before[LANES + i]);
      }
    }
    for (int i = 0; i < LANES; i++) slope[i] = by_w[i];
  }

  void update(double number, double rate, int64_t rule) {
    const double unbias1 = 1 - std::pow(BETA1, number), unbias2 = 1 - std::pow(BETA2, number);
    double *mean = memory.data(), *square = mean + parameters * LANES;
    for (int64_t j = 0; j < parameters * LANES; j++) {
      const double g = slope[j];
      if (rule == ADAM) {
        mean[j] = BETA1 * mean[j] + (1 - BETA1) * g;
        square[j] = BETA2 * square[j] + (1 - BETA2) * (g * g);
        theta[j] -= rate * (mean[j] / unbias1) / (std::sqrt(square[j] / unbias2) + EPSILON);
      } else {
        theta[j] -= rate * (rule == SIGN ? double(g > 0) - double(g < 0) : g);
      }
    }
  }
};

// Runs `work(block, first run, number of runs)` on every block of lanes, over the given number of threads.
// A short last block repeats its last run in the empty lanes.
template <class Work>
void for_blocks(int64_t runs, int64_t threads, const int64_t* ids, const double* noise, const double* theta,
                int64_t length, int64_t lead, Work work) {
  auto worker = [&](int64_t offset) {
    Block block(length, lead);
    for (int64_t start = offset * LANES; start < runs; start += threads * LANES) {
      const int64_t count = runs - start < LANES ? runs - start : LANES;
      for (int i = 0; i < LANES; i++) {
        const int64_t run = start + (i < count ? i : count - 1);
        block.ids[i] = uint64_t(ids[run]);
        block.noise[i] = noise[run];
        for (int64_t p = 0; p < block.parameters; p++) block.theta[p * LANES + i] = theta[p * runs + run];
      }
      work(block, start, count);
    }
  };
  std::vector<std::thread> pool;
  for (int64_t n = 1; n < threads; n++) pool.emplace_back(worker, n);
  worker(0);
  for (auto& thread : pool) thread.join();
}

}  // namespace

extern "C" {

// theta (P, runs) and memory (2, P, runs) are read and written in place.
void lltd_latch_train(int64_t runs, int64_t threads, uint64_t seed, const int64_t* ids, double* theta,
                      double* memory, const double* noise, int64_t first, int64_t epochs, int64_t length,
                      int64_t lead, double rate, double target, int64_t rule, int64_t learn_weight,
                      int64_t fresh, double limit) {
  for_blocks(runs, threads, ids, noise, theta, length, lead, [&](Block& block, int64_t start, int64_t count) {
    const int64_t rows = block.parameters;
    for (int64_t p = 0; p < 2 * rows; p++)
      for (int i = 0; i < LANES; i++)
        block.memory[p * LANES + i] = memory[p * runs + start + (i < count ? i : count - 1)];
    for (int64_t epoch = first; epoch < first + epochs; epoch++) {
      draw(seed, block.ids, fresh ? epoch : 0, length - lead, NOISE, block.noise, block.z.data());
      block.forward();
      block.gradient(target);
      if (!learn_weight)
        for (int i = 0; i < LANES; i++) block.slope[i] = 0;
      block.update(double(epoch + 1), rate, rule);
      for (int i = 0; i < LANES; i++) {
        double w = block.theta[i];
        w = w > limit ? limit : w;
        block.theta[i] = w < -limit ? -limit : w;
      }
    }
    for (int i = 0; i < count; i++) {
      for (int64_t p = 0; p < rows; p++) theta[p * runs + start + i] = block.theta[p * LANES + i];
      for (int64_t p = 0; p < 2 * rows; p++) memory[p * runs + start + i] = block.memory[p * LANES + i];
    }
  });
}

// right (2, runs): how many of `draws` fresh presentations end on the right side, for each class.
void lltd_latch_recall(int64_t runs, int64_t threads, uint64_t seed, const int64_t* ids, const double* theta,
                       const double* noise, int64_t first, int64_t draws, int64_t length, int64_t lead,
                       int64_t* right) {
  for_blocks(runs, threads, ids, noise, theta, length, lead, [&](Block& block, int64_t start, int64_t count) {
    int64_t hits[PAIR] = {};
    for (int64_t presentation = first; presentation < first + draws; presentation++) {
      draw(seed, block.ids, presentation, length - lead, TEST, block.noise, block.z.data());
      block.forward();
      const double* end = &block.x[length * PAIR];
      for (int i = 0; i < LANES; i++) {
        hits[i] += end[i] < 0;
        hits[LANES + i] += end[LANES + i] > 0;
      }
    }
    for (int i = 0; i < count; i++) {
      right[start + i] = hits[i];
      right[runs + start + i] = hits[LANES + i];
    }
  });
}
}
