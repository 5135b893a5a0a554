"""The tasks: what is asked of a system, drawn for any run by its address.

Each task gives, for a batch of runs and one presentation, the inputs (T, sequences, runs) and the targets.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from lltd import philox
from lltd import tomita as languages
from lltd.kernels.stream import reference, stream
from lltd.philox import Purpose

PATTERNS = 2**31  # addresses of the 2-sequence problem's patterns, beyond those of any sequence


class Sequences(NamedTuple):
    """A set of S sequences for each of B runs: inputs (S, T, C, B), lengths and classes (0 or 1) int64 (S, B).

    Of T steps a sequence uses the first `length`; those after it are zero.
    """

    inputs: Tensor
    lengths: Tensor
    classes: Tensor


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


def latch_sequences(
    seed: int,
    ids: Tensor,
    *,
    first: int,
    count: int,
    shortest: int,
    longest: int,
    noise: float,
    kind: str = "uniform",
) -> Sequences:
    """The latch problem of 1994 with L = 1: at the first step the learner's own input for the class, then noise.

    Inputs have three channels: noise (zero at the first step), and for each class a pulse of 1 at the first step
    of its sequences, whose weight is the input that is learnt. Other arguments as in `two_sequence`.
    Source: [SLIDES94] on the results, after [BFS93] section II.
    """
    lengths, classes, _ = _drawn(seed, ids, first, count, shortest, longest)
    inputs = lengths.new_zeros(count, longest, 3, len(ids), dtype=torch.float64)
    inputs[:, 1:, 0] = _noise(seed, ids, first, count, longest, noise, kind)[:, 1:]
    inputs[:, 0, 1], inputs[:, 0, 2] = 1.0 - classes, 1.0 * classes
    return _cut(inputs, lengths, classes)


def two_sequence(
    seed: int,
    ids: Tensor,
    *,
    first: int,
    count: int,
    shortest: int,
    longest: int,
    patterns: Tensor,
    noise: float,
    kind: str = "uniform",
) -> Sequences:
    """The 2-sequence problem: the first N inputs are the class's own pattern, all later ones noise.

    ids: int64 (B,). Sequences first … first + count - 1, their classes in turn 0 and 1, their lengths uniform in
    shortest … longest = T. patterns: (N, 2) or (N, 2, B), see `random_patterns`. noise: of "uniform" kind its
    largest size, of "gaussian" kind its standard deviation. Raises ValueError.
    Sources: [SLIDES94] on the results (1994); [HS96] section 1 with N = 1, patterns -1 and 1 (1996).
    """
    lead = len(patterns)
    if patterns.shape not in ((lead, 2), (lead, 2, len(ids))):
        raise ValueError(
            f"patterns has shape {tuple(patterns.shape)}: (N, 2) or (N, 2, {len(ids)}) is needed"
        )
    if not 1 <= lead <= shortest:
        raise ValueError(f"patterns has {lead} steps: between 1 and shortest = {shortest} are needed")
    lengths, classes, _ = _drawn(seed, ids, first, count, shortest, longest)
    inputs = _noise(seed, ids, first, count, longest, noise, kind)
    own = patterns.to(inputs).reshape(lead, 2, -1).expand(lead, 2, len(ids))
    inputs[:, :lead] = torch.where(classes[:, None] == 1, own[:, 1], own[:, 0])
    return _cut(inputs[:, :, None], lengths, classes)


def random_patterns(seed: int, ids: Tensor, lead: int) -> Tensor:
    """Patterns of the 2-sequence problem, (lead, 2, B), each number uniform in (-1, 1)."""
    addresses = PATTERNS + torch.arange(-(-lead // 2), device=ids.device)
    u = philox.uniform(seed, ids, addresses[:, None], Purpose.TASK)  # (4, blocks, B)
    return (2 * u - 1).unflatten(0, (2, 2)).movedim(2, 0).flatten(0, 1)[:lead]


def parity(
    seed: int,
    ids: Tensor,
    *,
    first: int,
    count: int,
    shortest: int,
    longest: int,
    noise: float = 0.0,
    kind: str = "uniform",
) -> Sequences:
    """The parity problem: inputs -1 and 1 with noise added; class 1 if the number of ones is odd.

    The classes take turns; of the sequences of a class all are equally likely. Arguments as in `two_sequence`.
    Sources: [SLIDES94] on the results (1994, with noise); [HS96] section 1 (1996, without).
    """
    lengths, classes, u = _drawn(seed, ids, first, count, shortest, longest)
    bits = (u < 0.5).long()
    inside = torch.arange(longest, device=ids.device)[:, None] < lengths[:, None]
    bits[:, 0] = (bits[:, 1:] * inside[:, 1:]).sum(1) % 2 != classes  # the first bit settles the class
    inputs = 2.0 * bits - 1 + _noise(seed, ids, first, count, longest, noise, kind)
    return _cut(inputs[:, :, None], lengths, classes)


def tomita(
    seed: int,
    ids: Tensor,
    *,
    number: int,
    first: int,
    count: int,
    shortest: int,
    longest: int,
    negatives: str = "random",
) -> Sequences:
    """Strings to be told apart by one of Tomita's languages: inputs -1 for 0 and 1 for 1, class 1 if in the language.

    The classes take turns. Lengths are uniform over those from shortest to longest of which the class has strings,
    the strings of a length are drawn as in `lltd.tomita.draw`: those of class 1 as "accepted", those of class 0 as
    negatives says, "random", "near" or "cut". Other arguments as in `two_sequence`. Raises ValueError, also where a
    class has no strings of these lengths. Source: [HS96] section 1, which does not say how the negatives were drawn.
    """
    _check_window(first, count, shortest, longest)
    if negatives not in languages.KINDS or negatives == "accepted":
        raise ValueError(f"negatives is {negatives!r}: one of random, near, cut is needed")
    u = stream(seed, ids, first, count, longest + 1, Purpose.TASK)
    lengths, inputs = torch.zeros_like(u[:, 0], dtype=torch.int64), torch.zeros_like(u[:, 1:])
    classes = (torch.arange(first, first + count, device=ids.device) % 2)[:, None].expand(lengths.shape)
    for class_, kind in enumerate((negatives, "accepted")):
        own = slice((first + class_) % 2, None, 2)
        allowed = languages.lengths_with_members(number, shortest, longest, kind)
        lengths[own] = torch.tensor(allowed, device=ids.device)[(u[own, 0] * len(allowed)).long()]
        inputs[own] = 2.0 * languages.draw(number, u[own, 1:], lengths[own], kind) - 1
    return _cut(inputs[:, :, None], lengths, classes)


def _drawn(
    seed: int, ids: Tensor, first: int, count: int, shortest: int, longest: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Lengths (S, B), classes (S, B) and uniform numbers (S, T, B) of sequences first … first + count - 1."""
    _check_window(first, count, shortest, longest)
    u = stream(seed, ids, first, count, longest + 1, Purpose.TASK)
    lengths = shortest + (u[:, 0] * (longest - shortest + 1)).long()
    classes = (torch.arange(first, first + count, device=ids.device) % 2)[:, None].expand(lengths.shape)
    return lengths, classes, u[:, 1:]


