"""LSTM as it was in 1996, on a GPU: the same mathematics as reference.py, in Triton.

A thread is a trial, from the first sequence to the last. Weights, states and traces are tuples of registers, compiled
for a net's size; only what a trial begins and ends with, and its errors, are in global memory. The sequences of a block
are aligned at their ends, and steps are counted from there: k = 0 is the last. Before its sequence begins a trial's
gates are shut, so that its states and traces stay 0. In Triton's interpreter one block is all trials.

Interpreted it was found to have the bits of cpu.cpp, in every task and in both precisions; of results too small for a
normal number, which that face makes 0, nothing is claimed. Compiled for sm_90 the net of 1996 needs no memory beside
the registers in float32, but does in float64. Neither its speed nor its bits have been measured on a GPU.

Letters as in reference.py: J blocks of C cells, H hidden units, F sources.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.runtime.interpreter import InterpretedFunction

from lltd.kernels.lanes import constant, words
from lltd.kernels.logistic import logistic
from lltd.kernels.lstm96 import reference
from lltd.kernels.lstm96.cuda_tasks import SERVED, begun, shown, wanted
from lltd.kernels.lstm96.tasks import SHAPES

LINEAR, LARGEST = tl.constexpr(reference.LINEAR), tl.constexpr(reference.LARGEST)
TILE = tl.constexpr(32)  # weights that are fetched or stored together: one by one took minutes to compile
THREADS = 32  # per program: small, so that few trials still reach all of a GPU; not tuned
OPTIONS = {"num_warps": THREADS // 32, "num_stages": 1, "enable_fp_fusion": False}
WHOLES = ("seed", "trials", "row", "length")  # no value of these is worth a compilation of its own


@triton.jit
def squash(a, HIGH: tl.constexpr, LOW: tl.constexpr):
    """A logistic activation as one in (LOW, LOW + HIGH): g and h of reference.py."""
    return tl.fma(a, constant(HIGH, a), constant(LOW, a))


@triton.jit
def step(w, seen, s, traces, runs, J: tl.constexpr, C: tl.constexpr):
    """One time step of those that run (1, else 0): activations y (H), states s (J C), traces (F, 2 J C) after it.

    Of a source's traces, those of the cells' own weights come first, then those of their input gates'.
    """
    H: tl.constexpr = J * (2 + C)
    F: tl.constexpr = len(seen) + 1
    f = ()
    for u in tl.static_range(H):
        net = w[u * F + F - 1]
        for m in tl.static_range(F - 1):
            net = tl.fma(w[u * F + m], seen[m], net)
        f += (logistic(net) * runs if u % (2 + C) < 2 else logistic(net),)
    y, states, by_cell, by_gate = (), (), (), ()
    for j in tl.static_range(J):
        y_in, y_out = f[j * (2 + C)], f[j * (2 + C) + 1]
        y += (y_in, y_out)
        for c in tl.static_range(C):
            q = f[j * (2 + C) + 2 + c]
            g = squash(q, 4, -2)
            by_cell += (4 * y_in * (q * (1 - q)),)
            by_gate += (y_in * g * (1 - y_in),)
            states += (tl.fma(y_in, g, s[j * C + c]),)
            y += (y_out * squash(logistic(states[j * C + c]), 2, -1),)
    slopes = by_cell + by_gate
    later = ()
    for m in tl.static_range(F):
        for c in tl.static_range(2 * J * C):
            trace = traces[m * 2 * J * C + c]
            later += (tl.fma(slopes[c], seen[m], trace) if m < F - 1 else trace + slopes[c],)
    return y, states, later


@triton.jit
def answer(
    w, y, known, V: tl.constexpr,
    J: tl.constexpr, C: tl.constexpr, OUTPUTS: tl.constexpr,
    KIND: tl.constexpr, SLOPE: tl.constexpr, TASK: tl.constexpr,
):  # fmt: skip
    """The largest |target - output|, the errors at the outputs' net inputs (O), and what they send back to cells (J C).

    V: where the outputs' weights begin.
    """
    zero = tl.zeros_like(w[0])
    largest, e, back = zero, (), ()
    for o in tl.static_range(OUTPUTS):
        ROW: tl.constexpr = V + o * (J * C + 1)
        net = w[ROW + J * C]
        for c in tl.static_range(J * C):
            net = tl.fma(w[ROW + c], y[c // C * (2 + C) + 2 + c % C], net)
        squashed = logistic(net)
        error = wanted(known, o, zero, TASK) - (net if KIND == LINEAR else squashed)
        size = tl.abs(error)
        largest = tl.where((size > largest) | (size != size), size, largest)  # nan stays
        e += (error * (squashed * (1 - squashed)) if SLOPE and KIND != LINEAR else error,)
    for c in tl.static_range(J * C):
        total = zero
        for o in tl.static_range(OUTPUTS):
            total = tl.fma(w[V + o * (J * C + 1) + c], e[o], total)
        back += (total,)
    return largest, e, back


@triton.jit
def downhill(y, s, traces, seen, e, back, J: tl.constexpr, C: tl.constexpr):
    """The change of each weight, per unit of the rate."""
    F: tl.constexpr = len(seen) + 1
    one = constant(1, s[0])
    sources = seen
    sources += (one,)
    change, cells = (), ()
    for j in tl.static_range(J):
        y_out, total, e_s = y[j * (2 + C) + 1], tl.zeros_like(one), ()
        for c in tl.static_range(J * C):
            if c // C == j:
                h = squash(logistic(s[c]), 2, -1)
                total = tl.fma(h, back[c], total)
                e_s += (y_out * tl.fma(-h, h, one) * 0.5 * back[c],)
        e_out = y_out * (1 - y_out) * total
        for m in tl.static_range(F):
            by_in = tl.zeros_like(one)
            for c in tl.static_range(C):
                by_in = tl.fma(e_s[c], traces[m * 2 * J * C + J * C + j * C + c], by_in)
            change += (by_in,)
        for m in tl.static_range(F):
            change += (e_out * sources[m],)
        for c in tl.static_range(C):
            for m in tl.static_range(F):
                change += (e_s[c] * traces[m * 2 * J * C + j * C + c],)
            cells += (y[j * (2 + C) + 2 + c],)
    for o in tl.static_range(len(e)):
        for c in tl.static_range(J * C):
            change += (e[o] * cells[c],)
        change += (e[o],)
    return change


@triton.jit
def copies(value, NUMBER: tl.constexpr):
    """A tuple of so many."""
    told = ()
    for _ in tl.static_range(NUMBER):
        told += (value,)
    return told


@triton.jit
def columns(tile):
    """The columns of a tile (BLOCK, a power of two), from left to right, each (BLOCK)."""
    ROWS: tl.constexpr = tile.shape[0]
    NUMBER: tl.constexpr = tile.shape[1]
    if NUMBER == 1:
        return (tl.reshape(tile, ROWS),)
    else:
        left, right = tl.split(tl.permute(tl.reshape(tile, ROWS, 2, NUMBER // 2), 0, 2, 1))
        return columns(left) + columns(right)


@triton.jit
def beside(parts):
    """The tile of which these, a power of two, are the columns."""
    ROWS: tl.constexpr = parts[0].shape[0]
    NUMBER: tl.constexpr = len(parts)
    if NUMBER == 1:
        return tl.reshape(parts[0], ROWS, 1)
    else:
        both = tl.join(beside(parts[: NUMBER // 2]), beside(parts[NUMBER // 2 :]))
        return tl.reshape(tl.permute(both, 0, 2, 1), ROWS, NUMBER)


@triton.jit(do_not_specialize=WHOLES)
def train_kernel(
    seed, ids, theta, first, count, rates, after, errors, trials, row, length,
    J: tl.constexpr, C: tl.constexpr, INPUTS: tl.constexpr, OUTPUTS: tl.constexpr,
    KIND: tl.constexpr, SLOPE: tl.constexpr, TASK: tl.constexpr, FIRST_PAIR: tl.constexpr, PURPOSE: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """reference.train: theta after (P, trials); errors (most, trials) are 0 before."""
    H: tl.constexpr = J * (2 + C)
    F: tl.constexpr = H + INPUTS + 1
    P: tl.constexpr = H * F + OUTPUTS * (J * C + 1)
    trial = (tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)).to(tl.int64)
    inside = trial < trials
    trials, row = trials.to(tl.int64), row.to(tl.int64)
    ids = tl.load(ids + trial, inside, 0)
    first, count = tl.load(first + trial, inside, 0), tl.load(count + trial, inside, 0)
    w = ()
    for t in tl.static_range(0, P, TILE):
        place = t + tl.arange(0, TILE)
        w += columns(tl.load(theta + place * trials + trial[:, None], (place < P) & inside[:, None], 0))
    SPACE: tl.constexpr = len(w)
    w, zero = w[:P], tl.zeros_like(w[0])
    shows = (length + length // 10 + 3) // 4  # blocks of four steps
    for n in range(0, tl.max(count, 0)):
        begin = (first + n) * (shows + 1)
        word0, word1, word2, word3 = words(seed, ids, begin, PURPOSE)
        last, marks, known = begun(word0, word1, word2, word3, length, zero, TASK)
        y, s, traces = copies(zero, H), copies(zero, J * C), copies(zero, F * 2 * J * C)
        seen = copies(zero, F - 1)
        for b in range(0, shows):
            word0, word1, word2, word3 = words(seed, ids, begin + (shows - b), PURPOSE)
            for q in range(0, 4):
                word = tl.where(q == 0, word3, tl.where(q == 1, word2, tl.where(q == 2, word1, word0)))
                k = 4 * (shows - b) - 1 - q
                x, known = shown(word, k, last, marks, known, zero, TASK, FIRST_PAIR)
                seen = y + x
                y, s, traces = step(w, seen, s, traces, (k <= last).to(zero.dtype), J, C)
        largest, e, back = answer(w, y, known, H * F, J, C, OUTPUTS, KIND, SLOPE, TASK)
        change = downhill(y, s, traces, seen, e, back, J, C)
        learns = n < count
        tl.store(errors + n * trials + trial, largest, learns & inside)
        moved, kept = (), inside
        for p in tl.static_range(P):
            moved += (tl.fma(tl.zeros_like(zero) + tl.load(rates + p), change[p], w[p]),)
            kept = kept & (tl.abs(moved[p]) <= LARGEST)
        later = ()
        for p in tl.static_range(P):
            later += (tl.where(learns, tl.where(kept, moved[p], float("nan")), w[p]),)
        w = later
    w += copies(zero, SPACE - P)
    for t in tl.static_range(0, P, TILE):
        place = t + tl.arange(0, TILE)
        # By a stride of their own: the compiler would keep the addresses in theta in registers, all the time.
        tile = beside(w[t : t + TILE])
        tl.store(after + place * row + trial[:, None], tile, (place < P) & inside[:, None])


def train(
    seed: int,
    ids: Tensor,
    theta: Tensor,
    first: Tensor,
    count: Tensor,
    rates: Tensor,
    most: int,
    blocks: int,
    cells: int,
    kind: int,
    slope: bool,
    task: int,
    length: int,
    first_pair: int,
    purpose: int,
) -> tuple[Tensor, Tensor]:
    """reference.train, for contiguous tensors. Raises ValueError for a task that this face does not have."""
    if task not in SERVED:
        raise ValueError(f"task is {task}: one of {SERVED} is needed on a GPU, others are for the CPU")
    trials = len(ids)
    after, errors = torch.empty_like(theta), theta.new_zeros(most, trials)
    block = _block(trials)
    with torch.cuda.device_of(theta):
        train_kernel[(triton.cdiv(trials, block) or 1,)](
            *(seed, ids, theta, first, count, rates, after, errors, trials, after.stride(0), length),
            *(blocks, cells, *SHAPES[task], kind, slope, task, first_pair, purpose, block),
            **OPTIONS,
        )
    return after, errors


def _block(trials: int) -> int:
    """How many trials a program serves: one for each thread, or all of them in the interpreter."""
    return triton.next_power_of_2(trials or 1) if isinstance(train_kernel, InterpretedFunction) else THREADS
