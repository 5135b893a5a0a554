"""The peers of the kernel that trains latches: they take a `Stretch` of training and return theta, (1 + 2L, runs)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lltd.kernels import latch
from lltd.kernels.latch import reference
from lltd.peers import MissingPeer, library
from lltd.peers.words import U64, uniform, words
from lltd.philox import Purpose

SEED, LEAD, RATE, TARGET = 1, 3, 0.01, 0.8


@dataclass(frozen=True)
class Stretch:
    """A stretch of training on the minimal task: gradient descent from w = 1.25, in noise 0.2, L = 3."""

    runs: int = 4096
    length: int = 20
    epochs: int = 20

    @cached_property
    def start(self) -> tuple[Tensor, Tensor, Tensor]:
        """The runs' ids, parameters theta and noise, as `latch.train` takes them; nobody may change them."""
        ids = torch.arange(self.runs)
        weight, noise = (torch.full((self.runs,), value, dtype=torch.float64) for value in (1.25, 0.2))
        return ids, latch.initial(SEED, ids, weight, LEAD), noise


def kernel(work: Stretch) -> Tensor:
    """The kernel itself, by the face that serves here."""
    ids, theta, noise = work.start
    numbers = {"length": work.length, "epochs": work.epochs, "rate": RATE, "target": TARGET}
    return latch.train(SEED, ids, theta, noise=noise, **numbers)[0]


def eager(work: Stretch) -> Tensor:
    """The plain torch reference."""
    ids, theta, noise = work.start
    numbers = (0, work.epochs, work.length, RATE, TARGET, reference.GRADIENT, True, True, math.inf)
    return reference.train(SEED, ids, theta, theta.new_zeros(2, *theta.shape), noise, *numbers)[0]


def compiled(work: Stretch) -> Tensor:
    """The reference under torch.compile, one epoch at a time."""
    ids, theta, noise = work.start
    epoch = _compiled_epoch(work.length)
    try:
        for number in torch.arange(work.epochs):  # as a tensor: a Python number would be compiled in
            theta = epoch(ids, theta, noise, number)
    except RuntimeError as error:
        raise MissingPeer("no C++ compiler works here") from error
    return theta


@cache
def _compiled_epoch(length: int) -> Callable[..., Tensor]:
    def epoch(ids: Tensor, theta: Tensor, noise: Tensor, number: Tensor) -> Tensor:
        inputs = reference.draw(SEED, ids, number, length - LEAD, Purpose.NOISE, noise)
        return theta - RATE * reference.gradient(theta, inputs, TARGET)

    return torch.compile(epoch, fullgraph=True, dynamic=False)


def normals(u: Any, v: Any) -> tuple[Any, Any]:  # noqa: ANN401, arrays here, scalars there
    """The pair of normals made of a pair of uniform numbers, as in `philox.normal`."""
    radius, angle = np.sqrt(-2 * np.log(u)), 2 * np.pi * v
    return radius * np.cos(angle), radius * np.sin(angle)


