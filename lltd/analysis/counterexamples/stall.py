"""A monotone memory that a weak constant input holds for ever far from its only attractor.

    M(y) = y - g(y),     g(y) = y / 1000 + (3/5) ∫ bump,     0 < M' < 1 everywhere,     M(0) = 0

The bump rises from 0 to 1 on [48, 49], stays there to 51 and falls back on [51, 52]. Left to itself every state
moves towards 0, so that Γ(0) is the whole line; but under the constant input u = g(50) = 0.95 the state 50 stays
where it is. [BFS93] theorem 3 asks for |u_t| < b and |M'| < λ on the ball of radius b around each *driven* state,
which b = 1 and λ = 2/5 fulfil, and promises a distance of at most b/(1 - λ) = 5/3: of the autonomous trajectory, and
in the limit of the attractor. The mean value step of its proof needs the bound on M' between the two trajectories.

A second attractor, without which definition 5 would not speak of latching, could be put anywhere left of -1 by
changing M there: the orbit from 50 never comes there, and no state from 0 upwards would leave Γ(0).
"""

from fractions import Fraction
from typing import NamedTuple

import torch
from torch import Tensor

from lltd.analysis.maps import Map, scalar

FLOOR, HEIGHT = Fraction(1, 1000), Fraction(3, 5)  # g' is FLOOR far away and FLOOR + HEIGHT on the bump's top
START, TOP, END, FOOT = 48, 49, 51, 52  # where the bump begins to rise, is up, begins to fall, is down

STATE = Fraction(50)
INPUT = Fraction(19, 20)  # g(50)
BOUND = Fraction(1)  # b of the theorem
RATE = Fraction(2, 5)  # λ of the theorem


def as_map() -> Map:
    """M and M' for states (..., 1)."""
    floor, height = float(FLOOR), float(HEIGHT)

    def M(y: Tensor) -> Tensor:
        return y - floor * y - height * (_ramp(y - START) - _ramp(y - END))

    def slope(y: Tensor) -> Tensor:
        return 1 - floor - height * ((y - START).clamp(0, 1) - (y - END).clamp(0, 1))

    return scalar("stalling map", M, slope)


def _ramp(y: Tensor) -> Tensor:
    """The integral of clamp(y, 0, 1) from 0."""
    return y.clamp(0, 1) ** 2 / 2 + torch.relu(y - 1)


STEPS = 10  # that the autonomous trajectory is followed; its fractions double in length with each


class Certificate(NamedTuple):
    """What `certify` has found, exactly; the claims hold iff `holds`."""

    slope: tuple[Fraction, Fraction]  # least and largest M' on the whole line
    ball_slope: Fraction  # largest |M'| within b of the state
    drift: Fraction  # state - M(state): the input that holds the state where it is
    radius: Fraction  # b/(1 - λ), what the theorem promises
    distance: Fraction  # how far the driven state is from the attractor, for ever
    step: int  # first t at which it is further than the radius from the autonomous trajectory too; 0: not within STEPS
    holds: bool


def certify(
    state: Fraction = STATE, input: Fraction = INPUT, bound: Fraction = BOUND, rate: Fraction = RATE
) -> Certificate:
    """Proof that all hypotheses of [BFS93] theorem 3 hold, and its conclusion does not; exact, from rationals.

    M' is linear between the bump's corners and constant beyond, so that its extremes over an interval are taken at
    the interval's ends and at corners between them. `holds` is False when a hypothesis fails (the input is not below
    `bound`, the slope not below `rate`), when the state is not held, and when it is within the promised radius of
    the attractor, or stays so of the autonomous trajectory.
    """
    state, input, bound, rate = (Fraction(number) for number in (state, input, bound, rate))
    least, largest = _slopes(Fraction(START - 1), Fraction(FOOT + 1))
    one_attractor = 0 < least <= largest < 1 and _M(Fraction(0)) == 0
    # As 0 < M' <= largest < 1 everywhere, |M(y)| <= largest |y|: each y converges to 0, and 0 < (M^l)' < 1. So all
    # of the line is Γ(0), and the net is robustly latched whatever the inputs.
    ball_slope = max(abs(number) for number in _slopes(state - bound, state + bound))
    hypotheses = abs(input) < bound and ball_slope < rate < 1
    drift = state - _M(state)
    radius, distance = bound / (1 - rate), abs(state)
    step, alone = 0, state
    while abs(state - alone) <= radius and step < STEPS:
        step, alone = step + 1, _M(alone)
    step = step if abs(state - alone) > radius else 0
    holds = one_attractor and hypotheses and drift == input and distance > radius and step > 0
    return Certificate((least, largest), ball_slope, drift, radius, distance, step, holds)


def _M(y: Fraction) -> Fraction:
    """M, exactly."""

    def ramp(y: Fraction) -> Fraction:
        return min(max(y, Fraction(0)), Fraction(1)) ** 2 / 2 + max(y - 1, Fraction(0))

    return y - FLOOR * y - HEIGHT * (ramp(y - START) - ramp(y - END))


def _slope(y: Fraction) -> Fraction:
    """M', exactly."""

    def clamp(y: Fraction) -> Fraction:
        return min(max(y, Fraction(0)), Fraction(1))

    return 1 - FLOOR - HEIGHT * (clamp(y - START) - clamp(y - END))


def _slopes(low: Fraction, high: Fraction) -> tuple[Fraction, Fraction]:
    """Least and largest M' on [low, high]."""
    values = [_slope(y) for y in (low, high, *(y for y in (START, TOP, END, FOOT) if low < y < high))]
    return min(values), max(values)
