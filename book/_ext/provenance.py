"""Sphinx extension: the directive `provenance`, which shows where the stored results come from.

Its argument says which part to make, all from the record, the recipes and the environment at build time:
`address` and `replay` follow one run by its number, `remake` shows how to make a result again, `differences`
lists what each experiment allows another machine, `faults` counts what became of damage, `figures` tells how sure
the main figures are, `results` describes every result, and `versions` what the pages are built with.
"""

import platform
import re
import textwrap
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path
from typing import Any

import main_figures
from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from lltd import experiments
from lltd.experiments import Experiment
from lltd.philox import Purpose, block
from lltd.record import MissingRecordError, Record, RecordError, read_notes

MARATHON = "count anew with: python tests/marathon.py --store"
SHOWN = 12  # hex digits of a recipe's address: enough to tell recipes apart


@dataclass(frozen=True)
class Result:
    """An experiment, its stored result if there is one, and the notes on how it was made."""

    work: Experiment
    record: Record | None
    notes: dict[str, Any]

    @property
    def size(self) -> int:
        """Bytes of the result's file."""
        return experiments.path_of(self.work.recipe).stat().st_size if self.record else 0


@cache
def results() -> tuple[Result, ...]:
    """Every experiment's result, once for each build; ExtensionError for a damaged one."""
    return tuple(result(work) for work in experiments.select(None))


def result(work: Experiment) -> Result:
    """One experiment's result; ExtensionError, naming the file, if it is damaged."""
    try:
        return Result(work, experiments.read(work.recipe.name), experiments.provenance(work.recipe.name))
    except MissingRecordError:
        return Result(work, None, {})
    except RecordError as error:
        raise ExtensionError(f"provenance: {error}") from error


def example() -> tuple[Result, int]:
    """A run to follow: of the first result there is, the one that its recipe's address falls on."""
    found = next((one for one in results() if one.record), results()[0])
    return found, int(found.work.recipe.address, 16) % found.work.recipe.runs


def address() -> str:
    """The first random words of the example run, as a Python session."""
    one, run = example()
    recipe = one.work.recipe
    words = block(recipe.seed, run, 0, Purpose.INITIAL).tolist()
    return (
        ">>> from lltd.philox import Purpose, block\n"
        f">>> block(seed={recipe.seed}, ids={run}, step=0, purpose=Purpose.INITIAL).tolist()\n{words}"
    )


def replay() -> str:
    """The command that replays the example run, its settings, and what the record holds of it."""
    one, run = example()
    settings = ", ".join(f"{key} {value}" for key, value in one.work.recipe.settings(run).items())
    arrays = one.record.arrays if one.record else {}
    stored = [f"#   {name}: stored {' '.join(str(array[run]).split())}" for name, array in arrays.items()]
    shown = textwrap.fill(
        f"{one.work.recipe.name} run {run}: {settings}", 76, initial_indent="# ", subsequent_indent="#   "
    )
    return "\n".join((f"python -m lltd replay {one.work.recipe.name} --run {run}", shown, *stored))


def remake() -> str:
    """The commands that remake the result that took the least time, beside the stored one, and compare."""
    made = [one for one in results() if "seconds" in one.notes] or results()[:1]
    name = min(made, key=lambda one: one.notes.get("seconds", 0)).work.recipe.name
    return f"LLTD_RESULTS=again python -m lltd run {name}\ncmp again/{name}.npz book/results/{name}.npz"


def differences() -> str:
    """Return the table of the differences that each experiment allows."""
    rows = "".join(
        f'<tr><th scope="row">{named(work)}</th><td>{share(work.flips)}</td><td>{power(work.drift)}</td></tr>'
        for work in (one.work for one in results())
    )
    return table(
        "Differences that an audit allows",
        ("Experiment", "Integers: share of runs", "Floats: relative distance"),
        f"<tbody>{rows}</tbody>",
    )


def share(part: float) -> str:
    """Return a share in per cent, or "none"."""
    return f"{100 * part:.2g} %" if part else "none"


