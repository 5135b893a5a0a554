"""How far the gates of an LSTM of 1996 stand open on the adding problem: where a value is to be kept, and elsewhere."""

from typing import NamedTuple

import torch
from torch import Tensor

from lltd.kernels import lstm96 as kernel
from lltd.kernels.lstm96 import Task, Topology, reference
from lltd.kernels.lstm96.reference import Memory
from lltd.philox import Purpose


class Activity(NamedTuple):
    """Mean activations over sequences and blocks, (B).

    Of input gates at marked steps and at all others, of output gates at the last step and at all earlier ones.
    """

    marked: Tensor
    unmarked: Tensor
    last: Tensor
    earlier: Tensor


def gate_activity(
    net: Topology, task: Task, seed: int, ids: Tensor, theta: Tensor, count: int = 64
) -> Activity:
    """Activity of the gates of trials ids (B) with weights theta (P, B), over the first `count` tests of each.

    Raises ValueError for a task without markers, or without any sequence.
    """
    if task.name not in ("adding", "multiplication"):
        raise ValueError(f"task is {task.name!r}: one with marked values is needed")
    if count < 1:
        raise ValueError(f"count is {count}: at least one sequence is needed")
    numbers = torch.arange(count, device=ids.device).repeat(len(ids))
    shown = kernel.sequences(
        task, seed, ids.repeat_interleave(count), numbers, purpose=Purpose.TEST, dtype=theta.dtype
    )
    W, _ = net.layers(theta.repeat_interleave(count, 1))
    memory = reference.begin(W, net.blocks, net.cells)
    sums, steps = theta.new_zeros(4, len(numbers)), theta.new_zeros(4, len(numbers))
    for left, x in zip(range(len(shown.inputs), 0, -1), shown.inputs, strict=True):
        begun, marked = left <= shown.lengths, x[1] == 1
        memory = Memory(*(torch.where(begun, value, 0) for value in reference.step(W, memory, x).memory))
        gates = memory.y.unflatten(0, (net.blocks, -1))[:, :2].mean(0)  # (2, B), mean over blocks
        at_end = torch.full_like(begun, left == 1)
        where = torch.stack((begun & marked, begun & ~marked, begun & at_end, begun & ~at_end))
        sums += where * gates.repeat_interleave(2, 0)
        steps += where
    sums, steps = (value.unflatten(1, (len(ids), count)).sum(2) for value in (sums, steps))
    return Activity(*(sums / steps))
