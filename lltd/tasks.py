"""The tasks: what is asked of a system, drawn for any run by its address.

Each task gives, for a batch of runs and one presentation, the inputs (T, sequences, runs) and the targets.
"""

import torch
from torch import Tensor

from lltd import philox
from lltd.philox import Purpose


def latch(
    seed: int,
    ids: Tensor,
    presentation: int,
    *,
    length: int,
    lead: int,
    noise: Tensor | float,
    target: float = 0.8,
    purpose: Purpose = Purpose.NOISE,
    dtype: torch.dtype = torch.float64,
) -> tuple[Tensor, Tensor]:
    """One presentation of the minimal task: a pair of sequences, one for each class.

    The first `lead` = L inputs are the learner's own (zero here); those after them are Gaussian noise of
    standard deviation `noise` (scalar or one per run). Returns inputs (T, 2, runs) and targets (2, 1), -target
    for class 0 and +target for class 1. Raises ValueError unless 1 <= L <= T, noise >= 0 and 0 < target < 1.
    Source: [BFS93] section II.
    """
    check_latch(length, lead, noise, target)
    inputs = torch.zeros(length, 2, len(ids), dtype=dtype, device=ids.device)
    inputs[lead:] = noise * latch_noise(seed, ids, presentation, length - lead, purpose, dtype)
    return inputs, torch.tensor([[-target], [target]], dtype=dtype, device=ids.device)


def latch_noise(
    seed: int, ids: Tensor, presentation: int, steps: int, purpose: int, dtype: torch.dtype = torch.float64
) -> Tensor:
    """Standard normal noise of one presentation for both classes, (steps, 2, runs).

    A Philox block serves two time steps: words (0, 1) give both classes their noise at the first, words (2, 3)
    at the second. Presentation p of a task with m steps starts at block p * ceil(m / 2).
    """
    blocks = -(-steps // 2)
    addresses = presentation * blocks + torch.arange(blocks, device=ids.device)
    z = philox.normal(seed, ids, addresses[:, None], purpose, dtype)  # (4, blocks, runs)
    return z.unflatten(0, (2, 2)).movedim(2, 0).flatten(0, 1)[:steps]


def check_latch(length: int, lead: int, noise: Tensor | float, target: float) -> None:
    """Raise ValueError, naming argument and value, unless these settings make a minimal task."""
    if lead < 1:
        raise ValueError(f"lead is {lead}: at least one input must be learnable")
    if length < lead:
        raise ValueError(f"length is {length}, shorter than lead = {lead}: T >= L is needed")
    if not torch.all(torch.as_tensor(noise) >= 0):
        raise ValueError(f"noise is {noise}: a standard deviation is not negative")
    if not 0 < target < 1:
        raise ValueError(f"target is {target}: a value of tanh in (0, 1) is needed")
