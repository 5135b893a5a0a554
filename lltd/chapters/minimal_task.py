"""Chapter minimal_task: [BFS93] section II, its experiments and what they say of its claims."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lltd.analysis.latch import critical_input, fixed_point
from lltd.claims import claim
from lltd.experiments import experiment, read
from lltd.kernels.latch import reference
from lltd.philox import Purpose, normal
from lltd.record import Recipe, Record
from lltd.resampling import statistic_interval
from lltd.rules import Count, Row, adopted, at_least, at_most, corrected, equation, proved, trend
from lltd.systems import tanh_latch
from lltd.tasks import latch as latch_task

# The default reading. Section II prints T, L, s and w_0; the rest it leaves open, and these were fixed beforehand.
READING: dict[str, Any] = {
    "weight": 1.25,
    "noise": 0.2,  # a standard deviation, though the paper says variance
    "length": 20,
    "lead": 3,
    "rate": 0.01,
    "rule": "gradient",
    "start": "random",
    "learn_weight": True,
    "fresh": True,  # new noise in each epoch
    "limit": None,  # on |w|
    "target": 0.8,
    "draws": 50,
    "checkpoints": [1000],
}
CHANCE = 0.25  # two inputs of random sign are both right so often
RARE = 0.1  # our reading of "extremely difficult" and "hardly ever"
FREEDOM = (("w fixed", False), ("w free", True))
SHARE = 0.9  # a run has converged when this share of fresh ends lies on the right side
WEIGHTS = [0.5 + 0.125 * i for i in range(25)]
NOISES = [0.04 * i for i in range(25)]
# Cells of Fig. 2a through which the contour of one half runs where the share is nearly level.
CONTOUR = [
    {"weight": w, "noise": s}
    for w in WEIGHTS
    for s in NOISES
    if (1.125 <= w <= 3.125 and NOISES[6] <= s <= NOISES[13]) or (2.875 <= w <= 3.125 and s < NOISES[6])
]
LENGTHS = list(range(5, 101, 5))
WRONG = {"learn_weight": False, "start": "wrong"}
BUDGET = sorted({round(10 ** (k / 32)) for k in range(177)})  # 1 … 316,228 epochs, up to 32 to a decade

# Where the paper is silent: each reading changes one setting of the default.
READINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "rate 0.003": {"rate": 0.003},
    "rate 0.03": {"rate": 0.03},
    "rate 0.1": {"rate": 0.1},
    "rate 1": {"rate": 1.0},
    "fixed noise": {"fresh": False},
    "wrong-side start": {"start": "wrong"},
    "|w| <= 2": {"limit": 2.0},
    "L = 4": {"lead": 4},
    "target 0.9": {"target": 0.9},
    "target 0.99": {"target": 0.99},
    "s a variance": {"variance": True},
}
# Where each reading is examined: Fig. 2a on a coarse grid, Fig. 2b with w fixed and with w free.
POINTS: list[dict[str, Any]] = [
    *({"weight": w, "noise": s} for w in (0.75, 1.25, 2.0) for s in (0.08, 0.2, 0.4, 0.8)),
    *({"length": T, "learn_weight": w} for w in (False, True) for T in (5, 10, 20, 40, 70, 100)),
]


def _under(reading: dict[str, Any], point: dict[str, Any]) -> dict[str, Any]:
    """The settings of a point of Fig. 2 under a reading; "variance" says how the paper's s is meant."""
    case = {**point, **reading}
    if case.pop("variance", False):
        case["noise"] = round(case.get("noise", READING["noise"]) ** 0.5, 4)
    return case


# How long until the wrong side is left: for each weight and rule, lengths within the budget and just beyond.
WAITS: list[dict[str, Any]] = [
    {"weight": w, "noise": round(critical_input(w) / 4, 4), "rule": rule, "length": T}
    for w, gradient, adam in (
        (1.25, range(4, 41, 3), (5, 10, 20, 30, 40, 60)),
        (1.5, range(4, 23, 2), (5, 10, 15, 20, 25, 30)),
        (2.0, range(4, 13), (5, 8, 11, 14, 17, 20)),
    )
    for rule, lengths in (("gradient", gradient), ("adam", adam), ("sign", (5, 10, 20, 40, 60, 80, 100)))
    for T in lengths
]


