"""Heavy runs: a recipe is split into shards, each a pure function of (recipe, run ids), and put on record.

A chapter declares an experiment with `@experiment`; `run` makes its missing shards on any engine and joins
them; `read` gives the record; `recompute` computes some of its runs anew. The result never depends on engine,
order or number of workers.
"""

import os
import shutil
from collections.abc import Callable
from concurrent.futures import Executor, as_completed
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tqdm import tqdm

import lltd
from lltd import chapters, processes
from lltd.code_digest import code_digest
from lltd.record import (
    MissingRecordError,
    NewerRecordError,
    Recipe,
    Record,
    RecordError,
    alone,
    as_json,
    load,
    pack,
    read_notes,
    replace_file,
    sweep,
    write,
)
from lltd.stretches import Stretch, machine, told

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
    Raises NewerRecordError rather than replace the result of a later version.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}: at least one is needed")
    if engine is None:
        devices(device)  # said at once, and not by the first shard; another engine has devices of its own
    recipe = work.recipe.of(runs)
    path, code = path_of(recipe), code_digest(work.compute)
    folder = shard_folder(recipe, code)
    for written in (path.parent, folder):
        sweep(written)
    try:
        record = load(path, recipe)
        shutil.rmtree(folder, ignore_errors=True)  # of a process that died before it could do so
        return record
    except NewerRecordError:
        raise
    except RecordError:
        pass
    stretch = Stretch(folder)
    starts = [start for start in range(0, recipe.runs, recipe.shard) if not _whole(folder, recipe, start)]
    with nullcontext(engine) if engine else processes.pool(_processes(workers, device)) as pool:
        jobs = {pool.submit(make_shard, work.compute, recipe, start, device): start for start in starts}
        done = recipe.runs - sum(_size(recipe, start) for start in starts)
        with tqdm(total=recipe.runs, initial=done, unit="run", desc=recipe.name, disable=None) as progress:
            for job in as_completed(jobs):
                shard = job.result()
                replace_file(folder / f"{jobs[job]}.npz", shard.content)
                stretch.note(shard.machine, shard.device)
                progress.update(_size(recipe, jobs[job]))
    return _join(recipe, path, folder, code)


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
        if stored and read_notes(path, cure).get(work.recipe.name) != code_digest(work.compute):
            findings.append(f"{path}: the code of {work.recipe.name} has changed; {cure}")
    return findings


def accept(work: Experiment, code: str | None = None) -> None:
    """Note a code digest, by default that of the code as it is now, as the one behind the stored result."""
    path = code_file(work.recipe.name.split("/")[0])
    with alone(path.parent):
        kept = read_notes(path, "delete it, and accept the chapter's results again")
        kept[work.recipe.name] = code or code_digest(work.compute)
        replace_file(path, as_json(kept))


def provenance(name: str) -> dict[str, Any]:
    """When, where and with what a stored result was made; empty if that is not on file."""
    path = path_of(find(name).recipe).with_suffix(".log.json")
    return read_notes(path, f"delete it and {path_of(find(name).recipe).name}: python -m lltd run {name}")


def _size(recipe: Recipe, start: int) -> int:
    return min(recipe.shard, recipe.runs - start)


def shard_folder(recipe: Recipe, code: str) -> Path:
    """Where shards wait to be joined; those of other code are never taken up."""
    return results_folder() / ".shards" / f"{recipe.address[:16]}-{code[:8]}"


def _shard(folder: Path, recipe: Recipe, start: int) -> Record:
    return load(folder / f"{start}.npz", recipe, _size(recipe, start))


def _whole(folder: Path, recipe: Recipe, start: int) -> bool:
    try:
        _shard(folder, recipe, start)
    except RecordError:
        return False
    return True


def _join(recipe: Recipe, path: Path, folder: Path, code: str) -> Record:
    """Put the shards together, in order; another writer may have done so in the meantime.

    The notes on a result come first: whenever it is there, so are they.
    """
    try:
        shards = [_shard(folder, recipe, start) for start in range(0, recipe.runs, recipe.shard)]
        arrays = {name: np.concatenate([shard[name] for shard in shards]) for name in shards[0].arrays}
        replace_file(path.with_suffix(".log.json"), as_json(told(folder)))
        if recipe == EXPERIMENTS[recipe.name].recipe:
            accept(EXPERIMENTS[recipe.name], code)
        write(path, recipe, arrays)
        record = Record(recipe, arrays)
    except MissingRecordError:
        record = load(path, recipe)
    shutil.rmtree(folder, ignore_errors=True)
    return record


def _processes(workers: int | None, device: str | None) -> int:
    """How many processes work here: as many as were asked for, else one for each GPU or core."""
    places = devices(device)
    return workers or (len(places) if places != ["cpu"] else os.cpu_count() or 1)
