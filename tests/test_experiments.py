"""Recipes, shards and the record: the same content whoever writes it, and no damage goes unseen."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import counting
import numpy as np
import pytest
import torch

from lltd import code_digest as code_digest_module
from lltd import experiments, npz, processes
from lltd.audit import audit, sample
from lltd.code_digest import code_digest, reached
from lltd.record import (
    STALE,
    Recipe,
    Record,
    RecordError,
    alone,
    as_json,
    load,
    read_notes,
    replace_file,
    write,
)
from lltd.stretches import machine

HERE = Path(__file__).parent


@pytest.fixture
def work():
    return experiments.find("tests/counting")


def content(path):
    return path.read_bytes()


def test_the_address_of_a_recipe_is_its_content():
    recipe = Recipe("a/b", 1, 2, 30, 10, "float64", {"vary": {"w": [1.0, 2.0]}})
    assert recipe.address == replace(recipe).address
    for change in ({"version": 2}, {"seed": 3}, {"runs": 31}, {"shard": 5}, {"parameters": {}}):
        assert replace(recipe, **change).address != recipe.address


def test_cells_are_cases_times_values_and_more_runs_only_add():
    recipe = Recipe(
        "a/b",
        1,
        2,
        12,
        4,
        "float64",
        {"common": {"c": 0}, "cases": [{"k": 1}, {"k": 2}], "vary": {"w": [5, 6, 7]}},
    )
    assert recipe.cells[0] == {"c": 0, "k": 1, "w": 5} and recipe.cells[-1] == {"c": 0, "k": 2, "w": 7}
    assert recipe.settings(7) == recipe.of(600).settings(7) == {"c": 0, "k": 1, "w": 6}


def test_cells_are_found_by_their_settings():
    cases = {"common": {"c": 0}, "cases": [{"k": 1}, {"k": 2}], "vary": {"w": [5, 6]}}
    record = Record(Recipe("a/b", 1, 2, 8, 4, "float64", cases), {"x": np.arange(8)})
    assert record.where(k=2).tolist() == [False, False, True, True]
    assert record.where(k=1, w=(6, 7)).tolist() == [False, True, False, False]
    assert record.by_cell("x")[record.where(k=2, w=6)].tolist() == [[3, 7]]
    assert record.where().all() and not record.where(c=1).any()
    with pytest.raises(KeyError, match="length"):
        record.where(length=3)


@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers_writes_the_same_bytes(results, work, workers, python):
    experiments.run(work, engine=ThreadPoolExecutor(3))
    path = experiments.path_of(work.recipe)
    first = content(path)
    path.unlink()
    done = python("-c", f"import counting; counting.go({workers})", LLTD_RESULTS=str(results))
    assert done.returncode == 0, done.stderr
    assert content(path) == first


def test_every_gpu_of_the_machine_has_its_turn(results, work, monkeypatch):
    """Three GPUs that are not there: what is put on them is computed by the CPU."""
    arange, placed, pools = torch.arange, [], []

    def placing(*bounds, device=None, **options):
        placed.append(device)
        return arange(*bounds, **options)

    def pool(count, **options):
        pools.append(count)
        return ThreadPoolExecutor(count)

    experiments.run(work, workers=1, device="cpu")
    path = experiments.path_of(work.recipe)
    first = content(path)
    path.unlink()
    for name, fake in {
        "is_available": lambda: True,
        "device_count": lambda: 3,
        "get_device_name": str,
    }.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    monkeypatch.setattr(torch, "arange", placing)
    monkeypatch.setattr(processes, "ProcessPoolExecutor", pool)
    experiments.run(work)
    assert pools == [3] and content(path) == first
    assert [placed.count(f"cuda:{k}") for k in range(3)] == [10, 10, 10]
    notes = experiments.provenance("tests/counting")
    assert notes["device"] == "cuda:0, cuda:1, cuda:2" and notes["machine"].startswith("cuda:0, ")


def test_runs_killed_in_the_middle_resume_to_the_same_bytes(results, work):
    command = [sys.executable, "-c", "import counting; counting.go(1)"]
    process = subprocess.Popen(command, cwd=HERE, env=os.environ, stderr=subprocess.DEVNULL)
    folder = experiments.shard_folder(work.recipe, code_digest(work.compute))
    deadline = time.time() + 60
    while time.time() < deadline and len(list(folder.glob("[0-9]*.npz"))) < 5:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = {path.name: path.stat().st_mtime_ns for path in folder.glob("[0-9]*.npz")}
    assert 5 <= len(kept) < 30, "the run was to be stopped in the middle"
    made = []

    class Engine(ThreadPoolExecutor):
        def submit(self, function, compute, recipe, start, *rest):
            made.append(start)
            return super().submit(function, compute, recipe, start, *rest)

    experiments.run(work, engine=Engine(1))
    assert set(made) == set(range(0, 300, 10)) - {int(name.removesuffix(".npz")) for name in kept}
    resumed = content(experiments.path_of(work.recipe))
    experiments.path_of(work.recipe).unlink()
    experiments.run(work, workers=1)
    assert content(experiments.path_of(work.recipe)) == resumed


def test_two_writers_at_once_leave_one_whole_result(results, work):
    command = [sys.executable, "-c", "import counting; counting.go(1)"]
    writers = [subprocess.Popen(command, cwd=HERE, env=os.environ, stderr=subprocess.PIPE) for _ in range(2)]
    for writer in writers:
        assert writer.wait() == 0, writer.stderr.read()
    together = content(experiments.path_of(work.recipe))
    experiments.path_of(work.recipe).unlink()
    experiments.run(work, workers=1)
    assert content(experiments.path_of(work.recipe)) == together


def test_a_damaged_shard_is_made_again(results, work):
    folder = experiments.shard_folder(work.recipe, code_digest(work.compute))
    folder.mkdir(parents=True)
    (folder / "20.npz").write_bytes(experiments.make_shard(work.compute, work.recipe, 20).content[:100])
    record = experiments.run(work, workers=1)
    assert np.array_equal(
        record["total"][20:30], experiments.recompute(work, work.recipe, range(20, 30))["total"]
    )


def test_the_log_of_a_resumed_run_tells_the_time_and_places_of_all_its_stretches(results, work, monkeypatch):
    """Half of the shards are there, with a note of the hour that another process took over them elsewhere."""
    folder = experiments.shard_folder(work.recipe, code_digest(work.compute))
    for start in range(0, 150, 10):
        replace_file(
            folder / f"{start}.npz", experiments.make_shard(work.compute, work.recipe, start).content
        )
    note = {"seconds": 3600.0, "places": [["an older machine", "cuda:0"]]}
    (folder / "stretch-0.json").write_text(json.dumps(note))
    (folder / "stretch-1.json").write_text("{")  # a damaged note costs its time, and no result
    experiments.run(work, workers=1, device="cpu")
    log = experiments.provenance("tests/counting")
    assert log["stretches"] == 2 and 3600 < log["seconds"] < 3700
    assert log["machine"] == "; ".join(sorted(["an older machine", machine()]))
    assert log["device"] == "cpu, cuda:0" and not folder.exists()
    experiments.path_of(work.recipe).unlink()
    experiments.run(work, workers=1)
    assert experiments.provenance("tests/counting")["stretches"] == 1


def test_temporary_files_are_removed_once_no_one_can_be_writing_them(results, work):
    old, young = (results / "tests" / f".counting.npz.{name}.tmp" for name in ("old", "young"))
    for file in (old, young):
        replace_file(file, b"part")
    os.utime(old, (time.time() - STALE - 60,) * 2)
    experiments.run(work, workers=1)
    assert young.exists() and not old.exists()


def test_a_writer_goes_on_when_another_clears_the_folder(tmp_path, monkeypatch):
    """The folder goes away before the file is made, and again before it is renamed."""
    path, times = tmp_path / "folder" / "file", []

    def cleared(step):
        def call(*arguments, **options):
            times.append(step)
            if times.count(step) == 1:
                shutil.rmtree(path.parent)
            return steps[step](*arguments, **options)

        return call

    steps = {"replace": os.replace, "fsync": os.fsync}
    for step in steps:
        monkeypatch.setattr(os, step, cleared(step))
    replace_file(path, b"whole")
    assert path.read_bytes() == b"whole" and list(path.parent.iterdir()) == [path]
    assert times.count("replace") == 3


def test_notes_of_several_writers_are_all_kept(tmp_path):
    """Each adds its own to one file, as experiments of a chapter do that end together."""
    file = tmp_path / "notes.json"

    def add(number):
        with alone(tmp_path):
            notes = read_notes(file, "")
            time.sleep(0.001)
            replace_file(file, as_json({**notes, str(number): number}))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    assert len(read_notes(file, "")) == 40


def test_arrays_that_no_file_may_hold_are_refused_before_they_are_packed(work):
    with pytest.raises(ValueError, match=r"the arrays take .* bytes: .* at most are allowed"):
        npz.pack({"total": np.broadcast_to(np.float64(0), (2**26,))})


@pytest.fixture
def stored(results, work):
    experiments.run(work, workers=1)
    return experiments.path_of(work.recipe)


def rewrite(path, change):
    """Write the file anew with changed arrays and its old digest, as a forger would."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    change(arrays)
    np.savez(path, **arrays)


