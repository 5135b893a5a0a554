"""A2 run by NumPy, Numba and JAX: run(theta, x) → outputs (nets), weights (52, nets), one sequence x (T,).

As `lltd.peers.guess._run`, of which they are the likes, in single precision.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lltd.peers import library

LEAST = 64  # nets in one call of JAX, which compiles anew for each number of them: powers of two only


def with_numpy(theta: Tensor, x: Tensor) -> Tensor:
    """All nets in each array, all results into arrays at hand."""
    w, (outer, out_bias, *_), by_h = (
        theta[:40].numpy().reshape(10, 4, -1),
        theta[40:].numpy(),
        theta[42:].numpy(),
    )
    by_x, bias, by_o, by_itself = (np.ascontiguousarray(w[:, source]) for source in range(4))
    constant = {u: (bias + u * by_x, out_bias + u * outer) for u in (-1.0, 1.0)}  # all inputs there are
    h, o, net = np.zeros_like(bias), np.zeros_like(outer), np.empty_like(bias)
    with np.errstate(over="ignore"):  # exp is infinite, the unit 0
        for u in x.tolist():
            to_hidden, to_output = constant[u]
            np.multiply(by_o, o, out=net)
            net += to_hidden
            h *= by_itself
            _squash(np.add(net, h, out=h))
            np.sum(np.multiply(by_h, h, out=net), axis=0, out=o)
            o += to_output
            _squash(o)
    return torch.from_numpy(o)


def _squash(net: np.ndarray) -> None:
    np.exp(np.negative(net, out=net), out=net)
    net += 1
    np.reciprocal(net, out=net)


def with_numba(theta: Tensor, x: Tensor) -> Tensor:
    """Loops over nets, steps and units, compiled."""
    return torch.from_numpy(_numba_run()(theta.T.contiguous().numpy(), x.numpy()))


@cache
def _numba_run() -> Callable[..., np.ndarray]:
    njit, real = library("numba").njit, np.float32
    ZERO, ONE = map(real, (0, 1))  # else all becomes double precision

    @njit
    def run(theta, x):  # noqa: ANN001, ANN202, Numba finds the types itself
        ends, h = np.empty(len(theta), real), np.empty(10, real)
        for net in range(len(theta)):
            w, o = theta[net], ZERO
            h.fill(ZERO)
            for u in x:
                total = w[40] * u + w[41]
                for i in range(10):
                    a = w[4 * i] * u + w[4 * i + 1] + w[4 * i + 2] * o + w[4 * i + 3] * h[i]
                    h[i] = ONE / (ONE + np.exp(-a))
                    total += w[42 + i] * h[i]
                o = ONE / (ONE + np.exp(-total))
            ends[net] = o
        return ends

    return run


def with_jax(theta: Tensor, x: Tensor) -> Tensor:
    """A loop over steps under jit, all nets in each array."""
    many = theta.shape[1]
    some = np.arange(max(LEAST, 1 << (many - 1).bit_length())) % many
    padded = np.zeros(-(-len(x) // 100) * 100, np.float32)
    padded[: len(x)] = x
    return torch.from_numpy(np.array(_jax_run()(theta.numpy()[:, some], padded, len(x))))[:many]


@cache
def _jax_run() -> Callable[..., Any]:
    jax = library("jax")
    jnp = jax.numpy

    @jax.jit
    def run(theta, x, length):  # noqa: ANN001, ANN202
        w, v = theta[:40].reshape(10, 4, -1), theta[40:]

        def step(t, units):  # noqa: ANN001, ANN202
            h, o = units
            h = jax.nn.sigmoid(w[:, 0] * x[t] + w[:, 1] + w[:, 2] * o + w[:, 3] * h)
            return h, jax.nn.sigmoid(v[0] * x[t] + v[1] + (v[2:] * h).sum(0))

        start = jnp.zeros((10, theta.shape[1]), theta.dtype), jnp.zeros(theta.shape[1], theta.dtype)
        return jax.lax.fori_loop(0, length, step, start)[1]

    return run
