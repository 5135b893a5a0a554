"""One sequence shown to a small recurrent net, and what can be learnt from it: the mathematics, in plain torch.

Unit i of n has a_i(t) = Σ θ_p z_p(t), over the weights p that lead to it, and x_i(t) = f(a_i(t)), x(0) = 0; its
`entry` unit gets the first input added. Sources z: the units before this step, those of this step that are
already there (units are updated in order), the inputs, and 1. Cost of a sequence: C = (x_o(L) - d)² / 2.

Letters: P weights, B runs, n units, T steps, C inputs. wiring (P, 2): the unit a weight leads to, and its source:
j < n is x_j(t - 1), n + j is x_j(t), 2n + c is input c, 2n + C is 1. lengths (B): L, each in 1 … T.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from lltd.philox import Purpose, uniform

GAUSS_NEWTON, SIGNED = 0, 1  # second derivatives without, and with, the curvature of f itself
LARGEST = 2.0  # a discrete error: MAX = -MIN = 2, the only bounds that leave the mean of the error as it was


def sign(a: Tensor) -> Tensor:
    """The hard unit: +1 where a >= 0, else -1."""
    return torch.where(a >= 0, 1.0, -1.0).to(a.dtype)


def edges(wiring: Tensor, units: int) -> list[list[tuple[int, int]]]:
    """For each unit, the weights that lead to it and their sources, in order: (p, source)."""
    led = wiring.tolist()
    return [[(p, source) for p, (to, source) in enumerate(led) if to == i] for i in range(units)]


def unfold(
    theta: Tensor, inputs: Tensor, wiring: Tensor, units: int, entry: int, f: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Run a sequence (T, C, B): sources z (T, 2n + C + 1, B) and activations a (T, n, B) of every step."""
    wires, one, sources, activations = edges(wiring, units), torch.ones_like(theta[0]), [], []
    x = [torch.zeros_like(one)] * units
    for presented in inputs:
        z, a = [*x, *x, *presented, one], []
        for i, led in enumerate(wires):
            # One by one, not by torch.sum: its order, and so its rounding, depends on how many runs there are.
            total = sum((theta[p] * z[source] for p, source in led), start=torch.zeros_like(one))
            a.append(total + presented[0] if i == entry else total)
            z[units + i] = f(a[i])
        sources.append(torch.stack(z))
        activations.append(torch.stack(a))
        x = z[units : 2 * units]
    return torch.stack(sources), torch.stack(activations)


def ends(
    theta: Tensor,
    inputs: Tensor,
    lengths: Tensor,
    wiring: Tensor,
    units: int,
    entry: int,
    output: int,
    hard: bool,
) -> Tensor:
    """The output x_o(L) at the end of each of S sequences, inputs (S, T, C, B), lengths (S, B): (S, B)."""
    found = []
    for sequence, length in zip(inputs, lengths, strict=True):
        z, _ = unfold(theta, sequence, wiring, units, entry, sign if hard else torch.tanh)
        found.append(z[:, units + output].gather(0, length[None] - 1)[0])
    return torch.stack(found)


