"""What is run: the adding problem under every reading of the text, at each length, and with one setting changed."""

from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from lltd.experiments import experiment
from lltd.record import Recipe
from lltd.systems import lstm96 as trials
from lltd.systems.batches import Settings, by_cell, stored
from lltd.systems.lstm96 import LEARNT, STOPS
from lltd.systems.stopping import Criterion

# What a trial is watched for: it goes on until the last of these is met, and its net is tested at each.
NEARLY = Criterion(wrong=20)  # 99 of 100 right: on the way from having learnt to a run of 2000
CRITERIA: dict[str, Criterion] = {
    "learnt": LEARNT,
    "99 of 100": NEARLY,
    **{name: STOPS[name] for name in ("squared, latest 2000", "absolute, latest 2000", "squared, all")},
}
OF_LENGTHS = tuple(CRITERIA)[:-1]  # an average over all errors is tried at T = 100
OF_SETTINGS = tuple(CRITERIA)[:3]

# Readings of what section 3 of [HS96] leaves open. Its letter: an output unit that is "sigmoid in [0,1]", whose squared
# error has its slope as a factor; hidden units that see gates and cells; a bias for all; a marker 1 in a first pair.
OUTPUTS: dict[str, Settings] = {
    "logistic": {},
    "logistic, no slope": {"slope": False},
    "linear": {"output": "linear"},
}
NETS: dict[str, Settings] = {
    "sees gates and cells": {},
    "sees cells": {"sees": "cells"},
    "sees gates and cells, cells without bias": {"cell_bias": False},
    "sees cells, cells without bias": {"sees": "cells", "cell_bias": False},
    "first pair stays unmarked": {"first_pair": "unmarked"},
}
READINGS: dict[tuple[str, str], Settings] = {
    (output, net): {**answers, **wired} for output, answers in OUTPUTS.items() for net, wired in NETS.items()
}
LITERAL = ("logistic", "sees gates and cells")
# Readings that are taken to other lengths too: those that the printed mean at T = 100 allows, found with the 256 trials
# of each on record; NEAREST, known from pilots of 16 trials with another seed, was there before.
NEAREST = ("linear", "sees cells")
OTHERS = (
    ("logistic, no slope", "sees cells"),
    ("logistic, no slope", "sees gates and cells, cells without bias"),
    ("logistic, no slope", "sees cells, cells without bias"),
)

# Sequences after which a trial is cut.
BUDGETS = {20: 2_000_000, 50: 2_000_000, 100: 2_000_000, 200: 2_000_000, 500: 2_500_000, 1000: 5_000_000}

# T = 100, NEAREST: what is changed. The input gates' biases go down by 3 from block to block, as the two printed do.
CHANGES: dict[str, Settings] = {
    "as it is": {},
    "as it is, again": {},
    "1 block of 1": {"blocks": 1, "cells": 1, "input_gate_bias": (-3.0,)},
    "1 block of 2": {"blocks": 1, "cells": 2, "input_gate_bias": (-3.0,)},
    "2 blocks of 1": {"blocks": 2, "cells": 1},
    "3 blocks of 1": {"blocks": 3, "cells": 1, "input_gate_bias": (-3.0, -6.0, -9.0)},
    "4 blocks of 1": {"blocks": 4, "cells": 1, "input_gate_bias": (-3.0, -6.0, -9.0, -12.0)},
    "bias drawn": {"input_gate_bias": None},
    "bias 0, 0": {"input_gate_bias": (0.0, 0.0)},
    "bias -1, -2": {"input_gate_bias": (-1.0, -2.0)},
    "bias -3, -3": {"input_gate_bias": (-3.0, -3.0)},
    "bias -6, -6": {"input_gate_bias": (-6.0, -6.0)},
    "bias -9, -12": {"input_gate_bias": (-9.0, -12.0)},
    "rate 0.05": {"rate": 0.05},
    "rate 0.1": {"rate": 0.1},
    "rate 0.2": {"rate": 0.2},
    "rate 1": {"rate": 1.0},
    "weights within 0.01": {"span": 0.01},
    "weights within 0.3": {"span": 0.3},
}
SHORTENED = 1_000_000  # their budget