def edited_number(path):
    rewrite(path, lambda arrays: arrays["total"].__setitem__(7, 0.0))


def renamed_array(path):
    rewrite(path, lambda arrays: arrays.__setitem__("sum", arrays.pop("total")))


def changed_type(path):
    rewrite(path, lambda arrays: arrays.__setitem__("positive", arrays["positive"].astype(np.int16)))


def object_array(path):
    rewrite(path, lambda arrays: arrays.__setitem__("total", np.array([print], dtype=object)))


def cut(path):
    path.write_bytes(path.read_bytes()[:-200])


def emptied(path):
    path.write_bytes(b"")


def flipped_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def swapped(path):
    other = Recipe("tests/other", 1, 5, 300, 10, "float64", {})
    write(path, other, {"total": np.zeros(300)})


def older_version(path):
    recipe = experiments.find("tests/counting").recipe
    write(path, replace(recipe, version=0), {"total": np.zeros(300)})


def removed(path):
    path.unlink()


@pytest.mark.parametrize(
    "damage",
    [
        *(edited_number, renamed_array, changed_type, object_array, cut),
        *(emptied, flipped_bit, swapped, older_version, removed),
    ],
)
def test_damage_is_named_with_its_file_and_its_cure(stored, damage):
    experiments.read("tests/counting")
    damage(stored)
    with pytest.raises(RecordError) as caught:
        experiments.read("tests/counting")
    message = str(caught.value)
    assert str(stored) in message and "python -m lltd run tests/counting" in message
    assert "\n" not in message


