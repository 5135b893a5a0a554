"""A small experiment for the tests of the machinery: slow enough to be stopped, and exact."""

import time

import numpy as np
import torch

from lltd import experiments, philox
from lltd.experiments import experiment
from lltd.philox import Purpose
from lltd.record import Recipe


@experiment(
    "tests/counting",
    version=1,
    seed=5,
    runs=300,
    shard=10,
    parameters={"common": {"pause": 0.02}, "vary": {"scale": [1.0, 2.0, 3.0]}},
)
def counting(recipe: Recipe, ids: torch.Tensor) -> dict[str, np.ndarray]:
    """Sums of four normals, times the run's scale."""
    time.sleep(recipe.parameters["common"]["pause"])
    scale = torch.tensor([recipe.settings(run)["scale"] for run in ids.tolist()], dtype=torch.float64)
    z = philox.normal(recipe.seed, ids, 0, Purpose.NOISE)
    return {"total": (scale * z.sum(0)).numpy(), "positive": (z > 0).sum(0).numpy().astype(np.int8)}


def go(workers: int) -> None:
    experiments.run(experiments.find("tests/counting"), workers=workers)
