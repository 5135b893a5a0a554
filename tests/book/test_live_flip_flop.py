"""The live figure of the trainable flip-flop: what it sends back is what lltd sends back, and anybody can work it."""

import math
import re
from itertools import product

import pytest
import torch
from conftest import DESK, HEIGHT, PHONE, fact, run_in_python

from lltd.chapters.flip_flop import READING
from lltd.philox import Purpose, uniform
from lltd.systems import flip_flop, tanh_latch
from lltd.systems.flip_flop_learner import Learner, uniform_noise

FIGURE = "flip_flop"
FIRST = 60  # the run that is shown first
WHERE = "document.querySelector('.live-where').textContent"
START = torch.tensor(0.0, dtype=torch.float64)


def inputs(run, length=60, level=0.6, presentation=0):
    """What both units hear before any learning, (T,), by lltd."""
    learnable = 4 * uniform(1, run, 0, Purpose.INITIAL)[:3] - 2
    noise = uniform_noise(1, torch.tensor([run]), presentation, length - 3)[:, 0, 0]
    return torch.cat((learnable, level * noise))


def sequences():
    """Inputs of very different kinds: random ones of several sizes, one on the thresholds, and quiet ones."""
    drawn = [
        size * (2 * uniform(2, i, torch.arange(n), Purpose.TEST)[0] - 1)
        for i, (size, n) in enumerate(product((0.9, 1.1, 2, 4), (1, 2, 10, 100)))
    ]
    edges = [[1, 0.5, -1], [0.5, -1, 1], [1], [-1], [0.0, 0.0], [0.5, 2], [2, 0.5]]
    return drawn + [torch.tensor(one, dtype=torch.float64) for one in edges]


def updated(run, level=0.6):
    """The learnable inputs (3,) after one epoch in which -1 is wanted, by the chapter's learner with w = 1."""
    settings = READING | {"length": 60, "noise": level, "learn_weight": False}
    learner = Learner.start(1, torch.tensor([run]), [settings])
    learner.h[:, 0, 0] = inputs(run)[:3]
    learner.train()
    return learner.h[:, 0, 0]


def shares(w, u):
    """log10 of ∂a_T/∂a_t for t = 0 … T, by autograd."""
    states = [START.clone().requires_grad_()]
    for u_t in u:
        states.append(tanh_latch.step(states[-1], w, u_t))
    return [g.log10().item() for g in torch.autograd.grad(states[-1], states)]


class TestFormulas:
    """The page's numbers are lltd's."""

    def test_step_and_wanted_changes_are_the_same_everywhere(self, formulas):
        states, levels = (-1.0, 0.0, 1.0), (-2.5, -1.0, -0.999, 0.0, 0.3, 0.999, 1.0, 2.5)
        cases = list(product((-2.0, 0.0, 2.0), states, levels, (0.1, 1.0)))
        page = formulas(
            """all => all.map(([df, x, u, k]) => [
                lltd.flipFlop.step(x, u), lltd.flipFlop.carry(df, u), lltd.flipFlop.wantedOfInput(df, x, u, k)])""",
            cases,
        )
        df, x, u, k = torch.tensor(cases, dtype=torch.float64).T
        ours = flip_flop.step(x, u), flip_flop.carry(df, u), flip_flop.wanted_of_input(df, x, u, k)
        assert page == torch.stack(ours, dim=1).tolist()

    @pytest.mark.parametrize("start", [-1.0, 0.0, 1.0])
    def test_what_goes_back_is_the_same(self, formulas, start):
        for u in sequences():
            page = formulas(
                """([start, u]) => {
                    const x = lltd.flipFlop.unfold(start, u);
                    const { dx, du } = lltd.flipFlop.sendBack(-2 * x.at(-1), x, u, 1);
                    return [x, dx, du, lltd.flipFlop.credit(u), lltd.flipFlop.setter(u)];
                }""",
                [start, u.tolist()],
            )
            x = flip_flop.unfold(torch.tensor(start, dtype=torch.float64), u)
            dx, du = flip_flop.send_back(-2 * x[-1], x, u)
            *same, setter = page
            assert same[:3] == [x.tolist(), dx.tolist(), du.tolist()]
            assert same[3] == pytest.approx(flip_flop.credit(u).tolist(), rel=1e-12)
            assert setter == int(dx.nonzero().min())  # where Δ stops

    def test_inputs_are_the_same_to_the_bit(self, formulas):
        js = """ids => ids.flatMap(id => [0, 1, 3].map(p =>
            [...lltd.flipFlop.initial(1, id), ...lltd.flipFlop.noise(1, id, p, 18 + id % 2).map(v => 0.6 * v)]))"""
        ours = [inputs(run, 21 + run % 2, 0.6, p).tolist() for run in range(20) for p in (0, 1, 3)]
        assert formulas(js, list(range(20))) == ours

    def test_an_update_is_that_of_the_learner(self, formulas):
        for run, level in product(range(FIRST, FIRST + 15), (0.6, 1.2)):
            js = """u => {
                const x = lltd.flipFlop.unfold(0, u);
                return lltd.flipFlop.update(u, lltd.flipFlop.sendBack(-1 - x.at(-1), x, u, 1).du, 1);
            }"""
            page = formulas(js, inputs(run, level=level).tolist())
            assert page == pytest.approx(updated(run, level).tolist(), abs=1e-12)

    @pytest.mark.parametrize("w", [1.0, 1.25, 2.0])
    def test_gradient_is_that_of_autograd(self, formulas, w):
        for run in range(60, 65):
            u = inputs(run)
            js = "([w, u]) => lltd.flipFlop.decades(w, lltd.latch.states(w, u))"
            assert formulas(js, [w, u.tolist()]) == pytest.approx(shares(w, u), abs=1e-9)


