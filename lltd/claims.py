"""The register of the papers' claims, and the verdict that the record gives each of them.

`claims.csv` numbers what the papers say. A function in a chapter's module, marked `@claim("HS96.21")`, reads
the record and returns rows built by `lltd.rules`; `settle` turns them into verdicts.
"""

import csv
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cache
from html import escape
from importlib import resources
from typing import TypeVar

from lltd.record import MissingRecordError
from lltd.rules import Row

SOURCES = {
    "BFS93": "Bengio, Frasconi & Simard 1993",
    "SLIDES94": "Slides on Bengio, Simard & Frasconi 1994",
    "HS96": "Hochreiter & Schmidhuber 1996",
    "HBFS01": "Hochreiter, Bengio, Frasconi & Schmidhuber 2001",
}
KINDS = {
    "number": "a printed number that our runs or a calculation give again",
    "bound": "a one-sided limit, such as more than 99 %",
    "trend": "an order or a direction: more, faster, falls with",
    "figure": "what a printed figure shows",
    "setting": "a choice of the authors' experiment, which we follow",
    "definition": "what a word, a task or a method means",
    "equation": "a formula, checked numerically",
    "theorem": "a general statement, proved or refuted",
    "quotation": "what a paper reports of another work",
}
# Worst first: the rows of one reading get the first of these words that any of them has.
VERDICTS = {
    "open": "not settled yet",
    "not reproduced": "our evidence excludes what is printed, or does not show it",
    "beyond reach": "cannot be settled here; the reason is given",
    "under a reading": "not as printed or by default, but under a named way of filling the paper's silence",
    "corrected": "fails as printed; a counterexample and what holds instead are given",
    "reproduced": "what is printed is what our runs allow, or our trend has its sign at 95 %",
    "holds": "an equation true in every case tried, within the tolerance given",
    "proved": "proved in the chapter, and searched for counterexamples by a test",
    "adopted": "a setting or definition that the book's code follows, held by a test",
    "quoted": "reported from another work and not run again",
}
UNSETTLED = "no experiment of the book settles this claim yet"
FAILED = ("open", "not reproduced", "beyond reach")

Rows = tuple[Row, ...]
Settles = TypeVar("Settles", bound=Callable[[], Iterable[Row]])


@dataclass(frozen=True)
class Claim:
    """One line of the register; `paper` holds the printed values, if there are any."""

    id: str
    source: str
    location: str
    chapter: str
    kind: str
    statement: str
    paper: str


@dataclass(frozen=True)
class Settled:
    """A claim with its verdict, the rows it rests on, and the readings that keep it if the default fails."""

    claim: Claim
    verdict: str
    rows: Rows
    readings: tuple[str, ...] = ()


_functions: dict[str, Callable[[], Iterable[Row]]] = {}


@cache
def register() -> dict[str, Claim]:
    """Read every claim, by id, in the register's order. Raises ValueError for a damaged register."""
    with resources.files("lltd").joinpath("claims.csv").open(encoding="utf-8", newline="") as lines:
        claims = [Claim(**line) for line in csv.DictReader(lines)]
    known = {entry.id: entry for entry in claims}
    if len(known) < len(claims):
        raise ValueError("claims.csv numbers a claim twice")
    for entry in claims:
        if entry.kind not in KINDS or entry.source not in SOURCES:
            raise ValueError(f"claims.csv: {entry.id} has kind {entry.kind!r}, source {entry.source!r}")
    return known


def claim(*ids: str) -> Callable[[Settles], Settles]:
    """Mark the function, without arguments, whose rows settle these claims, all of them by the same rows.

    Raises ValueError for an id that the register does not have, or that another function settles.
    """

    def mark(function: Settles) -> Settles:
        for id in ids:
            if id not in register():
                raise ValueError(
                    f"claim {id!r} is not in the register: ids look like {next(iter(register()))}"
                )
            other = _functions.get(id)
            if other is not None and _name(other) != _name(function):  # the same name: a module reloaded
                raise ValueError(f"claim {id} is settled twice: by {_name(other)} and by {_name(function)}")
            _functions[id] = function
        return function

    if not ids:
        raise ValueError("claim() needs at least one id")
    return mark


