"""python -m lltd as a user meets it: what it prints, where, and with which exit code."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import counting
import numpy as np
import pytest
import torch

from lltd import __main__ as command_line
from lltd import claims, experiments, performance
from lltd.code_digest import code_digest
from lltd.record import load, write

HERE = Path(__file__).parent
NAME = "tests/counting"
COMMANDS = ("list", "run", "audit", "replay", "claims", "performance")
# The command line with the experiment of the tests added.
COUNTING = "import sys, counting; from lltd.__main__ import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture
def lltd(results, capsys, monkeypatch):
    """Runs a command in this process, in an empty results folder: (exit code, output, lines of errors)."""
    monkeypatch.setattr(counting, "time", SimpleNamespace(sleep=lambda pause: None))

    def run(*arguments):
        capsys.readouterr()
        try:
            code = command_line.main([str(argument) for argument in arguments])
        except SystemExit as left:
            code = left.code
        shown = capsys.readouterr()
        return code, shown.out, shown.err.splitlines()

    return run


@pytest.fixture
def stored(lltd):
    """The result of the tests' experiment, on record."""
    assert lltd("run", NAME, "--workers", 1)[0] == 0
    return experiments.path_of(experiments.find(NAME).recipe)


def forge(path):
    """Write the result whole, with one number changed and a digest that fits."""
    recipe = experiments.find(NAME).recipe
    arrays = {name: array.copy() for name, array in load(path, recipe).arrays.items()}
    arrays["positive"][7] += 1
    write(path, recipe, arrays)


def damage(path):
    path.write_bytes(path.read_bytes()[:-100])


def test_help_lists_every_command_and_the_exit_codes(lltd):
    code, shown, errors = lltd("--help")
    assert code == 0 and not errors
    assert re.findall(r"^    (\w+)", shown, re.MULTILINE) == list(COMMANDS)
    assert "exit codes:" in shown
    for name in COMMANDS:
        code, shown, _ = lltd(name, "--help")
        assert code == 0 and f"python -m lltd {name}" in shown


def test_module_runs_and_ends_with_the_exit_code(python, results):
    done = python("-m", "lltd", "replay", "minimal_task/density", "--run", 0, LLTD_RESULTS=str(results))
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.startswith("lltd: ") and done.stderr.count("\n") == 1


def test_list_tells_missing_from_stored_from_damaged(lltd):
    def state():
        code, shown, _ = lltd("list", NAME)
        assert code == 0 and "300 runs" in shown and "Sums of four normals" in shown
        return shown

    assert "missing" in state()
    lltd("run", NAME, "--workers", 1)
    assert "on record" in state()
    path, recipe = experiments.path_of(experiments.find(NAME).recipe), experiments.find(NAME).recipe
    damage(path)
    assert "damaged" in state()
    for version, word in ((0, "of another recipe"), (2, "of a newer version")):
        write(path, replace(recipe, version=version), {"total": np.zeros(300)})
        assert word in state()


def test_result_of_a_newer_version_is_not_replaced(lltd, stored):
    recipe = experiments.find(NAME).recipe
    write(stored, replace(recipe, version=2), {"total": np.zeros(300)})
    newer = stored.read_bytes()
    for command in (["run", NAME, "--workers", 1], ["audit", NAME], ["replay", NAME, "--run", 0]):
        code, _, errors = lltd(*command)
        (error,) = errors
        assert (
            code == 2 and str(stored) in error and "newer version (version: 2; here 1); update lltd" in error
        )
    assert stored.read_bytes() == newer


def test_replay_and_audit_say_when_an_array_is_not_one_of_the_experiments(lltd, stored):
    recipe = experiments.find(NAME).recipe
    write(stored, recipe, {"total": load(stored, recipe)["total"]})
    for command in (["audit", NAME], ["replay", NAME, "--run", 7]):
        code, shown, errors = lltd(*command)
        assert (code, errors) == (1, []) and "are stored" in shown


def test_list_without_a_name_shows_every_experiment(lltd):
    _, shown, _ = lltd("list")
    assert [line.split()[0] for line in shown.splitlines()] == list(experiments.EXPERIMENTS)


