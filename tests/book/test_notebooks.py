"""The stored notebooks of the book have none of the faults that planted ones are shown to have."""

import base64
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebook_faults import (
    BOOK,
    ROOT,
    machine_facts,
    not_executed,
    out_of_step,
    page,
    prose_per_line,
    refresh,
    too_big,
    too_heavy,
    too_long,
    unchecked,
)

SOURCES = refresh.chapters(BOOK)


@pytest.fixture(params=list(SOURCES))
def chapter(request):
    """Name, notebook file and stored notebook of each chapter."""
    path = SOURCES[request.param].with_suffix(".ipynb")
    assert path.exists(), f"{path.name} is missing: run python book/refresh.py {request.param}"
    return request.param, path, nbformat.read(path, as_version=4)


def test_chapters_of_the_contents_are_the_pairs_of_the_folder():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())
    listed = [contents["root"], *(each["file"] for part in contents["parts"] for each in part["chapters"])]
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


def test_the_picture_of_the_readme_is_that_of_the_index():
    stored = (BOOK / "_static" / "cover.png").read_bytes()
    assert stored == refresh.cover((BOOK / "index.ipynb").read_text())


def test_results_are_small():
    assert not too_heavy(BOOK / "results")


# Planted faults ---------------------------------------------------------------------------------------------


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


def test_heavy_results_are_found(tmp_path):
    (tmp_path / "chapter").mkdir()
    (tmp_path / "chapter" / "a.npz").write_bytes(bytes(100))
    (tmp_path / "chapter" / "a.runs-3.npz").write_bytes(bytes(100))
    assert too_heavy(tmp_path, most=100) == []
    assert too_heavy(tmp_path, most=99) == [f"{tmp_path.name} holds 100 bytes"]


@pytest.mark.parametrize(
    "text",
    [
        "read from /home/reader/book/results",
        'File "/usr/lib/python3/site.py"',
        "<a href='/var/tmp/x.npz'>",
        r"C:\Users",
        "<Line2D at 0x7f10b2c4d590>",
        "ran on node-17",
    ],
)
def test_traces_of_the_machine_are_found(text):
    html = new_output("execute_result", data={"text/html": text})
    for output in (new_output("stream", text=text), html):
        assert machine_facts(notebook_of("x", output), host="node-17")


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
