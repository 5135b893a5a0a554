"""Runs Triton faces in Triton's interpreter, on a CPU: python triton_interpreted.py FILE.

The interpreter is chosen by TRITON_INTERPRET=1 when a kernel is imported, hence a process of its own. Leaves in FILE
(torch.save) "streams", the numbers of drawn.py, and for each face its name: a list of (arguments, outcome).
"""

import sys
from dataclasses import replace
from itertools import product
from unittest import mock

import torch
import triton
import triton.language as tl
from drawn import IDS, PURPOSE, SEED, STEP
from triton.runtime.interpreter import InterpretedFunction

from lltd.kernels import guess, latch, lstm96
from lltd.kernels.guess import A1, A2, ORDERS, Topology
from lltd.kernels.guess import cuda as guessing
from lltd.kernels.lanes import normals, uniform, words
from lltd.kernels.latch import cuda
from lltd.kernels.lstm96 import Task
from lltd.kernels.lstm96 import Topology as Lstm
from lltd.kernels.lstm96 import cuda as learning
from lltd.philox import Purpose

RUNS, BLOCK = len(IDS), 1024


@triton.jit
def draw(seed, ids, step, word, even, normal, RUNS: tl.constexpr, BLOCK: tl.constexpr, PURPOSE: tl.constexpr):
    """Random numbers as every Triton face draws them."""
    run = tl.arange(0, BLOCK)
    inside = run < RUNS
    word0, word1, word2, word3 = words(seed, tl.load(ids + run, inside, 0), step, PURPOSE)
    put(word, word0, word1, word2, word3, run, inside, RUNS)
    REAL: tl.constexpr = normal.dtype.element_ty
    even0, even1, even2, even3 = (
        uniform(word0, REAL), uniform(word1, REAL), uniform(word2, REAL), uniform(word3, REAL)
    )  # fmt: skip
    put(even, even0, even1, even2, even3, run, inside, RUNS)
    one = tl.full([BLOCK], 1, REAL)
    first, second = normals(word0, word1, one)
    third, fourth = normals(word2, word3, one)
    put(normal, first, second, third, fourth, run, inside, RUNS)


@triton.jit
def put(rows, row0, row1, row2, row3, run, inside, RUNS: tl.constexpr):
    """Store four rows."""
    tl.store(rows + run, row0, inside)
    tl.store(rows + RUNS + run, row1, inside)
    tl.store(rows + 2 * RUNS + run, row2, inside)
    tl.store(rows + 3 * RUNS + run, row3, inside)


def streams(dtype):
    """Words, uniforms and normals of drawn.py's addresses, (4, runs) each."""
    word = torch.empty(4, RUNS, dtype=torch.int64)
    even, normal = torch.empty(2, 4, RUNS, dtype=dtype)
    draw[(1,)](SEED, IDS, STEP, word, even, normal, RUNS, BLOCK, PURPOSE)
    return word, even, normal


def start(runs, lead, dtype):
    """Run ids, parameters, Adam's means and noise to begin with."""
    ids = torch.arange(runs) + 5 * 2**32
    theta = latch.initial(1, ids, torch.full((runs,), 1.25, dtype=dtype), lead)
    return ids, theta, theta.new_zeros(2, *theta.shape), torch.full((runs,), 0.2, dtype=dtype)


INFINITE = float("inf")
# After (ids, theta, memory, noise): first, epochs, length, rate, target, rule, learn_weight, fresh, limit.
TRAINING = [
    (3, torch.float64, (0, 1, 60, 0.01, 0.8, latch.reference.GRADIENT, True, True, INFINITE)),
    (4, torch.float64, (3, 2, 9, 0.01, 0.8, latch.reference.ADAM, True, True, 1.26)),
    (1, torch.float64, (3, 2, 6, 0.1, 0.99, latch.reference.SIGN, False, False, INFINITE)),
    (3, torch.float32, (0, 2, 12, 0.01, 0.8, latch.reference.ADAM, True, True, 1.26)),
]
RECALL = [(3, torch.float64, (2, 3, 20)), (3, torch.float32, (0, 2, 3))]  # first, draws, length

NETS = (Topology(0, output_bias=True), A1(1), A1(3), A2, replace(A2, loops=False))


