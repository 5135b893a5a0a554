"""Random numbers for many sequences: a row of uniform numbers for each.

Letters: S sequences, T steps, B runs.
"""

import torch
from torch import Tensor

from lltd.philox import uniform


def stream(seed: int, ids: Tensor, first: int, count: int, steps: int, purpose: int, like: Tensor) -> Tensor:
    """Uniform numbers (S, T, B) of sequences first … first + S - 1, S = count, T = steps."""
    drawn = uniform(seed, ids, addresses(ids, first, count, steps), purpose, like.dtype)
    return rows(drawn, count, steps).contiguous()


def addresses(ids: Tensor, first: int, count: int, steps: int) -> Tensor:
    """The Philox blocks of these sequences, (S blocks, 1): one serves four steps."""
    blocks = -(-steps // 4)
    return first * blocks + torch.arange(count * blocks, device=ids.device)[:, None]


def rows(drawn: Tensor, count: int, steps: int) -> Tensor:
    """What was drawn from these blocks, (4, S blocks, B), as a row of numbers for each sequence, (S, T, B)."""
    return drawn.unflatten(1, (count, -1)).permute(1, 2, 0, 3).flatten(1, 2)[:, :steps]
