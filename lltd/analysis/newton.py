"""Newton's update: where it goes, and what it costs when every multiplication is counted.

[SLIDES94] on Newton's method and its appendix. The model of the count is a unit y = tanh(w·x) with W weights and the
cost C = Σ (y - d)² / 2 over N examples: ∂²C/∂w_i∂w_j = Σ c x_i x_j with one number c for each example.
"""

from fractions import Fraction

import torch
from torch import Tensor

COUNTS = ("hessian", "solving", "diagonal")


def step(gradient: Tensor, hessian: Tensor) -> Tensor:
    """Δw = -H⁻¹ ∂C/∂w, (…, W) from (…, W) and (…, W, W)."""
    return -torch.linalg.solve(hessian, gradient)


def diagonal_step(gradient: Tensor, hessian: Tensor) -> Tensor:
    """Δw_i = -(∂C/∂w_i) / |∂²C/∂w_i²|: each weight alone, as if no other moved."""
    return -gradient / torch.diagonal(hessian, dim1=-2, dim2=-1).abs()


class Counted:
    """A number that counts, in a list shared by all it meets, how often it was multiplied or divided."""

    def __init__(self, value: Fraction | int, tally: list[int]) -> None:
        self.value, self.tally = Fraction(value), tally

    def __add__(self, other: "Counted") -> "Counted":
        return Counted(self.value + other.value, self.tally)

    def __sub__(self, other: "Counted") -> "Counted":
        return Counted(self.value - other.value, self.tally)

    def __mul__(self, other: "Counted") -> "Counted":
        self.tally[0] += 1
        return Counted(self.value * other.value, self.tally)

    def __truediv__(self, other: "Counted") -> "Counted":
        self.tally[0] += 1
        return Counted(self.value / other.value, self.tally)


def multiplications(what: str, examples: int, weights: int) -> int:
    """How many multiplications and divisions the model unit takes, by doing them.

    what: "hessian", all second derivatives; "solving", the Hessian's equations once it is there, by elimination;
    "diagonal", the second derivatives ∂²C/∂w_i² alone. Raises ValueError.
    """
    if what not in COUNTS:
        raise ValueError(f"what is {what!r}: one of {', '.join(COUNTS)} is needed")
    if examples < 1 or weights < 1:
        raise ValueError(f"examples is {examples} and weights is {weights}: at least one of each is needed")
    tally = [0]
    x = [[Counted(1 + (7 * e + 3 * i) % 5, tally) for i in range(weights)] for e in range(examples)]
    if what == "solving":
        # Any matrix will do that needs no exchange of rows: ones, and more on the diagonal.
        h = [[Counted(1 + weights * (i == j), tally) for j in range(weights)] for i in range(weights)]
        _eliminate(h, [Counted(1, tally) for _ in range(weights)])
        return tally[0]
    pairs = [(i, j) for i in range(weights) for j in (range(weights) if what == "hessian" else (i,))]
    h = {pair: Counted(0, tally) for pair in pairs}
    for given in x:
        c = Counted(2, tally)
        bent = [c * value for value in given]
        for i, j in pairs:
            h[i, j] = h[i, j] + bent[i] * given[j]
    return tally[0]


def _eliminate(h: list[list[Counted]], g: list[Counted]) -> list[Counted]:
    """Solve h x = g by Gaussian elimination, in place."""
    n = len(g)
    for k in range(n):
        for i in range(k + 1, n):
            factor = h[i][k] / h[k][k]
            for j in range(k + 1, n):
                h[i][j] = h[i][j] - factor * h[k][j]
            g[i] = g[i] - factor * g[k]
    for k in reversed(range(n)):
        for j in range(k + 1, n):
            g[k] = g[k] - h[k][j] * g[j]
        g[k] = g[k] / h[k][k]
    return g
