// The neuron a_t = w tanh(a_{t-1}) + u, live: a constant input crosses the cusp ±u*(w), and the bit's passage follows.
(() => {
  const { html, svg, rich, symbol, power, minus, roundTicks } = lltd.live;
  const { slider, button, handle, canvas, panel, readout, teller, assemble, player } = lltd.live;
  const { step, multiplier, criticalInput, criticalState } = lltd.latch;
  const { slope, fixedPoints, start, excess, run, passage, predicted, decades } = lltd.cusp;
  const WEIGHTS = [0.5, 3];
  const INPUTS = [-1.5, 1.5];
  const HELD = 60; // steps that are shown of a bit that stays
  const AFTER = 8; // and of one that is lost, after its loss
  const MOST = 5000; // and in all
  const CLOSEST = 1e-5; // excess down to which the button goes
  const GHOSTLY = 8; // predicted steps from which on the narrow place is worth its name
  const DEEPEST = -15; // decades of the gradient that are shown once the bit is lost
  const HOLD = 1; // seconds that a finished drawing stands
  const seconds = (T) => Math.min(8, Math.max(3, T / 12));

  const PLANE = "Weight across, input up: the cusp, inside of which the neuron has two resting places, and a point.";
  const MAP = "The next state over the state: the curve w tanh a plus u, the diagonal, and the staircase of the run.";
  const STATE = "The state over time, the resting places, and a bar as long as the predicted passage past the ghost.";
  const GRADIENT = "How much the first state still moves the state at time t, in powers of ten, over time.";

  // All that the figure shows of a weight and an input.
  function simulate({ w, u }) {
    const latches = w > 1;
    const lost = latches ? passage(w, u, MOST) : Infinity;
    const away = latches && excess(w, u) > 0;
    const T = away ? Math.min(MOST, Math.ceil(1.05 * Math.max(lost, predicted(w, u))) + AFTER) : HELD;
    const a = run(w, u, start(w, u), T);
    const places = fixedPoints(w, u).map((place) => [place, slope(w, place)]);
    return { w, u, latches, away, lost, T, a, places, side: u > 0 ? -1 : 1, lasting: decades(w, a) };
  }

  // Above left: the plane of settings.
  function plane(moved) {
    const figure = canvas(340, 344, PLANE);
    figure.setAttribute("role", "group"); // the point in it is a control
    const picture = figure.appendChild(svg("g", { "aria-hidden": "true" }));
    const box = { left: 38, top: 28, width: 292, height: 270 };
    const plot = panel(picture, { ...box, title: [["", "input "], ["i", "u"]], below: [["", "weight "], ["i", "w"]] });
    plot.range(WEIGHTS, INPUTS);
    plot.mark([0.5, 1, 1.5, 2, 2.5, 3], [-1, 0, 1]);
    const weights = Array.from({ length: 101 }, (_, i) => 1 + ((WEIGHTS[1] - 1) * i) / 100).slice(1);
    const edge = (sign) => [[1, 0], ...weights.map((w) => [w, sign * criticalInput(w)])];
    const [upper, lower] = [edge(1), edge(-1)];
    const text = (w, u, parts, anchor = "middle") =>
      svg("text", { x: plot.x(w), y: plot.y(u) + 4, "text-anchor": anchor }, ...rich(parts));
    plot.content.append(
      svg("path", { class: "cusp-inside", d: plot.path([...upper, ...[...lower].reverse()]) + "Z" }),
      svg("path", { class: "live-curve", d: plot.path(upper) + plot.path(lower) }),
      text(2.95, 0, [["", "two resting places"]], "end"),
      text(1.25, 1.05, [["", "one resting place"]]),
      svg("circle", { class: "live-unstable", cx: plot.x(2), cy: plot.y(criticalInput(2)), r: 3.5 }),
      text(1.93, 0.62, [["", "paper, Fig. 3"]], "end"),
      text(2.5, 1.12, [["i", "u"], ["", "*"]]),
      text(2.5, -1.12, [["", "−"], ["i", "u"], ["", "*"]]),
    );
    const grid = { within: [WEIGHTS, INPUTS], steps: [0.05, 0.02], fine: [0.01, 0.001] };
    const point = handle(figure, plot, { label: "point of weight w and input u", ...grid }, moved);
    return { figure, settings: ({ w, u }) => point.set([w, u], `w ${w.toFixed(2)}, u ${minus(u, 4)}`) };
  }

  // Above right: the map under the constant input, and the run.
  function cobweb() {
    const web = lltd.live.cobweb(MAP);
    const { plot } = web;
    const bands = svg("g");
    const ghost = svg("g", {}, svg("circle", { r: 9, class: "cusp-ghost" }), svg("text", {}, "ghost"));
    const [stairs, dot] = [svg("path", { class: "cusp-stairs" }), svg("circle", { class: "cusp-dot", r: 5 })];
    const origin = svg("text", {}, "start");
    plot.content.prepend(bands);
    plot.content.append(stairs, ghost, origin, dot);
    // Beside the place (a, a), on the run's side of the diagonal (1) or on the other (-1).
    const beside = (text, a, side, away) => {
      text.setAttribute("x", plot.x(a) + side * away);
      text.setAttribute("y", plot.y(a) + 5 + side * away * 0.7);
      text.setAttribute("text-anchor", side > 0 ? "start" : "end");
    };

    function settings({ w, u, places, away, latches, side, a }) {
      const reach = Math.max(1.5, w + Math.abs(u) + 0.2);
      const stable = places.map(([a, slope]) => [a, slope < 1]);
      web.settings((a) => step(a, w, u), reach, stable);
      const c = latches ? criticalState(w) : 0;
      const shades = latches ? [[-reach, -c], [c, reach]] : [[-reach, reach]];
      bands.replaceChildren(
        ...shades.flatMap(([low, high]) => {
          const width = plot.x(high) - plot.x(low);
          const [x, y, height] = [plot.x(low), plot.y(reach), plot.y(-reach) - plot.y(reach)];
          const free = low < 0 ? y + 18 : y + height - 9; // of the curve
          const name = svg("text", { x: x + width / 2, y: free, "text-anchor": "middle" }, "Γ");
          return [svg("rect", { class: "cusp-contracts", x, y, width, height }), name];
        }),
      );
      const seen = away && predicted(w, u) >= GHOSTLY;
      ghost.setAttribute("visibility", seen ? "visible" : "hidden");
      const [circle, name] = ghost.children;
      circle.setAttribute("cx", plot.x(side * c));
      circle.setAttribute("cy", plot.y(side * c));
      beside(name, side * c, side, 16);
      beside(origin, a[0], -side, 7);
    }

    function moment({ a }, t) {
      stairs.setAttribute("d", web.stairs(a.slice(0, t + 1)));
      dot.setAttribute("cx", plot.x(a[Math.max(0, t - 1)]));
      dot.setAttribute("cy", plot.y(a[t]));
    }
    return { figure: web.figure, settings, moment };
  }

  // A panel over time.
  function course(description, title) {
    const figure = canvas(340, 208, description);
    const below = [["", "time step "], ["i", "t"]];
    return { figure, plot: panel(figure, { left: 46, top: 28, width: 284, height: 130, title, below }) };
  }

  // Below left: the state, and how long the passage should take.
  function state() {
    const { figure, plot } = course(STATE, [["", "state "], ...symbol("a", "t")]);
    const [stable, unstable] = ["cusp-rest", "cusp-repels"].map((kind) => svg("path", { class: kind }));
    const bar = svg("path", { class: "cusp-bar" });
    const name = svg("text", { class: "cusp-predicted" });
    const line = svg("path", { class: "cusp-run" });
    plot.back.append(stable, unstable, bar, name);
    plot.content.append(line);

    function settings({ w, u, places, away, T, a, side }) {
      const reach = Math.max(1.5, w + Math.abs(u) + 0.2);
      plot.range([0, T], [-reach, reach]);
      plot.mark(roundTicks(0, T, 4, 5), roundTicks(-reach, reach, 5, 1));
      const levels = (kept) => kept.map(([a]) => plot.path([[0, a], [T, a]])).join("") || "M0,0";
      stable.setAttribute("d", levels(places.filter(([, slope]) => slope < 1)));
      unstable.setAttribute("d", levels(places.filter(([, slope]) => slope >= 1)));
      line.setAttribute("d", plot.path(a.map((value, t) => [t, value])));
      const seen = away && predicted(w, u) >= GHOSTLY;
      bar.setAttribute("d", "M0,0");
      name.textContent = "";
      if (!seen) return;
      const [c, length] = [side * criticalState(w), predicted(w, u)];
      const to = Math.min(T, length);
      bar.setAttribute("d", plot.path([[0, c], [to, c]]));
      name.setAttribute("x", plot.x(to));
      name.setAttribute("y", plot.y(c) + (side > 0 ? -10 : 19));
      name.textContent = `predicted ${length.toFixed(0)} steps`;
    }
    return { figure, settings, moment: (_, t) => plot.reveal(t) };
  }

  // Below right: the gradient, against that of a bit held without input.
  function gradient() {
    const title = [["", "gradient "], ...symbol("∂a", "t"), ["", "/ "], ...symbol("∂a", "0")];
    const { figure, plot } = course(GRADIENT, title);
    const [held, line] = ["cusp-rest", "cusp-run"].map((kind) => svg("path", { class: kind }));
    const name = svg("text", {}, "held without input");
    plot.content.append(line);
    plot.back.append(held, name);

    function settings({ w, latches, away, T, lasting }) {
      const fade = Math.log10(latches ? multiplier(w) : w);
      const [least, most] = [Math.min(-1, fade, ...lasting), Math.max(0, ...lasting)];
      const low = away ? Math.max(DEEPEST, least) : Math.min(least, fade * T);
      plot.range([0, T], [low - 0.05 * (most - low), most + 0.08 * (most - low)]);
      plot.mark(roundTicks(0, T, 4, 5), roundTicks(low, most, 4, 1), power, (value) => [["", minus(value)]]);
      const end = fade ? Math.min(T, low / fade) : T;
      held.setAttribute("d", plot.path([[0, 0], [end, fade * end]]));
      name.setAttribute("visibility", latches ? "visible" : "hidden");
      name.setAttribute("x", end < T / 2 ? plot.x(end) + 8 : plot.x(0) + 10);
      name.setAttribute("y", plot.y(low) - 8);
      line.setAttribute("d", plot.path(lasting.map((value, t) => [t, value])));
    }
    return { figure, settings, moment: (_, t) => plot.reveal(t) };
  }

  const LEGEND = `Drag the point, or move it with the arrow keys (with shift in small steps). In the shaded cusp the neuron
    has two resting places and holds a bit. Beside it the neuron's map, and its run from where it rested without
    input: up or down to the curve, across to the diagonal. Full dots attract, the open one repels; in the bands Γ,
    |<i>a</i>| > <i>a</i><sub>c</sub>, the slope is below 1. Just outside the cusp one resting place is gone, but its
    ghost remains: the curve nearly touches the diagonal, and the state squeezes through. The bar is as long as that
    should take, with <i>κ</i> = tanh <i>a</i><sub>c</sub>. Meanwhile the slopes are near 1: the gradient lasts longest where
    the memory is about to fail.`;

  // The run, to be computed again by a reader who doubts it.
  function inPython({ w, u, latches, lost, T, a, side }) {
    const number = (value) => (Number.isInteger(value) ? `${value}.0` : String(value));
    const from = latches ? `[${side < 0 ? "-" : ""}latch.fixed_point(w)]` : "[0.0]";
    const known = lost < Infinity ? "bifurcations, latch" : "latch";
    const head = `import torch${latches ? `\nfrom lltd.analysis import ${known}` : ""}
from lltd.analysis.maps import autonomous, tanh_net

torch.set_default_dtype(torch.float64)
w, u = ${number(w)}, ${number(u)}
neuron = tanh_net(torch.tensor([[w]]), bias=u)
a = autonomous(neuron, torch.tensor(${from}), ${T})[:, 0]
`;
    if (lost === Infinity)
      return `${head}print(f"a_${T} = {a[-1]:.6f}")\n# a_${T} = ${a.at(-1).toFixed(6)}`;
    return `${head}print("lost after", int((a ${side < 0 ? "<" : ">"} 0).sum()), "steps")
excess = abs(u) - latch.critical_input(w)
print(f"predicted {bifurcations.passage_constant(w) * excess**-0.5:.1f}")
# lost after ${lost} steps
# predicted ${predicted(w, u).toFixed(1)}`;
  }

  function build(root) {
    const titles = {
      edge: "edge of the cusp <i>u</i>*",
      excess: "excess <i>μ</i> = |<i>u</i>| − <i>u</i>*",
      rest: "rests at",
      slope: "slope there",
      lost: "bit lost after",
      predicted: "predicted π / √(<i>κμ</i>)",
      gradient: "gradient <i>∂a<sub>t</sub></i>/<i>∂a</i><sub>0</sub>",
      held: "if held without input",
    };
    const { element: numbers, facts } = readout(titles, ["gradient"]);
    const { element: said, tell } = teller(() => {
      if (!now.latches) return "One resting place: there is no bit.";
      if (!now.away) return "Two resting places: the bit is held.";
      const [lost, expected] = [facts.lost.textContent, facts.predicted.textContent];
      return `One resting place: the bit is lost after ${lost}, predicted ${expected}.`;
    });
    const where = html("p", { class: "live-where" });
    const code = html("code");
    const sliders = {
      w: slider(
        { label: "weight <i>w</i>", min: 0.5, max: 3, step: 0.01, value: 2, format: (w) => w.toFixed(2) },
        () => moved([sliders.w.input.valueAsNumber, now.u]),
      ),
      u: slider(
        { label: "input <i>u</i>", min: -1.5, max: 1.5, step: 0.001, value: -0.54, format: (u) => minus(u, 4) },
        () => moved([now.w, sliders.u.input.valueAsNumber]),
      ),
    };
    const point = plane(moved);
    const moving = [cobweb(), state(), gradient()];
    const closer = button("4 × closer to the edge", approach);
    let now;
    let [progress, drawn] = [0, -1];

    // Draw the run up to a share of its time.
    function show(share) {
      progress = share;
      const t = Math.round(Math.min(1, share) * now.T);
      if (t === drawn) return;
      drawn = t;
      for (const part of moving) part.moment(now, t);
      where.textContent = `t = ${t} of ${now.T}`;
    }

    function settle(w, u) {
      now = simulate({ w, u });
      drawn = -1;
      root.dataset.bit = now.side > 0 ? 1 : 0;
      sliders.w.set(w);
      sliders.u.set(u);
      for (const part of [point, ...moving]) part.settings(now);
      code.textContent = inPython(now);
      closer.disabled = !now.latches || Math.abs(excess(w, u)) / 4 < CLOSEST;

      const { latches, away, lost, T, lasting, places } = now;
      const stable = places.filter(([, slope]) => slope < 1);
      const shared = (i, digits) => stable.map((place) => minus(place[i], digits)).join(" and ");
      const [steps, then] = lost < Infinity ? [lost, ", when the bit is lost"] : [T, ""];
      const ten = (value) => (Math.abs(value) < 0.05 ? "1" : `10<sup>${minus(value, 1)}</sup>`);
      facts.edge.textContent = latches ? criticalInput(w).toFixed(4) : "none";
      facts.excess.textContent = latches ? minus(excess(w, u).toPrecision(3)) + (away ? "" : ", inside") : "none";
      facts.rest.textContent = shared(0, 2);
      facts.slope.textContent = shared(1, 3);
      const never = latches ? "never" : "no bit";
      facts.lost.textContent = !away ? never : lost < Infinity ? `${lost} steps` : `over ${MOST} steps`;
      facts.predicted.textContent = away ? `${predicted(w, u).toFixed(1)} steps` : never;
      facts.gradient.innerHTML = `${ten(lasting[steps])} at <i>t</i> = ${steps}${then}`;
      facts.held.innerHTML = ten(steps * Math.log10(latches ? multiplier(w) : w));
    }

    // While the reader changes settings, the whole run is to be seen; it plays again afterwards.
    function moved([w, u]) {
      settle(w, u);
      show(1);
      tell();
    }

    // A quarter of the excess takes twice the time. From inside, to the outside.
    function approach() {
      const { w, u } = now;
      moved([w, (u > 0 ? 1 : -1) * (criticalInput(w) + Math.abs(excess(w, u)) / 4)]);
    }

    const film = player(root, (passed) => {
      const share = progress + passed / seconds(now.T);
      show(share > 1 + HOLD / seconds(now.T) ? 0 : share);
    });
    settle(2, -0.54);
    show(film.playing() ? 0 : 1);
    const buttons = html("div", { class: "live-buttons" }, film.toggle, closer, where);
    assemble(root, {
      label: "the cusp and the ghost",
      controls: [sliders.w.element, sliders.u.element, buttons],
      numbers,
      panels: [point.figure, ...moving.map(({ figure }) => figure)],
      legend: LEGEND,
      summary: "This run in Python",
      code,
      said,
    });
  }

  document.querySelectorAll(".live-cusp").forEach(build);
})();
