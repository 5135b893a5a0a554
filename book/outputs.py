"""Take every figure and table out of the stored notebooks, as files, and list them in codecheck.yml.

`python book/outputs.py` writes three kinds of file for each page, as the page's stored outputs have them:

- `figure-1.png`, and beside it `figure-1.txt` with the numbers drawn, since pictures differ between machines;
- `table-1.txt`, a table in words;
- `printed.txt`, all that the cells print, under the page's headings.

Then it renews the manifest of codecheck.yml (https://codecheck.org.uk/spec/config/2.0) and leaves the rest of
that file as it is. Executed anew by `refresh.py` and taken out again, the texts are what to compare.
"""

import json
import re
import shutil
import sys
from base64 import b64decode
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[1]
FOLDER = "_build/outputs"  # git does not know it, and `make clean` removes it
MANIFEST = re.compile(r"^manifest:\n(?:[ -].*\n)*", re.MULTILINE)  # up to the next key, comment or empty line
HEADING = re.compile(r"^(?:(`{3,}).*?^\1|#+ (.+?)$)", re.MULTILINE | re.DOTALL)  # or a listing, passed over
PICTURE, HTML, TEXT = "image/png", "text/html", "text/plain"


class File(NamedTuple):
    """A file to write, and what it shows; without a comment the manifest does not list it."""

    path: str
    content: bytes
    comment: str = ""


def pages(root: Path) -> list[Path]:
    """The stored notebooks, in the order of the book's contents."""
    contents = yaml.safe_load((root / "_toc.yml").read_text())
    listed = [contents["root"], *(each["file"] for part in contents["parts"] for each in part["chapters"])]
    return [root / file for file in listed if file.endswith(".ipynb")]


def outputs(page: Path) -> Iterator[File]:
    """The files of a stored notebook: its figures and tables in their order, and what it prints, last."""
    cells = json.loads(page.read_text())["cells"]
    folder, title, heading, printed = f"{FOLDER}/{page.stem}", "", "", []
    figures = tables = 0
    for cell in cells:
        if cell["cell_type"] == "markdown":
            for found in HEADING.finditer("".join(cell["source"])):
                heading = found[2] or heading
                title = title or heading
        for output in cell.get("outputs", ()):
            forms = {kind: "".join(form) for kind, form in output.get("data", {}).items()}
            where = f"{title}, “{heading}”" if heading != title else title
            if PICTURE in forms:
                figures += 1
                name = f"{folder}/figure-{figures}"
                alt = forms[TEXT].partition("\n")[0].removeprefix("alt: ")
                yield File(f"{name}.png", b64decode(forms[PICTURE]), f"{where}: {alt}")
                yield File(f"{name}.txt", f"{forms[TEXT]}\n".encode())
            elif "<table" in forms.get(HTML, ""):
                tables += 1
                caption = unescape(re.search("<caption>(.*?)</caption>", forms[HTML])[1])
                yield File(f"{folder}/table-{tables}.txt", f"{forms[TEXT]}\n".encode(), f"{where}: {caption}")
            elif "text" in output:
                printed.append(_under(where, cell, "".join(output["text"])))
    if printed:
        yield File(f"{folder}/printed.txt", "\n".join(printed).encode(), f"{title}: all that its cells print")


def _under(where: str, cell: dict[str, Any], text: str) -> str:
    """What a cell printed, under the place where it stands, and the reason if nbval is not to compare it."""
    first = "".join(cell["source"]).partition("\n")[0]
    reason = f"\n{first}" if "nbval-ignore-output" in cell["metadata"].get("tags", ()) else ""
    return f"# {where}, cell {cell['execution_count']}{reason}\n{text}"


def listed(text: str, files: list[File]) -> str:
    """The text of codecheck.yml with a manifest of these files in place of the one it has.

    ValueError if it has no manifest or more than one.
    """
    items = [{"file": file.path, "comment": file.comment} for file in files if file.comment]
    block = yaml.safe_dump({"manifest": items}, sort_keys=False, allow_unicode=True, width=110)
    renewed, count = MANIFEST.subn(lambda _: block, text)
    if count != 1:
        raise ValueError(f"codecheck.yml has {count} manifests: one is needed")
    return renewed


def main(root: Path = ROOT) -> int:
    """Write all files anew and renew the manifest."""
    files = [file for page in pages(root) for file in outputs(page)]
    shutil.rmtree(root / FOLDER, ignore_errors=True)
    for file in files:
        path = root / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
    target = root / "codecheck.yml"
    target.write_text(listed(target.read_text(encoding="utf8"), files), encoding="utf8")
    print(f"{len(files)} files in {FOLDER}; codecheck.yml lists {sum(bool(file.comment) for file in files)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
