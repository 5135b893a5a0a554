"""Faults put into the record: nothing is lost, nothing executed, and what is refused is refused in one clear line.

A sample of the marathon, in a process of its own because it forks; then the marathon's own counts, and the
marathon itself: with a library that fails, it must see that.
"""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import faults
import laboratory
import marathon
import numpy as np
import pytest

from lltd.record import Record

sys.path.insert(0, str(Path(__file__).parents[1] / "book" / "_ext"))


@pytest.fixture(scope="module")
def sampled():
    """Counts of a sample of every fault, by name, and complaints."""
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
    rows, html = json.loads(marathon.STORED.read_text())["faults"], provenance.faults()
    assert list(provenance.FAULT_HEADS) == list(faults.COUNTS) and html.count("<tr>") == len(rows) + 2
    total = {"fault": "All", **{part: sum(row[part] for row in rows) for part in faults.COUNTS}}
    for row in (*rows, total):
        cells = "".join(f"<td>{row[part]:,}</td>" for part in faults.COUNTS)
        assert f'<th scope="row">{row["fault"]}</th>{cells}</tr>' in html
    for row in rows:
        assert row["date"] in html and row["machine"] in html


def trusting(path, recipe, runs=None):
    """A reader that believes what it finds, as np.load does if it is told to."""
    if path.read_bytes()[:1] == b"\x80":
        pickle.loads(path.read_bytes())
        return Record(recipe, {})
    with np.load(path, allow_pickle=True) as file:
        arrays = {name: np.asarray(file[name]) for name in file.files if name not in ("recipe", "digest")}
    return Record(recipe, arrays)


def test_marathon_sees_what_a_reader_executes_or_misreads(monkeypatch):
    monkeypatch.setattr(laboratory, "load", trusting)
    counts, complaints = faults.count("malicious file", lambda count: range(12))
    assert counts["executed"] > 0 and len(complaints) >= counts["executed"]
    fitted = "one bit flipped, checksum made to fit: contents of arrays"
    counts, complaints = faults.count(fitted, laboratory.few(40))
    assert counts["lost"] > 5 and len(complaints) >= counts["lost"]


MUTANTS = """
import json, os, zipfile
import faults, laboratory
from lltd import npz, record

def in_place(path, content):  # a process that is killed in the middle leaves a part
    path.parent.mkdir(parents=True, exist_ok=True)
    for part in (content[: len(content) // 2], content):
        path.write_bytes(part)

kept, record._put = record._put, in_place
torn, _ = faults.count("process killed before each step on the disk", laboratory.few(40))
record._put, record.ROOM = kept, npz.LIMIT
full, _ = faults.count("malicious file", lambda count: range(count - 2, count))
print(json.dumps([torn, full]))
"""


def test_marathon_sees_parts_of_files_and_memory_that_swells(python):
    """With a writer that writes in place, and a reader that takes any size for a good one."""
    done = python("-c", MUTANTS)
    assert done.returncode == 0, done.stderr
    torn, full = json.loads(done.stdout)
    assert torn["lost"] > 0
    assert full == {"injected": 2, "clear": 2, "whole": 0, "lost": 0, "executed": 0, "swollen": 1}
