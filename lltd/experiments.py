"""Heavy runs: a recipe is split into shards, each a pure function of (recipe, run ids), and put on record.

A chapter declares an experiment with `@experiment`; `run` makes its missing shards on any engine and joins
them; `read` gives the record; `audit` recomputes some of its runs; `replay` one. The result never depends on
engine, order or number of workers.
"""

import json
import os
import platform
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tqdm import tqdm

import lltd
from lltd import chapters
from lltd.code_digest import code_digest
from lltd.record import Recipe, Record, RecordError, load, pack, replace_file, write

Compute = Callable[[Recipe, torch.Tensor], dict[str, np.ndarray]]
SIZE_LIMIT = 20_000_000  # bytes that all stored results may have together, so that a clone stays small


@dataclass(frozen=True)
class Experiment:
    """A recipe and the function that computes any of its runs.

    compute(recipe, ids) takes run ids, int64 (B,) on the device to use, and returns arrays of first axis B.
    flips: the largest share of runs whose stored integers may differ on another machine or face; rounding can
    tip a run whose gradient explodes. drift: the same for floats, as a relative distance of 95 % of the runs.
    """

    recipe: Recipe
    compute: Compute
    flips: float
    drift: float

    @property
    def about(self) -> str:
        """The first line of the compute function's docstring."""
        return (self.compute.__doc__ or "").strip().splitlines()[0]


EXPERIMENTS: dict[str, Experiment] = {}


def experiment(
    name: str,
    *,
    version: int,
    seed: int,
    runs: int,
    shard: int,
    parameters: dict[str, Any],
    dtype: str = "float64",
    flips: float = 0.0,
    drift: float = 1e-9,
) -> Callable[[Compute], Compute]:
    """Declare the decorated function as the experiment "chapter/name". See Recipe and Experiment."""

    def register(compute: Compute) -> Compute:
        if name in EXPERIMENTS:
            raise ValueError(f"experiment {name!r} is declared twice")
        recipe = Recipe(name, version, seed, runs, shard, dtype, parameters)
        EXPERIMENTS[name] = Experiment(recipe, compute, flips, drift)
        return compute

    return register


def find(name: str) -> Experiment:
    """The experiment of that name. Raises ValueError, listing the known ones."""
    chapters.load()
    if name not in EXPERIMENTS:
        raise ValueError(f"unknown experiment {name!r}; known: {', '.join(sorted(EXPERIMENTS))}")
    return EXPERIMENTS[name]


def select(name: str | None) -> list[Experiment]:
    """One experiment, all of a chapter, or (None) all there are."""
    chapters.load()
    chosen = [EXPERIMENTS[key] for key in EXPERIMENTS if name is None or key.split("/")[0] == name]
    return chosen or [find(name or "")]


def results_folder() -> Path:
    """Where results lie: $LLTD_RESULTS, else book/results beside the package. Raises RecordError."""
    chosen = os.environ.get("LLTD_RESULTS")
    folder = Path(chosen) if chosen else Path(lltd.__file__).parent.parent / "book" / "results"
    if not chosen and not folder.parent.is_dir():
        raise RecordError("this lltd is installed without its book: set LLTD_RESULTS to a results folder")
    return folder


def path_of(recipe: Recipe) -> Path:
    """The file of a recipe; one with another number of runs than declared has it in its name."""
    declared = EXPERIMENTS.get(recipe.name)
    usual = declared is None or declared.recipe.runs == recipe.runs
    return results_folder() / f"{recipe.name}{'' if usual else f'.runs-{recipe.runs}'}.npz"


def read(name: str) -> Record:
    """The stored result of an experiment. Raises RecordError if it is missing, damaged or of another recipe."""
    recipe = find(name).recipe
    return load(path_of(recipe), recipe)


