"""Sphinx extension: docstrings are plain sentences and formulas, and are shown as they were written.

Written for people at a prompt, they hold |w|, a_t, x* and the like, which Sphinx's markup would read as
something else. Only `code` between backquotes keeps its meaning. Indented lines stand as lines of their own.
"""

import re

from sphinx.application import Sphinx

CODE = re.compile(r"(`[^`]+`)")
MARKUP = re.compile(r"([\\*|_])")


def plain(line: str) -> str:
    """Return a line of text with its markup characters escaped, outside backquotes."""
    parts = CODE.split(line)  # text, code, text, code, … text
    parts[::2] = [MARKUP.sub(r"\\\1", text) for text in parts[::2]]
    return "".join(f"`{part}`" if part.startswith("`") else part for part in parts)


def show_plainly(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Rewrite a docstring's lines in place."""
    shown: list[str] = []
    for line in lines:
        indented = line.startswith(" ")
        if shown and indented != shown[-1].startswith("| ") and shown[-1]:
            shown.append("")
        shown.append(f"| {plain(line.strip())}" if indented else plain(line))
    lines[:] = [*shown, ""]


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("autodoc-process-docstring", show_plainly)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