def guessed(net, dtype, runs=37, span=4.0):
    """Arguments of the op that guesses nets: two short sequences."""
    inputs = torch.tensor([[-1, 0.7, 1], [1, 9, 9]], dtype=dtype)
    numbers = (torch.tensor(net.wiring), net.hidden, ORDERS[net.order], span)
    return 2**62 + 5, torch.arange(runs) + 5 * 2**32, inputs, torch.tensor([3, 1]), *numbers


def guesses():
    """The guessed nets, then, for a few of them, the same with their weights given."""
    kinds = product(NETS, ORDERS, (torch.float64, torch.float32))
    told = {"guess": [guessed(replace(net, order=order), dtype) for net, order, dtype in kinds], "ends": []}
    told["guess"].append(guessed(A1(1), torch.float32, runs=1, span=100.0))
    for net, dtype in ((A1(3), torch.float64), (A2, torch.float32)):
        seed, ids, *others, span = guessed(net, dtype)
        told["ends"].append((guess.weights(net, seed, ids, span=span, dtype=dtype), *others))
    told = {name: [(called, getattr(guessing, name)(*called)) for called in told[name]] for name in told}
    with mock.patch.object(guessing, "_block", return_value=8):  # several programs, as on a GPU
        told["guess"].append((called := guessed(A1(1), torch.float64), guessing.guess(*called)))
    return told


LEARNING = [  # net, task, type, most sequences, purpose
    (Lstm(1, 1), Task("adding", 23), torch.float64, 2, Purpose.TASK),
    (Lstm(1, 2, slope=False), Task("multiplication", 20, "unmarked"), torch.float32, 2, Purpose.TASK),
    (Lstm(output="linear"), Task("adding", 20, "unmarked"), torch.float32, 2, Purpose.TASK),
    (Lstm(cell_bias=False, sees="cells"), Task("multiplication", 21), torch.float64, 1, Purpose.TEST),
    (Lstm(inputs=8, outputs=4, output="linear"), Task("order of two", 27), torch.float64, 1, Purpose.TASK),
    (Lstm(3, inputs=8, outputs=8), Task("order of three", 20), torch.float32, 1, Purpose.TASK),
]


def learning_of(net, task, dtype, most, purpose, trials=37):
    """Arguments of the op: each trial has a stretch of its own, one a weight that is nan, one may diverge."""
    ids = torch.arange(trials) + 5 * 2**32
    gates = [-3.0 * (j + 1) for j in range(net.blocks)]
    theta = lstm96.initial(net, 1, ids, span=1.0, input_gate_bias=gates, dtype=dtype)
    theta[0, 7] = float("nan")
    if net.output == "linear":
        theta[-5:, 4] = 60_000
    rates = (0.5 if purpose == Purpose.TASK else 0.0) * net.wiring().to(dtype)
    stretch = (3 * ids % 11, (ids + 1) % (most + 1), rates, most)
    numbers = (net.blocks, net.cells, lstm96.OUTPUTS[net.output], net.slope, lstm96.TASKS[task.name])
    return 2**62 + 5, ids, theta, *stretch, *numbers, task.length, FIRST[task.first_pair], int(purpose)


def learnt():
    """Stretches of learning."""
    told = [(called, learning.train(*called)) for called in (learning_of(*case) for case in LEARNING)]
    with mock.patch.object(learning, "_block", return_value=16):  # several programs, as on a GPU
        told.append((called := learning_of(*LEARNING[0]), learning.train(*called)))
    return told


def device_call(function, *arguments, **options):
    """A call in a kernel; Triton's own makes all of Triton's functions interpreted ones again, which takes long."""
    if function.fn.__module__.startswith("triton."):
        return WHOLE_CALL(function, *arguments, **options)
    return function.rewrite()(*arguments, **options)


WHOLE_CALL, FIRST = InterpretedFunction.__call__, lstm96.FIRST_PAIRS


@mock.patch.object(InterpretedFunction, "__call__", device_call)
def main(file):
    """Run everything."""
    told = {"streams": [streams(torch.float64), streams(torch.float32)], "train": [], "recall": []}
    told |= guesses() | {"lstm96": learnt()}
    for lead, dtype, numbers in TRAINING:
        arguments = (2**62 + 5, *start(37, lead, dtype), *numbers)
        told["train"].append((arguments, cuda.train(*arguments)))
    for lead, dtype, numbers in RECALL:
        ids, theta, _, noise = start(37, lead, dtype)
        arguments = (7, ids, theta, noise, *numbers)
        told["recall"].append((arguments, cuda.recall(*arguments)))
    torch.save(told, file)


if __name__ == "__main__":
    main(sys.argv[1])