def settle(chapter: str | None = None) -> tuple[Settled, ...]:
    """Give every claim of the register, or of one chapter, its verdict, in the register's order.

    A claim without a function, or whose record has not been computed, is open; a damaged record raises.
    """
    from lltd.chapters import load  # the chapters import this module: they are the floor above

    chapters = {entry.chapter for entry in register().values()}
    if chapter is not None and chapter not in chapters:
        raise ValueError(f"chapter is {chapter!r}: one of {', '.join(sorted(chapters))} is needed")
    load()
    found: dict[Callable, Rows] = {}
    return tuple(_settle(entry, found) for entry in register().values() if chapter in (None, entry.chapter))


def judge(rows: Rows) -> tuple[str, tuple[str, ...]]:
    """Reach a claim's verdict from its rows, and name the readings that keep it if the default does not.

    A label names what is compared, a reading how the paper's silence is filled. The rows of a reading are
    those that carry it, and the default rows of the labels it leaves alone; it keeps the claim if every label
    has a row and none failed. Its word is the worst of its rows', in the order of `VERDICTS`.
    1. The default keeps the claim: its word. 2. There is no default, and every reading keeps the claim: the
    worst of their words. 3. Some reading keeps it: under a reading. 4. None does: the worst word of all rows
    of the default, or of all rows where there is no default.
    """
    if not rows:
        raise ValueError("a claim is settled by at least one row")
    for row in rows:
        if row.verdict not in VERDICTS or row.verdict == "under a reading":
            raise ValueError(f"row {row.label!r} has the verdict {row.verdict!r}, which no rule gives")
    labels = {row.label for row in rows}
    words: dict[str, str] = {}
    for reading in dict.fromkeys(row.reading for row in rows):
        own = [row for row in rows if row.reading == reading]
        left = labels - {row.label for row in own}
        own += [row for row in rows if row.reading == "" and row.label in left]
        complete = {row.label for row in own} == labels
        words[reading] = _worst(row.verdict for row in own) if complete else "not reproduced"
    default = {row.label for row in rows if row.reading == ""} == labels
    if default and words[""] not in FAILED:
        return words[""], ()
    kept = tuple(reading for reading, word in words.items() if reading and word not in FAILED)
    others = [word for reading, word in words.items() if reading]
    if not default and len(kept) == len(others):
        return _worst(others), ()
    if kept:
        return "under a reading", kept
    return (words[""] if default else _worst(row.verdict for row in rows)), ()


def to_json(settled: Iterable[Settled] | None = None) -> list[dict]:
    """List of {id, source, chapter, statement, kind, verdict, rows} for JSON, with null for infinity."""
    return [
        {
            **{key: getattr(one.claim, key) for key in ("id", "source", "chapter", "statement", "kind")},
            "verdict": one.verdict,
            "rows": [
                {
                    key: None if isinstance(value, float) and not math.isfinite(value) else value
                    for key, value in asdict(row).items()
                }
                for row in one.rows
            ],
        }
        for one in (settle() if settled is None else settled)
    ]


def verdicts(chapter: str) -> "Verdicts":
    """Settle the claims of a chapter, for the table at its end."""
    return Verdicts(chapter, settle(chapter))


@dataclass(frozen=True)
class Verdicts:
    """Verdicts of one chapter, shown as a table, or as plain lines; numbers to four digits."""

    chapter: str
    settled: tuple[Settled, ...]

    def __repr__(self) -> str:
        lines = []
        for one in self.settled:
            lines.append(f"{one.claim.id} {summary(one)}: {one.claim.statement}")
            for row in one.rows:
                lines.append("    " + " | ".join(filter(None, (*row_cells(row), _reading(row), row.rule))))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        bodies = "".join(
            f'<tbody><tr><th scope="rowgroup" colspan="{len(COLUMNS)}">{escape(one.claim.id)} '
            f"<strong>{escape(summary(one))}</strong><br>{escape(one.claim.statement)}</th></tr>"
            f"{rows_html(one.rows) if len(one.rows) <= MANY else _folded(one.rows)}</tbody>"
            for one in self.settled
        )
        return (
            f'<div class="lltd-verdicts" role="region" tabindex="0" aria-label="Verdicts: {self.chapter}">'
            f"<table><caption>What the papers say, and what the record says. In brackets: 95 % interval."
            f"</caption><thead>{head_html()}</thead>{bodies}</table></div>"
        )


