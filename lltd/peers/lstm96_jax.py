"""The LSTM of 1996 in JAX: jit of vmap over trials of a scan over steps, inside a scan over sequences."""

from collections.abc import Callable
from functools import cache

import numpy as np

from lltd.peers import library


@cache
def learner(J: int, C: int, rate: float) -> Callable[..., np.ndarray]:
    """learn(theta, inputs, lengths, targets), arrays as in `Learning`: theta after them, J blocks of C cells.

    Raises MissingPeer.
    """
    jax = library("jax")
    jnp, squash = jax.numpy, jax.nn.sigmoid

    def step(W, carried, given):  # noqa: ANN001, ANN202
        y, s = carried
        x, runs = given
        seen = jnp.concatenate((y, x, jnp.ones(1, x.dtype)))
        squashed = squash(W @ seen).reshape(J, 2 + C)
        y_in, y_out, cell = squashed[:, :1] * runs, squashed[:, 1:2] * runs, squashed[:, 2:]
        g = 4 * cell - 2
        s = s + y_in * g
        y = jnp.concatenate((y_in, y_out, y_out * (2 * squash(s) - 1)), 1).reshape(-1)
        return (y, s), (seen, jnp.stack((4 * y_in * cell * (1 - cell), g * y_in * (1 - y_in))))

    def sequence(theta, given):  # noqa: ANN001, ANN202
        x, length, target = given
        H, F = J * (2 + C), J * (2 + C) + x.shape[1] + 1
        W, V = theta[: H * F].reshape(H, F), theta[H * F :]
        runs = (jnp.arange(len(x)) >= len(x) - length).astype(x.dtype)
        start = jnp.zeros(H, x.dtype), jnp.zeros((J, C), x.dtype)
        # Carrying ∂s/∂w through the scan is slower, and so is unrolling it.
        (y, s), (seen, slopes) = jax.lax.scan(lambda *now: step(W, *now), start, (x, runs))
        by_cell, by_gate = jnp.einsum("tkjc,tf->kjcf", slopes, seen)
        y_out, y_c, h = y.reshape(J, -1)[:, 1], y.reshape(J, -1)[:, 2:].reshape(-1), 2 * squash(s) - 1
        o = squash(V[:-1] @ y_c + V[-1])
        e = (target[0] - o) * o * (1 - o)
        back = e * V[:-1].reshape(J, C)
        e_out = y_out * (1 - y_out) * (h * back).sum(1)
        e_s = y_out[:, None] * (1 - h**2) / 2 * back
        by_in, by_out = (e_s[:, :, None] * by_gate).sum(1), e_out[:, None] * seen[-1]
        by_W = jnp.concatenate((by_in[:, None], by_out[:, None], e_s[:, :, None] * by_cell), 1)
        return theta + rate * jnp.concatenate((by_W.reshape(-1), e * y_c, e[None])), None

    def learn(theta, *shown):  # noqa: ANN001, ANN002, ANN202
        return jax.lax.scan(sequence, theta, shown)[0]

    compiled = jax.jit(jax.vmap(learn, in_axes=-1, out_axes=-1))
    return lambda *given: np.array(compiled(*given))
