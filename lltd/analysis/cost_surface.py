"""The cost of the latch problem as a surface over its three weights, and what stops a descent on it.

The unit is x_t = tanh(w x_{t-1} + u_t), x_0 = 0; u_1 is the learnt input of the sequence's class, later inputs are
noise. θ (3, B) holds w, u of class 0 and u of class 1. The cost of a sequence that ends with x is (x - d)² / 2, with
d = -0.8 for class 0 and 0.8 for class 1. Source of the task: [SLIDES94] on the results, after [BFS93] section II.
"""

import torch
from torch import Tensor

from lltd.tasks import Sequences, latch_sequences

TARGET = 0.8
LONGEST = 0.05  # of a step of `follow`
CHANCE = TARGET**2 / 2  # cost of the output 0
SLOPE, PLATEAU, DIMPLE, MINIMUM = range(4)  # what `obstacle` finds


def ends(theta: Tensor, sequences: Sequences) -> Tensor:
    """Output at the end of each sequence of `latch_sequences`, drawn for B runs or for one: (S, B)."""
    inputs, lengths, classes = sequences
    if theta.ndim != 2 or len(theta) != 3:
        raise ValueError(f"theta has shape {tuple(theta.shape)}: (3, runs) is needed")
    if inputs.shape[2] != 3:
        raise ValueError(f"inputs have {inputs.shape[2]} channels: the 3 of latch_sequences are needed")
    w, low, high = theta
    x = torch.tanh(torch.where(classes == 1, high, low))  # the first input has no noise
    found = x
    for t in range(1, inputs.shape[1]):
        x = torch.tanh(w * x + inputs[:, t, 0])
        found = torch.where(lengths > t, x, found)
    return found


def cost(theta: Tensor, sequences: Sequences) -> Tensor:
    """Mean cost over the sequences, (B,)."""
    return ((ends(theta, sequences) - _targets(sequences)) ** 2 / 2).mean(0)


def solved(theta: Tensor, sequences: Sequences) -> Tensor:
    """Whether every sequence ends on the side of its class, bool (B,)."""
    return (ends(theta, sequences) * _targets(sequences) > 0).all(0)


def symmetric(w: Tensor, u: Tensor) -> Tensor:
    """θ (3, B) of the slice that can be drawn: inputs -u for class 0 and u for class 1."""
    return torch.stack((w, -u, u))


def gradient(theta: Tensor, sequences: Sequences) -> Tensor:
    """∂C/∂θ by autograd, (3, B)."""
    theta = theta.detach().requires_grad_()
    (slope,) = torch.autograd.grad(cost(theta, sequences).sum(), theta)
    return slope


def hessian(theta: Tensor, sequences: Sequences) -> Tensor:
    """∂²C/∂θ² by autograd, (B, 3, 3)."""
    theta = theta.detach().requires_grad_()
    (slope,) = torch.autograd.grad(cost(theta, sequences).sum(), theta, create_graph=True)
    rows = [torch.autograd.grad(part.sum(), theta, retain_graph=True)[0] for part in slope]
    return torch.stack(rows).permute(2, 0, 1)


def training_set(length: int, *, count: int = 30, noise: float = 0.2, seed: int = 1) -> Sequences:
    """`count` sequences of T/2 … T = length steps, drawn for run 0 of the seed: what a surface is drawn of."""
    return latch_sequences(
        seed, torch.arange(1), first=0, count=count, shortest=-(-length // 2), longest=length, noise=noise
    )


def surface(w: Tensor, u: Tensor, sequences: Sequences) -> Tensor:
    """Cost over a grid of the symmetric slice, (len(u), len(w))."""
    grid = torch.meshgrid(u, w, indexing="ij")
    return cost(symmetric(grid[1].flatten(), grid[0].flatten()), sequences).reshape(len(u), len(w))


def follow(theta: Tensor, sequences: Sequences, steps: int = 500) -> Tensor:
    """Walk down from θ along the gradient's direction whatever its size, and never uphill: where it ends, (3, B).

    A step has length at most LONGEST; one that would go up is not taken, and the next is half as long, while a step
    that is taken lets the next grow by half. A walk that has solved its sequences stands still.
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}: at least one is needed")
    length = theta.new_full(theta.shape[1:], LONGEST)
    here, slope, done = _look(theta, sequences)
    for _ in range(steps):
        walking = ~done & (length > 1e-12)
        if not walking.any():
            break
        size = slope.norm(dim=0)
        # A slope that has flushed to zero has no direction left.
        tried = theta - length * slope / torch.where(size > 0, size, 1)
        found = _look(tried, sequences)
        better = walking & (found[0] < here)
        theta, slope = torch.where(better, tried, theta), torch.where(better, found[1], slope)
        here, done = torch.where(better, found[0], here), torch.where(better, found[2], done)
        length = torch.where(better, (1.5 * length).clamp(max=LONGEST), length / 2)
    return theta


def obstacle(theta: Tensor, sequences: Sequences, fresh: Sequences, reach: float, steps: int = 500) -> Tensor:
    """What keeps a descent that stands at θ, unsolved, from going on: int64 (B,).

    `follow` is sent off from θ. Where it comes to weights that put all but a tenth of the fresh sequences right, the
    size of the slope was all that was wanting: SLOPE if reach * |∂C/∂θ| >= 1, where reach is the rate times the
    number of updates in a budget, so that more time will do; PLATEAU if not even another whole budget at this slope
    leads as far as 1. Where it does not, it has come to rest: in a DIMPLE that the noise of its own sequences has
    made if on fresh ones the cost is that of chance, CHANCE, but for a tenth, or above; else at a MINIMUM.
    """
    small = reach * gradient(theta, sequences).norm(dim=0) < 1
    last = follow(theta, sequences, steps)
    way = (ends(last, fresh) * _targets(fresh) > 0).double().mean(0) >= 0.9
    high = cost(last, fresh) >= 0.9 * CHANCE
    return torch.where(way, torch.where(small, PLATEAU, SLOPE), torch.where(high, DIMPLE, MINIMUM))


def _look(theta: Tensor, sequences: Sequences) -> tuple[Tensor, Tensor, Tensor]:
    """Cost (B,), gradient (3, B) and whether the sequences are solved (B,), from one run of the unit."""
    theta, targets = theta.detach().requires_grad_(), _targets(sequences)
    found = ends(theta, sequences)
    each = ((found - targets) ** 2 / 2).mean(0)
    (slope,) = torch.autograd.grad(each.sum(), theta)
    return each.detach(), slope, (found.detach() * targets > 0).all(0)


def _targets(sequences: Sequences) -> Tensor:
    return TARGET * (2.0 * sequences.classes - 1)
