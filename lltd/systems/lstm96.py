"""The LSTM of 1996 at its trials: trained on-line until it has learnt, then tested, many trials side by side.

Trials stop at times of their own. All are trained in stretches; what came of a stretch says which have stopped in it,
and where; these leave, and are trained again, from the begin of that stretch to their exact stop. Source: [HS96]
section 3, Hochreiter & Schmidhuber 1997 for other tasks. What they leave open is a setting, see COMMON.
"""

from dataclasses import asdict
from typing import NamedTuple

import torch
from torch import Tensor

from lltd.kernels import lstm96 as kernel
from lltd.kernels.lstm96 import Task, Topology
from lltd.systems import stopping
from lltd.systems.batches import Settings
from lltd.systems.stopping import Criterion, Watch

STRETCH = 1000  # sequences between two looks at the errors: no outcome depends on it

# What may be meant by an average training error below 0.01, where the 2000 latest sequences were right. Their squared
# errors are then below 0.04², and so is their average: it asks for nothing more.
STOPS = {
    "squared, latest 2000": Criterion(),
    "absolute, latest 2000": Criterion(measure="absolute"),
    "squared, all": Criterion(window=None),
    "absolute, all": Criterion(measure="absolute", window=None),
}
LEARNT = Criterion(recent=0)  # the end of the learning phase: no run is asked for

# Settings of a trial beside length T and budget, as printed where they are printed.
COMMON: Settings = {
    "task": "adding",
    "first_pair": "neutral",
    "blocks": 2,
    "cells": 2,
    "sees": "gates and cells",
    "cell_bias": True,
    "output_bias": True,
    "output": "logistic",
    "slope": True,
    "rate": 0.5,
    "span": 0.1,
    "input_gate_bias": (-3.0, -6.0),
    "output_gate_bias": None,
    "tolerance": 0.04,  # a sequence is right if its error is below
    "tests": 2560,
    "criteria": (asdict(STOPS["squared, latest 2000"]),),  # of each its fields
}
OF_NET = ("blocks", "cells", "sees", "cell_bias", "output_bias", "output", "slope")


class Training(NamedTuple):
    """B trials in the midst of training, under C criteria: tensors, the last axis of each counting trials.

    theta (P, B): weights, nan where a trial has diverged. shown (B), rights (R, B), sums (2, W, B): the `Watch` over
    its errors. stops (C, B): the number of sequences with which each criterion was met, 0 while it is not. before
    (C, P, B): weights at the begin of the stretch with the stop, rest (C, B): how many sequences of it lead there.
    right (C, B): of the latest 10,000 sequences before the stop, those right.
    """

    theta: Tensor
    shown: Tensor
    rights: Tensor
    sums: Tensor
    stops: Tensor
    before: Tensor
    rest: Tensor
    right: Tensor


def complete(setting: Settings) -> Settings:
    """The setting with every one of COMMON. Raises ValueError, naming what is wrong, missing or unknown."""
    known = {"length", "budget", *COMMON}
    if unknown := set(setting) - known:
        raise ValueError(f"setting {', '.join(sorted(unknown))}: {', '.join(sorted(known))} are known")
    whole = {**COMMON, **setting}
    for name in ("length", "budget", "tests"):
        if not isinstance(whole.get(name), int) or whole[name] < 1:
            raise ValueError(f"{name} is {whole.get(name)}: a whole number, 1 or more, is needed")
    for name in ("rate", "tolerance"):
        if not 0 < whole[name] < float("inf"):
            raise ValueError(f"{name} is {whole[name]}: a positive number is needed")
    if whole["budget"] >= (most := task(whole).most):
        raise ValueError(
            f"budget is {whole['budget']}: a trial of this length has fewer than {most} sequences"
        )
    net(whole)
    criteria(whole)
    return whole


def criteria(setting: Settings) -> tuple[Criterion, ...]:
    """The criteria of a complete setting. Raises ValueError."""
    return tuple(Criterion(**fields) for fields in setting["criteria"])


def net(setting: Settings) -> Topology:
    """The net of a complete setting. Raises ValueError."""
    inputs, outputs = task(setting).shape
    return Topology(**{name: setting[name] for name in OF_NET}, inputs=inputs, outputs=outputs)


def task(setting: Settings) -> Task:
    """The task of a complete setting. Raises ValueError."""
    return Task(setting["task"], setting["length"], setting["first_pair"])


def begin(seed: int, ids: Tensor, setting: Settings, dtype: torch.dtype = torch.float32) -> Training:
    """The trials ids, int64 (B,), of one setting, before anything has been shown. Raises ValueError or TypeError."""
    setting = complete(setting)
    own = {name: setting[name] for name in ("span", "input_gate_bias", "output_gate_bias")}
    theta = kernel.initial(net(setting), seed, ids, **own, dtype=dtype)
    watch = stopping.begin(criteria(setting), len(ids), ids.device)
    none = torch.zeros(len(setting["criteria"]), len(ids), dtype=torch.int64, device=ids.device)
    return Training(theta, *watch, none, theta.expand(len(none), -1, -1), none, none)


