"""The gradient of 1996, cut where it reaches a net input, against the whole gradient of the same cost."""

from typing import NamedTuple

import torch
from torch import Tensor

from lltd.analysis import carousel
from lltd.kernels.lstm96 import Topology, reference
from lltd.kernels.lstm96.tasks import Sequences

KINDS = ("input gates", "output gates", "cells")  # of hidden units, each with weights of its own


class Pair(NamedTuple):
    """∂E/∂W of the hidden weights, (H, F, B), without and with the errors that go back through net inputs."""

    truncated: Tensor
    full: Tensor


def gradients(net: Topology, theta: Tensor, shown: Sequences) -> Pair:
    """Both gradients of E = Σ (d - o)² / 2 at the ends of B sequences, one for each trial's theta (P, B).

    The weights of the output units are not among them: nothing is cut on the way to these. Where the net has no
    weight both are 0. For a logistic output without its slope, net.slope False, the cost is the relative entropy.
    """
    W, V = net.layers(theta)
    steps = carousel.unfold(W, shown.inputs, net.blocks, net.cells, shown.lengths)
    total, _ = reference.output(V, steps[-1].memory)
    o = total if net.output == "linear" else torch.sigmoid(total)
    slope = o * (1 - o) if net.slope and net.output == "logistic" else 1.0
    back = torch.einsum("kcb,kb->cb", V[:, :-1], (o - shown.targets) * slope)
    e = torch.zeros_like(steps[-1].memory.y).unflatten(0, (net.blocks, -1))
    e[:, 2:] = back.unflatten(0, (net.blocks, net.cells))
    ways = [carousel.ways(W, step) for step in steps]
    exists = net.layers(net.wiring(theta.device)[:, None])[0]
    return Pair(
        *(
            exists * carousel.gradient(steps, carousel.errors(ways, e.flatten(0, 1), truncated=cut))
            for cut in (True, False)
        )
    )


def of_kind(net: Topology, gradient: Tensor) -> dict[str, Tensor]:
    """The parts of a gradient (H, F, B) that belong to each of KINDS, each as (numbers, B)."""
    by_block = gradient.unflatten(0, (net.blocks, -1))
    rows = (by_block[:, 0], by_block[:, 1], by_block[:, 2:])
    return {kind: row.flatten(0, -2) for kind, row in zip(KINDS, rows, strict=True)}


def agreement(truncated: Tensor, full: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine of the angle between them, and the size of the truncated one over that of the full one, both (B).

    Arguments (..., B); sizes are Euclidean norms. A gradient of size 0 makes them nan.
    """
    ours, theirs = (one.flatten(0, -2) for one in (truncated, full))
    sizes = ours.norm(dim=0), theirs.norm(dim=0)
    return (ours * theirs).sum(0) / (sizes[0] * sizes[1]), sizes[0] / sizes[1]
