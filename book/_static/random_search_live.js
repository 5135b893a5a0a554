// Random search for parity, live: a button draws nets until one stands all training sequences; around it, a slice of
// weight space with its solutions lit.
(() => {
  const { html, button, minus, grouped, readout, teller, assemble } = lltd.live;
  const { SEED, COUNT, SPAN, WEIGHTS } = lltd.randomSearch;
  const { identity, guessed, sequences, stood, tested, moved, place, refinement } = lltd.randomSearch;
  const [SEARCH, SLICE] = [8, 12]; // milliseconds of a frame that go into nets
  const LOOK = 0.12; // seconds that a guess is to be seen
  const TEN = 10; // trials behind each mean of the paper
  const PAIR = [0, 2]; // the weights of the first slice
  const STILL = matchMedia("(prefers-reduced-motion: reduce)");

  // Guesses that are due after so many seconds: first six a second, then ever faster.
  const due = (seconds) => 6 * seconds + Math.exp(1.9 * seconds);

  const LEGEND = `Each guess draws the seven weights anew, uniform in ±${SPAN}, and the net sees training sequences
    of 500 to 600 steps, of both classes in turn, until it has one wrong. Most nets end alike whatever they see, and
    fall at the first or the second. The one that stands all ${COUNT} is drawn beside a slice through weight space:
    orange arrows are positive weights, blue ones negative, and wide ones large. In the slice every square is a net
    with two other weights, the brightest ones solve the task, and the ring is the net that was found. Click a square
    to take its net, or move the point with the arrow keys (with shift from net to net). The curve among the waits is
    a geometric law of the same mean.`;

  // The net that is shown, to be computed again by a reader who doubts it.
  function inPython({ trial, guess, weights, stands, test }) {
    const drawn = `guess.weights(net, ${SEED}, torch.tensor([${trial} * 2**32 + ${guess}]))`;
    const chosen = `torch.tensor([${weights.join(", ")}]).double()[:, None]`;
    const results = [
      `print("stands", int(right[:${COUNT}].cumprod(0).sum()), "training sequences")`,
      `print("test:", int(right[${COUNT}:].sum()), f"right, mean error {error[${COUNT}:].mean():.6f}")`,
    ];
    const promised = [`# stands ${stands} training sequences`];
    if (test) promised.push(`# test: ${test.right} right, mean error ${test.error.toFixed(6)}`);
    return `import torch
from lltd import tasks
from lltd.kernels import guess

net, trial = guess.A1(1), torch.tensor([${trial}])
weights = ${guess === null ? chosen : drawn}
data = tasks.parity(${SEED}, trial, first=0, count=${2 * COUNT}, shortest=500, longest=600)
output = guess.ends(net, weights, data.inputs[:, :, 0, 0], data.lengths[:, 0])
error = (output - data.classes).abs()
right = error < 0.1
${[...results.slice(0, promised.length), ...promised].join("\n")}`;
  }

  // A choice between named values.
  function choice(title, names, chosen, changed) {
    const id = `search-${title.replace(" ", "-")}`;
    const options = names.map((name, i) => html("option", { value: i }, name));
    const select = html("select", { id, autocomplete: "off" }, ...options);
    select.value = chosen;
    select.addEventListener("change", () => changed(Number(select.value)));
    return { element: html("div", { class: "search-choice" }, html("label", { for: id }, title), select), select };
  }

  function build(root) {
    const titles = {
      guesses: "guesses so far",
      stands: "the net shown stands",
      test: "on the test set",
      id: "its id",
      mean: "mean of all waits",
      lit: "solutions in the slice",
    };
    const { element: numbers, facts } = readout(titles);
    const where = html("p", { class: "live-where" });
    const code = html("code");
    const { element: said, tell } = teller(() => `${where.textContent}. ${spoken()}`);
    const [strip, tally, diagram] = ["guesses", "waits", "net"].map((name) => lltd.searchPanels[name]());
    const map = lltd.searchPanels.slice((at) => own(moved(net.weights, pair, at, span)));

    let trial, sequence, guess, found, elapsed; // of the search: guesses made, and the one that was found
    let net; // the one that is shown
    let [running, left, last, request, looked] = [false, 0, null, null, 0];
    let [pair, span, slice, seen] = [[...PAIR], SPAN, null, false];
    const waits = new Map(); // by training set
    let ten = []; // the waits of ten trials

    const spoken = () => `The net stands ${facts.stands.textContent}; on the test set: ${facts.test.textContent}`;

    // A search from the first guess on.
    function begin(number) {
      [trial, sequence, guess, found, elapsed] = [number, sequences(number), 0, null, 0];
      strip.clear();
    }

    function run() {
      [running, last] = [true, null];
      for (const name of ["stands", "test", "id"]) facts[name].textContent = "…";
      refresh();
      wake();
    }

    const onwards = () => found === null || begin(trial + 1);
    const actions = [
      button("Guess", () => {
        if (running) return rest();
        if (!left) ten = [];
        onwards();
        run();
      }),
      button("Again", () => {
        [left, ten] = [0, []];
        begin(trial);
        run();
      }),
      button("Ten trials", () => {
        if (!left) [left, ten] = [TEN, []];
        onwards();
        run();
      }),
    ];

    // The search ends or pauses, with its last guess.
    function rest() {
      running = false;
      const number = Math.max(0, guess - 1);
      take({ trial, guess: number, weights: guessed(trial, number) });
      tell();
    }

    // Guesses for one frame.
    function search(now) {
      elapsed += last === null ? 0 : Math.min(0.1, (now - last) / 1000);
      last = now;
      const most = left || STILL.matches ? Infinity : due(elapsed);
      const end = performance.now() + SEARCH;
      while (running && guess < most && performance.now() < end) {
        const stands = stood(guessed(trial, guess), sequence);
        strip.add(guess++, stands);
        if (stands === COUNT) succeed();
      }
      if (running && !STILL.matches) watch(now / 1000);
    }

    function succeed() {
      found = guess - 1;
      waits.set(trial, guess);
      if (left) ten.push(guess);
      if (left && --left) begin(trial + 1);
      else rest();
    }

    // The search as it goes on.
    function watch(now) {
      refresh();
      if (left || now - looked < LOOK) return;
      looked = now;
      const number = Math.max(0, guess - 1);
      diagram.draw(`training set ${trial}, guess ${grouped(number)}`, guessed(trial, number), sequence(0));
    }

    // What is known of the search.
    function refresh() {
      const all = [...waits.values()];
      const mean = (of) => grouped(Math.round(of.reduce((a, b) => a + b, 0) / of.length));
      actions[0].textContent = running ? "Pause" : found !== null ? "Next training set" : guess ? "Go on" : "Guess";
      actions[1].disabled = !guess && !running;
      root.dataset.state = running ? "searching" : "resting";
      facts.guesses.textContent = grouped(guess);
      facts.mean.textContent = all.length ? `${mean(all)} (${all.length} set${all.length > 1 ? "s" : ""})` : "none yet";
      const counted = left ? `, ${TEN - left} of ${TEN} found` : ten.length ? `, mean of these ten ${mean(ten)}` : "";
      const state = running ? "searching" : found === null ? "nothing found yet" : `found after ${grouped(found + 1)}`;
      where.textContent = `training set ${trial}, ${state}${counted}`;
      strip.draw(found);
      tally.draw(all);
    }

    // Shows a net: a guess, or with guess null one of the reader's own.
    function take(one) {
      const stands = stood(one.weights, sequence);
      net = { ...one, stands, test: stands === COUNT ? tested(one.weights, sequence) : null };
      refresh();
      const name = one.guess === null ? "your own" : `guess ${grouped(one.guess)}`;
      diagram.draw(`training set ${trial}, ${name}`, one.weights, sequence(0));
      facts.stands.textContent = `${stands} of ${COUNT}`;
      const { right, error } = net.test ?? {};
      const size = error < 0.0001 ? "< 0.0001" : error?.toFixed(4);
      facts.test.textContent = net.test ? `${right} right, error ${size}` : "not tried";
      facts.id.innerHTML = one.guess === null ? "your own" : `${trial} · 2<sup>32</sup> + ${one.guess}`;
      code.textContent = inPython(net);
      cut();
    }

    function own(weights) {
      if (running) return;
      take({ trial, guess: null, weights });
      tell();
    }

    // The slice through the net that is shown, begun anew unless it is the same one.
    function cut() {
      const goal = found === null ? null : guessed(trial, found);
      const key = JSON.stringify([trial, span, pair, moved(net.weights, pair, [0, 0], span)]);
      if (slice?.key !== key) {
        slice = { key, base: net.weights, rest: refinement(), nets: 0, solved: 0, done: false };
        map.settings(pair.map((p) => WEIGHTS[p]), span);
        facts.lit.textContent = "…";
        root.dataset.slice = "begun";
      }
      const inside = goal && goal.every((w, p) => pair.includes(p) || w === net.weights[p]);
      const at = (weights) => pair.map((p) => weights[p] / span);
      const words = pair.map((p) => `${WEIGHTS[p]} ${minus(net.weights[p], 1)}`).join(", ");
      map.point(at(net.weights), inside ? at(goal) : null, `${words}: stands ${net.stands} of ${COUNT}`);
      wake();
    }

    // Nets of the slice for one frame.
    function refine() {
      const end = performance.now() + SLICE;
      while (!slice.done && performance.now() < end) {
        const { value, done } = slice.rest.next();
        slice.done = done;
        if (done) break;
        const [i, j, size] = value;
        const stands = stood(moved(slice.base, pair, [place(i), place(j)], span), sequence);
        slice.nets += 1;
        slice.solved += stands === COUNT;
        map.paint(i, j, size, stands);
      }
      if (!slice.done && STILL.matches) return;
      map.show();
      facts.lit.textContent = `${((100 * slice.solved) / slice.nets).toFixed(1)} %`;
      if (slice.done) root.dataset.slice = "done";
    }

    // One loop for both, which sleeps when there is nothing to do or nobody to see it.
    function tick(now) {
      request = null;
      if (running) search(now);
      else if (seen && !slice.done) refine();
      if (running || (seen && !slice.done)) wake();
    }
    function wake() {
      request ??= requestAnimationFrame(tick);
    }

    function choose(side, p) {
      if (pair[1 - side] === p) pair[1 - side] = pair[side];
      pair[side] = p;
      choices.forEach(({ select }, i) => (select.value = pair[i]));
      cut();
    }
    const sides = ["weight across", "weight up"];
    const choices = sides.map((name, side) => choice(name, WEIGHTS, pair[side], (p) => choose(side, p)));
    const spans = [10, 100, 1000];
    const range = choice("range", spans.map((value) => `±${value}`), 1, (i) => {
      span = spans[i];
      cut();
    });

    begin(0);
    take({ trial, guess: 0, weights: guessed(0, 0) });
    new IntersectionObserver(([entry]) => {
      seen = entry.isIntersecting;
      wake();
    }).observe(root);
    const chosen = html("div", { class: "search-choices" }, ...choices.map(({ element }) => element), range.element);
    assemble(root, {
      label: "guessing the weights of a net for parity",
      controls: [html("div", { class: "live-buttons" }, ...actions, where)],
      numbers,
      panels: [strip.figure, tally.figure, diagram.figure, html("div", {}, map.figure, chosen)],
      legend: LEGEND,
      summary: "This net in Python",
      code,
      said,
    });
  }

  document.querySelectorAll(".live-random_search").forEach(build);
})();
