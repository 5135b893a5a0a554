"""The live figure of the latching neuron: its numbers are lltd's, and anybody can work it."""

import math

import pytest
import torch
from conftest import HEIGHT, PHONE, fact, run_in_python

from lltd import philox, tasks
from lltd.analysis import latch
from lltd.kernels.latch import reference
from lltd.philox import Purpose
from lltd.systems import tanh_latch

FIGURE = "latch"


def neuron(w, s, length, ids):
    """Outputs (T + 1, 2, runs) of the task with L = 1 and the inputs -1 and +1, by lltd."""
    ids = torch.as_tensor(ids)
    theta = torch.tensor([w, -1.0, 1.0], dtype=torch.float64)[:, None].expand(3, len(ids))
    noise = torch.full((len(ids),), s, dtype=torch.float64)
    return reference.forward(theta, reference.draw(1, ids, 0, length - 1, Purpose.NOISE, noise))


def gradient(w, s, length, run):
    """∂x_T/∂u_1 of both classes of a run, by autograd."""
    theta = torch.tensor([[w], [-1.0], [1.0]], dtype=torch.float64, requires_grad=True)
    noise = torch.tensor([s], dtype=torch.float64)
    inputs = reference.draw(1, torch.tensor([run]), 0, length - 1, Purpose.NOISE, noise)
    return torch.autograd.grad(reference.forward(theta, inputs)[-1].sum(), theta)[0][1:, 0]


def tally(w, s, length, runs):
    end = neuron(w, s, length, torch.arange(runs))[-1]
    right = int((end[0] < 0).sum() + (end[1] > 0).sum())
    return f"{right} of {2 * runs} ({100 * right // (2 * runs)} %)"


