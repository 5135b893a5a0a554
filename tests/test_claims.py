"""The register, the marking of functions, the verdict rule by its branches, and what the tables say."""

import json
import re
from dataclasses import asdict

import numpy as np
import pytest

from lltd import chapters, claims
from lltd.record import MissingRecordError, RecordError
from lltd.rules import Row

CHAPTERS = {
    *("introduction", "minimal_task", "latching", "gradient_loss", "error_flow", "dilemma", "flip_flop"),
    *("optimizers", "target_propagation", "random_search", "time_constants", "delays", "growing_nets"),
    *("chunker", "lstm", "adding", "comparison", "since_2001"),
}
SIZES = {"BFS93": 65, "HBFS01": 60, "SLIDES94": 30, "HS96": 51}


@pytest.fixture
def marked(monkeypatch):
    """An empty registry of functions, and no chapters that would fill it."""
    monkeypatch.setattr(claims, "_functions", {})
    monkeypatch.setattr(chapters, "load", lambda: None)
    return claims.claim


def settled(id):
    return next(one for one in claims.settle() if one.claim.id == id)


def rows(*given):
    """Rows of (label, verdict, reading)."""
    return tuple(Row(label, verdict, reading=reading) for label, verdict, reading in given)


def test_register_has_the_206_claims():
    expected = {f"{source}.{i}" for source, size in SIZES.items() for i in range(1, size + 1)}
    assert set(claims.register()) == expected
    assert len(claims.register()) == 206


@pytest.mark.parametrize("id", claims.register())
def test_every_claim_is_complete(id):
    entry = claims.register()[id]
    assert entry.id == f"{entry.source}.{id.rpartition('.')[2]}"
    assert entry.kind in claims.KINDS and entry.source in claims.SOURCES and entry.chapter in CHAPTERS
    assert entry.location and re.fullmatch(r"\S.*\.", entry.statement)
    for text in asdict(entry).values():
        assert text == text.strip() and "\n" not in text


def test_numbers_and_bounds_print_what_the_paper_printed():
    for entry in claims.register().values():
        assert entry.paper or entry.kind not in ("number", "bound"), entry.id


def test_each_function_stands_in_the_chapter_of_its_claims():
    chapters.load()
    for id, function in claims._functions.items():
        # a chapter's module may be a package of several
        assert function.__module__.split(".")[:3] == ["lltd", "chapters", claims.register()[id].chapter]


def test_unknown_claim_is_refused(marked):
    with pytest.raises(ValueError, match=r"'BFS93\.66' is not in the register"):
        marked("BFS93.66")(lambda: ())
    with pytest.raises(ValueError, match="at least one id"):
        marked()


def test_claim_settled_twice_is_refused_unless_its_module_is_reloaded(marked):
    def first():
        return rows(("a", "holds", ""))

    def second():
        return rows(("a", "holds", ""))

    marked("BFS93.10")(first)
    marked("BFS93.10")(first)
    with pytest.raises(ValueError, match=r"BFS93\.10 is settled twice: by .*first and by .*second"):
        marked("BFS93.10")(second)


def test_one_function_settles_several_claims_and_runs_once(marked):
    calls = []

    @marked("BFS93.7", "SLIDES94.4")
    def task():
        calls.append(1)
        return rows(("task", "adopted", ""))

    found = {one.claim.id: one.verdict for one in claims.settle("minimal_task")}
    assert (found["BFS93.7"], found["SLIDES94.4"], found["BFS93.8"]) == ("adopted", "adopted", "open")
    assert len(calls) == 1


def test_settle_gives_every_claim_a_verdict_in_order(marked):
    assert [one.claim.id for one in claims.settle()] == list(claims.register())
    assert {one.verdict for one in claims.settle()} == {"open"}
    assert {one.claim.chapter for one in claims.settle("latching")} == {"latching"}


def test_unknown_chapter_is_refused(marked):
    with pytest.raises(ValueError, match="chapter is 'latch': one of adding"):
        claims.settle("latch")


def test_missing_record_leaves_its_claim_open(marked):
    @marked("BFS93.14")
    def density():
        raise MissingRecordError("density.npz is missing")

    one = settled("BFS93.14")
    assert one.verdict == "open" and "has not been computed" in one.rows[0].label


def test_damaged_record_is_an_error(marked):
    @marked("BFS93.14")
    def density():
        raise RecordError("density.npz is cut")

    with pytest.raises(RecordError, match="is cut"):
        claims.settle()


def test_function_without_rows_is_an_error_that_names_its_claim(marked):
    marked("BFS93.14")(lambda: ())
    with pytest.raises(ValueError, match=r"BFS93\.14: a claim is settled by at least one row"):
        claims.settle()


@pytest.mark.parametrize("word", ["fine", "under a reading"])
def test_rows_carry_only_words_of_rules(word):
    with pytest.raises(ValueError, match="no rule gives"):
        claims.judge(rows(("a", word, "")))


@pytest.mark.parametrize("word", [word for word in claims.VERDICTS if word != "under a reading"])
def test_a_single_row_gives_its_word(word):
    assert claims.judge(rows(("a", word, ""))) == (word, ())


