"""Chapter optimizers: the methods of 1994 by way of slides and later tables, their experiments and their claims."""

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lltd.analysis import cost_surface, newton, unfolded
from lltd.analysis.cost_surface import DIMPLE, MINIMUM, PLATEAU
from lltd.claims import claim
from lltd.experiments import experiment, read
from lltd.kernels.small_net import slopes
from lltd.philox import Purpose, uniform
from lltd.record import Recipe, Record
from lltd.rules import (
    Count,
    Row,
    Value,
    adopted,
    at_least,
    at_most,
    beyond_reach,
    corrected,
    equation,
    equivalence,
    number,
    proved,
    quoted,
    trend,
)
from lltd.systems import annealing, pseudo_newton, small_nets
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

# What we take words for, fixed before the record was made, but after a pilot of 64 trials of 3000 presentations.
RARE = 0.1  # less than this share of runs does not make a trouble
USUALLY = 0.5  # more often than not
COMPARABLE = 1 / 3  # neither side wins more than two pairs of runs in three
ALIKE = 0.1  # shares of runs that differ by no more than this
SLOW = 10  # times as many presentations
EXAMPLES = 8  # of derivatives compared with autograd
FEW = 10  # runs, and no order is read off them

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
    runs=8 * 16 * 400,
    shard=8 * 16 * 200,
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
    runs=8 * 100,
    shard=8 * 50,
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


@claim("BFS93.48")
def annealing_is_slow() -> Iterable[Row]:
    """Annealing with its long budget, and against the gradient's runs that learnt at all."""
    searched, record = read("optimizers/long"), read("optimizers/methods")
    rows: tuple[Row, ...] = ()
    for task in LENGTHS:
        count = learnt(searched, task=task, length=20, method="annealing")
        rows += at_least(f"{task}, T = 20: annealing learns", USUALLY, count)
    for task in ("latch", "two_sequence"):
        label = f"{task}, T = 20, runs that learn: annealing's price less {SLOW} times gradient descent's"
        quick, slow = (
            _finite(waits(source, task=task, length=20, method=method))
            for source, method in ((record, "gradient"), (searched, "annealing"))
        )
        if min(len(quick), len(slow)) < FEW:
            rows += beyond_reach(label, f"fewer than {FEW} runs learn")
            continue
        rows += trend(label, SLOW * quick, slow)
        prices = [work(task, method, 20) for method in ("gradient", "annealing")]
        rows += trend(label, SLOW * prices[0] * quick, prices[1] * slow, "price in operations")
    return rows


@claim("HBFS01.48")
def without_gradients() -> Iterable[Row]:
    """Three of the four are run here."""
    return (
        *adopted(
            "annealing, multi-grid search and discrete errors ask for no gradient",
            "test_optimizers.py::test_three_methods_of_1994_ask_for_no_gradient",
        ),
        *quoted("so does the genetic method of Angeline and others", "[HBFS01] section 4"),
    )


@claim("SLIDES94.11")
def metropolis() -> Iterable[Row]:
    """The test of an uphill step, at its own edge; the box is held by a test."""
    rise = torch.linspace(0.01, 20, 2000, dtype=torch.float64)
    temperature = torch.tensor([[0.1], [0.3], [1.0], [10.0]], dtype=torch.float64)
    edge = torch.exp(-rise / temperature)
    inside = annealing.accepts(rise, temperature, edge * (1 - 1e-9))
    outside = annealing.accepts(rise, temperature, edge * (1 + 1e-9))
    wrong = float((~inside).sum() + outside.sum())
    return (
        *equation("uphill steps are taken with probability exp(-ΔC/T)", rise.numel() * 4, wrong, 0.0),
        *adopted(
            "the box keeps the rate of acceptance",
            "test_optimizers.py::test_the_box_of_annealing_keeps_about_half_of_the_moves_accepted",
        ),
    )


@claim("SLIDES94.12")
def plateaus_or_minima() -> Iterable[Row]:
    """Where gradient descent stands on the latch problem when it has not learnt, and what multi-grid search is."""
    label = "latch, T >= 50: gradient descent that has not learnt is stopped by the plateau"
    return (
        *at_least(label, USUALLY, stopped("gradient", (PLATEAU, DIMPLE), (50, 100))),
        *at_least(label, USUALLY, stopped("gradient", (PLATEAU,), (50, 100)), "dimples are local minima"),
        *corrected(
            "multi-grid search is gradient descent without the uphills",
            "both only go down; multi-grid search takes steps against the gradient's advice, out of a plateau or a pit",
            "test_optimizers.py::test_multigrid_never_goes_uphill_and_does_not_follow_the_gradient",
        ),
    )


