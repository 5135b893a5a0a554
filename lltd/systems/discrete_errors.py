"""Discrete error propagation: sign units, and an error that asks each of them to change over or to stay."""

from dataclasses import dataclass

from torch import Tensor

from lltd.kernels.small_net import wanted
from lltd.systems.batches import positive
from lltd.systems.training_set import OnLine


def step(change: Tensor, rate: Tensor | float) -> Tensor:
    """Δw = η Σ_t Δa_t z_t, with Δa the wanted change of the activation that the weight feeds and z its source.

    It is descent on Σ_t Δa_t²/2, what the activation lacks. [SLIDES94] on discrete error propagation, which gives
    Δa but not how far the weights follow: the rate is our reading.
    """
    return rate * change


@dataclass(kw_only=True)
class Learner(OnLine):
    """Runs of nets of sign units, targets ±1; seed, ids int64 (B,): where chance comes from. Raises ValueError.

    rate η: a number or (B,). margin: how far past its threshold a unit is asked to go; [SLIDES94] has 0, from where
    the smallest step back turns the unit over again.
    """

    seed: int
    ids: Tensor
    rate: Tensor | float
    margin: float

    def __post_init__(self) -> None:
        super().__post_init__()
        self.rate = positive("rate", self.rate, self.used)

    def change(self, inputs: Tensor, lengths: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The ends, ±1, and the step for each weight."""
        end, change = wanted(
            *(self.lessons.net, self.theta, inputs, lengths, targets),
            **{"seed": self.seed, "ids": self.ids, "shown": self.shown, "margin": self.margin},
        )
        return end, step(change, self.rate)
