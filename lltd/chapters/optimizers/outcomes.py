"""The record of the contest as the page and the verdicts read it, and what is printed of 1994."""

from typing import Any

import numpy as np

from lltd.chapters.optimizers.contest import LENGTHS, SENSITIVITY
from lltd.experiments import read
from lltd.record import Record
from lltd.rules import (
    Count,
)
from lltd.systems import trials_1994 as trials

# [bengio1994credit]: final error in per cent and presentations on the 2-sequence problem, T = 5, 10, 20, 50, 100.
TABLE_1994 = {
    "gradient": ((58, 56, 43, 53, 50), (2.9e3, 3.0e3, 2.9e3, 3.0e3, 2.8e3)),
    "pseudo_newton": ((2, 3, 10, 25, 29), (5.1e2, 1.1e3, 1.9e3, 2.6e3, 2.5e3)),
    "time_weighted": ((0, 0, 9, 34, 14), (5.4e2, 4.3e2, 2.4e3, 2.9e3, 2.7e3)),
    "multigrid": ((2, 6, 1, 3, 6), (4.1e3, 5.8e3, 2.5e3, 3.9e3, 6.4e3)),
    "discrete": ((6, 16, 29, 23, 22), (6.6e2, 1.3e3, 2.1e3, 2.1e3, 2.1e3)),
    "annealing": ((6, 0, 7, 4, 11), (2.0e5, 3.9e4, 8.2e4, 7.7e4, 4.3e4)),
}
# The two parity values at T = 50 that [HS96] quotes: the table's columns can no longer be told apart.
PARITY_1994 = {"annealing": (0.0, 8.1e5), "discrete": (5.0, 5.4e4)}
TRIALS_1994 = 20  # "at least 20", at second hand


def waits(record: Record, budget: int | None = None, **wanted: Any) -> np.ndarray:  # noqa: ANN401
    """Presentations until learnt of the chosen cells' runs, (cells, trials); infinite if not within the budget."""
    used = record.by_cell("presentations")[record.where(**wanted)].astype(float)
    limit = np.inf if budget is None else budget
    return np.where((used < 0) | (used > limit), np.inf, used)


def spent(record: Record, budget: int | None = None, **wanted: Any) -> np.ndarray:  # noqa: ANN401
    """Presentations until learnt or stopped, as the tables of 1994 count them, (cells, trials)."""
    limits = [
        cell["budget"] for cell, one in zip(record.recipe.cells, record.where(**wanted), strict=True) if one
    ]
    return np.minimum(waits(record, budget, **wanted), np.array(budget or limits).reshape(-1, 1))


def learnt(record: Record, budget: int | None = None, **wanted: Any) -> Count:  # noqa: ANN401
    """How many of the chosen cells' runs have learnt within the budget, and how many there are."""
    used = waits(record, budget, **wanted)
    return Count(int(np.isfinite(used).sum()), used.size)


def errors(record: Record, **wanted: Any) -> np.ndarray:  # noqa: ANN401
    """Share of fresh sequences on the wrong side, (cells, trials)."""
    return record.by_cell("wrong")[record.where(**wanted)] / record.recipe.cells[0]["tests"]


def printed_1994(task: str, method: str) -> list[tuple[int, float, float]]:
    """What is printed of a method on a task, and can be placed: (T, final error, presentations)."""
    if task == "two_sequence" and method in TABLE_1994:
        return [
            (T, error / 100, used) for T, error, used in zip(LENGTHS[task], *TABLE_1994[method], strict=True)
        ]
    if task == "parity" and method in PARITY_1994:
        return [(50, PARITY_1994[method][0] / 100, PARITY_1994[method][1])]
    return []


def first_in_table(method: str) -> int:
    """At how many of the five lengths a method took the fewest presentations of the table of 1994."""
    used = np.array([row[1] for row in TABLE_1994.values()])
    return int((used.argmin(0) == list(TABLE_1994).index(method)).sum())


def work(task: str, method: str, length: int) -> float:
    """Multiply-adds and tanh of one presentation of mean length, each counted as one operation."""
    shortest = max(-(-length // 2), trials.COMMON["lead"] if task == "two_sequence" else 1)
    return sum(trials.arithmetic(trials.NETS[task], method)) * (shortest + length) / 2


def slower(
    annealed: np.ndarray, others: list[np.ndarray], weights: tuple[float, ...] | None = None
) -> np.ndarray:
    """log10 of how many times what annealing spends exceeds the others' geometric mean: for each trial, (trials,).

    annealed and each of others: (cells, trials), of which the first trials are paired; the mean over the cells is
    taken. weights: a factor on what each of the others spends and, last, annealing.
    """
    trials_ = min(part.shape[1] for part in (annealed, *others))
    factors = weights or (1.0,) * (len(others) + 1)
    logs = [
        np.log10(factor * part[:, :trials_])
        for factor, part in zip(factors, (*others, annealed), strict=True)
    ]
    return (logs[-1] - sum(logs[:-1]) / len(others)).mean(axis=0)


def reading(name: str, method: str, task: str) -> np.ndarray:
    """Row numbers, in the record of settings, of the cell of a reading: bool over cells."""
    return np.array(
        [one == name and case["method"] == method and case["task"] == task for one, case in SENSITIVITY]
    )


def stopped(method: str, kinds: tuple[int, ...], lengths: tuple[int, ...], *, every: bool = False) -> Count:
    """Runs that obstacles of these kinds have stopped, out of those not learnt, or with `every` out of all."""
    record = read("optimizers/obstacles")
    found = record.by_cell("obstacle")[record.where(method=method, length=lengths)]
    return Count(int(np.isin(found, kinds).sum()), found.size if every else int((found >= 0).sum()))


def count(record: Record, cells: np.ndarray) -> Count:
    """How many runs of these cells, bool over cells, have learnt, and how many there are."""
    used = record.by_cell("presentations")[cells]
    return Count(int((used > 0).sum()), used.size)


def finite(runs: np.ndarray) -> np.ndarray:
    """The waits of the runs that have learnt."""
    return runs[np.isfinite(runs)]
