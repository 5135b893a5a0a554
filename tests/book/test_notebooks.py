"""What the stored notebooks must be, said as functions from a notebook to its faults.

Every function is shown to find a planted fault before it is trusted to find none in the book.
"""

import ast
import base64
import importlib.util
import re
import socket
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest
import yaml
from docutils import nodes
from docutils.utils import new_document
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"


def load(path):
    """A Python file of the book's folder, which is no package, as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


refresh = load(BOOK / "refresh.py")
SOURCES = refresh.chapters(BOOK)
UNCOMPARED = {"image/png", "image/jpeg"}  # nbval skips these forms of an output
REASON = "# Not compared: "  # begins a cell whose outputs nbval is told to ignore, and gives the reason
SETUP = {"figures.style"}  # calls that print nothing, draw nothing and return nothing


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


# The faults ---------------------------------------------------------------------------------------------------


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
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
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
    return isinstance(
        statement,
        ast.Import
        | ast.ImportFrom
        | ast.FunctionDef
        | ast.AsyncFunctionDef
        | ast.ClassDef
        | ast.Assign
        | ast.AnnAssign
        | ast.AugAssign
        | ast.Pass,
    )


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


ABSOLUTE_PATH = re.compile(r"(?<![\w/.:<)\]])/(?:[\w.+-]+/)+[\w.+-]+|\b[A-Z]:\\\w+")
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")


def machine_facts(notebook):
    """What an output tells of the machine it was made on: paths, its name, addresses, warnings."""
    name = re.compile(rf"\b{re.escape(socket.gethostname())}\b")
    faults = []
    for number, cell in enumerate(code_cells(notebook), 1):
        for output in cell.outputs:
            if output.get("name") == "stderr":
                faults.append(f"code cell {number} warns: {output.text.splitlines()[0]!r}")
            for text in _texts(output):
                for pattern in (ABSOLUTE_PATH, ADDRESS, name):
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
    """Words of prose to a line of code; formulas, directives and listings are not prose."""
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for aside in (r"(?ms)^```.*?^```$", r"(?s)\$\$.*?\$\$", r"\$[^$\n]*\$", r"(?m)^:+.*$"):
        prose = re.sub(aside, " ", prose)
    lines = [line for cell in code_cells(notebook) for line in cell.source.splitlines() if line.strip()]
    return len(re.findall(r"[^\W\d_]{2,}", prose)) / max(1, len(lines))


# The book -----------------------------------------------------------------------------------------------------


@pytest.fixture(params=list(SOURCES))
def chapter(request):
    """Name, notebook file and stored notebook of each chapter."""
    path = SOURCES[request.param].with_suffix(".ipynb")
    assert path.exists(), f"{path.name} is missing: run python book/refresh.py {request.param}"
    return request.param, path, nbformat.read(path, as_version=4)


def test_chapters_of_the_contents_are_the_pairs_of_the_folder():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())
    listed = [contents["root"], *(page["file"] for part in contents["parts"] for page in part["chapters"])]
    executable = {Path(file).stem for file in listed if file.endswith(".ipynb")}
    assert executable
    assert executable == set(SOURCES)
    assert executable == {path.stem for path in BOOK.glob("*.ipynb")}


def test_page_and_notebook_are_in_step(chapter):
    name, _, notebook = chapter
    assert not out_of_step(SOURCES[name], notebook), f"run python book/refresh.py {name}"


def test_all_cells_were_executed_in_order(chapter):
    assert not not_executed(chapter[2])


def test_every_code_cell_is_compared_asserts_or_defines(chapter):
    assert not unchecked(chapter[2])


def test_cells_are_short(chapter):
    assert not too_long(chapter[2])


def test_notebooks_and_pictures_are_small(chapter):
    assert not too_big(*chapter[1:])


def test_outputs_tell_nothing_of_the_machine(chapter):
    assert not machine_facts(chapter[2])


def test_prose_carries_the_code(chapter, record_property):
    ratio = prose_per_line(chapter[2])
    record_property("words_per_line_of_code", round(ratio, 1))
    print(f"{chapter[0]}: {ratio:.1f} words of prose to a line of code")
    assert 2 < ratio < 30


def test_results_are_small():
    assert folder_bytes(BOOK / "results") < 20_000_000


def folder_bytes(folder):
    files = (path for path in folder.rglob("*") if ".shards" not in path.parts and ".runs-" not in path.name)
    return sum(path.stat().st_size for path in files if path.is_file())


# The planted faults -------------------------------------------------------------------------------------------

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


def notebook_of(source, *outputs, **metadata):
    cell = new_code_cell(source, outputs=list(outputs), execution_count=1, metadata=metadata)
    return new_notebook(cells=[new_markdown_cell("# Page"), cell])


PRINTED = new_output("stream", text="0.123\n")
DRAWN = new_output("display_data", data={"image/png": "AAAA", "text/plain": "alt: a line\nfigure"})
BLIND = new_output("display_data", data={"image/png": "AAAA"})
ANONYMOUS = new_output("display_data", data={"image/png": "AAAA", "text/plain": "<Figure size 1x1>"})


@pytest.mark.parametrize(
    "edit",
    [
        lambda notebook: notebook.cells[1].update(source="x = 2"),
        lambda notebook: notebook.cells[0].update(source="# Another page"),
        lambda notebook: notebook.cells[1].update(cell_type="raw"),
        lambda notebook: notebook.cells[1].metadata.update(tags=["nbval-skip"]),
        lambda notebook: notebook.cells.pop(),
        lambda notebook: notebook.cells.reverse(),
        lambda notebook: notebook.metadata.update(language_info={"version": "3.11.1"}),
    ],
)
def test_an_edit_of_one_of_a_pair_is_found(tmp_path, edit):
    source = page(tmp_path, "x = 1", "x")
    notebook = refresh.unexecuted(source)
    assert out_of_step(source, notebook) == []
    edit(notebook)
    assert out_of_step(source, notebook)


def test_an_edit_of_the_page_alone_is_found(tmp_path):
    notebook = refresh.unexecuted(page(tmp_path, "x = 1"))
    assert out_of_step(page(tmp_path, "x = 2"), notebook) == ["cell 1: source 'x = 2' became 'x = 1'"]


@pytest.mark.parametrize("counts", [[None, None], [2, 3], [1, 1], [1, None], [2, 1]])
def test_stripped_and_disordered_notebooks_are_found(counts):
    cells = [new_code_cell("1", execution_count=count) for count in counts]
    assert not_executed(new_notebook(cells=cells))


@pytest.mark.parametrize(
    "notebook",
    [
        notebook_of("train()"),
        notebook_of("x = 1\nax.plot(x)"),
        notebook_of("x"),
        notebook_of("print(x)", new_output("stream", text="\n")),
        notebook_of("for x in range(3):\n    train(x)"),
        notebook_of("del x"),
        notebook_of("def test():\n    assert x == 1\ntest"),
        notebook_of("train(check=lambda: assert_close(x, y))"),
        notebook_of("%matplotlib inline"),
        notebook_of("plot()", BLIND),
        notebook_of("plot()", PRINTED, BLIND),
        notebook_of("plot()", ANONYMOUS),
        notebook_of("play()", PRINTED, tags=["nbval-skip"]),
        notebook_of("play()", PRINTED, tags=["nbval-ignore-output"]),
        notebook_of("# NBVAL_IGNORE_OUTPUT\nplay()", PRINTED),
        notebook_of("# Not compared: moves\n# NBVAL_IGNORE_OUTPUT\nplay()", PRINTED),
        notebook_of("# PYTEST_VALIDATE_IGNORE_OUTPUT\nplay()", PRINTED),
    ],
    ids=lambda notebook: notebook.cells[1].source,
)
def test_cells_that_nothing_checks_are_found(notebook):
    assert len(unchecked(notebook)) == 1


@pytest.mark.parametrize(
    "notebook",
    [
        notebook_of('"""What follows."""\nimport math\nfrom lltd import figures\nfigures.style()'),
        notebook_of("def f(x):\n    return x\n\nclass C:\n    pass\n\nx: int = f(1)\nx += 1"),
        notebook_of("for t in range(3):\n    x[t] = f(t)\nelse:\n    y = 1"),
        notebook_of("train()\nassert x == 1"),
        notebook_of("train()\nnp.testing.assert_allclose(x, y, rtol=1e-9)"),
        notebook_of("for x in y:\n    torch.testing.assert_close(x, y)"),
        notebook_of("print(x)", PRINTED),
        notebook_of("figures.show(figure, alt)", DRAWN),
        notebook_of("# Not compared: the reader moves it\nplay()", PRINTED, tags=["nbval-ignore-output"]),
    ],
    ids=lambda notebook: notebook.cells[1].source,
)
def test_cells_that_are_checked_are_left_alone(notebook):
    assert unchecked(notebook) == []


def test_long_cells_are_found():
    lengths = [4] * 8 + [23, 40]
    notebook = new_notebook(cells=[new_code_cell("\n".join(["x = 1"] * length)) for length in lengths])
    assert too_long(notebook) == ["code cell 9 has 23 lines", "code cell 10 has 40 lines"]
    notebook.cells[8].source = "x = 1"
    assert too_long(notebook) == []
    notebook.cells[9].source += "\nx = 2"
    assert too_long(notebook) == ["code cell 10 has 41 lines"]


def test_big_notebooks_and_pictures_are_found(tmp_path):
    path = tmp_path / "big.ipynb"
    path.write_bytes(bytes(1_000_001))
    picture = {"image/png": base64.b64encode(bytes(100_001)).decode()}
    notebook = notebook_of("show()", new_output("display_data", data=picture))
    assert too_big(path, notebook) == [
        "big.ipynb has 1000001 bytes",
        "a picture of code cell 1 has 100001 bytes",
    ]


def test_big_results_are_found(tmp_path):
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "a.npz").write_bytes(bytes(100))
    (tmp_path / "small" / "a.runs-3.npz").write_bytes(bytes(100))  # a shortened run, which git ignores
    assert folder_bytes(tmp_path) == 100


@pytest.mark.parametrize(
    "text",
    [
        "read from /home/reader/book/results",
        'File "/usr/lib/python3/site.py"',
        "<a href='/var/tmp/x.npz'>",
        r"C:\Users",
        "<Line2D at 0x7f10b2c4d590>",
        f"ran on {socket.gethostname()}",
    ],
)
def test_traces_of_the_machine_are_found(text):
    html = new_output("execute_result", data={"text/html": text})
    for output in (new_output("stream", text=text), html):
        assert machine_facts(notebook_of("x", output))


def test_warnings_are_found():
    assert machine_facts(notebook_of("x", new_output("stream", name="stderr", text="UserWarning")))


@pytest.mark.parametrize(
    "text",
    [
        "results/minimal_task/density.npz",
        "https://doi.org/10.1109/72.279181",
        "3/4 of 1/2/3",
        "<td>a</td><td/>",
    ],
)
def test_ordinary_text_is_no_trace_of_the_machine(text):
    assert machine_facts(notebook_of("x", new_output("stream", text=text))) == []


def test_prose_is_counted_without_formulas_and_listings():
    prose = "# The latch\n\nIt holds $x_t$ for ever.\n\n$$\na = tanh(b)\n$$\n\n```{note}\nnot counted\n```\n"
    notebook = new_notebook(cells=[new_markdown_cell(prose), new_code_cell("x = 1\n\ny = 2")])
    assert prose_per_line(notebook) == 6 / 2


# Refreshing and comparing -------------------------------------------------------------------------------------

PLOTS = {
    "line": "figure, ax = plt.subplots()\nax.plot([0, 1, 2], [0.5, 1.25, 3])",
    "image": "figure, ax = plt.subplots()\nax.imshow([[0.5, 1.25], [3, 4]])",
    "band": "figure, ax = plt.subplots()\nax.fill_between([0, 1, 2], 0, [0.5, 1.25, 3])",
    "untouched": "figure, ax = plt.subplots()\nax.plot([1, 2])",
}


@pytest.fixture(scope="module")
def plotted(tmp_path_factory):
    """A page with one figure of each kind, executed and stored as the book's chapters are."""
    folder = tmp_path_factory.mktemp("plotted")
    imports = "import sys\nimport matplotlib.pyplot as plt\nfrom lltd import figures\nfigures.style()"
    shown = [f'{plot}\nfigures.show(figure, "a {kind}")' for kind, plot in PLOTS.items()]
    noise = 'for place in (sys.stdout, sys.stderr, sys.stdout):\n    print("word", file=place, flush=True)'
    source = page(folder, imports, *shown, noise)
    refresh.store(refresh.executed(source), source.with_suffix(".ipynb"))
    return source


