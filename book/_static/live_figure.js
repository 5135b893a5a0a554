// What the live figures share: elements, controls, panels with axes, cobwebs, read-outs, and a player. Pure drawing:
// colours are in live_figure.css, so that a figure follows the reader's light or dark mode by itself.
window.lltd ??= {};
lltd.live = (() => {
  const SETTLE = 700; // milliseconds without a change after which a screen reader is told
  let numbered = 0;
  const unique = (name) => `live-${name}-${++numbered}`;

  const maker = (create) => (name, attributes = {}, ...children) => {
    const made = create(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const html = maker((name) => document.createElement(name));
  const svg = maker((name) => document.createElementNS("http://www.w3.org/2000/svg", name));

  // SVG text in parts: [kind, text] …, the kind being "" (plain), i (italics), sub, back (up again) or sup.
  const SHIFTS = { i: {}, sub: { dy: "0.3em" }, back: { dy: "-0.22em" }, sup: { dy: "-0.4em" } };
  const rich = (parts) =>
    parts.map(([kind, text]) => (kind ? svg("tspan", { class: `live-${kind}`, ...SHIFTS[kind] }, text) : text));
  const symbol = (letter, below) => [["i", letter], ["sub", below], ["back", " "]];
  const label = (x, y, parts, anchor = "start") => svg("text", { x, y, "text-anchor": anchor }, ...rich(parts));
  const power = (value) => (value ? [["", "10"], ["sup", minus(value)]] : [["", "1"]]); // of ten

  // A native range input with its label and its value. changed() is called at each move by the reader; set(value)
  // shows a value that comes from elsewhere and may lie between the steps.
  function slider({ label, min, max, step, value, format }, changed) {
    const id = unique("slider");
    const input = html("input", { id, type: "range", min, max, step, value, autocomplete: "off" });
    input.value = value; // some browsers restore another after a reload
    const output = html("output", { for: id, "aria-live": "off" }); // the slider itself is read out
    const title = html("label", { for: id });
    title.innerHTML = label;
    const refresh = (shown = input.valueAsNumber) => {
      output.textContent = format(shown);
      input.setAttribute("aria-valuetext", output.textContent);
    };
    const set = (given) => {
      input.value = given;
      refresh(given);
    };
    input.addEventListener("input", () => {
      refresh();
      changed();
    });
    refresh();
    return { element: html("div", { class: "live-slider" }, title, output, input), input, set };
  }

  // A button; its text is what it does next.
  function button(text, pressed) {
    const made = html("button", { type: "button" }, text);
    made.addEventListener("click", pressed);
    return made;
  }

  // A canvas of fixed units that scales with its column; `description` is what a screen reader says.
  const canvas = (width, height, description) =>
    svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": description });

  // A framed panel. Back is drawn behind and never cut, content is cut at the frame or where it is revealed to.
  function panel(parent, { left, top, width, height, title, below = [] }) {
    const id = unique("window");
    const view = svg("rect", { x: left, y: top, width, height });
    const [back, ticks] = ["content", "ticks"].map((kind) => svg("g", { class: `live-${kind}` }));
    const content = svg("g", { class: "live-content", "clip-path": `url(#${id})` });
    const frame = svg("rect", { class: "live-frame", x: left, y: top, width, height });
    const heading = svg("text", { x: left, y: top - 8 }, ...rich(title));
    const footing = svg("text", { x: left + width, y: top + height + 36, "text-anchor": "end" }, ...rich(below));
    parent.append(svg("clipPath", { id }, view), frame, back, content, ticks, heading, footing);
    let [x0, x1, y0, y1] = [0, 1, 0, 1];
    const x = (value) => left + ((value - x0) / (x1 - x0)) * width;
    const y = (value) => top + height - ((value - y0) / (y1 - y0)) * height;
    return {
      back,
      content,
      x,
      y,
      // What a place in the window, such as a pointer's, stands for.
      find({ clientX, clientY }) {
        const place = new DOMPoint(clientX, clientY).matrixTransform(frame.getScreenCTM().inverse());
        return [x0 + ((place.x - left) / width) * (x1 - x0), y0 + ((top + height - place.y) / height) * (y1 - y0)];
      },
      range: (horizontal, vertical) => ([[x0, x1], [y0, y1]] = [horizontal, vertical]),
      reveal: (value) => view.setAttribute("width", Math.max(0, x(value) - left)),
      // The path through [x, y], [x, y] …
      path: (points) => "M" + points.map(([u, v]) => `${x(u).toFixed(2)},${y(v).toFixed(2)}`).join("L"),
      // Ticks with numbers below and to the left; format gives rich text.
      mark(horizontal, vertical, format = (value) => [["", minus(value)]], formatBelow = format) {
        const under = horizontal.map((value) =>
          svg("text", { x: x(value), y: top + height + 16, "text-anchor": "middle" }, ...rich(formatBelow(value))),
        );
        const beside = vertical.map((value) =>
          svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, ...rich(format(value))),
        );
        const lines = [
          ...horizontal.map((value) => `M${x(value)},${top + height}v4`),
          ...vertical.map((value) => `M${left},${y(value)}h-4`),
        ];
        ticks.replaceChildren(...under, ...beside, svg("path", { d: lines.join("") }));
      },
    };
  }

  // A point of a panel that the reader drags by mouse, pen or finger, or moves by the arrow keys, with shift in fine
  // steps. `within`, `steps` and `fine` are pairs, for x and y. moved([x, y]) is called with a place on the fine grid;
  // set([x, y], words) puts the point anywhere, and the words are what a screen reader says.
  function handle(figure, plot, { label, within, steps, fine }, moved) {
    const arrows = "M0,-19l4,5h-8ZM0,19l4,-5h-8ZM-19,0l5,4v-8ZM19,0l-5,4v-8Z";
    const element = svg(
      "g",
      // Two values under one role: the vertical one is the number, both are in the words.
      { class: "live-handle", tabindex: 0, role: "slider", "aria-label": label, "aria-orientation": "vertical" },
      svg("circle", { class: "live-reach", r: 24 }),
      svg("path", { d: arrows }),
      svg("circle", { r: 8 }),
    );
    element.setAttribute("aria-valuemin", within[1][0]);
    element.setAttribute("aria-valuemax", within[1][1]);
    let [at, grip, tapped] = [[0, 0], null, false];
    const snap = (value, i) => {
      const grid = Math.round(value / fine[i]) * fine[i];
      return Number(Math.min(within[i][1], Math.max(within[i][0], grid)).toFixed(9));
    };
    const move = (place) => moved(place.map(snap));
    const follow = (event) => move(plot.find(event).map((value, i) => value + grip[i]));

    // A finger takes the point itself, so that it scrolls the page elsewhere; a tap brings the point.
    figure.addEventListener("pointerdown", (event) => {
      const held = element.contains(event.target);
      tapped = event.pointerType === "touch" && !held;
      if (event.button !== 0 || tapped) return;
      event.preventDefault();
      element.focus({ preventScroll: true, focusVisible: false });
      grip = held ? plot.find(event).map((value, i) => at[i] - value) : [0, 0];
      figure.setPointerCapture(event.pointerId);
      if (!held) follow(event);
    });
    // Else the page would scroll: touch-action does nothing for a part of a drawing.
    element.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    figure.addEventListener("pointermove", (event) => grip && follow(event));
    for (const end of ["pointerup", "pointercancel"]) figure.addEventListener(end, () => (grip = null));
    figure.addEventListener("click", (event) => tapped && move(plot.find(event)));
    element.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] }[event.key];
      if (!way || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      const step = event.shiftKey ? fine : steps;
      move(at.map((value, i) => (way[i] ? value + way[i] * step[i] : value)));
    });
    figure.append(element);
    return {
      element,
      set(place, words) {
        at = place;
        element.setAttribute("transform", `translate(${plot.x(place[0])},${plot.y(place[1])})`);
        element.setAttribute("aria-valuenow", place[1]);
        element.setAttribute("aria-valuetext", words);
      },
    };
  }

  // A map of the line, the diagonal, and the places where they meet: what a cobweb is spun in.
  function cobweb(description) {
    const figure = canvas(340, 344, description);
    const box = { left: 38, top: 28, width: 292, height: 270 };
    const [title, below] = [[["", "next state "], ...symbol("a", "t")], [["", "state "], ...symbol("a", "t−1")]];
    const plot = panel(figure, { ...box, title, below });
    const [diagonal, curve] = ["diagonal", "curve"].map((kind) => svg("path", { class: `live-${kind}` }));
    const meetings = svg("g");
    plot.content.append(diagonal, curve, meetings);
    return {
      figure,
      plot,
      // The points of a map over [-reach, reach].
      points: (map, reach) => Array.from({ length: 121 }, (_, i) => (i / 60 - 1) * reach).map((a) => [a, map(a)]),
      // Draws the map; its fixed points come as [a, stable] ….
      settings(map, reach, places) {
        plot.range([-reach, reach], [-reach, reach]);
        curve.setAttribute("d", plot.path(this.points(map, reach)));
        diagonal.setAttribute("d", plot.path([[-reach, -reach], [reach, reach]]));
        meetings.replaceChildren(
          ...places.map(([a, stable]) =>
            svg("circle", { cx: plot.x(a), cy: plot.y(a), r: 6, class: stable ? "live-stable" : "live-unstable" }),
          ),
        );
        const ticks = roundTicks(-reach, reach, 7, 1);
        plot.mark(ticks, ticks);
      },
      // The staircase through the states: up or down to the next state, then across to the diagonal.
      stairs(states) {
        const corners = states.slice(1).flatMap((now, i) => [[states[i], now], [now, now]]);
        return corners.length ? plot.path([[states[0], states[0]], ...corners]) : "M0,0";
      },
    };
  }

  // Named numbers, given by their titles in HTML; those in `wide` take two columns.
  function readout(titles, wide = []) {
    const element = html("dl");
    const facts = {};
    for (const [name, title] of Object.entries(titles)) {
      const term = html("dt");
      term.innerHTML = title;
      facts[name] = html("dd", { "data-fact": name });
      element.append(html("div", wide.includes(name) ? { class: "live-wide" } : {}, term, facts[name]));
    }
    return { element, facts };
  }

  // Tells a screen reader words(), once the reader has come to rest.
  function teller(words) {
    const element = html("p", { class: "visually-hidden", role: "status" });
    let timer;
    const tell = () => {
      clearTimeout(timer);
      timer = setTimeout(() => (element.textContent = words()), SETTLE);
    };
    return { element, tell };
  }

  // Panels one above the other that take the whole width: lay(units) makes them, and again, to be drawn, when a window
  // becomes as narrow as a phone or wide again.
  function stack(lay, draw) {
    const phone = matchMedia("(max-width: 45rem)");
    const figures = () => lay(phone.matches ? 340 : 640);
    const element = html("div", { class: "live-panels live-stacked" }, ...figures());
    phone.addEventListener("change", () => {
      element.replaceChildren(...figures());
      draw();
    });
    return element;
  }

  // Puts a figure together: controls, numbers, panels, what they mean, and the run in Python.
  // The panels come as a list or as a stack.
  function assemble(root, { label, controls, numbers, panels, legend, summary, code, said }) {
    const words = html("p", { class: "live-legend" });
    words.innerHTML = legend;
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", `Live figure: ${label}`);
    root.replaceChildren(
      html("div", { class: "live-controls" }, ...controls),
      numbers,
      Array.isArray(panels) ? html("div", { class: "live-panels" }, ...panels) : panels,
      words,
      html("details", {}, html("summary", {}, summary), html("pre", {}, code)),
      said,
    );
  }

  // Numbers with a true minus sign.
  const minus = (value, digits) =>
    (digits === undefined ? String(value) : value.toFixed(digits)).replace("-", "−");

  // Whole numbers with commas between thousands.
  const grouped = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ",");

  // The multiples of a round step (1, 2 or 5 times a power of ten) in [low, high], at most `most` + 1 of them.
  function roundTicks(low, high, most, smallest = 0) {
    const power = 10 ** Math.floor(Math.log10((high - low) / most));
    const step = Math.max(smallest, power * [1, 2, 5, 10].find((factor) => factor * power * most >= high - low));
    const first = Math.ceil(low / step);
    return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step + 0);
  }

  // Calls frame(seconds passed) while playing and while the figure is in sight. Readers who ask their system
  // for less motion start with it paused.
  function player(element, frame) {
    const still = matchMedia("(prefers-reduced-motion: reduce)");
    let [playing, seen, last, request] = [!still.matches, false, null, null];
    const tick = (now) => {
      request = null;
      if (!playing || !seen) return;
      frame(last === null ? 0 : Math.min(0.1, (now - last) / 1000));
      last = now;
      request = requestAnimationFrame(tick);
    };
    const wake = () => {
      if (request !== null) return;
      last = null;
      request = requestAnimationFrame(tick);
    };
    const set = (value) => {
      playing = value;
      toggle.textContent = playing ? "Pause" : "Play";
      if (playing) wake();
    };
    const toggle = button("", () => set(!playing));
    set(playing);
    still.addEventListener("change", () => still.matches && set(false));
    new IntersectionObserver(([entry]) => {
      seen = entry.isIntersecting;
      if (seen) wake();
    }).observe(element);
    return { toggle, playing: () => playing };
  }

  return {
    html, svg, rich, symbol, label, power, minus, grouped, roundTicks,
    slider, button, handle, canvas, panel, cobweb, readout, teller, stack, assemble, player,
  };
})();
