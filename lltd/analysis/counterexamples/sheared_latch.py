"""A latch whose derivative has a norm of 4 at its attractor, and which keeps its bit under noise all the same.

    M(a) = [[2, 4], [0, 0.5]] tanh a,     attractors (±1.915, 0),     spectral radius 0.5 there, 2-norm 4.03

The second unit, which forgets, feeds the first, which latches. What it feeds is bounded, so that inputs of
||u_t|| <= 0.05 never change the first unit's sign. It refutes the sentence that where |M'| > 1 perturbations however
small can drive the state out of its basin ([HBFS01] section 3).
"""

from fractions import Fraction
from typing import NamedTuple

import torch

from lltd.analysis.enclosures import Enclosure, ball, decimals, interval, working_digits
from lltd.analysis.maps import Map, tanh_net

W = ((2.0, 4.0), (0.0, 0.5))
BOUND = 0.05  # largest ||input|| that the bit is shown to withstand


def as_map() -> Map:
    """M and M' for states (..., 2), float64."""
    return tanh_net(torch.tensor(W, dtype=torch.float64), name="sheared latch")


class Certificate(NamedTuple):
    """What `certify` has proved; the claims hold iff `holds`."""

    attractor: Enclosure  # a*; the attractors are (a*, 0) and (-a*, 0)
    norm: Enclosure  # 2-norm of M' there
    spectral_radius: Fraction  # of M' there
    room: tuple[
        Enclosure, ...
    ]  # by how much M and any input miss each of the three walls of the box; positive
    holds: bool


# The box LOW <= a_1 <= HIGH, |a_2| <= SIDE is never left; nor is its mirror image, as M is odd.
LOW, HIGH, SIDE = Fraction("0.9"), Fraction("2.5"), Fraction("0.1")


def certify(bound: Fraction | str = "0.05", digits: int = 12) -> Certificate:
    """Proof, in interval arithmetic, that inputs of ||u_t|| <= bound never lead out of a box with a_1 > 0.

    M's first component increases with a_1 and a_2, its second with a_2, so that their extremes over the box are taken
    at corners. Each input component is at most `bound` in size. `holds` is False if a wall could be crossed.
    """
    (own, fed), (zero, forgets) = (tuple(Fraction(str(number)) for number in row) for row in W)
    with working_digits(digits + 15):
        size, low, high, side = ball(bound), *(ball(number).tanh() for number in (LOW, HIGH, SIDE))
        most = ball(fed) * side + size  # what the second unit and the input add to the first unit
        room = (
            ball(own) * low - most - ball(LOW),
            ball(HIGH) - ball(own) * high - most,
            ball(SIDE) - ball(forgets) * side - size,
        )
        trapped = all(distance > 0 for distance in room) and LOW > 0 and zero == 0
        # On a_2 = 0 the net is the neuron w tanh a; an interval that it contracts into itself holds a*.
        home = interval(Fraction("1.9"), Fraction("1.93"))
        attracts = home.contains_interior(ball(own) * home.tanh()) and ball(own) * home.sech() ** 2 < ball(
            forgets
        )
        for _ in range(5 * digits):
            home = ball(own) * home.tanh()
        a, b, d = ball(own) * home.sech() ** 2, ball(fed), ball(forgets)
        squares, determinant = a**2 + b**2 + d**2, a * d
        norm = ((squares + (squares**2 - 4 * determinant**2).sqrt()) / 2).sqrt()
        return Certificate(
            decimals(home, digits),
            decimals(norm, digits),
            forgets,  # M' is triangular, and `attracts` says that its other diagonal entry is smaller
            tuple(decimals(distance, digits) for distance in room),
            bool(trapped and attracts and norm > 1),
        )