def failing_cells(path):
    """Runs nbval on a notebook; the numbers of the code cells that fail, counted from 0, and of all."""
    report = path.with_suffix(".xml")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval",
        "--nbval-current-env",
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [*command, "-c", "/dev/null", f"--rootdir={path.parent}", f"--junitxml={report}", str(path)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    cells = {
        int(case.get("name").split()[-1]): len(case) > 0
        for case in ElementTree.parse(report).iter("testcase")
    }
    assert cells, done.stdout + done.stderr
    return [number for number, failed in cells.items() if failed], len(cells)


def test_changing_one_plotted_number_fails_exactly_that_cell(plotted, tmp_path):
    notebook = nbformat.read(plotted.with_suffix(".ipynb"), as_version=4)
    for number, kind in enumerate(PLOTS, 1):
        cell = code_cells(notebook)[number]
        assert kind == "untouched" or "1.25" in cell.source
        cell.source = cell.source.replace("1.25", "1.26")
    changed = tmp_path / "changed.ipynb"
    nbformat.write(notebook, changed)
    assert failing_cells(changed) == ([1, 2, 3], 6)


def test_other_bytes_of_the_same_picture_pass(plotted, tmp_path):
    """Another machine draws other bytes: of a figure's output, nbval compares the digest alone."""
    notebook = nbformat.read(plotted.with_suffix(".ipynb"), as_version=4)
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if "data" in output:
                output.data["image/png"] = output.data["image/png"][:40]
                output.metadata["image/png"] = {}
    same = tmp_path / "same.ipynb"
    nbformat.write(notebook, same)
    assert failing_cells(same) == ([], 6)


def test_a_second_refresh_changes_no_byte(plotted):
    target = plotted.with_suffix(".ipynb")
    before = target.stat().st_mtime_ns
    assert not refresh.store(refresh.executed(plotted), target)
    assert target.stat().st_mtime_ns == before
    assert [path.name for path in plotted.parent.iterdir() if path.name.startswith(".")] == []


def test_a_stored_notebook_is_clean(plotted):
    notebook = nbformat.read(plotted.with_suffix(".ipynb"), as_version=4)
    nbformat.validate(notebook)
    assert out_of_step(plotted, notebook) == not_executed(notebook) == unchecked(notebook) == []
    assert set(notebook.metadata) == {"jupytext", "kernelspec"}
    assert not any(cell.metadata for cell in notebook.cells)
    assert [output.text for output in code_cells(notebook)[-1].outputs] == ["word\nword\n", "word\n"]


def test_a_failing_cell_is_one_line_with_chapter_and_cell(tmp_path, capsys, monkeypatch):
    source = page(tmp_path, "x = 1", "x / 0")
    monkeypatch.setattr(refresh, "chapters", lambda: {"small": source})
    assert refresh.main(["small"]) == 1
    shown = capsys.readouterr().err
    assert shown == "small.md, cell 2 ('x / 0'): ZeroDivisionError: division by zero\n"
    assert not source.with_suffix(".ipynb").exists()


def test_check_tells_a_chapter_that_differs_and_writes_nothing(tmp_path, capsys, monkeypatch):
    source, target = page(tmp_path, "1 + 1"), tmp_path / "small.ipynb"
    text = "the notebook"
    monkeypatch.setattr(refresh, "chapters", lambda: {"small": source})
    monkeypatch.setattr(refresh, "executed", lambda path: text)
    target.write_text("another notebook")
    assert refresh.main(["--check"]) == 1
    assert target.read_text() == "another notebook"
    target.write_text(text)
    assert refresh.main(["--check"]) == 0
    assert capsys.readouterr().out.splitlines() == ["small: differs from what is stored", "small: as stored"]


def test_an_unknown_chapter_lists_the_known_ones(capsys):
    with pytest.raises(SystemExit) as stop:
        refresh.main(["minimal_tusk"])
    assert stop.value.code == 2
    assert f"no chapter minimal_tusk; there are {', '.join(SOURCES)}" in capsys.readouterr().err


# Pictures in the page -----------------------------------------------------------------------------------------


def picture_of(text):
    """The part of a page that myst-nb makes of an output with a picture and this text."""
    document = new_document("page")
    bundle = nodes.container(nb_element="mime_bundle")
    drawn = nodes.container("", nodes.image(uri="a.png"), mime_type="image/png")
    bundle += [drawn, nodes.container("", nodes.literal_block(text, text), mime_type="text/plain")]
    document += bundle
    load(BOOK / "_ext" / "alt_text.py").describe_pictures(None, document)
    return next(document.findall(nodes.image))


def test_a_picture_in_the_page_has_the_text_that_show_was_given():
    assert picture_of("alt: A line.\nfigure 6.5 3.8 in")["alt"] == "A line."


def test_a_picture_without_alternative_text_is_a_warning(caplog):
    with caplog.at_level("WARNING"):
        assert "alt" not in picture_of("<Figure size 640x480 with 1 Axes>")
    assert "without alternative text" in caplog.text
