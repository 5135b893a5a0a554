"""Rivals of LSTM on the adding problem, and what back-propagation learns of two dependencies, or across a gap."""

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lltd.experiments import experiment, read
from lltd.kernels import small_net
from lltd.kernels.lstm96 import Task
from lltd.philox import Purpose
from lltd.record import Recipe
from lltd.rules import Count
from lltd.systems import adding_rivals, elman, gap, guessed_sums, lessons, lstm96, short_and_long, small_nets
from lltd.systems.batches import Settings, alike, stored

LENGTHS = (20, 50, 100)
LONGEST = max(LENGTHS)
BUDGET = 100_000  # sequences: above the 74,000 that LSTM is said to need at T = 100
STAGES = (1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)
TRIALS = 32  # of a cell
GAPS = (2, 4, 6, 8, 10)
WRONG = 3  # of 2560 tests: as many as LSTM had wrong in its worst trial
SHARED = {**adding_rivals.COMMON, "budget": BUDGET, "stages": STAGES}

# Where a method has settings of its own that no source gives, a small grid, fixed before any of its runs was looked at.
# The page shows the best cell of each, and how many there were to choose from.
GRIDS: dict[str, list[Settings]] = {
    "bptt": [{"rate": rate} for rate in (0.01, 0.03, 0.1, 0.3)],
    "pseudo_newton": [{"rate": rate, "mu": mu} for rate in (0.01, 0.1) for mu in (0.01, 0.3)],
    "modern_lstm": [{"rate": rate, "forget_bias": bias} for rate in (0.01, 0.03) for bias in (1.0, 3.0)],
}
RATES = (0.01, 0.03, 0.1)  # of time-delay nets
NEAR = 3  # pairs that a hidden unit sees at once, where its weights are shared over the window
NAMES = {
    "bptt": "BPTT, Elman net",
    "pseudo_newton": "pseudo-Newton, Elman net",
    "tdnn": "TDNN",
    "modern_lstm": "LSTM with forget gates, Adam",
    "guessing": "random guessing",
}


def _cases(method: str) -> list[Settings]:
    """The cells of a method at every length, spelt out."""
    own = adding_rivals.METHODS[method]
    return [{"method": method, **own, "length": T, **cell} for T in LENGTHS for cell in GRIDS[method]]


