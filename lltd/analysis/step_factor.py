"""One step of one path: the factor ``|f'(net) w|`` of a logistic unit, over its weight w; net = w a + c.

a is what the weight passes on, c what all other weights bring; both are held fixed. [HBFS01] section 2.
"""

import math

from torch import Tensor

from lltd.analysis.random_nets import logistic_slope


def step_factor(w: Tensor, a: Tensor | float, c: Tensor | float = 0.0) -> Tensor:
    """Step factor ``|f'(w a + c) w|``, elementwise."""
    return (logistic_slope(w * a + c) * w).abs()


def best_weights(a: float, c: float = 0.0) -> tuple[float, float]:
    """The two weights, of either sign of w a, where the step factor is largest on its side: w = coth(net / 2) / a.

    With x = w a the condition is x tanh((x + c) / 2) = 1. On x > max(0, -c) the left side rises from 0 to infinity,
    so that halving finds its one solution; the other side is its mirror image. Raises ValueError for a = 0.
    """
    if a == 0 or not math.isfinite(a) or not math.isfinite(c):
        raise ValueError(f"a is {a} and c is {c}: a finite a other than 0 and a finite c are needed")
    return _right_root(c) / a, -_right_root(-c) / a


def _right_root(c: float) -> float:
    """The x > max(0, -c) with x tanh((x + c) / 2) = 1."""
    low, high = max(0.0, -c), max(0.0, -c) + 4.0  # 4 tanh(2) > 1
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if middle * math.tanh((middle + c) / 2) < 1 else (low, middle)
    return (low + high) / 2