@claim("SLIDES94.13")
def newtons_price() -> Iterable[Row]:
    """The Hessian costs N W²; its equations cost W³ beside; a negative curvature turns the step uphill."""
    return (
        *corrected(
            "Newton's update costs O(N W²)",
            "O(N W² + W³): the equations must be solved",
            "test_optimizers.py::test_no_multiple_of_examples_times_weights_squared_bounds_newtons_update",
        ),
        *proved(
            "Newton's step may lead to a maximum",
            "test_optimizers.py::test_newton_lands_on_the_stationary_point_and_goes_uphill_where_it_is_a_maximum",
        ),
    )


@claim("SLIDES94.14")
def the_diagonal() -> Iterable[Row]:
    """The step of the formula, the recursion behind it against autograd, and the count."""
    return (
        *equation(
            "∂²C/∂w_it² by the recursion and by autograd, one unit",
            EXAMPLES,
            _curvature_error(EXAMPLES),
            1e-9,
        ),
        *_step_rows("Δw_i with μ → 0", 1.0, 1e-12),
        *equation("multiplications of the diagonal over N W", 4, _diagonal_excess(), 0.0),
    )


@claim("SLIDES94.15")
def the_safeguard() -> Iterable[Row]:
    """The step with η and μ."""
    return _step_rows("Δw_i with η and μ", 0.01, 0.1)


@claim("SLIDES94.16")
def time_weighted() -> Iterable[Row]:
    """The sum over the copies as the learner has it, against the formula on derivatives by autograd."""
    worst, net, mu = 0.0, small_nets.LATCH, 0.1
    for theta, inputs, target in _examples(EXAMPLES):
        g, h = unfolded.derivatives(net, theta, inputs, target)
        formula = pseudo_newton.time_weighted_step(g[..., None], h[..., None], 1.0, mu)[:, 0]
        _, (_, _, ratio) = _slopes(theta, inputs, target, mu)
        worst = max(worst, float((formula + ratio[:, 0]).abs().max()))
    return equation("Δw_i = -Σ_t η g / (|h| + μ), signed curvature, one unit", EXAMPLES, worst, 1e-9)


@claim("SLIDES94.17")
def backpropagation() -> Iterable[Row]:
    """The formula of the comparison, and the line above it that repeats the method it is compared with."""
    worst = 0.0
    for theta, inputs, target in _examples(EXAMPLES):
        whole, _ = unfolded.shared(small_nets.LATCH, theta, inputs, target)
        worst = max(worst, float((_slopes(theta, inputs, target)[1][0][:, 0] - whole).abs().max()))
    return (
        *equation("∂C/∂w_i = Σ_t ∂C/∂w_it", EXAMPLES, worst, 1e-12),
        *corrected(
            "the first line of the comparison is back-propagation's",
            "it is the time-weighted formula again; back-propagation's is the line below",
            "test_optimizers.py::test_the_first_line_of_the_comparison_is_the_time_weighted_formula",
        ),
    )


@claim("SLIDES94.18")
def through_the_sign() -> Iterable[Row]:
    """Onto the threshold is not over it."""
    return corrected(
        "Δx = -x gives Δy = 2 or -2",
        "only upwards, and only where y can still rise; it takes a margin, and no change where y cannot",
        "test_optimizers.py::test_a_change_onto_the_threshold_turns_no_unit_down",
    )


@claim("SLIDES94.19")
def probabilities() -> Iterable[Row]:
    """Two probabilities must sum to one."""
    return corrected(
        "P(-2) = (MAX - MIN) / (MAX - MIN)",
        "P(-2) = (MAX - g) / (MAX - MIN)",
        "test_optimizers.py::test_the_printed_probabilities_do_not_sum_to_one",
    )


@claim("SLIDES94.20")
def expectation() -> Iterable[Row]:
    """True of one choice of the bounds."""
    return corrected(
        "E[S(g)] = g",
        "for every g if and only if MAX = -MIN = 2",
        "test_optimizers.py::test_the_discrete_signal_keeps_the_mean_only_between_minus_two_and_two",
    )


