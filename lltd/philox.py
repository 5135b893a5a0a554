"""Counter-based randomness: Philox4x32-10, in plain torch int64, the same bits on every device.

A random number has an address, not a history: (seed, id, step, purpose). Whoever knows the address of a
run can draw that run's numbers alone, in any order, on any machine, and get the same ones.

Source: Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3".
"""

from enum import IntEnum

import torch
from torch import Tensor

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)  # Salmon et al. 2011, section 3.3
WEYL = (0x9E3779B9, 0xBB67AE85)  # golden ratio and sqrt(3) - 1, as 32-bit fractions
ROUNDS = 10
MASK = 0xFFFFFFFF


class Purpose(IntEnum):
    """What a number is drawn for; the last word of the counter, so that purposes never share numbers."""

    INITIAL = 0  # initial parameters of a run
    NOISE = 1  # noise on the inputs, in training and in demonstrations
    TEST = 2  # noise on the inputs, when a trained run is examined
    RESAMPLE = 3  # the resampling behind a verdict
    TASK = 4  # which sequence a task presents
    SEARCH = 5  # what a method of learning leaves to chance


def philox4x32(counter: Tensor, key: tuple[int, int]) -> Tensor:
    """Ten rounds of Philox4x32: counter (4, ...) int64 and key, all words in [0, 2**32), to words alike."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        product0, product1 = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]  # wraps mod 2**64: the bits are right
        c0, c1, c2, c3 = (
            ((product1 >> 32) & MASK) ^ c1 ^ k0,
            product1 & MASK,
            ((product0 >> 32) & MASK) ^ c3 ^ k1,
            product0 & MASK,
        )
        k0, k1 = (k0 + WEYL[0]) & MASK, (k1 + WEYL[1]) & MASK
    return torch.stack((c0, c1, c2, c3))


def block(seed: int, ids: Tensor | int, step: Tensor | int, purpose: int) -> Tensor:
    """Four random 32-bit words for each address.

    seed: key of the generator, 0 <= seed < 2**63. ids, step: int64 tensors (or ints) that broadcast to one
    shape S; ids non-negative, steps in [0, 2**32). Returns int64 of shape (4, *S), each in [0, 2**32).
    Raises ValueError or TypeError for a seed, step or type out of range.
    """
    _check(seed, ids, step, purpose)
    ids = torch.as_tensor(ids)
    step = torch.as_tensor(step, device=ids.device)
    ids, step = torch.broadcast_tensors(ids, step)
    counter = torch.stack((ids & MASK, ids >> 32, step, torch.full_like(step, int(purpose))))
    return philox4x32(counter, (seed & MASK, seed >> 32))


def uniform(
    seed: int,
    ids: Tensor | int,
    step: Tensor | int,
    purpose: int,
    dtype: torch.dtype = torch.float64,
) -> Tensor:
    """Four uniform numbers in (0, 1) for each address: ((word >> 9) + 1/2) / 2**23, exact in float32 too."""
    return ((block(seed, ids, step, purpose) >> 9).to(dtype) + 0.5) * 2.0**-23


def normal(
    seed: int,
    ids: Tensor | int,
    step: Tensor | int,
    purpose: int,
    dtype: torch.dtype = torch.float64,
) -> Tensor:
    """Four standard normal numbers for each address, by Box & Muller 1958; shape (4, *S).

    Words (0, 1) give the first pair, words (2, 3) the second. No value exceeds sqrt(48 ln 2) = 5.77.
    """
    u = uniform(seed, ids, step, purpose, dtype)
    radius = torch.sqrt(-2 * torch.log(u[0::2]))
    angle = 2 * torch.pi * u[1::2]
    pairs = torch.stack((radius * torch.cos(angle), radius * torch.sin(angle)), dim=1)
    return pairs.flatten(0, 1)


def integers(seed: int, ids: Tensor | int, step: Tensor | int, purpose: int, high: Tensor | int) -> Tensor:
    """Four integers in [0, high) for each address: (word * high) >> 32, int64, shape (4, *S).

    Needs 1 <= high < 2**31. A value's probability is off by at most 2**-32.
    """
    if isinstance(high, int) and not 1 <= high < 2**31:
        raise ValueError(f"high is {high}: an integer in [1, 2**31) is needed")
    return (block(seed, ids, step, purpose) * high) >> 32


def permutation(seed: int, ids: Tensor, step: int, purpose: int, size: int) -> Tensor:
    """A random order of 0 … size - 1 for each id, by Fisher & Yates; int64, shape (*ids.shape, size).

    Takes ceil(size / 4) consecutive blocks, so permutation number `step` of an id starts at that multiple.
    """
    if size < 1:
        raise ValueError(f"size is {size}: a permutation needs at least one element")
    blocks = -(-size // 4)
    steps = step * blocks + torch.arange(blocks, device=ids.device)
    words = block(seed, ids[..., None], steps, purpose).movedim(0, -1).flatten(-2)  # (*ids.shape, 4 * blocks)
    order = torch.arange(size, device=ids.device).repeat(*ids.shape, 1)
    for last in range(size - 1, 0, -1):
        chosen = (words[..., last : last + 1] * (last + 1)) >> 32
        value = order.gather(-1, chosen)
        order.scatter_(-1, chosen, order[..., last : last + 1].clone())
        order[..., last : last + 1] = value
    return order


def _check(seed: int, ids: Tensor | int, step: Tensor | int, purpose: int) -> None:
    if not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise ValueError(f"seed is {seed!r}: an integer in [0, 2**63) is needed")
    if isinstance(step, int) and not 0 <= step < 2**32:
        raise ValueError(f"step is {step}: an integer in [0, 2**32) is needed")
    if isinstance(ids, int) and not 0 <= ids < 2**63:
        raise ValueError(f"ids is {ids}: run ids lie in [0, 2**63)")
    for name, value in (("ids", ids), ("step", step)):
        if isinstance(value, Tensor) and value.dtype != torch.int64:
            raise TypeError(f"{name} is {value.dtype}: int64 is needed")
    if not 0 <= purpose < 2**32:
        raise ValueError(f"purpose is {purpose}: one of {', '.join(Purpose.__members__)} is needed")
