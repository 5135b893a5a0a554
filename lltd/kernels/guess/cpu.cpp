// Guessed nets on a CPU: the same mathematics as reference.py.

#include "guess/net.hpp"

namespace {

// Runs all nets over all sequences, block by block. enter(block, first net, how many) puts the weights into a block.
template <class Net, class Enter>
void run_all(int64_t threads, int64_t nets, Tensor<const Real> inputs, Tensor<const int64_t> lengths, int64_t order,
             Real* out, Enter enter) {
  constexpr int64_t TIMES = Net::SIZE / LANES;
  for_blocks((nets + TIMES - 1) / TIMES, threads, [] { return Net(); }, [&](Net& net, int64_t block, int64_t) {
    const int64_t first = block * TIMES, count = std::min<int64_t>(Net::SIZE, nets - first);
    enter(net, first, count);
    for (int64_t s = 0; s < inputs.shape[0]; s++) {
      net.run(inputs.data + s * inputs.shape[1], lengths.data[s], order);
      std::copy_n(net.o.value, count, out + s * nets + first);
    }
  });
}

}  // namespace

extern "C" {

// reference.guess.
void lltd_guess(int64_t threads, uint64_t seed, Tensor<const uint64_t> ids, Tensor<const Real> inputs,
                Tensor<const int64_t> lengths, Tensor<const int64_t> table, int64_t hidden, int64_t order, double span,
                Tensor<Real> out) {
  const Wiring wiring{table};
  by_kind(wiring, hidden, [&](auto kind) {
    using Net = Block<decltype(kind)::HIDDEN, decltype(kind)::DENSE>;
    run_all<Net>(threads, ids.shape[0], inputs, lengths, order, out.data, [&](Net& net, int64_t first, int64_t count) {
      enter(net, wiring, seed, ids.data + first, count, float(span));
    });
  });
}

// reference.ends.
void lltd_guess_ends(int64_t threads, Tensor<const Real> theta, Tensor<const Real> inputs,
                     Tensor<const int64_t> lengths, Tensor<const int64_t> table, int64_t hidden, int64_t order,
                     Tensor<Real> out) {
  const Wiring wiring{table};
  const int64_t nets = theta.shape[1];
  by_kind(wiring, hidden, [&](auto kind) {
    using Net = Block<decltype(kind)::HIDDEN, decltype(kind)::DENSE>;
    run_all<Net>(threads, nets, inputs, lengths, order, out.data, [&](Net& net, int64_t first, int64_t count) {
      for (int64_t p = 0; p < wiring.count(); p++) {
        Real* lanes = net.weight(wiring.to(p), wiring.from(p));
        for (int i = 0; i < Net::SIZE; i++) lanes[i] = theta.data[p * nets + first + (i < count ? i : count - 1)];
      }
    });
  });
}

}  // extern "C"