@claim("SLIDES94.21")
def three_tasks() -> Iterable[Row]:
    """One net for each."""
    return adopted(
        "latch, 2-sequence, parity", "test_optimizers.py::test_the_three_tasks_and_the_sizes_of_their_nets"
    )


@claim("SLIDES94.22")
def what_tells_the_classes() -> Iterable[Row]:
    """L = 1 and N = 3, as later sources have it."""
    return adopted(
        "latch: one input for each class, and learnt; 2-sequence: three given values, not constant",
        "test_optimizers.py::test_what_tells_the_classes_apart",
    )


@claim("SLIDES94.23")
def annealing_ends_best() -> Iterable[Row]:
    """Against the best of the five others, with its own long budget and at an equal one."""
    searched, record = read("optimizers/long"), read("optimizers/methods")
    rows: tuple[Row, ...] = ()
    for task in LENGTHS:
        others = {method: errors(record, task=task, method=method).ravel() for method in LOCAL}
        best = min(others.values(), key=np.mean)
        label = f"{task}, all T: wrong ends of the best other method less annealing's"
        rows += trend(label, errors(searched, task=task, method="annealing").ravel(), best)
        equal = errors(record, task=task, method="annealing").ravel()
        rows += trend(label, equal, best, "equal budgets")
    return rows


@claim("SLIDES94.24")
def sixty_times_slower() -> Iterable[Row]:
    """The mean of log10 over tasks and lengths, budgets counted as spent where a run has not learnt."""
    searched, record = read("optimizers/long"), read("optimizers/methods")
    value, label = (
        Value(1.8, TRIALS_1994, "mean", 0.05),
        "log10 of annealing's presentations over the others'",
    )
    slow = spent(searched, method="annealing")
    others = [spent(record, method=method) for method in LOCAL]
    rows = number(label, value, slower(slow, others))
    rows += number(label, value, slower(spent(record, method="annealing"), others), "equal budgets")
    stopped_at = [spent(record, 3000, method=method) for method in LOCAL]
    rows += number(label, value, slower(slow, stopped_at), "others stopped at 3000")
    varied = read("optimizers/settings")
    used = np.where(varied["presentations"] < 0, SHORT, varied["presentations"]).astype(float)
    cell = Record(varied.recipe, {"used": used}).by_cell("used")
    default = [
        np.concatenate([cell[reading("default", method, task)] for task in LENGTHS]) for method in LOCAL
    ]
    for name in ("cooling 0.5", "N_T = 10"):
        other = np.concatenate([cell[reading(name, "annealing", task)] for task in LENGTHS])
        rows += number(label, value, slower(other, default), f"T = 20, budget {SHORT}, {name}")
    return rows


@claim("SLIDES94.25")
def multigrid_compares() -> Iterable[Row]:
    """Speed and failures of multi-grid search beside the three gradient methods, task by task."""
    record = read("optimizers/methods")
    rows: tuple[Row, ...] = ()
    for task in LENGTHS:
        sides = [waits(record, task=task, method=method).ravel() for method in (GRADIENTS, "multigrid")]
        rows += equivalence(
            f"{task}, all T: presentations, multi-grid and gradient methods", *sides, COMPARABLE
        )
        shares = [learnt(record, task=task, method=method) for method in (GRADIENTS, "multigrid")]
        rows += equivalence(f"{task}, all T: share learnt, multi-grid and gradient methods", *shares, ALIKE)
    minima = [stopped(method, (MINIMUM,), LENGTHS["latch"], every=True) for method in OBSTACLES]
    return (*rows, *equivalence("latch: stopped at a local minimum", *minima, ALIKE))


@claim("SLIDES94.26")
def backpropagation_suffers() -> Iterable[Row]:
    """Gradient descent fails more as sequences lengthen; on the latch problem we can say where it stands."""
    record = read("optimizers/methods")
    rows = _falls(record, "gradient")
    plateau = stopped("gradient", (PLATEAU, DIMPLE), (50, 100))
    rows += at_least("latch, T >= 50: of runs not learnt, stopped by the plateau", USUALLY, plateau)
    label = "latch: of runs not learnt, stopped at a local minimum"
    rows += at_least(label, RARE, stopped("gradient", (MINIMUM,), LENGTHS["latch"]))
    both = stopped("gradient", (MINIMUM, DIMPLE), LENGTHS["latch"])
    return (*rows, *at_least(label, RARE, both, "dimples are local minima"))


