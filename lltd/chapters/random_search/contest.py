"""What is run: the rows of two papers, the readings of what they leave open, and what makes a task hard to guess."""

from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lltd.experiments import experiment
from lltd.record import Recipe
from lltd.systems import trials_1996 as trials
from lltd.systems.batches import Settings
from lltd.systems.random_search import GUESSES, Lessons, answers, clues, lessons, passed, weights

VARIANCE = 0.2**0.5  # the standard deviation of noise whose variance is 0.2, as printed
TANH = {"low": -1.0, "high": 1.0}  # targets that a tanh unit can come near
LATCH = {"task": "latch", "net": "one tanh unit, inputs learnt", "noise": VARIANCE}
TWO = {"task": "two_sequence", "noise": VARIANCE}
PARITY = {"task": "parity"}

# The printed rows under the default reading: what is printed is followed to the letter, and beyond it hidden units are
# updated before the output. Setting, and the printed mean number of guesses.
ROWS: dict[str, tuple[Settings, float]] = {
    "2-sequence, A2": ({**TWO, "net": "A2"}, 718),
    "2-sequence, A1, n = 1": ({**TWO, "net": "A1, n = 1"}, 1247),
    "2-sequence, 3 weights": ({**TWO, "net": "one tanh unit", **TANH}, 22),
    "parity, A1, n = 1": ({**PARITY, "net": "A1, n = 1"}, 2906),
    "parity, A2": ({**PARITY, "net": "A2"}, 2797),
    "parity, A2, no loops": ({**PARITY, "net": "A2, no loops"}, 250),
    "Tomita 1, A1, n = 1": ({"task": "tomita", "language": 1, "net": "A1, n = 1"}, 182),
    "Tomita 1, A2": ({"task": "tomita", "language": 1, "net": "A2"}, 288),
    "Tomita 2, A1, n = 3": ({"task": "tomita", "language": 2, "net": "A1, n = 3"}, 1511),
    "Tomita 2, A2": ({"task": "tomita", "language": 2, "net": "A2"}, 17_953),
    "Tomita 4, A1, n = 2": ({"task": "tomita", "language": 4, "net": "A1, n = 2"}, 13_833),
    "Tomita 4, A2": ({"task": "tomita", "language": 4, "net": "A2"}, 35_610),
    # Schmidhuber, Hochreiter & Bengio 2001, where the second latch problem is the third row above
    "latch, 3 weights": ({**LATCH, "low": -0.8, "high": 0.8, "tolerance": 0.8}, 6),
    "parity in noise, A1, n = 1": (
        {**PARITY, "noise": 0.2, "kind": "uniform", "net": "A1, n = 1"},
        41_400,
    ),
}
SLOW = ("2-sequence, A2", "Tomita 4, A2")  # of which 100 trials must do
FAST = tuple(row for row in ROWS if row not in SLOW)
BUDGET = 2**22

ORDERS = {
    "hidden first": {"order": "hidden first"},
    "at once": {"order": "synchronous"},
    "at once, read a step later": {"order": "synchronous", "late": True},
}
NOISES = {"variance 0.2": {"noise": VARIANCE}, "standard deviation 0.2": {"noise": 0.2}}
PARTS = ("output_bias", "output_loop", "direct")  # that the output unit may have or lack


def _wirings() -> dict[str, Settings]:
    """Every way to wire the output unit, by name."""
    marks = {"output_bias": "bias", "output_loop": "loop", "direct": "input"}
    wired = {}
    for chosen in product((False, True), repeat=len(PARTS)):
        has = dict(zip(PARTS, chosen, strict=True))
        wired[" + ".join(marks[part] for part in PARTS if has[part]) or "hidden only"] = has
    return wired


WIRINGS = _wirings()

