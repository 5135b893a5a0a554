"""The scorecard's parts, as HTML, before any browser sees them."""

import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "book" / "_ext"))
scorecard = pytest.importorskip("scorecard")

from sphinx.errors import ExtensionError  # noqa: E402

from lltd import chapters, claims  # noqa: E402
from lltd.record import MissingRecordError, RecordError  # noqa: E402
from lltd.rules import Row  # noqa: E402


class Tags(HTMLParser):
    """Every start tag, and a check that tags close in order."""

    def __init__(self, html):
        super().__init__()
        self.found, self.open = [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in ("br", "input", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def of(self, name):
        return [attrs for tag, attrs in self.found if tag == name]


@pytest.fixture(autouse=True)
def marked(monkeypatch):
    """An empty registry of functions, no chapters, nothing remembered."""
    monkeypatch.setattr(claims, "_functions", {})
    monkeypatch.setattr(chapters, "load", lambda: None)
    scorecard.settled.cache_clear()
    yield claims.claim
    scorecard.settled.cache_clear()


def test_tables_show_every_claim_once():
    ids = [
        attrs["id"]
        for source in claims.SOURCES
        for attrs in Tags(scorecard.table(source, {})).of("tbody")
        if "id" in attrs
    ]
    assert sorted(ids) == sorted(claims.register()) and len(ids) == len(set(ids))


def test_settled_claim_folds_its_comparisons_and_links_its_chapter(marked):
    marked("BFS93.14")(lambda: (Row("a < b", "reproduced", "rule"), Row("c", "reproduced")))
    html = scorecard.table("BFS93", {"minimal_task": "minimal_task.html"})
    assert "65 claims, 1 settled, 64 open" in html
    assert "2 comparisons" in html and "a &lt; b" in html and 'href="minimal_task.html"' in html
    assert len(Tags(html).of("details")) == 1


def test_open_claim_says_when_its_record_is_missing(marked):
    @marked("BFS93.14")
    def density():
        raise MissingRecordError

    assert scorecard.table("BFS93", {}).count("has not been computed") == 1


def test_every_field_of_the_form_has_a_label():
    tags = Tags(scorecard.form())
    labels = {attrs["for"] for attrs in tags.of("label")}
    assert labels == {attrs["id"] for attrs in tags.of("input") + tags.of("select")}


def test_counts_add_up_to_the_register():
    counts = scorecard.Counter(one.claim.kind for one in scorecard.settled())
    html = scorecard.words("Kinds", claims.KINDS, counts)
    assert sum(counts.values()) == 206 and all(f"<td>{n}</td>" in html for n in counts.values())


def test_damaged_record_stops_the_build(marked):
    @marked("BFS93.14")
    def density():
        raise RecordError("density.npz is damaged")

    with pytest.raises(ExtensionError, match=r"density\.npz is damaged"):
        scorecard.settled()
