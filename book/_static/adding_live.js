// The stop of the adding problem, live: a net that is right with probability p waits until so many in a row are right.
(() => {
  const { html, svg, label, power, minus, grouped, roundTicks } = lltd.live;
  const { slider, button, canvas, panel, readout, teller, stack, assemble } = lltd.live;
  const { SEED, CUT, expected, waiting, trial, longest } = lltd.adding;
  const PRINTED = 74_000; // sequences at T = 100, learning and waiting; [HS96] section 3
  const TESTS = 2560; // after the stop, of which the paper prints how many are wrong
  const [MOST, SECONDS] = [50, 1.5]; // trials that are kept, and time to draw a streak
  const STILL = matchMedia("(prefers-reduced-motion: reduce)");

  const decade = Math.log10;
  const round = (value) => grouped(Number(value.toPrecision(2)));
  const whole = (value) => (value < 1e6 ? grouped(Math.round(value)) : round(value));
  const portion = (value) =>
    value < PRINTED ? `${Number(((100 * value) / PRINTED).toPrecision(2))} %` : `${round(value / PRINTED)} times`;

  const PANELS = {
    streak: [130, "right in a row", "How many are right in a row over the sequences of a trial: it climbs, and falls at each miss."],
    part: [22, "the printed 74,000", "The printed 74,000 as a bar: the part of it that waiting should take, and the rest for learning."],
    left: [190, "share still waiting; waits", "The share of trials still waiting over sequences: the law, these trials, and each wait as a tick."],
  };

  // Three drawings for a column of so many units: a trial, what is left of the printed number, all waits and their law.
  function strips(width) {
    const box = { left: 46, top: 26, width: width - 58 };
    const right = box.left + box.width;
    const lines = (plot, ...kinds) => kinds.map((kind) => plot.content.appendChild(svg("path", { class: `adding-${kind}` })));
    const plots = {};
    const figures = Object.entries(PANELS).map(([name, [height, title, description]]) => {
      const figure = canvas(width, height + (name === "part" ? 42 : 68), description);
      const below = name === "part" ? [] : [["", "sequences after learning"]];
      plots[name] = panel(figure, { ...box, height, title: [["", title]], below });
      plots[name].names = figure.appendChild(svg("g", { class: "live-names" }));
      return figure;
    });
    const { streak, part, left } = plots;
    const [goal, teeth, bar] = [...lines(streak, "goal", "streak"), ...lines(part, "part")];
    const [zero, waits, foretold, printed, law, share] = lines(left, "zero", "wait", "expected", "printed", "law", "share");
    const mean = left.content.appendChild(svg("circle", { class: "adding-mean", r: 6 }));

    return {
      figures,
      reveal: (share) => streak.reveal(share * streak.end),
      draw({ run, trials, average, wait, still }) {
        const one = trials.at(-1);
        streak.end = 1.06 * one.wait;
        streak.range([0, streak.end], [0, 1.15 * run]);
        const across = roundTicks(0, one.wait, width > 400 ? 6 : 3, 1);
        streak.mark(across, roundTicks(0, run, 4, 1), (v) => [["", grouped(v)]]);
        streak.reveal(streak.end);
        goal.setAttribute("d", streak.path([[0, run], [streak.end, run]]));
        const tooth = ([start, length]) => streak.path([[start, 0], [start + length, length], [start + length, 0]]);
        teeth.setAttribute("d", longest(one.streaks, box.width).map(tooth).join(""));

        part.range([0, PRINTED], [0, 1]);
        bar.setAttribute("d", part.path([[0, 0], [0, 1], [wait, 1], [wait, 0]]));
        part.names.replaceChildren(label(right, box.top - 8, [["", `waiting: ${portion(wait)}`]], "end"));

        const low = Math.floor(decade(run));
        const [begin, end] = [low - 0.04, decade(CUT) + 0.04];
        left.range([begin, end], [-0.35, 1.05]);
        left.mark(Array.from({ length: 7 - low }, (_, i) => low + i), [0, 0.5, 1], (v) => [["", minus(v)]], power);
        const upright = (line, top, values) =>
          line.setAttribute("d", values.map((v) => left.path([[decade(v), top], [decade(v), -0.35]])).join(""));
        upright(foretold, 2, [wait]);
        upright(printed, 2, [PRINTED]);
        upright(waits, -0.08, trials.map((other) => other.wait));
        zero.setAttribute("d", left.path([[begin, 0], [end, 0]]));
        mean.setAttribute("cx", left.x(decade(average)));
        mean.setAttribute("cy", left.y(-0.2));
        const grid = Array.from({ length: 241 }, (_, i) => Math.round(run * (CUT / run) ** (i / 240)));
        law.setAttribute("d", left.path([[begin, 1], [decade(run), 1], ...grid.map((n) => [decade(n), still[n]])]));
        const over = trials.filter(({ cut }) => !cut).map((other) => decade(other.wait)).sort((a, b) => a - b);
        const steps = over.flatMap((at, i) => [i, i + 1].map((gone) => [at, 1 - gone / trials.length]));
        share.setAttribute("d", left.path([[begin, 1], ...steps, [end, 1 - over.length / trials.length]]));
        const [at, far] = [left.x(decade(Math.min(wait, CUT))), wait > CUT];
        const room = at < right - 80;
        left.names.replaceChildren(
          label(at + (room ? 6 : -6), left.y(far ? 0.3 : 0.88), [["", far ? "expected: beyond" : "expected"]], room ? "start" : "end"),
          label(left.x(decade(PRINTED)) - 6, left.y(0.08), [["", "printed"]], "end"),
        );
      },
    };
  }

  const LEGEND = `Above, one trial: the dashed line is the run that ends it. The bar is the printed number: what waiting should take
    of it; the rest is left for learning. Below, each tick is the wait of a trial, the ring their mean, the thin curve the law, the steps
    these trials; one without a run after ${grouped(CUT)} sequences is cut there. A slider leaves each trial its random numbers: it is
    the same trial, with a few misses more or less.`;

  // The trial, to be drawn again by a reader who doubts it.
  function inPython({ p, run, wait, trials }) {
    const [id, { streaks, wait: own }] = [trials.length - 1, trials.at(-1)];
    return `import math

import torch
from lltd import philox
from lltd.analysis import runs_of_success

p, run = ${p}, ${run}
print(f"expected: {float(runs_of_success.expected_wait(p, run)):,.0f}")

u = philox.uniform(${SEED}, ${id}, torch.arange(${Math.ceil(streaks.length / 4)}), philox.Purpose.TASK).T.flatten()
right = (u.log() / math.log(p)).floor().long()  # in a row before each miss
before = (right + 1).cumsum(0) - right - 1
waits = (before + run)[right >= run].tolist()
print(f"trial ${id}: {min([*waits, ${CUT}]):,}")
# expected: ${grouped(Math.round(wait))}
# trial ${id}: ${grouped(own)}`;
  }

  function build(root) {
    const titles = {
      expected: "wait expected, in sequences",
      part: "beside the printed 74,000",
      wrong: `wrong of ${grouped(TESTS)} tests, on average`,
      wait: "this trial’s wait",
      misses: "misses on its way",
      mean: "mean of all waits",
    };
    const { element: numbers, facts } = readout(titles);
    const where = html("p", { class: "live-where" });
    const code = html("code");
    const { element: said, tell } = teller(
      () => `Expected are ${facts.expected.textContent} sequences, ${facts.part.textContent} of the printed 74,000.
        This trial: ${facts.wait.textContent}. Mean: ${facts.mean.textContent}.`,
    );
    const chance = (v) => Number((1 - Number((10 ** -v).toPrecision(2))).toFixed(6));
    const needed = (v) => Math.max(1, v);
    const sliders = [
      { label: "probability <i>p</i>", min: 2, max: 4, step: 0.05, value: 2.6, format: (v) => String(chance(v)) },
      { label: "right in a row <i>r</i>", min: 0, max: 2000, step: 50, value: 2000, format: (v) => grouped(needed(v)) },
    ].map((one) => slider(one, moved));
    let [count, drawing, now, request] = [1, null, null, null];

    function settle() {
      const [p, run] = [chance, needed].map((of, i) => of(sliders[i].input.valueAsNumber));
      const trials = Array.from({ length: count }, (_, id) => trial(id, p, run));
      const average = trials.reduce((sum, { wait }) => sum + wait, 0) / count;
      now = { p, run, trials, average, wait: expected(p, run), still: waiting(p, run, CUT) };
      const [one, cuts] = [trials.at(-1), trials.filter(({ cut }) => cut).length];
      facts.expected.textContent = whole(now.wait);
      facts.part.textContent = portion(now.wait);
      facts.wrong.textContent = (TESTS * (1 - p)).toFixed(1);
      facts.wait.textContent = one.cut ? `cut at ${grouped(CUT)}` : grouped(one.wait);
      facts.misses.textContent = grouped(one.streaks.length - 1);
      facts.mean.textContent = `${cuts ? "at least " : ""}${whole(average)}`;
      where.textContent = `trial ${count - 1}; ${count}${count === MOST ? ", the most" : " so far"}${cuts ? `, ${cuts} cut` : ""}`;
      code.textContent = inPython(now);
      cancelAnimationFrame(request);
      drawing.draw(now);
    }

    function moved() {
      settle();
      tell();
    }

    // The streak grows before the reader's eyes, who may have asked for less motion.
    function show(trials) {
      count = Math.min(MOST, trials);
      moved();
      const start = performance.now();
      const grow = (time) => {
        const share = Math.max(0, time - start) / 1000 / SECONDS;
        drawing.reveal(Math.min(1, share));
        if (share < 1) request = requestAnimationFrame(grow);
      };
      if (!STILL.matches) grow(start);
    }

    const actions = [
      button("Draw a trial", () => show(count + 1)),
      button("Draw ten", () => show(count + 10)),
      button("Start over", () => show(1)),
    ];
    const lay = (width) => {
      drawing = strips(width);
      return drawing.figures;
    };
    const panels = stack(lay, () => drawing.draw(now));
    settle();
    assemble(root, {
      label: "waiting for a run of right sequences",
      controls: [
        ...sliders.map(({ element }) => element),
        html("div", { class: "live-buttons" }, ...actions, where),
      ],
      numbers,
      panels,
      legend: LEGEND,
      summary: "This trial in Python",
      code,
      said,
    });
  }

  document.querySelectorAll(".live-adding").forEach(build);
})();
