"""Figures and tables as files, and the manifest of codecheck.yml, which lists all of them."""

import base64
import re
from pathlib import PurePosixPath

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebook_faults import BOOK, ROOT, load

outputs = load(BOOK / "outputs.py")
CODECHECK = ROOT / "codecheck.yml"
TABLE = "<table><caption>Runs &amp; words</caption><tr><td>1</td></tr></table>"


def test_the_manifest_is_that_of_the_stored_pages():
    files = [file for page in outputs.pages(ROOT) for file in outputs.outputs(page)]
    text = CODECHECK.read_text(encoding="utf8")
    assert outputs.listed(text, files) == text, "run python book/outputs.py"


def test_every_picture_and_table_of_the_pages_is_in_the_manifest():
    manifest = [PurePosixPath(item["file"]) for item in yaml.safe_load(CODECHECK.read_text())["manifest"]]
    assert len(set(manifest)) == len(manifest)
    for page in BOOK.glob("*.ipynb"):
        cells = nbformat.read(page, as_version=4).cells
        shown = [output.get("data", {}) for cell in cells for output in cell.get("outputs", ())]
        of_page = [path.name for path in manifest if path.parent.name == page.stem]
        assert sum(name.startswith("figure-") for name in of_page) == sum("image/png" in one for one in shown)
        tables = sum("<caption>" in one.get("text/html", "") for one in shown)
        assert sum(name.startswith("table-") for name in of_page) == tables


def test_the_configuration_is_what_authors_owe_a_codechecker():
    """As https://codecheck.org.uk/spec/config/2.0 has it, but for the ORCIDs, which its comment calls missing."""
    text = CODECHECK.read_text(encoding="utf8")
    check, citation = yaml.safe_load(text), yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert "\n---\n" in text and check["version"] == "https://codecheck.org.uk/spec/config/2.0/"
    assert check["paper"]["title"] == citation["title"]
    assert check["paper"]["authors"] == citation["authors"]
    assert f"version {citation['version']}," in check["paper"]["reference"]
    for item in check["manifest"]:
        assert set(item) == {"file", "comment"} and item["file"].startswith("_build/outputs/")
        assert re.search(r": \S", item["comment"])


@pytest.fixture
def book(tmp_path):
    """A book of one page in a folder of its own."""
    picture = base64.b64encode(b"a picture").decode()
    cells = [
        new_markdown_cell("# A small page\n\nWords.\n\n```bash\n# no heading\n```\n\n## Runs and *words*\n"),
        new_code_cell(
            "show(fig, 'a line')",
            outputs=[new_output("display_data", {"image/png": picture, "text/plain": "alt: a line\nfigure"})],
        ),
        new_code_cell("print(3)", execution_count=2, outputs=[new_output("stream", text="3\n")]),
        new_code_cell("print(4)", execution_count=3, outputs=[new_output("stream", text="4\n")]),
        new_code_cell(
            "# Not compared: the last bits differ.\nprint(5)",
            execution_count=4,
            outputs=[new_output("stream", text="5\n")],
            metadata={"tags": ["nbval-ignore-output"]},
        ),
        new_code_cell(
            "words",
            outputs=[
                new_output("execute_result", {"text/html": TABLE, "text/plain": "1 run"}),
                new_output("display_data", {"text/html": "<script>live()</script>", "text/plain": "live"}),
                new_output("execute_result", {"text/plain": "torch.Size([13, 5])"}),
            ],
        ),
    ]
    (tmp_path / "book").mkdir()
    nbformat.write(new_notebook(cells=cells), tmp_path / "book" / "small.ipynb")
    (tmp_path / "_toc.yml").write_text("root: book/small.ipynb\nparts: [{chapters: [{file: book/plain}]}]\n")
    (tmp_path / "codecheck.yml").write_text("%YAML 1.1\n---\nmanifest:\n")
    return tmp_path


def test_a_page_becomes_files(book):
    assert outputs.main(book) == 0
    folder = book / "_build" / "outputs" / "small"
    written = {path.name: path.read_text() for path in folder.iterdir()}
    assert written == {
        "figure-1.png": "a picture",
        "figure-1.txt": "alt: a line\nfigure\n",
        "table-1.txt": "1 run\n",
        "printed.txt": "# A small page, “Runs and *words*”, cell 2\n3\n\n"
        "# A small page, “Runs and *words*”, cell 3\n4\n\n"
        "# A small page, “Runs and *words*”, cell 4\n# Not compared: the last bits differ.\n5\n",
    }
    assert yaml.safe_load((book / "codecheck.yml").read_text())["manifest"] == [
        {
            "file": "_build/outputs/small/figure-1.png",
            "comment": "A small page, “Runs and *words*”: a line",
        },
        {
            "file": "_build/outputs/small/table-1.txt",
            "comment": "A small page, “Runs and *words*”: Runs & words",
        },
        {"file": "_build/outputs/small/printed.txt", "comment": "A small page: all that its cells print"},
    ]


def test_files_of_outputs_that_are_gone_are_removed(book):
    outputs.main(book)
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Nothing")]), book / "book" / "small.ipynb")
    outputs.main(book)
    assert not (book / "_build" / "outputs").exists()
    assert yaml.safe_load((book / "codecheck.yml").read_text()) == {"manifest": []}


@pytest.mark.parametrize("items", ["", "- file: old.png\n  comment: old\n", "  - file: old.png\n"])
def test_what_a_codechecker_wrote_stays(book, items):
    before, after = "---\n# a word\npaper: 1\nmanifest:\n", "\n# another\ncertificate: 2026-001\n"
    (book / "codecheck.yml").write_text(before + items + after)
    outputs.main(book)
    text = (book / "codecheck.yml").read_text()
    assert text.startswith(before) and text.endswith(after) and "old.png" not in text
    outputs.main(book)
    assert (book / "codecheck.yml").read_text() == text


@pytest.mark.parametrize("text", ["---\npaper: 1\n", "manifest:\npaper: 1\nmanifest:\n"])
def test_a_configuration_without_its_one_manifest_is_refused(text):
    with pytest.raises(ValueError, match=r"codecheck.yml has [02] manifests"):
        outputs.listed(text, [])