COLUMNS = ("compared", "paper", "ours", "allowed", "verdict")
MANY = 20  # rows of a claim that a chapter's table shows unasked


def summary(one: Settled) -> str:
    """Verdict of a claim, with the readings that keep it out of how many were tried."""
    if not one.readings:
        return one.verdict
    tried = len({row.reading for row in one.rows})
    return f"{one.verdict} ({len(one.readings)} of {tried} tried: {'; '.join(one.readings)})"


def head_html() -> str:
    """Head of a table of rows."""
    return "<tr>" + "".join(f'<th scope="col">{name}</th>' for name in COLUMNS) + "</tr>"


def rows_html(rows: Rows) -> str:
    """Body of a table of rows; reading and rule stand small under the label, which is wide where no numbers are."""
    lines = []
    for row in rows:
        small = "".join(f"<br><small>{escape(text)}</small>" for text in (_reading(row), row.rule) if text)
        label, *numbers, verdict = (escape(cell) for cell in row_cells(row))
        if any(numbers):
            cells = f"<td>{label}{small}</td>" + "".join(f"<td>{number}</td>" for number in numbers)
        else:
            cells = f'<td colspan="{len(COLUMNS) - 1}">{label}{small}</td>'
        lines.append(f"<tr>{cells}<td>{verdict}</td></tr>")
    return "".join(lines)


def _folded(rows: Rows) -> str:
    """So many rows that a reader unfolds them: a table of their own in one row."""
    return (
        f'<tr><td colspan="{len(COLUMNS)}"><details><summary>{len(rows)} comparisons</summary>'
        f"<table><thead>{head_html()}</thead><tbody>{rows_html(rows)}</tbody></table></details></td></tr>"
    )


def row_cells(row: Row) -> tuple[str, ...]:
    """Text of a row under `COLUMNS`, numbers to four digits."""
    # An equation's error is rounding, which differs between machines; stored pages must not.
    ours = "within" if row.verdict == "holds" else _figure(row.measured)
    return (
        row.label,
        _figure(row.paper) + (f" (k = {row.k})" if row.k else ""),
        ours + _range(row.low, row.high) + (f", n = {row.runs:,}" if row.runs else ""),
        _range(row.allowed_low, row.allowed_high).strip(),
        row.verdict,
    )


def _reading(row: Row) -> str:
    return f"reading: {row.reading}" if row.reading else ""


def _settle(entry: Claim, found: dict[Callable, Rows]) -> Settled:
    function = _functions.get(entry.id)
    if function is None:
        return Settled(entry, "open", (Row(UNSETTLED, "open"),))
    if function not in found:
        try:
            found[function] = tuple(function())
        except MissingRecordError:
            found[function] = (Row("the record that settles this claim has not been computed", "open"),)
    try:
        verdict, readings = judge(found[function])
    except ValueError as error:
        raise ValueError(f"claim {entry.id}: {error}") from error
    return Settled(entry, verdict, found[function], readings)


def _worst(words: Iterable[str]) -> str:
    return min(words, key=list(VERDICTS).index)


def _name(function: Callable) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    if value and math.isfinite(value) and not 1e-3 <= abs(value) < 1e7:
        return f"{value:.4g}"
    return f"{float(f'{value:.4g}'):,.10g}"


def _range(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return ""
    if low is None or low == -math.inf:
        return f" [at most {_figure(high)}]"
    if high is None or high == math.inf:
        return f" [at least {_figure(low)}]"
    return f" [{_figure(low)}, {_figure(high)}]"
