"""Multi-grid random search: draw near the best weights found, and draw nearer with each success."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lltd.systems.batches import fraction, positive
from lltd.systems.training_set import BySet


def draw(best: Tensor, box: Tensor, chance: Tensor) -> Tensor:
    """Weights (P, B) uniform in the box of half-sides box (B) around the best; chance: (P, B) in (0, 1)."""
    return best + box * (2 * chance - 1)


def resized(box: Tensor, better: Tensor, factor: Tensor | float) -> Tensor:
    """The box after a trial: a success, and nothing else, makes it smaller by the factor."""
    return torch.where(better, factor * box, box)


@dataclass(kw_only=True)
class Learner(BySet):
    """Runs of the search; box, the half-side at first, and factor: numbers or (B,). Raises ValueError.

    [SLIDES94] on multi-grid random search; the factor 0.9 is known at second hand, the first box not at all.
    """

    box: Tensor | float
    factor: Tensor | float

    @property
    def numbers(self) -> int:
        """One for each weight."""
        return len(self.theta)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.box = positive("box", self.box, self.used)
        self.factor = fraction("factor", self.factor, self.used)

    def move(self, chance: Tensor) -> None:
        """Draw once; keep what is better."""
        drawn = draw(self.theta, self.box, chance)
        cost, solved = self.lessons.examine(drawn)
        better = (cost < self.cost) & ~self.learned
        self.box = resized(self.box, better, self.factor)
        self.theta = torch.where(better, drawn, self.theta)
        self.cost = torch.where(better, cost, self.cost)
        self.learned = self.learned | (better & solved)
