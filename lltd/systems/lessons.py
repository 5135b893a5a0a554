"""Lessons: what trials on the adding problem are shown, drawn once for all the nets that learn from it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from lltd.kernels import lstm96 as kernel
from lltd.kernels.lstm96 import Task
from lltd.philox import Purpose

AT_ONCE = 640  # sequences drawn in one go: their random numbers fit a processor's cache


class Shown(NamedTuple):
    """S sequences of each of U lessons, aligned at their ends: inputs (T, I, S, U), lengths and targets (S, U).

    A lesson is what a trial is shown: several nets may learn from one.
    """

    inputs: Tensor
    lengths: Tensor
    targets: Tensor

    def of(self, lessons: Tensor) -> "Shown":
        """Those of some lessons, int64 (B,), as long as the longest of them."""
        lengths = self.lengths[:, lessons]
        return Shown(self.inputs[-int(lengths.max()) :, ..., lessons], lengths, self.targets[:, lessons])

    def split(self, count: int) -> Iterator["Shown"]:
        """So many sequences at a time."""
        for part in zip(*(value.split(count, -2) for value in self), strict=True):
            yield Shown(*part)


def draw(
    task: Task, seed: int, ids: Tensor, first: int, count: int, purpose: Purpose, dtype: torch.dtype
) -> Shown:
    """Sequences first … first + count - 1 of trials ids, int64 (U,): those that `kernels.lstm96` draws itself."""
    parts = []
    for numbers in torch.arange(first, first + count, device=ids.device).split(max(1, AT_ONCE // len(ids))):
        pairs = (ids.repeat(len(numbers)), numbers.repeat_interleave(len(ids)))
        drawn = kernel.sequences(task, seed, *pairs, purpose=purpose, dtype=dtype)
        parts.append([part.unflatten(-1, (len(numbers), len(ids))) for part in drawn])
    inputs, lengths, targets = (torch.cat(part, -2) for part in zip(*parts, strict=True))
    return Shown(inputs, lengths, targets[0])


def together(lessons: Sequence[Shown]) -> Shown:
    """Lessons side by side, with zeros before the shorter sequences."""
    steps = max(len(shown.inputs) for shown in lessons)
    inputs = [pad(shown.inputs, (0, 0) * 3 + (steps - len(shown.inputs), 0)) for shown in lessons]
    return Shown(
        torch.cat(inputs, -1),
        *(torch.cat([shown[k] for shown in lessons], -1) for k in (1, 2)),
    )


def from_begin(shown: Shown) -> Tensor:
    """The inputs aligned at their begins instead, (S, T, I, U); what comes after an end is of no account."""
    steps = len(shown.inputs)
    rows = torch.arange(steps, device=shown.lengths.device)[:, None, None] + steps - shown.lengths
    index = rows.clamp(max=steps - 1)[:, None].expand_as(shown.inputs)
    return shown.inputs.gather(0, index).permute(2, 0, 1, 3).contiguous()
