"""What a stored notebook must not be: functions from a notebook, or a file, to its faults in words."""

import ast
import base64
import importlib.util
import re
import socket
from pathlib import Path

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"
UNCOMPARED = {"image/png", "image/jpeg"}  # nbval skips these forms of an output
REASON = "# Not compared: "  # begins a cell whose outputs nbval is told to ignore, and gives the reason
# Calls that set a default: they print, draw and return nothing.
SETUP = {"figures.style", "np.set_printoptions", "torch.set_default_dtype", "torch.set_printoptions"}
DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
ASSIGNMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Pass)


def load(path):
    """A Python file of the book's folder, which is no package, as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


refresh = load(BOOK / "refresh.py")


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def out_of_step(source, notebook):
    """Where the stored notebook is not the notebook of the page: cells, their metadata, the header."""
    written = refresh.unexecuted(source)
    faults = []
    if dict(written.metadata) != dict(notebook.metadata):
        faults.append(f"header: {dict(written.metadata)} became {dict(notebook.metadata)}")
    if len(written.cells) != len(notebook.cells):
        faults.append(f"{len(written.cells)} cells written, {len(notebook.cells)} stored")
    for number, (ours, stored) in enumerate(zip(written.cells, notebook.cells, strict=False)):
        for part in ("cell_type", "source", "metadata", "id"):
            if ours[part] != stored[part]:
                faults.append(f"cell {number}: {part} {ours[part]!r} became {stored[part]!r}")
                break
    return faults


def not_executed(notebook):
    """Code cells whose counts are not 1, 2, …: nbval runs a cell without a count and compares nothing."""
    counts = [cell.execution_count for cell in code_cells(notebook)]
    return [
        f"code cell {number} has the execution count {count}"
        for number, count in enumerate(counts, 1)
        if count != number
    ]


def unchecked(notebook):
    """Code cells that may go wrong unseen: no output that nbval compares, no assertion, more than definitions."""
    faults = []
    for number, cell in enumerate(code_cells(notebook), 1):
        if why := _why_unchecked(cell):
            faults.append(f"code cell {number} ({cell.source.split(chr(10))[0]!r}) {why}")
    return faults


def _why_unchecked(cell):
    tags = set(cell.metadata.get("tags", []))
    markers = " ".join(tags).upper().replace("-", "_") + cell.source.upper()
    if "NBVAL_SKIP" in markers or "PYTEST_VALIDATE" in markers:
        return "is skipped by nbval"
    ignored = "NBVAL_IGNORE_OUTPUT" in markers
    if ignored and ("nbval-ignore-output" not in tags or not cell.source.startswith(REASON)):
        return f"is ignored by nbval without the tag or a first line {REASON!r} with the reason"
    try:
        tree = ast.parse(cell.source)
    except SyntaxError:
        return "is not plain Python"
    if any(_unreadable_picture(output) for output in cell.outputs):
        return "shows a picture without a digest: use figures.show"
    if ignored or any(map(_asserts, tree.body)) or all(map(_defines, tree.body)):
        return ""
    return "" if any(map(_comparable, cell.outputs)) else "neither asserts nor has an output that is compared"


def _comparable(output):
    if output.output_type == "stream":
        return bool(output.text.strip())
    return output.output_type == "error" or bool(output.data.keys() - UNCOMPARED)


def _unreadable_picture(output):
    data = output.get("data", {})
    drawn = data.keys() & {"image/png", "image/jpeg", "image/svg+xml"}
    return bool(drawn) and not str(data.get("text/plain", "")).startswith("alt: ")


def _asserts(statement):
    """Whether running the statement asserts; what stands in a definition only runs when it is called."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.Lambda):
        return False
    if isinstance(statement, ast.Assert):
        return True
    if isinstance(statement, ast.Call) and ast.unparse(statement.func).split(".")[-1].startswith("assert_"):
        return True
    return any(map(_asserts, ast.iter_child_nodes(statement)))


