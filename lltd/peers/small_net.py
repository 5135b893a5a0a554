"""The peers of the kernel of small nets: they take a `Showing` and return the three sums of `small_net.slopes`.

The net's units are all fed by all, so its 25 weights are a matrix W (5, 5), and its reference's letters become:
δ = f' ∂C/∂x and δ₂ = f'² ∂²C/∂x², g = δ x(t-1) and h = δ₂ x(t-1)², ∂C/∂x(t-1) = Wᵀ δ, ∂²C/∂x(t-1)² = (W²)ᵀ δ₂.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lltd.kernels import small_net
from lltd.kernels.small_net import reference
from lltd.peers import MissingPeer, library
from lltd.systems.small_nets import TWO_SEQUENCE, initial
from lltd.tasks import random_patterns, two_sequence

SEED, LEAD, NOISE, TARGET = 1, 3, 0.2, 0.8
CHUNK = 10  # steps in one compiled call, as in `lltd.peers.guess`
N, OUTPUT = TWO_SEQUENCE.units, TWO_SEQUENCE.output


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
    """The kernel itself: (3, 25, runs)."""
    return small_net.slopes(TWO_SEQUENCE, *work.shown)[1]


def slope(work: Showing) -> Tensor:
    """The gradient alone, (25, runs), of which the kernel makes no separate thing."""
    return kernel(work)[0]


def eager(work: Showing) -> Tensor:
    """The plain torch reference, weight by weight, for a net of any wiring."""
    net = TWO_SEQUENCE
    numbers = (net.table(), net.units, net.entry, net.output, reference.GAUSS_NEWTON)
    return reference.slopes(*work.shown, *numbers)[1]


def autograd(work: Showing) -> Tensor:
    """PyTorch as one writes it: the weights as a matrix, and the gradient alone, by autograd."""
    theta, inputs, lengths, targets, _ = work.shown
    theta = theta.clone().requires_grad_()
    W, x, outputs = theta.unflatten(0, (N, N)), torch.zeros(N, work.runs, dtype=theta.dtype), []
    for u in inputs:  # (1, runs), added to the first unit
        x = torch.tanh((W * x).sum(1) + torch.cat((u, torch.zeros_like(x[1:]))))
        outputs.append(x[OUTPUT])
    ends = torch.stack(outputs).gather(0, lengths[None] - 1)[0]
    (found,) = torch.autograd.grad(((ends - targets) ** 2 / 2).sum(), theta)
    return found


def with_torch(work: Showing) -> Tensor:
    """PyTorch with the weights as a matrix, all runs in each array."""
    return _chunked(work, _forward, _backward)


def compiled(work: Showing) -> Tensor:
    """The same, CHUNK steps under torch.compile, which makes loops of them."""
    try:
        return _chunked(work, *_compiled_steps())
    except RuntimeError as error:
        raise MissingPeer("no C++ compiler works here") from error


@cache
def _compiled_steps() -> tuple[Callable[..., Tensor], Callable[..., tuple[Tensor, ...]]]:
    return tuple(torch.compile(steps, fullgraph=True, dynamic=False) for steps in (_forward, _backward))


@torch.inference_mode()
def _chunked(
    work: Showing, forward: Callable[..., Tensor], backward: Callable[..., tuple[Tensor, ...]]
) -> Tensor:
    theta, inputs, lengths, targets, mu = work.shown
    W, parts = theta.unflatten(0, (N, N)), [theta.new_zeros(1, N, work.runs)]
    for u in inputs.split(CHUNK):
        parts.append((forward if len(u) == CHUNK else _forward)(W, parts[-1][-1], u))
    x = torch.cat(parts)  # (T + 1, 5, runs)
    ending = (torch.arange(1, len(x))[:, None] == lengths).to(theta)
    error = ending * (x[1:, OUTPUT] - targets)
    first, second, sums = torch.zeros_like(x[0]), torch.zeros_like(x[0]), theta.new_zeros(3, N, N, work.runs)
    for t in range((len(inputs) - 1) // CHUNK * CHUNK, -1, -CHUNK):
        given = x[t : t + CHUNK + 1], error[t : t + CHUNK], ending[t : t + CHUNK]
        whole = len(given[1]) == CHUNK
        first, second, sums = (backward if whole else _backward)(W, mu, *given, first, second, sums)
    return sums.flatten(1, 2)


def _forward(W: Tensor, x: Tensor, inputs: Tensor) -> Tensor:
    """Units (n, 5, runs) at n steps, after x (5, runs)."""
    found = []
    for u in inputs:
        a = (W * x).sum(1)
        x = torch.tanh(torch.cat((a[:1] + u, a[1:])))
        found.append(x)
    return torch.stack(found)


def _backward(
    W: Tensor,
    mu: Tensor,
    x: Tensor,
    error: Tensor,
    ending: Tensor,
    first: Tensor,
    second: Tensor,
    sums: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """From the last of n steps, x (n + 1, 5, runs), to the first: both derivatives in x before it, and the sums."""
    for t in range(len(error) - 1, -1, -1):
        # The output is the last unit.
        first = torch.cat((first[:-1], first[-1:] + error[t]))
        second = torch.cat((second[:-1], second[-1:] + ending[t]))
        f = 1 - x[t + 1] ** 2
        d, d2 = f * first, f**2 * second
        g, h = d[:, None] * x[t], d2[:, None] * x[t] ** 2
        sums = sums + torch.stack((g, h, g / (h + mu)))
        first, second = (W * d[:, None]).sum(0), (W**2 * d2[:, None]).sum(0)
    return first, second, sums


def with_numpy(work: Showing) -> Tensor:
    """NumPy, all runs in each array, most results into arrays at hand."""
    theta, inputs, lengths, targets, mu = (tensor.numpy() for tensor in work.shown)
    W, T = theta.reshape(N, N, -1), len(inputs)
    squares, x = W**2, np.zeros((T + 1, N, work.runs))
    product, g, h = np.empty_like(W), np.empty_like(W), np.empty_like(W)
    for t in range(T):
        np.multiply(W, x[t], out=product)
        np.sum(product, axis=1, out=x[t + 1])
        x[t + 1, :1] += inputs[t]
        np.tanh(x[t + 1], out=x[t + 1])
    sums, first, second = np.zeros((3, *W.shape)), np.zeros_like(x[0]), np.zeros_like(x[0])
    for t in range(T, 0, -1):
        ending = lengths == t
        first[OUTPUT] += ending * (x[t, OUTPUT] - targets)
        second[OUTPUT] += ending
        f = 1 - x[t] ** 2
        d, d2 = (f * first)[:, None], (f**2 * second)[:, None]
        np.multiply(d, x[t - 1], out=g)
        np.multiply(d2, x[t - 1] ** 2, out=h)
        sums[0] += g
        sums[1] += h
        h += mu  # no h is negative here
        sums[2] += np.divide(g, h, out=g)
        np.sum(np.multiply(W, d, out=product), axis=0, out=first)
        np.sum(np.multiply(squares, d2, out=product), axis=0, out=second)
    return torch.from_numpy(sums.reshape(3, N * N, -1))


def with_numba(work: Showing) -> Tensor:
    """Numba: loops over runs, steps and weights, compiled."""
    return torch.from_numpy(_numba_slopes()(*(tensor.numpy() for tensor in work.shown)))


@cache
def _numba_slopes() -> Callable[..., np.ndarray]:
    njit = library("numba").njit

    @njit
    def slopes(theta, inputs, lengths, targets, mu):  # noqa: ANN001, ANN202, Numba finds the types itself
        T, runs = len(inputs), theta.shape[1]
        sums, x = np.zeros((3, N * N, runs)), np.zeros((T + 1, N))
        W, own = np.empty((N, N)), np.empty((3, N, N))
        first, second, d, d2 = np.empty(N), np.empty(N), np.empty(N), np.empty(N)
        for run in range(runs):
            for i in range(N):
                for j in range(N):
                    W[i, j] = theta[i * N + j, run]
            end = lengths[run]  # what comes after it bears no error
            for t in range(end):
                for i in range(N):
                    a = inputs[t, 0, run] if i == 0 else 0.0
                    for j in range(N):
                        a += W[i, j] * x[t, j]
                    x[t + 1, i] = np.tanh(a)
            own[:] = first[:] = second[:] = 0.0
            first[OUTPUT], second[OUTPUT] = x[end, OUTPUT] - targets[run], 1.0
            for t in range(end, 0, -1):
                for i in range(N):
                    f = 1 - x[t, i] * x[t, i]
                    d[i], d2[i] = f * first[i], f * f * second[i]
                first[:] = second[:] = 0.0
                for i in range(N):
                    for j in range(N):
                        g, h = d[i] * x[t - 1, j], d2[i] * x[t - 1, j] * x[t - 1, j]
                        own[0, i, j] += g
                        own[1, i, j] += h
                        own[2, i, j] += g / (h + mu[run])
                        first[j] += W[i, j] * d[i]
                        second[j] += W[i, j] * W[i, j] * d2[i]
            for k in range(3):
                for i in range(N):
                    for j in range(N):
                        sums[k, i * N + j, run] = own[k, i, j]
        return sums

    return slopes


def with_jax(work: Showing) -> Tensor:
    """JAX: jit of a scan over steps, and of one back, all runs in each array."""
    jax = library("jax")
    with jax.enable_x64(True):
        return torch.from_numpy(np.array(_jax_slopes()(*(tensor.numpy() for tensor in work.shown))))


@cache
def _jax_slopes() -> Callable[..., Any]:
    jax = library("jax")
    jnp = jax.numpy

    @jax.jit
    def slopes(theta, inputs, lengths, targets, mu):  # noqa: ANN001, ANN202
        W = theta.reshape(N, N, -1)

        def forward(x, u):  # noqa: ANN001, ANN202
            later = jnp.tanh((W * x).sum(1).at[0].add(u[0]))
            return later, (x, later)

        def backward(carried, given):  # noqa: ANN001, ANN202
            (first, second, sums), (before, x, ending) = carried, given
            first = first.at[OUTPUT].add(ending * (x[OUTPUT] - targets))
            second = second.at[OUTPUT].add(ending)
            f = 1 - x**2
            d, d2 = (f * first)[:, None], (f**2 * second)[:, None]
            g, h = d * before, d2 * before**2
            sums = sums + jnp.stack((g, h, g / (h + mu)))
            return ((W * d).sum(0), (W**2 * d2).sum(0), sums), None

        x = jnp.zeros((N, theta.shape[1]))
        _, (before, after) = jax.lax.scan(forward, x, inputs)
        ending = (jnp.arange(1, len(inputs) + 1)[:, None] == lengths).astype(x.dtype)
        start = x, x, jnp.zeros((3, *W.shape))
        (_, _, sums), _ = jax.lax.scan(backward, start, (before, after, ending), reverse=True)
        return sums.reshape(3, N * N, -1)

    return slopes


GRADIENT_ALONE = "PyTorch with autograd, no second derivatives"
PEERS: dict[str, Callable[[Showing], Tensor]] = {
    "the plain torch reference": eager,
    "PyTorch, weights as a matrix": with_torch,
    "torch.compile, ten steps a call": compiled,
    "NumPy": with_numpy,
    "Numba": with_numba,
    "JAX, jit of scan": with_jax,
    GRADIENT_ALONE: autograd,
}
