"""The LSTM of 1996 in NumPy: all trials in each array, ∂s/∂w summed over all steps at the end of a sequence."""

import numpy as np


def learn(
    J: int,
    C: int,
    rate: float,
    theta: np.ndarray,
    inputs: np.ndarray,
    lengths: np.ndarray,
    targets: np.ndarray,
) -> np.ndarray:
    """Learn from all sequences: theta after them, arrays as in `lltd.peers.lstm96.Learning`, J blocks of C cells."""
    for x, length, target in zip(inputs, lengths, targets, strict=True):
        theta = theta + np.float32(rate) * _change(J, C, theta, x[len(x) - length.max() :], length, target[0])
    return theta


def _change(
    J: int, C: int, theta: np.ndarray, x: np.ndarray, lengths: np.ndarray, target: np.ndarray
) -> np.ndarray:
    """What one sequence (T, 2, B) asks of theta (P, B)."""
    T, _, B = x.shape
    H, F = J * (2 + C), J * (2 + C) + 3
    W, V = theta[: H * F].reshape(H, F, B), theta[H * F :]
    seen, product = np.ones((T + 1, F, B), theta.dtype), np.empty_like(W)
    seen[0, :H], seen[:T, H : H + 2] = 0, x
    slopes, s = np.empty((T, 2, J, C, B), theta.dtype), np.zeros((J, C, B), theta.dtype)
    for t in range(T):
        squashed = _squash(np.multiply(W, seen[t], out=product).sum(1)).reshape(J, 2 + C, B)
        squashed[:, :2] *= lengths >= T - t
        y_in, y_out, cell = squashed[:, :1], squashed[:, 1:2], squashed[:, 2:]
        g = 4 * cell - 2
        slopes[t, 0], slopes[t, 1] = 4 * y_in * cell * (1 - cell), g * y_in * (1 - y_in)
        s += y_in * g
        y = seen[t + 1, :H].reshape(J, 2 + C, B)
        y[:, :2], y[:, 2:] = squashed[:, :2], y_out * (2 * _squash(s) - 1)
    by_cell, by_gate = _summed(slopes, seen[:T])
    y_out, y_c, h = y[:, 1], y[:, 2:].reshape(J * C, B), 2 * _squash(s) - 1
    o = _squash((V[:-1] * y_c).sum(0) + V[-1])
    e = (target - o) * o * (1 - o)
    back = (e * V[:-1]).reshape(J, C, B)
    e_out, e_s = y_out * (1 - y_out) * (h * back).sum(1), y_out[:, None] * (1 - h**2) / 2 * back
    by_in, by_out = (e_s[:, :, None] * by_gate).sum(1), e_out[:, None] * seen[T - 1]
    by_W = np.concatenate((by_in[:, None], by_out[:, None], e_s[:, :, None] * by_cell), 1)
    return np.concatenate((by_W.reshape(H * F, B), e * y_c, e[None]))


def _summed(slopes: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Σ_t of slopes (T, 2, J, C, B) times what was seen (T, F, B): (2, J, C, F, B), as a product of matrices each."""
    T, two, J, C, B = slopes.shape
    left = np.ascontiguousarray(slopes.reshape(T, -1, B).transpose(2, 1, 0))
    right = np.ascontiguousarray(seen.transpose(2, 0, 1))
    return (left @ right).transpose(1, 2, 0).reshape(two, J, C, -1, B)


def _squash(net: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-net))
