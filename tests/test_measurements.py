"""Cores, first calls, memory, GPUs: that each is measured as said, on small work."""

import json
import os
import subprocess
from types import SimpleNamespace

import pytest
import torch
from drawn import compiled

from lltd import performance
from lltd.measurements import cores, gpu, memory, start
from lltd.peers import MissingPeer, latch

# --- cores ---


@pytest.mark.parametrize(("most", "wanted"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])])
def test_workers_are_doubled_up_to_all_cores(most, wanted):
    assert cores.counts(most) == wanted


def test_there_is_no_machine_without_cores():
    with pytest.raises(ValueError, match="cores is 0: at least one is needed"):
        cores.counts(0)


def test_efficiency_is_one_where_nothing_is_lost():
    assert cores.efficiency([8.0, 8.0, 6.0], 4, [2.0, 4.0, 2.0]) == (0.75, 0.5, 1.0)


@compiled
def test_work_is_spread_over_processes_and_threads_with_the_same_bits(results, monkeypatch):
    monkeypatch.setattr(cores, "counts", lambda: [1, 2])
    monkeypatch.setattr(cores, "RUNS", 32)
    monkeypatch.setattr(cores, "SIZES", {"latch": {"runs": 33, "times": 2}})
    rows = performance.store("cores", repeats=1)
    assert [(row["by"], row["count"]) for row in rows] == [
        *(("processes", 1), ("processes", 2), ("threads", 1), ("threads", 2))
    ]
    assert all(row["equal"] and len(row["seconds"]) == 1 for row in rows)
    assert rows[0]["work"].startswith("minimal_task/length, 32 runs in ")
    assert os.environ["LLTD_RESULTS"] == str(results)
    assert [path.name for path in results.iterdir()] == ["performance"]
    assert len(performance.table(rows).splitlines()) == 6


def test_other_bits_are_seen_and_said():
    one, other = torch.tensor([0.0, torch.nan]), torch.tensor([-0.0, torch.nan])
    assert cores._same_tensors(one, one.clone()) and not cores._same_tensors(one, other)
    rows = [{"by": "threads", "work": "a", "count": n, "seconds": [1.0], "equal": n == 1} for n in (1, 2)]
    lines = cores.table(rows)
    assert lines[1].endswith("the same bits") and lines[2].endswith("OTHER BITS")


# --- first calls ---


@compiled
def test_a_first_call_builds_and_leaves_behind_what_the_next_process_needs(monkeypatch):
    monkeypatch.setattr(start, "IMPORTS", {"Python": "pass"})
    monkeypatch.setattr(start, "KERNELS", ("stream",))
    monkeypatch.setattr(start, "PEERS", {})
    imported, empty, kept = start.measure(1)
    assert imported["by"] == "import" and imported["first"][0] > 0
    assert [row["cache"] for row in (empty, kept)] == ["empty", "kept"]
    assert empty["first"][0] > kept["first"][0] and empty["first"][0] > empty["second"][0]
    assert len(start.table([imported, empty, kept])) == 3


def test_caches_are_those_of_each_process(monkeypatch):
    given = []

    def process(command, *, env, **options):
        folder = env["LLTD_CACHE"]
        given.append((folder, os.listdir(folder)))
        (open(os.path.join(folder, "kept"), "w")).close()
        return SimpleNamespace(stdout='{"first": 2.0, "second": 1.0}')

    monkeypatch.setattr(subprocess, "run", process)
    empty, kept = start._called("latch", "Numba", 2)
    folders = [folder for folder, _ in given]
    assert folders[0] == folders[1] != folders[2] == folders[3]
    assert [files for _, files in given] == [[], ["kept"]] * 2
    assert empty["first"] == kept["first"] == [2.0, 2.0]


def test_peers_that_start_are_known_ones_and_missing_ones_are_noted(monkeypatch, capsys):
    for op, peers in start.PEERS.items():
        assert all(callable(start._work(op, peer)) for peer in peers)

    def missing(work):
        raise MissingPeer("not installed")

    monkeypatch.setitem(latch.PEERS, "Numba", missing)
    start.call_twice("latch", "Numba")
    told = json.loads(capsys.readouterr().out)
    assert told == {"note": "not measured: not installed"}
    (line,) = start.table([{"what": "latch", "by": "Numba", **told}])
    assert line.endswith("not measured: not installed")


# --- memory ---


@pytest.mark.skipif(not memory.STATUS.exists(), reason="the system does not tell")
def test_memory_of_a_process_is_told_from_its_start(monkeypatch):
    monkeypatch.setattr(memory, "AXES", {"stream": (256, 4096)})
    monkeypatch.setattr(memory, "SIDES", ("reference",))
    rows = memory.measure(1)
    assert [row["runs"] for row in rows] == [256, 4096]
    assert all(row["peak"] >= row["before"] > 10e6 for row in rows)
    # What is returned alone: of each run 100 numbers of eight bytes.
    assert memory.per_run(rows, "stream", "reference") > 800


def test_memory_of_a_further_run_is_a_slope():
    rows = [
        {"op": "latch", "side": side, "runs": runs, "before": 5_000_000, "peak": 5_000_000 + each * runs}
        for side, each in (("kernel", 10), ("reference", 40))
        for runs in (1000, 2000, 4000)
    ]
    assert memory.per_run(rows, "latch", "kernel") == pytest.approx(10)
    (line,) = memory.table(rows)
    assert "4,000 runs" in line and "0.2 MB" in line and "40 B a run" in line


def test_memory_is_not_measured_where_the_system_does_not_tell(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "STATUS", tmp_path / "status")
    assert memory.table(memory.measure(1)) == [memory.NOTE]


# --- GPUs ---


def test_without_a_gpu_the_file_says_so(results, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert performance.table(performance.store("gpu", repeats=1)) == "not measured: no GPU"
    assert performance.read("gpu")["rows"] == [{"note": "not measured: no GPU"}]


@compiled
def test_a_device_is_timed_beside_this_one(monkeypatch):
    monkeypatch.setattr(gpu, "SIZES", {"latch": {"runs": 5, "length": 6, "times": 2}})
    waited = []
    row = gpu._raced("latch", "cpu", lambda: waited.append(1), 3)
    assert len(waited) == 4 and row["face"] == "cpu.cpp" and row["runs"] == 5
    assert len(row["seconds"]) == len(row["cpu_seconds"]) == 3
    (line,) = gpu.table([row])
    assert line.startswith("latch, 5 runs: ") and " times as fast (" in line
