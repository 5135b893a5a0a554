// The latching neuron a_t = w tanh(a_{t-1}) + u_t, live: its map, its runs, and what is left of the gradient.
(() => {
  const { html, svg, slider, button, canvas, panel, symbol, power, minus, roundTicks, player } = lltd.live;
  const { readout, teller, assemble } = lltd.live;
  const { states, fixedPoint, multiplier, criticalInput, decades, inputs } = lltd.latch;
  const SEED = 1;
  const TOGETHER = 10; // runs drawn at the same time, the first of them thick
  const TRAIL = 12; // moves of the staircase that stay
  const HOLD = 0.8; // seconds that a finished drawing stands
  const seconds = (T) => Math.min(8, Math.max(3, T / 12));

  const MAP = "The next state over the state: the curve w tanh a, the diagonal, and the staircases of one run.";
  const TIME =
    "Outputs of ten runs of both classes over time, and below them how much the first input still moves the output.";

  // Ten runs of both classes under the same settings: [{ id, a: [class 0, class 1] }].
  const simulate = (batch, { w, s, T }) =>
    Array.from({ length: TOGETHER }, (_, i) => batch * TOGETHER + i).map((id) => ({
      id,
      a: inputs(SEED, id, T, s).map((u) => states(w, u)),
    }));

  // Left: the map and the staircase.
  function cobweb() {
    const web = lltd.live.cobweb(MAP);
    const { figure, plot } = web;
    const band = svg("path", { class: "latch-band" });
    const stairs = [0, 1].map((k) => svg("path", { class: `latch-stairs latch-class-${k}` }));
    const dots = [0, 1].map((k) => svg("path", { class: `latch-dot latch-class-${k}` }));
    plot.content.prepend(band);
    plot.content.append(...stairs, ...dots);

    // A constant input u moves the curve by u; at the band's edge a resting place meets the diagonal and is gone.
    function settings({ w, s }) {
      const reach = Math.max(1.5, w) + 2 * s;
      const map = (u) => (a) => lltd.latch.step(a, w, u);
      const places = w > 1 ? [-1, 0, 1].map((side) => [side * fixedPoint(w), side !== 0]) : [[0, true]];
      web.settings(map(0), reach, places);
      const edges = (u) => [...web.points(map(u), reach), ...web.points(map(-u), reach).reverse()];
      band.setAttribute("d", w > 1 ? plot.path(edges(criticalInput(w))) + "Z" : "M0,0");
    }

    function moment(run, t) {
      run.a.forEach((a, k) => {
        stairs[k].setAttribute("d", web.stairs(a.slice(Math.max(0, t - TRAIL), t + 1)));
        const [x, y] = [plot.x(a[Math.max(0, t - 1)]) - 5, plot.y(a[t])];
        dots[k].setAttribute("d", k ? `M${x},${y}a5,5 0 1 0 10,0a5,5 0 1 0 -10,0` : `M${x},${y - 5}h10v10h-10Z`);
      });
    }
    return { figure, settings, moment };
  }

  // Right: outputs over time, and the gradient of the thick run in decades.
  function courses() {
    const figure = canvas(340, 344, TIME);
    const box = { left: 46, width: 284 };
    const slope = [["", "slope "], ...symbol("∂x", "t"), ["", "/ "], ...symbol("∂u", "1")];
    const above = panel(figure, { ...box, top: 28, height: 136, title: [["", "output "], ...symbol("x", "t")] });
    const time = [["", "time step "], ["i", "t"]];
    const below = panel(figure, { ...box, top: 200, height: 98, title: slope, below: time });
    const rest = svg("path", { class: "latch-rest" });
    const names = [0, 1].map((k) => svg("text", { x: 326, "text-anchor": "end" }, `class ${k}`));
    above.back.append(rest, ...names);
    const expected = svg("path", { class: "latch-rest" });
    below.back.append(expected);
    const line = (parent, weight, k) => parent.appendChild(svg("path", { class: `latch-${weight} latch-class-${k}` }));
    const thin = Array.from({ length: TOGETHER - 1 }, () => [0, 1].map((k) => line(above.content, "thin", k)));
    const thick = [0, 1].map((k) => line(above.content, "thick", k));
    const losses = [0, 1].map((k) => line(below.content, "thick", k));

    function runs(all, { w, T }) {
      const times = roundTicks(0, T, 4, 5);
      above.range([0, T], [-1.45, 1.45]);
      above.mark(times, [-1, 0, 1], undefined, () => []);
      names.forEach((text, k) => text.setAttribute("y", above.y(k ? 1.12 : -1.12) + (k ? 0 : 9)));
      all.forEach(({ a }, i) =>
        a.forEach((of, k) => {
          const x = of.map((state, t) => [t, Math.tanh(state)]);
          (i ? thin[i - 1] : thick)[k].setAttribute("d", above.path(x));
        }),
      );
      const x = w > 1 ? Math.tanh(fixedPoint(w)) : 0;
      rest.setAttribute("d", [x, -x].map((level) => above.path([[0, level], [T, level]])).join(""));

      const lost = all[0].a.map((a) => decades(w, a));
      const fade = Math.log10(w > 1 ? multiplier(w) : w);
      const low = Math.min(-1, fade * (T - 1), ...lost.flat());
      const high = Math.max(0, ...lost.flat());
      const ticks = roundTicks(low, high, 3, 1);
      below.range([0, T], [low - 0.05 * (high - low), high + 0.08 * (high - low)]);
      below.mark(times, ticks, power, (value) => [["", minus(value)]]);
      expected.setAttribute("d", below.path([[1, 0], [T, fade * (T - 1)]]));
      lost.forEach((of, k) => losses[k].setAttribute("d", below.path(of.map((value, t) => [t + 1, value]))));
    }

    function moment(t) {
      above.reveal(t);
      below.reveal(t);
    }
    return { figure, runs, moment };
  }

  const LEGEND = `Left, one run of each class (square 0, circle 1): a step goes up or down to the curve
    <i>w</i> tanh <i>a</i> plus the input, and across to the diagonal. Full dots: resting places. Shaded: inputs up to
    <i>u</i>*, harmless for ever. Right, ten runs; the thick one is the run on the left. Dashed: above, the resting
    outputs; below, what the slope <i>M</i>′(<i>a</i>*) alone would leave of the gradient.`;

  // The run that is drawn thick, to be computed again by a reader who doubts it.
  const inPython = ({ w, s, T }, { id, a }) => `import torch
from lltd import tasks
from lltd.systems import tanh_latch

torch.set_default_dtype(torch.float64)
inputs, _ = tasks.latch(
    seed=${SEED}, ids=torch.tensor([${id}]), presentation=0, length=${T}, lead=1, noise=${s}
)
inputs[0, :, 0] = torch.tensor([-1.0, 1.0])  # sets the bit, 0 or 1
a = torch.zeros(2, 1)
for u in inputs:
    a = tanh_latch.step(a, ${w}, u)
print(*(f"{x:.6f}" for x in torch.tanh(a).flatten()))
# ${a.map((of) => Math.tanh(of.at(-1)).toFixed(6)).join(" ")}`;

  function build(root) {
    const [left, right] = [cobweb(), courses()];
    const titles = {
      rest: "resting output <i>x</i>*",
      factor: "slope there <i>M</i>′(<i>a</i>*)",
      harmless: "harmless input <i>u</i>*",
      share: "ends on the right side",
      gradient: "gradient <i>∂x<sub>T</sub></i>/<i>∂u</i><sub>1</sub>, thick run of class 1",
    };
    const { element: numbers, facts } = readout(titles, ["gradient"]);
    const { element: said, tell } = teller(() => {
      const lost = minus(decades(settings.w, runs[0].a[1]).at(-1), 0);
      return `Ends on the right side: ${facts.share.textContent}. Gradient: 10 to the power ${lost}.`;
    });
    const where = html("p", { class: "live-where" });
    const code = html("code");

    const fixed = (digits) => (value) => value.toFixed(digits);
    const sliders = {
      w: slider({ label: "weight <i>w</i>", min: 0.5, max: 3, step: 0.05, value: 1.25, format: fixed(2) }, moved),
      s: slider({ label: "noise <i>s</i>", min: 0, max: 1, step: 0.02, value: 0.2, format: fixed(2) }, moved),
      T: slider({ label: "length <i>T</i>", min: 10, max: 200, step: 5, value: 50, format: String }, moved),
    };
    let settings, runs;
    let [batch, progress, drawn, counted, right_side, ends] = [0, 0, -1, false, 0, 0];

    // Draw the runs up to a share of their time. Those that have arrived are counted, once.
    function show(share) {
      progress = share;
      const t = Math.round(Math.min(1, share) * settings.T);
      if (t === drawn) return;
      drawn = t;
      left.moment(runs[0], t);
      right.moment(t);
      where.textContent = `runs ${runs[0].id}–${runs.at(-1).id} of seed ${SEED}, t = ${t} of ${settings.T}`;
      if (t < settings.T || counted) return;
      counted = true;
      ends += 2 * TOGETHER;
      for (const { a } of runs) right_side += (a[0].at(-1) < 0) + (a[1].at(-1) > 0);
      tally();
    }

    function tally() {
      const percent = Math.floor((100 * right_side) / ends); // 100 % only if all are right
      facts.share.textContent = ends ? `${right_side} of ${ends} (${percent} %)` : "none yet";
    }

    function begin(number) {
      [batch, drawn, counted] = [number, -1, false];
      runs = simulate(batch, settings);
      right.runs(runs, settings);
      const lost = decades(settings.w, runs[0].a[1]).at(-1);
      facts.gradient.innerHTML = `10<sup>${minus(lost, 1)}</sup>`;
      code.textContent = inPython(settings, runs[0]);
    }

    // The same noise again under other settings, from run 0 on, so that only the settings make a difference.
    function changed() {
      settings = Object.fromEntries(Object.entries(sliders).map(([name, { input }]) => [name, input.valueAsNumber]));
      const { w } = settings;
      facts.rest.textContent = w > 1 ? Math.tanh(fixedPoint(w)).toFixed(3) : "0, no bit";
      facts.factor.textContent = (w > 1 ? multiplier(w) : w).toFixed(3) + (w > 1 ? "" : ", at 0");
      facts.harmless.textContent = w > 1 ? criticalInput(w).toFixed(3) : "none";
      [right_side, ends] = [0, 0];
      left.settings(settings);
      begin(0);
      tally();
      show(film.playing() ? progress : 1);
    }

    function moved() {
      changed();
      tell();
    }

    function another() {
      show(1);
      begin(batch + 1);
      show(film.playing() ? 0 : 1);
      tell();
    }

    const film = player(root, (passed) => {
      const share = progress + passed / seconds(settings.T);
      if (share > 1 + HOLD / seconds(settings.T)) {
        begin(batch + 1);
        show(0);
      } else show(share);
    });
    film.toggle.addEventListener("click", tell);
    changed();
    const buttons = html("div", { class: "live-buttons" }, film.toggle, button("New noise", another), where);
    assemble(root, {
      label: "the latching neuron",
      controls: [...Object.values(sliders).map(({ element }) => element), buttons],
      numbers,
      panels: [left.figure, right.figure],
      legend: LEGEND,
      summary: "The thick run in Python",
      code,
      said,
    });
  }

  document.querySelectorAll(".live-latch").forEach(build);
})();