def slopes(
    theta: Tensor,
    inputs: Tensor,
    lengths: Tensor,
    targets: Tensor,
    mu: Tensor,
    wiring: Tensor,
    units: int,
    entry: int,
    output: int,
    curvature: int,
) -> tuple[Tensor, Tensor]:
    """One sequence each, (T, C, B): the ends (B), and three sums over the copies θ_pt of each weight, (3, P, B).

    With g = ∂C/∂θ_pt and h = ∂²C/∂θ_pt² by LeCun's recursion, which neglects what couples two units: Σ g,
    Σ h, and Σ g / (|h| + μ), [SLIDES94] on the time-weighted method, 0 where μ is infinite. curvature SIGNED
    adds f'' ∂C/∂x to f'² ∂²C/∂x².
    """
    z, _ = unfold(theta, inputs, wiring, units, entry, torch.tanh)
    wires, sums = edges(wiring, units), theta.new_zeros(3, *theta.shape)
    end = z[:, units + output].gather(0, lengths[None] - 1)[0]
    later = theta.new_zeros(2, units, theta.shape[1])  # ∂C/∂x(t), ∂²C/∂x(t)², as far as later steps see them
    for t in range(len(inputs) - 1, -1, -1):
        first, second = theta.new_zeros(2, z.shape[1], theta.shape[1])  # ∂C/∂z(t), ∂²C/∂z(t)²
        first[units : 2 * units], second[units : 2 * units] = later
        first[units + output] += torch.where(lengths == t + 1, end - targets, 0)
        second[units + output] += torch.where(lengths == t + 1, 1.0, 0.0)
        for i in range(units - 1, -1, -1):
            x = z[t, units + i]
            slope, bend = 1 - x**2, -2 * x * (1 - x**2)
            delta = slope * first[units + i]
            delta2 = slope**2 * second[units + i]
            if curvature == SIGNED:
                delta2 = delta2 + bend * first[units + i]
            for p, source in wires[i]:
                g, h = delta * z[t, source], delta2 * z[t, source] ** 2
                sums[:, p] += torch.stack((g, h, torch.where(mu.isinf(), 0, g / (h.abs() + mu))))
                first[source] += theta[p] * delta
                second[source] += theta[p] ** 2 * delta2
        later = torch.stack((first[:units], second[:units]))
    return end, sums


def wanted(
    theta: Tensor,
    ids: Tensor,
    inputs: Tensor,
    lengths: Tensor,
    targets: Tensor,
    wiring: Tensor,
    seed: int,
    shown: int,
    units: int,
    entry: int,
    output: int,
    margin: float,
) -> tuple[Tensor, Tensor]:
    """Discrete error propagation through hard units, targets ±1: the ends (B), and Σ Δa z for each weight (P, B).

    The wanted change of a unit's output, e = Σ θ Δa over what it feeds, becomes 2 with probability (e + 2) / 4 and
    else -2, e first cut to [-2, 2]; no wish stays none. It asks the activation to go `margin` past 0: Δa = margin - a
    if 2 is wanted and a < 0, -margin - a if -2 is wanted and a >= 0, else 0. [SLIDES94] on discrete error
    propagation. shown: number of the presentation, which with the step is the address of the chance.
    """
    z, a = unfold(theta, inputs, wiring, units, entry, sign)
    wires, total = edges(wiring, units), torch.zeros_like(theta)
    end = z[:, units + output].gather(0, lengths[None] - 1)[0]
    later = theta.new_zeros(units, theta.shape[1])
    for t in range(len(inputs) - 1, -1, -1):
        chance = draw(seed, ids, shown, t, len(inputs), units, theta.dtype)
        wish = theta.new_zeros(z.shape[1], theta.shape[1])
        wish[units : 2 * units] = later
        wish[units + output] += torch.where(lengths == t + 1, targets - end, 0)
        for i in range(units - 1, -1, -1):
            e = wish[units + i].clamp(-LARGEST, LARGEST)
            up = chance[i] < (e + LARGEST) / (2 * LARGEST)
            rises, falls = up & (a[t, i] < 0) & (e != 0), ~up & (a[t, i] >= 0) & (e != 0)
            change = torch.where(rises, margin - a[t, i], 0) + torch.where(falls, -margin - a[t, i], 0)
            for p, source in wires[i]:
                total[p] += change * z[t, source]
                wish[source] += theta[p] * change
        later = wish[:units]
    return end, total


def draw(seed: int, ids: Tensor, shown: int, t: int, steps: int, units: int, dtype: torch.dtype) -> Tensor:
    """Chance of one step: a uniform number for each unit, (n, B), four units to a Philox block."""
    blocks = -(-units // 4)
    addresses = (shown * steps + t) * blocks + torch.arange(blocks, device=ids.device)
    u = uniform(seed, ids, addresses[:, None], Purpose.SEARCH, dtype)  # (4, blocks, B)
    return u.transpose(0, 1).flatten(0, 1)[:units]
