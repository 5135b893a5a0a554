"""What is known in closed form of the neuron a_t = w tanh(a_{t-1}) + u_t with w > 1.

With w > 1 there are three fixed points without input: 0, unstable, and ±a*, stable. A constant input u moves
them; at |u| = u* the stable one that opposes u meets the unstable one and both vanish.
"""

import math


def critical_input(w: float) -> float:
    """u* = sqrt(w (w - 1)) - arccosh(sqrt w): the largest input that is harmless for ever. [BFS93] Fig. 3.

    At the fixed point that is about to vanish the map has slope one, w (1 - tanh² a) = 1.
    """
    _check(w)
    return math.sqrt(w * (w - 1)) - math.acosh(math.sqrt(w))


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


def _check(w: float) -> None:
    if not w > 1:
        raise ValueError(f"w is {w}: the neuron latches only for w > 1")
