"""How fast the kernels are: each beside a peer that does the same work, in one process and by turns.

Seconds say much about a machine and who else is using it. Two that were taken one right after the other share
both, so what counts is their ratio. A stored measurement is no result of a recipe: it holds for one machine and one
day, and no audit can recompute it.
"""

import json
import os
import platform
import shlex
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import lltd
from lltd import roofline
from lltd.experiments import machine, results_folder
from lltd.peers import MissingPeer
from lltd.peers.latch import Stretch
from lltd.peers.lstm96 import Learning
from lltd.races import (
    DRAWING,
    EACH,
    GUESSES,
    LEARNING,
    RACES,
    SETS,
    SHOWING,
    TRIAL,
    USUAL,
    Race,
    guess_races,
    latch_races,
    lstm96_races,
    small_net_races,
    stream_races,
    ways_races,
)
from lltd.record import MissingRecordError, RecordError, replace_file

REPEATS = 5
AGREEMENT = 0.99  # share of the numbers: rounding may tip a run whose gradient explodes
MEDIUM = replace(USUAL, runs=1024)  # what is changed along one axis at a time
AXES = {
    "runs": (64, 256, 1024, 4096, 16384),
    "length": (10, 20, 40, 80, 160),
    "epochs": (10, 20, 40, 80, 160),
}
SHORT = replace(LEARNING, sequences=4)  # the same of the LSTM of 1996
LSTM96_AXES = {
    "trials": (16, 64, 256, 1024, 4096),
    "length": (20, 50, 100, 200, 500, 1000),
    "sequences": (1, 2, 4, 8, 16),
}
SIZES = {"blocks": (1, 2, 3, 4)}  # of one cell each


def measure(op: str | None = None) -> list[dict[str, Any]]:
    """Time one kernel, or all: a row for each race, see `timed`. Raises ValueError for an unknown one."""
    check(op, RACES)
    return [timed(race) for name in RACES if op in (None, name) for race in RACES[name]()]


def check(op: str | None, known: Iterable[str]) -> None:
    """Raise ValueError, naming those there are, unless op is a known kernel, or None."""
    if op is not None and op not in known:
        raise ValueError(f"op is {op!r}: one of {', '.join(known)} is needed")


def timed(race: Race, repeats: int = REPEATS) -> dict[str, Any]:
    """Run both sides by turns: {op, work, peer, way, items, ours_s, peer_s, ratio, low, high, device}.

    ours_s, peer_s: median seconds. ratio: the peer's seconds over ours, its median over the pairs; low, high:
    its range over them. A peer that is not here says so in its name and has None for all of them. Raises
    ArithmeticError if the two do not agree: a wrong answer has no speed.
    """
    row = {name: getattr(race, name) for name in ("op", "work", "peer", "way", "items")}
    with _one_thread():
        # The first turn, which also builds and loads what is needed, is not counted.
        try:
            ours, theirs = race.ours(), race.theirs()
        except MissingPeer as missing:
            none = dict.fromkeys(("ours_s", "peer_s", "ratio", "low", "high"))
            return {**row, "peer": f"{race.peer} ({missing})", **none, "device": machine()}
        wanted = race.wanted() if race.wanted else ours
        if not race.ceiling and not _agreement(wanted, theirs) >= AGREEMENT:
            raise ArithmeticError(f"{race.op}: it and {race.peer} disagree: {race.work}")
        pairs = [(_seconds(race.ours), _seconds(race.theirs)) for _ in range(repeats)]
    ratios = [theirs / ours for ours, theirs in pairs]
    ours_s, peer_s = (statistics.median(side) for side in zip(*pairs, strict=True))
    row |= {"ours_s": ours_s, "peer_s": peer_s}
    row |= {"ratio": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}
    return {**row, "device": machine()}


def table(rows: list[dict[str, Any]]) -> str:
    """The rows of `measure` as lines to read: the work, and under it each peer."""
    lines = []
    for row in rows:
        title = f"{row['op']}: {row['work']} on {row['device']}"
        lines += [] if title in lines else [title]
        if row["ratio"] is None:
            lines.append(f"  not measured: {row['peer']}")
        else:
            way = f"{row['way']}: " if row["way"] else ""
            rate = f", {row['items'] / row['ours_s']:,.0f} a second" if row["items"] else ""
            lines.append(
                f"  {way}{row['ours_s']:.3g} s against {row['peer_s']:.3g} s of {row['peer']}: "
                f"{row['ratio']:.3g} times as fast ({row['low']:.3g} to {row['high']:.3g}){rate}"
            )
    return "\n".join(lines)


