"""What the LSTM of 1996 is shown: tasks that ask for something at the end of a sequence, drawn for any trial.

Letters: B trials, T the nominal length, I inputs, O outputs. Steps are counted from a sequence's end, k = 0 the last.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from lltd.philox import Purpose, block, normal

ADDING, MULTIPLICATION, ORDER_OF_TWO, ORDER_OF_THREE, TWO_SEQUENCE = range(5)
SHAPES = {  # I, O
    ADDING: (2, 1),
    MULTIPLICATION: (2, 1),
    ORDER_OF_TWO: (8, 4),
    ORDER_OF_THREE: (8, 8),
    TWO_SEQUENCE: (1, 1),
}
# Variants of a task. What becomes of a first pair that is drawn for a mark: see `marked_pairs`. Where else noise is
# heard than in the elements that tell nothing: see `two_sequence`, whose variant is PLACES N + that.
NEUTRAL, UNMARKED = 0, 1
PLACES = 3
NOWHERE, ELEMENTS, TARGETS = range(PLACES)


class Sequences(NamedTuple):
    """One sequence for each of B trials: inputs (T, I, B), lengths int64 (B), targets (O, B).

    The sequences are aligned at their ends: a trial's own is the last `length` rows.
    """

    inputs: Tensor
    lengths: Tensor
    targets: Tensor


def blocks_of(length: int) -> int:
    """How many Philox blocks a sequence takes: one for its length and marks, then one for every four steps."""
    return 1 + -(-(length + length // 10) // 4)


def draw(
    seed: int,
    ids: Tensor,
    numbers: Tensor,
    task: int,
    length: int,
    variant: int,
    purpose: int,
    dtype: torch.dtype,
) -> Sequences:
    """Sequence number `numbers` (B) of each trial `ids` (B), of T … T + T/10 steps, T = length.

    What it shows is drawn by the distance from its end, k = 0 the last step: word k % 4 of block 1 + k // 4, or its
    normal. Its length and the places of what counts are drawn from the words of block 0.
    """
    begin, longest = numbers * blocks_of(length), length + length // 10
    places = block(seed, ids, begin, purpose)
    lengths = length + below(places[0], length // 10 + 1)
    addresses = begin + torch.arange(1, blocks_of(length), device=ids.device)[:, None]
    if task == TWO_SEQUENCE:
        noise = normal(seed, ids, addresses, purpose, dtype).transpose(0, 1).flatten(0, 1)[:longest]
        # Tests ask for the expected target: only what is learnt from is noisy.
        heard = normal(seed, ids, begin, purpose, dtype)[2] * (purpose == Purpose.TASK)
        inputs, targets = two_sequence(noise, heard, places[1], lengths, *divmod(variant, PLACES))
    else:
        words = block(seed, ids, addresses, purpose).transpose(0, 1).flatten(0, 1)[:longest]
        if task in (ADDING, MULTIPLICATION):
            inputs, targets = marked_pairs(words, places[1:], lengths, length, task, variant, dtype)
        else:
            inputs, targets = temporal_order(words, places[1:], lengths, length, task, dtype)
    inside = torch.arange(longest, device=ids.device)[:, None, None] < lengths
    return Sequences((inputs * inside).flip(0), lengths, targets)


def below(word: Tensor, high: int) -> Tensor:
    """Integers in [0, high) from 32-bit words."""
    return (word * high) >> 32


def marked_pairs(
    words: Tensor,
    places: Tensor,
    lengths: Tensor,
    length: int,
    task: int,
    first_pair: int,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor]:
    """Adding and multiplication: pairs of a value and a marker (T + T/10, 2, B), k = 0 first, and targets (1, B).

    One of the first ten pairs is marked, then one of the first T/2 - 1 still unmarked ones. Markers are 1 where
    marked, -1 at both ends, 0 elsewhere. ADDING: values uniform in (-1, 1), the target is 1/2 + (X1 + X2) / 4, the
    neutral value 0. MULTIPLICATION: values uniform in (0, 1), the target is X1 X2, the neutral value 1. If a mark falls
    on the first pair, its value becomes the neutral one; its marker becomes 1 (NEUTRAL) or stays -1 (UNMARKED).
    Sources: [HS96] section 3; Hochreiter & Schmidhuber 1997, experiment 5.
    """
    first, second = below(places[0], 10), below(places[1], length // 2 - 1)
    second = second + (second >= first)  # counted among the pairs still unmarked
    values = ((words >> 9).to(dtype) + 0.5) * 2.0**-23  # as in lltd.philox.uniform
    if task == ADDING:
        values = 2 * values - 1
    k = torch.arange(len(words), device=words.device)[:, None]
    at_first, marks = k == lengths - 1, torch.stack((lengths - 1 - first, lengths - 1 - second))
    marked = (k == marks[0]) | (k == marks[1])
    values = torch.where(marked & at_first, float(task == MULTIPLICATION), values)
    markers = torch.where(at_first | (k == 0), -1.0, 0.0)
    markers = torch.where(marked & ~(at_first & (first_pair == UNMARKED)), 1.0, markers)
    X1, X2 = values.gather(0, marks)
    target = 0.5 + (X1 + X2) / 4 if task == ADDING else X1 * X2
    return torch.stack((values, markers.to(dtype)), 1), target[None]


def temporal_order(
    words: Tensor, places: Tensor, lengths: Tensor, length: int, task: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Temporal order: symbols E, B, a, b, c, d, X, Y one-hot (T + T/10, 8, B), k = 0 first, and targets (O, B).

    E comes first, B last, and between them any of a … d, but for two or three symbols that are X or Y, as likely. The
    class is their order, XX, XY, YX, YY, or XXX … YYY: of that output the target is 1, of the others 0. Counted from
    0, their steps are uniform from T/10, T/2 (two symbols) or from T/10, 33T/100, 66T/100 (three), each to T/10 later.
    Source: Hochreiter & Schmidhuber 1997, experiments 6a and 6b, which have T = 100.
    """
    earliest = (10, 50) if task == ORDER_OF_TWO else (10, 33, 66)
    k = torch.arange(len(words), device=words.device)[:, None]
    shown, order = 2 + (words >> 30), torch.zeros_like(lengths)
    for percent, word in zip(earliest, places, strict=False):
        mark = lengths - 1 - percent * length // 100 - below(word, length // 10 + 1)
        shown = torch.where(k == mark, 6 + (word & 1), shown)
        order = 2 * order + (word & 1)
    shown = torch.where(k == 0, 1, torch.where(k == lengths - 1, 0, shown))
    inputs, outputs = (torch.arange(number, device=words.device)[:, None] for number in SHAPES[task])
    return (shown[:, None] == inputs).to(dtype), (order == outputs).to(dtype)


def two_sequence(
    noise: Tensor, heard: Tensor, word: Tensor, lengths: Tensor, elements: int, place: int
) -> tuple[Tensor, Tensor]:
    """The 2-sequence problem: inputs (T + T/10, 1, B), k = 0 first, and targets (1, B), from normals and a word.

    The first `elements` = N inputs are 1 for class 1, whose target is 1, and -1 for class 2, whose target is 0. All
    others are noise of variance 0.2, which place = ELEMENTS adds to the first ones, too. place = TARGETS: the targets
    are 0.2 and 0.8 instead, and noise of variance 0.1 is added, from `heard` (B).
    Source: Hochreiter & Schmidhuber 1997, experiments 3a, 3b and 3c, with N = 1 and 3.
    """
    k = torch.arange(len(noise), device=noise.device)[:, None]
    noise, first = 0.2**0.5 * noise, word & 1
    told = noise.new_tensor((-1, 1))[first] + (noise if place == ELEMENTS else 0)
    wanted = noise.new_tensor((0.8, 0.2) if place == TARGETS else (0, 1))[first]
    target = wanted + (0.1**0.5 * heard if place == TARGETS else 0)
    return torch.where(lengths - 1 - k < elements, told, noise)[:, None], target[None]