# Readings on the tasks that are settled apart from the net: (row, reading, setting).
Reading = tuple[str, str, Settings]
CONVENTIONS: list[Reading] = [
    (row, ", ".join(filter(None, (order, wired, noise))), {**ROWS[row][0], **when, **has, **heard})
    for row in (
        "2-sequence, A2",
        "2-sequence, A1, n = 1",
        "parity, A1, n = 1",
        "parity, A2",
        "parity, A2, no loops",
    )
    for order, when in ORDERS.items()
    for wired, has in WIRINGS.items()
    for noise, heard in (NOISES if "noise" in ROWS[row][0] else {"": {}}).items()
]
THREE: list[Reading] = [
    (row, f"{net}, {noise}", {**setting, **heard})
    for row, net, setting in (
        ("2-sequence, 3 weights", "tanh, targets ±1", ROWS["2-sequence, 3 weights"][0]),
        ("2-sequence, 3 weights", "logistic", {**TWO, "net": "one logistic unit"}),
        ("2-sequence, 3 weights", "tanh, inputs learnt, targets ±1", {**LATCH, **TANH}),
        ("latch, 3 weights", "targets ±0.8, right side", ROWS["latch, 3 weights"][0]),
        ("latch, 3 weights", "targets ±0.8, error < 0.1", {**ROWS["latch, 3 weights"][0], "tolerance": 0.1}),
        ("latch, 3 weights", "targets ±1, error < 0.1", {**LATCH, **TANH}),
    )
    for noise, heard in NOISES.items()
]
NEGATIVES = ("random", "near", "cut")
SIDES = {"members 1": {"low": 0.0, "high": 1.0}, "members 0": {"low": 1.0, "high": 0.0}}
CHANGES = {  # of the output unit, one at a time
    "as printed": {},
    "bias": {"output_bias": True},
    "no bias": {"output_bias": False},
    "loop": {"output_loop": True},
    "no loop": {"output_loop": False},
    "no input": {"direct": False},
}


def _grammars(rows: tuple[str, ...]) -> list[Reading]:
    """Readings of the rows on Tomita's languages: how strings outside are drawn, which class is 1, the output unit."""
    return [
        (row, f"{change}, {negatives}, {side}", {**setting, **has, "negatives": negatives, **targets})
        for row in rows
        for setting in [ROWS[row][0]]
        for change, has in CHANGES.items()
        if not (
            ("A2" in row and change in ("bias", "no loop")) or ("A1" in row and change in ("no bias", "loop"))
        )
        for negatives in NEGATIVES
        for side, targets in SIDES.items()
    ]


GRAMMARS = _grammars(tuple(row for row in ROWS if "Tomita" in row and row != "Tomita 4, A2"))
LARGEST = _grammars(("Tomita 4, A2",))
HARDER: list[Reading] = [
    (row, change, {**ROWS[row][0], **setting})
    for row in ("parity, A1, n = 1", "parity, A2", "2-sequence, A1, n = 1", "Tomita 1, A1, n = 1")
    for change, setting in {
        "inputs 0 and 1": {"zero": 0.0},
        "noise ±0.1": {"noise": 0.1, "kind": "uniform"},
        "noise ±0.2": {"noise": 0.2, "kind": "uniform"},
    }.items()
    if change == "inputs 0 and 1" or "parity" in row
]

TYPES = {
    "guesses": np.int32,
    "presentations": np.int64,
    "solved": np.bool_,
    "confirmed": np.bool_,
    "right": np.uint8,
    "worst": np.float32,
    "error": np.float32,
    "test_worst": np.float32,
}


def _search(recipe: Recipe, ids: Tensor, kept: tuple[str, ...] = tuple(TYPES)) -> dict[str, np.ndarray]:
    """The trials of some runs, cell by cell."""
    cells = ids.cpu().numpy() % len(recipe.cells)
    found = {name: np.zeros(len(ids), dtype=TYPES[name]) for name in kept}
    for cell in np.unique(cells):
        rows = np.flatnonzero(cells == cell)
        outcome = trials.trials(recipe.seed, ids[rows], recipe.cells[cell], kept)
        for name in kept:
            found[name][rows] = outcome[name].cpu().numpy().astype(TYPES[name])
    return found


def _printed(rows: tuple[str, ...], **changed: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "common": trials.COMMON,
        "cases": [{**ROWS[row][0], "budget": BUDGET, **changed} for row in rows],
    }


def _read(readings: list[Reading], times: int) -> dict[str, Any]:
    """Each reading with a budget of so many times the printed mean."""
    cases = [{**setting, "budget": int(times * max(ROWS[row][1], 100))} for row, _, setting in readings]
    return {"common": trials.COMMON, "cases": cases}


