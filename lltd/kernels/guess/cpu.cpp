// Guessed nets on a CPU: the same mathematics as reference.py.

#include "guess/net.hpp"

namespace {

struct Sequences {
  Tensor<const Real> inputs;  // (S, T)
  const int64_t* lengths;
  int64_t count() const { return inputs.shape[0]; }
  const Real* of(int64_t s) const { return inputs.data + s * inputs.shape[1]; }
};

// Many nets: all lanes of a block run on one sequence after the other. enter(net, which) puts the weights of
// these nets into the lanes.
template <class Net, class Enter>
void run_one_by_one(Net& net, const Sequences& shown, int64_t nets, int64_t first, int64_t order, Real* out,
                    Enter enter) {
  const int64_t count = std::min<int64_t>(Net::SIZE, nets - first);
  int64_t which[Net::SIZE];
  for (int i = 0; i < Net::SIZE; i++) which[i] = first + std::min<int64_t>(i, count - 1);
  enter(net, which);
  for (int64_t s = 0; s < shown.count(); s++) {
    net.run(shown.of(s), shown.lengths[s], order);
    std::copy_n(net.o.value, count, out + s * nets + first);
  }
}

// Few nets: lanes would stand idle, so each runs one net on one sequence, to the end of the longest.
template <class Net, class Enter>
void run_side_by_side(Net& net, const Sequences& shown, int64_t nets, int64_t first, int64_t order, Real* out,
                      Enter enter) {
  const int64_t count = std::min<int64_t>(Net::SIZE, nets * shown.count() - first);
  int64_t which[Net::SIZE], place[Net::SIZE], length[Net::SIZE];
  const Real* inputs[Net::SIZE];
  alignas(64) Lanes<Net::SIZE> x;
  for (int i = 0; i < Net::SIZE; i++) {
    place[i] = first + std::min<int64_t>(i, count - 1);  // as in the results: sequence, then net
    which[i] = place[i] % nets, inputs[i] = shown.of(place[i] / nets), length[i] = shown.lengths[place[i] / nets];
  }
  enter(net, which);
  net.begin();
  const auto [shortest, longest] = std::minmax_element(length, length + Net::SIZE);
  for (int64_t t = 0; t < *longest; t++) {
    for (int i = 0; i < Net::SIZE; i++) x[i] = inputs[i][t];
    net.step(static_cast<const Real*>(x), order);
    for (int i = 0; t + 1 >= *shortest && i < count; i++)
      if (length[i] == t + 1) out[place[i]] = net.o.value[i];
  }
}

// Runs all nets on all sequences.
template <class Net, class Enter>
void run_all(int64_t threads, int64_t nets, const Sequences& shown, int64_t order, Real* out, Enter enter) {
  constexpr int64_t TIMES = Net::SIZE / LANES;
  const bool few = nets < Net::SIZE / 2;
  const int64_t all = few ? nets * shown.count() : nets;
  for_blocks((all + TIMES - 1) / TIMES, threads, [] { return Net(); }, [&](Net& net, int64_t block, int64_t) {
    (few ? run_side_by_side<Net, Enter> : run_one_by_one<Net, Enter>)(net, shown, nets, block * TIMES, order, out, enter);
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
    run_all<Net>(threads, ids.shape[0], {inputs, lengths.data}, order, out.data, [&](Net& net, const int64_t* which) {
      uint64_t own[Net::SIZE];
      for (int i = 0; i < Net::SIZE; i++) own[i] = ids.data[which[i]];
      enter(net, wiring, seed, own, Net::SIZE, float(span));
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
    run_all<Net>(threads, nets, {inputs, lengths.data}, order, out.data, [&](Net& net, const int64_t* which) {
      for (int64_t p = 0; p < wiring.count(); p++) {
        Real* lanes = net.weight(wiring.to(p), wiring.from(p));
        for (int i = 0; i < Net::SIZE; i++) lanes[i] = theta.data[p * nets + which[i]];
      }
    });
  });
}

}  // extern "C"
