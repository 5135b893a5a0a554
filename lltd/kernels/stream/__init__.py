"""Random numbers for many sequences at once: what a task draws a training set from."""

import torch
from torch import Tensor

from lltd.kernels.op import Op
from lltd.kernels.stream import reference


def _stream(seed: int, ids: Tensor, first: int, count: int, steps: int, purpose: int, like: Tensor) -> Tensor:
    return like.new_empty(count, steps, len(ids))


STREAM = Op("stream", reference.stream, _stream)


def stream(
    seed: int,
    ids: Tensor,
    first: int,
    count: int,
    steps: int,
    purpose: int,
    dtype: torch.dtype = torch.float64,
) -> Tensor:
    """Uniform numbers in (0, 1), (S, T, B): T = steps for each of S = count sequences, from number first on.

    ids: int64 (B,), of the runs that own the sequences. Each number is that of its Philox address, whichever others
    are drawn with it. Raises ValueError or TypeError.
    """
    if ids.dtype != torch.int64 or ids.ndim != 1:
        raise TypeError(f"ids is {ids.dtype} {tuple(ids.shape)}: int64 of shape (runs,) is needed")
    if not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise ValueError(f"seed is {seed!r}: an integer in [0, 2**63) is needed")
    if first < 0 or count < 1 or steps < 1:
        raise ValueError(
            f"first is {first}, count {count}, steps {steps}: 0, 1 and 1 are the least there can be"
        )
    if not (first + count) * -(-steps // 4) <= 2**32:
        raise ValueError(f"first is {first}, count {count}, steps {steps}: a run has 2**34 numbers")
    return STREAM(
        seed, ids, first, count, steps, int(purpose), torch.empty(0, dtype=dtype, device=ids.device)
    )