def devices(device: str | None = None) -> list[str]:
    """The devices to use: the one named, else every GPU of this machine, else its CPU. Raises ValueError."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device is None:
        return [f"cuda:{k}" for k in range(count)] or ["cpu"]
    kind, _, number = device.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdigit()):
        raise ValueError(f"device is {device!r}: cpu, cuda or cuda:K is needed")
    if kind == "cuda" and int(number or 0) >= count:
        raise ValueError(f"device is {device!r}, but this machine has {count} CUDA devices; use --device cpu")
    return [device]


def run(
    work: Experiment,
    *,
    runs: int | None = None,
    device: str | None = None,
    workers: int | None = None,
    engine: Executor | None = None,
) -> Record:
    """Make what is missing of an experiment's result and return it.

    engine: anything that submits like an Executor; by default one process per core or GPU (workers sets how
    many; 1 stays in this process). Stopped at any moment, it keeps whole shards and goes on from there.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}: at least one is needed")
    if engine is None:
        devices(device)  # said at once, and not by the first shard; another engine has devices of its own
    recipe = work.recipe.of(runs)
    path, code = path_of(recipe), code_digest(work.compute)
    try:
        return load(path, recipe)
    except RecordError:
        pass
    began, folder = time.time(), shard_folder(recipe, code)
    starts = [start for start in range(0, recipe.runs, recipe.shard) if not _whole(folder, recipe, start)]
    places: set[tuple[str, str]] = set()
    with _engine(engine, workers, device) as pool:
        jobs = {pool.submit(make_shard, work.compute, recipe, start, device): start for start in starts}
        done = recipe.runs - sum(_size(recipe, start) for start in starts)
        with tqdm(total=recipe.runs, initial=done, unit="run", desc=recipe.name, disable=None) as progress:
            for job in as_completed(jobs):
                shard = job.result()
                replace_file(folder / f"{jobs[job]}.npz", shard.content)
                places.add((shard.machine, shard.device))
                progress.update(_size(recipe, jobs[job]))
    log = {**_host(places), "seconds": round(time.time() - began, 1)}
    return _join(recipe, path, folder, code, log)


class Shard(NamedTuple):
    """A finished shard as it travels back to the process that keeps it."""

    content: bytes  # of its file
    device: str
    machine: str


