// One memory cell of 1996 whose gates are set by hand for the adding problem, and an Elman net beside it: sequences,
// weights, states and errors are those of lltd.kernels.lstm96, lltd.systems.hand_set_cell and lltd.analysis.carousel.
lltd.lstm = (() => {
  const { philox } = lltd;
  const { INITIAL, TASK } = philox.Purpose;
  const SOURCES = ["in", "out", "cell", "value", "marker", "one"]; // what each of the three units hears
  const [OPENS, WRITES, READS] = [12, 0.5, [-8, -4]]; // weights set by hand, see lltd.systems.hand_set_cell
  const SPAN = 0.1; // of those that are drawn
  const UNITS = 8; // of the Elman net, which hears value, marker and 1

  const f = (x) => 1 / (1 + Math.exp(-x));
  const g = (x) => 4 * f(x) - 2;
  const h = (x) => 2 * f(x) - 1;
  const below = (word, high) => Math.floor((word * high) / 2 ** 32); // the product is exact in a double

  // Sequence 0 of a trial of the adding problem: pairs of value and marker, step by step, the marked steps, and the
  // target. Drawn from the end, as in lltd.kernels.lstm96.tasks.
  function tape(seed, id, T) {
    const places = philox.block(seed, id, 0, TASK);
    const length = T + below(places[0], Math.floor(T / 10) + 1);
    const first = below(places[1], 10);
    let second = below(places[2], Math.floor(T / 2) - 1);
    second += second >= first;
    const values = [];
    for (let block = 1; values.length < length; block++)
      values.push(...philox.uniform(seed, id, block, TASK).map((u) => 2 * u - 1));
    const value = values.slice(0, length).reverse();
    const marked = [first, second];
    if (marked.includes(0)) value[0] = 0;
    const marker = value.map((_, t) => (marked.includes(t) ? 1 : t === 0 || t === length - 1 ? -1 : 0));
    const target = 0.5 + (value[first] + value[second]) / 4;
    return { inputs: value.map((v, t) => [v, marker[t]]), marked, target };
  }

  // Three rows of weights: of the input gate with its bias, of the output gate, of the cell.
  function weights(seed, id, bias) {
    const numbers = [0, 1, 2, 3, 4].flatMap((block) => philox.uniform(seed, id, block, INITIAL));
    const W = [0, 1, 2].map((unit) =>
      SOURCES.map((_, m) => (m < 3 ? SPAN * (2 * numbers[6 * unit + m] - 1) : 0)),
    );
    [W[0][4], W[0][5]] = [OPENS, bias];
    [W[1][4], W[1][5]] = READS;
    W[2][3] = WRITES;
    return W;
  }

  // State and gates at each step, and what an error can pass there: door, shown and among of lltd.analysis.carousel.
  function run(W, inputs) {
    let [y, s] = [[0, 0, 0], 0];
    return inputs.map((x) => {
      const seen = [...y, ...x, 1];
      const [netIn, netOut, netC] = W.map((row) => row.reduce((sum, w, m) => sum + w * seen[m], 0));
      const [yIn, yOut, gC] = [f(netIn), f(netOut), g(netC)];
      s += yIn * gC;
      const hS = h(s);
      y = [yIn, yOut, yOut * hS];
      const [inSlope, outSlope, gSlope] = [yIn * (1 - yIn), yOut * (1 - yOut), (4 - gC * gC) / 4];
      const among = [0, 1, 2].map((v) => [inSlope * W[0][v], outSlope * W[1][v], hS * outSlope * W[1][v]]);
      const door = [0, 1, 2].map((v) => yIn * gSlope * W[2][v] + gC * inSlope * W[0][v]);
      return { s, yIn, yOut, door, among, shown: (yOut * (1 - hS * hS)) / 2 };
    });
  }

  // ∂y_c(T)/∂s(t) for t = 1 … T: with errors cut at net inputs, or with all their ways.
  function errors(steps, cut) {
    let y = [0, 0, 1]; // the slope in what is shown
    const found = [steps.at(-1).shown];
    for (let t = steps.length - 2; t >= 0; t--) {
      const { door, among } = steps[t + 1];
      const back = (v) => door[v] * found.at(-1) + among[v].reduce((sum, a, u) => sum + a * y[u], 0);
      y = cut ? [0, 0, 0] : [0, 1, 2].map(back);
      found.push(found.at(-1) + steps[t].shown * y[2]);
    }
    return found.reverse();
  }

  // Weights of an Elman net, Gaussian of standard deviation gain / sqrt(11), as lltd.systems.recurrent_net has them.
  function elman(seed, number, gain) {
    const sources = UNITS + 3;
    const blocks = Array.from({ length: (UNITS * sources) / 4 }, (_, block) => block);
    const numbers = blocks.flatMap((block) => philox.normal(seed, number, block, INITIAL));
    const scale = gain / sources ** 0.5;
    return Array.from({ length: UNITS }, (_, i) => numbers.slice(i * sources, (i + 1) * sources).map((z) => scale * z));
  }

  // log10 of what is left of an error at its first unit, for t = 0 … T: a size, kept as a logarithm.
  function faded(U, inputs) {
    let a = Array(UNITS).fill(0);
    const activations = inputs.map((x) => {
      const seen = [...a, ...x, 1];
      a = U.map((row) => Math.tanh(row.reduce((sum, w, m) => sum + w * seen[m], 0)));
      return a;
    });
    let error = a.map((_, i) => (i ? 0 : 1));
    const found = [0];
    for (const one of activations.reverse()) {
      const delta = error.map((e, i) => e * (1 - one[i] ** 2));
      error = error.map((_, v) => delta.reduce((sum, d, u) => sum + d * U[u][v], 0));
      const size = Math.hypot(...error);
      found.push(found.at(-1) + Math.log10(size));
      if (size > 0) error = error.map((e) => e / size);
    }
    return found.reverse();
  }

  // Standard deviation of the drift in so many steps behind a gate of this bias, where nothing is marked: the variance
  // of g(v/2) for uniform v is 4 - 16 tanh(1/4).
  const drift = (bias, steps) => Math.sqrt(steps * (4 - 16 * Math.tanh(WRITES / 2))) * f(bias);

  return { f, g, h, tape, weights, run, errors, elman, faded, drift };
})();
