"""Random guessing: fresh weights again and again, until some are right on every sequence of the training set."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lltd.kernels.small_net import ends
from lltd.philox import Purpose, uniform
from lltd.systems.batches import positive
from lltd.systems.training_set import Learner as Runs
from lltd.systems.training_set import right

GUESSES = 2**32  # guess c of run i has the address i * 2**32 + c
TOGETHER = 4096  # guesses looked at in one go, whatever the number of runs: no outcome depends on it


def guess(seed: int, ids: Tensor, first: int, count: int, weights: int, span: Tensor) -> Tensor:
    """Guesses first … first + count - 1 of each run, uniform in ±span (B,): (P, count, B). [HS96] section 1.

    ids: int64 (B,). Raises ValueError for a run whose guesses have no addresses.
    """
    if (ids >= GUESSES // 2).any():
        raise ValueError(f"ids has {int(ids.max())}: runs that guess are numbered below 2**31")
    addresses = ids * GUESSES + torch.arange(first, first + count, device=ids.device)[:, None]  # (count, B)
    blocks = torch.arange(-(-weights // 4), device=ids.device)
    u = uniform(seed, addresses, blocks[:, None, None], Purpose.SEARCH)  # (4, blocks, count, B)
    return span * (2 * u.transpose(0, 1).flatten(0, 1)[:weights] - 1)


@dataclass(kw_only=True)
class Learner(Runs):
    """Guessing runs; range: of the weights, a number or (B,). seed, ids int64 (B,) < 2**31. Raises ValueError.

    A guess is shown the sequences one by one and given up at the first wrong one: it costs as many presentations as
    it is shown sequences. No guess is shown anything past the budget. theta: of the guesses so far the first that
    stood longest.
    """

    seed: int
    ids: Tensor
    budget: int
    range: Tensor | float = 100.0
    guessed: int = 0
    stood: Tensor | None = None  # how many sequences in a row theta had right

    def __post_init__(self) -> None:
        self.range, self.stood = positive("range", self.range, self.used), torch.zeros_like(self.used)

    def advance(self) -> None:
        """Look at the next guesses of each run, as many as go together well."""
        runs = len(self.ids)
        count = max(1, TOGETHER // runs)
        theta = guess(self.seed, self.ids, self.guessed, count, len(self.theta), self.range)
        self.guessed += count
        stood = self.sieve(theta.flatten(1)).unflatten(0, (count, runs))
        solved = stood == self.lessons.size
        spent = self.used + (stood + ~solved).cumsum(0)  # a guess that fails has also seen what it fails on
        first = solved.cumsum(0) - solved.long() == 0  # no guess before this one was right
        looked_at = first & (spent <= self.budget) & ~self.learned
        stood = torch.where(looked_at, stood, -1)
        longest, which = stood.max(0).values, stood.argmax(0)
        longer = theta[:, which, torch.arange(runs, device=which.device)]
        self.theta = torch.where(longest > self.stood, longer, self.theta)
        self.stood = torch.maximum(self.stood, longest)
        found = (solved & looked_at).any(0)
        now = torch.where(found, spent.gather(0, which[None])[0], spent[-1].clamp(max=self.budget))
        self.used = torch.where(self.learned, self.used, now)
        self.learned = self.learned | found

    def sieve(self, theta: Tensor) -> Tensor:
        """How many sequences in a row each guess has right, int64 (G,); theta (P, G), guess g of run g mod B."""
        stood = torch.zeros(theta.shape[1], dtype=torch.int64, device=theta.device)
        left, lessons = torch.arange(theta.shape[1], device=theta.device), self.lessons
        for s in range(lessons.size):
            run = left % len(self.ids)
            inputs, lengths, targets = (
                part[s : s + 1][..., run] for part in (lessons.inputs, lessons.lengths, lessons.targets)
            )
            left = left[right(ends(lessons.net, theta[:, left], inputs, lengths), targets)[0]]
            if not len(left):
                break
            stood[left] += 1
        return stood
