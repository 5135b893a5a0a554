"""The main figure of each chapter with runs behind it: how many there are, and how sure they make it."""

import json
import re
from collections import Counter
from html import escape
from pathlib import Path
from typing import NamedTuple

from sphinx.errors import ExtensionError

from lltd import experiments

BROADEST = re.compile(r"^broadest 95 % interval: ([\d.]+) (\w+); (\w+): ([\d.]+) \w+$", re.MULTILINE)
HEADS = ("Figure", "Runs a point", "In print", "Broadest interval", "Computed in, on")
# Left out of a machine's name, which stands in full in the table of all results.
MAKE = re.compile(r"\(\w+\)|Processor|@.*|, \d+ cores")


class MainFigure(NamedTuple):
    """A figure under a heading of a page, the results that it shows, and the printed number of runs behind a point."""

    page: str
    heading: str
    results: tuple[str, ...]
    printed: str = "not told"


OURS = "no such figure"
LENGTHS = ("lengths", "500", "1000")
MAIN = (
    MainFigure(
        "minimal_task",
        "Figure 2a: over weight and noise",
        ("minimal_task/density", "minimal_task/contour"),
        "18",
    ),
    MainFigure("minimal_task", "Figure 2b: over the length", ("minimal_task/length",)),
    MainFigure("minimal_task", "The price of a long sequence", ("minimal_task/epochs",), OURS),
    MainFigure("flip_flop", "The experiment", ("flip_flop/grid",)),
    MainFigure("dilemma", "Every memory in one picture", ("dilemma/survival",), OURS),
    MainFigure("optimizers", "The results of 1994, and ours", ("optimizers/methods", "optimizers/longest")),
    MainFigure("random_search", "What a mean of ten can say", ("random_search/many",), "10"),
    MainFigure("lstm", "Without a part", ("lstm/ablations", "lstm/forget_gate"), OURS),
    MainFigure(
        "adding",
        "Lengths",
        (
            *("adding/linear", "adding/literal"),  # T = 100
            *(f"adding/{reading}_{T}" for reading in ("nearest", "literal") for T in LENGTHS),
        ),
        "10",
    ),
)


class Breadth(NamedTuple):
    """How broad the broadest interval of a figure is drawn, and the mark that it is drawn with, in the same unit."""

    interval: float
    unit: str
    mark: str
    size: float


def breadth(page: Path, heading: str) -> Breadth:
    """What a stored notebook prints under a heading; ExtensionError unless it does so once."""
    now, found = "", []
    for cell in json.loads(page.read_text())["cells"]:
        if cell["cell_type"] == "markdown":
            now = (re.findall(r"^#+ (.+)$", "".join(cell["source"]), re.MULTILINE) or [now])[-1]
        elif now == heading:
            printed = ("".join(output.get("text", "")) for output in cell["outputs"])
            found += [one for text in printed for one in BROADEST.findall(text)]
    if len(found) != 1:
        raise ExtensionError(
            f"main_figures: {page.name} prints {len(found)} broadest intervals under “{heading}”"
        )
    interval, unit, mark, size = found[0]
    return Breadth(float(interval), unit, mark, float(size))


def rows(book: Path) -> str:
    """The rows of the table, in HTML."""
    return "".join(f"<tr>{_row(book, one)}</tr>" for one in MAIN)


def _row(book: Path, one: MainFigure) -> str:
    drawn = breadth(book / f"{one.page}.ipynb", one.heading)
    runs = sorted(_runs_a_point(one.results).values())
    notes = [experiments.provenance(name) for name in one.results]
    seconds = sum(note.get("seconds", 0) for note in notes)
    makes = {" ".join(MAKE.sub(" ", note.get("machine", "unknown")).split()) for note in notes}
    cells = (
        " to ".join(f"{count:,}" for count in dict.fromkeys((runs[0], runs[-1]))),
        one.printed,
        f"{drawn.interval:.2f} {drawn.unit}; {drawn.mark}: {drawn.size:g} {drawn.unit}",
        f"{_time(seconds)}, {' and '.join(sorted(makes))}",
    )
    link = f'{one.page}: <a href="{one.page}.html">{escape(one.heading)}</a>'
    return f'<th scope="row">{link}</th>' + "".join(
        f'<td class="words">{escape(cell)}</td>' for cell in cells
    )


def _runs_a_point(results: tuple[str, ...]) -> Counter[str]:
    """How many runs there are of each cell, under its settings; those of several results are added up."""
    runs: Counter[str] = Counter()
    for recipe in (experiments.find(name).recipe for name in results):
        for cell in recipe.cells:
            runs[json.dumps(cell, sort_keys=True)] += recipe.runs // len(recipe.cells)
    return runs


def _time(seconds: float) -> str:
    return f"{seconds / 60:,.0f} min" if seconds < 7200 else f"{seconds / 3600:,.0f} h"
