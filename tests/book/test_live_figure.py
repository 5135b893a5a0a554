"""What every live figure owes its readers, and the directive that brings it."""

import re
from typing import NamedTuple

import pytest
from conftest import DESK, HEIGHT, LIVE, PHONE, WORDS, build, open_page
from page_checks import barriers, outside_requests, sideways

MOMENT = "document.querySelector('.live-where').textContent"


class Figure(NamedTuple):
    """Where a figure stands and what is in it."""

    chapter: str
    panels: int
    targets: int  # sliders, buttons, choices and the summary, for a finger
    lines: tuple[str, ...]  # selectors of lines that must stand out from the page
    files: tuple[str, ...]  # styles, then scripts
    plays: bool = True  # by itself, as long as it is in sight


FIGURES = {
    "latch": Figure(
        "minimal_task",
        panels=2,
        targets=6,
        lines=(".latch-thick.latch-class-0", ".latch-thick.latch-class-1", ".live-curve"),
        files=("latch_live.css", "latch_formulas.js", "latch_live.js"),
    ),
    "cusp": Figure(
        "latching",
        panels=4,
        targets=5,
        lines=(".cusp-run", ".cusp-stairs", ".live-curve"),
        files=("cusp_live.css", "latch_formulas.js", "cusp_formulas.js", "cusp_live.js"),
    ),
    "flip_flop": Figure(
        "flip_flop",
        panels=2,
        targets=9,
        lines=(".flip-threshold", ".flip-arrow", ".flip-face", ".live-curve"),
        files=("flip_flop_live.css", "latch_formulas.js", "flip_flop_formulas.js", "flip_flop_live.js"),
    ),
    "random_search": Figure(
        "random_search",
        panels=4,
        targets=7,
        lines=(".search-dots", ".search-paper", ".search-plus", ".search-minus", ".live-curve"),
        files=(
            "random_search_live.css",
            "random_search_formulas.js",
            "random_search_panels.js",
            "random_search_live.js",
        ),
        plays=False,
    ),
    "lstm": Figure(
        "lstm",
        panels=4,
        targets=5,
        lines=(".lstm-input", ".lstm-cell", ".lstm-elman", ".lstm-wanted", ".lstm-values"),
        files=("lstm_live.css", "lstm_formulas.js", "lstm_live.js"),
        plays=False,
    ),
    "adding": Figure(
        "adding",
        panels=3,
        targets=6,
        lines=(
            ".adding-streak",
            ".adding-goal",
            ".adding-printed",
            ".adding-mean",
            ".adding-law",
            ".adding-share",
        ),
        files=("adding_live.css", "adding_formulas.js", "adding_live.js"),
        plays=False,
    ),
}
SHARED = ("live_figure.css", "philox.js", "live_figure.js")


@pytest.fixture(scope="module", params=LIVE)
def figure(request):
    return request.param


def luminance(colour):
    """Relative luminance of a CSS colour rgb(r, g, b), as the WCAG define it."""
    shares = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


class TestMotion:
    @pytest.fixture(params=[name for name in LIVE if FIGURES[name].plays])
    def figure(self, request):
        return request.param

    def test_plays_pauses_and_plays_on(self, reader):
        page = reader(reduced_motion="no-preference")
        page.locator(".live-panels").scroll_into_view_if_needed()
        start = page.evaluate(MOMENT)
        page.wait_for_function(f"start => {MOMENT} !== start", arg=start)
        page.get_by_role("button", name="Pause").press("Space")
        rest = page.evaluate(MOMENT)
        page.wait_for_timeout(500)
        assert page.evaluate(MOMENT) == rest
        page.get_by_role("button", name="Play").press("Space")
        page.wait_for_function(f"rest => {MOMENT} !== rest", arg=rest)

    def test_stands_still_and_complete_for_readers_who_ask_for_less_motion(self, reader):
        page = reader(reduced_motion="reduce")
        page.locator(".live-panels").scroll_into_view_if_needed()
        assert page.get_by_role("button", name="Play").is_visible()
        assert re.search(r"\b(\d+) of \1$", page.evaluate(MOMENT))
        before = page.locator(".live-figure").inner_html()
        page.wait_for_timeout(500)
        assert page.locator(".live-figure").inner_html() == before