def _check_window(first: int, count: int, shortest: int, longest: int) -> None:
    """Raise ValueError unless there are sequences first … first + count - 1 of these lengths."""
    if first < 0 or count < 1:
        raise ValueError(f"first is {first} and count is {count}: a sequence of number 0 or more is needed")
    if not 1 <= shortest <= longest:
        raise ValueError(f"shortest is {shortest} and longest {longest}: 1 <= shortest <= longest is needed")


def _noise(seed: int, ids: Tensor, first: int, count: int, steps: int, noise: float, kind: str) -> Tensor:
    """Noise of sequences first … first + count - 1: (S, T, B)."""
    if not noise >= 0:
        raise ValueError(f"noise is {noise}: a level, 0 or more, is needed")
    if kind not in ("uniform", "gaussian"):
        raise ValueError(f"kind is {kind!r}: one of uniform, gaussian is needed")
    if noise == 0:
        return torch.zeros(count, steps, len(ids), dtype=torch.float64, device=ids.device)
    if kind == "uniform":
        return noise * (2 * stream(seed, ids, first, count, steps, Purpose.NOISE) - 1)
    blocks = reference.addresses(ids, first, count, steps)
    return noise * reference.rows(philox.normal(seed, ids, blocks, Purpose.NOISE), count, steps)


def _cut(inputs: Tensor, lengths: Tensor, classes: Tensor) -> Sequences:
    """The sequences with zeros after their ends."""
    inside = torch.arange(inputs.shape[1], device=lengths.device)[:, None, None] < lengths[:, None, None]
    return Sequences(inputs * inside, lengths, classes.contiguous())


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
