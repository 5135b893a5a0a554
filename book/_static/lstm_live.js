// A memory cell with gates set by hand, beside an Elman net, on sequences of a thousand steps, live: what the bias of
// the input gate does to the state and to the error that comes back.
(() => {
  const { html, svg, label, power, minus, roundTicks } = lltd.live;
  const { slider, button, canvas, panel, readout, teller, stack, assemble } = lltd.live;
  const { tape, weights, run, errors, elman, faded, drift } = lltd.lstm;
  const [SEED, LENGTH] = [1, 1000];
  const FIRST = 2; // a sequence whose marks are far apart
  const DEEPEST = -80; // decades that the panel of errors shows

  const line = (parent, kind) => parent.appendChild(svg("path", { class: `lstm-${kind}` }));
  const fixed = (value, digits) => (Number.isNaN(value) ? "nan" : minus(value, digits));

  const SAID = {
    value: "The values of the sequence over time, two of them marked.",
    gates: "Input gate and output gate over time, from 0 to 1.",
    state: "The state of the cell over time, and half the sum of the marked values.",
    error: "What is left of an error of the last step over time, in decades: of the cell a level line, of the Elman net a slope.",
  };

  // Four drawings, one above the other on one axis of time, for a column of so many units.
  function strips(width) {
    const box = { left: 46, width: width - 58 };
    const right = box.left + box.width;
    const heights = { value: 84, gates: 64, state: 120, error: 150 };
    const titles = {
      value: [["", "value, the marked ones large"]],
      gates: [["", "gates"]],
      state: [["", "state "], ["i", "s"]],
      error: [["", "what is left of an error at the end"]],
    };
    const plots = {};
    const figures = Object.entries(heights).map(([name, height]) => {
      const last = name === "error";
      const figure = canvas(width, height + (last ? 68 : 48), SAID[name]);
      const below = last ? [["", "time step "], ["i", "t"]] : [];
      plots[name] = panel(figure, { ...box, top: 26, height, title: titles[name], below });
      plots[name].names = figure.appendChild(svg("g", { class: "live-names" }));
      return figure;
    });
    const { value, gates, state, error } = plots;
    const dots = line(value.content, "values");
    const marks = value.content.appendChild(svg("g"));
    const [output, input] = ["output", "input"].map((kind) => line(gates.content, kind));
    const [wanted, course] = ["wanted", "cell"].map((kind) => line(state.content, kind));
    const [net, uncut, cut] = ["elman", "uncut", "cell"].map((kind) => line(error.content, kind));

    return {
      figures,
      draw({ inputs, marked, target, steps, flat, full, left }) {
        const T = inputs.length;
        const time = roundTicks(0, T, width > 400 ? 6 : 4);
        const over = (plot, values) => plot.path(values.map((v, i) => [i + 1, v]));
        value.range([-0.01 * T, 1.01 * T], [-1.15, 1.15]);
        value.mark([], [-1, 0, 1]);
        dots.setAttribute("d", inputs.map(([v], i) => `M${value.x(i + 1).toFixed(1)},${value.y(v).toFixed(1)}h0`).join(""));
        marks.replaceChildren(
          ...marked.map((i) => {
            const [x, y] = [value.x(i + 1), value.y(inputs[i][0])];
            const stem = svg("path", { class: "lstm-stem", d: `M${x},${value.y(0)}V${y}` });
            return svg("g", {}, stem, svg("circle", { class: "lstm-mark", cx: x, cy: y, r: 5 }));
          }),
        );

        gates.range([-0.01 * T, 1.01 * T], [-0.05, 1.08]);
        gates.mark([], [0, 1]);
        input.setAttribute("d", over(gates, steps.map(({ yIn }) => yIn)));
        output.setAttribute("d", over(gates, steps.map(({ yOut }) => yOut)));
        const ends = [gates.x(Math.max(...marked) + 1) + 6, right - 6];
        gates.names.replaceChildren(
          label(ends[0], gates.y(0.62), [["", "input gate"]]),
          label(ends[1], gates.y(0.62), [["", "output gate"]], "end"),
        );

        const states = steps.map(({ s }) => s);
        const half = 2 * (target - 0.5);
        const [low, high] = [Math.min(-0.2, half, ...states), Math.max(0.2, half, ...states)];
        const margin = 0.12 * (high - low);
        state.range([-0.01 * T, 1.01 * T], [low - margin, high + margin]);
        state.mark([], roundTicks(low - margin, high + margin, 5));
        wanted.setAttribute("d", state.path([[0, half], [T, half]]));
        course.setAttribute("d", over(state, states));
        const under = state.y(half) < 26 + 40;
        state.names.replaceChildren(label(right - 6, state.y(half) + (under ? 17 : -7), [["", "half the sum"]], "end"));

        const decades = (values) => over(error, values.map((e) => Math.max(-400, Math.log10(Math.abs(e)))));
        error.range([-0.01 * T, 1.01 * T], [DEEPEST, 6]);
        error.mark(time, [-80, -60, -40, -20, 0], power, (v) => [["", minus(v)]]);
        cut.setAttribute("d", decades(flat));
        uncut.setAttribute("d", decades(full));
        net.setAttribute("d", error.path(left.map((v, t) => [t, Math.max(-400, v)])));
        const level = Math.max(DEEPEST, Math.log10(flat[0]));
        error.names.replaceChildren(
          label(box.left + 8, Math.min(error.y(DEEPEST) - 8, error.y(level) + 17), [["", "the cell"]]),
          label(right - 6, error.y(DEEPEST) - 8, [["", "the Elman net"]], "end"),
        );
      },
    };
  }

  const LEGEND = `The input gate hears the marker, 12 <i>m</i> + <i>β</i>; the cell hears half the value; the output gate opens at
    the last marker. What the units hear of each other is small and random. The thick line in the lowest panel is
    <i>∂y<sub>c</sub></i>(<i>T</i>)/<i>∂s</i>(<i>t</i>) with errors cut at net inputs, the dashed one on it with all their ways. The cell’s line
    is level at any bias, but an open gate lets the state drift to where <i>h</i> is flat, and then it is level far down.`;

  // The run, to be computed again by a reader who doubts it.
  function inPython({ id, number, bias, gain, steps, flat, full, left }) {
    return `import torch
from lltd.analysis import carousel, fading
from lltd.kernels import lstm96
from lltd.systems import hand_set_cell, recurrent_net

torch.set_default_dtype(torch.float64)
run = torch.tensor([${id}])
tape = lstm96.sequences(lstm96.Task(length=${LENGTH}), ${SEED}, run, 0 * run)
inputs = tape.inputs[-int(tape.lengths):]
W = hand_set_cell.weights(${SEED}, run, input_gate_bias=${bias})
steps = carousel.unfold(W, inputs, 1, 1)
print(f"state at the end {steps[-1].memory.s.item():.4f}")

ways = [carousel.ways(W, one) for one in steps]
e = torch.tensor([[0.0], [0.0], [1.0]])
for cut in (True, False):
    s = carousel.errors(ways, e, truncated=cut).s[:, 0, 0]
    print(f"cut {cut}: {s[-1]:.2e} at the end, of which {s[0] / s[-1]:.4f} come to step 1")

U = recurrent_net.init(${SEED}, ${number}, 8, 3, ${gain})
seen = torch.cat((inputs[:, :, 0], torch.ones(len(inputs), 1)), 1)
a = recurrent_net.unfold(U, torch.zeros(8), seen)
print(f"Elman net: 10^{fading.decades(U, a, 0)[0]:.1f}")
# state at the end ${plain(steps.at(-1).s, 4)}
# cut True: ${scientific(flat.at(-1))} at the end, of which ${plain(flat[0] / flat.at(-1), 4)} come to step 1
# cut False: ${scientific(full.at(-1))} at the end, of which ${plain(full[0] / full.at(-1), 4)} come to step 1
# Elman net: 10^${plain(left[0], 1)}`;
  }

  // Numbers as Python writes them.
  const plain = (value, digits) => (Number.isNaN(value) ? "nan" : value.toFixed(digits));
  const scientific = (value) => value.toExponential(2).replace(/e([+-])(\d)$/, "e$10$2");

  // 10^decades in HTML.
  const tiny = (decades) => `10<sup>${minus(Math.round(decades))}</sup>`;

  function build(root) {
    const titles = {
      state: "state at the end; wanted",
      drift: "drift foretold (s.d.)",
      passes: "of an error comes into the cell",
      cut: "of this to step 1, with the cut",
      full: "of this to step 1, by all ways",
      elman: "in the Elman net, at the start",
    };
    const { element: numbers, facts } = readout(titles);
    const where = html("p", { class: "live-where" });
    const code = html("code");
    const { element: said, tell } = teller(
      () => `State and what is wanted: ${facts.state.textContent}. Of an error ${spoken(now.flat.at(-1))} comes into the cell, and all of that to step 1;
        of the Elman net’s error ten to the power ${minus(Math.round(now.left[0]))} is left.`,
    );
    const spoken = (value) => {
      if (value > 0.001) return value.toFixed(3);
      return value > 0 ? `ten to the power ${minus(Math.round(Math.log10(value)))}` : "nothing";
    };
    const sliders = {
      bias: slider(
        { label: "bias of the input gate <i>β</i>", min: -9, max: 3, step: 0.5, value: -6, format: (v) => minus(v, 1) },
        moved,
      ),
      gain: slider(
        { label: "gain of the Elman net", min: 0.5, max: 3, step: 0.25, value: 2, format: (v) => v.toFixed(2) },
        moved,
      ),
    };
    let [id, number, sequence] = [FIRST, 0, null];
    let drawing, now;

    function simulate() {
      const [bias, gain] = [sliders.bias, sliders.gain].map(({ input }) => input.valueAsNumber);
      sequence ??= tape(SEED, id, LENGTH);
      const steps = run(weights(SEED, id, bias), sequence.inputs);
      const [flat, full] = [errors(steps, true), errors(steps, false)];
      const left = faded(elman(SEED, number, gain), sequence.inputs);
      now = { ...sequence, id, number, bias, gain, steps, flat, full, left };
    }

    function settle() {
      simulate();
      const { steps, target, bias, flat, full, left } = now;
      const end = flat.at(-1);
      facts.state.textContent = `${minus(steps.at(-1).s, 3)}; ${minus(2 * (target - 0.5), 3)}`;
      facts.drift.textContent = `±\u2009${Number(drift(bias, steps.length).toPrecision(2))}`;
      if (end > 0.001) facts.passes.textContent = end.toFixed(3);
      else facts.passes.innerHTML = end > 0 ? tiny(Math.log10(end)) : "0";
      facts.cut.textContent = end > 0 ? `× ${flat[0] / end}` : "nothing to keep";
      facts.full.textContent = end > 0 ? `× ${fixed(full[0] / end, 4)}` : "nothing to keep";
      facts.elman.innerHTML = tiny(left[0]);
      where.textContent = `sequence ${id}, ${steps.length} steps; Elman net ${number}`;
      code.textContent = inPython(now);
      drawing.draw(now);
    }

    function moved() {
      settle();
      tell();
    }

    const lay = (width) => {
      drawing = strips(width);
      return drawing.figures;
    };
    const panels = stack(lay, () => drawing.draw(now));
    const actions = [
      button("New sequence", () => {
        [id, sequence] = [id + 1, null];
        moved();
      }),
      button("New Elman net", () => {
        number += 1;
        moved();
      }),
    ];
    settle();
    assemble(root, {
      label: "a memory cell and an Elman net over a thousand steps",
      controls: [
        ...Object.values(sliders).map(({ element }) => element),
        html("div", { class: "live-buttons" }, ...actions, where),
      ],
      numbers,
      panels,
      legend: LEGEND,
      summary: "This run in Python",
      code,
      said,
    });
  }

  document.querySelectorAll(".live-lstm").forEach(build);
})();