def test_default_that_keeps_the_claim_decides():
    given = rows(("a", "reproduced", ""), ("b", "reproduced", ""), ("a", "not reproduced", "L = 4"))
    assert claims.judge(given) == ("reproduced", ())


def test_worst_word_of_the_default_counts():
    assert claims.judge(rows(("a", "proved", ""), ("b", "corrected", ""))) == ("corrected", ())
    assert claims.judge(rows(("a", "holds", ""), ("b", "not reproduced", ""))) == ("not reproduced", ())
    assert claims.judge(rows(("a", "holds", ""), ("b", "beyond reach", ""))) == ("beyond reach", ())


def test_reading_that_keeps_what_the_default_loses_is_named():
    given = rows(
        *(("a", "reproduced", ""), ("b", "not reproduced", "")),
        *(("b", "reproduced", "rate 1"), ("b", "not reproduced", "rate 2")),
    )
    assert claims.judge(given) == ("under a reading", ("rate 1",))


def test_readings_that_keep_one_comparison_each_do_not_keep_the_claim():
    given = rows(
        *(("a", "not reproduced", ""), ("b", "not reproduced", "")),
        *(("a", "reproduced", "rate 1"), ("b", "reproduced", "rate 2")),
    )
    assert claims.judge(given) == ("not reproduced", ())


def test_without_a_default_every_reading_must_keep_the_claim():
    few, many = "k = 10 assumed", "k = 100 assumed"
    both = rows(("a", "reproduced", few), ("a", "reproduced", many))
    assert claims.judge(both) == ("reproduced", ())
    one = rows(("a", "reproduced", few), ("a", "not reproduced", many))
    assert claims.judge(one) == ("under a reading", (few,))
    none = rows(("a", "not reproduced", few), ("a", "not reproduced", many))
    assert claims.judge(none) == ("not reproduced", ())


def test_a_default_row_does_not_hide_a_comparison_without_one():
    given = rows(("a", "reproduced", ""), ("b", "not reproduced", "k = 10 assumed"))
    assert claims.judge(given) == ("not reproduced", ())


def test_json_has_the_promised_keys_and_no_infinity(marked):
    marked("BFS93.62")(lambda: (Row("epochs", "reproduced", "mean", 4.6, 5.0, high=np.inf, k=10, runs=400),))
    listed = json.loads(json.dumps(claims.to_json(), allow_nan=False))
    entry = next(one for one in listed if one["id"] == "BFS93.62")
    assert set(entry) == {"id", "source", "chapter", "statement", "kind", "verdict", "rows"}
    assert set(entry["rows"][0]) == {
        *("label", "paper", "measured", "low", "high", "allowed_low", "allowed_high"),
        *("k", "runs", "reading", "rule", "verdict"),
    }
    assert entry["rows"][0]["high"] is None and entry["rows"][0]["paper"] == 4.6
    assert len(listed) == 206


def test_table_is_accessible_and_escaped(marked):
    marked("BFS93.9")(
        lambda: (Row("w < 1 & more", "not reproduced", "r", 0.25, 0.00001234, 0.2, None, 0.1, 3e8),)
    )
    table = claims.verdicts("minimal_task")
    html, text = table._repr_html_(), repr(table)
    assert "<caption>" in html and 'scope="col"' in html and 'scope="rowgroup"' in html
    assert "w &lt; 1 &amp; more" in html and "style=" not in html
    assert "w < 1 & more | 0.25 | 1.234e-05 [at least 0.2] | [0.1, 3e+08] | not reproduced | r" in text
    assert repr(claims.verdicts("minimal_task")) == text


def test_table_names_the_readings_and_how_many_were_tried(marked):
    marked("BFS93.9")(
        lambda: rows(("a", "not reproduced", ""), ("a", "holds", "L = 4"), ("a", "not reproduced", "L = 5"))
    )
    assert claims.summary(settled("BFS93.9")) == "under a reading (1 of 3 tried: L = 4)"


@pytest.mark.parametrize(("many", "folded"), [(claims.MANY, False), (claims.MANY + 1, True)])
def test_table_folds_the_rows_of_a_claim_that_has_many(marked, many, folded):
    marked("BFS93.9")(lambda: rows(*(("a", "holds", f"L = {k}") for k in range(many))))
    html = claims.verdicts("minimal_task")._repr_html_()
    assert (f"<summary>{many} comparisons</summary><table>" in html) == folded
    assert html.count("<small>reading: L = ") == many and html.count("</details>") == folded


def test_table_does_not_show_rounding_errors(marked):
    marked("BFS93.8")(lambda: (Row("gradient", "holds", measured=1.23e-15, allowed_high=1e-12, runs=9),))
    assert "gradient | within, n = 9 | [at most 1e-12] | holds" in repr(claims.verdicts("minimal_task"))
    assert "1.23e-15" not in claims.verdicts("minimal_task")._repr_html_()


def test_a_row_without_numbers_gives_their_columns_to_its_words():
    proved, measured = Row("a theorem", "proved", "its proof"), Row("a share", "reproduced", measured=0.5)
    assert '<td colspan="4">a theorem<br><small>its proof</small></td><td>proved</td>' in claims.rows_html(
        (proved,)
    )
    assert "colspan" not in claims.rows_html((measured,)) and claims.rows_html((measured,)).count("<td>") == 5
