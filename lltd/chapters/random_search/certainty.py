"""Whether nets may be rejected without being run: what rejection rests on, checked on very many nets and all floats."""

import numpy as np
import torch
from torch import Tensor

from lltd.chapters.random_search.contest import ROWS
from lltd.experiments import experiment, read
from lltd.kernels import guess, sieve
from lltd.kernels.guess import Topology
from lltd.record import Recipe
from lltd.rules import Count
from lltd.systems import trials_1996 as trials
from lltd.systems.random_search import GUESSES, Clues, Lessons, clues, lessons, passed, possible, stood

TRIED = ("parity, A1, n = 1", "parity, A2", "Tomita 2, A2", "Tomita 4, A2", "2-sequence, A2")
NETS = 2**13  # guessed by a run
FLOATS = 2**23  # by a run


@experiment(
    "random_search/rejected",
    version=1,
    seed=9,
    runs=len(TRIED) * 512,
    shard=len(TRIED) * 32,
    parameters={"common": {**trials.COMMON, "nets": NETS}, "cases": [ROWS[row][0] for row in TRIED]},
    dtype="float32",
    flips=0.02,
)
def rejected(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Of nets guessed for a training set: left by words, right, otherwise decided if run, and answers out of bounds."""
    cells = ids.cpu().numpy() % len(recipe.cells)
    found = {name: np.zeros(len(ids), np.int32) for name in ("left", "right", "differ", "outside")}
    for cell in np.unique(cells):
        rows, setting = np.flatnonzero(cells == cell), dict(recipe.cells[cell])
        nets = setting.pop("nets")
        whole = trials.complete({**setting, "budget": nets})
        shown, net = trials.sequences(recipe.seed, ids[rows], whole, 0, whole["lessons"]), trials.net(whole)
        limits = {name: whole[name] for name in ("span", "tolerance")}
        for b, row in enumerate(rows):
            lesson = lessons(shown, b, whole["low"], whole["high"])
            candidates = ids[row] * GUESSES + torch.arange(nets, device=ids.device)
            known = clues(lesson)
            by_run = stood(net, recipe.seed, candidates, lesson, **limits) == len(lesson.lengths)
            right = passed(net, recipe.seed, candidates, lesson, known, **limits)
            within = possible(net, recipe.seed, candidates, known, **limits)
            found["left"][row], found["right"][row] = within.sum(), right.sum()
            found["differ"][row] = (right != by_run).sum()
            found["outside"][row] = _outside(net, recipe.seed, candidates, lesson, known)
    return found


def _outside(net: Topology, seed: int, candidates: Tensor, lesson: Lessons, known: Clues) -> int:
    """How many nets answer the first sequence that ends in the first word with something out of that word's bounds."""
    inputs, word = lesson.inputs[:, :, 0].float(), known.words[:1]
    ends = (inputs[s, n - word.shape[1] : n] for s, n in enumerate(lesson.lengths.tolist()))
    s = next(s for s, end in enumerate(ends) if torch.equal(end, word[0]))
    ((low, high),) = sieve.boxes(net, seed, candidates, word)
    (given,) = guess.guess(net, seed, candidates, inputs[s : s + 1].contiguous(), lesson.lengths[s : s + 1])
    return int(((given < low) | (given > high)).sum())


@experiment(
    "random_search/monotone",
    version=1,
    seed=0,
    runs=-(-(2 * sieve.LAST + 1) // FLOATS),
    shard=33,
    parameters={
        "common": {"relative": sieve.reference.RELATIVE, "absolute": sieve.reference.ABSOLUTE},
        "cases": [{}],
    },
    dtype="float32",
    drift=1e-6,
)
def monotone(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """All floats within ±2²¹ in order: extremes of the logistic function and its bounds, and how many are wrong."""
    (widening,) = recipe.cells
    rows = []
    for run in ids.tolist():
        first = run * FLOATS - sieve.LAST
        rows.append(sieve.slack(first, min(FLOATS, sieve.LAST + 1 - first), **widening))
    found = torch.stack(rows).numpy()
    names = ("most", "most_low", "least", "least_high")
    return {name: found[:, i] for i, name in enumerate(names)} | {"wrong": found[:, 4].astype(np.int32)}


def wrong() -> int:
    """Floats, and stretches of them, on which a bound of the logistic function does not hold: from the record."""
    record = read("random_search/monotone")
    before = {name: np.maximum.accumulate(record[name])[:-1] for name in ("most", "most_low")}
    between = (before["most"] > record["least_high"][1:]) | (before["most_low"] > record["least"][1:])
    return int(record["wrong"].sum() + between.sum())


def counts(row: str) -> dict[str, Count]:
    """Of the nets guessed for a task: left by words, right, otherwise decided if run, and answering out of bounds.

    Raises ValueError for a task that is not among TRIED.
    """
    if row not in TRIED:
        raise ValueError(f"row is {row!r}: one of {'; '.join(TRIED)} is needed")
    record, cell = read("random_search/rejected"), TRIED.index(row)
    found = {name: record.by_cell(name)[cell] for name in ("left", "right", "differ", "outside")}
    return {name: Count(int(one.sum()), NETS * len(one)) for name, one in found.items()}
