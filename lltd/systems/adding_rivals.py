"""Rivals of the LSTM of 1996 on the adding problem: the same sequences, the same budget, the same test.

A trial is shown its sequences one by one, or in mini-batches, until its budget is used up; whether and when it would
have stopped is watched on the way, and it is tested at the end. Source: [HS96] section 3, which names the methods and
not their settings: these are ours, see METHODS.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad

from lltd.kernels import small_net
from lltd.kernels.lstm96 import Task
from lltd.philox import Purpose
from lltd.systems import (
    elman,
    gradient_descent,
    lstm96,
    modern_lstm,
    pseudo_newton,
    small_nets,
    stopping,
    tdnn,
)
from lltd.systems.batches import Settings, alike, each
from lltd.systems.lessons import Shown, draw, from_begin, together

STRETCH = 500  # sequences drawn together: no outcome depends on it
CRITERIA = (lstm96.STOPS["squared, latest 2000"], lstm96.LEARNT)
AVERAGED = 1000  # sequences before a stage that its training error is averaged over

# Settings of a trial beside method, length T and budget.
COMMON: Settings = {"first_pair": "neutral", "tolerance": 0.04, "tests": 2560, "stages": (1000,)}
# Of each method its own; None: to be given. An Elman net of 8 hidden units has 97 weights, LSTM's of 8 has 93.
METHODS: dict[str, Settings] = {
    "bptt": {"rate": None, "hidden": 8, "spread": 0.5},
    "pseudo_newton": {"rate": None, "mu": None, "hidden": 8, "spread": 0.5},
    "tdnn": {"rate": None, "hidden": 8, "near": None, "window": None},
    "modern_lstm": {"rate": None, "cells": 4, "forget_bias": 1.0, "batch": 20},
}
SHARED = (*COMMON, "budget")  # settings of trials that are shown their sequences together
APART = ("rate", "mu", "spread", "forget_bias")  # settings in which nets of one batch may differ


class Rival(Protocol):
    """B nets of one method under way, each with a lesson of its own or shared with others."""

    def learn(self, shown: Shown) -> Tensor:
        """Learn from the sequences in turn; returns |target - output| of each, (S, B), before it was learnt from."""

    def answer(self, shown: Shown) -> Tensor:
        """Outputs (S, B)."""

    @property
    def theta(self) -> Tensor:
        """The weights, nan or infinite in a trial that has diverged: (P, B)."""


class Elman:
    """Elman nets, and back-propagation through time or pseudo-Newton steps after each sequence."""

    def __init__(
        self, seed: int, ids: Tensor, settings: Sequence[Settings], lessons: Tensor, dtype: torch.dtype
    ) -> None:
        self.net, self.newton, self.lessons = elman.net(settings[0]["hidden"]), "mu" in settings[0], lessons
        spread = each(settings, "spread", ids.device)
        self.theta = small_nets.initial(seed, ids, self.net, spread).to(dtype).contiguous()
        self.rate = each(settings, "rate", ids.device).to(dtype)
        self.mu = each(settings, "mu", ids.device).to(dtype) if self.newton else None

    def learn(self, shown: Shown) -> Tensor:
        """See `Rival`; a tanh unit that is asked for 2 d - 1 is a logistic one that is asked for d."""
        lengths, targets = shown.lengths[:, self.lessons], 2 * shown.targets[:, self.lessons] - 1
        no_weighting, errors = torch.full_like(self.rate, torch.inf), []
        for inputs, length, target in zip(from_begin(shown), lengths, targets, strict=True):
            given = inputs[..., self.lessons]
            end, (g, h, _) = small_net.slopes(self.net, self.theta, given, length, target, no_weighting)
            errors.append((end - target).abs() / 2)
            if self.newton:
                self.theta = self.theta + pseudo_newton.step(g, h, self.rate, self.mu)
            else:
                self.theta = self.theta + gradient_descent.step(g, self.rate)
        return torch.stack(errors)

    def answer(self, shown: Shown) -> Tensor:
        """See `Rival`."""
        shown = shown.of(self.lessons)
        return (small_net.ends(self.net, self.theta, from_begin(shown), shown.lengths) + 1) / 2


class TimeDelay:
    """Time-delay nets, and back-propagation after each sequence."""

    def __init__(
        self, seed: int, ids: Tensor, settings: Sequence[Settings], lessons: Tensor, dtype: torch.dtype
    ) -> None:
        own, self.lessons = settings[0], lessons
        self.shape = tdnn.Shape(own["hidden"], own["near"], own["window"])
        self.weights = tdnn.initial(self.shape, seed, ids, dtype)
        self.rate = each(settings, "rate", ids.device).to(dtype)

    @property
    def theta(self) -> Tensor:
        """See `Rival`."""
        return self.weights.T

    def learn(self, shown: Shown) -> Tensor:
        """See `Rival`."""
        errors = []
        for views, target in zip(self._views(shown), shown.targets[:, self.lessons], strict=True):
            seen = views[self.lessons]
            y, h = tdnn.answer(self.shape, self.weights, seen)
            errors.append((target - y).abs())
            g = tdnn.gradient(self.shape, self.weights, seen, h, y, target)
            self.weights = self.weights + gradient_descent.step(g, self.rate[:, None])
        return torch.stack(errors)

    def answer(self, shown: Shown) -> Tensor:
        """See `Rival`."""
        seen = (views[self.lessons] for views in self._views(shown))
        return torch.stack([tdnn.answer(self.shape, self.weights, one)[0] for one in seen])

    def _views(self, shown: Shown) -> Tensor:
        """What hidden units see of each lesson's sequences, (S, U, D, near I + 1); 0 before a sequence begins."""
        short = max(self.shape.window - len(shown.inputs), 0)
        inputs = pad(shown.inputs, (0, 0) * 3 + (short, 0))[-self.shape.window :]
        return tdnn.views(self.shape, inputs.permute(2, 3, 0, 1))


