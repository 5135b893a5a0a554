// The latching neuron a_t = w tanh(a_{t-1}) + u_t: formulas, equal to those of lltd.
lltd.latch = (() => {
  const { philox } = lltd;

  const step = (a, w, u) => w * Math.tanh(a) + u;

  // States a_0 = 0, a_1 … a_T under the inputs u_1 … u_T.
  function states(w, inputs) {
    const a = [0];
    for (const u of inputs) a.push(step(a.at(-1), w, u));
    return a;
  }

  const outputs = (w, inputs) => states(w, inputs).map(Math.tanh);

  function check(w) {
    if (!(w > 1)) throw new RangeError(`w is ${w}: the neuron latches only for w > 1`);
  }

  // a* > 0 with a* = w tanh a*, by Newton's method from above.
  function fixedPoint(w) {
    check(w);
    let a = w;
    for (let i = 0; i < 200; i++) {
      const following = a - (a - w * Math.tanh(a)) / (1 - w * (1 - Math.tanh(a) ** 2));
      if (!(following < a)) break;
      a = following;
    }
    return a;
  }

  // M'(a*), what a latched gradient loses in each step.
  const multiplier = (w) => w * (1 - Math.tanh(fixedPoint(w)) ** 2);

  // a_c > 0, where the map has slope one.
  function criticalState(w) {
    check(w);
    return Math.acosh(Math.sqrt(w));
  }

  // u*, the largest input that is harmless for ever.
  const criticalInput = (w) => Math.sqrt(w * (w - 1)) - criticalState(w);

  // log10 of ∂x_t/∂u_1 for t = 1 … T along the states a_0 … a_T, w > 0. Logarithms, because the product of T
  // slopes w / cosh² a would soon be too small for a double.
  function decades(w, a) {
    const slopes = a.slice(1).map((state) => -2 * Math.log10(Math.cosh(state)));
    let product = 0;
    return slopes.map((slope) => {
      const now = product + slope;
      product = now + Math.log10(w);
      return now;
    });
  }

  const derivative = (w, a) => 10 ** decades(w, a).at(-1);

  // Standard normal noise of a run's presentation 0, for class 0 and class 1, as lltd.tasks.latch_noise draws it.
  function noise(seed, id, steps) {
    const classes = [[], []];
    for (let address = 0; classes[0].length < steps; address++) {
      const z = philox.normal(seed, id, address, philox.Purpose.NOISE);
      z.forEach((value, i) => classes[i % 2].push(value));
    }
    return classes.map((values) => values.slice(0, steps));
  }

  // Both classes' inputs, -1 and +1 and then noise of standard deviation s: the minimal task with L = 1.
  const inputs = (seed, id, length, s) =>
    noise(seed, id, length - 1).map((z, k) => [2 * k - 1, ...z.map((value) => s * value)]);

  return {
    step, states, outputs, fixedPoint, multiplier, criticalState, criticalInput, decades, derivative, noise, inputs,
  };
})();
