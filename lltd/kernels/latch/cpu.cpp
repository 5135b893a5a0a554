// Learning the minimal task with one tanh neuron, on a CPU: the same mathematics as reference.py.

#include "lanes.hpp"

namespace {

constexpr int PAIR = 2 * LANES;    // both classes of every lane, class 0 first
constexpr int SIGN = 1, ADAM = 2;  // reference.py
constexpr double BETA1 = 0.9, BETA2 = 0.999, EPSILON = 1e-8;

struct Block {  // one block of LANES runs and its working space
  int64_t length, lead, parameters;
  uint64_t ids[LANES];
  Real noise[LANES];
  std::vector<Real> theta, memory, slope, x, z;

  Block(int64_t length, int64_t lead)
      : length(length), lead(lead), parameters(1 + 2 * lead), theta(parameters * LANES),
        memory(2 * parameters * LANES), slope(parameters * LANES), x((length + 1) * PAIR),
        z((length - lead + 1) * PAIR) {}

  void enter(Tensor<const uint64_t> all, Tensor<const Real> start, Tensor<const Real> scale, int64_t run,
             int64_t count) {
    gather(all.data + run, count, ids);
    gather(scale.data + run, count, noise);
    for (int64_t p = 0; p < parameters; p++)
      gather(start.data + p * start.shape[1] + run, count, &theta[p * LANES]);
  }

  // lltd.tasks.latch_noise, times each lane's standard deviation: z[steps][PAIR]; steps may be odd, z is not.
  void draw(uint64_t seed, uint64_t presentation, uint32_t purpose) {
    const int64_t blocks = (length - lead + 1) / 2;
    for (int64_t b = 0; b < blocks; b++) {
      const uint32_t step = uint32_t(presentation * blocks + b);
      Real* out = &z[2 * b * PAIR];
#pragma GCC ivdep
      for (int i = 0; i < LANES; i++) {
        uint32_t c0, c1, c2, c3;
        words(seed, ids[i], step, purpose, c0, c1, c2, c3);
        normals(c0, c1, noise[i], out[i], out[LANES + i]);
        normals(c2, c3, noise[i], out[PAIR + i], out[PAIR + LANES + i]);
      }
    }
  }

  // Outputs x[t][PAIR], t = 0 … T.
  void forward() {
    for (int i = 0; i < PAIR; i++) x[i] = 0;
    for (int64_t t = 1; t <= length; t++) {
      const Real *before = &x[(t - 1) * PAIR], *w = theta.data();
      const Real* u0 = t <= lead ? &theta[t * LANES] : &z[(t - lead - 1) * PAIR];
      const Real* u1 = t <= lead ? &theta[(lead + t) * LANES] : u0 + LANES;
      Real* now = &x[t * PAIR];
#pragma GCC ivdep
      for (int i = 0; i < LANES; i++) {
        now[i] = tanh_(w[i] * before[i] + u0[i]);
        now[LANES + i] = tanh_(w[i] * before[LANES + i] + u1[i]);
      }
    }
  }

  void gradient(Real target) {
    Real delta[PAIR], by_w[LANES] = {};
    for (int i = 0; i < PAIR; i++) {
      Real end = x[length * PAIR + i];
      delta[i] = 2 * (end - (i < LANES ? -target : target)) * (1 - end * end);
    }
    for (int64_t t = length; t > 0; t--) {
      const Real* before = &x[(t - 1) * PAIR];
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

  void update(int64_t number, Real rate, int64_t rule) {
    const Real unbias1 = 1 - std::pow(BETA1, number), unbias2 = 1 - std::pow(BETA2, number);
    Real *mean = memory.data(), *square = mean + parameters * LANES;
    for (int64_t j = 0; j < parameters * LANES; j++) {
      const Real g = slope[j];
      if (rule == ADAM) {
        mean[j] = Real(BETA1) * mean[j] + Real(1 - BETA1) * g;
        square[j] = Real(BETA2) * square[j] + Real(1 - BETA2) * (g * g);
        theta[j] -= rate * (mean[j] / unbias1) / (std::sqrt(square[j] / unbias2) + Real(EPSILON));
      } else {
        theta[j] -= rate * (rule == SIGN ? Real(g > 0) - Real(g < 0) : g);
      }
    }
  }
};

}  // namespace

extern "C" {

// reference.train.
void lltd_latch(int64_t threads, uint64_t seed, Tensor<const uint64_t> ids, Tensor<const Real> theta,
                Tensor<const Real> memory, Tensor<const Real> noise, int64_t first, int64_t epochs,
                int64_t length, double rate, double target, int64_t rule, int64_t learn_weight, int64_t fresh,
                double bound, Tensor<Real> theta_out, Tensor<Real> memory_out) {
  const int64_t rows = theta.shape[0], runs = theta.shape[1];
  const Real limit = Real(bound);
  auto make = [&] { return Block(length, (rows - 1) / 2); };
  for_blocks(runs, threads, make, [&](Block& block, int64_t run, int64_t count) {
    block.enter(ids, theta, noise, run, count);
    for (int64_t p = 0; p < 2 * rows; p++) gather(memory.data + p * runs + run, count, &block.memory[p * LANES]);
    for (int64_t epoch = first; epoch < first + epochs; epoch++) {
      block.draw(seed, fresh ? epoch : 0, NOISE);
      block.forward();
      block.gradient(Real(target));
      if (!learn_weight) std::fill_n(block.slope.begin(), LANES, Real(0));
      block.update(epoch + 1, Real(rate), rule);
      for (int i = 0; i < LANES; i++) {
        Real w = block.theta[i];
        w = w > limit ? limit : w;
        block.theta[i] = w < -limit ? -limit : w;
      }
    }
    for (int64_t p = 0; p < rows; p++) scatter(&block.theta[p * LANES], count, theta_out.data + p * runs + run);
    for (int64_t p = 0; p < 2 * rows; p++)
      scatter(&block.memory[p * LANES], count, memory_out.data + p * runs + run);
  });
}

// reference.recall.
void lltd_latch_recall(int64_t threads, uint64_t seed, Tensor<const uint64_t> ids, Tensor<const Real> theta,
                       Tensor<const Real> noise, int64_t first, int64_t draws, int64_t length,
                       Tensor<int64_t> right) {
  const int64_t runs = theta.shape[1];
  auto make = [&] { return Block(length, (theta.shape[0] - 1) / 2); };
  for_blocks(runs, threads, make, [&](Block& block, int64_t run, int64_t count) {
    block.enter(ids, theta, noise, run, count);
    int64_t hits[PAIR] = {};
    for (int64_t presentation = first; presentation < first + draws; presentation++) {
      block.draw(seed, presentation, TEST);
      block.forward();
      const Real* end = &block.x[length * PAIR];
      for (int i = 0; i < LANES; i++) {
        hits[i] += end[i] < 0;
        hits[LANES + i] += end[LANES + i] > 0;
      }
    }
    scatter(hits, count, right.data + run);
    scatter(hits + LANES, count, right.data + runs + run);
  });
}
}
