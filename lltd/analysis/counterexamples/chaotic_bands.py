"""A memory that never forgets its bit although its state's derivative grows for ever.

M(x) = sgn(x) (1 + r y (1 - y)) with y = |x| - 1: a logistic map in each of two bands, one for each sign. With
r = 3.8 and inputs of at most 0.01 the bands are trapping sets, so the sign of x is kept whatever the inputs do;
inside them the motion is chaotic, so the derivative of x_t in x_0 grows exponentially. It refutes the sentence
that decay of gradients is necessary for robust storage ([HBFS01] section 3, [BFS93] sections I and III).

Beyond the bands M is continued so that it is odd and has a continuous derivative on the whole line:

    |x| <= 1         17 x / 15                              0 repels
    1 … 11/10        17 x / 15 + 143 (|x| - 1)² sgn(x) / 15
    11/10 … 2        the band's own parabola
    2 … 21/10        sgn(x) (1 - r z (1 - 5 z)), z = |x| - 2
    beyond           0.81 sgn(x)

M keeps the sign of every x, and without inputs each half line is the basin of its own band: |M| <= 1.95 everywhere;
[1.1, 1.95] is carried into [1.1805, 1.95], and larger |x| to 0.81 at least; smaller |x| grow by 17/15 a step or more.
"""

from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lltd.analysis.maps import Map, scalar

GROWTH = 3.8
BOUND = 0.01  # largest |input| that the bands are shown to withstand
LOW, HIGH = 1.1359, 1.96  # |x| between these stays between them
WIDE_BOUND = 0.1  # with the continued map the sign is safe from ten times larger inputs …
WIDE_LOW, WIDE_HIGH = 0.75, 2.05  # … which keep |x| between these


def step(x: Tensor, u: Tensor | float = 0.0) -> Tensor:
    """One time step x_t = M(x_{t-1}) + u_t."""
    size = x.abs()
    y, z = size - 1, (size - 2).clamp(0, 0.1)
    inner = 17 / 15 * size + 143 / 15 * torch.relu(y) ** 2
    outer = 1 - GROWTH * z * (1 - 5 * z)
    band = 1 + GROWTH * y * (1 - y)
    return torch.sign(x) * torch.where(size < 1.1, inner, torch.where(size > 2, outer, band)) + u


def slope(x: Tensor) -> Tensor:
    """M'(x), r (1 - 2 y) in both bands; an even function."""
    size = x.abs()
    y, z = size - 1, (size - 2).clamp(0, 0.1)
    inner = 17 / 15 + 286 / 15 * torch.relu(y)
    outer = -GROWTH * (1 - 10 * z)
    band = GROWTH * (1 - 2 * y)
    return torch.where(size < 1.1, inner, torch.where(size > 2, outer, band))


def as_map() -> Map:
    """M and M' for states (..., 1)."""
    return scalar("chaotic bands", step, slope)


class Trapping(NamedTuple):
    """What `certify` has found, exactly; the claims hold iff `holds`."""

    image: tuple[Fraction, Fraction]  # least and largest |M(x)| over the band
    reach: tuple[Fraction, Fraction]  # least and largest |x_t| from any state of the band under any input
    holds: bool


class Growth(NamedTuple):
    """What `certify_growth` has found, exactly; the claims hold iff `holds`."""

    point: Fraction  # x*, a fixed point of M inside the band
    multiplier: Fraction  # M'(x*)
    rate: Fraction  # least |M'| within `radius` of x*
    holds: bool


def certify(
    bound: Fraction | str = "0.01", low: Fraction | str = "1.1359", high: Fraction | str = "1.96"
) -> Trapping:
    """Proof, in exact arithmetic, that low <= |x| <= high is a trapping set for inputs |u| <= bound.

    |M| has a continuous derivative that is linear between corners. Where it has one sign at both ends of such a piece
    |M| is monotone there, so that its extremes over [low, high] are taken at low, at high and at corners between.
    With bound < low <= |M| the sign of x is never lost. `holds` is False if a state could leave.
    """
    bound, low, high = Fraction(bound), Fraction(low), Fraction(high)
    slopes = [_slope(corner) for corner in _CORNERS]
    monotone = all(before * after >= 0 for before, after in pairwise(slopes))
    values = [_size(x) for x in (low, high, *(corner for corner in _CORNERS if low < corner < high))]
    least, largest = min(values), max(values)
    reach = least - bound, largest + bound
    holds = monotone and 0 <= bound < low <= reach[0] and reach[1] <= high
    return Trapping((least, largest), reach, holds)


