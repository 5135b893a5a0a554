"""Audits: some runs of a stored result are computed again and compared with what is stored."""

import random
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from lltd.experiments import Experiment, read, recompute


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
    if finding := misfit(work.recipe.name, record.arrays, fresh):
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


def misfit(name: str, stored: Mapping[str, np.ndarray], computed: Mapping[str, np.ndarray]) -> str:
    """In words, that a result's arrays are not those that are computed, by name, type or shape; else empty."""
    if _forms(stored) == _forms(computed):
        return ""
    return f"{name}: {_forms(stored)} are stored, {_forms(computed)} computed"


def _forms(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Name, type and shape of each array but for its first axis, which counts runs."""
    return {name: f"{arrays[name].dtype} {arrays[name].shape[1:]}" for name in sorted(arrays)}


def _bits(array: np.ndarray) -> np.ndarray:
    """The bytes of each run, uint8 (runs, bytes)."""
    return np.ascontiguousarray(array).view(np.uint8).reshape(len(array), -1)
