// Every memory in one picture, live: the noise that it survives over the rate of its gradient; a point opens its runs.
// The page holds the numbers, computed by lltd, in an element of class `dilemma-data`; here they are only drawn.
(() => {
  const { html, svg, button, canvas, panel, power, minus, roundTicks } = lltd.live;
  const NOWHERE = -1.78; // where a gradient stands that is zero at once
  const FLOOR = 0.0007; // where a unit stands that survives not even the grid's least noise
  const WAYS = { state: "noise in the state", input: "noise in the input" };
  const PLANE = (name) => `Noise survived over the rate of the gradient, ${name}. The buttons below choose a unit.`;
  const RUNS = (name) => `What is read from four runs over 1000 steps, ${name}.`;

  const at = (unit, way) => [unit.rate ?? NOWHERE, Math.log10(Math.max(unit[way].size, FLOOR))];
  const rounded = (value) => (value < 0.1 ? value.toPrecision(2) : value.toFixed(2));

  // One panel of points for a way of the noise; choose(unit) is called when one is pressed.
  function plane(way, units, choose) {
    const figure = canvas(340, 290, PLANE(WAYS[way]));
    const below = [["", "decades a step"]];
    const plot = panel(figure, { left: 46, top: 28, width: 284, height: 216, title: [["", WAYS[way]]], below });
    plot.range([-1.95, 0.6], [-3.3, 0.5]);
    plot.mark([-1, -0.5, 0, 0.5], [-3, -2, -1, 0], power, (value) => [["", minus(value)]]);
    const corner = [[-0.03, -1.6], [-0.03, 0.5], [0.6, 0.5], [0.6, -1.6]];
    plot.back.append(svg("path", { class: "dilemma-corner", d: `${plot.path(corner)}Z` }));
    const zero = svg("text", { x: 46, y: 260 }, "zero at once");
    const name = svg("text", { class: "dilemma-name", x: 54, y: 46 });
    const points = units.map((unit) => {
      const [x, y] = at(unit, way);
      const kind = unit.trapped ? "dilemma-point dilemma-trapped" : "dilemma-point";
      const point = svg("circle", { class: kind, cx: plot.x(x), cy: plot.y(y), r: 6 }, svg("title", {}, unit.name));
      point.addEventListener("click", () => choose(unit, way));
      return point;
    });
    plot.back.append(zero, ...points, name);
    return {
      figure,
      mark(chosen) {
        units.forEach((unit, i) => points[i].classList.toggle("dilemma-chosen", unit === chosen));
        plot.back.append(points[units.indexOf(chosen)], name); // above its neighbours
        name.textContent = chosen.name;
      },
    };
  }

  // What is read from a unit's runs, over time.
  function courses(way) {
    const figure = canvas(340, 220, RUNS(WAYS[way]));
    const below = [["", "time step "], ["i", "t"]];
    const title = [["", `what is read, under ${WAYS[way]}`]];
    const plot = panel(figure, { left: 46, top: 28, width: 284, height: 146, title, below });
    const zero = svg("path", { class: "dilemma-zero" });
    const lines = [0, 1, 2, 3].map((i) => svg("path", { class: `dilemma-run dilemma-bit-${i % 2}` }));
    plot.content.append(zero, ...lines);
    return {
      figure,
      draw({ runs, every }, times) {
        const last = (runs[0].length - 1) * every;
        const most = Math.max(...runs.flat().map(Math.abs)) / 100;
        plot.range([0, last], [-1.1 * most, 1.1 * most]);
        plot.mark(roundTicks(0, last, 4), roundTicks(-most, most, 6));
        zero.setAttribute("d", plot.path([[0, 0], [last, 0]]));
        runs.forEach((run, i) => lines[i].setAttribute("d", plot.path(run.map((value, t) => [t * every, value / 100]))));
      },
    };
  }

  const LEGEND = `Above: a full point is a bit held by trapping sets, so that its own derivative is zero wherever the point
    stands; an open one is a bit that responds. The shaded corner is the one that the dilemma would have empty.
    Below: two runs of either bit, under the noise that the unit survives or
    under three times as much, in units of half the distance between the bits. Above the dashed line the bit is read as 1.`;

  function build(root) {
    const source = document.querySelector(".dilemma-data");
    if (!source) return;
    const { units, every } = JSON.parse(source.textContent);
    let [chosen, factor] = [units[0], 1];

    const planes = Object.keys(WAYS).map((way) => plane(way, units, press));
    const runs = Object.keys(WAYS).map((way) => [way, courses(way)]);
    const choices = units.map((unit) => button(unit.name, () => choose(unit)));
    const amounts = [1, 3].map((times) =>
      button(times === 1 ? "noise that it survives" : "three times as much", () => amount(times)),
    );
    const facts = {
      rate: "rate of the gradient, decades a step",
      state: "noise survived in the state",
      input: "noise survived in the input",
    };
    const readout = html("dl");
    for (const [name, title] of Object.entries(facts)) {
      facts[name] = html("dd", { "data-fact": name });
      readout.append(html("div", {}, html("dt", {}, title), facts[name]));
    }
    const said = html("p", { class: "visually-hidden", role: "status" });

    // Where several units stand in one place, each press goes on to the next of them.
    function press(unit, way) {
      const here = units.filter((other) => Math.hypot(...at(other, way).map((v, i) => v - at(unit, way)[i])) < 0.02);
      choose(here[(here.indexOf(chosen) + 1) % here.length]);
    }

    function choose(unit) {
      chosen = unit;
      show();
      said.textContent = `${unit.name}: ${facts.state.textContent} in the state, ${facts.input.textContent} in the input.`;
    }

    function amount(times) {
      factor = times;
      show();
    }

    function show() {
      planes.forEach((plot) => plot.mark(chosen));
      for (const [way, plot] of runs) {
        const paths = chosen.paths[way] ?? chosen.paths.state; // an additive input is noise in the state
        plot.draw({ runs: paths[factor === 1 ? 0 : 1], every });
      }
      choices.forEach((choice, i) => choice.setAttribute("aria-pressed", units[i] === chosen));
      amounts.forEach((choice, i) => choice.setAttribute("aria-pressed", [1, 3][i] === factor));
      facts.rate.textContent = chosen.rate === null ? "zero at once" : minus(chosen.rate + 0, 3);
      for (const way of Object.keys(WAYS)) {
        const { size } = chosen[way];
        facts[way].textContent = size ? rounded(size) : "not even 0.001";
      }
    }

    const group = (label, ...buttons) =>
      html("div", { class: "live-buttons", role: "group", "aria-label": label }, ...buttons);
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", "Live figure: noise survived against the rate of the gradient");
    const legend = html("p", { class: "live-legend" }, LEGEND);
    root.replaceChildren(
      html("div", { class: "live-panels" }, ...planes.map(({ figure }) => figure)),
      group("Unit", ...choices),
      readout,
      group("Noise", ...amounts),
      html("div", { class: "live-panels" }, ...runs.map(([, { figure }]) => figure)),
      legend,
      said,
    );
    show();
  }

  document.querySelectorAll(".live-dilemma").forEach(build);
})();
