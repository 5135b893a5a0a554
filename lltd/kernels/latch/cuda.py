"""Learning the minimal task with one tanh neuron, on a GPU: the same mathematics as reference.py, in Triton.

A program serves a block of runs from the first epoch to the last. On a GPU one thread is one run, so that whatever
a run leaves in global memory (its parameters, its outputs on the way back) is read by the thread that wrote it, and
nothing needs to be synchronised. In Triton's interpreter one block is all runs.

Interpreted it was found to have the bits of cpu.cpp; compiled for sm_90, not to spill. Its speed has not been measured.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.runtime.interpreter import InterpretedFunction

from lltd import philox
from lltd.kernels.lanes import divide, normals, root, tanh, words
from lltd.kernels.latch import reference

NOISE, TEST = tl.constexpr(int(philox.Purpose.NOISE)), tl.constexpr(int(philox.Purpose.TEST))
SIGN, ADAM = tl.constexpr(reference.SIGN), tl.constexpr(reference.ADAM)
BETA1, BETA2 = tl.constexpr(reference.BETA1), tl.constexpr(reference.BETA2)
REST1, REST2 = tl.constexpr(1 - reference.BETA1), tl.constexpr(1 - reference.BETA2)
EPSILON = tl.constexpr(reference.EPSILON)
THREADS = 32  # per program: small, so that few runs still reach all of a GPU; not tuned
OPTIONS = {"num_warps": THREADS // 32, "num_stages": 1, "enable_fp_fusion": False}
# No value of these is worth a compilation of its own.
WHOLES = ("seed", "runs", "first", "epochs", "draws", "length", "lead")


@triton.jit
def forward(
    seed, ids, theta, noise, x, run, inside, runs, presentation, length, lead,
    PURPOSE: tl.constexpr, KEEP: tl.constexpr,
):  # fmt: skip
    """Outputs of both classes after the last step; with KEEP, x_1 … x_T are left in x (T + 1, 2, runs)."""
    w = tl.load(theta + run, inside, 0)
    x0, x1 = tl.zeros_like(w), tl.zeros_like(w)
    for t in range(1, lead + 1):
        x0 = tanh(w * x0 + tl.load(theta + t * runs + run, inside, 0))
        x1 = tanh(w * x1 + tl.load(theta + (lead + t) * runs + run, inside, 0))
        if KEEP:
            put(x + 2 * t * runs + run, x0, x1, runs, inside)
    blocks = (length - lead + 1) // 2
    for b in range(0, blocks):
        t = lead + 2 * b + 1
        word0, word1, word2, word3 = words(seed, ids, presentation * blocks + b, PURPOSE)
        z0, z1 = normals(word0, word1, noise)
        x0, x1 = tanh(w * x0 + z0), tanh(w * x1 + z1)
        if KEEP:
            put(x + 2 * t * runs + run, x0, x1, runs, inside)
        if t < length:
            z0, z1 = normals(word2, word3, noise)
            x0, x1 = tanh(w * x0 + z0), tanh(w * x1 + z1)
            if KEEP:
                put(x + 2 * (t + 1) * runs + run, x0, x1, runs, inside)
    return x0, x1


@triton.jit
def put(row, x0, x1, runs, inside):
    """Store both classes' outputs in a row of x."""
    tl.store(row, x0, inside)
    tl.store(row + runs, x1, inside)


@triton.jit
def updated(theta, mean, square, inside, slope, rate, unbias, RULE: tl.constexpr):
    """One row of parameters after a step along its slope. The pointers are to that row, Adam's means are kept there."""
    value = tl.load(theta, inside, 0)
    if RULE == ADAM:
        m = BETA1 * tl.load(mean, inside, 0) + REST1 * slope
        s = BETA2 * tl.load(square, inside, 0) + REST2 * (slope * slope)
        tl.store(mean, m, inside)
        tl.store(square, s, inside)
        size = root(divide(s, tl.load(unbias + 1))) + EPSILON
        return value - divide(rate * divide(m, tl.load(unbias)), size)
    elif RULE == SIGN:
        return value - rate * ((slope > 0).to(value.dtype) - (slope < 0).to(value.dtype))
    else:
        return value - rate * slope


