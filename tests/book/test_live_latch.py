"""The live figure of the latching neuron: its numbers are lltd's, and anybody can work it."""

import contextlib
import io
import math
import re
import subprocess
import sys

import pytest
import torch
from conftest import DESK, HEIGHT, PHONE, ROOT, open_page
from page_checks import barriers, outside_requests, sideways

from lltd import philox, tasks
from lltd.analysis import latch
from lltd.kernels.latch import reference
from lltd.philox import Purpose
from lltd.systems import tanh_latch

FIGURE = ".live-latch"
WORDS = "Here a script draws the neuron."
CONF = f"""
import sys
sys.path.insert(0, {str(ROOT / "book" / "_ext")!r})
extensions = ["myst_parser", "live_figure"]
html_theme = "sphinx_book_theme"
html_static_path = [{str(ROOT / "book" / "_static")!r}]
html_css_files = ["book.css"]
html_js_files = [["book.js", {{"defer": "defer"}}]]
html_context = {{"default_mode": "auto"}}
html_theme_options = {{"navbar_persistent": []}}
"""


def build(folder, pages):
    """Build a small book of such pages with the book's own extension and static files."""
    for name, text in {"conf.py": CONF, **pages}.items():
        (folder / name).write_text(text, encoding="utf8")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", folder, folder / "html"]
    return subprocess.run([str(part) for part in command], capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Two pages, one of them with the figure."""
    folder = tmp_path_factory.mktemp("live")
    with_figure = f"# A latch\n\n## Live\n\n```{{live-figure}} latch\n{WORDS}\n```\n"
    done = build(folder, {"index.md": with_figure, "plain.md": "---\norphan: true\n---\n# No figure\n"})
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.fixture
def reader(browser, site):
    """Opens the page as a reader does who has such a browser; still unless motion is asked for."""
    contexts = []

    def open_as(**settings):
        settings = {"reduced_motion": "reduce", "viewport": {"width": DESK, "height": HEIGHT}} | settings
        contexts.append(browser.new_context(**settings))
        page = contexts[-1].new_page()
        page.goto((site / "index.html").as_uri())
        return page

    yield open_as
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def formulas(browser, site):
    """Evaluates a function of the page on an argument."""
    page = browser.new_page()
    page.goto((site / "index.html").as_uri())
    yield page.evaluate
    page.close()


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


def fact(page, name):
    return page.locator(f"{FIGURE} [data-fact={name}]").inner_text()


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
        settings = page.eval_on_selector_all(f"{FIGURE} input", "all => all.map(one => one.valueAsNumber)")
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
        assert page.locator(".latch-stable").count() == 1 and page.locator(".latch-unstable").count() == 0

    def test_new_noise_is_that_of_the_next_runs(self, reader):
        page = reader()
        page.get_by_role("button", name="New noise").press("Enter")
        assert page.locator(f"{FIGURE} .live-where").inner_text() == "runs 10–19 of seed 1, t = 50 of 50"
        assert fact(page, "share") == tally(1.25, 0.2, 50, 20)

    def test_python_on_the_page_gives_the_run_shown(self, reader):
        page = reader()
        page.get_by_role("button", name="New noise").click()
        page.get_by_label("weight w").fill("1.65")
        page.get_by_role("button", name="New noise").click()
        page.get_by_text("The thick run in Python").click()
        code = page.locator(f"{FIGURE} pre").inner_text()
        printed, default = io.StringIO(), torch.get_default_dtype()
        try:
            with contextlib.redirect_stdout(printed):
                exec(code, {})
        finally:
            torch.set_default_dtype(default)
        assert "ids=torch.tensor([10])" in code
        assert code.splitlines()[-1] == f"# {printed.getvalue().strip()}"

    def test_extreme_settings_can_be_drawn(self, reader):
        page = reader()
        for label, value in (("weight w", "3"), ("noise s", "1"), ("length T", "200")):
            page.get_by_label(label).fill(value)
            drawn = page.locator(f"{FIGURE} svg path").evaluate_all(
                "all => all.map(p => p.getAttribute('d'))"
            )
            assert drawn and not any("NaN" in d or "Infinity" in d for d in drawn)


class TestMotion:
    MOMENT = "document.querySelector('.live-where').textContent"

    def test_plays_pauses_and_plays_on(self, reader):
        page = reader(reduced_motion="no-preference")
        page.locator(FIGURE).scroll_into_view_if_needed()
        start = page.evaluate(self.MOMENT)
        page.wait_for_function(f"start => {self.MOMENT} !== start", arg=start)
        page.get_by_role("button", name="Pause").press("Space")
        rest = page.evaluate(self.MOMENT)
        page.wait_for_timeout(500)
        assert page.evaluate(self.MOMENT) == rest
        page.get_by_role("button", name="Play").press("Space")
        page.wait_for_function(f"rest => {self.MOMENT} !== rest", arg=rest)

    def test_goes_on_to_new_noise_and_counts(self, reader):
        page = reader(reduced_motion="no-preference")
        page.get_by_label("length T").fill("10")
        page.locator(FIGURE).scroll_into_view_if_needed()
        page.wait_for_function(f"{self.MOMENT}.startsWith('runs 10–19')")
        assert fact(page, "share") == tally(1.25, 0.2, 10, 10)

    def test_stands_still_for_readers_who_ask_for_less_motion(self, reader):
        page = reader(reduced_motion="reduce")
        page.locator(FIGURE).scroll_into_view_if_needed()
        assert page.get_by_role("button", name="Play").is_visible()
        before = page.locator(FIGURE).inner_html()
        page.wait_for_timeout(500)
        assert page.locator(FIGURE).inner_html() == before
        assert fact(page, "share") == tally(1.25, 0.2, 50, 10)  # complete, though nothing moved

    def test_screen_reader_is_told_of_changes_and_not_of_motion(self, reader):
        page = reader(reduced_motion="no-preference")
        page.evaluate(
            """() => {
                window.told = [];
                const status = document.querySelector(".live-latch [role=status]");
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

    @pytest.mark.parametrize("width", [PHONE, DESK])
    def test_targets_are_large_enough_for_a_finger(self, reader, width):
        page = reader(viewport={"width": width, "height": HEIGHT})
        targets = page.locator(f"{FIGURE} :is(input, button, summary)")
        boxes = [targets.nth(i).bounding_box() for i in range(targets.count())]
        assert len(boxes) == 6 and all(min(box["width"], box["height"]) >= 24 for box in boxes)

    def test_letters_are_legible_on_a_phone(self, reader):
        page = reader(viewport={"width": PHONE, "height": HEIGHT})
        js = "all => all.map(t => t.getBoundingClientRect().height)"
        assert min(page.locator(f"{FIGURE} svg text:not(:empty)").evaluate_all(js)) >= 12
        assert sideways(page) == []

    def test_follows_the_theme_at_once_with_enough_contrast(self, reader):
        page = reader()
        colours = {}
        for theme in ("light", "dark"):
            page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
            page.wait_for_timeout(400)  # colours fade
            colours[theme] = page.evaluate(
                """() => ["latch-thick.latch-class-0", "latch-thick.latch-class-1", "latch-map"].map(
                    kind => getComputedStyle(document.querySelector(".live-latch ." + kind)).stroke)
                    .concat(getComputedStyle(document.body).backgroundColor)"""
            )
            *lines, ground = map(luminance, colours[theme])
            assert all(max(line, ground) + 0.05 >= 3 * (min(line, ground) + 0.05) for line in lines), colours
        assert not set(colours["light"]) & set(colours["dark"])

    def test_every_control_is_named_and_every_panel_described(self, reader):
        page = reader()
        assert [
            page.get_by_label(name, exact=True).count() for name in ("weight w", "noise s", "length T")
        ] == [1] * 3
        assert page.get_by_label("weight w").get_attribute("aria-valuetext") == "1.25"
        assert all(
            len(one.get_attribute("aria-label").split()) > 10 for one in page.locator(f"{FIGURE} svg").all()
        )

    @pytest.mark.parametrize(
        ("scheme", "width"), [("light", DESK), ("dark", DESK), ("light", PHONE), ("dark", PHONE)]
    )
    def test_page_keeps_no_reader_out_and_asks_for_nothing(self, browser, site, scheme, width):
        visit = open_page(browser, (site / "index.html").as_uri())
        visit.look(scheme, width)
        visit.page.get_by_text("The thick run in Python").click()
        assert barriers(visit.page) == []
        assert sideways(visit.page) == []
        assert outside_requests(visit.requests) == [] and visit.errors == []
        visit.page.context.close()

    def test_without_a_script_its_words_stand(self, reader):
        page = reader(java_script_enabled=False)
        assert page.locator(FIGURE).inner_text().strip() == WORDS


class TestDirective:
    def test_only_pages_with_the_figure_load_it(self, site):
        pattern = re.compile(r"_static/((?:philox|live_figure|latch_\w+)\.(?:js|css))")
        loaded = {name: pattern.findall((site / name).read_text()) for name in ("index.html", "plain.html")}
        styles, scripts = (
            ["live_figure.css", "latch_live.css"],
            ["philox", "live_figure", "latch_formulas", "latch_live"],
        )
        assert loaded["index.html"] == [*styles, *(f"{script}.js" for script in scripts)]
        assert loaded["plain.html"] == []

    @pytest.mark.parametrize(
        ("block", "message"),
        [
            ("```{live-figure} lach\nWords.\n```", "unknown figure 'lach'; one of latch is needed"),
            ("```{live-figure} latch\n```", "Content block expected"),
        ],
    )
    def test_wrong_block_stops_the_build(self, tmp_path, block, message):
        done = build(tmp_path, {"index.md": f"# A page\n\n{block}\n"})
        assert done.returncode != 0 and message in done.stderr

    def test_chapter_shows_it(self, browser, book):
        visit = open_page(browser, (book.html / "book" / "minimal_task.html").as_uri())
        assert visit.page.locator(f"{FIGURE} svg").count() == 2
        visit.page.context.close()


def luminance(colour):
    """Relative luminance of a CSS colour rgb(r, g, b), as the WCAG define it."""
    shares = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
