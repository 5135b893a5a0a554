"""How fast the derivative of a latched tanh neuron decays: exact bounds, and inputs for which it does not decay.

Above c = arccosh sqrt w, where the slope of M(a) = w tanh a is one, write e = a - c. With tau = tanh c the map is
    M(c + e) - M(c) = g(e) = tanh e / (1 + tau tanh e),        g'(e) = M'(c + e),
and all that is said here follows from g'(e) <= (g(e) / e)**2 and 1 / g(e) >= 1 / e + tau, for e > 0.
It settles Theorem 4 of [BFS93] for one neuron: u* is `latch.critical_input`.
"""

import math
from fractions import Fraction

import torch
from torch import Tensor

from lltd.analysis.latch import critical_input, critical_state, fixed_point


def margin(w: float, a: float) -> float:
    """How far a state lies inside the reduced attracting set, e = a - c. ValueError unless w > 1 and a > c."""
    c = critical_state(w)
    if not a > c:
        raise ValueError(f"a is {a}: a latched state lies above c = {c:.6g}")
    return a - c


def envelope(w: float, a: float, steps: int) -> Tensor:
    """Bound on the derivative of a_t in a_0 = a for t = 0 … steps, whatever the inputs |u_t| <= u*; (steps + 1,).

    (1 + tau e_0 t)**-2 with tau = sqrt(1 - 1/w): it falls as t**-2 and no faster bound holds for all such inputs.
    """
    speed = math.sqrt(1 - 1 / w) * margin(w, a)
    return (1 + speed * torch.arange(steps + 1, dtype=torch.float64)) ** -2


def rate(w: float, a: float, bound: float) -> float:
    """The factor lambda < 1 with |da_t/da_0| <= lambda**t from a_0 = a, whatever the inputs |u_t| <= bound < u*.

    It is M' at the lowest state that such inputs can reach: a itself, or the resting place under the constant
    input -bound. Raises ValueError unless 0 <= bound < u*, w > 1 and a > c.
    """
    margin(w, a)
    if not 0 <= bound < critical_input(w):
        raise ValueError(f"bound is {bound}: 0 <= bound < u* = {critical_input(w):.6g} is needed")
    return w / math.cosh(min(a, resting_place(w, bound))) ** 2


def resting_place(w: float, bound: float) -> float:
    """The upper fixed point of w tanh a - bound, for 0 <= bound < u*, by Newton's method from above."""
    a = fixed_point(w)
    for _ in range(200):
        tanh = math.tanh(a)
        following = a - (a - w * tanh + bound) / (1 - w * (1 - tanh**2))
        if not following < a:
            break
        a = following
    return a


def limit(w: float, a: float, steps: int = 100_000) -> float:
    """Limit of t**2 da_t/da_0 from a_0 = a under the worst inputs, -u* at every step.

    It is the product of (e_t / sinh e_t)**2 over all t, divided by (tau e_0)**2; the factors beyond `steps` are
    replaced by exp(-e_t**2 / 3) with e_t = 1 / (tau t).
    """
    tau, e = math.sqrt(1 - 1 / w), margin(w, a)
    log = -2 * math.log(tau * e)
    for _ in range(steps):
        log += 2 * math.log(e / math.sinh(e))
        e = math.tanh(e) / (1 + tau * math.tanh(e))
    return math.exp(log - e / (3 * tau))


def undecayed(w: float, steps: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """States a_0 … a_T and inputs u_1 … u_T for which the slopes are M'(a_t) = 1 - 2**-(t+1), all below one.

    Every state lies in the reduced attracting set, and yet the product of the slopes tends to `pochhammer`.
    """
    critical_state(w)  # checks w
    slopes = 1 - 0.5 ** torch.arange(1, steps + 2, dtype=dtype)
    states = torch.acosh(torch.sqrt(w / slopes))
    return states, states[1:] - w * torch.tanh(states[:-1])


def pochhammer(terms: int = 64) -> tuple[Fraction, Fraction]:
    """Exact rational bounds on the product of 1 - 2**-k over all k >= 1.

    What follows the first N factors is below 1, and above 1 less the sum of the 2**-k left, which is 2**-N.
    """
    product = Fraction(1)
    for k in range(1, terms + 1):
        product *= 1 - Fraction(1, 2**k)
    return product * (1 - Fraction(1, 2**terms)), product
