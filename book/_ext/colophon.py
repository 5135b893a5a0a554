"""Sphinx extension: each page's footer says which version and commit of the book it was built from."""

import subprocess
from html import escape
from importlib.metadata import version
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

UNKNOWN = "unknown"  # outside git, or without it


def commit(folder: Path) -> str:
    """Return the short hash of the commit that `folder` has checked out, or "unknown".

    Where tracked files differ from that commit, the text says so.
    """

    def git(*arguments: str) -> str:
        answer = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
        return answer.stdout.strip()

    try:
        head = git("rev-parse", "--short=10", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return UNKNOWN
    return f"{head}, with changes since" if changed else head


def colophon(title: str, release: str, revision: str) -> str:
    """Return the footer's HTML."""
    return (
        f'<p class="colophon">{escape(title)}, version {escape(release)}, commit {escape(revision)}. '
        "Text and figures: CC BY 4.0. Code: MIT.</p>"
    )


def add_colophon(app: Sphinx, config: Config) -> None:
    """Put the colophon where the theme expects extra footer text, and tell Sphinx the release."""
    config.version = config.release = version("lltd")
    config.html_theme_options["extra_footer"] = colophon(
        config.html_title, config.release, commit(Path(app.srcdir))
    )


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("config-inited", add_colophon)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
