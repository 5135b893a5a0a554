"""What is known in closed form of the neuron a_t = w tanh(a_{t-1}) + u_t with w > 1.

With w > 1 there are three fixed points without input: 0, unstable, and ±a*, stable. A constant input u moves
them; at |u| = u* the stable one that opposes u meets the unstable one and both vanish.

Proof of u*(w). A constant input -u leaves a fixed point on the right iff h(a) = w tanh a - a takes the value u there.
h' = w / cosh² a - 1 is positive up to a_c = arccosh sqrt w and negative beyond, so h rises from 0 to its maximum
u* = h(a_c) and falls without end. At a_c cosh² a = w, so that tanh² a = 1 - 1/w and w tanh a_c = sqrt(w(w - 1)).

What a state a > 0 withstands. If |u_t| <= u <= h(a) and a <= a_c, all states from a on stay in [a, ∞), for there
w tanh x - u >= w tanh a - u >= a. If u > h(a), the constant input -u leads the state down past a and below 0: on
(0, a] h is less than u, so that each step goes down by at least u - h(a). So h(a) is the largest harmless input from
a <= a_c, and u* from any state beyond.
"""

import math
from fractions import Fraction
from typing import NamedTuple

from lltd.analysis.enclosures import Enclosure, ball, decimals, working_digits


def critical_state(w: float) -> float:
    """a_c = arccosh(sqrt w), where the map has slope one: Γ(a*) begins here. [BFS93] Fig. 3."""
    _check(w)
    return math.acosh(math.sqrt(w))


def critical_input(w: float) -> float:
    """u* = sqrt(w (w - 1)) - arccosh(sqrt w): the largest input that is harmless for ever. [BFS93] Fig. 3.

    At the fixed point that is about to vanish the map has slope one, w (1 - tanh² a) = 1.
    """
    _check(w)
    return math.sqrt(w * (w - 1)) - math.acosh(math.sqrt(w))


def safe_input(w: float, a: float) -> float:
    """The largest |input| that never undoes the bit of a state a > 0, whatever the signs: h(a), or u* from a_c on.

    The map's slope at a may exceed 1: for w = 2 and a = 0.5 it is 1.57, and inputs up to 0.424 are harmless.
    """
    _check(w)
    if not a > 0:
        raise ValueError(f"a is {a}: a positive state is needed")
    a = min(a, critical_state(w))
    return w * math.tanh(a) - a


def fixed_point(w: float) -> float:
    """a* > 0 with a* = w tanh a*, by Newton's method from above, where it converges monotonically."""
    _check(w)
    a = w
    for _ in range(200):
        slope = w * (1 - math.tanh(a) ** 2)
        following = a - (a - w * math.tanh(a)) / (1 - slope)
        if not following < a:
            break
        a = following
    return a


def multiplier(w: float) -> float:
    """M'(a*) = w (1 - tanh² a*), in (0, 1): what a latched gradient loses in each step."""
    return w * (1 - math.tanh(fixed_point(w)) ** 2)


class CriticalInput(NamedTuple):
    """What `critical_input_enclosure` has proved of the rational w; the claims hold iff `holds`."""

    w: Fraction
    state: Enclosure  # a_c
    input: Enclosure  # u*
    slope: Enclosure  # M'(a_c), which is 1
    holds: bool  # the slope passes through 1 at a_c, falling, so that h has its maximum there and u* is its value


def critical_input_enclosure(w: Fraction | int | str, digits: int = 12) -> CriticalInput:
    """u*(w), a_c(w) and M'(a_c) between decimal numbers that differ in their last digit by one.

    w is exact: a Fraction, an integer, or a string such as "1.25". Raises ValueError unless w > 1 and digits >= 1,
    TypeError for a float, whose decimals would be taken for exact.
    """
    w = _exact(w)
    with working_digits(digits + 15):
        weight = ball(w)
        state = weight.sqrt().acosh()
        # By its definition, not by the closed form: h(a_c) with tanh evaluated.
        maximum = weight * state.tanh() - state
        closed = (weight * (weight - 1)).sqrt() - state
        slope = weight * state.sech() ** 2
        # M' = w sech² is strictly decreasing for a > 0; it is 1 at a_c, as cosh² a_c = w says exactly.
        around = [
            weight * (state + shift).sech() ** 2
            for shift in (-ball(Fraction(1, 1000)), ball(Fraction(1, 1000)))
        ]
        holds = (
            maximum.overlaps(closed) and slope.contains(1) and around[0] > 1 and around[1] < 1 and closed > 0
        )
        return CriticalInput(
            w, decimals(state, digits), decimals(closed, digits), decimals(slope, digits), holds
        )


class SafeInput(NamedTuple):
    """What `safe_input_enclosure` has proved of the rational w and a; the claims hold iff `holds`."""

    slope: Enclosure  # M'(a)
    input: Enclosure  # h(a) = w tanh a - a, the largest harmless input
    holds: bool  # 0 < a < a_c: the slope exceeds 1, and yet no input up to h(a) > 0 undoes the bit


def safe_input_enclosure(w: Fraction | int | str, a: Fraction | int | str, digits: int = 12) -> SafeInput:
    """The largest harmless input of a state a whose slope exceeds 1, between decimal numbers.

    w and a are exact, as in `critical_input_enclosure`. `holds` is False for a state whose slope is at most 1.
    """
    w, a = _exact(w), Fraction(a)
    with working_digits(digits + 15):
        slope = ball(w) * ball(a).sech() ** 2
        largest = ball(w) * ball(a).tanh() - ball(a)
        return SafeInput(
            decimals(slope, digits), decimals(largest, digits), a > 0 and slope > 1 and largest > 0
        )


def _exact(w: Fraction | int | str) -> Fraction:
    if isinstance(w, float):
        raise TypeError(f"w is the float {w!r}: an exact number is needed, such as Fraction(5, 4) or '1.25'")
    w = Fraction(w)
    _check(w)
    return w


def _check(w: float) -> None:
    if not w > 1:
        raise ValueError(f"w is {w}: the neuron latches only for w > 1")