class ModernLstm:
    """LSTM with forget gates: a step of Adam after each mini-batch, at a rate that falls to 0 with the last of them."""

    def __init__(
        self, seed: int, ids: Tensor, settings: Sequence[Settings], lessons: Tensor, dtype: torch.dtype
    ) -> None:
        own, self.lessons = settings[0], lessons
        self.cells, self.batch = own["cells"], own["batch"]
        bias = each(settings, "forget_bias", ids.device)
        self.weights = modern_lstm.initial(self.cells, 2, seed, ids, bias, dtype)
        self.adam = modern_lstm.Adam.start(each(settings, "rate", ids.device).to(dtype), self.weights)
        self.steps = -(-own["budget"] // self.batch)

    @property
    def theta(self) -> Tensor:
        """See `Rival`."""
        return self.weights.T

    def learn(self, shown: Shown) -> Tensor:
        """See `Rival`; all sequences of a mini-batch come before it is learnt from."""
        errors = []
        for part in shown.split(self.batch):
            inputs, lengths, targets = self._by_net(part)
            y, kept = modern_lstm.answer(self.weights, self.cells, inputs, lengths)
            e = (y - targets) / targets.shape[1]
            g = modern_lstm.gradient(self.weights, self.cells, lengths, kept, e)
            left = 1 - self.adam.taken / self.steps
            self.weights = self.weights + left * self.adam.step(g)
            errors.append((y - targets).abs().T)
        return torch.cat(errors)

    def answer(self, shown: Shown) -> Tensor:
        """See `Rival`."""
        inputs, lengths, _ = self._by_net(shown)
        return modern_lstm.answer(self.weights, self.cells, inputs, lengths)[0].T

    def _by_net(self, shown: Shown) -> tuple[Tensor, Tensor, Tensor]:
        """What each net is shown, the sequences last: inputs (T, B, I, S), lengths and targets (B, S)."""
        inputs, lengths, targets = shown.of(self.lessons)
        return inputs.permute(0, 3, 1, 2).contiguous(), lengths.T, targets.T


RIVALS: dict[str, type[Rival]] = {
    "bptt": Elman,
    "pseudo_newton": Elman,
    "tdnn": TimeDelay,
    "modern_lstm": ModernLstm,
}


def complete(setting: Settings) -> Settings:
    """The setting of a trial with all defaults filled in. Raises ValueError, naming what is wrong or unknown."""
    if setting.get("method") not in METHODS:
        raise ValueError(f"method is {setting.get('method')!r}: one of {', '.join(METHODS)} is needed")
    defaults = {**COMMON, **METHODS[setting["method"]], "method": None, "length": None, "budget": None}
    if unknown := set(setting) - set(defaults):
        raise ValueError(
            f"setting {min(unknown)} is unknown: {setting['method']} has {', '.join(sorted(defaults))}"
        )
    whole = {**defaults, **setting}
    for name in ("length", "budget", "tests", "hidden", "cells", "batch", "near", "window"):
        if name in whole and not (isinstance(whole[name], int) and whole[name] >= 1):
            raise ValueError(f"{name} is {whole[name]}: a whole number, 1 or more, is needed")
    for name in ("rate", "mu", "spread", "tolerance"):
        if name in whole and not (isinstance(whole[name], int | float) and 0 < whole[name] < float("inf")):
            raise ValueError(f"{name} is {whole[name]}: a positive number is needed")
    if not all(AVERAGED <= stage <= whole["budget"] for stage in whole["stages"]):
        raise ValueError(f"stages is {whole['stages']}: numbers in {AVERAGED} … {whole['budget']} are needed")
    if STRETCH % whole.get("batch", 1):
        raise ValueError(f"batch is {whole['batch']}: a divisor of {STRETCH} is needed")
    Task("adding", whole["length"], whole["first_pair"])
    return whole


def trials(
    seed: int, ids: Tensor, settings: Sequence[Settings], dtype: torch.dtype = torch.float32
) -> dict[str, Tensor]:
    """Make a trial of each run under its setting, from begin to test. ids: int64 (B,).

    Returns stops (B, 2), with which sequence the criterion of [HS96] and the end of the learning phase were reached, 0
    where they were not; training (B, stages), the mean squared error over the last 1000 sequences up to each stage;
    wrong (B) of the tests, and their mean errors absolute and squared (B), after the last sequence of the budget;
    diverged (B). A net that has diverged is wrong by 1. Raises ValueError.
    """
    if len(settings) != len(ids):
        raise ValueError(f"settings has {len(settings)} entries: one for each of {len(ids)} trials is needed")
    whole, found = [complete(setting) for setting in settings], {}
    for rows in alike([{name: setting[name] for name in SHARED} for setting in whole], ()):
        for name, value in _trials(seed, ids[rows], [whole[row] for row in rows], dtype).items():
            found.setdefault(name, value.new_zeros(len(ids), *value.shape[1:]))[rows] = value
    return found


@torch.inference_mode()
def _trials(seed: int, ids: Tensor, settings: list[Settings], dtype: torch.dtype) -> dict[str, Tensor]:
    """Trials of SHARED settings: each sequence is drawn once, for all nets that learn from it."""
    own, lengths = settings[0], each(settings, "length", ids.device).long()
    pairs, lessons = torch.stack((lengths, ids)).unique(dim=1, return_inverse=True)

    def show(first: int, count: int, purpose: Purpose) -> Shown:
        tasks = {T: Task("adding", T, own["first_pair"]) for T in pairs[0].unique().tolist()}
        drawn = (
            draw(task, seed, pairs[1, pairs[0] == T], first, count, purpose, dtype)
            for T, task in tasks.items()
        )
        return together(list(drawn))

    # Elman nets side by side end with the longest of their sequences: of several lengths, those alike lie together.
    mixed = [{**one, "length": 0} if RIVALS[one["method"]] is Elman else one for one in settings]
    groups = [sorted(rows, key=lambda row: settings[row]["length"]) for rows in alike(mixed, APART)]
    rivals = [
        RIVALS[settings[rows[0]]["method"]](
            seed, ids[rows], [settings[row] for row in rows], lessons[rows], dtype
        )
        for rows in groups
    ]
    order = torch.tensor([row for rows in groups for row in rows], device=ids.device).argsort()
    watch = stopping.begin(CRITERIA, len(ids), ids.device)
    stops = torch.zeros(len(CRITERIA), len(ids), dtype=torch.int64, device=ids.device)
    latest, training = [], {}
    for first in range(0, own["budget"], STRETCH):
        shown = show(first, min(STRETCH, own["budget"] - first), Purpose.TASK)
        errors = _bounded(torch.cat([rival.learn(shown) for rival in rivals], 1)[:, order])
        watch, seen = stopping.look(watch, errors, CRITERIA, own["tolerance"])
        stops = torch.where((stops == 0) & (seen.met > 0), first + seen.met, stops)
        latest = [*latest, errors.double().square()][-(AVERAGED // STRETCH + 2) :]
        for stage in own["stages"]:
            if first < stage <= first + len(errors):
                squares = torch.cat([*latest[:-1], latest[-1][: stage - first]])
                training[stage] = _mean(squares[-AVERAGED:])
    tests = []
    for first in range(0, own["tests"], STRETCH):
        shown = show(first, min(STRETCH, own["tests"] - first), Purpose.TEST)
        answers = torch.cat([rival.answer(shown) for rival in rivals], 1)[:, order]
        tests.append(_bounded((answers - shown.targets[:, lessons]).abs()))
    errors = torch.cat(tests).double()
    return {
        "stops": stops.T,
        "training": torch.stack([training[stage] for stage in own["stages"]], 1),
        "wrong": (errors >= own["tolerance"]).sum(0),
        "absolute": _mean(errors),
        "squared": _mean(errors.square()),
        "diverged": ~torch.cat([rival.theta.isfinite().all(0) for rival in rivals])[order],
    }


def _bounded(errors: Tensor) -> Tensor:
    """Errors, at most 1: targets lie in (0, 1), and a guess there is never further off."""
    return errors.nan_to_num(nan=1.0, posinf=1.0).clamp(max=1.0)


def _mean(errors: Tensor) -> Tensor:
    """Over sequences, (S, B): cumsum adds in the same order whatever the number of trials, and sum does not."""
    return errors.cumsum(0)[-1] / len(errors)
