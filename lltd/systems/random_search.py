"""Random search: guess the weights, drop a net at its first mistake, stop at the first that makes none.

A guess is shown the sequences of its trial's training set in order. [HS96] section 1: "REPEAT randomly initialize the
weights and test the resulting net on a training set UNTIL solution found". Guess c of trial r has the id r 2³² + c.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from lltd.kernels import guess, sieve, small_net
from lltd.kernels.guess import Topology
from lltd.kernels.small_net import Net
from lltd.tasks import Sequences

GUESSES = 2**32  # that a trial has numbers for
TOGETHER = {"cpu": 8192, "cuda": 2**20}  # guesses looked at in one go, at most: no outcome depends on it
FEW = 256  # in the first go
WORDS, WORD = 4, 3  # how many words nets are rejected by, and their length
SOUGHT = 32  # sequences, and steps, that are looked at for words and for symbols


class Lessons(NamedTuple):
    """What one net must get right: sequences (S, T, C) and lengths (S,), as in `Sequences`, and targets (S,)."""

    inputs: Tensor
    lengths: Tensor
    targets: Tensor


class Found(NamedTuple):
    """What came of a search: guesses made, and whether the last was right."""

    guesses: int
    solved: bool


class Clues(NamedTuple):
    """What a training set has on nets that can be seen without running them through it.

    words: float32 (W, K), the last inputs of some sequences. asked: float32 (A, W), for each word the targets of the
    sequences that end so, some repeated where words have fewer. symbols uint8 (S, T) and alphabet: the inputs, where
    there are few values and a face that gains by it.
    """

    words: Tensor
    asked: Tensor
    symbols: Tensor | None
    alphabet: Tensor | None


def lessons(sequences: Sequences, trial: int, low: float, high: float) -> Lessons:
    """Those of one trial of a batch; targets: low for class 0, high for class 1."""
    inputs, lengths, classes = (part[..., trial].contiguous() for part in sequences)
    return Lessons(inputs, lengths, torch.where(classes == 1, high, low).to(inputs))


def answers(net: Topology | Net, theta: Tensor, shown: Lessons) -> Tensor:
    """What nets with weights theta (P, B) answer at the ends of the sequences, (S, B), in theta's precision."""
    inputs = shown.inputs.to(theta)
    if isinstance(net, Topology):
        return guess.ends(net, theta, inputs[:, :, 0].contiguous(), shown.lengths)
    many = theta.shape[1]
    return small_net.ends(
        net, theta, inputs[..., None].expand(-1, -1, -1, many), shown.lengths[:, None].expand(-1, many)
    )


def weights(net: Topology | Net, seed: int, ids: Tensor, span: float, dtype: torch.dtype) -> Tensor:
    """The weights of guesses, (P, B), uniform in ±span, single-precision numbers."""
    return guess.reference.draw(seed, ids, net.weights, span, dtype)


def clues(shown: Lessons) -> Clues:
    """Those of one training set.

    Words that end sequences of several targets come first, and of those the ones whose inputs change most: where
    inputs stay the same, units with loops of their own stay undecided.
    """
    inputs = shown.inputs[:, :, 0].float()
    own = [s for s, length in enumerate(shown.lengths[:SOUGHT].tolist()) if length >= WORD]
    places = shown.lengths[own, None] - WORD + torch.arange(WORD, device=inputs.device)
    asked: dict[tuple[float, ...], list[float]] = {}
    for word, target in zip(inputs[own].gather(1, places).tolist(), shown.targets[own].tolist(), strict=True):
        targets = asked.setdefault(tuple(word), [])
        if target not in targets:
            targets.append(target)
    best = sorted(asked, key=lambda word: (len(asked[word]), _change(word)), reverse=True)[:WORDS]
    words = torch.tensor(best, dtype=inputs.dtype, device=inputs.device).reshape(-1, WORD)
    most = max((len(asked[word]) for word in best), default=1)
    targets = words.new_tensor([(asked[word] * most)[:most] for word in best]).reshape(-1, most).T
    inside = torch.arange(inputs.shape[1], device=inputs.device) < shown.lengths[:, None]
    inputs = torch.where(inside, inputs, inputs[0, 0])
    alphabet = inputs[:2, :SOUGHT].unique()
    # Other faces would run each net to its end.
    if len(alphabet) <= sieve.SYMBOLS and sieve.face(alphabet) == "cpu.cpp":
        above, up_to = ([compare(inputs, symbol) for symbol in alphabet] for compare in (torch.gt, torch.ge))
        # No input lies between two symbols, below the first or above the last.
        between = any(not torch.equal(low, high) for low, high in zip(above, up_to[1:], strict=False))
        if up_to[0].all() and not above[-1].any() and not between:
            return Clues(words, targets, sum(part.view(torch.uint8) for part in above), alphabet)
    return Clues(words, targets, None, None)


