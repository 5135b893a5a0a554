"""A training set for each of many runs, and the two ways of learning from it: sequence by sequence, or as a whole."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lltd.kernels.small_net import Net, ends
from lltd.systems.batches import Batch, Chance, fraction
from lltd.tasks import Sequences


@dataclass
class TrainingSet(Batch):
    """S sequences for each of B runs: inputs (S, T, C, B), lengths int64 (S, B), targets (S, B)."""

    net: Net
    inputs: Tensor
    lengths: Tensor
    targets: Tensor

    @classmethod
    def of(cls, net: Net, sequences: Sequences, target: float) -> "TrainingSet":
        """The sequences of a task, with target -target for class 0 and +target for class 1."""
        signs = (2 * sequences.classes - 1).to(sequences.inputs)
        return cls(net, sequences.inputs, sequences.lengths, target * signs)

    @property
    def size(self) -> int:
        """How many sequences a run has."""
        return len(self.lengths)

    def show(self, p: int) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs (T, C, B), lengths (B) and targets (B) of presentation p: sequence p mod S."""
        s = p % self.size
        return self.inputs[s], self.lengths[s], self.targets[s]

    def examine(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Of weights (P, B): the cost C = Σ (x - d)² / 2 over all sequences, and whether all are right: (B)."""
        ends_ = ends(self.net, theta, self.inputs, self.lengths)
        # cumsum adds in the same order whatever the number of runs, and sum does not
        return (ends_ - self.targets).square().cumsum(0)[-1] / 2, right(ends_, self.targets).all(0)


def right(end: Tensor, target: Tensor) -> Tensor:
    """Whether a sequence ends on its target's side; a net that has diverged (nan) is never right."""
    return end * target > 0


@dataclass
class Learner(Batch):
    """Runs that learn: theta (P, B), presentations used so far int64 (B), learned bool (B).

    A run has learned once all its sequences have ended on their sides; it then stands still. `price`: how many
    presentations an `advance` takes.
    """

    lessons: TrainingSet
    theta: Tensor
    used: Tensor
    learned: Tensor
    price = 1

    @classmethod
    def start(cls, lessons: TrainingSet, theta: Tensor, **own: Any) -> "Learner":  # noqa: ANN401
        """Runs that have been shown nothing yet; own: the method's settings, numbers or (B)."""
        used = torch.zeros(theta.shape[1], dtype=torch.int64, device=theta.device)
        return cls(lessons, theta, used, used > 0, **own)

    @property
    def answer(self) -> Tensor:
        """The weights that the runs would give as their result, (P, B)."""
        return self.theta

    def advance(self) -> None:
        """Use the next presentations."""
        raise NotImplementedError


@dataclass(kw_only=True)
class OnLine(Learner):
    """Learning sequence by sequence: presentation p shows sequence p mod S, and the weights change at once.

    Learned: the last S presentations, one of each sequence, ended on the right sides. momentum, a number or (B,),
    in [0, 1): the share of each change that the next one takes along. Raises ValueError.
    """

    momentum: Tensor | float = 0.0
    shown: int = 0
    streak: Tensor | None = None  # how many presentations in a row were right
    last: Tensor | None = None  # the change before

    def __post_init__(self) -> None:
        self.momentum = fraction("momentum", self.momentum, self.used, zero=True)
        self.streak, self.last = torch.zeros_like(self.used), torch.zeros_like(self.theta)

    def change(self, inputs: Tensor, lengths: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The ends (B) of the sequences shown, and the change of the weights (P, B) that they ask for."""
        raise NotImplementedError

    def advance(self) -> None:
        """Show each run its next sequence, and change its weights."""
        inputs, lengths, targets = self.lessons.show(self.shown)
        end, change = self.change(inputs, lengths, targets)
        self.last = torch.where(self.learned, 0.0, change + self.momentum * self.last)
        self.theta = self.theta + self.last
        self.used = self.used + ~self.learned
        self.streak = (self.streak + 1) * right(end, targets)
        self.learned = self.learned | (self.streak >= self.lessons.size)
        self.shown += 1


@dataclass(kw_only=True)
class BySet(Learner):
    """Learning by trying: weights are examined on the whole training set, which takes S presentations.

    seed, ids int64 (B,): where chance comes from. cost (B,): of the weights stood at, once they are examined.
    """

    seed: int
    ids: Tensor
    cost: Tensor | None = None
    tried: int = 0  # how many weights, those at the start not counted
    chance: Chance | None = None

    numbers = 1  # that are left to chance in each trial

    def __post_init__(self) -> None:
        self.chance = Chance(self.seed, self.ids, self.numbers)

    @property
    def price(self) -> int:
        """The size of the training set."""
        return self.lessons.size

    def move(self, chance: Tensor) -> None:
        """Try other weights; chance: the uniform numbers of this trial, (numbers, B)."""
        raise NotImplementedError

    def advance(self) -> None:
        """Examine the weights that each run tries next."""
        going = ~self.learned
        if self.cost is None:
            self.cost, self.learned = self.lessons.examine(self.theta)
        else:
            self.move(self.chance.round(self.tried))
            self.tried += 1
        self.used = self.used + self.price * going
