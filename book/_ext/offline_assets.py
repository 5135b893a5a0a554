"""Sphinx extension: the pages' JavaScript comes with the book, so that it reads without a network.

MathJax is taken at build time out of the installed wheel of sphinx-mathjax-offline: one file that draws
equations as SVG, and the small TeX extensions that it loads on demand. Any script that a theme or another
extension would load from an outside address is dropped.
"""

from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import urlsplit

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.fileutil import copy_asset

MATHJAX = "sphinx-mathjax-offline/static/mathjax"  # inside the wheel, whose folder has no importable name
STATIC = "mathjax"  # where it lands under _static
PARTS = ("tex-svg.js", "input/tex/extensions")


def mathjax_folder() -> Path:
    """Return the folder of MathJax in the installed wheel; ExtensionError if a part of it is missing."""
    folder = Path(str(distribution("sphinx-mathjax-offline").locate_file(MATHJAX)))
    for part in PARTS:
        if not (folder / part).exists():
            raise ExtensionError(f"sphinx-mathjax-offline holds no {part}: install requirements.txt")
    return folder


def is_outside(address: str) -> bool:
    """Tell whether the address of a script or style sheet names a host."""
    return bool(urlsplit(address).netloc)


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    """Copy MathJax into the built pages' static folder."""
    if exception is not None or app.builder.format != "html":
        return
    source, target = mathjax_folder(), Path(app.outdir) / "_static" / STATIC
    for part in PARTS:
        place = target / part
        place.parent.mkdir(parents=True, exist_ok=True)
        copy_asset(source / part, place if (source / part).is_dir() else place.parent)


def drop_outside_scripts(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Filter a page's scripts in place: templates hold on to the list object."""
    scripts = context["script_files"]
    scripts[:] = [s for s in scripts if not is_outside(getattr(s, "filename", None) or str(s))]


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.config.mathjax_path = f"{STATIC}/{PARTS[0]}"
    app.config.mathjax3_config = {
        # The menu would make each formula a tab stop, and offers tools that are not in the copy.
        "options": {"enableMenu": False},
    }
    app.connect("html-page-context", drop_outside_scripts, priority=900)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
