"""Runs side by side: which may share a batch, how a batch goes on without those that are done, what is kept of them."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lltd.philox import Purpose, uniform

Settings = dict[str, Any]
STORED = {torch.int64: np.int32, torch.float64: np.float32, torch.float32: np.float32, torch.bool: np.bool_}
AHEAD = 64  # rounds whose random numbers are drawn together: a draw costs the same time for few and for many


def alike(settings: Sequence[Settings], apart: Collection[str]) -> list[list[int]]:
    """Rows of runs that can be made in one batch: they share all settings but those that may be `apart`."""
    groups: dict[str, list[int]] = {}
    for row, setting in enumerate(settings):
        shared = {key: value for key, value in sorted(setting.items()) if key not in apart}
        groups.setdefault(repr(shared), []).append(row)
    return list(groups.values())


def by_cell(
    cells: Sequence[Settings], ids: Tensor, make: Callable[[Tensor, Settings], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """Outcomes of runs, (B, ...) each, where make(ids, setting) has those of one cell: run i is of cell i mod C.

    ids: int64 (B,), of the runs, which `make` is given too.
    """
    found: dict[str, Tensor] = {}
    for cell in (ids % len(cells)).unique().tolist():
        rows = ids % len(cells) == cell
        for name, value in make(ids[rows], cells[cell]).items():
            found.setdefault(name, value.new_empty(len(ids), *value.shape[1:]))[rows] = value
    return found


def stored(found: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """Outcomes as they are put on record, numbers in 32 bits."""
    return {name: value.cpu().numpy().astype(STORED[value.dtype]) for name, value in found.items()}


def each(settings: Sequence[Settings], name: str, device: torch.device | str = "cpu") -> Tensor:
    """One setting of every run: float64 (B,)."""
    return torch.tensor([setting[name] for setting in settings], dtype=torch.float64, device=device)


def positive(name: str, value: Tensor | float, runs: Tensor) -> Tensor:
    """A setting of every run, (B,), for runs (B,) int64. Raises ValueError unless it is positive."""
    value = torch.as_tensor(value, dtype=torch.float64, device=runs.device).expand(runs.shape)
    require(value > 0, name, value, "a positive number")
    return value


def fraction(name: str, value: Tensor | float, runs: Tensor, *, zero: bool = False) -> Tensor:
    """A setting of every run, (B,). Raises ValueError unless it lies in (0, 1), or with `zero` in [0, 1)."""
    value = torch.as_tensor(value, dtype=torch.float64, device=runs.device).expand(runs.shape)
    require(
        ((value > 0) | ((value == 0) & zero)) & (value < 1),
        name,
        value,
        f"a number in {'[' if zero else '('}0, 1)",
    )
    return value


def require(holds: Tensor, name: str, value: Tensor, allowed: str) -> None:
    """Raise ValueError, naming argument and first value at fault, unless the condition holds in every run (B,)."""
    if not holds.all():
        raise ValueError(f"{name} is {value[~holds][0].item():g}: {allowed} is needed")


@dataclass
class Batch:
    """Runs side by side: of each field that is a tensor the last axis counts runs, (…, B)."""

    def keep(self, chosen: Tensor) -> None:
        """Go on with the chosen runs only: bool (B,)."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                setattr(self, field.name, value[..., chosen].contiguous())
            elif isinstance(value, Batch):
                value.keep(chosen)


@dataclass
class Chance(Batch):
    """What a search leaves to chance: in each round `count` uniform numbers in (0, 1) for every run.

    ids: int64 (B,). Round k of a run has the numbers of Purpose.SEARCH from its k-th stretch of blocks.
    """

    seed: int
    ids: Tensor
    count: int
    first: int = -AHEAD
    drawn: Tensor | None = None

    def round(self, k: int) -> Tensor:
        """The numbers of round k: (count, B)."""
        if not self.first <= k < self.first + AHEAD:
            self.first, blocks = k - k % AHEAD, -(-self.count // 4)
            steps = self.first * blocks + torch.arange(AHEAD * blocks, device=self.ids.device)
            u = uniform(self.seed, self.ids, steps[:, None], Purpose.SEARCH)  # (4, AHEAD * blocks, B)
            self.drawn = u.unflatten(1, (AHEAD, blocks)).permute(1, 2, 0, 3).flatten(1, 2)[:, : self.count]
        return self.drawn[k - self.first]