def end(page):
    return page.get_by_role("button", name="call it wrong")


def words(page):
    return page.locator(".flip-words").inner_text()


def reached(page):
    """Cells of the row of Δ that are drawn: the steps that it has come by, with the last one."""
    return page.locator(".live-panels svg").first.locator(".flip-cell").count()


def press(page, name):
    page.get_by_role("button", name=name).press("Enter")


class TestReading:
    """What is shown, and how it is worked."""

    def test_first_view_is_a_wrong_end_whose_change_comes_all_the_way_back(self, reader):
        page, u = reader(), inputs(FIRST)
        x = flip_flop.unfold(START, u)
        dx, _ = flip_flop.send_back(-2 * x[-1], x, u)
        assert x[-1] == 1 and int(dx.nonzero().min()) == 3
        exponent = math.floor(shares(1.25, u)[3])
        assert words(page).startswith("Δ = −2 reached step 3 after 57 steps; the neuron’s δ fell to ")
        assert words(page).replace("\n", "").endswith(f"10−{-exponent} of what it was.")
        assert fact(page, "end") == "+1, wanted: −1"
        assert reached(page) == 58 and end(page).get_attribute("aria-pressed") == "true"

    @pytest.mark.parametrize("way", ["Enter", "Space", "tap"])
    def test_end_can_be_called_right_and_wrong_again(self, reader, way):
        page = reader(has_touch=True, viewport={"width": PHONE, "height": HEIGHT})
        act = end(page).tap if way == "tap" else lambda: end(page).press(way)
        before = words(page)
        act()
        assert end(page).get_attribute("aria-pressed") == "false" and reached(page) == 0
        assert "as wanted" in words(page) and fact(page, "end") == "+1, as wanted"
        assert page.get_by_role("button", name="Learn once").is_disabled()
        act()
        assert words(page) == before and reached(page) == 58

    def test_one_update_puts_the_first_end_right(self, reader):
        page = reader()
        press(page, "Learn once")
        assert fact(page, "learnt") == ", ".join(f"{value:.2f}" for value in updated(FIRST)).replace("-", "−")
        assert fact(page, "end") == "−1, as wanted"
        end(page).click()  # now the reader wants the other state
        assert words(page).startswith("Δ = +2 reached step 2 after 58 steps")

    def test_where_no_input_set_the_state_longer_sequences_take_longer_to_learn(self, reader):
        unset = [run for run in range(FIRST, FIRST + 20) if (inputs(run)[:3].abs() < 1).all()]
        page, taken, shown = reader(), [], FIRST
        for run, length in zip(unset, (10, 100), strict=False):
            page.get_by_label("length T").fill(str(length))
            start = page.get_by_role("button", name="New start")
            start.evaluate("(button, times) => { for (; times > 0; times--) button.click(); }", run - shown)
            shown = run
            assert "reached the start" in words(page) and reached(page) == length + 1
            press(page, "Learn until right")
            assert "as wanted" in words(page)
            taken.append(int(page.evaluate(WHERE).split(", ")[1].split()[0]))
        assert len(taken) == 2 and taken[1] > 5 * taken[0]

    def test_noise_beyond_the_threshold_stops_the_change(self, reader):
        page = reader()
        page.get_by_label("noise up to ±").fill("1.2")
        setter = int(inputs(FIRST, level=1.2).abs().ge(1).nonzero().max()) + 1
        if "as wanted" in words(page):
            end(page).click()
        assert f"reached step {setter} after" in words(page) and "Noise set the state" in words(page)
        assert page.get_by_role("button", name="Learn until right").is_disabled()

    def test_python_on_the_page_gives_the_run_shown(self, reader):
        page = reader()
        page.locator(".live-figure summary").click()
        for name in (None, "Learn once", "New noise", "call it wrong", "New start", "Learn until right"):
            if name:
                press(page, name)
            page.get_by_label("neuron’s w").fill("1.4")
            promised, printed = run_in_python(page.locator(".live-figure pre").inner_text())
            assert promised == printed and len(printed) == 3

    def test_extreme_settings_can_be_drawn(self, reader):
        page = reader()
        for length, level, w in product(("10", "100"), ("0.2", "1.2"), ("1", "2")):
            for label, value in (("length T", length), ("noise up to ±", level), ("neuron’s w", w)):
                page.get_by_label(label).fill(value)
            drawn = page.locator(".live-figure svg :is(path, rect)").evaluate_all(
                "all => all.map(p => p.outerHTML)"
            )
            assert drawn and not any("NaN" in one or "Infinity" in one for one in drawn)

    def test_turning_a_phone_keeps_the_run(self, reader):
        page = reader()
        press(page, "Learn once")
        end(page).click()
        before = words(page)
        page.set_viewport_size({"width": PHONE, "height": HEIGHT})
        page.wait_for_function("document.querySelector('.live-panels svg').viewBox.baseVal.width === 340")
        assert words(page) == before and reached(page) == 59
        page.set_viewport_size({"width": DESK, "height": HEIGHT})
        page.wait_for_function("document.querySelector('.live-panels svg').viewBox.baseVal.width === 640")