def power(number: float) -> str:
    """Return a small number as HTML, to one digit: 2 × 10⁻⁴."""
    digit, exponent = f"{number:.0e}".split("e")
    return f"{'' if digit == '1' else f'{digit} × '}10<sup>{int(exponent)}</sup>".replace("-", "−")


FAULT_HEADS = {
    "injected": "Put in",
    "clear": "Refused in one line",
    "whole": "Whole in the end",
    "lost": "Lost or misread",
    "executed": "Executed",
    "swollen": "Memory swollen",
}


def faults() -> str:
    """Return the table of the faults that were put into a record, with their sums."""
    try:
        rows = read_notes(experiments.results_folder() / "trust" / "faults.json", MARATHON).get("faults", [])
    except RecordError as error:
        raise ExtensionError(f"provenance: {error}") from error
    if not rows:
        return table("Faults: not counted yet", ("Fault", *FAULT_HEADS.values()), "<tbody></tbody>")
    total = {"fault": "All", **{part: sum(row[part] for row in rows) for part in FAULT_HEADS}}
    cells = "".join(
        f'<tr><th scope="row">{escape(row["fault"])}</th>'
        + "".join(f"<td>{row[part]:,}</td>" for part in FAULT_HEADS)
        + "</tr>"
        for row in (*rows, total)
    )
    dates = sorted({row["date"] for row in rows})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    where = escape("; ".join(sorted({row["machine"] for row in rows})))
    return table(
        f"What became of {total['injected']:,} faults, {when}, on {where}",
        ("Fault", *FAULT_HEADS.values()),
        f"<tbody>{cells}</tbody>",
    )


def figures(book: Path) -> str:
    """Return the table of the main figures, as the stored notebooks in this folder draw them."""
    body = f"<tbody>{main_figures.rows(book)}</tbody>"
    return table("The main figures: runs, and the broadest 95 % interval as drawn", main_figures.HEADS, body)


def listing() -> str:
    """Return the table of all results, and the size of the record."""
    bodies = "".join(body(one) for one in results())
    there = sum(one.record is not None for one in results())
    used = sum(one.size for one in results())
    caption = f"{there} of {len(results())} results are on record. They take {size_of(used)} of the "
    return table(
        f"{caption}{size_of(experiments.SIZE_LIMIT)} that the record may have.",
        ("Result", "Runs", "File", "Computed in", "On"),
        bodies,
    )


def body(one: Result) -> str:
    """Return a result's part of the table: its row, and its details, folded."""
    recipe = one.work.recipe
    row = f'<tr><th scope="row">{named(one.work)}</th><td>{recipe.runs:,}</td>'
    if one.record is None:
        row += '<td colspan="3"><strong>missing</strong>: not computed yet</td></tr>'
    else:
        seconds = f"{one.notes['seconds']:,.0f} s" if "seconds" in one.notes else "unknown"
        if one.notes.get("stretches", 1) > 1:
            seconds += f" in {one.notes['stretches']} stretches"
        date = escape(str(one.notes.get("date", "unknown")))
        row += f"<td>{size_of(one.size)}</td><td>{seconds}</td><td>{date}</td></tr>"
    facts = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in details(one).items())
    return (
        f'<tbody>{row}<tr><td colspan="5"><p>{escape(one.work.about)}</p>'
        "<details><summary>Recipe, arrays, machine and command "
        f'<span class="visually-hidden">of {escape(recipe.name)}</span></summary><dl>{facts}</dl>'
        "</details></td></tr></tbody>"
    )


