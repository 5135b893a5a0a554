"""The tables of where results come from, as HTML, before any browser sees them."""

import json
import re
import sys
from html import escape
from pathlib import Path

import counting
import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
provenance = pytest.importorskip("provenance")

from sphinx.errors import ExtensionError  # noqa: E402

from lltd import __main__ as command_line  # noqa: E402
from lltd import experiments  # noqa: E402

NAME = "tests/counting"


@pytest.fixture
def work(results, monkeypatch):
    """The tests' experiment, as the only one there is."""
    found = experiments.find(NAME)
    assert found.compute is counting.counting
    monkeypatch.setattr(experiments, "select", lambda name: [found])
    provenance.results.cache_clear()
    yield found
    provenance.results.cache_clear()


@pytest.fixture
def stored(work):
    experiments.run(work, workers=1)
    return experiments.path_of(work.recipe)


def test_missing_result_is_listed_as_missing(work):
    html = provenance.listing()
    assert "0 of 1 results are on record" in html and "<strong>missing</strong>" in html
    assert "<code>python -m lltd run tests/counting</code>" in html


def test_stored_result_is_described_from_its_files(work, stored):
    html = provenance.listing()
    notes = json.loads(stored.with_suffix(".log.json").read_text())
    shown = (
        *(
            "1 of 1 results",
            "20 MB",
            "<td>300</td>",
            escape(work.about),
            work.recipe.address[:12],
            notes["date"],
        ),
        *("<code>total</code>, 300 of float64", "<code>positive</code>, 300 of int8", notes["machine"]),
        *(f"torch {notes['versions']['torch']}", notes["commit"], "tests/counting.npz", "3 cells"),
        "LLTD_RESULTS=again python -m lltd run tests/counting",
    )
    assert [text for text in shown if text not in html] == []


def test_result_without_notes_says_that_they_are_unknown(stored):
    stored.with_suffix(".log.json").unlink()
    assert provenance.listing().count("unknown") == 6


@pytest.mark.parametrize("suffix", [".npz", ".log.json"])
def test_damaged_result_stops_the_build_and_is_named(stored, suffix):
    file = stored.with_suffix(suffix)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ExtensionError, match=rf"counting{re.escape(suffix)} is damaged"):
        provenance.listing()


def test_replay_on_the_page_is_what_the_command_prints(stored, capsys):
    command, *shown = provenance.replay().splitlines()
    assert command_line.main(command.removeprefix("python -m lltd ").split()) == 0
    printed = " ".join(capsys.readouterr().out.split())
    stored_lines = [line.removeprefix("#   ") for line in shown if ": stored " in line]
    settings = " ".join(line.lstrip("# ") for line in shown[: -len(stored_lines)])
    assert len(stored_lines) == 2 and settings in printed
    assert all(f"{line}, replayed " in printed for line in stored_lines)


def test_words_on_the_page_are_what_the_session_gives(work):
    *session, words = provenance.address().splitlines()
    names = {}
    exec(session[0].removeprefix(">>> "), names)
    assert str(eval(session[1].removeprefix(">>> "), names)) == words


def test_differences_state_every_experiment(work):
    assert "<td>none</td><td>10<sup>−9</sup></td>" in provenance.differences()
    assert provenance.share(0.01) == "1 %" and provenance.power(2e-4) == "2 × 10<sup>−4</sup>"


def test_versions_list_what_is_asked_for():
    html = provenance.versions(ROOT / "requirements.txt")
    pins = re.findall(r"^[\w.-]+==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert html.count('<th scope="row">') == len(pins) + 2


def test_tables_have_a_caption_and_scopes(stored):
    for html in (provenance.listing(), provenance.differences()):
        assert html.count("<caption>") == 1 and "<th>" not in html
        assert 'role="region" tabindex="0" aria-label="' in html
