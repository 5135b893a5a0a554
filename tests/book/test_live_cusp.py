"""The live figure of the cusp: its numbers are lltd's, and the point can be moved in every way."""

import math
import re

import numpy as np
import pytest
import torch
from conftest import DESK, HEIGHT, PHONE, fact, run_in_python

from lltd.analysis import bifurcations, latch
from lltd.analysis.jacobian_products import log_norms
from lltd.analysis.maps import autonomous, tanh_net

FIGURE = "cusp"
RANGES = ((0.5, 3.0), (-1.5, 1.5))  # of w and u
LN10 = math.log(10)


def neuron(w, u):
    return tanh_net(torch.tensor([[w]], dtype=torch.float64), bias=u)


def states(w, u, start, steps):
    """States (steps + 1, 1), by lltd."""
    return autonomous(neuron(w, u), torch.tensor([start], dtype=torch.float64), steps)


def resting(w, u):
    """All a = w tanh a + u, by the sign changes on a fine grid and Newton's method."""
    a = np.linspace(-w - abs(u) - 0.1, w + abs(u) + 0.1, 20_002)
    over = w * np.tanh(a) + u - a
    crossings = np.flatnonzero(np.sign(over[1:]) != np.sign(over[:-1]))
    found = (a[crossings] + a[crossings + 1]) / 2
    for _ in range(20):
        found = found - (w * np.tanh(found) + u - found) / (w / np.cosh(found) ** 2 - 1)
    return found


def passage(w, u):
    """Steps from ±a* until the sign has changed, one by one."""
    a = side = math.copysign(latch.fixed_point(w), -u)
    steps = 0
    while a * side > 0:
        a = w * math.tanh(a) + u
        steps += 1
    return steps


