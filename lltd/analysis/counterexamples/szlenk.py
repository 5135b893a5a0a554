"""A map whose derivative has spectral radius below 1 everywhere, and a cycle that repels all the same.

    F(x, y) = k (-y³, x³) / (1 + x² + y²),     1 < k <= 2/sqrt 3     (W. Szlenk; rational, smooth on R²)

By the letter of [BFS93] definition 2 the cycle (a, 0), (0, a), (-a, 0), (0, -a) with a² = 1/(k - 1) is a hyperbolic
attractor: F carries it onto itself, and at each of its points all eigenvalues of F' are 0. But (F⁴)' has there the
eigenvalue (3 - 2/k)⁴ > 1, so the cycle repels, and lemma 1, X ⊂ Γ(X), fails. The eigenvalues of the factors say
nothing about those of a product.

Proof, with s = 1 + x² + y². Differentiation gives

    s² F'(x, y) = k [[ 2 x y³,  -y² (3s - 2y²) ], [ x² (3s - 2x²),  -2 x³ y ]],
    trace F' = 2k x y (y² - x²) / s²,     det F' = 3k² x² y² (s + 2) / s³,

for (3s - 2x²)(3s - 2y²) = 9s² - 6s(s - 1) + 4x²y². If x y = 0 both vanish, and so do both eigenvalues. Otherwise
(trace)² < 4 det, because (y² - x²)² <= (s - 1)² < 3s(s + 2): the eigenvalues are a complex pair of modulus
sqrt(det). In both cases the spectral radius is sqrt(det), and 4x²y² <= (s - 1)² gives

    radius² = det F' <= (3k²/4) (s - 1)² (s + 2) / s³ = (3k²/4) (1 - (3s - 2)/s³) < 3k²/4 <= 1.

Along x = y -> infinity the radius tends to k sqrt(3)/2, so that no larger k will do. On the cycle s = 1 + a² = k a²:
F(a, 0) = (0, a), and the four derivatives are in turn m [[0, 0], [1, 0]] and m [[0, -1], [0, 0]], twice, with
m = a² (3s - 2a²) k / s² = 3 - 2/k > 1. Their product is m⁴ [[1, 0], [0, 0]].
"""

from fractions import Fraction
from typing import NamedTuple

import torch
from torch import Tensor

from lltd.analysis.maps import Map

K = Fraction(10, 9)  # puts the cycle on whole numbers, (±3, 0) and (0, ±3)

# The heart of the matter: two matrices whose eigenvalues are all 0, and whose product A B has the eigenvalue 4.
CORE = (((0, 2), (0, 0)), ((0, 0), (2, 0)))


def as_map(k: Fraction | float = K) -> Map:
    """F and F' for points (..., 2)."""
    k = float(k)

    def F(a: Tensor) -> Tensor:
        x, y = a.unbind(-1)
        return torch.stack(_value(k, x, y), -1)

    def derivative(a: Tensor) -> Tensor:
        x, y = a.unbind(-1)
        return torch.stack([torch.stack(row, -1) for row in _derivative(k, x, y)], -2)

    return Map("Szlenk's map", F, derivative)


def cycle(k: Fraction | float = K) -> Tensor:
    """The four points in the order in which F visits them, (4, 2), float64. Raises ValueError unless k > 1."""
    if not k > 1:
        raise ValueError(f"k is {k}: the cycle exists for k > 1")
    a = float(k - 1) ** -0.5
    return torch.tensor([[a, 0], [0, a], [-a, 0], [0, -a]], dtype=torch.float64)


def _value(k, x, y):  # noqa: ANN001, ANN202  (numbers of any kind: fractions, tensors)
    s = 1 + x**2 + y**2
    return -k * y**3 / s, k * x**3 / s


def _derivative(k, x, y):  # noqa: ANN001, ANN202
    s = 1 + x**2 + y**2
    return (
        (2 * k * x * y**3 / s**2, -k * y**2 * (3 * s - 2 * y**2) / s**2),
        (k * x**2 * (3 * s - 2 * x**2) / s**2, -2 * k * x**3 * y / s**2),
    )


class Certificate(NamedTuple):
    """What `certify` has found, exactly; the claims hold iff `holds`."""

    k: Fraction
    radius_squared: Fraction  # the squared spectral radius of F' is below this number on all of R²
    cycle_squared: Fraction  # a²: the cycle's points are at the distance a from 0
    one_step: Fraction  # m, the only entry of F' on the cycle, up to its sign
    multiplier: Fraction  # m⁴, an eigenvalue of (F⁴)' on the cycle
    holds: bool


def certify(k: Fraction | int | str = K) -> Certificate:
    """The proof above with all its equations checked in exact arithmetic, for a rational k.

    Two polynomials of degree below 8 in x and in y are equal if they agree at 8 x 8 points, and multiplied by s or s²
    the equations are between such polynomials. `holds` is False for k <= 1, where there is no such cycle, and
    for k > 2/sqrt 3, where the spectral radius exceeds 1 somewhere.
    """
    k = Fraction(k)
    identities = all(_identities(k, Fraction(x), Fraction(y)) for x in range(8) for y in range(8))
    radius_squared = 3 * k**2 / 4
    if not k > 1:
        return Certificate(k, radius_squared, Fraction(0), Fraction(0), Fraction(0), False)
    a_squared = 1 / (k - 1)
    s = 1 + a_squared
    closes = k * a_squared / s == 1  # F(a, 0) = (0, k a³ / s) = (0, a), and so on around
    m = k * a_squared * (3 * s - 2 * a_squared) / s**2
    right, up = ((0, 0), (m, 0)), ((0, -m), (0, 0))  # F' at (±a, 0) and at (0, ±a): F' is an even function
    around = _times(up, _times(right, _times(up, right)))
    repels = around == ((m**4, 0), (0, 0)) and m**4 > 1
    nilpotent = all(_trace(J) == 0 and _determinant(J) == 0 for J in (right, up))
    holds = identities and radius_squared <= 1 and closes and nilpotent and repels
    return Certificate(k, radius_squared, a_squared, m, m**4, holds)


def _identities(k: Fraction, x: Fraction, y: Fraction) -> bool:
    """The equations of the proof at one point."""
    s, xy_squared = 1 + x**2 + y**2, (x * y) ** 2
    J = _derivative(k, x, y)
    trace, determinant = _trace(J), _determinant(J)
    return (
        trace * s**2 == 2 * k * x * y * (y**2 - x**2)
        and determinant * s**3 == 3 * k**2 * xy_squared * (s + 2)
        and 4 * xy_squared + (x**2 - y**2) ** 2 == (s - 1) ** 2
        and (s - 1) ** 2 * (s + 2) + (3 * s - 2) == s**3
        # 4 det - trace², positive as (y² - x²)² <= (s - 1)²
        and (4 * determinant - trace**2) * s**4
        == 4 * k**2 * xy_squared * (3 * s * (s + 2) - (y**2 - x**2) ** 2)
        and 3 * s * (s + 2) - (s - 1) ** 2 == 2 * s**2 + 8 * s - 1  # positive, as s >= 1
    )


def _times(A, B):  # noqa: ANN001, ANN202
    return tuple(tuple(sum(A[i][k] * B[k][j] for k in (0, 1)) for j in (0, 1)) for i in (0, 1))


def _trace(J):  # noqa: ANN001, ANN202
    return J[0][0] + J[1][1]


def _determinant(J):  # noqa: ANN001, ANN202
    return J[0][0] * J[1][1] - J[0][1] * J[1][0]
