"""The peers of the kernel of small nets: they take a `Showing` and return the gradient of its costs, (25, runs)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from lltd.kernels import small_net
from lltd.kernels.small_net import reference
from lltd.systems.small_nets import TWO_SEQUENCE, initial
from lltd.tasks import random_patterns, two_sequence

SEED, LEAD, NOISE, TARGET = 1, 3, 0.2, 0.8


@dataclass(frozen=True)
class Showing:
    """One sequence of the 2-sequence problem shown to each of so many nets of five units, 1994's task and net."""

    runs: int = 400
    length: int = 100

    @cached_property
    def shown(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """theta, inputs, lengths, targets and mu, as `small_net.slopes` takes them; nobody may change them."""
        ids = torch.arange(self.runs)
        kind = {"shortest": self.length // 2, "longest": self.length, "noise": NOISE}
        inputs, lengths, classes = two_sequence(
            SEED, ids, first=0, count=1, patterns=random_patterns(SEED, ids, LEAD), **kind
        )
        theta = initial(SEED, ids, TWO_SEQUENCE)
        targets = TARGET * (2 * classes[0] - 1).to(theta)
        return theta, inputs[0], lengths[0], targets, torch.full_like(targets, 0.01)


def kernel(work: Showing) -> Tensor:
    """The kernel itself, which computes second derivatives on the way."""
    return small_net.slopes(TWO_SEQUENCE, *work.shown)[1][0]


def eager(work: Showing) -> Tensor:
    """The plain torch reference, weight by weight."""
    net = TWO_SEQUENCE
    numbers = (net.table(), net.units, net.entry, net.output, reference.GAUSS_NEWTON)
    return reference.slopes(*work.shown, *numbers)[1][0]


def autograd(work: Showing) -> Tensor:
    """PyTorch as one writes it: the weights as matrices, and the gradient alone, by autograd."""
    theta, inputs, lengths, targets, _ = work.shown
    theta = theta.clone().requires_grad_()
    W, x, outputs = theta.unflatten(0, (5, 5)), torch.zeros(5, work.runs, dtype=theta.dtype), []
    for u in inputs:  # (1, runs), added to the first unit
        x = torch.tanh((W * x).sum(1) + torch.cat((u, torch.zeros_like(x[1:]))))
        outputs.append(x[TWO_SEQUENCE.output])
    ends = torch.stack(outputs).gather(0, lengths[None] - 1)[0]
    (slope,) = torch.autograd.grad(((ends - targets) ** 2 / 2).sum(), theta)
    return slope


PEERS: dict[str, Callable[[Showing], Tensor]] = {
    "the plain torch reference": eager,
    "PyTorch with autograd, no second derivatives": autograd,
}
