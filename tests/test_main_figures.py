"""The table of the main figures: what it reads from the stored pages, and what it makes of it."""

import json
import re
import sys
from pathlib import Path

import pytest

BOOK = Path(__file__).parents[1] / "book"
sys.path.insert(0, str(BOOK / "_ext"))
main_figures = pytest.importorskip("main_figures")

from sphinx.errors import ExtensionError  # noqa: E402

from lltd import experiments  # noqa: E402


def notebook(folder, *printed, heading="Lengths"):
    cells = [
        {"cell_type": "markdown", "source": ["# Adding\n", "words"]},
        {"cell_type": "code", "outputs": [{"text": ["broadest 95 % interval: 9.00 pt; lines: 1.6 pt\n"]}]},
        {"cell_type": "markdown", "source": [f"## {heading}"]},
        *({"cell_type": "code", "outputs": [{"text": [text]}, {"data": {}}]} for text in printed),
    ]
    path = folder / "page.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    return path


def test_what_a_page_prints_below_the_heading_is_read(tmp_path):
    page = notebook(tmp_path, "and\nbroadest 95 % interval: 3.20 pt; dots: 1.6 pt\n", "nothing")
    found = main_figures.breadth(page, "Lengths")
    assert found == main_figures.Breadth(3.2, "pt", "dots", 1.6)


@pytest.mark.parametrize("times", [0, 2])
def test_a_page_that_does_not_print_it_once_stops_the_build_and_is_named(tmp_path, times):
    page = notebook(tmp_path, *["broadest 95 % interval: 3.20 pt; dots: 1.6 pt\n"] * times)
    with pytest.raises(ExtensionError, match=f"page.ipynb prints {times} .*Lengths"):
        main_figures.breadth(page, "Lengths")


def test_every_figure_is_on_its_page_and_its_results_on_record():
    rows = re.findall("<tr>(.*?)</tr>", main_figures.rows(BOOK))
    assert len(rows) == len(main_figures.MAIN)
    for one, row in zip(main_figures.MAIN, rows, strict=True):
        assert f'href="{one.page}.html"' in row and row.count("<td") == len(main_figures.HEADS) - 1
        assert "unknown" not in row
        recipes = [experiments.find(name).recipe for name in one.results]
        assert f"{min(recipe.runs // len(recipe.cells) for recipe in recipes):,}" in row


@pytest.mark.parametrize("one", main_figures.MAIN, ids=lambda one: f"{one.page}: {one.heading}")
def test_no_interval_is_broader_than_what_the_figure_is_drawn_with(one):
    drawn = main_figures.breadth(BOOK / f"{one.page}.ipynb", one.heading)
    assert 0 < drawn.interval <= drawn.size
