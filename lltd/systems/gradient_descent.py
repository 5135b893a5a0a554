"""Gradient descent, sequence by sequence, and its coarser cousin that asks the gradient for its signs only."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lltd.kernels.small_net import slopes
from lltd.systems.batches import positive
from lltd.systems.training_set import OnLine


def step(g: Tensor, rate: Tensor | float) -> Tensor:
    """Δw = -η ∂C/∂w. [SLIDES94] on the time-weighted method, "compare with backprop"."""
    return -rate * g


def sign_step(g: Tensor, rate: Tensor | float) -> Tensor:
    """Δw = -η sign(∂C/∂w): as long however small the gradient is. Not in the sources: a control."""
    return -rate * torch.sign(g)


@dataclass(kw_only=True)
class Learner(OnLine):
    """Runs of either rule; rate η: a number or (B,). Raises ValueError."""

    rate: Tensor | float
    signs: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.rate = positive("rate", self.rate, self.used)

    def change(self, inputs: Tensor, lengths: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The ends, and the step for each weight; its copies in time share one gradient, their sum."""
        no_curvature = torch.full_like(targets, torch.inf)
        end, (g, _, _) = slopes(self.lessons.net, self.theta, inputs, lengths, targets, no_curvature)
        return end, (sign_step if self.signs else step)(g, self.rate)