@claim("SLIDES94.27")
def less_bad() -> Iterable[Row]:
    """More runs learn than by gradient descent, and fewer as sequences lengthen."""
    record = read("optimizers/methods")
    rows: tuple[Row, ...] = ()
    for task in LENGTHS:
        plain, weighted = (
            learnt(record, task=task, method=method) for method in ("gradient", "time_weighted")
        )
        rows += trend(f"{task}: share learnt, time-weighted less gradient", plain, weighted)
        varied = read("optimizers/settings")
        for name in ("rate × 10", "μ = 0.1"):
            pair = [
                _count(varied, reading(*cell, task))
                for cell in (("default", "gradient"), (name, "time_weighted"))
            ]
            rows += trend(f"{task}: share learnt, time-weighted less gradient", *pair, f"T = 20, {name}")
    return (*rows, *_falls(record, "time_weighted"))


@claim("SLIDES94.28")
def discrete_is_fastest() -> Iterable[Row]:
    """One run of each of the six drawn: how often discrete errors learn first, if any does; and their errors."""
    record = read("optimizers/methods")
    rows: tuple[Row, ...] = ()
    for task in LENGTHS:
        mine = waits(record, task=task, method="discrete")
        others = [waits(record, task=task, method=method) for method in SIX if method != "discrete"]
        first = np.minimum.reduce(others)
        decided = np.isfinite(np.minimum(mine, first))
        count = Count(int((mine < first).sum()), int(decided.sum()))
        rows += at_least(f"{task}, all T: discrete errors learn first of six", USUALLY, count)
        wrong = [
            errors(record, task=task, method=tuple(m for m in LOCAL if m != "discrete")).ravel(),
            errors(record, task=task, method="discrete").ravel(),
        ]
        rows += equivalence(
            f"{task}, all T: wrong ends, discrete and other local methods", *wrong, COMPARABLE
        )
    return rows


@claim("SLIDES94.29")
def good_at_parity() -> Iterable[Row]:
    """On parity up to T = 50, against the best of the four other local methods."""
    record = read("optimizers/methods")
    within = {"task": "parity", "length": (3, 5, 10, 20, 50)}
    others = [learnt(record, method=method, **within) for method in LOCAL if method != "discrete"]
    best = max(others, key=lambda count: count.successes)
    return trend(
        "parity, T <= 50: share learnt, discrete less the best other",
        best,
        learnt(record, method="discrete", **within),
    )


@claim("SLIDES94.30")
def newton_on_a_quadratic() -> Iterable[Row]:
    """From anywhere to the minimum in one step."""
    ids = torch.arange(1000)
    drawn = [2 * uniform(1, ids, k, Purpose.TASK) - 1 for k in range(6)]
    root = torch.stack([part[:4] for part in drawn[:4]]).permute(2, 0, 1)
    h = root @ root.mT + torch.eye(4)
    least, start = drawn[4].T, 10 * drawn[5].T
    end = start + newton.step((h @ (start - least)[..., None])[..., 0], h)
    return equation(
        "w_o = w - H⁻¹ dE/dw, positive definite H, W = 4", 1000, float((end - least).abs().max()), 1e-12
    )


@claim("HS96.10")
def multigrid_on_two_sequence() -> Iterable[Row]:
    """The printed presentations and error beside ours at T = 100, box factor 0.9."""
    cells = {"task": "two_sequence", "length": 100, "method": "multigrid"}
    return _printed("2-sequence, T = 100, multi-grid", cells, (6400, 50), (0.06, 0.005), "optimizers/methods")


@claim("HS96.17")
def annealing_on_parity() -> Iterable[Row]:
    """The printed presentations and error beside ours at T = 50."""
    cells = {"task": "parity", "length": 50, "method": "annealing"}
    return _printed("parity, T = 50, annealing", cells, (810_000, 5000), (0.0, 0.0005), "optimizers/printed")


@claim("HS96.18")
def discrete_on_parity() -> Iterable[Row]:
    """The printed presentations and error beside ours at T = 50; the budget cuts off below what is printed."""
    cells = {"task": "parity", "length": 50, "method": "discrete"}
    return _printed("parity, T = 50, discrete", cells, (54_000, 500), (0.05, 0.005), "optimizers/printed")


