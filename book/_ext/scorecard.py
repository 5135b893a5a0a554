"""Sphinx extension: the directive `scorecard`, which settles the register of claims while the book is built.

Its argument says which part of the page to make: `verdicts` and `kinds` are tables of words, with counts,
`filter` is the form that `scorecard.js` brings to life, and a source's key, such as BFS93, is the table of
that source's claims.
"""

from collections import Counter
from collections.abc import Iterable
from functools import cache
from html import escape
from posixpath import dirname, join

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError

from lltd import claims
from lltd.claims import Settled
from lltd.record import RecordError


@cache
def settled() -> tuple[Settled, ...]:
    """Settle every claim, once for each build; ExtensionError for a damaged record."""
    try:
        return claims.settle()
    except (RecordError, ValueError) as error:
        raise ExtensionError(f"scorecard: {error}") from error


def words(title: str, meanings: dict[str, str], counts: Counter) -> str:
    """Return the table of some words, how many claims have each, and what it means."""
    rows = "".join(
        f'<tr><th scope="row">{escape(word)}</th><td>{counts[word]}</td><td>{escape(meaning)}</td></tr>'
        for word, meaning in meanings.items()
    )
    return (
        f'<table class="scorecard-words"><caption>{title}</caption><thead><tr><th scope="col">Word</th>'
        f'<th scope="col">Claims</th><th scope="col">Meaning</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def choice(name: str, label: str, options: Iterable[tuple[str, str]]) -> str:
    """Return a labelled drop-down list of (value, text), the first of which keeps everything."""
    listed = "".join(f'<option value="{escape(v)}">{escape(text)}</option>' for v, text in options)
    return (
        f'<label for="scorecard-{name}">{label}</label><select id="scorecard-{name}" name="{name}">'
        f'<option value="">all</option>{listed}</select>'
    )


def form() -> str:
    """Return the filter, hidden until the script that makes it work has run."""
    counts = Counter(one.verdict for one in settled())
    chapters = dict.fromkeys(one.claim.chapter for one in settled())
    fields = (
        '<label for="scorecard-text">Text</label>'
        '<input id="scorecard-text" name="text" type="search" autocomplete="off">',
        choice("source", "Source", claims.SOURCES.items()),
        choice("chapter", "Chapter", ((name, name.replace("_", " ")) for name in chapters)),
        choice("verdict", "Verdict", ((v, f"{v} ({counts[v]})") for v in claims.VERDICTS if counts[v])),
    )
    divisions = "".join(f"<div>{field}</div>" for field in fields)
    return (
        f'<form class="scorecard-filter" role="search" aria-label="Claims" hidden>{divisions}'
        '<div><button type="reset">Show all</button></div></form>'
        '<p class="scorecard-count" role="status" aria-live="polite"></p>'
    )


def table(source: str, pages: dict[str, str]) -> str:
    """Return the table of a source's claims; `pages` gives the address of each chapter that is written."""
    ours = [one for one in settled() if one.claim.source == source]
    rows = "".join(body(one, pages) for one in ours)
    left = sum(one.verdict == "open" for one in ours)
    title = f"{escape(claims.SOURCES[source])}: {len(ours)} claims, {len(ours) - left} settled, {left} open"
    return (
        f'<table class="scorecard-claims"><caption>{title}</caption>'
        '<thead><tr><th scope="col">Claim</th><th scope="col">What the paper says, and where</th>'
        f'<th scope="col">Verdict</th></tr></thead>{rows}</table>'
    )


def body(one: Settled, pages: dict[str, str]) -> str:
    """Return a claim's part of the table: its row, and the comparisons behind its verdict, folded."""
    entry = one.claim
    chapter = escape(entry.chapter.replace("_", " "))
    if entry.chapter in pages:
        chapter = f'<a href="{escape(pages[entry.chapter])}">{chapter}</a>'
    where = f"{escape(entry.location)} · {entry.kind} · {chapter}"
    if entry.paper:
        where += f" · printed: {escape(entry.paper)}"
    if one.verdict == "open" and one.rows[0].label != claims.UNSETTLED:
        where += f" · {escape(one.rows[0].label)}"
    return (
        f'<tbody id="{entry.id}" data-source="{entry.source}" data-chapter="{entry.chapter}" '
        f'data-verdict="{escape(one.verdict)}"><tr><th scope="row">{entry.id.replace(".", ".<wbr>")}</th>'
        f'<td>{escape(entry.statement)}<p class="scorecard-where">{where}</p></td>'
        f"<td>{escape(claims.summary(one))}</td></tr>{evidence(one)}</tbody>"
    )


def evidence(one: Settled) -> str:
    """Return the row with a claim's comparisons, folded; an open claim has none."""
    if one.verdict == "open":
        return ""
    number = len(one.rows)
    return (
        f'<tr><td colspan="3"><details><summary>{number} comparison{"s" * (number > 1)} '
        f'<span class="visually-hidden">for {one.claim.id}</span></summary>'
        f'<div role="region" tabindex="0" aria-label="Comparisons for {one.claim.id}"><table>'
        f"<thead>{claims.head_html()}</thead><tbody>{claims.rows_html(one.rows)}</tbody></table></div>"
        "</details></td></tr>"
    )


class Scorecard(Directive):
    """One part of the scorecard, by the argument that the module names."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the part as HTML."""
        part, env = self.arguments[0], self.state.document.settings.env
        env.note_reread()  # the record may have changed though the page did not
        if part == "verdicts":
            html = words("Verdicts", claims.VERDICTS, Counter(one.verdict for one in settled()))
        elif part == "kinds":
            html = words("Kinds of claims", claims.KINDS, Counter(one.claim.kind for one in settled()))
        elif part == "filter":
            html = form()
        elif part in claims.SOURCES:
            html = table(part, chapter_pages(env))
        else:
            known = ", ".join(("verdicts", "kinds", "filter", *claims.SOURCES))
            raise self.error(f"scorecard: unknown part {part!r}; one of {known} is needed")
        return [nodes.raw("", html, format="html", classes=["scorecard"])]


def chapter_pages(env: BuildEnvironment) -> dict[str, str]:
    """Return the addresses of the chapters that lie beside the page being read."""
    names = {one.claim.chapter for one in settled()}
    return {name: f"{name}.html" for name in names if join(dirname(env.docname), name) in env.found_docs}


def add_assets(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document) -> None:
    """Give script and style to the pages that hold a scorecard, and to no others."""
    if doctree and any("scorecard" in node["classes"] for node in doctree.findall(nodes.raw)):
        app.add_css_file("scorecard.css")
        app.add_js_file("scorecard.js", loading_method="defer")


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("builder-inited", lambda app: settled.cache_clear())
    app.add_directive("scorecard", Scorecard)
    app.connect("html-page-context", add_assets)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
