"""The built book in a real browser: each page opened from its folder, without a network."""

import sys
from importlib.metadata import version

import pytest
import yaml
from conftest import DESK, PHONE, ROOT, open_page
from page_checks import (
    barriers,
    broken_links,
    illegible_figures,
    missing_in_footer,
    outside_requests,
    sideways,
    undrawn_maths,
    unspoken_figures,
)
from PIL import Image

sys.path.insert(0, str(ROOT / "book" / "_ext"))
from colophon import commit

TOC = yaml.safe_load((ROOT / "_toc.yml").read_text())
CHAPTERS = [TOC["root"], *(chapter["file"] for part in TOC["parts"] for chapter in part["chapters"])]
MADE = ["genindex", "search"]  # by Sphinx
PAGES = [name.removesuffix(".ipynb") for name in CHAPTERS] + MADE
RED = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='600' height='50'/>"


@pytest.fixture(scope="module", params=PAGES)
def visit(request, browser, book):
    """A page of the book, opened once for all the questions below."""
    visit = open_page(browser, (book.html / f"{request.param}.html").as_uri())
    yield visit
    visit.page.context.close()


def test_book_builds_without_a_warning(book):
    assert book.returncode == 0, book.log


def test_every_built_page_is_looked_at(book):
    built = {str(file.relative_to(book.html).with_suffix("")) for file in book.html.rglob("*.html")}
    static = {name for name in built if name.startswith("_static/")}  # the theme's templates, not pages
    assert built - static == {*PAGES, "index"}


def test_index_opens_the_book(browser, book):
    page = browser.new_page()
    page.goto((book.html / "index.html").as_uri(), wait_until="commit")
    page.wait_for_url("**/book/index.html")
    assert page.locator("article h1").count() == 1
    page.close()


def test_page_makes_no_request_outside(visit):
    assert visit.requests and outside_requests(visit.requests) == []


def test_page_draws_its_maths(visit):
    assert undrawn_maths(visit.page) == []


@pytest.mark.parametrize(("scheme", "width"), [("light", DESK), ("dark", DESK), ("light", PHONE)])
def test_page_keeps_no_reader_out(visit, scheme, width):
    visit.look(scheme, width)
    assert visit.page.evaluate("document.documentElement.dataset.theme") == scheme
    assert barriers(visit.page, contrast=width == DESK) == []


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_page_fits_its_window(visit, width):
    visit.look("light", width)
    assert sideways(visit.page) == []
    assert illegible_figures(visit.page) == []


def test_figures_are_described(visit):
    assert unspoken_figures(visit.page) == []


def test_links_lead_somewhere(visit):
    assert broken_links(visit.page) == []


def test_footer_names_version_and_commit(visit):
    assert missing_in_footer(visit.page, f"version {version('lltd')}", f"commit {commit(ROOT)}") == []


def test_page_throws_no_error(visit):  # the last question, so that it covers all that was done before
    assert visit.errors == []


def test_figures_are_opaque(book):
    """A transparent figure would show its black letters on the dark mode's black page."""
    figures = [*(book.html / "_images").glob("*.png")]
    assert figures
    for figure in figures:
        assert Image.open(figure).convert("RGBA").getchannel("A").getextrema() == (255, 255), figure.name


@pytest.mark.parametrize(("word", "found"), [("latch", True), ("xylophone", False)])
def test_search_works_offline(browser, book, word, found):
    visit = open_page(browser, (book.html / "search.html").as_uri() + f"?q={word}")
    visit.page.wait_for_function("document.querySelector('.search-summary')?.innerText")
    titles = visit.page.locator("#search-results li a").all_inner_texts()
    assert ("Glossary" in titles) == bool(titles) == found
    assert visit.errors == []
    visit.page.context.close()


class TestOnABadPage:
    """Each check finds what it is for."""

    def test_request_outside(self, visit_text):
        visit = visit_text("", head="<script src='https://cdn.invalid/x.js'></script>")
        assert outside_requests(visit.requests) == ["https://cdn.invalid/x.js"]

    @pytest.mark.parametrize(
        "script", ["throw Error('thrown')", "console.error('said')", "fetch('x').catch(e => e)"]
    )
    def test_error(self, visit_text, script):
        assert visit_text(f"<script>{script}</script>").errors != []

    @pytest.mark.parametrize(
        "body",
        [
            r"<span class='math'>\(x^2\)</span>",
            "<p>costs $x^2$ to run</p>",
            r"<p>\begin{align}</p>",
            "<mjx-container><svg><g data-mml-node='merror'></g></svg></mjx-container>",
        ],
    )
    def test_undrawn_maths(self, visit_text, body):
        assert len(undrawn_maths(visit_text(body).page)) >= 1

    def test_barriers(self, visit_text):
        pale = "<p style='color: #bbb; background: #fff'>pale</p>"
        names = [finding.split()[0] for finding in barriers(visit_text(f"{pale}<img src='{RED}'>").page)]
        assert names == ["color-contrast", "image-alt"]

    def test_barriers_but_contrast(self, visit_text):
        pale = visit_text("<p style='color: #bbb; background: #fff'>pale</p>").page
        assert barriers(pale, contrast=False) == [] != barriers(pale)

    def test_sideways(self, visit_text):
        visit = visit_text("<div style='width: 600px'>wide</div>")
        assert sideways(visit.page) == []
        visit.look("light", PHONE)
        assert "608 px: <div" in sideways(visit.page)[0]

    @pytest.mark.parametrize(
        ("body", "wrong"),
        [
            (f'<div style="overflow-x: auto"><img src="{RED}"></div>', None),
            (f'<img src="{RED}" style="max-width: 100%">', "drawn for 600"),
            (f'<div style="overflow: hidden"><img src="{RED}"></div>', "cut off"),
            (f'<div style="opacity: 0"><img src="{RED}"></div>', "hidden"),
            ('<img src="absent.png">', "not loaded"),
        ],
    )
    def test_illegible_figures(self, visit_text, body, wrong):
        visit = visit_text(body)
        visit.look("light", PHONE)
        found = illegible_figures(visit.page)
        assert [wrong in line for line in found] == [True] if wrong else found == []

    @pytest.mark.parametrize("alt", ["", "../_images/figure.png"])
    def test_unspoken_figures(self, visit_text, alt):
        assert len(unspoken_figures(visit_text(f'<img src="{RED}" alt="{alt}">').page)) == 1

    def test_broken_links(self, visit_text):
        targets = ("#here", "absent.html", "#there", "https://x.invalid")
        links = "".join(f"<a href='{target}'>x</a>" for target in targets)
        found = broken_links(visit_text(f"<p id='here'>{links}</p>").page)
        assert [line.split(":")[0] for line in found] == ["no such file", "no such place"]

    def test_footer(self, visit_text):
        visit = visit_text("<p>version 7</p><footer>version 8</footer>")
        assert missing_in_footer(visit.page, "version 7", "version 8") == ["version 7"]
