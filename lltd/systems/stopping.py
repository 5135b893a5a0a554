"""When on-line training stops: criteria on the errors of one sequence after the other, watched for many runs at once.

Errors come in stretches (S, B): S sequences of each of B runs, 0 or larger. All that a criterion asks for is the
difference of two running totals, so that what is remembered between stretches are the latest of these; where training
is cut into stretches changes nothing, not a bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

MEASURES = ("absolute", "squared")
RECENT = 10_000  # sequences of which a `Watch` knows at least how many were right


@dataclass(frozen=True)
class Criterion:
    """Of the `recent` latest sequences at most `wrong` were wrong, and the average training error is below `below`.

    measure: the error that is averaged, "absolute" or "squared"; window: over how many of the latest sequences, None
    for all since training began. Met at the first sequence with which both hold, when there have been as many as
    they ask for. Raises ValueError. Source: [HS96] section 3; what is averaged it does not say.
    """

    recent: int = 2000
    wrong: int = 0
    measure: str = "squared"
    window: int | None = 2000
    below: float = 0.01

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise ValueError(f"measure is {self.measure!r}: one of {', '.join(MEASURES)} is needed")
        if self.window is not None and self.window < 1:
            raise ValueError(f"window is {self.window}: 1 or more, or None for all sequences, is needed")
        if not 0 <= self.wrong <= self.recent:
            raise ValueError(f"wrong is {self.wrong} of {self.recent} recent: 0 <= wrong <= recent is needed")
        if not self.below > 0:
            raise ValueError(f"below is {self.below}: a positive number is needed")

    @property
    def least(self) -> int:
        """How many sequences must have been shown."""
        return max(self.recent, self.window or 1)


class Watch(NamedTuple):
    """What is remembered of B runs: how many sequences each has been `shown`, int64 (B), and the latest totals.

    rights: sequences that were right, after each of the latest R, int32 (R, B). sums: of absolute and of squared
    errors, after each of the latest W, float64 (2, W, B). Rows from before the begin are 0.
    """

    shown: Tensor
    rights: Tensor
    sums: Tensor


class Seen(NamedTuple):
    """What a stretch brings, for each of C criteria and B runs, int64 (C, B).

    met: with which of its sequences, counted from 1, a criterion holds for the first time, or 0. right: of the latest
    RECENT sequences, or of all while they are fewer, those right at that moment, or else at the last error.
    """

    met: Tensor
    right: Tensor


def begin(criteria: Sequence[Criterion], runs: int, device: torch.device | str = "cpu") -> Watch:
    """Nothing shown yet. Raises ValueError where there is no criterion."""
    if not criteria:
        raise ValueError("criteria is empty: at least one is needed")
    count = max(RECENT, *(criterion.recent for criterion in criteria))
    widest = max(criterion.window or 1 for criterion in criteria)
    return Watch(
        torch.zeros(runs, dtype=torch.int64, device=device),
        torch.zeros(count, runs, dtype=torch.int32, device=device),
        torch.zeros(2, widest, runs, dtype=torch.float64, device=device),
    )


def look(watch: Watch, errors: Tensor, criteria: Sequence[Criterion], tolerance: float) -> tuple[Watch, Seen]:
    """Take in the errors of a stretch, (S, B), S >= 1; a sequence is right if its error is below the tolerance.

    What comes after a run has diverged is nan: it is not counted as shown, and meets nothing. Such a run is not to be
    looked at again: the first error of each is a number. `criteria` are those that the watch began with.
    """
    errors, stretch = errors.double(), len(errors)
    rights = _continued(watch.rights, errors < tolerance)
    sums = _continued(watch.sums, torch.stack((errors, errors.square())))
    rows = torch.arange(1, stretch + 1, device=errors.device)[:, None]
    number, shown = watch.shown + rows, errors.isfinite().sum(0)
    met, right = [], []
    for criterion in criteria:
        total = sums[MEASURES.index(criterion.measure)]
        if criterion.window is None:
            average = total[-stretch:] / number
        else:
            average = _latest(total, criterion.window, stretch) / criterion.window
        enough = _latest(rights, criterion.recent, stretch) >= criterion.recent - criterion.wrong
        holds = enough & (average < criterion.below) & (number >= criterion.least)
        first = torch.where(holds, rows, stretch + 1).amin(0)
        met.append(torch.where(first > stretch, 0, first))
        last = torch.minimum(first, shown) - 1
        right.append(_latest(rights, RECENT, stretch).gather(0, last[None])[0].long())
    later = Watch(watch.shown + shown, rights[stretch:], sums[:, stretch:])
    return later, Seen(torch.stack(met), torch.stack(right))


def _continued(totals: Tensor, added: Tensor) -> Tensor:
    """Totals (…, R, B) and those after each of `added` (…, S, B), added one after the other: (…, R + S, B)."""
    both = torch.cat((totals[..., -1:, :], added.to(totals)), -2)
    return torch.cat((totals, both.cumsum(-2, dtype=totals.dtype)[..., 1:, :]), -2)


def _latest(totals: Tensor, window: int, stretch: int) -> Tensor:
    """What came in over the latest `window` sequences, at each of the last `stretch`: (stretch, B)."""
    begin = len(totals) - stretch - window
    return totals[-stretch:] - totals[begin : begin + stretch]