def test_a_damaged_result_is_remade_by_its_own_command(stored, work):
    before = content(stored)
    cut(stored)
    experiments.run(work, workers=1)
    assert content(stored) == before


def test_the_audit_finds_a_result_that_was_forged_whole(stored, work):
    assert audit(work, 300) == []
    record = load(stored, work.recipe)
    arrays = {name: array.copy() for name, array in record.arrays.items()}
    arrays["positive"][7] += 1
    write(stored, work.recipe, arrays)
    (finding,) = audit(work, 300)
    assert finding == "tests/counting: positive differs in runs 7"


def test_the_audit_finds_arrays_that_are_not_those_computed(stored, work):
    arrays = load(stored, work.recipe).arrays
    for forged in (
        {"total": arrays["total"]},
        {**arrays, "extra": arrays["total"]},
        {**arrays, "total": arrays["total"].astype(np.float32)},
        {**arrays, "positive": arrays["positive"][:, None]},
    ):
        write(stored, work.recipe, forged)
        found = sample(work, [0, 7, 299])
        assert len(found.findings) == 1 and found.wrong.all() and not found.equal.any()


def test_changed_code_is_noticed_until_it_is_accepted(stored, work):
    assert experiments.code_findings("tests") == []
    file = experiments.code_file("tests")
    file.write_text(json.dumps({"tests/counting": "0" * 64}))
    (finding,) = experiments.code_findings("tests")
    assert str(file) in finding and "audit tests/counting --accept" in finding
    experiments.accept(work)
    assert experiments.code_findings("tests") == []


PART = """
K = 3
def g(x):
    return x + 1
def f(x):
    return g(x) * K
UNUSED = 2
"""


@pytest.fixture
def digest_of(tmp_path, monkeypatch):
    """The digest of the function f in a module with this text."""
    monkeypatch.syspath_prepend(tmp_path)

    def digest(text):
        (tmp_path / "part.py").write_text(text)
        code_digest_module._module.cache_clear()
        return code_digest(SimpleNamespace(__module__="part", __name__="f"))

    return digest


@pytest.mark.parametrize(
    ("old", "new", "moves"),
    [
        ("x + 1", "x + 2", True),
        ("K = 3", "K = 4", True),
        ("UNUSED = 2", "UNUSED = 5", False),
        ("def g(x):", "def g(x):  # a comment", False),
        ("def f(x):", "@experiment('part/f', runs=9)\ndef f(x):", False),
        ("def f(x):", "@cache\ndef f(x):", True),
        ("    return x + 1", '    """Say something."""\n\n    return (x + 1)', False),
    ],
)
def test_the_code_digest_follows_what_is_used_but_not_comments_layout_or_recipes(digest_of, old, new, moves):
    assert (digest_of(PART) != digest_of(PART.replace(old, new))) == moves


def test_the_code_digest_of_an_experiment_reaches_its_kernel_but_no_claims():
    found = reached(experiments.find("minimal_task/density").compute)
    modules = {item.module for item in found}
    assert {"lltd.kernels.latch", "lltd.kernels.latch.reference", "lltd.philox", "lltd.tasks"} <= modules
    assert "lltd.claims" not in modules and "lltd.figures" not in modules


def test_a_folder_that_cannot_be_written_is_one_clear_line(work, tmp_path, monkeypatch):
    blocker = tmp_path / "file"
    blocker.write_text("")
    monkeypatch.setenv("LLTD_RESULTS", str(blocker))
    with pytest.raises(RecordError, match=r"cannot write .*set LLTD_RESULTS"):
        experiments.run(work, workers=1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: experiments.find("minimal_task/densty"),
            "unknown experiment 'minimal_task/densty'; known: .*density",
        ),
        (lambda: experiments.devices("gpu"), "device is 'gpu'"),
        (lambda: experiments.devices("cuda:99"), "--device cpu"),
        (lambda: counting_run(runs=0), "runs is 0"),
        (lambda: counting_run(workers=0), "workers is 0"),
        (lambda: experiments.find("tests/counting").recipe.settings(300), "run 300 is not in tests/counting"),
    ],
)
def test_bad_arguments_are_named(results, call, message):
    with pytest.raises(ValueError, match=message):
        call()


def counting_run(**options):
    return experiments.run(experiments.find("tests/counting"), **options)


def test_the_experiment_of_the_tests_is_the_one_that_was_imported(work):
    assert work.compute is counting.counting and work.about == "Sums of four normals, times the run's scale."
