"""Simulated annealing of continuous variables: one weight moves at a time, uphill too while it is hot.

[SLIDES94] on simulated annealing names the Metropolis test and the box that keeps the rate of acceptance. The rest is
Corana, Marchesi, Martini & Ridella 1987, which the paper is said to use.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from lltd.systems.batches import fraction, positive
from lltd.systems.training_set import BySet

LOW, HIGH, STRETCH = 0.4, 0.6, 2.0  # Corana et al. 1987: the rates of acceptance to stay between, and c


def accepts(rise: Tensor, temperature: Tensor | float, chance: Tensor) -> Tensor:
    """Metropolis: a move that raises the cost by ΔC is made with probability exp(-ΔC/T), all others surely."""
    return chance < torch.exp(-rise / temperature)


def resized(box: Tensor, rate: Tensor) -> Tensor:
    """Half-sides of the box after a rate of acceptance in [0, 1]; above 0.6 they grow, below 0.4 they shrink."""
    grow = 1 + STRETCH * (rate - HIGH).clamp(min=0) / (1 - HIGH)
    shrink = 1 + STRETCH * (LOW - rate).clamp(min=0) / LOW
    return box * grow / shrink


@dataclass(kw_only=True)
class Learner(BySet):
    """Annealing runs. temperature T₀, cooling r_T, box (first half-sides v₀), widest: numbers or (B,).

    cycles N_S: of moves of every weight before the box is resized. adjustments N_T: of the box before T becomes r_T T
    and the run goes back to its best weights. widest: what the half-sides never exceed, in place of the bounded
    domain of Corana et al. Raises ValueError.
    """

    temperature: Tensor | float
    cooling: Tensor | float
    box: Tensor | float
    widest: Tensor | float
    cycles: int
    adjustments: int
    accepted: Tensor | None = None  # moves of each weight since the last adjustment, (P, B)
    best: Tensor | None = None
    lowest: Tensor | None = None  # the best weights' cost

    numbers = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("temperature", "box", "widest"):
            setattr(self, name, positive(name, getattr(self, name), self.used))
        self.cooling = fraction("cooling", self.cooling, self.used)
        for name in ("cycles", "adjustments"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: a whole number, 1 or more, is needed")
        self.box = self.box.expand(self.theta.shape)
        self.best, self.accepted = self.theta, torch.zeros_like(self.theta)

    @property
    def answer(self) -> Tensor:
        """The best weights."""
        return self.best

    def move(self, chance: Tensor) -> None:
        """Move one weight; resize and cool when it is time."""
        if self.lowest is None:
            self.lowest = self.cost
        moves, weights = self.tried + 1, len(self.theta)
        h, moved = self.tried % weights, self.theta.clone()
        moved[h] += self.box[h] * (2 * chance[0] - 1)
        cost, solved = self.lessons.examine(moved)
        taken = accepts(cost - self.cost, self.temperature, chance[1]) & ~self.learned
        self.accepted[h] += taken
        self.theta, self.cost = torch.where(taken, moved, self.theta), torch.where(taken, cost, self.cost)
        better = taken & ((cost < self.lowest) | solved)
        self.best, self.lowest = torch.where(better, moved, self.best), torch.where(better, cost, self.lowest)
        self.learned = self.learned | (taken & solved)
        if moves % (weights * self.cycles) == 0:
            self.box = torch.minimum(resized(self.box, self.accepted / self.cycles), self.widest)
            self.accepted = torch.zeros_like(self.theta)
        if moves % (weights * self.cycles * self.adjustments) == 0:
            self.temperature = self.cooling * self.temperature
            self.theta, self.cost = self.best, self.lowest
