"""Refreshing a chapter, comparing it with what is stored, and the words for its pictures on the page."""

import subprocess
import sys
from xml.etree import ElementTree

import nbformat
import pytest
from docutils import nodes
from docutils.utils import new_document
from notebook_faults import BOOK, code_cells, load, not_executed, out_of_step, page, refresh, unchecked

PLOTS = {
    "line": "ax.plot([0, 1, 2], [0.5, 1.25, 3])",
    "image": "ax.imshow([[0.5, 1.25], [3, 4]])",
    "band": "ax.fill_between([0, 1, 2], 0, [0.5, 1.25, 3])",
}


@pytest.fixture(scope="module")
def plotted(tmp_path_factory):
    """A page that shows each kind of plot twice, executed and stored as the book's chapters are."""
    imports = "import sys\nimport matplotlib.pyplot as plt\nfrom lltd import figures\nfigures.style()"
    streams = 'for place in (sys.stdout, sys.stderr, sys.stdout):\n    print("word", file=place, flush=True)'
    shown = [
        f'figure, ax = plt.subplots(layout="none")\n{plot}\nfigures.show(figure, "a {kind}")'
        for kind, plot in PLOTS.items()
    ]
    source = page(tmp_path_factory.mktemp("plotted"), imports, *shown, *shown, streams)
    refresh.store(refresh.executed(source).encode(), source.with_suffix(".ipynb"))
    return source


def failing_cells(path):
    """Runs nbval on a notebook: for each code cell whether it fails."""
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
    assert done.returncode in (0, 1), done.stdout + done.stderr
    cases = ElementTree.parse(report).iter("testcase")
    return {int(case.get("name").removeprefix("Cell ")): len(case) > 0 for case in cases}


def test_one_changed_number_fails_exactly_its_cell_and_other_bytes_of_a_picture_pass(plotted, tmp_path):
    """Of a figure's output nbval compares the digest, and not the picture, which each machine draws its way."""
    notebook = nbformat.read(plotted.with_suffix(".ipynb"), as_version=4)
    _, *untouched_and_changed, _ = code_cells(notebook)
    for cell in untouched_and_changed[:3]:
        [output] = cell.outputs
        output.data["image/png"] = output.data["image/png"][:40]
        output.metadata = {}
    for cell in untouched_and_changed[3:]:
        assert "1.25" in cell.source
        cell.source = cell.source.replace("1.25", "1.26")
    changed = tmp_path / "changed.ipynb"
    nbformat.write(notebook, changed)
    assert failing_cells(changed) == {number: number in (4, 5, 6) for number in range(8)}


def test_a_second_refresh_changes_no_byte(plotted):
    target = plotted.with_suffix(".ipynb")
    before = target.stat().st_mtime_ns
    assert not refresh.store(refresh.executed(plotted).encode(), target)
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
    assert f"no chapter minimal_tusk; there are {', '.join(refresh.chapters())}" in capsys.readouterr().err


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
