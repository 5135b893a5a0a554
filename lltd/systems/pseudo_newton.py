"""Newton's method with one curvature for each weight, and with one for each of its copies in time."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lltd.kernels.small_net import slopes
from lltd.systems.batches import positive
from lltd.systems.training_set import OnLine


def step(g: Tensor, h: Tensor, rate: Tensor | float, mu: Tensor | float) -> Tensor:
    """Δw = -η / (|∂²C/∂w²| + μ) ∂C/∂w. [SLIDES94] on Newton's method, "tweaks"; Becker & LeCun 1989."""
    return -rate * g / (h.abs() + mu)


def time_weighted_step(g: Tensor, h: Tensor, rate: Tensor | float, mu: Tensor | float) -> Tensor:
    """Δw = -Σ_t η / (|∂²C/∂w_t²| + μ) ∂C/∂w_t, over the copies of a weight in time, (T, P, B).

    The unfolded net's copies step apart, and the weight goes by the sum of their steps. [SLIDES94] on the
    time-weighted method.
    """
    return step(g, h, rate, mu).sum(0)


@dataclass(kw_only=True)
class Learner(OnLine):
    """Runs of either rule; rate η and safeguard μ: numbers or (B,). Raises ValueError.

    curvature: see `small_net.slopes`, which sums over the copies as it goes back through time.
    """

    rate: Tensor | float
    mu: Tensor | float
    curvature: str = "gauss-newton"
    time_weighted: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.rate = positive("rate", self.rate, self.used)
        self.mu = positive("mu", self.mu, self.used)

    def change(self, inputs: Tensor, lengths: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The ends, and the step for each weight."""
        net, last = self.lessons.net, self.mu if self.time_weighted else torch.full_like(self.mu, torch.inf)
        end, (g, h, ratios) = slopes(
            net, self.theta, inputs, lengths, targets, last, curvature=self.curvature
        )
        return end, -self.rate * ratios if self.time_weighted else step(g, h, self.rate, self.mu)