def converged(right: np.ndarray, draws: int = READING["draws"]) -> np.ndarray:
    """Whether runs with so many right ends of 2 * draws have converged, by the default criterion."""
    return right >= SHARE * 2 * draws


def _outcomes(recipe: Recipe, ids: Tensor, keep: tuple[str, ...]) -> dict[str, np.ndarray]:
    settings = [recipe.settings(run) for run in ids.tolist()]
    learnt = tanh_latch.learn(recipe.seed, ids, settings)
    types = {"right": np.uint8, "weight": np.float32}
    return {name: learnt[name].cpu().numpy().astype(types[name]) for name in keep}


@experiment(
    "minimal_task/density",
    version=1,
    seed=1993,
    runs=25 * 25 * 10_000,
    shard=25 * 25 * 100,
    parameters={"common": READING, "vary": {"weight": WEIGHTS, "noise": NOISES}},
    flips=0.01,
)
def density(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Fig. 2a: how often gradient descent converges, over initial weight and noise."""
    return _outcomes(recipe, ids, ("right",))


@experiment(
    "minimal_task/contour",
    version=1,
    seed=2003,
    runs=len(CONTOUR) * 80_000,
    shard=len(CONTOUR) * 2000,
    parameters={"common": READING, "cases": CONTOUR},
    flips=0.01,
)
def contour(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """More runs of the cells of Fig. 2a in which its contour would be broader than a line."""
    return {"converged": converged(_outcomes(recipe, ids, ("right",))["right"][:, 0])}


@experiment(
    "minimal_task/length",
    version=1,
    seed=1994,
    runs=5 * 20 * 40_000,
    shard=5 * 20 * 400,
    parameters={
        "common": READING,
        "cases": [
            {"learn_weight": False},
            {"learn_weight": True},
            {"learn_weight": False, "start": "oracle", "checkpoints": [0]},
            {"learn_weight": False, "start": "oracle", "checkpoints": [0], "weight": 2.0},
            {"learn_weight": False, "start": "wrong"},
        ],
        "vary": {"length": LENGTHS},
    },
    flips=0.01,
    drift=1e-4,
)
def length(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Fig. 2b: how often gradient descent converges, over the length of the sequences, beside the oracles."""
    return _outcomes(recipe, ids, ("right", "weight"))


@experiment(
    "minimal_task/controls",
    version=1,
    seed=1995,
    runs=12 * 20 * 1000,
    shard=12 * 20 * 50,
    parameters={
        "common": {
            **READING,
            "weight": 2.0,
            "learn_weight": False,
            "checkpoints": [4, 8, 12, 16, 24, 32, 1000],
        },
        "cases": [
            {**case, "target": target}
            for target in (0.99, 0.8)  # beyond the attractor x* = 0.958 of w = 2, and short of it
            for case in (
                {},
                WRONG,
                {**WRONG, "rate": 0.1},
                {**WRONG, "rule": "sign"},
                {**WRONG, "rule": "adam"},
                {"start": "oracle", "checkpoints": [0] * 7},
            )
        ],
        "vary": {"length": LENGTHS},
    },
    flips=0.01,
)
def controls(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """The clean control, w = 2: noise that cannot undo a latch, both starts, three rules of learning."""
    return _outcomes(recipe, ids, ("right",))


@experiment(
    "minimal_task/epochs",
    version=1,
    seed=1997,
    runs=len(WAITS) * 4000,
    shard=len(WAITS) * 25,
    parameters={
        "common": {**READING, **WRONG, "target": 0.99, "checkpoints": BUDGET},
        "cases": WAITS,
    },
    flips=0.02,
)
def epochs(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Epochs until both wrong-side inputs are put right, over the length, for three rules and three weights."""
    settings = [recipe.settings(run) for run in ids.tolist()]
    first = tanh_latch.epochs_to_success(recipe.seed, ids, settings, SHARE)
    return {"epochs": first.cpu().numpy().astype(np.int32)}


@experiment(
    "minimal_task/survival",
    version=1,
    seed=1996,
    runs=2 * 6 * 1000,
    shard=2 * 6 * 50,
    parameters={
        "common": {**READING, "checkpoints": [round(10 ** (k / 4)) for k in range(19)]},
        "cases": [{"learn_weight": False}, {"learn_weight": True}],
        "vary": {"length": [5, 10, 20, 40, 70, 100]},
    },
    flips=0.02,
)
def survival(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Convergence against the number of epochs, up to 30 times the default reading's."""
    return _outcomes(recipe, ids, ("right",))


@experiment(
    "minimal_task/readings",
    version=1,
    seed=1998,
    runs=len(POINTS) * len(READINGS) * 256,
    shard=len(POINTS) * len(READINGS) * 4,
    parameters={
        "common": {**READING, "checkpoints": [100, 300, 1000, 3000, 10000]},
        "cases": [_under(reading, point) for reading in READINGS.values() for point in POINTS],
    },
    flips=0.02,
)
def readings(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Both claims of Fig. 2 where the paper is silent: one setting changed at a time."""
    return _outcomes(recipe, ids, ("right",))


def counts(record: Record, checkpoint: int = -1, trials: int | None = None) -> tuple[np.ndarray, int]:
    """How many runs of each cell have converged at a checkpoint, (cells,), and of how many (the first, or all)."""
    right = record.by_cell("right")[:, :trials, checkpoint]
    return converged(right).sum(axis=1), right.shape[1]


def density_counts(trials: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """How many runs of each cell of Fig. 2a have converged, and of how many: (w_0, s) each.

    trials: the first of the density's runs; by default all of them, and those of the contour.
    """
    record = read("minimal_task/density")
    hits, every = counts(record, trials=trials)
    runs = np.full_like(hits, every)
    if trials is None:
        more = read("minimal_task/contour")
        again = [record.recipe.cells.index(cell) for cell in more.recipe.cells]
        also = more.by_cell("converged")
        hits[again] += also.sum(axis=1)
        runs[again] += also.shape[1]
    shape = len(WEIGHTS), len(NOISES)
    return hits.reshape(shape), runs.reshape(shape)


def total(record: Record, cells: np.ndarray, checkpoint: int = -1) -> Count:
    """The converged runs of these cells, and all their runs."""
    hits, trials = counts(record, checkpoint)
    return Count(int(hits[cells].sum()), trials * int(cells.sum()))


def median_waits(weight: float, rule: str) -> tuple[np.ndarray, np.ndarray]:
    """Lengths T, and the median epochs to success at each from the record; infinite where most runs were cut."""
    lengths, waits = _waits(weight, rule)
    return lengths, np.median(waits, axis=1)


def median_intervals(weight: float, rule: str) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the 95 % intervals of these medians, where both are finite."""
    ends = np.array([statistic_interval(runs, "median") for runs in _waits(weight, rule)[1]])
    low, high = ends[np.isfinite(ends).all(1)].T
    return low, high


def _waits(weight: float, rule: str) -> tuple[np.ndarray, np.ndarray]:
    """Lengths T, and at each the epochs to success of its runs, (lengths, runs); infinite where a run was cut."""
    record = read("minimal_task/epochs")
    cells = record.where(weight=weight, rule=rule)
    epochs = record.by_cell("epochs")[cells]
    lengths = [cell["length"] for cell, chosen in zip(record.recipe.cells, cells, strict=True) if chosen]
    return np.array(lengths), np.where(epochs < 0, np.inf, epochs)


def keeps(record: Record, reading: str, checkpoint: int) -> dict[str, bool]:
    """Which claims of Fig. 2 a reading keeps, decided at 95 %, by the rule that stands in this code.

    "noise": at w_0 = 1.25 and 2, fewer runs converge at s = 0.8 than at 0.08. "weight": at s = 0.2, fewer
    converge from w_0 = 0.75 than from 2. "length, w fixed" and "length, w free": fewer at T = 100 than at 5,
    and at T = 100 hardly any (at most RARE).
    """
    first = list(READINGS).index(reading) * len(POINTS)
    hits, trials = counts(record, checkpoint)
    count = {repr(point): Count(int(hits[first + i]), trials) for i, point in enumerate(POINTS)}

    def at(**point: Any) -> Count:  # noqa: ANN401
        return count[repr(point)]

    def falls(high: Count, low: Count) -> bool:
        return trend("", low, high)[0].verdict == "reproduced"

    lengths = {
        name: (at(length=5, learn_weight=free), at(length=100, learn_weight=free)) for name, free in FREEDOM
    }
    return {
        "noise": all(falls(at(weight=w, noise=0.08), at(weight=w, noise=0.8)) for w in (1.25, 2.0)),
        "weight": falls(at(weight=2.0, noise=0.2), at(weight=0.75, noise=0.2)),
        **{
            f"length, {name}": falls(short, long) and at_most("", RARE, long)[0].verdict == "reproduced"
            for name, (short, long) in lengths.items()
        },
    }


@claim("BFS93.5")
def three_requirements() -> Iterable[Row]:
    """Stored, resisted, learnt: the three lights of the introduction."""
    return adopted("three lights for four units", "test_introduction.py::test_four_units_and_their_lights")


@claim("BFS93.6")
def decay_is_necessary() -> Iterable[Row]:
    """True of the neuron; false in general."""
    test = "test_minimal_task.py::test_a_bit_is_kept_while_its_derivative_explodes"
    instead = "the bit itself, a locally constant function of the state, has derivative 0"
    return corrected("robust storage makes derivatives shrink", instead, test)


@claim("BFS93.7", "SLIDES94.4")
def the_task() -> Iterable[Row]:
    """First learnt inputs, then noise, and a target at the end."""
    return adopted(
        "the task", "test_minimal_task.py::test_the_task_has_learnt_inputs_then_noise_and_one_target"
    )


@claim("BFS93.8", "BFS93.10")
def cost_and_dynamics() -> Iterable[Row]:
    """Our gradient is that of the printed cost along the printed dynamics, by autograd."""
    ids = torch.arange(500)
    theta = tanh_latch.init(1, ids, torch.full((500,), 1.25, dtype=torch.float64), 3).requires_grad_()
    inputs, targets = latch_task(1, ids, 0, length=20, lead=3, noise=0.2)
    a = torch.zeros(2, 500, dtype=torch.float64)
    for t in range(20):
        own = theta[1:].unflatten(0, (2, 3))[:, t] if t < 3 else 0
        a = tanh_latch.step(a, theta[0], own + inputs[t])
    ((torch.tanh(a) - targets) ** 2).sum().backward()
    slope = reference.gradient(theta.detach(), inputs[3:], 0.8)
    worst = float(((slope - theta.grad).abs() / theta.grad.abs().amax(0)).max())
    return equation("gradient of C by hand and by autograd", 500, worst, 1e-12)


@claim("BFS93.9")
def latching_condition() -> Iterable[Row]:
    """Two stable states appear at w = 1."""
    return proved(
        "w > 1 for tanh", "test_minimal_task.py::test_a_bit_survives_without_noise_iff_w_exceeds_one"
    )


@claim("BFS93.11")
def weight_above_one() -> Iterable[Row]:
    """What weights the runs that converge on long sequences end with."""
    record = read("minimal_task/length")
    cells = record.where(learn_weight=True) & np.array([cell["length"] >= 50 for cell in record.recipe.cells])
    weight, good = record.by_cell("weight")[cells], converged(record.by_cell("right")[cells, :, -1])
    above, others = (Count(int(good[mask].sum()), int(mask.sum())) for mask in (weight > 1, weight <= 1))
    return (
        *trend("T >= 50: share converged, final w > 1 less all others", others, above),
        *corrected(
            "a solution for T >> L needs w > 1",
            "|w| > 1 will do: below -1 the sign alternates, and its phase is the bit",
            "test_minimal_task.py::test_a_weight_below_minus_one_keeps_a_bit_too",
        ),
    )


@claim("BFS93.12")
def linear_memory() -> Iterable[Row]:
    """A linear unit and the neuron, started from the same latched state, under the same noise."""
    w, s, steps, runs = 2.0, 0.2, 1000, 2000
    a = b = torch.full((runs,), fixed_point(w), dtype=torch.float64)
    for t in range(steps):
        noise = s * normal(1, torch.arange(runs), t, Purpose.NOISE)[0]
        a, b = tanh_latch.step(a, w, noise), b + noise
    linear, latched = (Count(int((state > 0).sum()), runs) for state in (b, a))
    return trend("bit still right after 1000 steps of noise: neuron less integrator", linear, latched)


@claim("BFS93.13")
def learnt_inputs() -> Iterable[Row]:
    """The learnt inputs alone put the state on its class's side."""
    runs = tanh_latch.Learner.start(1993, torch.arange(128), [{**READING, "learn_weight": False}] * 128)
    runs.train_to(300)
    runs.keep(torch.from_numpy(converged(runs.right().numpy())))
    u, a = runs.theta[1:].unflatten(0, (2, 3)), torch.zeros_like(runs.theta[:2])
    for t in range(3):
        a = tanh_latch.step(a, READING["weight"], u[:, t])
    sides = (a[0] < 0) & (a[1] > 0)
    return at_least(
        "converged runs whose state after L steps is on its side", 0.9, Count(int(sides.sum()), len(sides))
    )


@claim("BFS93.14")
def density_falls() -> Iterable[Row]:
    """Both directions of Fig. 2a, and how rare convergence is at its edges."""
    record = read("minimal_task/density")
    w, s = (np.array([cell[key] for cell in record.recipe.cells]) for key in ("weight", "noise"))
    middle = (w >= 1) & (w <= 2)
    noisy, quiet = middle & (s >= 0.8), middle & (s <= 0.2)
    small, large = (w <= 0.75) & (s >= 0.2), middle & (s >= 0.2)
    return (
        *trend(
            "share converged, s <= 0.2 less s >= 0.8, w_0 in [1, 2]",
            total(record, noisy),
            total(record, quiet),
        ),
        *trend(
            "share converged, w_0 in [1, 2] less w_0 <= 0.75, s >= 0.2",
            total(record, small),
            total(record, large),
        ),
        *at_most("share converged, s >= 0.8, w_0 in [1, 2]", CHANCE, total(record, noisy)),
        *at_most("share converged, w_0 <= 0.75, s >= 0.2", CHANCE, total(record, small)),
    )


@claim("BFS93.15", "SLIDES94.7")
def settings_of_the_density() -> Iterable[Row]:
    """L = 3, as in the text; L = 4 is among the readings."""
    return adopted(
        "L = 3, T = 20, s = 0.2", "test_minimal_task.py::test_the_default_reading_is_what_is_printed"
    )


@claim("BFS93.16")
def eighteen_runs() -> Iterable[Row]:
    """Shown beside ours as the paper averaged it."""
    return adopted(
        "18 runs a cell", "test_minimal_task.py::test_eighteen_runs_of_a_cell_are_its_first_trials"
    )


@claim("BFS93.17")
def length_falls() -> Iterable[Row]:
    """Fig. 2b, with w held at 1.25."""
    record = read("minimal_task/length")
    fixed = record.where(learn_weight=False, start="random")
    lengths = np.array([cell["length"] for cell in record.recipe.cells])
    short, long = (total(record, fixed & mask) for mask in (lengths <= 20, lengths >= 60))
    return trend("share converged, T <= 20 less T >= 60", long, short)


@claim("BFS93.18")
def meaning_of_s() -> Iterable[Row]:
    """Can Fig. 2b show a fall if s = 0.2 is a variance? There must be something to fall from at T = 10."""
    record = read("minimal_task/readings")
    rows = []
    for meaning, reading in (("", "s a variance"), ("s a standard deviation", "default")):
        cell = list(READINGS).index(reading) * len(POINTS) + POINTS.index(
            {"length": 10, "learn_weight": False}
        )
        share = total(record, np.arange(len(record.recipe.cells)) == cell, checkpoint=2)
        rows += at_least("Fig. 2b at T = 10: share converged", 0.5, share, reading=meaning)
    return rows


@claim("BFS93.19")
def long_is_hard() -> Iterable[Row]:
    """At T = 100, under both readings of w and in the control where noise is harmless."""
    record, control = read("minimal_task/length"), read("minimal_task/controls")
    long = record.where(length=100)
    clean = control.where(length=100, start="wrong", rule="gradient", rate=0.01, target=0.99)
    return (
        *at_most(
            "T = 100, w fixed at 1.25",
            RARE,
            total(record, long & record.where(learn_weight=False, start="random")),
        ),
        *at_most("T = 100, w learnt", RARE, total(record, long & record.where(learn_weight=True))),
        *at_most("T = 100, w = 2, from the wrong side", RARE, total(control, clean)),
    )


@claim("SLIDES94.5")
def attractors() -> Iterable[Row]:
    """The nonzero solutions of a = w tanh a."""
    weights = np.linspace(1.01, 10, 1000)
    worst = max(abs(fixed_point(w) - w * math.tanh(fixed_point(w))) for w in weights)
    return equation("a* - w tanh a*", len(weights), worst, 1e-12)


@claim("SLIDES94.6")
def threshold() -> Iterable[Row]:
    """The threshold is u*(w)."""
    return proved("h* = u*(w)", "test_minimal_task.py::test_inputs_up_to_the_critical_one_never_undo_a_latch")