class TestReaders:
    """Nobody is kept out."""

    @pytest.mark.parametrize("width", [PHONE, DESK])
    def test_targets_are_large_enough_for_a_finger(self, reader, figure, width):
        page = reader(viewport={"width": width, "height": HEIGHT})
        targets = page.locator(".live-figure :is(input, button, select, summary, .live-reach)")
        boxes = [targets.nth(i).bounding_box() for i in range(targets.count())]
        handles = page.locator(".live-reach").count()
        assert len(boxes) == FIGURES[figure].targets + handles
        assert all(min(box["width"], box["height"]) >= 24 for box in boxes)

    def test_letters_are_legible_on_a_phone(self, reader):
        page = reader(viewport={"width": PHONE, "height": HEIGHT})
        js = "all => all.map(t => t.getBoundingClientRect().height)"
        assert min(page.locator(".live-figure svg text:not(:empty)").evaluate_all(js)) >= 12
        assert sideways(page) == []

    def test_follows_the_theme_at_once_with_enough_contrast(self, reader, figure):
        page = reader()
        colours = {}
        for theme in ("light", "dark"):
            page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
            page.wait_for_timeout(400)  # colours fade
            colours[theme] = page.evaluate(
                """lines => lines.map(line => getComputedStyle(document.querySelector(".live-figure " + line)).stroke)
                    .concat(getComputedStyle(document.body).backgroundColor)""",
                FIGURES[figure].lines,
            )
            *lines, ground = map(luminance, colours[theme])
            assert all(max(line, ground) + 0.05 >= 3 * (min(line, ground) + 0.05) for line in lines), colours
        assert not set(colours["light"]) & set(colours["dark"])

    def test_every_panel_is_described(self, reader, figure):
        panels = reader().locator(".live-figure svg").all()
        assert len(panels) == FIGURES[figure].panels
        assert all(len(one.get_attribute("aria-label").split()) > 10 for one in panels)

    @pytest.mark.parametrize(
        ("scheme", "width"), [("light", DESK), ("dark", DESK), ("light", PHONE), ("dark", PHONE)]
    )
    def test_page_keeps_no_reader_out_and_asks_for_nothing(self, browser, site, figure, scheme, width):
        visit = open_page(browser, (site / f"{figure}.html").as_uri())
        visit.look(scheme, width)
        visit.page.locator(".live-figure summary").click()
        assert barriers(visit.page, contrast=width == DESK) == []
        assert sideways(visit.page) == []
        assert outside_requests(visit.requests) == [] and visit.errors == []
        visit.page.context.close()

    def test_without_a_script_its_words_stand(self, reader):
        page = reader(java_script_enabled=False)
        assert page.locator(".live-figure").inner_text().strip() == WORDS


class TestDirective:
    def loaded(self, page):
        names = "|".join(
            path.replace(".", r"\.") for one in FIGURES.values() for path in (*SHARED, *one.files)
        )
        return re.findall(rf"_static/({names})", page.read_text())

    def test_a_page_loads_what_its_figure_needs_once_and_in_order(self, site, figure):
        files = (*SHARED, *FIGURES[figure].files)
        styles, scripts = ([file for file in files if file.endswith(kind)] for kind in (".css", ".js"))
        assert self.loaded(site / f"{figure}.html") == styles + scripts

    def test_all_figures_share_a_page(self, browser, site):
        loaded = self.loaded(site / "all.html")
        assert len(loaded) == len(set(loaded))
        assert set(loaded) == {*SHARED, *(file for one in FIGURES.values() for file in one.files)}
        visit = open_page(browser, (site / "all.html").as_uri())
        assert visit.page.locator(".live-panels").count() == len(LIVE) and visit.errors == []
        assert barriers(visit.page, contrast=False) == []
        visit.page.context.close()

    def test_other_pages_load_nothing_of_it(self, site):
        assert self.loaded(site / "index.html") == []

    @pytest.mark.parametrize(
        ("block", "message"),
        [
            ("```{live-figure} lach\nWords.\n```", "unknown figure 'lach'; one of adding, cusp, "),
            ("```{live-figure} latch\n```", "Content block expected"),
        ],
    )
    def test_wrong_block_stops_the_build(self, tmp_path, block, message):
        done = build(tmp_path, {"index.md": f"# A page\n\n{block}\n"})
        assert done.returncode != 0 and message in done.stderr

    def test_chapter_shows_it(self, browser, book, figure):
        of = FIGURES[figure]
        visit = open_page(browser, (book.html / "book" / f"{of.chapter}.html").as_uri())
        assert visit.page.locator(f".live-{figure} svg").count() == of.panels
        visit.page.context.close()