def certify_growth(bound: Fraction | str = "0.01", radius: Fraction | str = "0.02") -> Growth:
    """Proof that under any inputs |u_t| <= bound some trajectory in the band has |dx_t/dx_0| >= rate^t, rate > 1.

    Let I be the interval of this radius around x* = 2 - 1/r, where M' = 2 - r. M falls on I, and the images of its ends
    reach beyond I by `bound` at least: M(I) + u covers I for any such u. So the states of I that the inputs u_1 … u_t
    leave in I up to time t are a compact set that is never empty, and shrinks with t: some state stays in I for
    ever, where |M'| >= rate. Without inputs it is x* itself, and the derivative is (2 - r)^t. `holds` is False if
    M(I) is too short or its derivative too small.
    """
    bound, radius = Fraction(bound), Fraction(radius)
    point = 2 - 1 / _R
    low, high = point - radius, point + radius
    rate = min(abs(_slope(low)), abs(_slope(high)))  # M' is linear on I, if I is between two corners
    one_piece = Fraction(3, 2) < low and high < 2
    covers = _size(low) - bound >= high and _size(high) + bound <= low
    holds = _size(point) == point and one_piece and covers and rate > 1
    return Growth(point, _slope(point), rate, holds)


def certify_mean_growth(fine: int = 1, steps: int = 40) -> Fraction:
    """A proved lower bound γ on the growth of log |dx_t/dx_1| per step, under random inputs, from each state of a band.

    The inputs are independent and uniform on [-0.01, 0.01], the state is c + u with c = M(x_{t-1}). Suppose a bounded
    function V of c has E[log |M'(c + u)| + V(M(c + u))] >= V(c) + γ for all c. Then Σ log |M'(x_s)| + V(M(x_t)) - γt is
    a submartingale from every start, with increments of bounded variance, and by the strong law its growth per step is
    not negative: the lower limit of (1/t) log |dx_t/dx_1| is at least γ almost surely. V is what so many steps
    yield in the mean, from V = 0, and γ the least that one more step adds.

    Each inequality is made safe over a whole cell of c, 1/(10000 fine) wide: the mean of log |M'| over the inputs
    is least at the cell's point nearest to the top of the parabola; V is replaced by its least value over
    all cells that a cell of states is carried into. Cells, means and V (in units of 2^-32) are integers, rounded down;
    only the logarithms are floating point numbers, 1e-11 being taken off. Raises ValueError for fine < 1.
    """
    if fine < 1:
        raise ValueError(f"fine is {fine}: at least 1 is needed")
    scale, one, m = 2**32, 10_000 * fine, 100 * fine  # cells in a unit length, and in the largest input
    low, high = 11_359 * fine, 19_600 * fine  # LOW and HIGH
    centres = np.arange(low + m, high - m)  # c lies between a number of this list and the next
    top, bound = 3 * one // 2, 0.01
    nearest = np.clip(top, centres, centres + 1) / one - 1.5
    reward = (_integral(nearest + bound) - _integral(nearest - bound)) / (2 * bound)
    reward = np.floor((reward - 1e-11) * scale).astype(np.int64)

    edges = np.arange(low, high + 1)  # of the cells of states; M of each, rounded down to an edge, is exact
    image = one + 38 * (edges - one) * (2 * one - edges) // (10 * one)
    image = np.minimum(image, centres[-1]) - centres[0]  # the cell of c that holds it
    first, last = np.minimum(image[:-1], image[1:]), np.maximum(image[:-1], image[1:])
    V = np.zeros(len(centres), np.int64)
    for _ in range(steps):
        worst = V[first]
        for shift in range(1, int((last - first).max()) + 1):
            worst = np.minimum(worst, V[np.minimum(first + shift, last)])
        # The inputs reach 2m - 1 cells of states in full and share out one more between the two at the ends.
        total = np.concatenate([[0], worst.cumsum()])
        inner = total[2 * m :][: len(V)] - total[1 : len(V) + 1]
        ends = np.minimum(worst[: len(V)], worst[2 * m :])
        before, V = V, reward + (inner + ends) // (2 * m)
    return Fraction(int((V - before).min()), scale)


def _integral(d: np.ndarray) -> np.ndarray:
    """∫ log |M'| from the parabola's top to a distance d from it, where |M'| = 2 r |d|."""
    size = np.maximum(np.abs(d), 1e-30)  # log 0 is not needed: d log d tends to 0
    return d * (np.log(2 * GROWTH * size) - 1)


_R = Fraction(19, 5)  # GROWTH, exactly
# Where |M| passes from one formula to the next, or has its top (3/2), for x >= 0.
_CORNERS = (Fraction(0), Fraction(1), Fraction(11, 10), Fraction(3, 2), Fraction(2), Fraction(21, 10))


def _size(size: Fraction) -> Fraction:
    """|M(x)| for |x| = size, exactly."""
    y, z = size - 1, min(max(size - 2, Fraction(0)), Fraction(1, 10))
    if size < Fraction(11, 10):
        return Fraction(17, 15) * size + Fraction(143, 15) * max(y, Fraction(0)) ** 2
    return 1 - _R * z * (1 - 5 * z) if size > 2 else 1 + _R * y * (1 - y)


def _slope(size: Fraction) -> Fraction:
    """M'(x) for |x| = size, exactly."""
    y, z = size - 1, min(max(size - 2, Fraction(0)), Fraction(1, 10))
    if size < Fraction(11, 10):
        return Fraction(17, 15) + Fraction(286, 15) * max(y, Fraction(0))
    return -_R * (1 - 10 * z) if size > 2 else _R * (1 - 2 * y)
