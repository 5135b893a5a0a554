"""What is run to see what each part is for: gates missing, the whole gradient, a forget gate, gates at work."""

from dataclasses import asdict

import numpy as np
import torch
from torch import Tensor

from lltd.analysis.gate_activity import Activity, gate_activity
from lltd.chapters.lstm.experiments import trained, trained_together
from lltd.experiments import experiment
from lltd.record import Recipe
from lltd.systems import lstm96, lstm_variants

ABLATIONS = ("as in 1996", *lstm_variants.MISSING)
LENGTHS = (20, 50, 100)
GRADIENTS = ("as in 1996", "full gradient")
FORGET_BIASES = (0.0, 1.0, 5.0)


@experiment(
    "lstm/ablations",
    version=1,
    seed=1996,
    runs=len(LENGTHS) * len(ABLATIONS) * 640,
    shard=len(LENGTHS) * len(ABLATIONS) * 32,
    parameters={
        "common": {**lstm_variants.COMMON, "budget": 100_000, "stretch": 5000},
        "vary": {"length": LENGTHS, "variant": ABLATIONS},
    },
)
def ablations(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Adding without input gates, without output gates, without both: the same nets otherwise."""
    return trained(recipe, ids, lstm_variants.trials)


@experiment(
    "lstm/gradients",
    version=1,
    seed=1997,
    runs=len(GRADIENTS) * 64,
    shard=len(GRADIENTS) * 32,
    parameters={
        "common": {**lstm_variants.COMMON, "length": 20, "budget": 10_000, "stretch": 500},
        "vary": {"variant": GRADIENTS},
    },
    flips=0.05,
    drift=1e-4,
)
def gradients(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Adding with the truncated and with the whole gradient, from the same weights on the same sequences."""

    def trials(seed: int, own: Tensor, setting: lstm_variants.Settings) -> dict[str, Tensor]:
        return lstm_variants.trials(seed, own // len(GRADIENTS), setting)

    return trained(recipe, ids, trials)


@experiment(
    "lstm/forget_gate",
    version=1,
    seed=1999,
    runs=len(FORGET_BIASES) * 384,
    shard=len(FORGET_BIASES) * 384,
    parameters={
        "common": {
            **lstm_variants.COMMON,
            "variant": "forget gate",
            "length": 20,
            "budget": 15_000,
            "stretch": 500,
        },
        "vary": {"forget_bias": FORGET_BIASES},
    },
    flips=0.05,
    drift=1e-4,
)
def forget_gate(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Adding with the forget gate of Gers, Schmidhuber & Cummins, from three biases."""
    return trained_together(recipe, ids, lstm_variants.trials, "forget_bias")


@experiment(
    "lstm/gates",
    version=1,
    seed=1998,
    runs=112,
    shard=112,
    parameters={
        "common": {
            **lstm96.COMMON,
            "length": 100,
            "budget": 200_000,
            "criteria": (asdict(lstm96.LEARNT),),
        }
    },
    dtype="float32",
    drift=1e-5,
)
def gates(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """How far the gates stand open on the adding problem, before learning and when it has been learnt."""
    setting = lstm96.complete(recipe.cells[0])
    begun = lstm96.begin(recipe.seed, ids, setting)
    training = lstm96.advance(recipe.seed, ids, setting, begun)
    stages = torch.stack((begun.theta, lstm96.weights(recipe.seed, ids, setting, training)[0]))
    net, task = lstm96.net(setting), lstm96.task(setting)
    rows = [torch.stack(gate_activity(net, task, recipe.seed, ids, theta)) for theta in stages]
    found = torch.stack(rows).movedim(2, 0).numpy().astype(np.float32)  # (B, stage, part)
    return {
        "met": (training.stops[0] > 0).numpy(),
        **dict(zip(Activity._fields, found.transpose(2, 0, 1), strict=True)),
    }
