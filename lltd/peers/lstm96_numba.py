"""The LSTM of 1996 in Numba: loops over trials, sequences, steps and weights, compiled."""

from collections.abc import Callable
from functools import cache

import numpy as np

from lltd.peers import library


@cache
def learner(J: int, C: int, side: int, rate: float) -> Callable[..., np.ndarray]:
    """learn(theta, inputs, lengths, targets), arrays as in `Learning`: theta after them, J blocks of C cells.

    side: so many trials at a time, innermost in all arrays, where loops may be vectorised. Raises MissingPeer.
    """
    njit = library("numba").njit
    H, F, real = J * (2 + C), J * (2 + C) + 3, np.float32
    ZERO, HALF, ONE, TWO, FOUR, RATE = map(real, (0, 0.5, 1, 2, 4, rate))  # else all becomes double precision
    P = H * F  # the first of the outputs' weights

    @njit(inline="always")
    def squash(x):  # noqa: ANN001, ANN202, Numba finds the types itself
        return ONE / (ONE + np.exp(-x))

    # No fastmath, which assumes that there is no nan: a trial that diverges is to become one.
    @njit
    def learn(theta, inputs, lengths, targets):  # noqa: ANN001, ANN202
        after, T = np.empty_like(theta), inputs.shape[1]
        w, traces = np.zeros((len(theta), side), real), np.zeros((F, 2, J * C, side), real)
        y, seen, s = np.zeros((H, side), real), np.ones((F, side), real), np.zeros((J * C, side), real)
        slopes, e_s = np.zeros((2, J * C, side), real), np.zeros((J * C, side), real)
        runs, e, e_out = np.zeros(side, real), np.zeros(side, real), np.zeros((J, side), real)
        for begin in range(0, theta.shape[1], side):
            number = min(side, theta.shape[1] - begin)
            for p in range(len(theta)):
                for b in range(number):
                    w[p, b] = theta[p, begin + b]
            for n in range(len(inputs)):
                y.fill(ZERO)
                s.fill(ZERO)
                traces.fill(ZERO)
                longest = 0
                for b in range(number):
                    longest = max(longest, lengths[n, begin + b])
                for t in range(T - longest, T):
                    for m in range(H):
                        for b in range(side):
                            seen[m, b] = y[m, b]
                    for b in range(number):
                        seen[H, b], seen[H + 1, b] = inputs[n, t, 0, begin + b], inputs[n, t, 1, begin + b]
                        runs[b] = ONE if t >= T - lengths[n, begin + b] else ZERO
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
                    e[b] = (targets[n, 0, begin + b] - o) * o * (ONE - o)
                e_out.fill(ZERO)
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
            for p in range(len(theta)):
                for b in range(number):
                    after[p, begin + b] = w[p, b]
        return after

    return learn
