"""What is run: eight methods on three tasks, the settings that the sources leave open, and the experiments."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lltd.analysis import cost_surface
from lltd.experiments import experiment
from lltd.record import Recipe
from lltd.systems import trials_1994 as trials
from lltd.tasks import Sequences

LENGTHS = {
    "latch": (5, 10, 20, 50, 100),
    "two_sequence": (5, 10, 20, 50, 100),
    "parity": (3, 5, 10, 20, 50, 100),
}
LONGEST = 500  # of parity, in an experiment of its own
GRADIENTS = ("gradient", "pseudo_newton", "time_weighted")
LOCAL = (*GRADIENTS, "discrete", "multigrid")  # of the six of 1994, all but annealing
SIX = (*LOCAL, "annealing")
BASELINES = ("sign", "guessing")
NAMES = {
    "gradient": "gradient descent",
    "pseudo_newton": "pseudo-Newton",
    "time_weighted": "time-weighted",
    "discrete": "discrete errors",
    "multigrid": "multi-grid",
    "annealing": "annealing",
    "sign": "sign descent",
    "guessing": "guessing",
}
BUDGET = 10_000  # presentations of one sequence
LONG = 100_000
SHORT = 5_000  # where settings are compared

ANY = ("gradient", "sign", "pseudo_newton", "time_weighted", "discrete", "multigrid", "annealing")
CURVED = ("pseudo_newton", "time_weighted")
# Where the sources are silent: each reading changes one setting, of the methods that have it, at T = 20.
READINGS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "default": ((*ANY, "guessing"), {}),
    "rate × 0.1": (("gradient", "sign", *CURVED, "discrete"), {"rate": 0.1}),
    "rate × 10": (("gradient", "sign", *CURVED, "discrete"), {"rate": 10.0}),
    "momentum 0": (("gradient", *CURVED), {"momentum": 0.0}),
    "momentum 0.8": (("sign", "discrete"), {"momentum": 0.8}),
    "μ = 0.001": (CURVED, {"mu": 0.001}),
    "μ = 0.1": (CURVED, {"mu": 0.1}),
    "μ = 0.3": (CURVED, {"mu": 0.3}),
    "μ = 3": (CURVED, {"mu": 3.0}),
    "signed curvature": (CURVED, {"curvature": "signed"}),
    "margin 0.01": (("discrete",), {"margin": 0.01}),
    "margin 0.1": (("discrete",), {"margin": 0.1}),
    "factor 0.5": (("multigrid",), {"factor": 0.5}),
    "factor 0.99": (("multigrid",), {"factor": 0.99}),
    "box × 0.1": (("multigrid", "annealing"), {"box": 0.1}),
    "box × 10": (("multigrid", "annealing"), {"box": 10.0}),
    "cooling 0.5": (("annealing",), {"cooling": 0.5}),
    "cooling 0.95": (("annealing",), {"cooling": 0.95}),
    "T₀ = 0.3": (("annealing",), {"temperature": 0.3}),
    "T₀ = 30": (("annealing",), {"temperature": 30.0}),
    "N_T = 10": (("annealing",), {"adjustments": 10}),
    "N_T = 100": (("annealing",), {"adjustments": 100}),
    "range 2": (("guessing",), {"range": 2.0}),
    "range 10": (("guessing",), {"range": 10.0}),
    "start × 0.2": (ANY, {"spread": 0.1}),
    "start × 4": (ANY, {"spread": 2.0}),
    "10 sequences": ((*ANY, "guessing"), {"sequences": 10}),
    "100 sequences": ((*ANY, "guessing"), {"sequences": 100}),
    "first unit read": ((*ANY, "guessing"), {"read": 0}),
    "net A1": ((*ANY, "guessing"), {"net": "parity_a1"}),
}
FACTORS = ("rate", "box")  # READINGS gives them in units of the method's default


def _case(task: str, length: int, method: str, **changed: Any) -> dict[str, Any]:  # noqa: ANN401
    """The settings of a trial, all of them spelt out, so that the recipe holds them."""
    own = dict(trials.METHODS[method].settings)
    scaled = {key: value * own[key] if key in FACTORS else value for key, value in changed.items()}
    return {"task": task, "length": length, "method": method, **own, **scaled}


def _cases(methods: Iterable[str]) -> list[dict[str, Any]]:
    return [
        _case(task, T, method) for method in methods for task, lengths in LENGTHS.items() for T in lengths
    ]


SENSITIVITY = [
    (name, _case(task, 20, method, **changed))
    for name, (methods, changed) in READINGS.items()
    for method in methods
    for task in LENGTHS
    if task == {"read": "two_sequence", "net": "parity"}.get(next(iter(changed), ""), task)
]
STAGES = [0, *sorted({round(10 ** (k / 10)) for k in range(36)})]  # presentations, ten looks to a decade
WALKER = 5  # of eight, the one that the page draws: a start on the wrong side
OBSTACLES = ("gradient", "multigrid")


def _outcomes(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    found = trials.learn(recipe.seed, ids, [recipe.settings(run) for run in ids.tolist()])
    types = {"presentations": np.int32, "wrong": np.uint8}
    return {name: found[name].cpu().numpy().astype(types[name]) for name in types}


@experiment(
    "optimizers/methods",
    version=1,
    seed=1994,
    runs=8 * 16 * 10_000,
    shard=8 * 16 * 1250,
    parameters={
        "common": {**trials.COMMON, "budget": BUDGET},
        "cases": _cases((*SIX, *BASELINES)),
    },
    flips=0.02,
)
def methods(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """The six methods of 1994, sign descent and guessing, on three tasks over the length, at one budget."""
    return _outcomes(recipe, ids)


@experiment(
    "optimizers/long",
    version=1,
    seed=1995,
    runs=3 * 16 * 50,
    shard=3 * 16 * 25,
    parameters={
        "common": {**trials.COMMON, "budget": LONG},
        "cases": _cases(("annealing", "multigrid", "guessing")),
    },
    flips=0.02,
)
def long(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """The searches that only ask for the cost, at a budget ten times as large."""
    return _outcomes(recipe, ids)


@experiment(
    "optimizers/longest",
    version=1,
    seed=1998,
    runs=8 * 5000,
    shard=8 * 1250,
    parameters={
        "common": {**trials.COMMON, "budget": BUDGET},
        "cases": [_case("parity", LONGEST, method) for method in (*SIX, *BASELINES)],
    },
    flips=0.02,
)
def longest(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Parity over five hundred steps."""
    return _outcomes(recipe, ids)