def _defines(statement):
    """Whether a statement only imports, defines, assigns or documents, also inside of a loop or a branch."""
    if isinstance(statement, ast.For | ast.While | ast.If | ast.With):
        return all(map(_defines, statement.body + getattr(statement, "orelse", [])))
    if isinstance(statement, ast.Expr):
        value = statement.value
        is_text = isinstance(value, ast.Constant) and isinstance(value.value, str)
        return is_text or (isinstance(value, ast.Call) and ast.unparse(value.func) in SETUP)
    return isinstance(statement, DEFINITIONS + ASSIGNMENTS)


def too_long(notebook, usual=22, most=40):
    """Code cells over `most` lines, and all over `usual` lines where they are more than one in ten."""
    lengths = [len(cell.source.splitlines()) for cell in code_cells(notebook)]
    long = [number for number, length in enumerate(lengths) if length > usual]
    faults = [number for number in long if lengths[number] > most]
    if 10 * len(long) > len(lengths):
        faults = long
    return [f"code cell {number + 1} has {lengths[number]} lines" for number in faults]


def too_big(path, notebook):
    """A notebook over 1 MB, pictures over 100 KB."""
    faults = [f"{path.name} has {size} bytes"] if (size := path.stat().st_size) > 1_000_000 else []
    for number, cell in enumerate(code_cells(notebook), 1):
        for output in cell.outputs:
            size = len(base64.b64decode(output.get("data", {}).get("image/png", "")))
            if size > 100_000:
                faults.append(f"a picture of code cell {number} has {size} bytes")
    return faults


def too_heavy(folder, most=20_000_000):
    """A results folder over `most` bytes, without what git ignores: shards in progress and shortened runs."""
    files = [path for path in folder.rglob("*") if ".shards" not in path.parts and ".runs-" not in path.name]
    size = sum(path.stat().st_size for path in files if path.is_file())
    return [f"{folder.name} holds {size} bytes"] if size > most else []


ABSOLUTE_PATH = re.compile(r"(?<![\w/.:<)\]])/(?:[\w.+-]+/)+[\w.+-]+|\b[A-Z]:\\\w+")
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")


def machine_facts(notebook, host=socket.gethostname()):  # noqa: B008
    """What an output tells of the machine it was made on: paths, its name, addresses, warnings.

    A name of letters only is not looked for: it may be a word of the text.
    """
    patterns = [ABSOLUTE_PATH, ADDRESS]
    if not host.isalpha():
        patterns.append(re.compile(rf"\b{re.escape(host)}\b"))
    faults = []
    for number, cell in enumerate(code_cells(notebook), 1):
        for output in cell.outputs:
            if output.get("name") == "stderr":
                faults.append(f"code cell {number} warns: {output.text.splitlines()[0]!r}")
            for text in _texts(output):
                for pattern in patterns:
                    faults += [f"code cell {number} prints {hit!r}" for hit in pattern.findall(text)]
    return faults


def _texts(output):
    forms = output.get("data", {})
    return [
        output.get("text", ""),
        *output.get("traceback", []),
        *(str(value) for kind, value in forms.items() if kind not in UNCOMPARED),
    ]


def prose_per_line(notebook):
    """Words of prose to a line of code; formulas, boxes and listings are not counted."""
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for aside in (r"(?ms)^(`{3,}).*?^\1$", r"(?s)\$\$.*?\$\$", r"\$[^$\n]*\$", r"(?m)^:+.*$"):
        prose = re.sub(aside, " ", prose)
    lines = [line for cell in code_cells(notebook) for line in cell.source.splitlines() if line.strip()]
    return len(re.findall(r"[^\W\d_]{2,}", prose)) / max(1, len(lines))


HEADER = """---
jupytext:
  formats: ipynb,md:myst
  text_representation:
    extension: .md
    format_name: myst
    format_version: 0.13
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# A small page

"""


def page(folder, *cells):
    """A chapter's source with these code cells."""
    path = folder / "small.md"
    path.write_text(HEADER + "\n\n".join(f"```{{code-cell}} ipython3\n{cell}\n```" for cell in cells) + "\n")
    return path
