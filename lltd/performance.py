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
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import lltd
from lltd.clock import seconds, threads
from lltd.experiments import results_folder
from lltd.measurements import MEASUREMENTS
from lltd.peers import MissingPeer
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
from lltd.stretches import machine

REPEATS = 5
AGREEMENT = 0.99  # share of the numbers: rounding may tip a run whose gradient explodes


def measure(op: str | None = None) -> list[dict[str, Any]]:
    """Time one kernel, or all: a row for each race, see `timed`; or take one of MEASUREMENTS, whose rows say its name.

    Raises ValueError for an unknown one.
    """
    check(op, [*RACES, *MEASUREMENTS])
    if op in MEASUREMENTS:
        with threads(1):
            return _named(op, MEASUREMENTS[op].measure(REPEATS))
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
    with threads(1):
        # The first turn, which also builds and loads what is needed, is not counted.
        try:
            ours, theirs = race.ours(), race.theirs()
        except MissingPeer as missing:
            none = dict.fromkeys(("ours_s", "peer_s", "ratio", "low", "high"))
            return {**row, "peer": f"{race.peer} ({missing})", **none, "device": machine()}
        wanted = race.wanted() if race.wanted else ours
        if not race.ceiling and not _agreement(wanted, theirs) >= AGREEMENT:
            raise ArithmeticError(f"{race.op}: it and {race.peer} disagree: {race.work}")
        pairs = [(seconds(race.ours), seconds(race.theirs)) for _ in range(repeats)]
    ratios = [theirs / ours for ours, theirs in pairs]
    ours_s, peer_s = (statistics.median(side) for side in zip(*pairs, strict=True))
    row |= {"ours_s": ours_s, "peer_s": peer_s}
    row |= {"ratio": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}
    return {**row, "device": machine()}


def table(rows: list[dict[str, Any]]) -> str:
    """The rows of `measure` as lines to read: the work, and under it each peer; of a measurement, its own lines."""
    lines = []
    for name, some in groupby(rows, key=lambda row: row.get("measurement")):
        lines += (_race_lines if name is None else MEASUREMENTS[name].table)([*some])
    return "\n".join(lines)


def _race_lines(rows: Iterable[dict[str, Any]]) -> list[str]:
    lines: list[str] = []
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
    return lines


def _named(name: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"measurement": name, **row} for row in rows]


def path_of(op: str) -> Path:
    """The file of a kernel's stored measurement."""
    return results_folder() / "performance" / f"{op}.json"


def store(op: str | None = None, repeats: int = REPEATS) -> list[dict[str, Any]]:
    """Take one measurement that the chapter shows, or each, and put it on file at once; returns the rows as `measure`.

    A file holds {op, date, machine, versions} and its PARTS. Raises ValueError for what is not shown.
    """
    check(op, PARTS)
    rows = []
    for name in PARTS if op is None else [op]:
        stored = {"op": name, "date": time.strftime("%Y-%m-%d", time.gmtime())}
        stored |= {"machine": machine(), "versions": _versions()}
        with threads(1):
            stored |= {part: make(repeats) for part, make in PARTS[name].items()}
        replace_file(path_of(name), (json.dumps(stored, indent=1, allow_nan=False) + "\n").encode())
        rows += stored.get("races", []) + stored.get("ways", []) + _named(name, stored.get("rows", []))
    return rows


# What is stored: name of a kernel or a measurement → part → how it is measured, in so many turns.
PARTS: dict[str, dict[str, Callable[[int], Any]]] = {
    "latch": {
        "work": lambda repeats: asdict(USUAL),
        "races": lambda repeats: [timed(race, repeats) for race in latch_races(USUAL)],
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
    },
    "stream": {
        "work": lambda repeats: asdict(DRAWING),
        "races": lambda repeats: [timed(race, repeats) for race in stream_races(DRAWING)],
    },
    **{name: {"rows": module.measure} for name, module in MEASUREMENTS.items()},
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


def _versions() -> dict[str, str]:
    """What the times depend on besides the machine; a compiler by the first line it says of itself."""
    found = {"Python": platform.python_version(), "lltd": lltd.__version__}
    for name in ("torch", "numpy", "numba", "jax", "evotorch", "evosax"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    compiler = [*shlex.split(os.environ.get("CXX") or "c++"), "--version"]
    said = subprocess.run(compiler, capture_output=True, text=True, check=True).stdout
    return {**found, "compiler": said.splitlines()[0]}
