"""Guessed nets put to the test: which must fail, whatever they were before, and how long each one stands.

`boxes` bounds what nets can answer after a word, by interval arithmetic, and `possible` decides by it. `stood` counts
the sequences that each net has right; its C++ face computes no step twice, as a net on few symbols has few states. All
speak of the same nets, bit by bit, as `lltd.kernels.guess` runs in single precision.
"""

import torch
from torch import Tensor

from lltd.kernels.guess import ORDERS, Topology, check_draw, check_sequences, table
from lltd.kernels.op import Op
from lltd.kernels.sieve import reference

SYMBOLS = 4  # that `stood` can tell apart
LAST = 0x4A000000  # the number of the float 2²¹, `lltd.kernels.guess.REACH`


def _boxes(seed: int, ids: Tensor, words: Tensor, *others: Tensor | float) -> Tensor:
    return words.new_empty(len(words), 2, len(ids))


def _possible(seed: int, ids: Tensor, *others: Tensor | float) -> Tensor:
    return torch.empty_like(ids, dtype=torch.bool)


def _stood(seed: int, ids: Tensor, *others: Tensor | float) -> Tensor:
    return torch.empty_like(ids)


def _slack(first: int, count: int, widening: Tensor) -> Tensor:
    return widening.new_empty(5)


SLACK = Op("sieve_slack", reference.slack, _slack)
BOXES = Op("sieve_boxes", reference.boxes, _boxes)
POSSIBLE = Op("sieve_possible", reference.possible, _possible)
STOOD = Op("sieve_stood", reference.stood, _stood)


def boxes(net: Topology, seed: int, ids: Tensor, words: Tensor, *, span: float = 100.0) -> Tensor:
    """Between what bounds the nets' outputs lie after each word, whatever all units were before it: (W, 2, B).

    ids: int64 (B,). words: float32 (W, K), W words of K inputs. Never too narrow: what `lltd.kernels.guess` makes of
    these nets in single precision, on the same kind of face, lies within. Raises ValueError or TypeError.
    """
    _check_words(net, seed, ids, words, span)
    return BOXES(seed, ids, words, table(net, ids.device), net.hidden, ORDERS[net.order], span)


def possible(
    net: Topology,
    seed: int,
    ids: Tensor,
    words: Tensor,
    asked: Tensor,
    *,
    span: float = 100.0,
    tolerance: float = 0.1,
) -> Tensor:
    """Which nets may answer rightly, |error| < tolerance, after every word, whatever units were before it: bool (B,).

    asked: float32 (A, W), targets of sequences that end with each word. Others as in `boxes`; a net that can be right
    is never rejected. Raises ValueError or TypeError.
    """
    _check_words(net, seed, ids, words, span)
    _check_single("asked", asked)
    if asked.ndim != 2 or asked.shape[1] != len(words) or asked.device != ids.device:
        needed = f"(targets, {len(words)}) on {ids.device}"
        raise ValueError(f"asked is {tuple(asked.shape)} on {asked.device}: {needed} is needed, as words has")
    chosen = table(net, ids.device), net.hidden, ORDERS[net.order]
    return POSSIBLE(seed, ids, words, asked, *chosen, span, tolerance)


def slack(
    first: int, count: int, relative: float = reference.RELATIVE, absolute: float = reference.ABSOLUTE
) -> Tensor:
    """How far from monotone the logistic function is on `count` floats in a row, from number `first` on: float32 (5,).

    Floats are numbered in order of size, 0 being number 0; 2²¹ has the number LAST. Returned: the largest value, the
    largest lower bound, the least value, the least upper bound, with these widenings; and the number of floats whose
    bounds do not hold what they should, see `reference.slack`. Raises ValueError.
    """
    if count < 1 or first < -LAST or first + count - 1 > LAST:
        raise ValueError(
            f"floats {first} … {first + count - 1}: numbers within ±{LAST}, one at least, are needed"
        )
    return SLACK(first, count, torch.tensor((relative, absolute), dtype=torch.float32))


def stood(
    net: Topology,
    seed: int,
    ids: Tensor,
    symbols: Tensor,
    alphabet: Tensor,
    lengths: Tensor,
    targets: Tensor,
    *,
    span: float = 100.0,
    tolerance: float = 0.1,
) -> Tensor:
    """How many sequences in a row each net has right at the end, |error| < tolerance, from the first on: int64 (B,).

    ids: int64 (B,). symbols: uint8 (S, T), places in the alphabet, float32 (A,), A at most SYMBOLS. lengths: int64
    (S,), in 1 … T. targets: float32 (S,). Raises ValueError or TypeError. Source: [HS96] section 1.
    """
    check_draw(seed, ids, span)
    _check_single("alphabet", alphabet)
    _check_single("targets", targets)
    if not 1 <= len(alphabet) <= SYMBOLS:
        raise ValueError(f"alphabet has {len(alphabet)} symbols: between 1 and {SYMBOLS} are possible")
    if symbols.dtype != torch.uint8 or (symbols.numel() and int(symbols.max()) >= len(alphabet)):
        raise ValueError(
            f"symbols is {symbols.dtype}: places in an alphabet of {len(alphabet)}, uint8, are needed"
        )
    if targets.shape != lengths.shape:
        raise ValueError(
            f"targets is {tuple(targets.shape)}: {tuple(lengths.shape)} is needed, as lengths has"
        )
    check_sequences(net, alphabet.abs().max().expand(symbols.shape), lengths, ids.device, span)
    return STOOD(
        seed,
        ids,
        symbols,
        alphabet,
        lengths,
        targets,
        table(net, ids.device),
        net.hidden,
        ORDERS[net.order],
        span,
        tolerance,
    )


def face(alphabet: Tensor) -> str:
    """Which face serves `stood` on such symbols: "cpu.cpp" or "reference"."""
    return STOOD.face(alphabet)[0]


def _check_words(net: Topology, seed: int, ids: Tensor, words: Tensor, span: float) -> None:
    check_draw(seed, ids, span)
    _check_single("words", words)
    lengths = words.new_full((len(words),), words.shape[-1], dtype=torch.int64)
    check_sequences(net, words, lengths, ids.device, span)


def _check_single(name: str, value: Tensor) -> None:
    if value.dtype != torch.float32:
        raise TypeError(f"{name} is {value.dtype}: float32 is needed, the precision of a search")
