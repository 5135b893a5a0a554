"""Faults put into the record: nothing is lost, nothing executed, and what is refused is refused in one clear line.

A sample of the marathon, in a process of its own because it forks; then the marathon's own counts, and the
marathon itself: with a library that fails, it must see that.
"""

import json
import pickle
import sys
from pathlib import Path

import faults
import laboratory
import marathon
import numpy as np
import pytest

from lltd import npz, record
from lltd.record import Record

sys.path.insert(0, str(Path(__file__).parents[1] / "book" / "_ext"))


@pytest.fixture(scope="module")
def sampled():
    """Counts of a sample of every fault, by name, and complaints."""
    import os
    import subprocess

    done = subprocess.run(
        [sys.executable, "marathon.py", "--sample", "--json"],
        cwd=Path(__file__).parent,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    return {row["fault"]: row for row in told["faults"]}, told["complaints"]


@pytest.mark.parametrize("name", faults.FAULTS)
def test_nothing_is_lost_or_executed_and_every_refusal_is_one_clear_line(sampled, name):
    counts, complaints = sampled
    if "skipped" in counts[name]:
        pytest.skip(counts[name]["skipped"])
    assert [line for line in complaints if line.startswith(f"{name}, ")] == []
    assert counts[name]["injected"] > 0
    assert counts[name]["lost"] == counts[name]["executed"] == counts[name]["swollen"] == 0


def test_stored_counts_are_those_of_every_fault_and_of_thousands():
    rows = json.loads(marathon.STORED.read_text())["faults"]
    assert [row["fault"] for row in rows] == list(faults.FAULTS)
    assert sum(row["injected"] for row in rows) > 10_000
    assert rows[0]["fault"].startswith("process killed at a random moment") and rows[0]["injected"] >= 100
    for row in rows:
        assert row["injected"] > 0 and row["lost"] == row["executed"] == row["swollen"] == 0
        assert max(row["clear"], row["whole"]) <= row["injected"] <= row["clear"] + row["whole"]


def test_the_table_shows_the_stored_counts():
    provenance = pytest.importorskip("provenance")
    stored, html = json.loads(marathon.STORED.read_text()), provenance.faults()
    assert stored["date"] in html and html.count("<tr>") == len(stored["faults"]) + 2
    for row in stored["faults"]:
        cells = "".join(f"<td>{row[part]:,}</td>" for part in faults.COUNTS[:-1])
        assert f'<th scope="row">{row["fault"]}</th>{cells}</tr>' in html


def trusting(path, recipe, runs=None):
    """A reader that believes what it finds, as np.load does if it is told to."""
    if path.read_bytes()[:1] == b"\x80":
        return pickle.loads(path.read_bytes())
    with np.load(path, allow_pickle=True) as file:
        arrays = {name: file[name] for name in file.files if name not in ("recipe", "digest")}
    return Record(recipe, arrays)


def test_marathon_sees_what_a_reader_executes_or_misreads(monkeypatch):
    monkeypatch.setattr(laboratory, "load", trusting)
    counts, complaints = faults.count("malicious file", laboratory.few(40))
    assert counts["executed"] > 0 and counts["lost"] > 0 and complaints
    fitted = "one bit flipped, checksum made to fit: contents of arrays"
    counts, complaints = faults.count(fitted, laboratory.few(40))
    assert counts["lost"] > 10 and len(complaints) >= counts["lost"]


def test_marathon_sees_memory_that_a_reader_takes(monkeypatch):
    monkeypatch.setattr(record, "ROOM", npz.LIMIT)
    packed = np.zeros((12, 2**24), np.uint8)
    with laboratory.laboratory() as place:
        content = npz.pack({"zeros": packed[:, : 2**23]})
        monkeypatch.setattr(laboratory, "memory", iter([0, 10**9]).__next__)
        assert laboratory.judge(place, content, 0).swollen


def test_marathon_sees_a_writer_that_leaves_parts(monkeypatch):
    """Files written in place: a process killed in the middle leaves a part of one."""

    def in_place(path, content):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content[: len(content) // 2])
        path.write_bytes(content)

    with laboratory.laboratory() as place:
        path = place.path(laboratory.ONE)
        in_place(path, place.whole["faults/one"])
        assert place.faults(laboratory.ONE) == []
        path.write_bytes(path.read_bytes()[:100])
        (place.folder / "faults" / ".one.npz.x.tmp").write_bytes(b"")
        (found,) = place.faults(laboratory.ONE)
        assert "other bytes" in found