def scaling(
    axes: Mapping[str, Iterable[int]],
    work: Stretch | Learning,
    races: Callable[..., Iterator[Race]],
    repeats: int = REPEATS,
) -> list[dict[str, Any]]:
    """The cost along each axis, for kernel and reference: rows of {axis, at, ours_s, peer_s}, median seconds."""
    rows = []
    for axis, at in [(axis, at) for axis, values in axes.items() for at in values]:
        (race,) = races(replace(work, **{axis: at}), ["the plain torch reference"])
        row = timed(race, repeats)
        rows.append({"axis": axis, "at": at, "ours_s": row["ours_s"], "peer_s": row["peer_s"]})
    return rows


def slope(at: Sequence[float], seconds: Sequence[float]) -> float:
    """The exponent b of seconds ∝ at^b, fitted by least squares to the logarithms of both."""
    return float(np.polyfit(np.log(at), np.log(seconds), 1)[0])


def path_of(op: str) -> Path:
    """The file of a kernel's stored measurement."""
    return results_folder() / "performance" / f"{op}.json"


def store(op: str | None = None, repeats: int = REPEATS) -> list[dict[str, Any]]:
    """Measure all that the chapter shows of one kernel, or of each, put it on file at once; returns the races' rows.

    A file holds {op, date, machine, versions} and the kernel's PARTS. Raises ValueError for a kernel not shown.
    """
    check(op, PARTS)
    rows = []
    for name in PARTS if op is None else [op]:
        stored = {"op": name, "date": time.strftime("%Y-%m-%d", time.gmtime())}
        stored |= {"machine": machine(), "versions": _versions()}
        with _one_thread():
            stored |= {part: make(repeats) for part, make in PARTS[name].items()}
        replace_file(path_of(name), (json.dumps(stored, indent=1, allow_nan=False) + "\n").encode())
        rows += stored["races"] + stored.get("ways", [])
    return rows


# What is stored of a kernel that the chapter shows: part → how it is measured, in so many turns.
PARTS: dict[str, dict[str, Callable[[int], Any]]] = {
    "latch": {
        "work": lambda repeats: asdict(USUAL),
        "ceilings": lambda repeats: roofline.measure(USUAL, repeats),
        "races": lambda repeats: [timed(race, repeats) for race in latch_races(USUAL)],
        "scaling": lambda repeats: scaling(AXES, MEDIUM, latch_races, repeats),
    },
    "small_net": {
        "work": lambda repeats: asdict(SHOWING),
        "races": lambda repeats: [timed(race, repeats) for race in small_net_races(SHOWING)],
    },
    "guess": {
        "work": lambda repeats: asdict(GUESSES),
        "races": lambda repeats: [timed(race, repeats) for race in guess_races(GUESSES)],
        "ways": lambda repeats: [timed(race, repeats) for race in ways_races(TRIAL, SETS, EACH)],
    },
    "lstm96": {
        "work": lambda repeats: asdict(LEARNING),
        "races": lambda repeats: [timed(race, repeats) for race in lstm96_races(LEARNING)],
        "scaling": lambda repeats: [
            *scaling(LSTM96_AXES, SHORT, lstm96_races, repeats),
            *scaling(SIZES, replace(SHORT, cells=1), lstm96_races, repeats),
        ],
    },
    "stream": {
        "work": lambda repeats: asdict(DRAWING),
        "races": lambda repeats: [timed(race, repeats) for race in stream_races(DRAWING)],
    },
}


def read(op: str) -> dict[str, Any]:
    """A kernel's stored measurement, see `store`. Raises RecordError, naming the file and the cure."""
    path, cure = path_of(op), "measure anew with: python -m lltd performance --store"
    if not path.exists():
        raise MissingRecordError(f"{path} is missing; {cure}")
    try:
        stored = json.loads(path.read_text())
        if missing := set(PARTS[op]) - set(stored):
            raise ValueError(f"no {', '.join(sorted(missing))}")
    except (OSError, ValueError, TypeError) as error:
        raise RecordError(f"{path} is damaged ({type(error).__name__}: {error}); {cure}") from error
    return stored


def _agreement(ours: Tensor, theirs: Tensor) -> float:
    """The share of the numbers that are the same but for rounding; of what either found, what both did."""
    if ours.dtype == torch.bool:
        return 1 - ((ours ^ theirs).sum() / (ours | theirs).sum().clamp(min=1)).item()
    return torch.isclose(ours, theirs, rtol=1e-6, atol=1e-9).double().mean().item()


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _versions() -> dict[str, str]:
    """What the times depend on besides the machine; a compiler by the first line it says of itself."""
    found = {"Python": platform.python_version(), "lltd": lltd.__version__}
    for name in ("torch", "numpy", "numba", "jax", "evotorch", "evosax"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    compiler = [*shlex.split(os.environ.get("CXX") or "c++"), "--version"]
    said = subprocess.run(compiler, capture_output=True, text=True, check=True).stdout
    return {**found, "compiler": said.splitlines()[0]}


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
