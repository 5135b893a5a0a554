"""A memory that never forgets its bit although its state's derivative grows for ever.

M(x) = sgn(x) (1 + r y (1 - y)) with y = |x| - 1: a logistic map in each of two bands, one for each sign. With
r = 3.8 and inputs of at most 0.01 the bands are trapping sets, so the sign of x is kept whatever the inputs do;
inside them the motion is chaotic, so the derivative of x_t in x_0 grows exponentially. It refutes the sentence
that decay of gradients is necessary for robust storage ([HBFS01] section 3, [BFS93] sections I and III).
"""

import torch
from torch import Tensor

GROWTH = 3.8
BOUND = 0.01  # largest |input| that the bands are shown to withstand
LOW, HIGH = 1.1359, 1.96  # |x| between these stays between them


def step(x: Tensor, u: Tensor | float = 0.0) -> Tensor:
    """One time step x_t = M(x_{t-1}) + u_t; defined on the bands, LOW <= |x| <= HIGH."""
    y = x.abs() - 1
    return torch.sign(x) * (1 + GROWTH * y * (1 - y)) + u


def slope(x: Tensor) -> Tensor:
    """M'(x) = r (1 - 2 y), the same in both bands."""
    return GROWTH * (1 - 2 * (x.abs() - 1))
