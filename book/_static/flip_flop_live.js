// The trainable flip-flop above the neuron a_t = w tanh(a_{t-1}) + u_t, live: under the same inputs, the change that a
// wrong end asks for goes back through the one unweakened, and fades in the other.
(() => {
  const { html, svg, rich, symbol, power, minus, roundTicks } = lltd.live;
  const { slider, button, canvas, panel, readout, teller, assemble, player } = lltd.live;
  const { LEAD, initial, noise, unfold, sendBack, setter, update, decades } = lltd.flipFlop;
  const SEED = 1;
  const FIRST = 60; // a run whose end can be put right at once, and whose neuron is wrong as well
  const [RATE, MARGIN] = [1, 1]; // of learning, and k, as in the chapter's READING
  const MOST = 1000; // updates at a time
  const SPEED = 25; // steps back in a second
  const HOLD = 3; // seconds that a finished drawing stands
  const DEEPEST = -12; // decades of the gradient that have a colour
  const EVERY = 3; // decades from label to label
  const [UPPER, LOWER, ROW] = [222, 8, 22]; // where the rows of Δ and of δ begin, and how high they are
  const PHONE = matchMedia("(max-width: 45rem)");

  const ABOVE = "The flip-flop over time: states, inputs and what is wanted of them, and how far Δ has come back.";
  const BELOW = "The neuron under the same inputs: δ in colours from 1 down to ten to the power −12, and its output.";

  const sign = (value) => (value > 0 ? `+${value}` : minus(value));
  const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
  const label = (x, y, parts, anchor = "middle") => svg("text", { x, y, "text-anchor": anchor }, ...rich(parts));
  const group = (parent, attributes) => parent.appendChild(svg("g", attributes));
  const line = (parent, kind) => parent.appendChild(svg("path", { class: `flip-${kind}` }));
  const ground = (x, y, width, height) => svg("rect", { class: "flip-ground", x, y, width, height });
  // A share of 1 has the strongest colour, one of 10^DEEPEST or less has none.
  function cell(decades, x, y, width, height) {
    const share = Math.min(1, Math.max(0, 1 - decades / DEEPEST));
    return svg("rect", { class: "flip-cell", style: `--share: ${share.toFixed(3)}`, x, y, width, height });
  }

  // The colours and what they stand for.
  function key(left, top, width) {
    const all = Array.from({ length: 1 - DEEPEST }, (_, i) => -i);
    const step = width / all.length;
    const place = (value) => left - value * step;
    const named = all.filter((value) => value % EVERY === 0);
    return [
      ...all.map((value) => cell(value, place(value), top, step, 12)),
      ground(left, top, width, 12),
      ...named.map((value) => label(place(value) + step / 2, top + 28, power(value))),
    ];
  }

  // The state at the end, which the reader calls wrong, or right again.
  function judge(x, press) {
    const face = svg("text", { class: "flip-sign", x, y: 46, "text-anchor": "middle" });
    const circles = { "live-reach": 24, "flip-face": 17 };
    const element = svg(
      "g",
      { class: "flip-end", role: "button", tabindex: 0 },
      ...Object.entries(circles).map(([kind, r]) => svg("circle", { class: kind, cx: x, cy: 41, r })),
      face,
      svg("path", { class: "flip-cross", d: `M${x + 8},22l12,12m0,-12l-12,12` }),
    );
    element.addEventListener("click", press);
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      press();
    });
    return {
      element,
      set(state, wrong) {
        face.textContent = sign(state);
        element.setAttribute("aria-pressed", wrong);
        element.setAttribute("aria-label", `The end is ${sign(state)}: call it wrong`);
      },
    };
  }

  // Both drawings, one above the other on one axis of time, for a column of so many units.
  function strips(width, press) {
    const box = { left: 38, width: width - 104 };
    const right = box.left + box.width;
    const figures = [canvas(width, 250, ABOVE), canvas(width, 252, BELOW)];
    figures[0].setAttribute("role", "group"); // the end in it is a control
    const pictures = figures.map((figure) => group(figure, { "aria-hidden": "true" }));
    const output = [["", "the neuron’s output tanh "], ...symbol("a", "t")];
    const time = [["", "time step "], ["i", "t"]];
    const above = panel(pictures[0], { ...box, top: 84, height: 130, title: [["", "input "], ...symbol("u", "t")] });
    const below = panel(pictures[1], { ...box, top: 80, height: 74, title: output, below: time });

    const states = group(pictures[0]);
    const axis = svg("path", { class: "flip-zero", d: `M${box.left},41h${box.width}` });
    const kinds = ["zero", "noise", "learnt", "threshold"];
    const [zero, noisy, learnt, thresholds] = kinds.map((kind) => line(above.content, kind));
    const middle = line(below.content, "zero");
    const curve = below.content.appendChild(svg("path", { class: "live-curve" }));
    const rows = pictures.map((picture, i) => {
      const id = `flip-${width}-${i}`;
      const window = svg("rect", { y: 0, height: 252 }); // only what Δ has come by is to be seen
      picture.append(svg("clipPath", { id }, window));
      const behind = group(picture, { class: "live-content", "clip-path": `url(#${id})` });
      const [wishes, cells] = [group(behind), group(behind)];
      picture.append(ground(box.left, i ? LOWER : UPPER, box.width, ROW));
      return { window, wishes, cells, front: line(picture, "front") };
    });
    const words = pictures.map((picture) => group(picture, { class: "flip-note" }));
    let notes = []; // [step, text], to be seen once Δ has come by
    const end = judge(right + 33, press);
    const [verdict, wanted] = [label(right + 33, 80, []), label(right + 8, UPPER + 16, [], "start")];
    pictures[0].append(
      label(box.left, 16, [["", "the flip-flop’s state "], ...symbol("x", "t+1")], "start"),
      label(box.left - 8, UPPER + 16, [["", "Δ"]], "end"),
      verdict,
      wanted,
    );
    pictures[1].append(label(box.left - 8, LOWER + 16, [["i", "δ"]], "end"), ...key(box.left, 208, box.width));
    figures[0].append(end.element);

    // Runs of equal states: above the middle +1, below it -1.
    function blocks({ T, x }, left) {
      const turns = [...x.keys()].filter((t) => t > 0 && (t === 1 || x[t] !== x[t - 1]));
      return turns.flatMap((from, i) => {
        const [up, next] = [x[from] > 0, turns[i + 1] ?? T + 1];
        const place = { x: left(from), y: up ? 24 : 41, width: left(next) - left(from), height: 17 };
        const block = svg("rect", { class: `flip-state flip-${up ? "up" : "down"}`, ...place });
        const name = label(place.x + place.width / 2, place.y + 13, [["", sign(x[from])]]);
        return place.width < 26 ? [block] : [block, name];
      });
    }

    // The inputs that are wanted instead.
    function wishes({ u, du, set }) {
      const arrow = (i, kind, size) => {
        const [x, from, to] = [above.x(i + 1), above.y(u[i]), above.y(u[i] + du[i])];
        const back = to > from ? -size : size;
        const tip = `m${-size / 2},${back}l${size / 2},${-back}l${size / 2},${back}`;
        return svg("path", { class: `flip-${kind}`, d: `M${x},${from}V${to}${tip}` });
      };
      const asked = [...u.keys()].filter((i) => du[i]);
      return [
        ...asked.filter((i) => i + 1 > set).map((i) => arrow(i, "wish", 3)),
        ...asked.filter((i) => i + 1 === set).map((i) => arrow(i, "arrow", 8)),
      ];
    }

    // Their shares of the credit.
    function shares({ T, u, set, change }) {
      const early = set < 0.6 * T; // so that there is room to the right
      const name = (t, away, level, text) =>
        label(above.x(t) + (early ? away : -away), above.y(level) + 4, [["", text]], early ? "start" : "end");
      const texts = [];
      if (change && set) texts.push(name(set, 8, u[set - 1] + 0.2 * Math.sign(u[set - 1]), "½ of the credit"));
      if (change && set < T) texts.push(name(set + 1, 0, 1.2 * change, `½ shared by ${count(T - set, "input")}`));
      return texts.map((text) => [set, text]);
    }

    // Where the gradient has lost another EVERY decades.
    function losses({ T, lost }) {
      const [y, found] = [LOWER + ROW, []];
      for (let t = T, next = -EVERY, last = Infinity; t >= 0 && next >= DEEPEST; t--)
        for (; lost[t] <= next && next >= DEEPEST; next -= EVERY) {
          const x = above.x(t);
          found.push([t, svg("path", { class: "flip-tick", d: `M${x},${y}v5` })]);
          if (last - x < 36) continue; // no room for another number
          found.push([t, label(x, y + 19, power(next))]);
          last = x;
        }
      return found;
    }

    function settings(now) {
      const { T, u, x, change, set, a, lost } = now;
      const reach = Math.max(2.8, ...u.map((value) => Math.abs(value) + 0.3));
      above.range([-0.5, T + 0.5], [-reach, reach]);
      below.range([-0.5, T + 0.5], [-1.3, 1.3]);
      above.mark([], [-2, -1, 0, 1, 2]);
      below.mark(roundTicks(0, T, 5, 5), [-1, 0, 1]);
      const step = above.x(1) - above.x(0);
      const left = (t) => above.x(t - 0.5);

      states.replaceChildren(...blocks(now, left), axis);
      const level = (plot, value) => plot.path([[-0.5, value], [T + 0.5, value]]);
      const bar = (value, i) => above.path([[i + 1, 0], [i + 1, value]]);
      zero.setAttribute("d", level(above, 0));
      middle.setAttribute("d", level(below, 0));
      thresholds.setAttribute("d", level(above, 1) + level(above, -1));
      learnt.setAttribute("d", u.slice(0, LEAD).map(bar).join(""));
      noisy.setAttribute("d", u.slice(LEAD).map((value, i) => bar(value, i + LEAD)).join(""));
      noisy.setAttribute("stroke-width", Math.min(3, 0.6 * step));
      curve.setAttribute("d", below.path(a.map((value, t) => [t, Math.tanh(value)])));

      rows[0].wishes.replaceChildren(...wishes(now));
      const held = [...x.keys()].filter((t) => change && t >= set);
      rows[0].cells.replaceChildren(...held.map((t) => cell(0, left(t), UPPER, step, ROW)));
      rows[1].cells.replaceChildren(...lost.map((value, t) => cell(value, left(t), LOWER, step, ROW)));
      const known = [shares(now), losses(now)];
      known.forEach((of, i) => words[i].replaceChildren(...of.map(([, text]) => text)));
      notes = known.flat();

      end.set(x.at(-1), change !== 0);
      verdict.textContent = change ? "wrong" : "wrong?";
      wanted.textContent = change ? `Δ = ${sign(change)}` : "";
    }

    // After so many steps back.
    function moment({ T }, back) {
      const x = above.x(T - back - 0.5);
      rows.forEach(({ window, front }, i) => {
        window.setAttribute("x", x);
        window.setAttribute("width", Math.max(0, right - x));
        front.setAttribute("d", back < T ? `M${x},${i ? 0 : 22}V${i ? 154 : 250}` : "M0,0");
      });
      for (const [t, text] of notes) text.setAttribute("visibility", T - back <= t ? "visible" : "hidden");
    }
    return { figures, settings, moment };
  }

  // A run before any learning. As long as nobody has judged its end, that is wrong.
  const fresh = (id) => ({ id, presentation: 0, updates: 0, learnt: initial(SEED, id), target: null });

  // All that the figure shows of a run.
  function simulate({ T, s, w }, { id, presentation, learnt, target }) {
    const u = [...learnt, ...noise(SEED, id, presentation, T - LEAD).map((value) => s * value)];
    const [x, a] = [unfold(0, u), lltd.latch.states(w, u)];
    const change = (target ?? -x.at(-1)) - x.at(-1);
    return { T, s, w, u, x, a, change, set: setter(u), lost: decades(w, a), ...sendBack(change, x, u, MARGIN) };
  }

  const LEGEND = `Press the state at the end to call it wrong. The change Δ that is wanted of it goes back to each
    earlier state for as long as |<i>u<sub>t</sub></i>| &lt; 1, and stops at the step that set the state. Arrows lead to
    the inputs that are wanted instead. The first three inputs, in green, are learnable; the others are noise, which
    stays as it is. Below, the neuron under the same inputs. The two rows share the colours at the foot: Δ and
    <i>δ<sub>t</sub></i> = <i>∂C</i>/<i>∂a<sub>t</sub></i> as shares of what they are at the end.`;

  // 10^decades in HTML.
  function tiny(decades) {
    if (decades > -3) return (10 ** decades).toPrecision(2);
    const exponent = Math.floor(decades + Math.log10(10 / 9.5));
    return `${(10 ** (decades - exponent)).toFixed(0)}\u00a0·\u00a010<sup>${minus(exponent)}</sup>`;
  }

  // What is to be seen after so many steps back, in HTML.
  function sentence({ T, x, change, set, lost }, back) {
    const where = Math.max(T - back, set);
    const delta = (t) => `the neuron’s <i>δ</i> ${lost[t] > 0 ? "grew" : "fell"} to ${tiny(lost[t])} of what it was`;
    if (!change) return `The flip-flop ends at ${sign(x.at(-1))}, as wanted: there is no Δ to send back.`;
    const place = where ? `step ${where}` : "the start";
    const words = `Δ = ${sign(change)} reached ${place} after ${count(T - where, "step")}; ${delta(where)}.`;
    if (T - back > set) return words;
    if (!set) return `${words} No input set the state.`;
    return set > LEAD ? `${words} Noise set the state there.` : words;
  }

  // The run, to be computed again by a reader who doubts it.
  function inPython({ T, s, w, u, x, du, change, set, lost }, { id, presentation }) {
    const plain = (value) => (value > 0 ? `+${value}` : String(value));
    const fixed = (values) => values.map((value) => value.toFixed(4)).join(" ");
    return `import torch
from lltd.systems import flip_flop, flip_flop_learner, tanh_latch

torch.set_default_dtype(torch.float64)
learnable = torch.tensor([${u.slice(0, LEAD).join(", ")}])
noise = flip_flop_learner.uniform_noise(${SEED}, torch.tensor([${id}]), ${presentation}, ${T - LEAD})
u = torch.cat((learnable, ${s} * noise[:, 0, 0]))
x = flip_flop.unfold(torch.tensor(0.0), u)
print(f"ends at {int(x[-1]):+d}")

dx, du = flip_flop.send_back(torch.tensor(${change}.0), x, u, k=${MARGIN})
learnable += ${RATE} * (flip_flop.credit(u) * du)[:${LEAD}]
print("after an update", *(f"{value:.4f}" for value in learnable))

a = [torch.tensor(0.0)]
for u_t in u:
    a.append(tanh_latch.step(a[-1], ${w}, u_t))
slopes = ${w} / torch.cosh(torch.stack(a[${set}:-1])) ** 2
print(f"share of the gradient at t = ${set}: 10^{slopes.log10().sum():.3f}")
# ends at ${plain(x.at(-1))}
# after an update ${fixed(update(u, du, RATE))}
# share of the gradient at t = ${set}: 10^${lost[set].toFixed(3)}`;
  }

  function build(root) {
    const titles = {
      end: "the flip-flop ends at",
      learnt: "learnable inputs",
      neuron: "the neuron ends at",
    };
    const { element: numbers, facts } = readout(titles);
    const words = html("p", { class: "flip-words" });
    const { element: said, tell } = teller(() => {
      const spoken = html("p");
      spoken.innerHTML = sentence(now, now.T).replaceAll("\u00a0·\u00a010<sup>", " times 10 to the power <sup>");
      return spoken.textContent;
    });
    const where = html("p", { class: "live-where" });
    const code = html("code");
    const fixed = (digits) => (value) => value.toFixed(digits);
    const sliders = {
      T: slider({ label: "length <i>T</i>", min: 10, max: 100, step: 5, value: 60, format: String }, moved),
      s: slider({ label: "noise up to ±", min: 0.2, max: 1.2, step: 0.1, value: 0.6, format: fixed(1) }, moved),
      w: slider({ label: "neuron’s <i>w</i>", min: 1, max: 2, step: 0.05, value: 1.25, format: fixed(2) }, moved),
    };
    let run = fresh(FIRST);
    let drawing, now;
    let [progress, drawn] = [0, -1];

    // Draw what is to be seen after so many steps back.
    function show(steps) {
      progress = steps;
      const back = Math.floor(Math.min(now.T, steps));
      if (back === drawn) return;
      drawn = back;
      drawing.moment(now, back);
      words.innerHTML = sentence(now, back);
      where.textContent = `run ${run.id}, ${count(run.updates, "update")}, steps back: ${back} of ${now.T}`;
    }

    // Whole, or rolled back from the end on if the reader lets it play.
    function draw(whole) {
      drawing.settings(now);
      drawn = -1;
      show(film.playing() && !whole ? 0 : now.T);
    }

    const simulated = () => {
      const settings = Object.entries(sliders).map(([name, { input }]) => [name, input.valueAsNumber]);
      return simulate(Object.fromEntries(settings), run);
    };

    function settle(whole) {
      now = simulated();
      const [end, { change, set, a }] = [now.x.at(-1), now];
      run.target ??= end + change;
      facts.end.textContent = sign(end) + (change ? `, wanted: ${sign(end + change)}` : ", as wanted");
      facts.neuron.textContent = minus(Math.tanh(a.at(-1)), 2);
      facts.learnt.textContent = run.learnt.map((value) => minus(value, 2)).join(", ");
      for (const one of learning) one.disabled = !change || set > LEAD; // nothing to learn, or nothing that could
      code.textContent = inPython(now, run);
      draw(whole);
    }

    // While a reader moves a slider, all is to be seen.
    function moved() {
      settle(true);
      tell();
    }

    function act(changes) {
      Object.assign(run, changes);
      settle(false);
      tell();
    }

    function learn(most) {
      for (let i = 0; i < most && now.change && now.set <= LEAD; i++) {
        Object.assign(run, { learnt: update(now.u, now.du, RATE), updates: run.updates + 1 });
        now = simulated();
      }
      act({});
    }

    const film = player(root, (passed) => {
      const steps = progress + passed * SPEED;
      show(steps > now.T + HOLD * SPEED ? 0 : steps);
    });
    const lay = () => {
      drawing = strips(PHONE.matches ? 340 : 640, () => act({ target: now.x.at(-1) * (now.change ? 1 : -1) }));
      return drawing.figures;
    };
    const panels = lay();
    const learning = [button("Learn once", () => learn(1)), button("Learn until right", () => learn(MOST))];
    const others = [
      button("New noise", () => act({ presentation: run.presentation + 1 })),
      button("New start", () => act(fresh(run.id + 1))),
    ];
    settle(false);
    PHONE.addEventListener("change", () => {
      root.querySelector(".live-panels").replaceChildren(...lay());
      draw(true);
    });
    const buttons = html("div", { class: "live-buttons" }, film.toggle, ...learning, ...others, where);
    assemble(root, {
      label: "a wanted change and a gradient on their way back",
      controls: [...Object.values(sliders).map(({ element }) => element), buttons],
      numbers,
      panels,
      legend: LEGEND,
      summary: "This run in Python",
      code,
      said,
    });
    numbers.after(words);
  }

  document.querySelectorAll(".live-flip_flop").forEach(build);
})();
