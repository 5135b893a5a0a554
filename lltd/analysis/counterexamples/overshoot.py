"""A neuron that leaves its reduced attracting set although its state converges: Γ is not forward invariant.

    M(a) = -1.5 tanh a + 1.6,     an attracting fixed point near 0.6966

The state 4 is in Γ as [BFS93] definition 4 has it: |(M^l)'(4)| < 1 for every l >= 1, because its first factor is
only 0.002. Its successor M(4) = 0.101 is not: M' is -1.485 there.
"""

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import torch

from lltd.analysis.enclosures import Enclosure, ball, decimals, image, interval, working_digits
from lltd.analysis.maps import Map, tanh_net

if TYPE_CHECKING:
    import flint

WEIGHT, BIAS, START = -1.5, 1.6, 4.0


def as_map() -> Map:
    """M and M' for states (..., 1), float64."""
    return tanh_net(torch.tensor([[WEIGHT]], dtype=torch.float64), BIAS, "overshooting neuron")


class Certificate(NamedTuple):
    """What `certify` has proved; the claims hold iff `holds`."""

    start_slope: Enclosure  # M'(a)
    next_state: Enclosure  # M(a)
    next_slope: Enclosure  # M'(M(a)), beyond -1
    fixed_point: Enclosure  # the attractor that a comes to
    multiplier: Enclosure  # M' there
    steps: int  # after which a is in an interval around the attractor that M contracts
    largest: Enclosure  # largest |(M^l)'(a)| for l = 1 … steps; it falls from then on
    holds: bool


# An interval that M contracts into itself, and that therefore holds one fixed point, an attracting one.
LOW, HIGH = Fraction("0.672"), Fraction("0.722")
STEPS = 200


def certify(start: Fraction | int | str = 4, digits: int = 12) -> Certificate:
    """Proof, in interval arithmetic, that a = start is in Γ and M(a) is not.

    `holds` is False for a start that has not come to the interval [LOW, HIGH] within STEPS steps, that is outside Γ
    itself, or whose successor may be inside.
    """
    with working_digits(digits + 40):
        weight, bias = ball(Fraction(str(WEIGHT))), ball(Fraction(str(BIAS)))

        def M(a: "flint.arb") -> "flint.arb":
            return weight * a.tanh() + bias

        def slope(a: "flint.arb") -> "flint.arb":
            return weight * a.sech() ** 2

        home = interval(LOW, HIGH)
        # M falls everywhere, and |M'| where a > 0: their extremes over the interval are taken at its ends.
        attracts = home.contains_interior(image(M, home)) and abs(image(slope, home)) < 1
        a = ball(Fraction(start))
        first, product, largest, steps = a, ball(1), ball(0), 0
        while not home.contains(a) and steps < STEPS:
            a, product, steps = M(a), product * slope(a), steps + 1
            largest = largest.max(abs(product))
        in_gamma = home.contains(a) and largest < 1
        after = slope(M(first))
        for _ in range(100 * digits):  # |M'| is about 0.96 there
            home = image(M, home)
        numbers = slope(first), M(first), after, home, slope(home)
        return Certificate(
            *(decimals(number, digits) for number in numbers),
            steps,
            decimals(largest, digits),
            bool(attracts and in_gamma and steps > 0 and abs(after) > 1),
        )
