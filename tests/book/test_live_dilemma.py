"""The live figure that sets noise against gradients: it draws what the page holds, and opens every unit's runs."""

import json

import pytest
from conftest import DESK, PHONE, WORDS, build, open_page
from page_checks import barriers, outside_requests, sideways

PATH = [[100] * 11, [-100] * 11, [100, *[150] * 10], [-100, *[-150] * 10]]
WANDERING = [[100 + 40 * t for t in range(11)], [-100 - 40 * t for t in range(11)]] * 2
UNITS = [
    {"name": "switch", "rate": None, "trapped": True, "state": {"size": 0.2}, "input": {"size": 0.2}},
    {"name": "cell", "rate": 0.0, "trapped": False, "state": {"size": 0.01}, "input": {"size": 1.2}},
    {"name": "sum", "rate": 0.0, "trapped": False, "state": {"size": 0.01}, "input": {"size": 0.01}},
    {"name": "leak", "rate": -0.004, "trapped": False, "state": {"size": 0.0}, "input": {"size": 0.0}},
]
for unit in UNITS:
    unit["paths"] = {"state": [PATH, WANDERING]}
UNITS[1]["paths"]["input"] = [WANDERING, WANDERING]
DATA = json.dumps({"every": 10, "units": UNITS})


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A page with the figure and its data, and one without the data."""
    folder = tmp_path_factory.mktemp("dilemma")
    figure = f"# A page\n\n```{{live-figure}} dilemma\n{WORDS}\n```\n"
    held = f'\n```{{raw}} html\n<script type="application/json" class="dilemma-data">{DATA}</script>\n```\n'
    orphan = "---\norphan: true\n---\n"
    done = build(folder, {"index.md": figure + held, "without.md": orphan + figure})
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.fixture
def visit(browser, site):
    one = open_page(browser, (site / "index.html").as_uri())
    yield one
    one.page.context.close()


def facts(page):
    return [page.locator(f"[data-fact={name}]").inner_text() for name in ("rate", "state", "input")]


def test_each_unit_has_a_point_in_both_panels_and_a_button(visit):
    assert visit.page.locator(".dilemma-point").count() == 2 * len(UNITS)
    assert visit.page.locator(".dilemma-trapped").count() == 2
    for unit in UNITS:
        visit.page.get_by_role("button", name=unit["name"]).click()
        assert visit.page.locator(".dilemma-chosen").count() == 2
        assert visit.page.locator("[aria-pressed=true]").first.inner_text() == unit["name"]


def test_numbers_are_those_that_the_page_holds(visit):
    assert facts(visit.page) == ["zero at once", "0.20", "0.20"]
    visit.page.get_by_role("button", name="cell").click()
    assert facts(visit.page) == ["0.000", "0.010", "1.20"]
    visit.page.get_by_role("button", name="leak").click()
    assert facts(visit.page) == ["−0.004", "not even 0.001", "not even 0.001"]


def test_runs_are_those_of_the_unit_and_the_noise(visit):
    runs = visit.page.locator(".dilemma-run")
    assert runs.count() == 8

    def drawn():
        return [runs.nth(i).get_attribute("d") for i in range(8)]

    quiet = drawn()
    assert quiet[:4] == quiet[4:] and all(path.count("L") == 10 for path in quiet)
    visit.page.get_by_role("button", name="three times").click()
    assert drawn() != quiet
    visit.page.get_by_role("button", name="noise that it survives").click()
    assert drawn() == quiet
    visit.page.get_by_role("button", name="cell").click()
    assert drawn()[:4] == quiet[:4] and drawn()[4:] != quiet[4:]  # its gate makes a difference


def test_points_in_one_place_take_turns(visit):
    name = visit.page.locator(".dilemma-name").first
    shared = visit.page.locator(".live-panels svg").first.locator(".dilemma-point", has_text="cell")
    box = shared.bounding_box()
    seen = []
    for _ in range(2):
        visit.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        seen.append(name.text_content())
    assert sorted(seen) == ["cell", "sum"]


@pytest.mark.parametrize(("scheme", "width"), [("light", DESK), ("dark", DESK), ("light", PHONE)])
def test_page_keeps_no_reader_out_and_asks_for_nothing(visit, scheme, width):
    visit.look(scheme, width)
    assert barriers(visit.page, contrast=width == DESK) == []
    assert sideways(visit.page) == []
    assert outside_requests(visit.requests) == [] and visit.errors == []


def test_without_data_the_words_stay(browser, site):
    one = open_page(browser, (site / "without.html").as_uri())
    assert WORDS in one.page.locator(".live-dilemma").inner_text() and one.errors == []
    one.page.context.close()