def _delays() -> list[Settings]:
    """All three windows at the longest T only, and there also nets whose hidden units see the whole window.

    Windows that hold no mark get one rate: no net with them can do better than guess the mean.
    """
    own = {"method": "tdnn", **adding_rivals.METHODS["tdnn"]}
    cells = []
    for T in LENGTHS:
        short, whole = (10, T // 2), T + T // 10  # half: up to where marks may lie; the longest sequence
        shapes = [(NEAR, whole)]
        if T == LONGEST:
            cells += [{**own, "length": T, "near": NEAR, "window": w, "rate": 0.1} for w in short]
            shapes += [(whole, whole)]
        cells += [
            {**own, "length": T, "near": near, "window": window, "rate": rate}
            for near, window in shapes
            for rate in RATES
        ]
    return cells


CONTEST = {"version": 1, "seed": 1996, "dtype": "float32", "flips": 0.05, "drift": 1e-3}


def _contest(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Trial t of every cell is shown the sequences of trial t."""
    settings = [recipe.settings(run) for run in ids.tolist()]
    return stored(adding_rivals.trials(recipe.seed, ids // len(recipe.cells), settings, torch.float32))


def _recipe(cases: list[Settings], shards: int, trials: int = TRIALS, **common: Any) -> dict[str, Any]:  # noqa: ANN401
    """Every trial of all cells, in so many shards."""
    size = len(cases) * trials
    return {"runs": size, "shard": size // shards, "parameters": {"common": common, "cases": cases}}


@experiment(
    "adding/rivals_bptt",
    **CONTEST,
    **_recipe(_cases("bptt"), 2, **SHARED),
)
def bptt(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Back-propagation through time, Elman nets."""
    return _contest(recipe, ids)


@experiment(
    "adding/rivals_pseudo_newton",
    **CONTEST,
    **_recipe(_cases("pseudo_newton"), 2, **SHARED),
)
def pseudo_newton(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Pseudo-Newton steps, Elman nets."""
    return _contest(recipe, ids)


@experiment(
    "adding/rivals_tdnn",
    **CONTEST,
    **_recipe(_delays(), 2, **SHARED),
)
def time_delays(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Time-delay nets with three windows."""
    return _contest(recipe, ids)


@experiment(
    "adding/rivals_modern_lstm",
    **CONTEST,
    **_recipe(_cases("modern_lstm"), 2, trials=16, **SHARED),
)
def modern_lstm(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """LSTM with forget gates and the whole gradient, Adam on mini-batches."""
    return _contest(recipe, ids)


@experiment(
    "adding/rivals_lstm96",
    version=1,
    seed=1996,
    dtype="float32",
    flips=0.02,
    drift=1e-3,
    **_recipe(
        [
            {"length": T, "output": output, "sees": sees}
            for T in LENGTHS
            for output, sees in (("logistic", "gates and cells"), ("linear", "cells"))
        ],
        1,
        **{
            **lstm96.COMMON,
            "budget": BUDGET,
            "criteria": tuple(asdict(criterion) for criterion in adding_rivals.CRITERIA),
        },
    ),
)
def lstm_1996(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """The LSTM of 1996 at the budget of its rivals, in two readings, on their sequences."""
    found: dict[str, Tensor] = {}
    for rows in alike([recipe.settings(run) for run in ids.tolist()], ()):
        own = recipe.settings(int(ids[rows[0]]))
        outcome = lstm96.trials(recipe.seed, ids[rows] // len(recipe.cells), own, torch.float32)
        outcome["stops"] = torch.where(outcome["met"], outcome["sequences"], 0)
        for name in ("stops", "wrong", "absolute", "squared", "diverged"):
            # tests at the printed stop, or when the budget is used up
            value = outcome[name][:, 0] if name in ("wrong", "absolute", "squared") else outcome[name]
            found.setdefault(name, value.new_zeros(len(ids), *value.shape[1:]))[rows] = value
    return stored(found)


GUESSES = 2**18  # of a run
MOST = 24  # sequences in a row up to which guesses are told apart


@experiment(
    "adding/rivals_guessing",
    version=1,
    seed=1996,
    runs=len(LENGTHS) * 2 * 3 * 4,
    shard=len(LENGTHS) * 2 * 3,
    parameters={
        "common": {"first_pair": "neutral", "tolerance": 0.04, "guesses": GUESSES, "sequences": 256},
        "vary": {"length": LENGTHS, "hidden": [2, 8], "span": [1.0, 10.0, 100.0]},
    },
    dtype="float32",
    flips=0.02,
)
def guessing(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Guessed Elman nets: how many have 0, 1, 2 … sequences of their training set right before the first mistake."""
    found = np.zeros((len(ids), MOST + 1), np.int32)
    for row, run in enumerate(ids.tolist()):
        setting = recipe.settings(run)
        stood = guessed_sums.stood(recipe.seed, run, setting)
        found[row] = torch.bincount(stood.clamp(max=MOST), minlength=MOST + 1).numpy()
    return {"stood": found}


@experiment(
    "adding/short_and_long",
    version=1,
    seed=1993,
    dtype="float32",
    flips=0.02,
    drift=1e-2,
    **_recipe(
        [{"length": T, "rate": rate} for T in (10, 20, 50, 100) for rate in (0.03, 0.1, 0.3)],
        1,
        trials=64,
        hidden=8,
        spread=0.5,
        tests=500,
        stages=(0, 1000, 2000, 4000, 6000, 8000, 10_000, 15_000, 20_000),
    ),
)
def learnt_first(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """What an Elman net's output owes to an event near the end and to one near the begin, as it learns."""
    settings = [recipe.settings(run) for run in ids.tolist()]
    return stored(short_and_long.learn(recipe.seed, ids // len(recipe.cells), settings, torch.float32))


@experiment(
    "adding/gap",
    version=1,
    seed=1992,
    **_recipe(
        [
            {"gap": size, "output": output, "rate": rate, "spread": spread}
            for size in GAPS
            for output in gap.OUTPUTS
            for rate in (0.02, 0.1, 0.5)
            for spread in (0.1, 0.5)
        ],
        2,
        trials=26,
        hidden=10,
        epochs=10_000,
    ),
    flips=0.05,
)
def across_a_gap(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Mozer's gap task: epochs until a net of ten units predicts both sequences, by three criteria."""
    settings = [recipe.settings(run) for run in ids.tolist()]
    return stored({"epochs": gap.epochs_to_success(recipe.seed, ids, settings)})


def solved(name: str, *, below: float | None = None) -> list[tuple[Settings, Count]]:
    """Of each cell of an experiment "adding/rivals_NAME" its setting, and how many trials have solved the task.

    That is to have met the printed criterion or to have at most WRONG tests wrong after the budget; with `below`, more
    leniently, to have a mean squared test error below it.
    """
    record = read(f"adding/rivals_{name}")
    stops, wrong, squared = (record.by_cell(key) for key in ("stops", "wrong", "squared"))
    done = (stops[..., 0] > 0) | (wrong <= WRONG) if below is None else squared < below
    return [
        (cell, Count(int(one.sum()), one.size)) for cell, one in zip(record.recipe.cells, done, strict=True)
    ]


def variance(length: int) -> float:
    """Variance of the target, the mean squared error of a net that knows nothing of the marked values: always 1/2.

    A value is uniform in (-1, 1), of variance 1/3, but 0 where it lies in the first pair: X1 one time in ten, X2, drawn
    among T/2 - 1 pairs, as often as X1 leaves it the first one and it is drawn.
    """
    counted = 0.9 + (1 - 0.9 / (length // 2 - 1))
    return counted / 3 / 16


def gradient_distance(nets: int, length: int = 20, hidden: int = 8, seed: int = 3) -> float:
    """The largest distance of real-time recurrent learning's gradient from BPTT's, relative to the gradient's length.

    Of so many random Elman nets, each on a sequence of the adding problem, in double precision.
    """
    ids, net = torch.arange(nets), elman.net(hidden)
    theta = small_nets.initial(seed, ids, net, 1.0)
    shown = lessons.draw(Task(length=length), seed, ids, 0, 1, Purpose.TASK, torch.float64)
    inputs, targets = lessons.from_begin(shown)[0], 2 * shown.targets[0] - 1
    far = torch.full_like(targets, torch.inf)
    _, (g, _, _) = small_net.slopes(net, theta, inputs, shown.lengths[0], targets, far)
    worst = 0.0
    for b, steps in enumerate(shown.lengths[0].tolist()):
        _, forward = elman.rtrl(theta[:, b], inputs[:steps, :, b], targets[b])
        worst = max(worst, float((forward - g[:, b]).norm() / g[:, b].norm()))
    return worst


def work(method: str, hidden: int, inputs: int = 2) -> int:
    """Multiplications of one step of time of an Elman net: BPTT ("bptt"), forward and backward, or RTRL ("rtrl").

    Raises ValueError for another method.
    """
    weights = hidden * (hidden + inputs + 1)
    counts = {"bptt": 3 * weights, "rtrl": weights + hidden * (hidden + 1) * weights}
    if method not in counts:
        raise ValueError(f"method is {method!r}: one of {', '.join(counts)} is needed")
    return counts[method]
