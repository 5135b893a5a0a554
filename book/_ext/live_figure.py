"""Sphinx extension: the directive `live-figure`, a figure that the page computes while it is being read.

Its argument NAME stands for `NAME_live.js` among the book's static files, and with it for `NAME_formulas.js`
and `NAME_live.css` if they are there. The script finds the element of class `live-NAME`. What the directive
contains is the figure in words: it stands on the page until the script replaces it, and for good where no
script runs.
"""

from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx
from sphinx.config import Config

SCRIPT = "_live.js"
OPTIONAL = ("_formulas.js", "_live.css")
SHARED = ("philox.js", "live_figure.js", "live_figure.css")  # what every live figure stands on, in this order
NEEDS = {  # what else a figure builds on
    "cusp": ["latch_formulas.js"],
    "flip_flop": ["latch_formulas.js"],
    "random_search": ["random_search_formulas.js", "random_search_panels.js"],
}


def static_files(config: Config, confdir: str | Path) -> set[str]:
    """Names of all files in the book's static folders."""
    return {file.name for folder in config.html_static_path for file in Path(confdir, folder).glob("*")}


class LiveFigure(Directive):
    """A live figure, by its name, and what stands in its place without a script."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return a container of the words, which names the figure in its classes."""
        self.assert_has_content()
        name, env = self.arguments[0], self.state.document.settings.env
        files = static_files(env.config, env.app.confdir)
        known = sorted(file.removesuffix(SCRIPT) for file in files if file.endswith(SCRIPT))
        if name not in known:
            raise self.error(f"live-figure: unknown figure {name!r}; one of {', '.join(known)} is needed")
        container = nodes.container(classes=["live-figure", f"live-{name}"], live_figure=name)
        self.state.nested_parse(self.content, self.content_offset, container)
        return [container]


def add_assets(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document) -> None:
    """Give scripts and styles to the pages that hold live figures, and to no others."""
    containers = doctree.findall(nodes.container) if doctree else ()
    names = dict.fromkeys(node["live_figure"] for node in containers if "live_figure" in node)
    if not names:
        return
    files = [*SHARED]
    for name in names:
        files += [*NEEDS.get(name, []), *(f"{name}{ending}" for ending in (*OPTIONAL, SCRIPT))]
    there = static_files(app.config, app.confdir)
    for file in dict.fromkeys(file for file in files if file in there):
        if file.endswith(".js"):
            app.add_js_file(file, loading_method="defer")
        else:
            app.add_css_file(file)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_directive("live-figure", LiveFigure)
    app.connect("html-page-context", add_assets)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
