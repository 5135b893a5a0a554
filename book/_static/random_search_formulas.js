// Random search for parity with the net A1(1): the same sequences as lltd.tasks.parity and the same guesses as
// lltd.kernels.guess draw for their addresses. [HS96] section 1.
lltd.randomSearch = (() => {
  const { philox } = lltd;
  const { TASK, SEARCH } = philox.Purpose;
  const SEED = 1996;
  const [SHORTEST, LONGEST] = [500, 600]; // lengths of the sequences
  const COUNT = 100; // sequences to learn from; as many after them are for the test
  const SPAN = 100; // weights are guessed in ±SPAN
  const TOLERANCE = 0.1; // of the output at the end
  const BLOCKS = Math.ceil((LONGEST + 1) / 4); // of Philox, for one sequence
  const WEIGHTS = ["h from x", "h from 1", "h from o", "h from h", "o from x", "o from o", "o from h"];
  const SIDE = 101; // nets along each side of a slice; the middle one is at 0

  // The id of a guess, by which any machine draws it again.
  const identity = (trial, guess) => trial * 2 ** 32 + guess;

  // The seven weights of a guess, single-precision numbers.
  function guessed(trial, guess) {
    const u = [0, 1].flatMap((block) => philox.uniform(SEED, identity(trial, guess), block, SEARCH));
    return u.slice(0, WEIGHTS.length).map((value) => Math.fround(SPAN * (2 * value - 1)));
  }

  // Sequence number k of a trial: its inputs -1 and 1, and its class, 1 if the number of ones is odd. The first bit
  // settles the class.
  function drawn(trial, k) {
    const u = Array.from({ length: BLOCKS }, (_, i) => philox.uniform(SEED, trial, k * BLOCKS + i, TASK)).flat();
    const length = SHORTEST + Math.floor(u[0] * (LONGEST - SHORTEST + 1));
    const bits = u.slice(1, length + 1).map((value) => (value < 0.5 ? 1 : 0));
    const odd = bits.slice(1).reduce((sum, bit) => sum ^ bit, 0);
    bits[0] = odd ^ (k % 2);
    return { inputs: bits.map((bit) => 2 * bit - 1), target: k % 2 };
  }

  // The sequences of a trial, each drawn when it is first asked for.
  function sequences(trial) {
    const known = [];
    return (k) => (known[k] ??= drawn(trial, k));
  }

  const logistic = (a) => 1 / (1 + Math.exp(-a));

  // The output at the end of a sequence. The hidden unit is updated first. Activations start at 0.
  function answer([hx, h1, ho, hh, ox, oo, oh], inputs) {
    let [h, o] = [0, 0];
    for (let t = 0; t < inputs.length; t++) {
      const x = inputs[t];
      h = logistic(hx * x + h1 + ho * o + hh * h);
      o = logistic(ox * x + oo * o + oh * h);
    }
    return o;
  }

  // Both units over the first steps of a sequence.
  function course(weights, inputs, steps) {
    const [hx, h1, ho, hh, ox, oo, oh] = weights;
    let [h, o] = [0, 0];
    return inputs.slice(0, steps).map((x) => {
      h = logistic(hx * x + h1 + ho * o + hh * h);
      o = logistic(ox * x + oo * o + oh * h);
      return { h, o };
    });
  }

  const errorOn = (weights, { inputs, target }) => Math.abs(answer(weights, inputs) - target);

  // How many training sequences in a row a net has right; at the first mistake it is dropped.
  function stood(weights, sequence) {
    for (let k = 0; k < COUNT; k++) if (!(errorOn(weights, sequence(k)) < TOLERANCE)) return k;
    return COUNT;
  }

  // On the test set: how many are right, and the mean error.
  function tested(weights, sequence) {
    const errors = Array.from({ length: COUNT }, (_, k) => errorOn(weights, sequence(COUNT + k)));
    return { right: errors.filter((e) => e < TOLERANCE).length, error: errors.reduce((a, b) => a + b) / COUNT };
  }

  // The weights with two of them, numbers `pair`, at a place of a slice that goes from -1 to 1 both ways.
  const moved = (weights, pair, place, span) =>
    weights.map((w, p) => (pair.includes(p) ? Math.fround(span * place[pair.indexOf(p)]) : w));

  // The places of row or column 0 … SIDE - 1 of a slice.
  const place = (i) => (2 * i) / (SIDE - 1) - 1;

  // The order in which a slice is computed: [column, row, size] …, coarse squares first, each net once.
  function* refinement() {
    for (let size = 8; size >= 1; size /= 2)
      for (let j = 0; j < SIDE; j += size)
        for (let i = 0; i < SIDE; i += size)
          if (size === 8 || i % (2 * size) || j % (2 * size)) yield [i, j, size];
  }

  return {
    SEED, COUNT, SPAN, WEIGHTS, SIDE,
    identity, guessed, sequences, course, stood, tested, moved, place, refinement,
  };
})();