@experiment(
    "random_search/table",
    version=1,
    seed=1996,
    runs=len(FAST) * 300,
    shard=len(FAST) * 15,
    parameters=_printed(FAST),
    dtype="float32",
    flips=0.02,
    drift=1e-3,
)
def table(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """The printed rows under the default reading, each trial with a training set of its own."""
    return _search(recipe, ids)


@experiment(
    "random_search/many",
    version=1,
    seed=3000,
    runs=len(ROWS) * 3000,
    shard=len(ROWS) * 50,
    parameters=_printed(tuple(ROWS)),
    dtype="float32",
    flips=0.02,
)
def many(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """All printed rows, each trial with a training set of its own, ten times as often."""
    return _search(recipe, ids, ("guesses", "solved"))


@experiment(
    "random_search/slow",
    version=1,
    seed=1996,
    runs=2 * len(SLOW) * 100,
    shard=2 * len(SLOW) * 5,
    parameters={
        "common": trials.COMMON,
        "cases": [{**ROWS[row][0], "budget": BUDGET, "set": owner} for owner in (None, 0) for row in SLOW],
    },
    dtype="float32",
    flips=0.02,
    drift=1e-3,
)
def slow(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """The two rows that take longest: each trial with a training set of its own, then all with the same."""
    return _search(recipe, ids)


@experiment(
    "random_search/one_set",
    version=1,
    seed=2001,
    runs=len(FAST) * 300,
    shard=len(FAST) * 15,
    parameters=_printed(FAST, set=0),
    dtype="float32",
    flips=0.02,
    drift=1e-3,
)
def one_set(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """The printed rows, all trials of a row with the same training set."""
    return _search(recipe, ids, ("guesses", "solved"))


@experiment(
    "random_search/conventions",
    version=1,
    seed=718,
    runs=(len(CONVENTIONS) + len(THREE)) * 100,
    shard=(len(CONVENTIONS) + len(THREE)) * 10,
    parameters=_read(CONVENTIONS + THREE, 5),
    dtype="float32",
    flips=0.02,
)
def conventions(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Order of update, wiring of the output and size of the noise, on the 2-sequence problem and on parity."""
    return _search(recipe, ids, ("guesses", "solved"))


@experiment(
    "random_search/grammars",
    version=1,
    seed=1511,
    runs=len(GRAMMARS) * 100,
    shard=len(GRAMMARS) * 10,
    parameters=_read(GRAMMARS, 3),
    dtype="float32",
    flips=0.02,
)
def grammars(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Strings outside the language, which class is 1, and the output unit, on Tomita's languages."""
    return _search(recipe, ids, ("guesses", "solved"))


@experiment(
    "random_search/largest",
    version=1,
    seed=35610,
    runs=len(LARGEST) * 32,
    shard=len(LARGEST) * 2,
    parameters=_read(LARGEST, 3),
    dtype="float32",
    flips=0.02,
)
def largest(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """The same for the row that takes longest."""
    return _search(recipe, ids, ("guesses", "solved"))


@experiment(
    "random_search/harder",
    version=1,
    seed=41400,
    runs=len(HARDER) * 100,
    shard=len(HARDER) * 5,
    parameters={
        "common": trials.COMMON,
        "cases": [{**setting, "budget": 200_000} for _, _, setting in HARDER],
    },
    dtype="float32",
    flips=0.02,
)
def harder(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Other codings of the inputs, and noise."""
    return _search(recipe, ids, ("guesses", "solved"))


TOLERANCES = (0.5, 0.3, 0.1, 0.03, 0.01, 0.001)
SPANS = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 50.0, 100.0, 200.0, 300.0, 500.0, 1000.0)
LENGTHS = (10, 20, 30, 50, 100, 200, 300, 500, 1000)
GUESSED = 2**13  # by a run
TASKS: dict[str, Settings] = {
    "2-sequence, A1, n = 1": {**ROWS["2-sequence, A1, n = 1"][0], "noise": 0.2},
    "parity, A1, n = 1": ROWS["parity, A1, n = 1"][0],
    "parity, A2": ROWS["parity, A2"][0],
    "Tomita 1, A1, n = 1": ROWS["Tomita 1, A1, n = 1"][0],
    "Tomita 2, A1, n = 3": ROWS["Tomita 2, A1, n = 3"][0],
}
LANGUAGES = (1, 2, 3, 4, 5, 6, 7)
DENSITIES: list[tuple[str, Settings]] = [
    *((task, {**setting, "span": span}) for task, setting in TASKS.items() for span in SPANS),
    *(
        (task, {**setting, "shortest": T - T // 6, "longest": T})
        for task, setting in TASKS.items()
        for T in LENGTHS
    ),
    *((f"Tomita {k}, A2", {"task": "tomita", "language": k, "net": "A2"}) for k in LANGUAGES),
]


@experiment(
    "random_search/density",
    version=2,
    seed=100,
    runs=len(DENSITIES) * 96,
    shard=len(DENSITIES) * 4,
    parameters={
        "common": {**trials.COMMON, "guessed": GUESSED, "tolerances": TOLERANCES},
        "cases": [setting for _, setting in DENSITIES],
    },
    dtype="float32",
    flips=0.05,
)
def density(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """How many guesses solve a task within each tolerance, over the range of the weights and the lengths."""
    cells, found = ids.cpu().numpy() % len(recipe.cells), np.zeros((len(ids), len(TOLERANCES)), np.int16)
    for cell in np.unique(cells):
        rows, setting = np.flatnonzero(cells == cell), dict(recipe.cells[cell])
        guessed, tolerances = setting.pop("guessed"), setting.pop("tolerances")
        whole = trials.complete({**setting, "budget": guessed})
        shown = trials.sequences(recipe.seed, ids[rows], whole, 0, whole["lessons"])
        for b, row in enumerate(rows):
            candidates = ids[row] * GUESSES + torch.arange(guessed, device=ids.device)
            lesson = lessons(shown, b, whole["low"], whole["high"])
            worst = _worst(recipe.seed, candidates, whole, lesson, tolerances[0])
            found[row] = [(worst < tolerance).sum() for tolerance in tolerances]
    return {"solutions": found}


def _worst(seed: int, candidates: Tensor, setting: Settings, lesson: Lessons, tolerance: float) -> Tensor:
    """The largest error of each guess whose largest error is within the tolerance."""
    net, span = trials.net(setting), setting["span"]
    right = passed(net, seed, candidates, lesson, clues(lesson), span=span, tolerance=tolerance)
    theta = weights(net, seed, candidates[right], span, torch.float32)
    return (answers(net, theta, lesson) - lesson.targets[:, None].to(theta)).abs().max(0).values


DECIDED = {row: ROWS[row][0] for row in ("2-sequence, A2", "parity, A1, n = 1", "parity, A2", "Tomita 4, A2")}


@experiment(
    "random_search/decisions",
    version=1,
    seed=64,
    runs=len(DECIDED) * 100,
    shard=len(DECIDED) * 10,
    parameters={"common": {**trials.COMMON, "nets": 100}, "cases": list(DECIDED.values())},
    dtype="float32",
    flips=0.05,
)
def decisions(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Of 100 nets on 100 sequences: outputs that single and double precision do not find right or wrong alike."""
    cells, found = ids.cpu().numpy() % len(recipe.cells), np.zeros(len(ids), np.int32)
    for cell in np.unique(cells):
        rows, setting = np.flatnonzero(cells == cell), dict(recipe.cells[cell])
        nets = setting.pop("nets")
        whole = trials.complete({**setting, "budget": nets})
        shown, net = trials.sequences(recipe.seed, ids[rows], whole, 0, whole["lessons"]), trials.net(whole)
        for b, row in enumerate(rows):
            lesson = lessons(shown, b, whole["low"], whole["high"])
            candidates = ids[row] * GUESSES + torch.arange(nets, device=ids.device)
            right = []
            for dtype in (torch.float32, torch.float64):
                theta = weights(net, recipe.seed, candidates, whole["span"], dtype)
                error = (answers(net, theta, lesson) - lesson.targets[:, None].to(theta)).abs()
                right.append(error < whole["tolerance"])
            found[row] = (right[0] != right[1]).sum()
    return {"differ": found}
