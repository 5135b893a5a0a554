"""The record of the trials as the page and the verdicts read it."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from lltd.analysis.survival import Curve, kaplan_meier, restricted_mean
from lltd.chapters.adding.readings import CELLS, CHANGES, CRITERIA
from lltd.experiments import read, results_folder
from lltd.record import Record
from lltd.resampling import DRAWS, allowed

STOP = "squared, latest 2000"  # the printed one
TRIALS = 10  # behind each printed mean
PRINTED = {100: 74_000, 500: 209_000, 1000: 853_000}  # sequences until the stop, by T
ROUNDING = 500  # of these
WRONG = {100: 1, 500: 0, 1000: 1}  # of 2560 tests then, means as well


@dataclass(frozen=True)
class Trials:
    """B trials of one setting, as they stood when a criterion was met, or, where it was not, when they were cut.

    Arrays (B,), as in `lltd.systems.lstm96.outcomes`; budget and tests: of each, how many sequences.
    """

    sequences: np.ndarray
    met: np.ndarray
    right: np.ndarray
    wrong: np.ndarray
    absolute: np.ndarray
    squared: np.ndarray
    diverged: np.ndarray
    budget: int
    tests: int

    @property
    def waits(self) -> np.ndarray:
        """Sequences until the criterion was met: infinite where it was not."""
        return np.where(self.met, self.sequences, np.inf)

    @property
    def at_least(self) -> np.ndarray:
        """The same, but the budget where it was not met: no wait is longer than that, and a mean of them is too low."""
        return np.where(self.met, self.sequences, self.budget).astype(float)

    @property
    def share_right(self) -> np.ndarray:
        """p, of the tests."""
        return 1 - self.wrong / self.tests

    def survival(self) -> Curve:
        """The share still waiting, by sequences; who has diverged waits for ever."""
        return kaplan_meier(self._seen, self.met)

    def mean(self, limit: float) -> tuple[float, float, float]:
        """Mean wait up to a limit, which no trial was cut before, with its interval: see `restricted_mean`."""
        return restricted_mean(self._seen, self.met, limit)

    def band(self, draws: int = DRAWS) -> tuple[float, float]:
        """Where the means of ten such trials lie with 95 %; with some cut, too low."""
        return allowed(self.at_least, TRIALS, "mean", draws)

    @property
    def _seen(self) -> np.ndarray:
        return np.where(self.diverged & ~self.met, np.inf, self.sequences.astype(float))


@cache
def _kept(name: str, folder: Path) -> Record:
    return read(name)


def _read(name: str) -> Record:
    """A record, which is checked once, however many cells are taken from it."""
    return _kept(name, results_folder())


def _trials(name: str, cell: int, criterion: str) -> Trials:
    record, known = _read(name), list(CRITERIA)[: len(_criteria(name))]
    if criterion not in known:
        raise ValueError(f"criterion is {criterion!r}: {name} has {'; '.join(known)}")
    k, setting = known.index(criterion), record.recipe.cells[cell]
    of_each = ("sequences", "met", "right", "wrong", "absolute", "squared")
    return Trials(
        **{key: record.by_cell(key)[cell][:, k] for key in of_each},
        diverged=record.by_cell("diverged")[cell],
        budget=setting["budget"],
        tests=setting["tests"],
    )


def _criteria(name: str) -> list[dict]:
    return _read(name).recipe.parameters["common"]["criteria"]


def at(length: int) -> list[tuple[str, str]]:
    """The readings that were run at this length, in the order of `CELLS`."""
    return [reading for cells in CELLS.values() for reading, T in cells if length == T]


def address(reading: tuple[str, str], length: int) -> tuple[str, int]:
    """The experiment with a reading at a length, and its cell there. Raises ValueError where there is none."""
    for name, cells in CELLS.items():
        if (reading, length) in cells:
            return name, cells.index((reading, length))
    known = "; ".join(", ".join(one) for one in at(length))
    raise ValueError(f"reading is {reading!r} at T = {length}: {known or 'no reading'} is there")


def found(reading: tuple[str, str], length: int = 100, criterion: str = STOP) -> Trials:
    """The trials of a reading. Raises ValueError for a reading, length or criterion that was not run."""
    return _trials(*address(reading, length), criterion)


def changed(change: str, criterion: str = STOP) -> Trials:
    """The trials with one setting changed, at T = 100. Raises ValueError for a change that was not run."""
    if change not in CHANGES:
        raise ValueError(f"change is {change!r}: one of {'; '.join(CHANGES)} is needed")
    return _trials("adding/settings", list(CHANGES).index(change), criterion)
