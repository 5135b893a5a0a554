// What the live figures share: elements, sliders, panels with axes, and a player. Pure drawing: colours are in
// live_figure.css, so that a figure follows the reader's light or dark mode by itself.
window.lltd ??= {};
lltd.live = (() => {
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
  const power = (value) => (value ? [["", "10"], ["sup", minus(value)]] : [["", "1"]]); // of ten

  // A native range input with its label and its value. changed() is called at each move.
  function slider({ label, min, max, step, value, format }, changed) {
    const id = unique("slider");
    const input = html("input", { id, type: "range", min, max, step, value, autocomplete: "off" });
    input.value = value; // some browsers restore another after a reload
    const output = html("output", { for: id, "aria-live": "off" }); // the slider itself is read out
    const title = html("label", { for: id });
    title.innerHTML = label;
    const refresh = () => {
      output.textContent = format(input.valueAsNumber);
      input.setAttribute("aria-valuetext", output.textContent);
    };
    input.addEventListener("input", () => {
      refresh();
      changed();
    });
    refresh();
    return { element: html("div", { class: "live-slider" }, title, output, input), input };
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
    const [back, ticks] = [svg("g"), svg("g", { class: "live-ticks" })];
    const content = svg("g", { "clip-path": `url(#${id})` });
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

  // Numbers with a true minus sign.
  const minus = (value, digits) =>
    (digits === undefined ? String(value) : value.toFixed(digits)).replace("-", "−");

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

  return { html, svg, rich, slider, button, canvas, panel, symbol, power, minus, roundTicks, player };
})();