def make_shard(compute: Compute, recipe: Recipe, start: int, device: str | None = None) -> Shard:
    """Compute one shard, on whichever machine this is; the shards take turns on the devices to use."""
    torch.set_num_threads(1)
    places = devices(device)
    place = places[start // recipe.shard % len(places)]
    ids = torch.arange(start, start + _size(recipe, start), device=place)
    return Shard(pack(recipe, compute(recipe, ids)), place, machine(place))


def recompute(
    work: Experiment, recipe: Recipe, ids: list[int], device: str | None = None
) -> dict[str, np.ndarray]:
    """The outcomes of these runs, computed anew here."""
    return work.compute(recipe, torch.tensor(ids, dtype=torch.int64, device=devices(device)[0]))


class Sample(NamedTuple):
    """Runs of a stored result that were computed again, and how the two compare."""

    runs: list[int]
    equal: np.ndarray  # bool (runs,): all that is stored of the run is equal, bit for bit
    wrong: np.ndarray  # bool (runs,): the run is among those that differ, in an array where too many do
    findings: list[str]  # what disagrees, in words


def audit(work: Experiment, count: int, *, device: str | None = None, choice: int | None = None) -> list[str]:
    """Recompute `count` random runs of a stored result; returns what disagrees, in words, or nothing.

    Integers must be equal but for the experiment's stated share of flips (and the luck of the draw); floats
    must agree to its stated drift in 95 % of the runs. choice: seed of the random choice.
    """
    return sample(work, draw(work, count, choice), device).findings


def draw(work: Experiment, count: int, choice: int | None = None) -> list[int]:
    """Numbers of `count` runs chosen at random, or of all, in rising order. choice: seed of the choice."""
    if count < 1:
        raise ValueError(f"ids is {count}: at least one run must be recomputed")
    return sorted(random.Random(choice).sample(range(work.recipe.runs), min(count, work.recipe.runs)))


def sample(work: Experiment, ids: list[int], device: str | None = None) -> Sample:
    """Recompute these runs of a stored result and compare them as an audit does. See audit."""
    record = read(work.recipe.name)
    fresh, findings = recompute(work, work.recipe, ids, device), []
    if _forms(fresh) != _forms(record.arrays):
        finding = f"{work.recipe.name}: {_forms(record.arrays)} are stored, {_forms(fresh)} computed"
        return Sample(ids, np.zeros(len(ids), bool), np.ones(len(ids), bool), [finding])
    equal, wrong = np.ones(len(ids), bool), np.zeros(len(ids), bool)
    flips = work.flips * len(ids)
    for name, array in fresh.items():
        stored = record[name][ids]
        equal &= (_bits(array) == _bits(stored)).all(axis=1)
        if array.dtype.kind in "iub":
            apart, allowed = array != stored, flips + 4 * flips**0.5
        else:
            close = np.isclose(array, stored, rtol=work.drift, atol=work.drift, equal_nan=True)
            apart, allowed = ~close, 0.05 * len(ids)
        bad = apart.reshape(len(ids), -1).any(axis=1)
        if bad.sum() > allowed:
            runs = ", ".join(str(run) for run, differs in zip(ids, bad, strict=True) if differs)
            findings.append(f"{work.recipe.name}: {name} differs in runs {runs}")
            wrong |= bad
    return Sample(ids, equal, wrong, findings)


def _forms(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Name, type and shape of each array but for its first axis, which counts runs."""
    return {name: f"{arrays[name].dtype} {arrays[name].shape[1:]}" for name in sorted(arrays)}


def _bits(array: np.ndarray) -> np.ndarray:
    """The bytes of each run, uint8 (runs, bytes)."""
    return np.ascontiguousarray(array).view(np.uint8).reshape(len(array), -1)


def code_file(chapter: str) -> Path:
    """Where the digests of the code behind a chapter's results are kept."""
    return results_folder() / chapter / "code.json"


def code_findings(name: str | None = None) -> list[str]:
    """Of one experiment, a chapter's or all: stored results whose code has changed since it was accepted."""
    findings = []
    for work in select(name):
        path = code_file(work.recipe.name.split("/")[0])
        cure = f"python -m lltd audit {work.recipe.name} --accept"
        stored = path_of(work.recipe).exists()
        if stored and _notes(path, cure).get(work.recipe.name) != code_digest(work.compute):
            findings.append(f"{path}: the code of {work.recipe.name} has changed; {cure}")
    return findings


def accept(work: Experiment, code: str | None = None) -> None:
    """Note a code digest, by default that of the code as it is now, as the one behind the stored result."""
    path = code_file(work.recipe.name.split("/")[0])
    kept = _notes(path, "delete it, and accept the chapter's results again")
    kept[work.recipe.name] = code or code_digest(work.compute)
    replace_file(path, (json.dumps(kept, indent=1, sort_keys=True) + "\n").encode())


def provenance(name: str) -> dict[str, Any]:
    """When, where and with what a stored result was made; empty if that is not on file."""
    path = path_of(find(name).recipe).with_suffix(".log.json")
    return _notes(path, f"delete it and {path_of(find(name).recipe).name}: python -m lltd run {name}")


def _notes(path: Path, cure: str) -> dict[str, Any]:
    """The object in a JSON file, empty if there is none. Raises RecordError for anything else."""
    try:
        notes = json.loads(path.read_text()) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} is damaged ({type(error).__name__}: {error}); {cure}") from error
    if not isinstance(notes, dict):
        raise RecordError(f"{path} is damaged (not an object); {cure}")
    return notes


def _size(recipe: Recipe, start: int) -> int:
    return min(recipe.shard, recipe.runs - start)


def shard_folder(recipe: Recipe, code: str) -> Path:
    """Where shards wait to be joined; those of other code are never taken up."""
    return results_folder() / ".shards" / f"{recipe.address[:16]}-{code[:8]}"


def _whole(folder: Path, recipe: Recipe, start: int) -> bool:
    try:
        load(folder / f"{start}.npz", recipe)
    except RecordError:
        return False
    return True


def _join(recipe: Recipe, path: Path, folder: Path, code: str, log: dict[str, Any]) -> Record:
    """Put the shards together, in order; another writer may have done so in the meantime."""
    try:
        shards = [load(folder / f"{start}.npz", recipe) for start in range(0, recipe.runs, recipe.shard)]
    except RecordError:
        return load(path, recipe)
    arrays = {name: np.concatenate([shard[name] for shard in shards]) for name in shards[0].arrays}
    write(path, recipe, arrays)
    replace_file(path.with_suffix(".log.json"), (json.dumps(log, indent=1, sort_keys=True) + "\n").encode())
    if recipe == EXPERIMENTS[recipe.name].recipe:
        accept(EXPERIMENTS[recipe.name], code)
    shutil.rmtree(folder, ignore_errors=True)
    return Record(recipe, arrays)


def machine(device: str = "cpu") -> str:
    """The make of a device of this machine, and how many cores the machine has."""
    model = platform.processor() or platform.machine()
    if device != "cpu":
        model = torch.cuda.get_device_name(device)
    elif Path("/proc/cpuinfo").exists():
        names = [
            line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0].partition(":")[2].strip() if names else model
    return f"{model}, {os.cpu_count()} cores"


def _host(places: set[tuple[str, str]]) -> dict[str, Any]:
    """What a reader may want to know of the machines and devices of a result; never part of its identity."""
    here = Path(lltd.__file__).parent
    git = subprocess.run(["git", "-C", here, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return {
        "commit": git.stdout.strip() or "unknown",
        "versions": {
            "lltd": lltd.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
        },
        "machine": "; ".join(sorted({make for make, _ in places})) or machine(),
        "device": ", ".join(sorted({device for _, device in places})) or "unknown",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


@contextmanager
def _engine(engine: Executor | None, workers: int | None, device: str | None) -> Iterator[Executor]:
    if engine is not None:
        yield engine
        return
    places = devices(device)
    count = workers or (len(places) if places != ["cpu"] else os.cpu_count() or 1)
    if count == 1:
        pool: Executor = ThreadPoolExecutor(1)
    else:
        # Ctrl-C reaches the workers too: they end at once, and only this process speaks of it.
        quietly = {"initializer": signal.signal, "initargs": (signal.SIGINT, signal.SIG_DFL)}
        pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"), **quietly)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
