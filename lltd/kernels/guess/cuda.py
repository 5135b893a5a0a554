"""Guessed nets on a GPU: the same mathematics as reference.py, in Triton.

A program serves a block of nets, a thread each, from the first sequence to the last. The net is compiled in: its
weights and units are tuples of registers, and a weight that it does not have costs nothing. In Triton's interpreter
one block is all nets.

Interpreted it was found to have the bits of cpu.cpp. Compiled for sm_90 it needs no memory beside the registers, but
for a dense net of ten hidden units in float64. Its speed has not been measured.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.runtime.interpreter import InterpretedFunction

from lltd import philox
from lltd.kernels.guess import reference
from lltd.kernels.lanes import constant, words
from lltd.kernels.logistic import logistic

SEARCH = tl.constexpr(int(philox.Purpose.SEARCH))
SYNCHRONOUS, ONE_BY_ONE = tl.constexpr(reference.SYNCHRONOUS), tl.constexpr(reference.ONE_BY_ONE)
THREADS = 128  # per program; not tuned
OPTIONS = {"num_warps": THREADS // 32, "num_stages": 1, "enable_fp_fusion": False}
# No value of these is worth a compilation of its own.
WHOLES = ("seed", "nets", "sequences", "steps")


@triton.jit
def unit(w, sources, UNIT: tl.constexpr, PLACES: tl.constexpr):
    """One unit's new value; sources: the input, the output before, and the hidden units that it may see."""
    COUNT: tl.constexpr = len(sources)
    ROW: tl.constexpr = UNIT * (COUNT + 1)
    total = w[PLACES[ROW]] if PLACES[ROW] >= 0 else tl.zeros_like(sources[1])
    for j in tl.static_range(COUNT):
        if PLACES[ROW + 1 + j] >= 0:
            total = tl.fma(w[PLACES[ROW + 1 + j]], sources[j], total)
    return logistic(total)


@triton.jit
def step(w, x, h, o, PLACES: tl.constexpr, HIDDEN: tl.constexpr, ORDER: tl.constexpr):
    """Hidden units and output after one step, from those before it."""
    outer, now = (x, o), ()
    for i in tl.static_range(HIDDEN):
        seen = now + h[i:] if ORDER == ONE_BY_ONE else h
        now += (unit(w, outer + seen, i, PLACES),)
    return now, unit(w, outer + (h if ORDER == SYNCHRONOUS else now), HIDDEN, PLACES)


@triton.jit
def answer(
    w, inputs, lengths, out, net, inside, nets, sequences, steps,
    PLACES: tl.constexpr, HIDDEN: tl.constexpr, ORDER: tl.constexpr,
):  # fmt: skip
    """Store the output at the end of each sequence in out (S, nets)."""
    for s in range(0, sequences):
        o = tl.zeros_like(w[0])
        h = ()
        for _ in tl.static_range(HIDDEN):
            h += (o,)
        for t in range(0, tl.load(lengths + s).to(tl.int32)):
            h, o = step(w, tl.load(inputs + t), h, o, PLACES, HIDDEN, ORDER)
        tl.store(out + net, o, inside)
        inputs += steps
        out += nets


@triton.jit
def weight(word, span, REAL: tl.constexpr):
    """A random word as a weight: the product is rounded once, in float32."""
    return (span * ((word >> 9).to(tl.int32).to(tl.float32) * 2.0**-22 + (2.0**-23 - 1))).to(REAL)


@triton.jit(do_not_specialize=WHOLES)
def guess_kernel(
    seed, ids, span, inputs, lengths, out, nets, sequences, steps,
    WEIGHTS: tl.constexpr, PLACES: tl.constexpr, HIDDEN: tl.constexpr, ORDER: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """reference.guess."""
    net = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = net < nets
    ids = tl.load(ids + net, inside, 0)
    REAL: tl.constexpr = out.dtype.element_ty
    w = ()
    for number in tl.static_range((WEIGHTS + 3) // 4):
        word0, word1, word2, word3 = words(seed, ids, constant(number, ids), SEARCH)
        w += (weight(word0, span, REAL), weight(word1, span, REAL))
        w += (weight(word2, span, REAL), weight(word3, span, REAL))
    answer(w, inputs, lengths, out, net, inside, nets.to(tl.int64), sequences, steps, PLACES, HIDDEN, ORDER)


@triton.jit(do_not_specialize=WHOLES)
def ends_kernel(
    theta, inputs, lengths, out, nets, sequences, steps,
    WEIGHTS: tl.constexpr, PLACES: tl.constexpr, HIDDEN: tl.constexpr, ORDER: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """reference.ends."""
    net = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = net < nets
    nets = nets.to(tl.int64)
    w = ()
    for p in tl.static_range(WEIGHTS):
        w += (tl.load(theta + p * nets + net, inside, 0),)
    answer(w, inputs, lengths, out, net, inside, nets, sequences, steps, PLACES, HIDDEN, ORDER)


def guess(
    seed: int,
    ids: Tensor,
    inputs: Tensor,
    lengths: Tensor,
    wiring: Tensor,
    hidden: int,
    order: int,
    span: float,
) -> Tensor:
    """reference.guess, for contiguous tensors."""
    (sequences, steps), (nets,) = inputs.shape, ids.shape
    out, block = inputs.new_empty(sequences, nets), _block(guess_kernel, nets)
    with torch.cuda.device_of(inputs):
        guess_kernel[(triton.cdiv(nets, block) or 1,)](
            *(seed, ids, span, inputs, lengths, out, nets, sequences, steps),
            *(len(wiring), places(wiring, hidden), hidden, order, block),
            **OPTIONS,
        )
    return out


def ends(theta: Tensor, inputs: Tensor, lengths: Tensor, wiring: Tensor, hidden: int, order: int) -> Tensor:
    """reference.ends, for contiguous tensors."""
    (sequences, steps), (weights, nets) = inputs.shape, theta.shape
    out, block = inputs.new_empty(sequences, nets), _block(ends_kernel, nets)
    with torch.cuda.device_of(inputs):
        ends_kernel[(triton.cdiv(nets, block) or 1,)](
            *(theta, inputs, lengths, out, nets, sequences, steps),
            *(weights, places(wiring, hidden), hidden, order, block),
            **OPTIONS,
        )
    return out


def places(wiring: Tensor, hidden: int) -> tuple[int, ...]:
    """For each unit and each source which weight leads from there, or -1; in the order in which they are added up."""
    number = {tuple(wire): p for p, wire in enumerate(wiring.tolist())}
    sources = (1, 0, 2, *range(3, 3 + hidden))
    return tuple(number.get((to, source), -1) for to in range(hidden + 1) for source in sources)


def _block(kernel: object, nets: int) -> int:
    """How many nets a program serves: one for each thread, or all of them in the interpreter."""
    return triton.next_power_of_2(nets or 1) if isinstance(kernel, InterpretedFunction) else THREADS
