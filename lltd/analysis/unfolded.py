"""A net unfolded in time, each weight with a copy of its own in every step: derivatives in the copies, by autograd.

Slow and exact: the measure of what `kernels.small_net.slopes` gets by recursions. Source: [SLIDES94] on the
time-weighted method ("treating the unfolded weights as different variables"); Becker & LeCun 1989 for the recursion.
"""

import torch
from torch import Tensor

from lltd.kernels.small_net import Net


def cost(net: Net, copies: Tensor, inputs: Tensor, target: float) -> Tensor:
    """(x_o(T) - d)² / 2 of a tanh net whose step t uses the weights copies[t]; copies (T, P), inputs (T, C)."""
    if copies.shape != (len(inputs), net.weights):
        raise ValueError(f"copies has shape {tuple(copies.shape)}: {(len(inputs), net.weights)} is needed")
    x = [copies.new_zeros(()) for _ in range(net.units)]
    for weights, given in zip(copies, inputs, strict=True):
        now = list(x)  # entries are overwritten before they are read: a source of this step comes earlier
        for i in range(net.units):
            sources = (*x, *now, *given, torch.ones_like(x[0]))
            fed = [weights[p] * sources[source] for p, (to, source) in enumerate(net.wiring) if to == i]
            now[i] = torch.tanh(sum(fed) + (given[0] if net.entry == i else 0))
        x = now
    return (x[net.output] - target) ** 2 / 2


def derivatives(net: Net, theta: Tensor, inputs: Tensor, target: float) -> tuple[Tensor, Tensor]:
    """∂C/∂θ_pt and ∂²C/∂θ_pt² at equal copies of θ (P): (T, P) each."""

    def of(copies: Tensor) -> Tensor:
        return cost(net, copies.reshape(len(inputs), -1), inputs, target)

    copies = theta.detach().repeat(len(inputs))
    bends = torch.diagonal(torch.func.hessian(of)(copies))
    return torch.func.grad(of)(copies).reshape(len(inputs), -1), bends.reshape(len(inputs), -1)


def shared(net: Net, theta: Tensor, inputs: Tensor, target: float) -> tuple[Tensor, Tensor]:
    """∂C/∂θ (P) and the full ∂²C/∂θ∂θ (P, P) of the net itself, whose weights are the same in every step."""

    def of(weights: Tensor) -> Tensor:
        return cost(net, weights.expand(len(inputs), -1), inputs, target)

    return torch.func.grad(of)(theta), torch.func.hessian(of)(theta)