def _train(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """The trials of some runs."""
    return stored(by_cell(recipe.cells, ids, partial(trials.trials, recipe.seed)))


# Which reading, and which length, each cell of an experiment is.
CELLS: dict[str, list[tuple[tuple[str, str], int]]] = {
    **{
        f"adding/{name}": [
            (reading, 100) for reading in READINGS if reading[0] == output and reading != LITERAL
        ]
        for name, output in zip(("logistic", "no_slope", "linear"), OUTPUTS, strict=True)
    },
    "adding/literal": [(LITERAL, 100)],
    "adding/nearest_lengths": [(NEAREST, T) for T in (20, 50, 200)],
    "adding/literal_lengths": [(LITERAL, T) for T in (20, 50, 200)],
    "adding/nearest_500": [(NEAREST, 500)],
    "adding/literal_500": [(LITERAL, 500)],
    "adding/others_500": [(reading, 500) for reading in OTHERS],
    "adding/nearest_1000": [(NEAREST, 1000)],
    "adding/literal_1000": [(LITERAL, 1000)],
    "adding/others_1000": [(reading, 1000) for reading in OTHERS],
}


def _declared(
    cases: list[Settings],
    *,
    count: int,
    together: int,
    criteria: Iterable[str] = OF_LENGTHS,
) -> dict[str, Any]:
    """How an experiment of `count` trials of each case is declared; a shard has `together` of each.

    Trials of one case are trained side by side, 16 at the cost of one.
    """
    return {
        "version": 1,
        "runs": count * len(cases),
        "shard": together * len(cases),
        "parameters": {
            "common": {**trials.COMMON, "criteria": [asdict(CRITERIA[name]) for name in criteria]},
            "cases": cases,
        },
        "dtype": "float32",
    }


def _cases(name: str) -> list[Settings]:
    return [{**READINGS[reading], "length": T, "budget": BUDGETS[T]} for reading, T in CELLS[name]]


@experiment(
    "adding/linear",
    seed=1001,
    **_declared(_cases("adding/linear"), count=256, together=64, criteria=CRITERIA),
)
def linear(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """T = 100, linear output: what hidden units see, and which have a bias."""
    return _train(recipe, ids)


@experiment(
    "adding/no_slope",
    seed=1002,
    **_declared(_cases("adding/no_slope"), count=256, together=64, criteria=CRITERIA),
)
def no_slope(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """T = 100, logistic output whose error lacks the slope: what hidden units see, and which have a bias."""
    return _train(recipe, ids)


@experiment(
    "adding/literal",
    seed=1003,
    **_declared(_cases("adding/literal"), count=256, together=64, criteria=CRITERIA),
)
def literal(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """T = 100, to the letter."""
    return _train(recipe, ids)


@experiment(
    "adding/logistic",
    seed=1004,
    **_declared(_cases("adding/logistic"), count=256, together=32, criteria=CRITERIA),
)
def logistic(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """T = 100, logistic output as printed: what hidden units see, and which have a bias."""
    return _train(recipe, ids)


@experiment(
    "adding/nearest_lengths", seed=1005, **_declared(_cases("adding/nearest_lengths"), count=256, together=64)
)
def nearest_lengths(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """T = 20, 50 and 200, linear output, hidden units that see cells alone."""
    return _train(recipe, ids)


@experiment(
    "adding/literal_lengths", seed=1006, **_declared(_cases("adding/literal_lengths"), count=512, together=32)
)
def literal_lengths(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """T = 20, 50 and 200, to the letter."""
    return _train(recipe, ids)


@experiment(
    "adding/nearest_500", seed=1007, **_declared(_cases("adding/nearest_500"), count=128, together=64)
)
def nearest_500(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """T = 500, linear output, hidden units that see cells alone."""
    return _train(recipe, ids)


@experiment(
    "adding/literal_500", seed=1008, **_declared(_cases("adding/literal_500"), count=128, together=16)
)
def literal_500(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """T = 500, to the letter."""
    return _train(recipe, ids)


@experiment("adding/others_500", seed=1009, **_declared(_cases("adding/others_500"), count=128, together=16))
def others_500(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """T = 500, three readings more."""
    return _train(recipe, ids)


@experiment(
    "adding/nearest_1000", seed=1010, **_declared(_cases("adding/nearest_1000"), count=32, together=16)
)
def nearest_1000(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """T = 1000, linear output, hidden units that see cells alone."""
    return _train(recipe, ids)


@experiment(
    "adding/literal_1000", seed=1011, **_declared(_cases("adding/literal_1000"), count=64, together=16)
)
def literal_1000(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """T = 1000, to the letter."""
    return _train(recipe, ids)


@experiment("adding/others_1000", seed=1012, **_declared(_cases("adding/others_1000"), count=32, together=16))
def others_1000(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """T = 1000, three readings more."""
    return _train(recipe, ids)


@experiment(
    "adding/settings",
    seed=1013,
    **_declared(
        [{**READINGS[NEAREST], **change, "length": 100, "budget": SHORTENED} for change in CHANGES.values()],
        count=128,
        together=32,
        criteria=OF_SETTINGS,
    ),
)
def settings(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """T = 100, linear output, hidden units that see cells alone: one setting changed at a time."""
    return _train(recipe, ids)
