"""A fully recurrent net, and the gradient of its error computed twice: backward in time and forward in time.

n units see each other and m inputs one step back. With z(t) = (a(t-1), u(t)), the vector a unit looks at,
    net(t) = W z(t),    a(t) = f(net(t)),    t = 1 … T,
    E = 1/2 sum of (a_k(t) - d_k(t))**2 over the units and steps that have a target.
The letters are those of [HBFS01] section 2. There an input is a unit too, and one step older; so u(t) here is
its activation at t - 1. A bias is an input that is always 1.

Shapes: W (n, n + m); a(0) (..., n); inputs (T, ..., m); targets (T, ..., n), NaN where nothing is taught;
activations (T + 1, ..., n), first a(0). The leading ... are sequences; gradients are summed over them.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from lltd.philox import Purpose, normal


class Transfer(NamedTuple):
    """A squashing function f(net), and its slope f' written as a function of the activation a = f(net)."""

    f: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]


TANH = Transfer(torch.tanh, lambda a: 1 - a**2)
LOGISTIC = Transfer(torch.sigmoid, lambda a: a * (1 - a))


def init(seed: int, run: int, units: int, inputs: int, gain: float = 1.0) -> Tensor:
    """Weights (n, n + m) of one run: independent, Gaussian, of standard deviation gain / sqrt(n + m).

    Raises ValueError for fewer than one unit or a negative number of inputs.
    """
    if units < 1 or inputs < 0:
        raise ValueError(f"units is {units} and inputs is {inputs}: at least 1 and at least 0 are needed")
    size = units * (units + inputs)
    blocks = torch.arange(-(-size // 4))
    numbers = normal(seed, run, blocks, Purpose.INITIAL).T.flatten()[:size]
    return gain / (units + inputs) ** 0.5 * numbers.reshape(units, units + inputs)


def step(W: Tensor, a: Tensor, u: Tensor, transfer: Transfer = TANH) -> Tensor:
    """One step of time: a(t-1) of shape (..., n) and u(t) of shape (..., m) to a(t). [HBFS01] section 2."""
    return transfer.f(torch.cat((a, u), dim=-1) @ W.T)


def unfold(W: Tensor, start: Tensor, inputs: Tensor, transfer: Transfer = TANH) -> Tensor:
    """All activations a(0) … a(T), shape (T + 1, ..., n), of the net on its inputs.

    Raises ValueError when the shapes do not fit each other.
    """
    _check(W, start, inputs)
    activations = [start]
    for u in inputs:
        activations.append(step(W, activations[-1], u, transfer))
    return torch.stack(activations)


def sources(activations: Tensor, inputs: Tensor) -> Tensor:
    """z(1) … z(T), shape (T, ..., n + m): what each unit looks at, step by step."""
    return torch.cat((activations[:-1], inputs), dim=-1)


def error_slopes(a: Tensor, d: Tensor) -> Tensor:
    """Slopes e of E in the activations a alone, for targets d of the same shape: a - d, 0 where d is NaN."""
    return torch.where(d.isnan(), 0.0, a - d)


def error(activations: Tensor, targets: Tensor) -> Tensor:
    """E, half the sum of the squared differences from the targets, a scalar."""
    return (error_slopes(activations[1:], targets) ** 2).sum() / 2


def deltas(W: Tensor, activations: Tensor, e: Tensor, transfer: Transfer = TANH) -> Tensor:
    """Back-propagated errors delta_j(t) = dE / dnet_j(t), of the shape (T, ..., n) of e, last step first.

    delta_j(t) = f'_j(net_j(t)) [e_j(t) + sum_i w_ij delta_i(t+1)], with nothing after T. [HBFS01] section 2.
    """
    units = W.shape[0]
    delta = torch.empty_like(e)
    carried = torch.zeros_like(e[0])
    for t in reversed(range(len(e))):
        delta[t] = transfer.slope(activations[t + 1]) * (e[t] + carried)
        carried = delta[t] @ W[:, :units]
    return delta


def bptt(W: Tensor, start: Tensor, inputs: Tensor, targets: Tensor, transfer: Transfer = TANH) -> Tensor:
    """Gradient dE / dW by back-propagation through time: the sum over t of delta_j(t) z_l(t).

    Keeps all activations, O(n T) numbers; O(n (n + m)) multiplications a step. Werbos 1988.
    Raises ValueError when the shapes do not fit each other.
    """
    _check(W, start, inputs, targets)
    activations = unfold(W, start, inputs, transfer)
    delta = deltas(W, activations, error_slopes(activations[1:], targets), transfer)
    return delta.flatten(0, -2).T @ sources(activations, inputs).flatten(0, -2)


def influence_step(W: Tensor, p: Tensor, z: Tensor, a: Tensor, transfer: Transfer = TANH) -> Tensor:
    """Influence p(t) of every weight on every unit, (..., n, n, n + m), from p(t-1), z(t) and a(t).

    With p_kjl = da_k / dw_jl:   p_kjl(t) = f'_k(net_k(t)) [sum_i w_ki p_ijl(t-1) + (k = j) z_l(t)].
    Robinson & Fallside 1987; Williams & Zipser 1989.
    """
    units = W.shape[0]
    carried = (W[:, :units] @ p.flatten(-2)).unflatten(-1, W.shape)
    direct = torch.eye(units, dtype=W.dtype)[:, :, None] * z[..., None, None, :]
    return transfer.slope(a)[..., None, None] * (carried + direct)


def rtrl(W: Tensor, start: Tensor, inputs: Tensor, targets: Tensor, transfer: Transfer = TANH) -> Tensor:
    """Gradient dE / dW by real-time recurrent learning: the sum over t and k of e_k(t) p_kjl(t).

    Goes forward with the net and keeps the present step only, O(n**2 (n + m)) numbers; O(n**3 (n + m))
    multiplications a step. Raises ValueError when the shapes do not fit each other.
    """
    _check(W, start, inputs, targets)
    a, p = start, W.new_zeros(*start.shape, *W.shape)
    gradient = torch.zeros_like(W)
    for u, d in zip(inputs, targets, strict=True):
        z = torch.cat((a, u), dim=-1)
        a = step(W, a, u, transfer)
        p = influence_step(W, p, z, a, transfer)
        gradient += torch.einsum("...k,...kjl->jl", error_slopes(a, d), p)
    return gradient


def _check(W: Tensor, start: Tensor, inputs: Tensor, targets: Tensor | None = None) -> None:
    units = W.shape[0]
    sequences = tuple(start.shape[:-1])
    if start.shape[-1:] != (units,):
        raise ValueError(
            f"start has shape {tuple(start.shape)}: its last axis must hold the net's {units} units"
        )
    for name, given, last in (("inputs", inputs, W.shape[1] - units), ("targets", targets, units)):
        needed = (len(inputs), *sequences, last)
        if given is not None and tuple(given.shape) != needed:
            raise ValueError(f"{name} has shape {tuple(given.shape)}: {needed} is needed")
