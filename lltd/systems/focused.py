"""A net whose hidden units hear inputs and themselves: its whole gradient, carried forward at a fixed cost a weight.

s_i(t) = d_i s_i(t-1) + tanh(Σ_j w_ij x_j(t)), s(0) = 0, for n hidden units, and o = v · s(L) at a sequence's end. As no
unit hears another, of all derivatives ∂s_k/∂w_ij only those with k = i are not 0. The last input may be 1, a bias.
Source: Mozer 1989, "focused" back-propagation; Gori, Bengio & De Mori 1989 have the loop inside the squashing function.
[SLIDES94], training algorithms.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Memory(NamedTuple):
    """What goes from step to step: the states s (n), and their derivatives in d (n) and in W (n, m)."""

    s: Tensor
    by_d: Tensor
    by_W: Tensor


def begin(W: Tensor) -> Memory:
    """The memory before a sequence, for weights W (n, m): zeros."""
    return Memory(torch.zeros_like(W[:, 0]), torch.zeros_like(W[:, 0]), torch.zeros_like(W))


def step(W: Tensor, d: Tensor, memory: Memory, x: Tensor) -> Memory:
    """One step of time with inputs x (m), for weights W (n, m) and loops d (n)."""
    s, by_d, by_W = memory
    y = torch.tanh(W @ x)
    slopes = (1 - y**2)[:, None] * x
    return Memory(d * s + y, d * by_d + s, d[:, None] * by_W + slopes)


def read(W: Tensor, d: Tensor, inputs: Tensor) -> Memory:
    """The memory after a sequence, inputs (L, m). Raises ValueError where the shapes do not fit each other."""
    if W.ndim != 2 or d.shape != W.shape[:1] or inputs.ndim != 2 or inputs.shape[1] != W.shape[1]:
        shapes = ", ".join(str(tuple(part.shape)) for part in (W, d, inputs))
        raise ValueError(f"W, d and inputs have the shapes {shapes}: (n, m), (n) and (L, m) are needed")
    memory = begin(W)
    for x in inputs:
        memory = step(W, d, memory, x)
    return memory


def gradient(v: Tensor, memory: Memory, error: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What an error ∂E/∂o at a sequence's end asks of v (n), d (n) and W (n, m): the gradient of E."""
    back = error * v
    return error * memory.s, back * memory.by_d, back[:, None] * memory.by_W
