"""One tanh neuron with a loop on itself, and how it learns the minimal task. [BFS93] section II, Fig. 1a."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lltd.kernels import latch
from lltd.kernels.latch import initial as init
from lltd.systems.batches import Settings, alike

__all__ = ["Learner", "epochs_to_success", "init", "learn", "step"]


def step(a: Tensor, w: Tensor | float, u: Tensor | float) -> Tensor:
    """One time step of the neuron: a_t = w tanh(a_{t-1}) + u_t; any shapes that broadcast. [BFS93] eq. 1."""
    return w * torch.tanh(a) + u


@dataclass
class Learner:
    """Runs in training that share all settings but weight and noise.

    common: length, lead, rate, rule, start, learn_weight, fresh, limit (None for none), target, draws.
    ids, noise: (B,). theta: (1 + 2L, B). memory: Adam's. epoch: how many epochs have been trained.
    """

    seed: int
    common: Settings
    ids: Tensor
    noise: Tensor
    theta: Tensor
    memory: Tensor | None = None
    epoch: int = 0

    @classmethod
    def start(cls, seed: int, ids: Tensor, settings: Sequence[Settings]) -> "Learner":
        """Runs before their first epoch; settings: one for each run, with weight and noise."""
        weight, noise = (
            torch.tensor([setting[key] for setting in settings], dtype=torch.float64, device=ids.device)
            for key in ("weight", "noise")
        )
        common = settings[0]
        theta = init(seed, ids, weight, common["lead"], common["start"])
        return cls(seed, common, ids, noise, theta)

    def train_to(self, epoch: int) -> None:
        """Train on to this number of epochs."""
        shared = {
            key: self.common[key] for key in ("length", "rate", "target", "rule", "learn_weight", "fresh")
        }
        limit = float("inf") if self.common["limit"] is None else self.common["limit"]
        self.theta, self.memory = latch.train(
            *(self.seed, self.ids, self.theta, self.memory),
            **{
                **shared,
                "noise": self.noise,
                "first": self.epoch,
                "epochs": epoch - self.epoch,
                "limit": limit,
            },
        )
        self.epoch = epoch

    def right(self) -> Tensor:
        """Of 2 * draws freshly drawn ends, how many lie on the right side: int64 (B,)."""
        common = self.common
        ends = latch.recall(
            *(self.seed, self.ids, self.theta),
            **{"noise": self.noise, "length": common["length"], "draws": common["draws"]},
        )
        return ends.sum(0)

    def keep(self, chosen: Tensor) -> None:
        """Go on with the chosen runs only: bool (B,)."""
        self.ids, self.noise, self.theta = self.ids[chosen], self.noise[chosen], self.theta[:, chosen]
        self.memory = None if self.memory is None else self.memory[..., chosen]


def learn(seed: int, ids: Tensor, settings: Sequence[Settings]) -> dict[str, Tensor]:
    """Train each run under its settings, and examine it at its checkpoints.

    ids: int64 (B,). settings, one for each run: those of a Learner, weight, noise, and checkpoints (numbers of
    epochs, rising; as many in each run). Returns right, int64 (B, C): of the 2 * draws ends examined at each
    checkpoint, how many lie on the right side; weight (B,) at the end.
    """
    outcome: dict[str, Tensor] = {}
    for rows in alike(settings, apart=("weight", "noise")):
        runs, right = Learner.start(seed, ids[rows], [settings[i] for i in rows]), []
        for epoch in runs.common["checkpoints"]:
            runs.train_to(epoch)
            right.append(runs.right())
        for name, values in (("right", torch.stack(right, dim=1)), ("weight", runs.theta[0])):
            whole = outcome.setdefault(name, values.new_zeros(len(ids), *values.shape[1:]))
            whole[rows] = values
    return outcome


def epochs_to_success(seed: int, ids: Tensor, settings: Sequence[Settings], share: float) -> Tensor:
    """The first checkpoint at which `share` of a run's examined ends lie on the right side, or -1: int64 (B,).

    Settings as in `learn`; a run is trained no further once it has succeeded.
    """
    epochs = torch.full((len(ids),), -1, dtype=torch.int64, device=ids.device)
    for rows in alike(settings, apart=("weight", "noise")):
        runs = Learner.start(seed, ids[rows], [settings[i] for i in rows])
        waiting = torch.tensor(rows, device=ids.device)
        for epoch in runs.common["checkpoints"]:
            runs.train_to(epoch)
            done = runs.right() >= share * 2 * runs.common["draws"]
            epochs[waiting[done]] = epoch
            waiting = waiting[~done]
            runs.keep(~done)
            if not len(waiting):
                break
    return epochs