def test_run_on_a_small_scale_keeps_its_own_file(lltd, results):
    code, shown, errors = lltd("run", NAME, "--runs", 30, "--workers", 1)
    path = results / "tests" / "counting.runs-30.npz"
    assert (code, shown, errors) == (0, f"{NAME}: {path}\n", [])
    assert len(load(path, experiments.find(NAME).recipe.of(30))["total"]) == 30
    assert not (results / "tests" / "counting.npz").exists()


def test_run_with_two_processes(python, results):
    done = python("-c", COUNTING, "run", NAME, "--workers", 2, LLTD_RESULTS=str(results))
    assert (done.returncode, done.stderr) == (0, "")
    assert (results / "tests" / "counting.npz").exists()


def test_a_chapters_experiment_runs_on_a_small_scale(lltd, results):
    code, _, errors = lltd("run", "minimal_task/length", "--runs", 2, "--workers", 1, "--device", "cpu")
    assert (code, errors) == (0, [])
    assert (results / "minimal_task" / "length.runs-2.npz").exists()


def test_replay_prints_stored_and_replayed(lltd, stored):
    code, shown, errors = lltd("replay", NAME, "--run", 7)
    total = load(stored, experiments.find(NAME).recipe)["total"][7]
    assert (code, errors) == (0, [])
    assert f"{NAME} run 7: pause 0.02, scale 2.0" in shown
    assert f"total: stored {total}, replayed {total}: equal" in shown


def test_replay_tells_what_is_equal_from_what_may_drift(capsys):
    work = replace(experiments.find(NAME), drift=0.5)
    for again, agree, word in (
        (1.0, True, "equal"),
        (1.2, True, "stated drift, 0.5"),
        (9.0, False, "DIFFERENT"),
    ):
        assert (
            command_line._compare(work, {"total": np.array([1.0])}, 0, {"total": np.array([again])}) == agree
        )
        assert capsys.readouterr().out.endswith(f"{word}\n")


def test_replay_of_a_forged_run_differs(lltd, stored):
    forge(stored)
    code, shown, _ = lltd("replay", NAME, "--run", 7)
    assert code == 1 and "positive: stored" in shown and "DIFFERENT" in shown
    assert lltd("replay", NAME, "--run", 8)[0] == 0


def test_audit_agrees_until_the_result_is_forged(lltd, stored):
    code, shown, errors = lltd("audit", NAME, "--ids", 300, "--seed", 5)
    agreement = "300 runs recomputed, 300 equal bit for bit"
    first, one, last = shown.splitlines()
    assert (code, errors) == (0, []) and first == "runs drawn with --seed 5"
    assert (one, last) == (f"{NAME}: {agreement}", f"1 of 1 results on record: {agreement}")
    forge(stored)
    code, shown, _ = lltd("audit", NAME, "--ids", 300)
    assert code == 1 and "positive differs in runs 7" in shown
    assert shown.splitlines()[-1].endswith("300 runs recomputed, 299 equal bit for bit, 1 DIFFERENT")


def test_audit_tells_equal_from_within_the_tolerance(lltd, stored):
    recipe = experiments.find(NAME).recipe
    arrays = load(stored, recipe).arrays
    arrays["total"][[7, 8]] *= 1 + 1e-12
    write(stored, recipe, arrays)
    code, shown, _ = lltd("audit", NAME, "--ids", 300)
    assert code == 0 and shown.endswith("298 equal bit for bit, 2 within the declared tolerance\n")


def test_audit_draws_afresh_each_time_and_again_what_its_seed_says(lltd, stored, monkeypatch):
    drawn = []
    sample = command_line.sample
    monkeypatch.setattr(command_line, "sample", lambda *a, **k: drawn.append(sample(*a, **k)) or drawn[-1])
    seeds = [re.search(r"--seed (\d+)", lltd("audit", NAME)[1])[1] for _ in range(2)]
    lltd("audit", NAME, "--seed", seeds[0])
    first, second, again = (found.runs for found in drawn)
    assert first == again != second and len(set(first)) == 16


def test_audit_of_all_passes_over_what_is_missing_and_counts_it(lltd, stored, monkeypatch):
    known = experiments.select("tests")
    other = replace(known[0], recipe=replace(known[0].recipe, name="tests/never_run"))
    monkeypatch.setattr(experiments, "select", lambda name: [other, *known])
    code, shown, errors = lltd("audit")
    assert (code, errors) == (0, []) and "never_run" not in shown
    assert shown.splitlines()[-1].startswith("1 of 2 results on record: 16 runs recomputed")


