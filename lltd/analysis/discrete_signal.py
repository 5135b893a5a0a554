"""The discrete error signal of 1994 in exact arithmetic: what is printed, and what it should be.

A wanted change g in [MIN, MAX] becomes S(g), which is 2 or -2. [SLIDES94] on discrete error propagation.
"""

from fractions import Fraction


def probability(g: Fraction, low: Fraction, high: Fraction) -> Fraction:
    """P(S(g) = 2) = (g - MIN) / (MAX - MIN); the rest goes to -2. Raises ValueError unless low <= g <= high."""
    if not low < high or not low <= g <= high:
        raise ValueError(f"g is {g} in [{low}, {high}]: a number in an interval that is not empty is needed")
    return Fraction(g - low) / (high - low)


def printed(g: Fraction, low: Fraction, high: Fraction) -> tuple[Fraction, Fraction]:
    """The two probabilities of [SLIDES94], of 2 and of -2: the second one's numerator is printed as MAX - MIN."""
    return probability(g, low, high), Fraction(high - low) / (high - low)


def mean(g: Fraction, low: Fraction, high: Fraction) -> Fraction:
    """E[S(g)] = 2 P(2) - 2 P(-2)."""
    p = probability(g, low, high)
    return 2 * p - 2 * (1 - p)


def sign(x: Fraction) -> int:
    """The hard unit: 1 where x >= 0, else -1."""
    return 1 if x >= 0 else -1


def asked(x: Fraction, change: int, margin: Fraction) -> Fraction:
    """Δx that gives y = sign(x) the wanted change 2 or -2 where it is possible, else 0; margin: how far past 0."""
    if change not in (-2, 0, 2):
        raise ValueError(f"change is {change}: one of -2, 0, 2 is needed")
    if change == 2 and x < 0:
        return margin - x
    if change == -2 and x >= 0:
        return -margin - x
    return Fraction(0)
