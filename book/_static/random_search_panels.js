// What the live figure of random search shows: all guesses, all waits, one net at work, and a slice of weight space.
lltd.searchPanels = (() => {
  const { svg, rich, symbol, power, minus, grouped, roundTicks, canvas, panel, handle } = lltd.live;
  const { COUNT, SIDE, WEIGHTS, SPAN, course, place } = lltd.randomSearch;
  const PAPER = 2906; // mean of ten trials, [HS96] section 1
  const COLUMNS = 256; // of the panel of guesses
  const BIN = 0.1; // decades
  const STEPS = 40; // of a sequence that are shown
  const MARKS = [0, 1, 2, 5, 10, 30, COUNT];

  const GUESSES = "Every guess as a dot: how many training sequences in a row it had right, over its number.";
  const WAITS = "How many guesses each training set took so far, on a log axis, with their mean and the paper's 2906.";
  const NET = "The net with its seven weights as arrows, and below both its units over forty steps of a sequence.";
  const SLICE = "Two weights across and up, the others fixed: in colour how many training sequences each net stands.";

  const label = (x, y, parts, anchor = "middle") => svg("text", { x, y, "text-anchor": anchor }, ...rich(parts));
  // From 0 for none to 1 for all sequences, in between by the logarithm.
  const share = (stood) => Math.log(1 + stood) / Math.log(1 + COUNT);
  const stoodAt = (value) => [["", String(Math.round((1 + COUNT) ** value - 1))]];

  // Every guess of a search: how many sequences it stood.
  function guesses() {
    const figure = canvas(340, 236, GUESSES);
    const title = [["", "sequences in a row that each guess stood"]];
    const plot = panel(figure, { left: 38, top: 28, width: 252, height: 160, title, below: [["", "guess"]] });
    const shares = [0, 1].map((stood) => [stood, figure.appendChild(svg("text", { x: 296 }))]);
    const dots = plot.back.appendChild(svg("path", { class: "search-dots" }));
    const best = plot.back.appendChild(svg("circle", { class: "search-found", r: 6 }));
    let [most, cells, drawn, counts] = [COLUMNS, new Set(), "", []];
    const dot = (cell) => {
      const [x, y] = [plot.x(((cell >> 7) + 0.5) * (most / COLUMNS)), plot.y(share(cell & 127))];
      return `M${x.toFixed(1)},${y.toFixed(1)}h0`;
    };
    function scale() {
      plot.range([0, most], [-0.06, 1.06]);
      plot.mark(roundTicks(0, most, 4), MARKS.map(share), stoodAt, (value) => [["", grouped(value)]]);
      for (const [stood, text] of shares) text.setAttribute("y", plot.y(share(stood)) + 4);
      drawn = [...cells].map(dot).join("");
    }
    return {
      figure,
      clear() {
        [most, cells, counts] = [COLUMNS, new Set(), new Array(COUNT + 1).fill(0)];
        scale();
        this.draw(null);
      },
      add(guess, stood) {
        counts[stood] += 1;
        while (guess >= most) {
          most *= 2;
          cells = new Set([...cells].map((cell) => ((cell >> 8) << 7) | (cell & 127)));
          scale();
        }
        const cell = (Math.floor((guess * COLUMNS) / most) << 7) | stood;
        if (cells.has(cell)) return;
        cells.add(cell);
        drawn += dot(cell);
      },
      // The dots up to now, and the guess that was found.
      draw(found) {
        dots.setAttribute("d", drawn || "M0,0");
        const all = counts.reduce((a, b) => a + b);
        for (const [stood, text] of shares)
          text.textContent = all ? `${((100 * counts[stood]) / all).toFixed(0)} %` : "";
        best.setAttribute("visibility", found === null ? "hidden" : "visible");
        if (found === null) return;
        best.setAttribute("cx", plot.x(found));
        best.setAttribute("cy", plot.y(1));
      },
    };
  }

  // How long each search took.
  function waits() {
    const figure = canvas(340, 236, WAITS);
    const title = [["", "guesses that each training set took"]];
    const plot = panel(figure, { left: 38, top: 28, width: 292, height: 160, title });
    const dots = svg("g");
    const [law, paper, mean] = ["law", "paper", "mean"].map((kind) => svg("path", { class: `search-${kind}` }));
    const [theirs, ours] = [44, 62].map((y) => svg("text", { y }));
    // The smaller of both means has its words to the left.
    const beside = (text, value, other, words) => {
      text.textContent = words;
      if (words) text.setAttribute("x", plot.x(Math.log10(value)) + (value < other ? -5 : 5));
      text.setAttribute("text-anchor", value < other ? "end" : "start");
    };
    plot.back.append(law, paper, mean, dots, ours, theirs);
    return {
      figure,
      draw(all) {
        const stacks = new Map();
        const places = all.map((wait) => {
          const bin = Math.min(49, Math.max(11, Math.round(Math.log10(wait) / BIN))); // inside the frame
          stacks.set(bin, (stacks.get(bin) ?? 0) + 1);
          return [bin * BIN, stacks.get(bin)];
        });
        const tallest = Math.max(3, ...stacks.values()) + 3;
        plot.range([1, 5], [0, tallest]);
        plot.mark([1, 2, 3, 4, 5], roundTicks(0, tallest - 2, 4, 1), undefined, power);
        const r = Math.min(6, 70 / tallest);
        const at = ([x, n]) => ({ cx: plot.x(x), cy: plot.y(n) + r, r });
        dots.replaceChildren(...places.map((one) => svg("circle", { class: "search-wait", ...at(one) })));
        const line = (value) => plot.path([[Math.log10(value), 0], [Math.log10(value), tallest]]);
        paper.setAttribute("d", line(PAPER));
        const average = all.length ? all.reduce((sum, wait) => sum + wait) / all.length : Infinity;
        mean.setAttribute("d", all.length ? line(average) : "M0,0");
        beside(theirs, PAPER, average, `paper ${grouped(PAPER)}`);
        beside(ours, average, PAPER, all.length ? `mean ${grouped(Math.round(average))}` : "");
        // What a geometric law of this mean puts into each bin.
        const expected = (x) => Math.exp(-(10 ** (x - BIN / 2)) / average) - Math.exp(-(10 ** (x + BIN / 2)) / average);
        const grid = Array.from({ length: 81 }, (_, i) => 1 + i / 20);
        law.setAttribute("d", all.length > 1 ? plot.path(grid.map((x) => [x, all.length * expected(x)])) : "M0,0");
      },
    };
  }

  // The units' places, and of each weight the arrow (from, bend, to) and where its number stands.
  const [X, ONE, H, O] = [[36, 150], [36, 62], [164, 72], [262, 150]];
  const ARROWS = [
    { from: X, bend: [100, 111], to: H, at: [102, 128, "start"] },
    { from: ONE, bend: [100, 67], to: H, at: [100, 56, "middle"] },
    { from: O, bend: [178, 140], to: H, at: [211, 117, "middle"] },
    { from: [156, 62], bend: [164, -6], to: [173, 60], at: [182, 36, "start"] },
    { from: X, bend: [149, 150], to: O, at: [150, 169, "middle"] },
    { from: [272, 143], bend: [336, 150], to: [273, 158], at: [288, 182, "middle"] },
    { from: H, bend: [254, 76], to: O, at: [240, 82, "start"] },
  ];
  const RADIUS = 15;

  // An arrow that ends at the rim of its unit, as wide as its weight is large.
  function arrow({ from, bend, to, at }) {
    const [dx, dy] = [to[0] - bend[0], to[1] - bend[1]];
    const length = Math.hypot(dx, dy);
    const [ux, uy] = [dx / length, dy / length];
    const rim = [H, O].some((unit) => unit === to) ? RADIUS + 1 : 5;
    const [tx, ty] = [to[0] - ux * rim, to[1] - uy * rim];
    const [bx, by] = [tx - ux * 9, ty - uy * 9];
    const line = svg("path", { d: `M${from}Q${bend} ${bx},${by}` });
    const tip = svg("path", { d: `M${tx},${ty}L${bx - uy * 5},${by + ux * 5}L${bx + uy * 5},${by - ux * 5}Z` });
    const number = svg("text", { x: at[0], y: at[1], "text-anchor": at[2] });
    return {
      parts: [line, tip],
      number,
      set(weight) {
        const sign = weight < 0 ? "minus" : "plus";
        line.setAttribute("class", `search-arrow search-${sign}`);
        tip.setAttribute("class", `search-tip search-${sign}`);
        line.setAttribute("stroke-width", Math.min(7, 0.8 + (5 * Math.abs(weight)) / SPAN));
        number.textContent = minus(weight, 1);
      },
    };
  }

  // A net, and what it does.
  function net() {
    const figure = canvas(340, 420, NET);
    const heading = label(10, 16, [], "start");
    const arrows = ARROWS.map(arrow);
    const units = Object.entries({ x: X, 1: ONE, h: H, o: O }).flatMap(([name, [cx, cy]]) => [
      svg("circle", { class: "search-unit", cx, cy, r: RADIUS }),
      label(cx, cy + 5, [[name === "1" ? "" : "i", name]]),
    ]);
    figure.append(heading, ...arrows.flatMap(({ parts }) => parts), ...units, ...arrows.map(({ number }) => number));
    const box = { left: 38, width: 292 };
    const inputs = svg("g");
    figure.append(label(38, 210, [["", "input "], ...symbol("x", "t"), ["", ": 1 full, −1 empty"]], "start"), inputs);
    const title = [["", "output "], ...symbol("o", "t"), ["", "; shaded: odd number of 1s"]];
    const below = [["", "time step "], ["i", "t"]];
    const output = panel(figure, { ...box, top: 254, height: 50, title });
    const second = [["", "hidden unit "], ...symbol("h", "t")];
    const hidden = panel(figure, { ...box, top: 334, height: 40, title: second, below });
    const odd = output.back.appendChild(svg("g"));
    const lines = [output, hidden].map((plot) => plot.content.appendChild(svg("path", { class: "live-curve" })));
    for (const [plot, ticks] of [[output, []], [hidden, [0, 10, 20, 30, 40]]]) {
      plot.range([0, STEPS], [-0.12, 1.12]);
      plot.mark(ticks, [0, 1]);
    }
    return {
      figure,
      draw(name, weights, sequence) {
        heading.textContent = name;
        arrows.forEach((one, p) => one.set(weights[p]));
        const of = sequence.inputs.slice(0, STEPS);
        const width = output.x(1) - output.x(0);
        const square = { y: 217, width: width - 2, height: 11 };
        const kind = (x) => `search-${x > 0 ? "one" : "none"}`;
        inputs.replaceChildren(
          ...of.map((x, t) => svg("rect", { class: kind(x), x: output.x(t) + 1, ...square })),
        );
        const ones = (t) => of.slice(0, t + 1).filter((x) => x > 0).length;
        const shaded = [...of.keys()].filter((t) => ones(t) % 2);
        const band = { y: output.y(1.12), width: width + 0.2, height: output.y(-0.12) - output.y(1.12) };
        odd.replaceChildren(...shaded.map((t) => svg("rect", { class: "search-odd", x: output.x(t), ...band })));
        const states = course(weights, of, STEPS);
        const stairs = (plot, unit) => plot.path(states.flatMap((s, t) => [[t, s[unit]], [t + 1, s[unit]]]));
        lines[0].setAttribute("d", stairs(output, "o"));
        lines[1].setAttribute("d", stairs(hidden, "h"));
        const spoken = WEIGHTS.map((of, p) => `${of} ${minus(weights[p], 1)}`).join(", ");
        figure.setAttribute("aria-label", `${NET} Weights: ${spoken}.`);
      },
    };
  }

  // Magma, and its lightest colour for solutions alone.
  const COLOURS = [[0, 0, 4], [81, 18, 124], [183, 55, 121], [252, 137, 97], [252, 253, 191]];
  function colour(stood) {
    if (stood === COUNT) return COLOURS[4];
    const at = 3 * share(stood);
    const i = Math.min(2, Math.floor(at));
    return COLOURS[i].map((value, c) => Math.round(value + (at - i) * (COLOURS[i + 1][c] - value)));
  }

  // A slice, in which the reader moves the net; moved([x, y]) is called with a place on the grid of its nets.
  function slice(moved) {
    const figure = canvas(340, 420, SLICE);
    figure.setAttribute("role", "group"); // the net in it is a control
    const picture = figure.appendChild(svg("g", { "aria-hidden": "true" }));
    const edge = 1 + place(SIDE - 1) / (SIDE - 1); // half a net beyond the last one
    const box = { left: 46, top: 28, width: 284, height: 284 };
    const plot = panel(picture, { ...box, title: [] });
    plot.range([-edge, edge], [-edge, edge]);
    const image = svg("image", { x: 46, y: 28, width: 284, height: 284, preserveAspectRatio: "none" });
    const ring = svg("circle", { class: "search-ring", r: 11 });
    plot.content.append(image, ring);
    const [across, up] = [label(330, 348, [], "end"), label(46, 20, [], "start")];
    const key = [0, 1, 2, 5, 10, 30, COUNT];
    const width = 284 / key.length;
    picture.append(
      across,
      up,
      label(46, 378, [["", "stands so many training sequences:"]], "start"),
      ...key.flatMap((stood, i) => [
        svg("rect", { x: 46 + i * width, y: 386, width, height: 13, fill: `rgb(${colour(stood)})` }),
        label(46 + (i + 0.5) * width, 415, [["", stood === COUNT ? "all 100" : String(stood)]]),
      ]),
    );
    const paper = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
    const pen = paper.getContext("2d");
    const grid = { within: [[-1, 1], [-1, 1]], steps: [0.1, 0.1], fine: [place(1) + 1, place(1) + 1] };
    const point = handle(figure, plot, { label: "net in the slice", ...grid }, moved);
    return {
      figure,
      settings(names, span) {
        across.textContent = `weight of ${names[0]}`;
        up.textContent = `weight of ${names[1]}`;
        const ticks = [-1, -0.5, 0, 0.5, 1];
        plot.mark(ticks, ticks, (value) => [["", minus(value * span)]]);
        pen.clearRect(0, 0, SIDE, SIDE);
        this.show();
      },
      // A square of so many nets a side, from its lower left one on.
      paint(i, j, size, stood) {
        pen.fillStyle = `rgb(${colour(stood)})`;
        pen.fillRect(i, SIDE - j - size, size, size);
      },
      show: () => image.setAttribute("href", paper.toDataURL()),
      // The net that is shown, and the one that was found if it lies in the slice.
      point(at, found, words) {
        point.set(at.map((value) => Math.min(1, Math.max(-1, value))), words);
        const seen = found && found.every((value) => Math.abs(value) <= 1);
        ring.setAttribute("visibility", seen ? "visible" : "hidden");
        if (!seen) return;
        ring.setAttribute("cx", plot.x(found[0]));
        ring.setAttribute("cy", plot.y(found[1]));
      },
    };
  }

  return { guesses, waits, net, slice };
})();