class TestFormulas:
    """The page's numbers are lltd's."""

    ADDRESSES = (
        *((seed, run, step, 1) for seed in (0, 1, 2**40 + 7) for run in range(40) for step in (0, 1, 99)),
        *((2**63 - 1, 2**63 - 1 - i, 2**32 - 1 - i, 2**32 - 1) for i in range(10)),
        *((1, trial * 2**32 + 5, 3, purpose) for trial in range(20) for purpose in Purpose),
    )

    def sent(self):  # whole numbers beyond 2^53 travel as text
        return [[str(seed), str(run), step, int(purpose)] for seed, run, step, purpose in self.ADDRESSES]

    def test_random_words_are_the_same(self, formulas):
        js = "all => all.map(([s, i, ...rest]) => lltd.philox.block(BigInt(s), BigInt(i), ...rest))"
        ours = [philox.block(*address).tolist() for address in self.ADDRESSES]
        assert formulas(js, self.sent()) == ours

    def test_known_answers(self, formulas):  # Random123, kat_vectors
        ones = 0xFFFFFFFF
        js = "([counter, key]) => lltd.philox.philox4x32(counter, key)"
        assert formulas(js, [[0] * 4, [0] * 2]) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
        assert formulas(js, [[ones] * 4, [ones] * 2]) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]

    def test_small_addresses_may_be_plain_numbers(self, formulas):
        assert formulas("lltd.philox.block(1, 2 ** 40, 3, 1)") == philox.block(1, 2**40, 3, 1).tolist()

    def test_uniform_and_normal_numbers_are_the_same(self, formulas):
        for name in ("uniform", "normal"):
            js = f"all => all.map(([s, i, ...rest]) => lltd.philox.{name}(BigInt(s), BigInt(i), ...rest))"
            ours = torch.stack([getattr(philox, name)(*address) for address in self.ADDRESSES])
            page = torch.tensor(formulas(js, self.sent()), dtype=torch.float64)
            torch.testing.assert_close(page, ours, rtol=0, atol=0 if name == "uniform" else 1e-12)

    def test_purposes_are_the_same(self, formulas):
        assert formulas("lltd.philox.Purpose") == {purpose.name: purpose.value for purpose in Purpose}

    @pytest.mark.parametrize(
        "address", ["-1, 0, 0, 0", "0, 2 ** 53, 0, 0", "0, .5, 0, 0", "0, 0, 2 ** 32, 0"]
    )
    def test_address_out_of_range_is_named(self, formulas, address):
        with pytest.raises(Exception, match=r"RangeError: \w+ is .* is needed"):
            formulas(f"lltd.philox.block({address})")

    @pytest.mark.parametrize(
        ("theirs", "ours"),
        [
            ("fixedPoint", latch.fixed_point),
            ("multiplier", latch.multiplier),
            ("criticalState", latch.critical_state),
            ("criticalInput", latch.critical_input),
        ],
    )
    def test_closed_forms_are_the_same(self, formulas, theirs, ours):
        weights = torch.linspace(1.001, 4, 300, dtype=torch.float64).tolist()
        page = formulas(f"all => all.map(lltd.latch.{theirs})", weights)
        assert page == pytest.approx([ours(w) for w in weights], rel=1e-12, abs=1e-12)
        with pytest.raises(Exception, match="w is 1: the neuron latches only for w > 1"):
            formulas(f"lltd.latch.{theirs}(1)")

    def test_step_is_the_same(self, formulas):
        cases = torch.randn(300, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        page = formulas("all => all.map(([a, w, u]) => lltd.latch.step(a, w, u))", cases.tolist())
        assert page == pytest.approx(tanh_latch.step(*cases.T).tolist(), rel=1e-12, abs=1e-12)

    @pytest.mark.parametrize("steps", [9, 10, 199])
    def test_noise_of_a_run_is_the_same(self, formulas, steps):
        ids = torch.arange(20)
        js = "([ids, steps]) => ids.map(id => lltd.latch.noise(1, id, steps))"
        page = torch.tensor(formulas(js, [ids.tolist(), steps]), dtype=torch.float64)  # (runs, 2, steps)
        ours = tasks.latch_noise(1, ids, 0, steps, Purpose.NOISE)
        torch.testing.assert_close(page.permute(2, 1, 0), ours, rtol=0, atol=1e-12)

    @pytest.mark.parametrize("w", [0.5, 1.25, 2.0, 3.0])
    def test_outputs_are_the_same(self, formulas, w):
        js = """([w, ids]) => ids.map(id => lltd.latch.inputs(1, id, 200, 0.2).map(u => lltd.latch.outputs(w, u)))"""
        page = torch.tensor(formulas(js, [w, list(range(20))]), dtype=torch.float64)  # (runs, 2, T + 1)
        torch.testing.assert_close(page.permute(2, 1, 0), neuron(w, 0.2, 200, range(20)), rtol=0, atol=1e-12)

    @pytest.mark.parametrize(("w", "s"), [(0.5, 0.5), (1.25, 0.2), (2.0, 0.0), (2.0, 0.3)])
    def test_gradient_is_that_of_autograd(self, formulas, w, s):
        js = """([w, s, id]) => lltd.latch.inputs(1, id, 60, s).map(u => {
            const a = lltd.latch.states(w, u);
            return [lltd.latch.derivative(w, a), lltd.latch.decades(w, a).at(-1)];
        })"""
        for run in range(5):
            derivative, decades = zip(*formulas(js, [w, s, run]), strict=True)
            ours = gradient(w, s, 60, run).tolist()
            assert derivative == pytest.approx(ours, rel=1e-9)
            assert decades == pytest.approx([math.log10(g) for g in ours], abs=1e-9)

    def test_gradient_too_small_for_a_double_keeps_its_decades(self, formulas):
        js = "w => { const a = Array(401).fill(lltd.latch.fixedPoint(w)); return lltd.latch.decades(w, a); }"
        decades = formulas(js, 3)
        steps = torch.tensor(decades, dtype=torch.float64).diff()
        assert decades[-1] < -500
        torch.testing.assert_close(steps, torch.full_like(steps, math.log10(latch.multiplier(3.0))))


class TestReading:
    """What is shown, and how it is worked."""

    @pytest.mark.parametrize(
        ("slider", "keys", "w", "s", "length"),
        [
            ("weight w", ["ArrowRight"] * 15, 2.0, 0.2, 50),
            ("weight w", ["ArrowUp"] * 3, 1.4, 0.2, 50),
            ("noise s", ["End"], 1.25, 1.0, 50),
            ("noise s", ["Home"], 1.25, 0.0, 50),
            ("length T", ["End"], 1.25, 0.2, 200),
            ("length T", ["ArrowLeft"] * 6, 1.25, 0.2, 20),
        ],
    )
    def test_keys_move_a_slider_and_the_numbers_follow(self, reader, slider, keys, w, s, length):
        page = reader()
        page.get_by_label(slider).focus()
        for key in keys:
            page.keyboard.press(key)
        settings = page.eval_on_selector_all(".live-figure input", "all => all.map(one => one.valueAsNumber)")
        assert settings == [w, s, length]
        assert fact(page, "rest") == f"{math.tanh(latch.fixed_point(w)):.3f}"
        assert fact(page, "factor") == f"{latch.multiplier(w):.3f}"
        assert fact(page, "harmless") == f"{latch.critical_input(w):.3f}"
        assert fact(page, "share") == tally(w, s, length, 10)
        decades = math.log10(gradient(w, s, length, 0)[1])
        assert fact(page, "gradient") == f"10{decades:.1f}".replace("-", "−")

    def test_stronger_latch_is_safer_and_its_gradient_dies(self, reader):
        page, shares, decades = reader(), [], []
        page.get_by_label("length T").fill("100")
        for w in ("1.1", "1.5", "2", "3"):
            page.get_by_label("weight w").fill(w)
            shares.append(int(fact(page, "share").split()[0]))
            decades.append(float(fact(page, "gradient")[2:].replace("−", "-")))
        assert shares == sorted(shares) and shares[0] < shares[-1] == 20
        assert decades == sorted(decades, reverse=True)

    @pytest.mark.parametrize("w", ["0.5", "1"])
    def test_below_one_there_is_no_bit(self, reader, w):
        page = reader()
        page.get_by_label("weight w").fill(w)
        assert fact(page, "rest") == "0, no bit" and fact(page, "harmless") == "none"
        assert fact(page, "factor") == f"{float(w):.3f}, at 0"
        assert page.locator(".live-stable").count() == 1 and page.locator(".live-unstable").count() == 0

    def test_new_noise_is_that_of_the_next_runs(self, reader):
        page = reader()
        page.get_by_role("button", name="New noise").press("Enter")
        assert page.locator(".live-figure .live-where").inner_text() == "runs 10–19 of seed 1, t = 50 of 50"
        assert fact(page, "share") == tally(1.25, 0.2, 50, 20)

    def test_python_on_the_page_gives_the_run_shown(self, reader):
        page = reader()
        page.get_by_role("button", name="New noise").click()
        page.get_by_label("weight w").fill("1.65")
        page.get_by_role("button", name="New noise").click()
        page.get_by_text("The thick run in Python").click()
        code = page.locator(".live-figure pre").inner_text()
        assert "ids=torch.tensor([10])" in code
        promised, printed = run_in_python(code)
        assert promised == printed != []

    def test_extreme_settings_can_be_drawn(self, reader):
        page = reader()
        for label, value in (("weight w", "3"), ("noise s", "1"), ("length T", "200")):
            page.get_by_label(label).fill(value)
            drawn = page.locator(".live-figure svg path").evaluate_all(
                "all => all.map(p => p.getAttribute('d'))"
            )
            assert drawn and not any("NaN" in d or "Infinity" in d for d in drawn)


class TestMotion:
    MOMENT = "document.querySelector('.live-where').textContent"

    def test_goes_on_to_new_noise_and_counts(self, reader):
        page = reader(reduced_motion="no-preference")
        page.get_by_label("length T").fill("10")
        page.locator(".live-figure").scroll_into_view_if_needed()
        page.wait_for_function(f"{self.MOMENT}.startsWith('runs 10–19')")
        assert fact(page, "share") == tally(1.25, 0.2, 10, 10)

    def test_without_motion_the_runs_are_complete(self, reader):
        assert fact(reader(reduced_motion="reduce"), "share") == tally(1.25, 0.2, 50, 10)

    def test_screen_reader_is_told_of_changes_and_not_of_motion(self, reader):
        page = reader(reduced_motion="no-preference")
        page.evaluate(
            """() => {
                window.told = [];
                const status = document.querySelector("[role=status]");
                new MutationObserver(() => told.push(status.textContent)).observe(status, {childList: true});
            }"""
        )
        page.wait_for_timeout(1500)
        assert page.evaluate("told") == []
        page.get_by_role("button", name="Pause").click()
        page.get_by_label("weight w").focus()
        for _ in range(15):
            page.keyboard.press("ArrowRight")
        page.wait_for_function("told.length > 0")
        page.wait_for_timeout(1000)
        decades = math.log10(gradient(2.0, 0.2, 50, 0)[1])
        words = f"Ends on the right side: {tally(2.0, 0.2, 50, 10)}. Gradient: 10 to the power {decades:.0f}."
        assert page.evaluate("told") == [words.replace("-", "−")]


class TestReaders:
    """Nobody is kept out."""

    def test_finger_moves_a_slider(self, reader):
        page = reader(has_touch=True, viewport={"width": PHONE, "height": HEIGHT})
        slider = page.get_by_label("weight w")
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        page.touchscreen.tap(box["x"] + 0.75 * box["width"], box["y"] + box["height"] / 2)
        w = slider.evaluate("one => one.valueAsNumber")
        assert w == pytest.approx(0.5 + 0.75 * 2.5, abs=0.15)
        assert fact(page, "harmless") == f"{latch.critical_input(w):.3f}"
        page.get_by_role("button", name="New noise").tap()
        assert fact(page, "share") == tally(w, 0.2, 50, 20)

    def test_every_control_is_named(self, reader):
        page = reader()
        names = ("weight w", "noise s", "length T")
        assert [page.get_by_label(name, exact=True).count() for name in names] == [1] * 3
        assert page.get_by_label("weight w").get_attribute("aria-valuetext") == "1.25"