@experiment(
    "optimizers/printed",
    version=1,
    seed=1999,
    runs=2 * 50,
    shard=2 * 25,
    parameters={
        "common": trials.COMMON,
        "cases": [
            _case("parity", 50, "discrete") | {"budget": 100_000},
            _case("parity", 50, "annealing") | {"budget": 1_000_000},
        ],
    },
    flips=0.02,
)
def printed(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Parity at T = 50, the two cells whose printed numbers can be placed, at budgets above those numbers."""
    return _outcomes(recipe, ids)


@experiment(
    "optimizers/settings",
    version=1,
    seed=1996,
    runs=len(SENSITIVITY) * 100,
    shard=len(SENSITIVITY) * 50,
    parameters={
        "common": {**trials.COMMON, "budget": SHORT},
        "cases": [case for _, case in SENSITIVITY],
    },
    flips=0.02,
)
def settings(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """T = 20 where the sources are silent: one setting changed at a time."""
    return _outcomes(recipe, ids)


@experiment(
    "optimizers/obstacles",
    version=1,
    seed=1997,
    runs=2 * 5 * 100,
    shard=2 * 5 * 50,
    parameters={
        "common": {**trials.COMMON, "budget": BUDGET, "steps": 500},
        "cases": [_case("latch", T, method) for method in OBSTACLES for T in LENGTHS["latch"]],
    },
    flips=0.02,
)
def obstacles(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """What gradient descent and multi-grid search have come to on the latch problem when their budget is used up."""
    found = np.full(len(ids), -1, dtype=np.int8)
    cells = np.array([run % len(recipe.cells) for run in ids.tolist()])
    for cell in np.unique(cells):
        rows, setting = np.flatnonzero(cells == cell), dict(recipe.cells[cell])
        steps = setting.pop("steps")
        runs = trials.start(recipe.seed, ids[rows], setting)
        while (~runs.learned & (runs.used + runs.price <= setting["budget"])).any():
            runs.advance()
        left = torch.nonzero(~runs.learned)[:, 0]
        if len(left):
            shown, fresh = (
                Sequences(
                    *(
                        part[..., left]
                        for part in trials.sequences(recipe.seed, ids[rows], setting, first, count)
                    )
                )
                for first, count in ((0, setting["sequences"]), (setting["sequences"], setting["tests"]))
            )
            # Momentum m carries each change on by 1 / (1 - m).
            reach = setting["budget"] * setting.get("rate", 1.0) / (1 - setting.get("momentum", 0.0))
            stopped = cost_surface.obstacle(runs.theta[:, left], shown, fresh, reach, steps)
            found[rows[left.numpy()]] = stopped.numpy()
    return {"obstacle": found}


@experiment(
    "optimizers/walks",
    version=1,
    seed=12,
    runs=4 * 3 * 8,
    shard=4 * 3 * 8,
    parameters={
        "common": {**trials.COMMON, "budget": STAGES[-1], "stages": STAGES},
        "cases": [
            _case("latch", T, method)
            | ({"box": 1.0} if method == "multigrid" else {})  # to stay in the picture
            for T in (5, 20, 100)
            for method in ("gradient", "time_weighted", "sign", "multigrid")
        ],
    },
    flips=0.05,
    drift=1e-6,
)
def walks(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Where the methods are on the latch problem, all from one start, after 0, 1, … 3162 presentations."""
    stages = recipe.cells[0]["stages"]
    found = np.zeros((len(ids), len(stages), 3), dtype=np.float32)
    cells = np.array([run % len(recipe.cells) for run in ids.tolist()])
    for cell in np.unique(cells):
        rows, setting = np.flatnonzero(cells == cell), dict(recipe.cells[cell])
        setting.pop("stages")
        # A walker has the number of its round, so that all methods start alike and see the same sequences.
        runs = trials.start(recipe.seed, ids[rows] // len(recipe.cells), setting)
        for k, stage in enumerate(stages):
            while (~runs.learned & (runs.used + runs.price <= stage)).any():
                runs.advance()
            found[rows, k] = runs.theta.T.numpy()
    return {"theta": found}
