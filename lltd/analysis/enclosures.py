"""Real numbers known to lie between two bounds, for proofs by computation.

Arithmetic and elementary functions of balls come from Arb, by way of python-flint: a ball is a midpoint and a radius,
every operation rounds outwards, and a comparison is True only if it holds for all numbers in the balls. The library
is imported where it is used, because lltd runs, but for its certificates, where it is missing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from math import floor
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import flint


class Enclosure(NamedTuple):
    """A real number lies between these decimal numbers, which are exact; they differ by little."""

    lower: str
    upper: str

    def contains(self, number: float | Fraction) -> bool:
        """Whether a number, taken exactly, lies between the bounds or on one."""
        return Fraction(self.lower) <= Fraction(number) <= Fraction(self.upper)


@contextmanager
def working_digits(digits: int) -> Iterator[None]:
    """Reckon with so many significant decimal digits inside the block. Raises ValueError for fewer than 1."""
    if digits < 1:
        raise ValueError(f"digits is {digits}: at least 1 is needed")
    with _library().ctx.workdps(digits):
        yield


def ball(number: Fraction | int) -> "flint.arb":
    """The smallest ball that holds a rational number."""
    flint, number = _library(), Fraction(number)
    return flint.arb(flint.fmpq(number.numerator, number.denominator))


def interval(low: Fraction | int, high: Fraction | int) -> "flint.arb":
    """A ball that holds all of [low, high]; ValueError unless low <= high."""
    if not low <= high:
        raise ValueError(f"low is {low} and high is {high}: low must not exceed high")
    return ball(low).union(ball(high))


def image(monotone: Callable[["flint.arb"], "flint.arb"], wide: "flint.arb") -> "flint.arb":
    """The values of a monotone function over a wide ball, from its ends: closer than by evaluating it there."""
    return monotone(wide.lower()).union(monotone(wide.upper()))


def decimals(number: "flint.arb", digits: int) -> Enclosure:
    """Decimal numbers with so many places between which all of a ball lies, rounded outwards.

    Raises ValueError for a ball that is not finite, and for fewer than one digit.
    """
    if digits < 1:
        raise ValueError(f"digits is {digits}: at least 1 is needed")
    if not number.is_finite():
        raise ValueError(f"number is {number}: it has no bounds")
    bounds = [_exact_bound(number.lower()), _exact_bound(number.upper())]
    scale = 10**digits
    low, high = floor(bounds[0] * scale), -floor(-bounds[1] * scale)
    return Enclosure(*(_written(value, digits) for value in (low, high)))


def _library() -> ModuleType:
    """Python-flint. Imported here, as nothing but certificates needs it; ModuleNotFoundError says what to install."""
    try:
        import flint
    except ImportError:
        raise ModuleNotFoundError(
            "a certificate needs interval arithmetic: pip install python-flint"
        ) from None
    return flint


def _exact_bound(number: "flint.arb") -> Fraction:
    mantissa, exponent = number.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def _written(value: int, digits: int) -> str:
    """An integer times 10^-digits as a decimal number."""
    whole = f"{abs(value):0{digits + 1}d}"
    return f"{'-' if value < 0 else ''}{whole[:-digits]}.{whole[-digits:]}"