def going(setting: Settings, training: Training) -> Tensor:
    """Which trials are not done, bool (B): a criterion is not met, sequences are left, and it has not diverged."""
    waiting = (training.stops == 0).any(0) & (training.shown < setting["budget"])
    return waiting & training.theta.isfinite().all(0)


def advance(
    seed: int, ids: Tensor, setting: Settings, training: Training, most: int | None = None
) -> Training:
    """Train on those that are not done, until they are, or each has been shown `most` more sequences.

    What is handed in stays as it was. Raises ValueError or TypeError.
    """
    setting = complete(setting)
    chosen, training = (net(setting), task(setting)), Training(*(value.clone() for value in training))
    until = (training.shown + (setting["budget"] if most is None else most)).clamp(max=setting["budget"])
    while (live := going(setting, training) & (training.shown < until)).any():
        live = live.nonzero()[:, 0]
        now = Training(*(value[..., live] for value in training))
        count = (until[live] - now.shown).clamp(max=STRETCH).amin().expand(live.shape)
        theta, errors = kernel.train(
            *chosen, seed, ids[live], now.theta, first=now.shown, count=count, rate=setting["rate"]
        )
        watch, seen = stopping.look(
            Watch(now.shown, now.rights, now.sums), errors, criteria(setting), setting["tolerance"]
        )
        waiting = now.stops == 0
        newly = waiting & (seen.met > 0)
        later = Training(
            theta,
            *watch,
            torch.where(newly, now.shown + seen.met, now.stops),
            torch.where(newly[:, None], now.theta, now.before),
            torch.where(newly, seen.met, now.rest),
            torch.where(waiting, seen.right, now.right),
        )
        for value, part in zip(training, later, strict=True):
            value[..., live] = part
    return training


def weights(seed: int, ids: Tensor, setting: Settings, training: Training) -> Tensor:
    """The weights at each criterion's stop, or as they are where it is not met: (C, P, B)."""
    setting = complete(setting)
    stopped, shape = training.stops > 0, training.before.shape
    theta = torch.where(stopped[:, None], training.before, training.theta).transpose(0, 1).flatten(1)
    first = torch.where(stopped, training.stops - training.rest, training.shown).flatten()
    many, count = ids.repeat(shape[0]), training.rest.flatten()
    chosen = net(setting), task(setting), seed, many, theta.contiguous()
    theta, _ = kernel.train(*chosen, first=first, count=count, rate=setting["rate"])
    return theta.unflatten(1, (shape[0], shape[2])).transpose(0, 1)


def outcomes(seed: int, ids: Tensor, setting: Settings, training: Training) -> dict[str, Tensor]:
    """What has come of trials, each tested on the same fresh sequences at each criterion's stop.

    Returns, of (B, C): sequences until the criterion was met, or those shown where it was not (a wait that is cut, or,
    where the trial has diverged, has no end); met; right, of the latest 10,000 sequences up to there, or of all while
    they are fewer; wrong, how many tests, and absolute and squared, their mean errors: all, and nan, after
    divergence. Of (B): diverged, whether a weight left ±2^16 before all criteria were met. Raises ValueError or
    TypeError.
    """
    setting = complete(setting)
    many, stopped = len(setting["criteria"]), training.stops > 0
    theta = weights(seed, ids, setting, training).transpose(0, 1).flatten(1).contiguous()
    errors = kernel.examine(
        net(setting), task(setting), seed, ids.repeat(many), theta, count=setting["tests"]
    )
    errors = errors.double().unflatten(1, (many, -1))  # (tests, C, B)
    found = {
        "sequences": torch.where(stopped, training.stops, training.shown),
        "met": stopped,
        "right": training.right,
        "wrong": setting["tests"] - (errors < setting["tolerance"]).sum(0),
        "absolute": _mean(errors),
        "squared": _mean(errors.square()),
    }
    diverged = training.theta.isnan().any(0) & ~stopped.all(0)
    return {**{name: value.T for name, value in found.items()}, "diverged": diverged}


def trials(
    seed: int, ids: Tensor, setting: Settings, dtype: torch.dtype = torch.float32
) -> dict[str, Tensor]:
    """Make the trials ids, int64 (B,), of one setting, from begin to test: see `outcomes`.

    A trial goes on until it has met all criteria, its budget of sequences is used up, or it has diverged. Raises
    ValueError or TypeError.
    """
    training = advance(seed, ids, setting, begin(seed, ids, setting, dtype))
    return outcomes(seed, ids, setting, training)


def _mean(errors: Tensor) -> Tensor:
    """Over the tests, (C, B): cumsum adds in the same order whatever the number of trials, and sum does not."""
    return errors.cumsum(0)[-1] / len(errors)