def narrowness(w):
    """κ = |M''(a_c)| / 2 of M(a) = w tanh a, by autograd."""
    a = torch.tensor(latch.critical_state(w), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(w * torch.tanh(a), a, create_graph=True)
    assert slope.item() == pytest.approx(1)
    return abs(torch.autograd.grad(slope, a)[0].item()) / 2


def predicted(w, u):
    return math.pi / math.sqrt((abs(u) - latch.critical_input(w)) * narrowness(w))


class TestFormulas:
    """The page's numbers are lltd's."""

    WEIGHTS = (1.01, 1.25, 1.5, 2.0, 3.0)
    DISTANCES = (0.3, 0.03, 1e-3, 1e-5)

    def test_fixed_points_are_those_of_a_search(self, formulas):
        low, high = zip(*RANGES, strict=True)
        cases = np.random.default_rng(1).uniform(low, high, (300, 2)).tolist()
        cases += [
            [2.0, side * (latch.critical_input(2.0) + shift)] for side in (-1, 1) for shift in (-1e-5, 1e-5)
        ]
        page = formulas("all => all.map(([w, u]) => lltd.cusp.fixedPoints(w, u))", cases)
        for (w, u), places in zip(cases, page, strict=True):
            inside = w > 1 and abs(u) < latch.critical_input(w)
            assert len(places) == (3 if inside else 1)
            assert places == pytest.approx(resting(w, u), rel=1e-9, abs=1e-9)

    def test_symmetric_cases_have_symmetric_places(self, formulas):
        assert formulas("lltd.cusp.fixedPoints(2, 0)") == pytest.approx([-1.9150, 0, 1.9150], abs=1e-4)
        alone = formulas("[0.5, 1].flatMap(w => lltd.cusp.fixedPoints(w, 0))")
        assert alone == pytest.approx([0, 0], abs=1e-7)  # at w = 1 the curve leaves the diagonal as a³ only

    @pytest.mark.parametrize(("w", "u"), [(0.7, 0.4), (2.0, -0.54), (1.25, 0.09), (3.0, -1.2)])
    def test_run_and_gradient_are_the_same(self, formulas, w, u):
        js = """([w, u]) => {
            const a = lltd.cusp.run(w, u, lltd.cusp.start(w, u), 400);
            return [a, lltd.cusp.decades(w, a)];
        }"""
        a, decades = formulas(js, [w, u])
        ours = states(w, u, math.copysign(latch.fixed_point(w), -u) if w > 1 else 0.0, 400)
        assert a == pytest.approx(ours[:, 0].tolist(), abs=1e-9)
        lasting = log_norms(neuron(w, u).derivative(ours[:-1])) / LN10
        assert decades[0] == 0 and decades[1:] == pytest.approx(lasting.tolist(), abs=1e-7)

    @pytest.mark.parametrize("w", WEIGHTS)
    def test_passage_is_counted_alike_and_predicted_alike(self, formulas, w):
        inputs = [side * (latch.critical_input(w) + far) for far in self.DISTANCES for side in (-1, 1)]
        js = "([w, all]) => all.map(u => [lltd.cusp.passage(w, u, 1e5), lltd.cusp.predicted(w, u)])"
        counts, expected = zip(*formulas(js, [w, inputs]), strict=True)
        assert list(counts) == [passage(w, u) for u in inputs]
        excess = torch.tensor(self.DISTANCES, dtype=torch.float64).repeat_interleave(2)
        assert list(counts) == bifurcations.passage_time(w, excess).tolist()
        assert expected == pytest.approx((bifurcations.passage_constant(w) * excess**-0.5).tolist(), rel=1e-9)
        assert expected == pytest.approx([predicted(w, u) for u in inputs], rel=1e-9)

    def test_prediction_is_right_near_the_edge_only(self, formulas):
        js = "w => [0.1, 1e-3, 1e-5, 1e-7].map(far => lltd.latch.criticalInput(w) + far)"
        js = f"w => ({js})(w).map(u => lltd.cusp.passage(w, u, 1e5) / lltd.cusp.predicted(w, u))"
        for w in self.WEIGHTS[1:]:
            ratios = formulas(js, w)
            assert ratios == sorted(ratios) and ratios[0] < 0.9 and 0.998 < ratios[-1] < 1

    @pytest.mark.parametrize("u", [0.0, 0.3, -0.5328])
    def test_harmless_input_never_undoes_the_bit(self, formulas, u):
        js = "u => [lltd.cusp.passage(2, u, 1000), lltd.cusp.predicted(2, u)]"
        assert formulas(js, u) == [math.inf, math.inf]

    def test_count_has_an_end(self, formulas):
        count, far = passage(2.0, -0.54), "lltd.cusp.passage(2, -0.54, {})"
        assert formulas(f"[{far.format(count)}, {far.format(count - 1)}]") == [count, math.inf]

    @pytest.mark.parametrize("name", ["excess", "passage", "predicted"])
    def test_without_a_latch_there_is_no_edge(self, formulas, name):
        with pytest.raises(Exception, match="w is 1: the neuron latches only for w > 1"):
            formulas(f"lltd.cusp.{name}(1, 0.1)")


def settings(page):
    return page.eval_on_selector_all(".live-figure input", "all => all.map(one => one.valueAsNumber)")


def spot(page, w, u):
    """Where (w, u) is in the window."""
    box = page.locator(".live-panels svg").first.locator(".live-frame").bounding_box()
    across, up = ((value - low) / (high - low) for value, (low, high) in zip((w, u), RANGES, strict=True))
    return box["x"] + across * box["width"], box["y"] + (1 - up) * box["height"]


def meetings(page):
    """Full and open dots of the cobweb."""
    web = page.locator(".live-panels svg").nth(1)
    return web.locator(".live-stable").count(), web.locator(".live-unstable").count()


def drawn(page):
    return page.locator(".live-figure svg path").evaluate_all("all => all.map(p => p.getAttribute('d'))")


def put(page, w, u):
    page.get_by_label("weight w", exact=True).fill(str(w))
    page.get_by_label("input u", exact=True).fill(str(u))


def point(page):
    return page.get_by_role("slider", name="point of weight w and input u")


class TestReading:
    """What is shown, and how it is worked."""

    def test_numbers_are_those_of_the_settings(self, reader):
        page = reader()
        for w, u in ((2.0, -0.54), (2.0, 0.54), (1.25, 0.09), (3.0, -1.31)):
            put(page, w, u)
            assert fact(page, "edge") == f"{latch.critical_input(w):.4f}"
            excess = abs(u) - latch.critical_input(w)
            assert float(fact(page, "excess")) == pytest.approx(excess, rel=0.01)
            (place,) = resting(w, u)
            assert fact(page, "rest") == f"{place:.2f}".replace("-", "−")
            assert fact(page, "slope") == f"{w / math.cosh(place) ** 2:.3f}"
            steps = passage(w, u)
            assert fact(page, "lost") == f"{steps} steps"
            assert fact(page, "predicted") == f"{predicted(w, u):.1f} steps"
            a = states(w, u, math.copysign(latch.fixed_point(w), -u), steps)
            left = log_norms(neuron(w, u).derivative(a[:-1]))[-1].item() / LN10
            shown = f"10{left:.1f} at t = {steps}, when the bit is lost"
            assert fact(page, "gradient") == shown.replace("-", "−")
            held = steps * math.log10(latch.multiplier(w))
            assert fact(page, "held") == f"10{held:.1f}".replace("-", "−")

    def test_crossing_the_cusp_removes_two_fixed_points(self, reader):
        page = reader()
        put(page, 2, -0.53)
        assert meetings(page) == (2, 1)
        assert fact(page, "lost") == fact(page, "predicted") == "never"
        assert fact(page, "rest") == " and ".join(f"{a:.2f}" for a in resting(2.0, -0.53)[::2]).replace(
            "-", "−"
        )
        put(page, 2, -0.54)
        assert meetings(page) == (1, 0)
        put(page, 0.9, -0.54)
        assert meetings(page) == (1, 0)
        assert fact(page, "edge") == fact(page, "excess") == "none"
        assert fact(page, "lost") == fact(page, "predicted") == "no bit"
        assert page.get_by_role("button", name="4 × closer").is_disabled()

    def test_four_times_closer_takes_twice_as_long(self, reader):
        page, closer = reader(), "4 × closer to the edge"
        put(page, 2, 0.5)  # inside: the first press leads out
        counts = []
        while page.get_by_role("button", name=closer).is_enabled():
            page.get_by_role("button", name=closer).press("Enter")
            counts.append(int(fact(page, "lost").split()[0]))
        assert len(counts) == 5 and float(fact(page, "excess")) < 4e-5
        ratios = np.divide(counts[1:], counts[:-1])
        assert (np.diff(ratios) < 0).all() and ratios[-1] == pytest.approx(2, abs=0.01)

    @pytest.mark.parametrize(("w", "u"), [(2.0, -0.54), (1.25, 0.09), (2.0, 0.3), (0.8, -0.4)])
    def test_python_on_the_page_gives_the_run_shown(self, reader, w, u):
        page = reader()
        put(page, w, u)
        page.locator(".live-figure summary").click()
        promised, printed = run_in_python(page.locator(".live-figure pre").inner_text())
        assert promised == printed != []

    def test_extreme_settings_can_be_drawn(self, reader):
        page = reader()
        for w in RANGES[0]:
            for u in (*RANGES[1], 0):
                put(page, w, u)
                assert not any("NaN" in d or "Infinity" in d for d in drawn(page))

    def test_replays_after_a_change_and_tells_the_screen_reader(self, reader):
        page = reader(reduced_motion="no-preference")
        page.locator(".live-panels").scroll_into_view_if_needed()
        put(page, 1.5, -0.3)
        where = "document.querySelector('.live-where').textContent"
        steps = re.search(r"t = (\d+) of \1$", page.evaluate(where))  # the whole run at once
        assert steps
        page.wait_for_function(f"!{where}.startsWith({steps[0].split(' of ')[0]!r})")
        words = f"One resting place: the bit is lost after {passage(1.5, -0.3)} steps, "
        page.wait_for_function("document.querySelector('[role=status]').textContent !== ''")
        said = page.locator("[role=status]").inner_text()
        assert said == f"{words}predicted {predicted(1.5, -0.3):.1f} steps."


class TestPoint:
    """The point of the plane, by mouse, finger and keys."""

    def test_mouse_drags_it_and_the_cobweb_follows(self, reader):
        page = reader()
        before, numbers = drawn(page), fact(page, "edge")
        page.locator(".live-panels").scroll_into_view_if_needed()
        page.mouse.move(*spot(page, 2, -0.54))
        page.mouse.down()
        page.mouse.move(*spot(page, 2.5, 0.2), steps=4)
        assert settings(page) == pytest.approx([2.5, 0.2], abs=0.02)
        assert meetings(page) == (2, 1) and fact(page, "edge") != numbers
        assert sum(now != then for now, then in zip(drawn(page), before, strict=True)) >= 5
        page.mouse.move(*spot(page, 0.1, -2.4))  # out of the panel, still held
        assert settings(page) == [0.5, -1.5]
        page.mouse.up()
        page.mouse.move(*spot(page, 2, 0))
        assert settings(page) == [0.5, -1.5]
        page.mouse.click(*spot(page, 1.5, -0.5))  # comes to where the plane is pressed
        assert settings(page) == pytest.approx([1.5, -0.5], abs=0.02)

    def test_finger_drags_it_and_scrolls_elsewhere(self, reader):
        page = reader(has_touch=True, viewport={"width": PHONE, "height": HEIGHT})
        page.locator(".live-handle").scroll_into_view_if_needed()
        finger = page.context.new_cdp_session(page)

        def swipe(start, *path):
            top = page.evaluate("scrollY")
            send = [("touchStart", [start]), *(("touchMove", [place]) for place in path), ("touchEnd", [])]
            for kind, places in send:
                points = [{"x": x, "y": y} for x, y in places]
                finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
            return page.evaluate("scrollY") - top

        assert swipe(spot(page, 2, -0.54), spot(page, 2, -0.2), spot(page, 2.4, 0.9)) == 0
        assert settings(page) == pytest.approx([2.4, 0.9], abs=0.03)
        assert meetings(page) == (1, 0)
        page.touchscreen.tap(*spot(page, 1.5, 0.1))
        assert settings(page) == pytest.approx([1.5, 0.1], abs=0.03)
        at = settings(page)
        swipe(spot(page, 2.5, -0.9), spot(page, 2.5, -0.2), spot(page, 2.5, 0.9))
        assert settings(page) == at

    def test_arrow_keys_move_it_and_not_the_page(self, reader):
        page = reader()
        point(page).focus()
        top = page.evaluate("scrollY")
        for key, w, u in (
            ("ArrowRight", 2.05, -0.54),
            ("ArrowDown", 2.05, -0.56),
            ("Shift+ArrowUp", 2.05, -0.559),
            ("Shift+ArrowLeft", 2.04, -0.559),
            ("ArrowLeft", 1.99, -0.559),
            ("ArrowUp", 1.99, -0.539),
        ):
            page.keyboard.press(key)
            assert settings(page) == [w, u]
            assert point(page).get_attribute("aria-valuetext") == f"w {w:.2f}, u −{-u:.4f}"
            assert float(point(page).get_attribute("aria-valuenow")) == u
        assert page.evaluate("scrollY") == top
        for _ in range(25):
            page.keyboard.press("ArrowRight")
        assert settings(page) == [3, -0.539]
        page.keyboard.press("Tab")
        assert not point(page).evaluate("one => one === document.activeElement")

    @pytest.mark.parametrize("slider", ["weight w", "input u"])
    def test_slider_moves_it(self, reader, slider):
        page = reader(viewport={"width": DESK, "height": HEIGHT})
        page.get_by_label(slider, exact=True).focus()
        page.keyboard.press("ArrowRight")
        w, u = settings(page)
        assert (w, u) == ((2.01, -0.54) if slider == "weight w" else (2, -0.539))
        box = page.locator(".live-reach").bounding_box()
        centre = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        assert centre == pytest.approx(spot(page, w, u), abs=1)