def stopped(method: str, kinds: tuple[int, ...], lengths: tuple[int, ...], *, every: bool = False) -> Count:
    """Runs that obstacles of these kinds have stopped, out of those not learnt, or with `every` out of all."""
    record = read("optimizers/obstacles")
    found = record.by_cell("obstacle")[record.where(method=method, length=lengths)]
    return Count(int(np.isin(found, kinds).sum()), found.size if every else int((found >= 0).sum()))


def _printed(
    label: str, cells: dict[str, Any], used: tuple[float, float], wrong: tuple[float, float], name: str
) -> tuple[Row, ...]:
    record = read(name)
    value, error = (
        Value(used[0], TRIALS_1994, "mean", used[1]),
        Value(wrong[0], TRIALS_1994, "mean", wrong[1]),
    )
    return (
        *number(f"{label}: presentations until learnt or stopped", value, spent(record, **cells).ravel()),
        *number(f"{label}: wrong ends", error, errors(record, **cells).ravel()),
    )


def _falls(record: Record, method: str) -> tuple[Row, ...]:
    """Fewer runs learn long sequences than short ones; a rule for the task that is not learnt even when short."""
    rows: tuple[Row, ...] = ()
    for task, lengths in LENGTHS.items():
        short, long_ = (learnt(record, task=task, method=method, length=T) for T in (lengths[0], lengths[-1]))
        if short.successes < RARE * short.trials:
            label = f"{task}: share learnt at any T, {method} (rule chosen after seeing the result)"
            rows += at_most(label, RARE, learnt(record, task=task, method=method))
        else:
            label = f"{task}: share learnt, T = {lengths[0]} less T = {lengths[-1]}, {method}"
            rows += trend(label, long_, short)
    return rows


def _count(record: Record, cells: np.ndarray) -> Count:
    used = record.by_cell("presentations")[cells]
    return Count(int((used > 0).sum()), used.size)


def _finite(runs: np.ndarray) -> np.ndarray:
    return runs[np.isfinite(runs)]


def _examples(count: int) -> Iterable[tuple[Tensor, Tensor, float]]:
    """Weights (3), a sequence (T, 3) and a target of the latch problem, drawn at random."""
    for run in range(count):
        u = uniform(7, run, torch.arange(10), Purpose.TASK)
        pulse = torch.zeros(8, 2, dtype=torch.float64)
        pulse[0, run % 2] = 1
        noise = torch.cat((torch.zeros(1), 0.4 * u[0, :7] - 0.2))
        yield 4 * u[1, :3] - 2, torch.cat((noise[:, None], pulse), dim=1), 0.8 * (2 * (run % 2) - 1)


def _slopes(theta: Tensor, inputs: Tensor, target: float, mu: float = 1.0) -> tuple[Tensor, Tensor]:
    one = torch.ones(1, dtype=theta.dtype)
    length = torch.tensor([len(inputs)])
    return slopes(
        small_nets.LATCH,
        theta[:, None],
        inputs[..., None],
        length,
        target * one,
        mu * one,
        curvature="signed",
    )


def _curvature_error(count: int) -> float:
    worst = 0.0
    for theta, inputs, target in _examples(count):
        _, h = unfolded.derivatives(small_nets.LATCH, theta, inputs, target)
        worst = max(worst, float((_slopes(theta, inputs, target)[1][1][:, 0] - h.sum(0)).abs().max()))
    return worst


def _step_rows(label: str, rate: float, mu: float) -> tuple[Row, ...]:
    g, h = (4 * uniform(3, torch.arange(1000), k, Purpose.TASK)[0] - 2 for k in range(2))
    # In exact arithmetic, so that no rounding is shared.
    worst = max(
        abs(Fraction(step) + Fraction(rate) * Fraction(a) / (abs(Fraction(b)) + Fraction(mu)))
        / max(1, abs(Fraction(step)))
        for step, a, b in zip(
            pseudo_newton.step(g, h, rate, mu).tolist(), g.tolist(), h.tolist(), strict=True
        )
    )
    return equation(label, 1000, float(worst), 1e-12)


def _diagonal_excess() -> float:
    """How far the count of the diagonal is from 2 N W multiplications."""
    return max(
        abs(newton.multiplications("diagonal", n, w) / (n * w) - 2)
        for n, w in ((10, 5), (10, 20), (40, 5), (40, 20))
    )
