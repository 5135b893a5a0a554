// The trainable flip-flop x_{t+1} = f(x_t, u_t) and what its rule sends back: equal to lltd.systems.flip_flop.
lltd.flipFlop = (() => {
  const { philox } = lltd;
  const LEAD = 3; // learnable inputs

  // Where a run's learnable inputs start, uniform in (-2, 2), so that about every other one sets the state.
  const initial = (seed, id) =>
    philox.uniform(seed, id, 0, philox.Purpose.INITIAL).slice(0, LEAD).map((value) => 4 * value - 2);

  // Noise U(-1, 1) of a run's presentation for class 0, as lltd.systems.flip_flop_learner.uniform_noise draws it.
  function noise(seed, id, presentation, steps) {
    const blocks = Math.ceil(steps / 2);
    return Array.from({ length: blocks }, (_, i) => {
      const words = philox.uniform(seed, id, presentation * blocks + i, philox.Purpose.NOISE);
      return [2 * words[0] - 1, 2 * words[2] - 1];
    })
      .flat()
      .slice(0, steps);
  }

  // Next state: u decides where |u| >= 1, otherwise the sign of x. [BFS93] eq. 8.
  const step = (x, u) => (u >= 1 || (Math.abs(u) < 1 && x >= 0) ? 1 : -1);

  // States x_1 … x_{T+1} from x_1 = x under the inputs u_1 … u_T. Eq. 7.
  function unfold(x, inputs) {
    const states = [x];
    for (const u of inputs) states.push(step(states.at(-1), u));
    return states;
  }

  // Δx for states that are -1 or 1. Eq. 11.
  const carry = (df, u) => (Math.abs(u) < 1 ? df : 0);

  // Δu, which takes u beyond the threshold that applies by k > 0; 0 where nothing is wanted. Eq. 13.
  function wantedOfInput(df, x, u, k) {
    const [threshold, fires] = x < 0 ? [1, u >= 1] : [-1, u > -1];
    if (df > 0 && !fires) return threshold - u + k;
    if (df < 0 && fires) return threshold - u - k;
    return 0;
  }

  // Wanted changes of all states and of all inputs, for a change Δf of the last state.
  function sendBack(df, states, inputs, k) {
    const dx = [df];
    for (const u of [...inputs].reverse()) dx.push(carry(dx.at(-1), u));
    dx.reverse();
    return { dx, du: inputs.map((u, i) => wantedOfInput(dx[i + 1], states[i], u, k)) };
  }

  // The step 1 … T that set the last state; 0 if the state is still the first one.
  const setter = (inputs) => inputs.findLastIndex((u) => Math.abs(u) >= 1) + 1;

  // Weights of the learning rate: .5 for the step that set the state, .5/n for each of the n that held it.
  function credit(inputs) {
    const set = setter(inputs);
    return inputs.map((_, i) => (i + 1 > set ? 0.5 / (inputs.length - set) : i + 1 === set ? 0.5 : 0));
  }

  // The learnable inputs after one update at a rate.
  const update = (inputs, du, rate) =>
    credit(inputs).slice(0, LEAD).map((weight, i) => inputs[i] + rate * weight * du[i]);

  // log10 of |δ_t / δ_T| = |∂a_T/∂a_t| for t = 0 … T along the states a_0 … a_T of the neuron
  // a_t = w tanh(a_{t-1}) + u_t, w > 0.
  function decades(w, a) {
    const sums = [0];
    for (const state of a.slice(0, -1).reverse())
      sums.push(sums.at(-1) + Math.log10(w) - 2 * Math.log10(Math.cosh(state)));
    return sums.reverse();
  }

  return {
    LEAD, initial, noise, step, unfold, carry, wantedOfInput, sendBack, setter, credit, update, decades,
  };
})();