def with_numpy(work: Stretch) -> Tensor:
    """NumPy: the reference's letters, all runs in each array."""
    ids, theta, noise = (tensor.numpy() for tensor in work.start)
    ids, blocks = ids.astype(U64), -(-(work.length - LEAD) // 2)
    wanted = TARGET * np.array([[-1.0], [1.0]])
    for epoch in range(work.epochs):
        w, u = theta[0], theta[1:].reshape(2, LEAD, -1).swapaxes(0, 1)
        drawn = words(ids, U64(epoch * blocks) + np.arange(blocks, dtype=U64)[:, None])
        u0, u1, u2, u3 = map(uniform, drawn)
        z = np.stack((*normals(u0, u1), *normals(u2, u3)), axis=1).reshape(2 * blocks, 2, -1)
        inputs = np.concatenate((u, noise * z[: work.length - LEAD]))
        x = np.zeros((work.length + 1, 2, work.runs))
        for t in range(work.length):
            np.tanh(w * x[t] + inputs[t], out=x[t + 1])
        slope = np.zeros_like(theta)
        delta = 2 * (x[-1] - wanted) * (1 - x[-1] ** 2)
        for t in range(work.length, 0, -1):
            slope[0] += (delta * x[t - 1]).sum(0)
            if t <= LEAD:
                slope[[t, LEAD + t]] = delta
            delta *= w * (1 - x[t - 1] ** 2)
        theta = theta - RATE * slope
    return torch.from_numpy(theta)


def with_numba(work: Stretch) -> Tensor:
    """Numba: loops over runs, epochs and steps, compiled."""
    ids, theta, noise = (tensor.numpy() for tensor in work.start)
    return torch.from_numpy(_numba_train()(ids.astype(U64), theta.copy(), noise, work.length, work.epochs))


@cache
def _numba_train() -> Callable[..., np.ndarray]:
    njit = library("numba").njit
    block, unit, pair = njit(words), njit(uniform), njit(normals)

    @njit
    def train(ids, theta, noise, length, epochs):  # noqa: ANN001, ANN202, Numba finds the types itself
        steps = length - LEAD
        blocks = (steps + 1) // 2
        x, u = np.zeros((2, length + 1)), np.empty((2, LEAD + 2 * blocks))
        for run in range(len(ids)):
            for epoch in range(epochs):
                for b in range(blocks):
                    c0, c1, c2, c3 = block(ids[run], U64(epoch * blocks + b))
                    t = LEAD + 2 * b
                    u[0, t], u[1, t] = pair(unit(c0), unit(c1))
                    u[0, t + 1], u[1, t + 1] = pair(unit(c2), unit(c3))
                u[:, LEAD:] *= noise[run]
                w, by_w = theta[0, run], 0.0
                for k in range(2):
                    own = theta[1 + k * LEAD : 1 + (k + 1) * LEAD, run]
                    u[k, :LEAD] = own
                    for t in range(length):
                        x[k, t + 1] = math.tanh(w * x[k, t] + u[k, t])
                    end = x[k, length]
                    delta = 2 * (end - (2 * k - 1) * TARGET) * (1 - end * end)
                    for t in range(length - 1, -1, -1):
                        by_w += delta * x[k, t]
                        if t < LEAD:
                            own[t] -= RATE * delta
                        delta *= w * (1 - x[k, t] * x[k, t])
                theta[0, run] -= RATE * by_w
        return theta

    return train


def with_jax(work: Stretch) -> Tensor:
    """JAX: a scan over epochs, its body the gradient of a scan over steps, all runs in each array."""
    jax = library("jax")
    with jax.enable_x64(True):
        ids, theta, noise = (jax.numpy.asarray(tensor.numpy()) for tensor in work.start)
        return torch.from_numpy(np.array(_jax_train(work.length, work.epochs)(ids.astype(U64), theta, noise)))


@cache
def _jax_train(length: int, epochs: int) -> Callable[..., Any]:
    jax = library("jax")
    jnp, blocks = jax.numpy, -(-(length - LEAD) // 2)

    def normals(u, v):  # noqa: ANN001, ANN202
        radius, angle = jnp.sqrt(-2 * jnp.log(u)), 2 * jnp.pi * v
        return radius * jnp.cos(angle), radius * jnp.sin(angle)

    def draw(ids, noise, epoch):  # noqa: ANN001, ANN202, (T - L, 2, runs)
        u0, u1, u2, u3 = map(uniform, words(ids, epoch * blocks + jnp.arange(blocks, dtype=U64)[:, None]))
        z = jnp.stack((*normals(u0, u1), *normals(u2, u3)), axis=1).reshape(2 * blocks, 2, -1)
        return noise * z[: length - LEAD]

    def cost(theta, inputs):  # noqa: ANN001, ANN202, summed over runs, which share nothing
        u = theta[1:].reshape(2, LEAD, -1).swapaxes(0, 1)
        start = jnp.zeros_like(u[0])
        end, _ = jax.lax.scan(
            lambda x, u_t: (jnp.tanh(theta[0] * x + u_t), None), start, jnp.concatenate((u, inputs))
        )
        return ((end - TARGET * jnp.array([[-1.0], [1.0]])) ** 2).sum()

    @jax.jit
    def train(ids, theta, noise):  # noqa: ANN001, ANN202
        def epoch(theta, number):  # noqa: ANN001, ANN202
            return theta - RATE * jax.grad(cost)(theta, draw(ids, noise, number)), None

        return jax.lax.scan(epoch, theta, jnp.arange(epochs, dtype=U64))[0]

    return train


PEERS: dict[str, Callable[[Stretch], Tensor]] = {
    "the plain torch reference": eager,
    "torch.compile of the reference": compiled,
    "NumPy": with_numpy,
    "Numba": with_numba,
    "JAX, jit of scan": with_jax,
}