@triton.jit(do_not_specialize=WHOLES)
def train_kernel(
    seed, ids, theta, memory, noise, x, numbers, unbias, runs, first, epochs, length, lead,
    RULE: tl.constexpr, LEARN_WEIGHT: tl.constexpr, FRESH: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Change theta (1 + 2L, runs) and memory (2, 1 + 2L, runs) in place; x (T + 1, 2, runs) begins with zeros."""
    run = (tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)).to(tl.int64)
    inside = run < runs
    runs = runs.to(tl.int64)
    ids, noise = tl.load(ids + run, inside, 0), tl.load(noise + run, inside, 0)
    rate, target, limit = tl.load(numbers), tl.load(numbers + 1), tl.load(numbers + 2)
    square = memory + (1 + 2 * lead) * runs
    for epoch in range(0, epochs):
        shown = (first.to(tl.int64) + epoch) * FRESH
        x0, x1 = forward(seed, ids, theta, noise, x, run, inside, runs, shown, length, lead, NOISE, True)
        delta0 = 2 * (x0 + target) * (1 - x0 * x0)
        delta1 = 2 * (x1 - target) * (1 - x1 * x1)
        w, by_w = tl.load(theta + run, inside, 0), tl.zeros_like(x0)
        for back in range(0, length):
            t = length - back
            before = x + 2 * (t - 1) * runs + run
            x0, x1 = tl.load(before, inside, 0), tl.load(before + runs, inside, 0)
            by_w += delta0 * x0 + delta1 * x1
            if t <= lead:
                row0, row1 = t * runs + run, (lead + t) * runs + run
                u0 = updated(theta + row0, memory + row0, square + row0, inside, delta0, rate, unbias, RULE)
                u1 = updated(theta + row1, memory + row1, square + row1, inside, delta1, rate, unbias, RULE)
                tl.store(theta + row0, u0, inside)
                tl.store(theta + row1, u1, inside)
            delta0 = delta0 * (w * (1 - x0 * x0))
            delta1 = delta1 * (w * (1 - x1 * x1))
        if not LEARN_WEIGHT:
            by_w = tl.zeros_like(by_w)
        w = updated(theta + run, memory + run, square + run, inside, by_w, rate, unbias, RULE)
        w = tl.where(w > limit, limit, w)
        tl.store(theta + run, tl.where(w < -limit, -limit, w), inside)
        unbias += 2


@triton.jit(do_not_specialize=WHOLES)
def recall_kernel(seed, ids, theta, noise, right, runs, first, draws, length, lead, BLOCK: tl.constexpr):
    """Count how many of `draws` fresh presentations end on the right side, by class: right (2, runs)."""
    run = (tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)).to(tl.int64)
    inside = run < runs
    runs = runs.to(tl.int64)
    ids, noise = tl.load(ids + run, inside, 0), tl.load(noise + run, inside, 0)
    hits0, hits1 = tl.zeros_like(ids), tl.zeros_like(ids)
    for draw in range(0, draws):
        shown = first.to(tl.int64) + draw
        x0, x1 = forward(seed, ids, theta, noise, theta, run, inside, runs, shown, length, lead, TEST, False)
        hits0 += (x0 < 0).to(tl.int64)
        hits1 += (x1 > 0).to(tl.int64)
    tl.store(right + run, hits0, inside)
    tl.store(right + runs + run, hits1, inside)


def train(
    seed: int,
    ids: Tensor,
    theta: Tensor,
    memory: Tensor,
    noise: Tensor,
    first: int,
    epochs: int,
    length: int,
    rate: float,
    target: float,
    rule: int,
    learn_weight: bool,
    fresh: bool,
    limit: float,
) -> tuple[Tensor, Tensor]:
    """reference.train, for contiguous tensors."""
    (rows, runs), block = theta.shape, _block(train_kernel, theta)
    theta, memory = theta.clone(), memory.clone()
    x = theta.new_zeros(length + 1, 2, runs)
    numbers = theta.new_tensor([rate, target, limit])  # scalar arguments would be rounded to float32
    adam = range(first + 1, first + epochs + 1) if rule == reference.ADAM else ()
    unbias = theta.new_tensor([[1 - reference.BETA1**n, 1 - reference.BETA2**n] for n in adam])
    with torch.cuda.device_of(theta):
        train_kernel[(triton.cdiv(runs, block) or 1,)](
            *(seed, ids, theta, memory, noise, x, numbers, unbias, runs, first, epochs, length, rows // 2),
            *(rule, learn_weight, fresh, block),
            **OPTIONS,
        )
    return theta, memory


def recall(
    seed: int, ids: Tensor, theta: Tensor, noise: Tensor, first: int, draws: int, length: int
) -> Tensor:
    """reference.recall, for contiguous tensors."""
    (rows, runs), block = theta.shape, _block(recall_kernel, theta)
    right = ids.new_empty(2, runs)
    with torch.cuda.device_of(theta):
        recall_kernel[(triton.cdiv(runs, block) or 1,)](
            *(seed, ids, theta, noise, right, runs, first, draws, length, rows // 2, block), **OPTIONS
        )
    return right


def _block(kernel: object, theta: Tensor) -> int:
    """How many runs a program serves: one for each thread, or all of them in the interpreter."""
    return triton.next_power_of_2(theta.shape[1] or 1) if isinstance(kernel, InterpretedFunction) else THREADS
