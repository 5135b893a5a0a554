"""The record of the search as the page and the verdicts read it, and what is printed of it."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lltd.chapters.random_search.contest import (
    CONVENTIONS,
    DENSITIES,
    FAST,
    GRAMMARS,
    GUESSED,
    HARDER,
    LARGEST,
    ROWS,
    SLOW,
    THREE,
    TOLERANCES,
)
from lltd.experiments import read, results_folder
from lltd.record import Record
from lltd.resampling import allowed
from lltd.rules import Count

TRIALS = {row: 40 if row == "latch, 3 weights" else 10 for row in ROWS}  # behind each printed mean
DRAWS = 10_000  # for the band of one reading among hundreds
SETTLED = {  # readings settled apart: experiment, and its list
    "random_search/conventions": CONVENTIONS + THREE,
    "random_search/grammars": GRAMMARS,
    "random_search/largest": LARGEST,
}


@cache
def _kept(name: str, folder: Path) -> Record:
    return read(name)


def _read(name: str) -> Record:
    """A record, which is checked once, however many rows are taken from it."""
    return _kept(name, results_folder())


class Reading(NamedTuple):
    """A reading of a row: its name, and the guesses that its trials made until solved or out of budget."""

    name: str
    guesses: np.ndarray
    solved: np.ndarray

    @property
    def waits(self) -> np.ndarray:
        """Guesses until solved; infinite where the budget was too small."""
        return np.where(self.solved, self.guesses.astype(float), np.inf)


def _column(record: Record, name: str, rows: tuple[str, ...], row: str) -> np.ndarray:
    return record.by_cell(name)[rows.index(row)]


def found(row: str, name: str = "guesses", *, one_set: bool = False) -> np.ndarray:
    """An outcome of all trials of a row under the default reading; one_set: of those with one training set for all.

    Raises ValueError for a row that is not printed.
    """
    if row not in ROWS:
        raise ValueError(f"row is {row!r}: one of {'; '.join(ROWS)} is needed")
    if row in SLOW:
        return _read("random_search/slow").by_cell(name)[SLOW.index(row) + len(SLOW) * one_set]
    if one_set:
        return _column(_read("random_search/one_set"), name, FAST, row)
    return _column(_read("random_search/table"), name, FAST, row)


def waits(row: str, *, one_set: bool = False) -> np.ndarray:
    """Guesses until solved, of very many trials of a row, or of those with one training set for all.

    They are infinite where the budget was too small. Raises ValueError for a row that is not printed.
    """
    if one_set or row not in ROWS:
        guesses, solved = (found(row, name, one_set=one_set) for name in ("guesses", "solved"))
    else:
        guesses, solved = (
            _column(_read("random_search/many"), name, tuple(ROWS), row) for name in ("guesses", "solved")
        )
    return np.where(solved, guesses.astype(float), np.inf)


def harder(row: str, change: str) -> Reading:
    """The trials of a row with its inputs coded otherwise, or in noise."""
    record, cell = _read("random_search/harder"), [(of, what) for of, what, _ in HARDER].index((row, change))
    return Reading(change, record.by_cell("guesses")[cell], record.by_cell("solved")[cell])


def readings(row: str) -> tuple[Reading, ...]:
    """All readings of a row that were tried, the default among them if it was tried again."""
    tried = []
    for name, settled in SETTLED.items():
        record = _read(name)
        guesses, solved = record.by_cell("guesses"), record.by_cell("solved")
        tried += [
            Reading(reading, guesses[i], solved[i]) for i, (of, reading, _) in enumerate(settled) if of == row
        ]
    return tuple(tried)


def reading(row: str, name: str) -> Reading:
    """One of them. Raises ValueError, naming those there are."""
    by_name = {one.name: one for one in readings(row)}
    if name not in by_name:
        raise ValueError(f"reading is {name!r}: one of {'; '.join(by_name)} is needed")
    return by_name[name]


def bands(row: str) -> np.ndarray:
    """For each reading of a row, between what limits the printed mean may lie: (readings, 2).

    A trial that was cut counts as solved with the last guess: the band then lies too low, never too high, and a number
    below it is excluded all the more, one above it perhaps wrongly.
    """
    return _bands(row, results_folder())


@cache
def _bands(row: str, folder: Path) -> np.ndarray:
    return np.array([allowed(one.guesses.astype(float), TRIALS[row], "mean", DRAWS) for one in readings(row)])


def allows(row: str, factor: float = 1.0) -> np.ndarray:
    """Which readings of a row allow the printed mean, or so many times it: bool (readings,)."""
    low, high = bands(row).T
    return (low <= factor * ROWS[row][1]) & (factor * ROWS[row][1] <= high)


def density(task: str, **setting: float) -> Count:
    """Solutions among all guesses of a task under a setting of weight range or length, at tolerance 0.1."""
    return densities(task, **setting)[TOLERANCES.index(0.1)]


def densities(task: str, **setting: float) -> list[Count]:
    """The same for each of TOLERANCES."""
    solutions = _read("random_search/density").by_cell("solutions")
    for (name, own), cell in zip(DENSITIES, solutions, strict=True):
        if name == task and all(own.get(key) == value for key, value in setting.items()):
            return [Count(int(total), GUESSED * len(cell)) for total in cell.sum(0)]
    raise ValueError(f"no density of {task!r} with {setting}: see DENSITIES")