def test_audit_notices_changed_code_and_accepts_it_if_the_result_is_equal(lltd, stored):
    file = experiments.code_file("tests")
    right = file.read_bytes()
    file.write_text(json.dumps({NAME: "0" * 64}))
    code, shown, _ = lltd("audit", NAME)
    assert code == 1 and str(file) in shown and f"audit {NAME} --accept" in shown
    assert lltd("audit", NAME, "--accept")[0] == 0
    assert file.read_bytes() == right and lltd("audit", NAME)[0] == 0


def test_audit_accepts_no_code_that_gives_another_result(lltd, stored):
    recipe = experiments.find(NAME).recipe
    arrays = load(stored, recipe).arrays
    write(stored, recipe, {**arrays, "total": arrays["total"] + 1})
    file = experiments.code_file("tests")
    file.write_text(json.dumps({NAME: "0" * 64}))
    code, shown, _ = lltd("audit", NAME, "--accept")
    assert code == 1 and "total differs in runs" in shown
    assert json.loads(file.read_text()) == {NAME: "0" * 64}


def test_claims_are_printed_one_a_line(lltd):
    code, shown, errors = lltd("claims")
    assert (code, errors) == (0, [])
    assert [line.split()[0] for line in shown.splitlines()] == list(claims.register())


def test_claims_as_json_have_the_keys_that_others_read(lltd):
    code, shown, _ = lltd("claims", "--json")
    listed = json.loads(shown, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert code == 0 and [item["id"] for item in listed] == list(claims.register())
    for item in listed:
        assert set(item) == {"id", "source", "chapter", "statement", "kind", "verdict", "rows"}
        for row in item["rows"]:
            assert set(row) == {
                *("label", "paper", "measured", "low", "high", "allowed_low", "allowed_high"),
                *("k", "runs", "reading", "rule", "verdict"),
            }


def tiny(op, work="add", wait=0.0):
    """A race that our side wins: the peer sleeps."""

    def slow():
        time.sleep(wait)
        return torch.ones(2)

    return performance.Race(op, work, "a slow peer", lambda: torch.ones(2), slow)


def test_performance_prints_ratios_and_json(lltd, monkeypatch):
    monkeypatch.setattr(performance, "RACES", {"add": lambda: iter([tiny("add", wait=0.002)])})
    code, shown, errors = lltd("performance")
    assert (code, errors) == (0, []) and "times as fast" in shown
    code, shown, _ = lltd("performance", "add", "--json")
    (row,) = json.loads(shown)
    assert code == 0
    times = {"ours_s", "peer_s", "ratio", "low", "high"}
    assert set(row) == {"op", "work", "peer", "way", "items", "device"} | times
    assert 1 < row["low"] <= row["ratio"] <= row["high"] and row["peer_s"] > row["ours_s"] > 0


def test_performance_of_an_unknown_kernel_lists_the_known_ones(lltd):
    code, _, errors = lltd("performance", "gru")
    assert code == 2 and errors == [f"lltd: op is 'gru': one of {', '.join(performance.RACES)} is needed"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "minimal_task/densty"], "unknown experiment 'minimal_task/densty'; known: "),
        (["replay", "minimal_task/densty", "--run", 0], "minimal_task/density"),
        (["list", "minimal_tusk"], "unknown experiment 'minimal_tusk'"),
        (["run", NAME, "--device", "gpu"], "device is 'gpu': cpu, cuda or cuda:K is needed"),
        (["run", NAME, "--workers", 0], "workers is 0: at least one"),
        (["run", NAME, "--workers", -2], "workers is -2: at least one"),
        (["run", NAME, "--runs", 0], "runs is 0: at least one"),
        (["run", NAME, "--runs", "many"], "invalid int value: 'many'; see python -m lltd run --help"),
        (["replay", NAME, "--run", 300], "run 300 is not in tests/counting: its runs are 0 … 299"),
        (["replay", NAME, "--run", -1], "run -1 is not in tests/counting"),
        (["replay", NAME], "required: --run"),
        (["replay", NAME, "--run", 0], "is missing; remake it with: python -m lltd run tests/counting"),
        (["audit", NAME], "is missing; remake it with: python -m lltd run tests/counting"),
        (["audit", NAME, "--ids", 0], "at least one"),
        (["rin"], "invalid choice: 'rin'"),
        ([], "required: COMMAND"),
    ],
)
def test_bad_input_is_one_line(lltd, arguments, said):
    if "--ids" in arguments:
        lltd("run", NAME, "--workers", 1)
    code, shown, errors = lltd(*arguments)
    assert (code, shown, len(errors)) == (2, "", 1)
    assert errors[0].startswith("lltd: ") and said in errors[0]


