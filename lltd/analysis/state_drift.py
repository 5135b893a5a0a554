"""How far a memory cell drifts behind a gate that is nearly shut, while it hears nothing that counts.

The gate stands at γ = σ(β). In each step the cell adds γ g(w v + b), where v is uniform in (-1, 1), independent from
step to step, as the values of the adding problem are. Source of the question: [HS96] section 3, "State drift versus
initial bias"; the formulas are ours.
"""

import math
from typing import NamedTuple


class Drift(NamedTuple):
    """Mean and standard deviation."""

    mean: float
    deviation: float


def of_g(w: float, b: float) -> Drift:
    """Of g(w v + b), g(x) = 2 tanh(x / 2), in closed form. ValueError unless w > 0."""
    if not w > 0:
        raise ValueError(f"w is {w}: a positive weight is needed")
    ends = (b + w, b - w)
    first, second = (4 * math.log(math.cosh(x / 2)) for x in ends)
    mean = (first - second) / (2 * w)  # 4 log cosh(x / 2) is an integral of g
    first, second = (4 * x - 8 * math.tanh(x / 2) for x in ends)
    square = (first - second) / (2 * w)  # and this one of g²
    return Drift(mean, math.sqrt(max(0.0, square - mean**2)))


def drift(beta: float, w: float, b: float, steps: int) -> Drift:
    """Of the state after so many steps, from where it stood. ValueError for fewer than 0 steps, or w not above 0."""
    if steps < 0:
        raise ValueError(f"steps is {steps}: 0 or more are needed")
    one, gamma = of_g(w, b), 1 / (1 + math.exp(-beta))
    return Drift(steps * gamma * one.mean, math.sqrt(steps) * gamma * one.deviation)
