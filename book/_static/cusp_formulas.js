// The neuron a_t = w tanh(a_{t-1}) + u under a constant input u: its resting places, and the passage past the ghost of
// the one that has vanished.
lltd.cusp = (() => {
  const { step, fixedPoint, criticalState, criticalInput } = lltd.latch;

  const slope = (w, a) => w / Math.cosh(a) ** 2;

  // The zero of f, which has other signs at low and high, to the last digit.
  function zero(f, low, high) {
    const rising = f(high) > 0;
    for (;;) {
      const middle = (low + high) / 2;
      if (middle === low || middle === high) return middle;
      if (f(middle) > 0 === rising) high = middle;
      else low = middle;
    }
  }

  // All a = w tanh a + u in rising order, w > 0. w tanh a + u - a turns at -a_c and a_c only, so that between them,
  // below and above it has one zero or none.
  function fixedPoints(w, u) {
    const over = (a) => step(a, w, u) - a;
    const edges = [u - w - 1, ...(w > 1 ? [-criticalState(w), criticalState(w)] : []), u + w + 1];
    const places = [];
    for (let i = 1; i < edges.length; i++) {
      const [low, high] = [edges[i - 1], edges[i]];
      if (low < high && over(low) > 0 !== over(high) > 0) places.push(zero(over, low, high));
    }
    return places;
  }

  // Where the neuron has rested without input: that of the two places against which u pushes. 0 if there is but one.
  const start = (w, u) => (w > 1 ? (u > 0 ? -1 : 1) * fixedPoint(w) : 0);

  // |u| - u*, by how much u is too large to be harmless; negative inside the cusp.
  const excess = (w, u) => Math.abs(u) - criticalInput(w);

  // States a_0 … a_T from a_0 on.
  function run(w, u, a0, T) {
    const a = [a0];
    while (a.length <= T) a.push(step(a.at(-1), w, u));
    return a;
  }

  // Steps from `start` until the state has changed its sign, the bit being lost; Infinity if u is harmless or the
  // bit is still there after `most` steps.
  function passage(w, u, most) {
    if (excess(w, u) <= 0) return Infinity;
    let a = start(w, u);
    const side = Math.sign(a);
    for (let t = 1; t <= most; t++) {
      a = step(a, w, u);
      if (side * a <= 0) return t;
    }
    return Infinity;
  }

  // The same for a small excess μ, π / sqrt(κ μ). Near a_c a step goes by -(μ + κ x²) with x = a - a_c and
  // κ = |M''(a_c)| / 2 = tanh a_c, since M'' = -2 tanh a M' and M'(a_c) = 1; and ∫ dx / (μ + κ x²) over the line is
  // π / sqrt(κ μ).
  const predicted = (w, u) => {
    const μ = excess(w, u);
    return μ > 0 ? Math.PI / Math.sqrt(μ * Math.tanh(criticalState(w))) : Infinity;
  };

  // log10 of ∂a_t/∂a_0 for t = 0 … T along the states a_0 … a_T, w > 0.
  function decades(w, a) {
    const sums = [0];
    for (const state of a.slice(0, -1)) sums.push(sums.at(-1) + Math.log10(slope(w, state)));
    return sums;
  }

  return { slope, fixedPoints, start, excess, run, passage, predicted, decades };
})();