def test_arguments_are_checked_though_the_result_is_there(lltd, stored):
    assert lltd("run", NAME, "--workers", 0)[0] == 2


@pytest.mark.parametrize("command", [["run", NAME], ["audit", NAME], ["replay", NAME, "--run", 0]])
def test_cuda_without_cuda_names_the_cpu(lltd, stored, monkeypatch, command):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code, _, errors = lltd(*command, "--device", "cuda")
    (error,) = errors
    assert code == 2 and "this machine has 0 CUDA devices" in error and "--device cpu" in error


def test_results_folder_that_cannot_be_written_is_one_line(lltd, tmp_path, monkeypatch):
    blocker = tmp_path / "file"
    blocker.write_text("")
    monkeypatch.setenv("LLTD_RESULTS", str(blocker))
    code, _, errors = lltd("run", NAME, "--workers", 1)
    assert code == 2 and len(errors) == 1
    assert "cannot write" in errors[0] and "LLTD_RESULTS" in errors[0]


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_results_folder_is_one_line(lltd, results):
    results.mkdir()
    results.chmod(0o555)
    code, _, errors = lltd("run", NAME, "--workers", 1)
    results.chmod(0o755)
    assert code == 2 and len(errors) == 1 and "cannot write" in errors[0]


@pytest.mark.parametrize("command", [["audit", NAME], ["replay", NAME, "--run", 0]])
def test_damaged_result_is_named_with_its_cure(lltd, stored, command):
    damage(stored)
    code, _, errors = lltd(*command)
    (error,) = errors
    assert code == 2 and str(stored) in error and f"python -m lltd run {NAME}" in error
    assert lltd("run", NAME, "--workers", 1)[0] == 0 and lltd(*command)[0] == 0


def test_damaged_note_of_the_code_is_named_with_its_cure(lltd, stored):
    experiments.code_file("tests").write_text("{")
    code, _, errors = lltd("audit", NAME)
    (error,) = errors
    assert code == 2 and str(experiments.code_file("tests")) in error and "--accept" in error


def test_output_that_nobody_reads_to_its_end_is_no_error(results):
    command = [sys.executable, "-m", "lltd", "list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()  # as `head` does
        assert (process.stderr.read(), process.wait()) == ("", 0)


def slow(work):
    """The tests' experiment with a pause long enough to be stopped in."""
    parameters = {**work.recipe.parameters, "common": {"pause": 0.3}}
    return replace(work, recipe=replace(work.recipe, parameters=parameters))


def go(workers):
    """Command the slow experiment, as a process of its own does."""
    experiments.EXPERIMENTS[NAME] = slow(experiments.find(NAME))
    sys.exit(command_line.main(["run", NAME, "--workers", str(workers)]))


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_keeps_whole_shards_and_says_so(results, workers):
    """In a session of its own, whose processes all get the signal, as from a terminal."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"import test_command_line; test_command_line.go({workers})"],
        cwd=HERE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    work = slow(experiments.find(NAME))
    recipe, folder = work.recipe, experiments.shard_folder(work.recipe, code_digest(work.compute))
    deadline = time.time() + 120
    while time.time() < deadline and len(list(folder.glob("[0-9]*.npz"))) < 3:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines() == [
        "lltd: interrupted; finished shards are kept, the same command goes on from them"
    ]
    kept = list(folder.glob("[0-9]*.npz"))
    assert 3 <= len(kept) < 30
    for path in kept:
        assert np.all(np.isfinite(load(path, recipe, recipe.shard)["total"]))