def details(one: Result) -> dict[str, str]:
    """Return what is folded away, name → HTML; what no one noted down is unknown."""
    recipe, notes = one.work.recipe, one.notes
    facts = {
        "Recipe": f"<code>{recipe.address[:SHOWN]}</code>, version {recipe.version}, seed {recipe.seed}, "
        f"{len(recipe.cells):,} cells, {recipe.shard:,} runs a shard, {recipe.dtype}",
    }
    if one.record is None:
        return {**facts, "Make it with": f"<code>python -m lltd run {escape(recipe.name)}</code>"}
    used = ", ".join(f"{name} {number}" for name, number in sorted(notes.get("versions", {}).items()))
    file = experiments.path_of(recipe)
    return {
        **facts,
        "Arrays": "; ".join(
            f"<code>{escape(name)}</code>, {' × '.join(f'{n:,}' for n in array.shape)} of {array.dtype}"
            for name, array in one.record.arrays.items()
        ),
        "File": f"<code>{escape(str(file.relative_to(experiments.results_folder())))}</code>",
        "Machine": escape(f"{notes.get('machine', 'unknown')}; device {notes.get('device', 'unknown')}"),
        "Commit": f"<code>{escape(str(notes.get('commit', 'unknown')))}</code>",
        "Versions": escape(used or "unknown"),
        "Remake it with": f"<code>LLTD_RESULTS=again python -m lltd run {escape(recipe.name)}</code>",
    }


def versions(requirements: Path) -> str:
    """Return the table of what is installed, beside what requirements.txt asks for."""
    asked = dict(re.findall(r"^([\w.-]+)==(\S+)", requirements.read_text(), flags=re.MULTILINE))
    python = metadata("lltd")["Requires-Python"]
    rows = [("Python", python, platform.python_version()), ("lltd", "this tree", installed("lltd"))]
    rows += [(name, wanted, installed(name)) for name, wanted in asked.items()]
    cells = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(wanted)}</td><td>{escape(found)}</td></tr>'
        for name, wanted, found in rows
    )
    return table(
        "What these pages were built with",
        ("Package", "Asked for", "Installed"),
        f"<tbody>{cells}</tbody>",
    )


def installed(name: str) -> str:
    """Return the installed version of a package, or "not installed"."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def named(work: Experiment) -> str:
    """Return an experiment's name as code that may break after the slash."""
    return f"<code>{escape(work.recipe.name).replace('/', '/<wbr>')}</code>"


def size_of(count: int) -> str:
    """Return a number of bytes in kB or MB."""
    return f"{count / 1e6:.3g} MB" if count >= 1e6 else f"{count / 1e3:.3g} kB"


def table(title: str, heads: tuple[str, ...], rows: str) -> str:
    """Return a table with its caption, in a box that scrolls where the table is wider."""
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    return (
        f'<div class="provenance" role="region" tabindex="0" aria-label="{title}"><table>'
        f"<caption>{title}</caption><thead><tr>{head}</tr></thead>{rows}</table></div>"
    )


class Provenance(Directive):
    """One part of the page, by the argument that the module names."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the part: a piece of code, or a table in HTML."""
        part, env = self.arguments[0], self.state.document.settings.env
        env.note_reread()  # the record may have changed though the page did not
        codes = {"address": (address, "pycon"), "replay": (replay, "bash"), "remake": (remake, "bash")}
        if part in codes:
            make, language = codes[part]
            text = make()
            return [nodes.literal_block(text, text, language=language)]
        tables = {
            "differences": differences,
            "faults": faults,
            "figures": lambda: figures(Path(env.srcdir) / "book"),
            "results": listing,
            "versions": lambda: versions(Path(env.srcdir) / "requirements.txt"),
        }
        if part not in tables:
            raise self.error(
                f"provenance: unknown part {part!r}; one of {', '.join(codes | tables)} is needed"
            )
        return [nodes.raw("", tables[part](), format="html", classes=["provenance"])]


def add_style(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document) -> None:
    """Give the style to the pages that hold such a table, and to no others."""
    if doctree and any("provenance" in node["classes"] for node in doctree.findall(nodes.raw)):
        app.add_css_file("provenance.css")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("builder-inited", lambda app: results.cache_clear())
    app.add_directive("provenance", Provenance)
    app.connect("html-page-context", add_style)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