class TestMotion:
    NOTES = "[...document.querySelectorAll('.flip-note text')].map(one => one.getAttribute('visibility'))"

    def test_change_rolls_back_step_by_step_from_the_end(self, reader):
        page = reader(reduced_motion="no-preference")
        page.locator(".live-panels").scroll_into_view_if_needed()
        at_once = page.evaluate(
            f"""() => {{
                const where = document.querySelector(".live-where");
                const press = () => document.querySelector(".flip-end").dispatchEvent(new Event("click"));
                press();
                press();
                window.seen = [];
                new MutationObserver(() => seen.push(parseInt(where.textContent.split("back: ")[1])))
                    .observe(where, {{childList: true}});
                return [{WHERE}, {self.NOTES}];
            }}"""
        )
        assert at_once[0].endswith("back: 0 of 60") and set(at_once[1]) == {"hidden"}
        page.wait_for_function("seen.length > 8")
        seen = page.evaluate("seen")[:9]
        assert seen == sorted(set(seen)) and seen[0] > 0
        assert re.search(r"reached step \d+ after \d+ steps", words(page))

    def test_without_motion_it_has_come_back_at_once(self, reader):
        page = reader()
        press(page, "call it wrong")
        press(page, "call it wrong")
        assert page.evaluate(WHERE).endswith("back: 60 of 60")
        assert set(page.evaluate(self.NOTES)) == {"visible"}

    def test_screen_reader_hears_the_outcome_and_not_the_steps(self, reader):
        page = reader(reduced_motion="no-preference")
        page.locator(".live-panels").scroll_into_view_if_needed()
        page.wait_for_timeout(1000)
        assert page.locator("[role=status]").inner_text() == ""
        press(page, "call it wrong")
        press(page, "call it wrong")
        page.wait_for_function("document.querySelector('[role=status]').textContent !== ''")
        said = page.locator("[role=status]").inner_text()
        assert said.startswith("Δ = −2 reached step 3 after 57 steps; the neuron’s δ fell to ")
        assert said.endswith(" times 10 to the power −12 of what it was.")

    def test_moving_a_slider_shows_all_at_once_and_then_plays_on(self, reader):
        page = reader(reduced_motion="no-preference")
        page.locator(".live-panels").scroll_into_view_if_needed()
        js = f"all => {{ all[0].value = 100; all[0].dispatchEvent(new Event('input')); return {WHERE}; }}"
        assert page.locator(".live-figure input").evaluate_all(js).endswith("back: 100 of 100")
        page.wait_for_function(f"!{WHERE}.endsWith('100 of 100')")
