"""Elman's net: a hidden layer that sees itself one step back, and an output that is read at the end of a sequence.

With z(t) = (h(t-1), x(t), 1), h(t) = tanh(W z(t)) for n hidden units and o = tanh(V (h(L), 1)). The output o = 2y - 1
of a tanh unit is a logistic y with weights twice as large. Sources: Elman 1990; the gradient of [SLIDES94] goes all the
way back.
"""

import torch
from torch import Tensor

from lltd.kernels.small_net import Net
from lltd.systems.recurrent_net import influence_step


def net(hidden: int, inputs: int = 2) -> Net:
    """The net of so many hidden units: n (n + I + 1) weights W, row by row, then n + 1 weights V.

    Raises ValueError for fewer than one of either.
    """
    if hidden < 1 or inputs < 1:
        raise ValueError(f"hidden is {hidden} and inputs is {inputs}: at least one of each is needed")
    units = hidden + 1
    others = (*range(2 * units, 2 * units + inputs), 2 * units + inputs)  # the inputs, and 1
    layer = tuple((to, source) for to in range(hidden) for source in (*range(hidden), *others))
    return Net(
        units, inputs, hidden, (*layer, *((hidden, units + j) for j in range(hidden)), (hidden, others[-1]))
    )


def layers(theta: Tensor, hidden: int) -> tuple[Tensor, Tensor]:
    """Weights theta (P, ...) as W (n, n + I + 1, ...) and V (n + 1, ...)."""
    W, V = theta.split((len(theta) - hidden - 1, hidden + 1))
    return W.unflatten(0, (hidden, -1)), V


def rtrl(theta: Tensor, inputs: Tensor, target: Tensor | float) -> tuple[Tensor, Tensor]:
    """The end o of a sequence, inputs (T, I), and the gradient of (o - d)² / 2, (P,), by real-time recurrent learning.

    Of one net, theta (P,). Carried forward is the influence of each weight on each hidden unit, n² (n + I + 1) numbers.
    Robinson & Fallside 1987; Williams & Zipser 1989. Raises ValueError where theta fits no net.
    """
    hidden = next((n for n in range(1, len(theta)) if n * (n + inputs.shape[1] + 2) + 1 == len(theta)), 0)
    if not hidden:
        raise ValueError(f"theta has {len(theta)} weights: n (n + {inputs.shape[1] + 2}) + 1 are needed")
    W, V = layers(theta, hidden)
    h, one, p = theta.new_zeros(hidden), theta.new_ones(1), theta.new_zeros(hidden, *W.shape)
    for x in inputs:
        z = torch.cat((h, x, one))
        h = torch.tanh(W @ z)
        p = influence_step(W, p, z, h)
    seen = torch.cat((h, one))
    o = torch.tanh(V @ seen)
    delta = (o - target) * (1 - o**2)
    return o, torch.cat((delta * torch.einsum("k,kjl->jl", V[:-1], p).flatten(), delta * seen))
