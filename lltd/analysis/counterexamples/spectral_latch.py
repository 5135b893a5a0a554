"""A net whose eigenvalues are all 1/2, and which latches a bit.

    M(a) = W tanh a,     W = [[2, 1/2], [-9/2, -1]],     (W - 1/2)² = 0

Besides 0 it has two attracting fixed points, near ±(1.1205, -2.6449). So a spectral radius of W below 1, which makes
*some* norm of W smaller than 1, does not leave 0 as the only attractor: the norm must be one in which a diagonal
matrix with entries in [0, 1] does not lengthen vectors, as the Euclidean and all weighted p-norms are.
"""

from fractions import Fraction
from typing import NamedTuple

import torch

from lltd.analysis.enclosures import ball, interval, working_digits
from lltd.analysis.maps import Map, tanh_net

W = ((Fraction(2), Fraction(1, 2)), (Fraction(-9, 2), Fraction(-1)))
CENTRE = (Fraction(11205, 10000), Fraction(-26449, 10000))
RADIUS = (Fraction(1, 1000), Fraction(2, 1000))


def as_map() -> Map:
    """M and M' for states (..., 2), float64."""
    rows = [[float(entry) for entry in row] for row in W]
    return tanh_net(torch.tensor(rows, dtype=torch.float64), name="spectral latch")


class Certificate(NamedTuple):
    """What `certify` has proved; the claims hold iff `holds`."""

    trace: Fraction
    determinant: Fraction  # trace² = 4 determinant: a double eigenvalue, trace / 2
    rate: float  # at least ||M'|| on the box, in the maximum norm that takes the box for its ball
    holds: bool


def certify(
    W: tuple[tuple[Fraction, ...], ...] = W,
    centre: tuple[Fraction, ...] = CENTRE,
    radius: tuple[Fraction, ...] = RADIUS,
    digits: int = 30,
) -> Certificate:
    """Proof that both eigenvalues of W are trace/2 < 1, and that M carries a box far from 0 into itself, contracting.

    By the contraction theorem the box then holds one fixed point, which attracts all of it; -M(-a) = M(a) gives the
    other. Arithmetic in balls that round outwards; `holds` is False where one of the comparisons is not certain.
    """
    trace, determinant = W[0][0] + W[1][1], W[0][0] * W[1][1] - W[0][1] * W[1][0]
    with working_digits(digits):
        box = [interval(c - r, c + r) for c, r in zip(centre, radius, strict=True)]
        slopes = [a.sech() ** 2 for a in box]
        inside, rates = [], []
        for row, c, r in zip(W, centre, radius, strict=True):
            image = sum(ball(entry) * a.tanh() for entry, a in zip(row, box, strict=True))
            inside.append(bool(abs(image - ball(c)) < ball(r)))
            columns = zip(row, slopes, radius, strict=True)
            rates.append(sum(ball(abs(entry) * s / r) * slope for entry, slope, s in columns))
        contracts = all(bool(rate < 1) for rate in rates)
        rate = max(float(rate.upper()) for rate in rates)
    away = all(abs(c) > r for c, r in zip(centre, radius, strict=True))
    holds = trace**2 == 4 * determinant and abs(trace) < 2 and all(inside) and contracts and away
    return Certificate(trace, determinant, rate, holds)