def _change(word: tuple[float, ...]) -> float:
    """How far inputs go, from one to the next and on."""
    return sum(abs(b - a) for a, b in pairwise(word))


def stood(
    net: Topology | Net,
    seed: int,
    ids: Tensor,
    shown: Lessons,
    known: Clues | None = None,
    *,
    span: float,
    tolerance: float,
) -> Tensor:
    """How many sequences in a row each guess has right, |error| < tolerance, before its first mistake: int64 (B,).

    With clues, nets on few symbols are followed from state to state. Without, each step of each net is computed. Most
    nets fail on one of the first two sequences: these are then shown one by one, those after them 2, 4, 8 … together.
    """
    if isinstance(net, Topology) and known is not None and known.symbols is not None:
        coded = known.symbols, known.alphabet, shown.lengths, shown.targets.float()
        return sieve.stood(net, seed, ids, *coded, span=span, tolerance=tolerance)
    count = torch.zeros_like(ids)
    left, first, some = torch.arange(len(ids), device=ids.device), 0, 1
    while first < len(shown.lengths) and len(left):
        now = Lessons(*(part[first : first + some] for part in shown))
        if isinstance(net, Topology):
            inputs = now.inputs[:, :, 0].float().contiguous()
            given = guess.guess(net, seed, ids[left], inputs, now.lengths, span=span)
        else:
            given = answers(net, weights(net, seed, ids[left], span, torch.float32), now)
        right = (given - now.targets[:, None].to(given)).abs() < tolerance
        count[left] += right.cumprod(0).sum(0)
        left = left[right.all(0)]
        first += len(now.lengths)
        some = first if first > 1 else 1
    return count


def possible(net: Topology, seed: int, ids: Tensor, known: Clues, *, span: float, tolerance: float) -> Tensor:
    """Which guesses are not rejected by words: bool (B,).

    A net whose output is confined after a word, whatever it was before, gives much the same answer to all sequences
    that end so. Where no such answer is right for one of them, the net is rejected.
    """
    return sieve.possible(net, seed, ids, known.words, known.asked, span=span, tolerance=tolerance)


def passed(
    net: Topology | Net,
    seed: int,
    ids: Tensor,
    shown: Lessons,
    known: Clues,
    *,
    span: float,
    tolerance: float,
) -> Tensor:
    """Which guesses have all sequences right: bool (B,), decided as `stood` decides, mostly without running them."""
    right = torch.ones_like(ids, dtype=torch.bool)
    if isinstance(net, Topology):
        right = possible(net, seed, ids, known, span=span, tolerance=tolerance)
    count = stood(net, seed, ids[right], shown, known, span=span, tolerance=tolerance)
    right[right.clone()] = count == len(shown.lengths)
    return right


def presentations(
    net: Topology | Net, seed: int, trial: int, shown: Lessons, guesses: int, *, span: float, tolerance: float
) -> int:
    """How often a search of so many guesses shows a sequence to a net: each until its first mistake."""
    known, total = clues(shown), 0
    for candidates in torch.arange(guesses, device=shown.inputs.device).split(
        TOGETHER[shown.inputs.device.type]
    ):
        ids = trial * GUESSES + candidates
        count = stood(net, seed, ids, shown, known, span=span, tolerance=tolerance)
        total += int((count + 1).clamp(max=len(shown.lengths)).sum())
    return total


def search(
    net: Topology | Net,
    seed: int,
    trial: int,
    shown: Lessons,
    *,
    budget: int,
    span: float = 100.0,
    tolerance: float = 0.1,
) -> Found:
    """Guess until a net has all sequences right, or the budget of guesses is used up.

    trial: below 2**31. Raises ValueError for a budget or trial out of range, or a
    tolerance that is not positive. Source: [HS96] section 1.
    """
    if not 1 <= budget <= GUESSES:
        raise ValueError(f"budget is {budget}: between 1 and {GUESSES} guesses are possible")
    if not 0 <= trial < GUESSES // 2:
        raise ValueError(f"trial is {trial}: an integer in [0, {GUESSES // 2}) is needed")
    if not tolerance > 0:
        raise ValueError(f"tolerance is {tolerance}: a positive number is needed")
    known = clues(shown)
    made, some = 0, FEW
    while made < budget:
        candidates = torch.arange(made, min(made + some, budget), device=shown.inputs.device)
        right = passed(net, seed, trial * GUESSES + candidates, shown, known, span=span, tolerance=tolerance)
        if right.any():
            return Found(made + int(right.nonzero()[0]) + 1, True)
        made += len(candidates)
        some = min(2 * some, TOGETHER[shown.inputs.device.type])
    return Found(budget, False)
