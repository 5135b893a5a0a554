"""Execute chapters and store their outputs: NAME.md is what is written, NAME.ipynb what a reader sees.

`python book/refresh.py` does all chapters, `python book/refresh.py NAME ...` some. On the same machine a
second run changes no byte: nothing of clocks, versions or hosts is stored, and pictures carry no date.
With `--check` nothing is written; a chapter whose stored outputs differ from fresh ones is an error. (Another
machine draws the same picture with other bytes: there, `pytest --nbval` is the comparison to make.)
"""

import argparse
import hashlib
import os
import sys
from base64 import b64decode
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

BOOK = Path(__file__).parent
TIMEOUT = 300  # seconds for one cell; a whole chapter should take 30


class ChapterError(Exception):
    """A chapter that cannot be executed; the message names the chapter and the cell."""


def chapters(folder: Path = BOOK) -> dict[str, Path]:
    """The executable pages of a folder: name → path of every .md that starts with a jupytext header."""
    pages = {path.stem: path for path in sorted(folder.glob("*.md"))}
    return {name: path for name, path in pages.items() if path.read_text().startswith("---\njupytext:\n")}


def unexecuted(source: Path) -> nbformat.NotebookNode:
    """The notebook of a page, without outputs: its cells with ids made from their content, a bare header."""
    notebook = jupytext.read(source, fmt="md:myst")
    header = notebook.metadata
    header.jupytext.text_representation.pop("jupytext_version", None)
    notebook.metadata = nbformat.from_dict({key: header[key] for key in ("jupytext", "kernelspec")})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        name = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[name] = seen.get(name, 0) + 1
        cell.id = name if seen[name] == 1 else f"{name}-{seen[name]}"
    return notebook


def executed(source: Path, timeout: int = TIMEOUT) -> str:
    """The page's notebook as the text to store, run from top to bottom in a new kernel in the page's folder.

    ChapterError if a cell raises, takes longer than `timeout` seconds, or kills the kernel.
    """
    notebook = unexecuted(source)
    started: list[int] = []
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=timeout,
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],  # no advice from the kernel between our lines
        resources={"metadata": {"path": str(source.parent)}},
        on_cell_execute=lambda cell, cell_index: started.append(cell_index),
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise ChapterError(
            f"{source.name}, {_where(notebook, started)}: {_reason(error, timeout)}"
        ) from error
    notebook.metadata.pop("language_info", None)  # the kernel's own Python version
    return nbformat.writes(notebook) + "\n"


def cover(text: str) -> bytes:
    """The first picture of a stored notebook; that of the index stands in the README."""
    notebook = nbformat.reads(text, as_version=4)
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", ()))
    return b64decode(
        next(output.data["image/png"] for output in outputs if "image/png" in output.get("data", ()))
    )


def store(content: bytes, target: Path) -> bool:
    """Replace the file by `content` in one step, unless it holds just that; returns whether it changed."""
    if target.exists() and target.read_bytes() == content:
        return False
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    partial.write_bytes(content)
    os.replace(partial, target)
    return True


def _where(notebook: nbformat.NotebookNode, started: list[int]) -> str:
    """The cell that ran last, counted as Jupyter counts code cells, with its first line."""
    if not started:
        return "before the first cell"
    number = sum(cell.cell_type == "code" for cell in notebook.cells[: started[-1] + 1])
    return f"cell {number} ({notebook.cells[started[-1]].source.splitlines()[0]!r})"


def _reason(error: Exception, timeout: int) -> str:
    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {' '.join(error.evalue.split())}"
    return f"took over {timeout} s" if isinstance(error, CellTimeoutError) else "the kernel died"


def main(arguments: list[str] | None = None) -> int:
    """Refresh (or check) the chapters that are named, or all; 0 if all is well, 1 if a chapter is not."""
    parser = argparse.ArgumentParser(prog="refresh.py", description=__doc__.split("\n")[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="a chapter, such as minimal_task; all if none"
    )
    parser.add_argument("--check", action="store_true", help="compare with the stored outputs, write nothing")
    options = parser.parse_args(arguments)
    known = chapters()
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"no chapter {', '.join(unknown)}; there are {', '.join(known) or 'none yet'}")
    failed = False
    for name in options.names or known:
        target = known[name].with_suffix(".ipynb")
        try:
            text = executed(known[name])
        except ChapterError as error:
            print(error, file=sys.stderr)
            failed = True
            continue
        if options.check:
            same = target.exists() and target.read_bytes() == text.encode()
            failed |= not same
            print(f"{name}: {'as stored' if same else 'differs from what is stored'}")
        else:
            print(f"{name}: {'stored anew' if store(text.encode(), target) else 'unchanged'}")
            if target == BOOK / "index.ipynb":
                store(cover(text), BOOK / "_static" / "cover.png")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
