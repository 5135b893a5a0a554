"""The LSTM of 1996 in Numba: loops over trials, sequences, steps and weights, compiled."""

from collections.abc import Callable
from functools import cache

import numpy as np

from lltd.peers import MissingPeer


@cache
def learner(J: int, C: int, side: int, rate: float) -> Callable[..., np.ndarray]:
    """learn(theta, inputs, lengths, targets), arrays as in `Learning`: theta after them, J blocks of C cells.

    side: so many trials at a time, innermost in all arrays, where loops may be vectorised. Raises MissingPeer.
    """
    try:
        from numba import njit
    except ImportError as error:
        raise MissingPeer("not installed") from error
    H, F, real = J * (2 + C), J * (2 + C) + 3, np.float32
    ZERO, HALF, ONE, TWO, FOUR = map(
        real, (0, 0.5, 1, 2, 4)
    )  # a plain number would make double precision of all
    P, RATE = H * F, real(rate)  # P: the first of the outputs' weights

    @njit(inline="always")
    def squash(x):  # noqa: ANN001, ANN202, Numba finds the types itself
        return ONE / (ONE + np.exp(-x))

    # No fastmath, which assumes that there is no nan: a trial that diverges is to become one.
    @njit
    def learn(theta, inputs, lengths, targets):  # noqa: ANN001, ANN202
        after, T = np.empty_like(theta), inputs.shape[1]
        w, traces = np.empty((len(theta), side), real), np.empty((F, 2, J * C, side), real)
        y, seen, s = np.empty((H, side), real), np.ones((F, side), real), np.empty((J * C, side), real)
        slopes, e_s = np.empty((2, J * C, side), real), np.empty((J * C, side), real)
        runs, e, e_out = np.empty(side, real), np.empty(side, real), np.empty((J, side), real)
        for begin in range(0, theta.shape[1], side):
            some = slice(begin, min(begin + side, theta.shape[1]))
            number = some.stop - begin
            w[:, :number] = theta[:, some]
            for n in range(len(inputs)):
                own, wanted = lengths[n, some], targets[n, 0, some]
                y[:], s[:], traces[:] = ZERO, ZERO, ZERO
                for t in range(T - own.max(), T):
                    seen[:H], seen[H : H + 2, :number] = y, inputs[n, t, :, some]
                    for b in range(number):
                        runs[b] = ONE if t >= T - own[b] else ZERO
                    for u in range(H):
                        for b in range(side):
                            y[u, b] = w[u * F + F - 1, b]
                        for m in range(F - 1):
                            for b in range(side):
                                y[u, b] += w[u * F + m, b] * seen[m, b]
                        for b in range(side):
                            y[u, b] = squash(y[u, b])
                    for c in range(J * C):
                        i, cell = c // C * (2 + C), c // C * (2 + C) + 2 + c % C
                        for b in range(side):
                            if c % C == 0:
                                y[i, b] *= runs[b]
                                y[i + 1, b] *= runs[b]
                            g = FOUR * y[cell, b] - TWO
                            slopes[0, c, b] = y[i, b] * FOUR * y[cell, b] * (ONE - y[cell, b])
                            slopes[1, c, b] = g * y[i, b] * (ONE - y[i, b])
                            s[c, b] += y[i, b] * g
                        for b in range(side):
                            y[cell, b] = y[i + 1, b] * (TWO * squash(s[c, b]) - ONE)
                    for m in range(F):
                        for k in range(2):
                            for c in range(J * C):
                                for b in range(side):
                                    traces[m, k, c, b] += slopes[k, c, b] * seen[m, b]
                for b in range(number):
                    net = w[P + J * C, b]
                    for c in range(J * C):
                        net += w[P + c, b] * y[c // C * (2 + C) + 2 + c % C, b]
                    o = squash(net)
                    e[b] = (wanted[b] - o) * o * (ONE - o)
                e_out[:] = ZERO
                for c in range(J * C):
                    i = c // C * (2 + C) + 1
                    for b in range(number):
                        h, back = TWO * squash(s[c, b]) - ONE, e[b] * w[P + c, b]
                        e_out[c // C, b] += h * back * y[i, b] * (ONE - y[i, b])
                        e_s[c, b] = y[i, b] * (ONE - h * h) * HALF * back
                        w[P + c, b] += RATE * e[b] * y[i + 1 + c % C, b]
                for b in range(number):
                    w[P + J * C, b] += RATE * e[b]
                for j in range(J):
                    i = j * (2 + C) * F
                    for m in range(F):
                        for b in range(number):
                            by_in = ZERO
                            for c in range(j * C, j * C + C):
                                by_in += e_s[c, b] * traces[m, 1, c, b]
                                w[i + (2 + c % C) * F + m, b] += RATE * e_s[c, b] * traces[m, 0, c, b]
                            w[i + m, b] += RATE * by_in
                            w[i + F + m, b] += RATE * e_out[j, b] * seen[m, b]
            after[:, some] = w[:, :number]
        return after

    return learn
