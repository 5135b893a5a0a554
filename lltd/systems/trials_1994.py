"""Eight methods on three tasks, as they were set against each other in 1994: one trial, or thousands at once.

A trial draws a training set of S sequences and initial weights, learns until all S are on their sides or the budget is
used up, and is then tested on fresh sequences. What is counted are presentations of one sequence. Sources: [SLIDES94]
on the results; what the slides leave out comes from later tables and notes, or is ours: see COMMON and METHODS.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor

from lltd.kernels.small_net import Net, ends
from lltd.systems import annealing, discrete_errors, gradient_descent, guessing, multigrid, pseudo_newton
from lltd.systems.batches import Settings, alike, each
from lltd.systems.small_nets import LATCH, PARITY, PARITY_A1, TWO_SEQUENCE, initial
from lltd.systems.training_set import Learner, TrainingSet, right
from lltd.tasks import Sequences, latch_sequences, parity, random_patterns, two_sequence

TASKS = ("latch", "two_sequence", "parity")
NETS = {"latch": LATCH, "two_sequence": TWO_SEQUENCE, "parity": PARITY, "parity_a1": PARITY_A1}

# Settings of every trial beside task, length, method and budget. Known at second hand: noise, spread, lead, lengths
# from T/2 to T, targets. S and the number of tests are ours, S after El Hihi & Bengio 1996.
COMMON: Settings = {
    "sequences": 30,
    "tests": 100,
    "noise": 0.2,  # uniform in ±noise
    "lead": 3,  # steps of a pattern of the 2-sequence problem
    "spread": 0.5,  # initial weights are uniform in ±spread
    "target": 0.8,  # tanh units are asked for ±target; sign units for ±1
    "net": None,  # one of NETS; None: the task's own
    "read": None,  # unit that is read at the end; None: the net's own
}


class Method(NamedTuple):
    """A method: its learner, its own settings with their defaults, and what its name fixes.

    chance: it draws random numbers of its own. hard: its nets have sign units.
    """

    learner: type[Learner]
    settings: Settings
    fixed: Mapping[str, bool] = MappingProxyType({})
    chance: bool = False
    hard: bool = False


class Arithmetic(NamedTuple):
    """What a method computes for each time step of a presentation."""

    multiply_adds: int
    tanh: int


# At second hand: η = 0.01, μ in 0.001 … 0.3 and momentum 0.8 of the pseudo-Newton methods, and multigrid's factor. From
# Corana et al. 1987: cycles and cooling; from [HS96]: the range. What was left open we took from a coarse grid, for all
# tasks alike: the values with which most trials at the shortest T (5, 5, and 3 of parity) were learned.
METHODS = {
    "gradient": Method(gradient_descent.Learner, {"rate": 0.2, "momentum": 0.8}),
    "sign": Method(gradient_descent.Learner, {"rate": 0.03, "momentum": 0.0}, {"signs": True}),
    "pseudo_newton": Method(
        pseudo_newton.Learner, {"rate": 0.01, "mu": 0.01, "momentum": 0.8, "curvature": "gauss-newton"}
    ),
    "time_weighted": Method(
        pseudo_newton.Learner,
        {"rate": 0.01, "mu": 0.01, "momentum": 0.8, "curvature": "gauss-newton"},
        {"time_weighted": True},
    ),
    "discrete": Method(
        discrete_errors.Learner, {"rate": 0.1, "margin": 1.0, "momentum": 0.0}, chance=True, hard=True
    ),
    "multigrid": Method(multigrid.Learner, {"box": 10.0, "factor": 0.9}, chance=True),
    "annealing": Method(
        annealing.Learner,
        # One adjustment per temperature instead of Corana's max(100, 5P): 1994 used some 1300 to 6700 examinations
        # in all, and 25 weights take 500 for a single adjustment.
        {"temperature": 3.0, "cooling": 0.85, "box": 1.0, "widest": 10.0, "cycles": 20, "adjustments": 1},
        chance=True,
    ),
    "guessing": Method(guessing.Learner, {"range": 100.0}, chance=True),
}
APART = {"spread", "rate", "mu", "momentum", "box", "factor", "temperature", "cooling", "widest", "range"}


def learn(seed: int, ids: Tensor, settings: Sequence[Settings]) -> dict[str, Tensor]:
    """Make a trial of each run under its settings: task, length T, method, budget, and any of COMMON and METHODS.

    ids: int64 (B,). Returns, int64 (B,): presentations, how many were used when all S sequences of the training set
    were right, or -1 if they never were; wrong, how many of the tests end on the wrong side. Raises ValueError.
    """
    if len(settings) != len(ids):
        raise ValueError(f"settings has {len(settings)} entries: one for each of {len(ids)} runs is needed")
    whole = [complete(setting) for setting in settings]
    outcome = {name: torch.zeros_like(ids) for name in ("presentations", "wrong")}
    for rows in alike(whole, APART):
        own = [whole[i] for i in rows]
        answer, outcome["presentations"][rows] = _finish(_start(seed, ids[rows], own), own[0]["budget"])
        outcome["wrong"][rows] = _wrong(seed, ids[rows], own[0], answer)
    return outcome


def start(seed: int, ids: Tensor, setting: Settings) -> Learner:
    """Runs of one setting before anything has been shown: their `theta` walks as one calls `advance()`."""
    return _start(seed, ids, [complete(setting)] * len(ids))


def walk(seed: int, run: int, setting: Settings, advances: int) -> Tensor:
    """The weights of one run at the start and after each of so many advances: (advances + 1, P)."""
    runs = start(seed, torch.tensor([run]), setting)
    path = [runs.theta[:, 0]]
    for _ in range(advances):
        runs.advance()
        path.append(runs.theta[:, 0])
    return torch.stack(path)


def complete(setting: Settings) -> Settings:
    """The setting of a trial with all defaults filled in. Raises ValueError, naming what is wrong or unknown."""
    for name, known in (("task", TASKS), ("method", METHODS)):
        if setting.get(name) not in known:
            raise ValueError(f"{name} is {setting.get(name)!r}: one of {', '.join(known)} is needed")
    method = METHODS[setting["method"]]
    defaults = {**COMMON, **method.settings}
    unknown = setting.keys() - defaults.keys() - {"task", "method", "length", "budget"}
    if unknown:
        raise ValueError(
            f"{min(unknown)} is no setting of {setting['method']}: it has {', '.join(sorted(defaults))}"
        )
    whole = {**defaults, **setting}
    for name, least in (("length", 1), ("budget", 1), ("sequences", 2), ("tests", 1)):
        if not isinstance(whole.get(name), int) or whole[name] < least:
            raise ValueError(f"{name} is {whole.get(name)}: a whole number, {least} or more, is needed")
    if not 0 < whole["target"] <= 1:
        raise ValueError(f"target is {whole['target']}: a number in (0, 1] is needed")
    fitting = [name for name in NETS if name.startswith(whole["task"])]
    if whole["net"] not in (None, *fitting):
        raise ValueError(f"net is {whole['net']!r}: {', '.join(fitting)} or None is needed")
    net(whole)
    return whole


def sequences(seed: int, ids: Tensor, setting: Settings, first: int, count: int) -> Sequences:
    """Sequences first … first + count - 1 of trials of a complete setting."""
    longest = setting["length"]
    shared = {"first": first, "count": count, "longest": longest, "noise": setting["noise"]}
    if setting["task"] == "two_sequence":
        lead = setting["lead"]
        own = {"patterns": random_patterns(seed, ids, lead), "shortest": max(lead, -(-longest // 2))}
        return two_sequence(seed, ids, **shared, **own)
    draw = {"latch": latch_sequences, "parity": parity}[setting["task"]]
    return draw(seed, ids, **shared, shortest=-(-longest // 2))


def net(setting: Settings) -> Net:
    """The net of a complete setting, read where it says. Raises ValueError where there is no such unit."""
    own = NETS[setting["net"] or setting["task"]]
    return own if setting["read"] is None else replace(own, output=setting["read"])


def arithmetic(net: Net, method: str) -> Arithmetic:
    """Multiplications with or without an addition, and values of tanh, in each time step of a presentation.

    Of P weights: P forward; for a gradient P to carry errors back and P to gather slopes; for curvatures as many
    again, and for one step per copy P divisions. What is done once for a presentation is left out.
    """
    weights = {"gradient": 3, "sign": 3, "pseudo_newton": 5, "time_weighted": 6, "discrete": 3}.get(method, 1)
    return Arithmetic(weights * net.weights, 0 if METHODS[method].hard else net.units)


def _start(seed: int, ids: Tensor, settings: Sequence[Settings]) -> Learner:
    """Runs that share all settings but those that may be apart."""
    common, method = settings[0], METHODS[settings[0]["method"]]
    wiring = net(common)
    drawn = sequences(seed, ids, common, 0, common["sequences"])
    lessons = TrainingSet.of(wiring, drawn, 1.0 if method.hard else common["target"])
    own = {
        name: each(settings, name, ids.device) if name in APART else common[name] for name in method.settings
    }
    if method.chance:
        own |= {"seed": seed, "ids": ids}
    if method.learner is guessing.Learner:
        own["budget"] = common["budget"]
    theta = initial(seed, ids, wiring, each(settings, "spread", ids.device))
    return method.learner.start(lessons, theta, **own, **method.fixed)


@torch.inference_mode()  # torch need not watch for gradients: that saves a fifth of the time
def _finish(runs: Learner, budget: int) -> tuple[Tensor, Tensor]:
    """Let runs use their budget: the weights (P, B) that they answer with, and the presentations used, or -1."""
    answer, presentations = torch.zeros_like(runs.theta), torch.full_like(runs.used, -1)
    waiting = torch.arange(len(runs.used), device=runs.used.device)
    while True:
        going = ~runs.learned & (runs.used + runs.price <= budget)
        count = int(going.sum())
        # Runs that are done stand still: they wait for others, as taking them out costs as much as many rounds.
        if count <= 0.9 * len(going):
            answer[:, waiting[~going]] = runs.answer[:, ~going]
            presentations[waiting[~going]] = torch.where(runs.learned, runs.used, -1)[~going]
            waiting = waiting[going]
            if not count:
                return answer, presentations
            runs.keep(going)
        runs.advance()


def _wrong(seed: int, ids: Tensor, setting: Settings, answer: Tensor) -> Tensor:
    """How many fresh sequences end on the wrong side, int64 (B,), a few runs at a time for memory's sake."""
    wrong = torch.zeros_like(ids)
    hard, wiring = METHODS[setting["method"]].hard, net(setting)
    for some in torch.arange(len(ids), device=ids.device).split(64):
        test = TrainingSet.of(
            wiring, sequences(seed, ids[some], setting, setting["sequences"], setting["tests"]), 1.0
        )
        found = ends(wiring, answer[:, some], test.inputs, test.lengths, hard=hard)
        wrong[some] = (~right(found, test.targets)).sum(0)
    return wrong
