"""Give every figure of a notebook the alternative text that `lltd.figures.show` was given.

A figure's output holds its picture and, as plain text, its digest, whose first line is `alt: …`. The reader
of a page gets the picture alone, so that line is copied onto it. A picture without one is a warning, which
stops a strict build.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
PREFIX = "alt: "


def describe_pictures(app: Sphinx, doctree: nodes.document) -> None:
    """Set `alt` on the pictures of all outputs in the page; myst-nb keeps the forms of one output together."""
    for output in doctree.findall(nodes.container):
        if output.get("nb_element") != "mime_bundle":
            continue
        forms = {form["mime_type"]: form for form in output.children}
        first = forms["text/plain"].astext().split("\n", 1)[0] if "text/plain" in forms else ""
        for picture in output.findall(nodes.image):
            if first.startswith(PREFIX):
                picture["alt"] = first.removeprefix(PREFIX)
            elif not picture.get("alt"):
                LOGGER.warning(
                    "a picture without alternative text: show it by lltd.figures.show", location=output
                )


def setup(app: Sphinx) -> dict[str, bool]:
    """Read alternative texts once a page is parsed, while all forms of an output are still there."""
    app.connect("doctree-read", describe_pictures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
