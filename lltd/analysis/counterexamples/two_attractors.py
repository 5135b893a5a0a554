"""A net that is robustly latched for ever by eigenvalues, and whose derivative grows fivefold in each step.

    M(a) = [[0.5, 5], [5, 0.5]] tanh a + (2.5, 2.5)

It has attracting fixed points near (8, 8) and (-2.97, -2.97), and an attracting cycle of the two states near
(7.04, -1.63) and (-1.63, 7.04). The states p = (0, 3) and q = (3, 0) lie in the basin of the first, and for each l >= 1
all eigenvalues of (M^l)' there are below 1 in absolute value: both belong to its Γ as [BFS93] definition 4 has it.
Inputs that lead from p to q and back keep the net latched, yet da_t/da_0 grows at least as 5^t, against theorem 4.

Why it grows. Let S swap the two units. W commutes with S, so M'(q) = S M'(p) S, and t = 2m steps have the derivative
(M'(q) M'(p))^m = (S M'(p))^t. No entry of S M'(p) is negative and the first is 5 (1 - tanh² 0) = 5, so the first entry
of its power is at least 5^t. Its eigenvalues: 5.0005 and 0.0489, whereas those of M'(p) are 0.807 and -0.302.
"""

from fractions import Fraction
from typing import NamedTuple

import torch
from torch import Tensor

from lltd.analysis.enclosures import Enclosure, ball, decimals, interval, working_digits
from lltd.analysis.maps import Map, tanh_net

SELF, CROSS, BIAS = Fraction(1, 2), Fraction(5), Fraction(5, 2)
P, Q = (0, 3), (3, 0)


def as_map() -> Map:
    """M and M' for states (..., 2), float64."""
    W = torch.tensor([[SELF, CROSS], [CROSS, SELF]], dtype=torch.float64)
    return tanh_net(W, float(BIAS), "net with two attractors")


def alternating_inputs(steps: int) -> Tensor:
    """Inputs u_1 … u_T, (steps, 2), float64, that take the state from p to q, to p, …, to q."""
    M, states = as_map(), torch.tensor([P, Q], dtype=torch.float64)
    there_and_back = states.flip(0) - M(states)
    return there_and_back[torch.arange(steps) % 2]


class Certificate(NamedTuple):
    """What `certify` has proved; the claims hold iff `holds`."""

    attractors: tuple[tuple[Enclosure, Enclosure], ...]  # two fixed points and one state of the cycle
    contraction: tuple[Enclosure, ...]  # of M in the largest norm, in a box around each of them
    steps: int  # after which p has come to the first box, with (M^l)' of norm below 1
    radii: tuple[Enclosure, ...]  # spectral radius of (M^l)'(p) for l = 1 … steps; at most one is not below 1
    growth: Enclosure  # of da_t/da_0 per step: the largest eigenvalue of S M'(p)
    holds: bool


# Boxes around the attractors; the last two are carried into each other.
BOXES = (
    ((Fraction("7.9"), Fraction("8.1")), (Fraction("7.9"), Fraction("8.1"))),
    ((Fraction("-3.1"), Fraction("-2.8")), (Fraction("-3.1"), Fraction("-2.8"))),
    ((Fraction("7.0"), Fraction("7.1")), (Fraction("-1.7"), Fraction("-1.55"))),
    ((Fraction("-1.7"), Fraction("-1.55")), (Fraction("7.0"), Fraction("7.1"))),
)
TARGETS = (0, 1, 3, 2)  # the box that each one is carried into
STEPS = 20  # that p is given to reach the first box


def certify(
    cross: Fraction | int = CROSS, p: tuple[Fraction | int, ...] = P, digits: int = 12
) -> Certificate:
    """Proof, in interval arithmetic, of all that the head of this module says of the net and of p; q is p swapped.

    A box that M contracts and carries into itself holds one fixed point, which attracts all of the box (Banach);
    likewise the pair of boxes of the cycle. `holds` is False for other weights or states for which this fails.
    Raises ValueError for a `cross` that is not positive.
    """
    if not cross > 0:
        raise ValueError(f"cross is {cross}: a positive weight is needed")
    with working_digits(digits + 15):
        net, boxes = _Net(ball(cross)), [[interval(*side) for side in box] for box in BOXES]
        images = [net.value(box) for box in boxes]
        carried = all(
            all(wide.contains_interior(narrow) for wide, narrow in zip(boxes[target], image, strict=True))
            for target, image in zip(TARGETS, images, strict=True)
        )
        slopes = [_row_sum(net.derivative(box)) for box in boxes]
        contracted = all(slope < 1 for slope in slopes)

        # The derivatives of M^l at p, until the state is in the first box. From then on each factor's norm is below
        # 1, so that all later products have norms, and with them eigenvalues, below that of the last one.
        state, product, radii, arrived = [ball(number) for number in p], None, [], False
        while not arrived and len(radii) < STEPS:
            J = net.derivative(state)
            product = J if product is None else _times(J, product)
            state = net.value(state)
            radii.append(_spectral_radius(product))
            if not radii[-1] < 1:
                break
            inside = all(side.contains(number) for side, number in zip(boxes[0], state, strict=True))
            arrived = inside and _row_sum(product) < 1

        swapped = net.derivative([ball(number) for number in p])[::-1]
        growth = _spectral_radius(swapped)
        holds = carried and contracted and arrived and growth > 1
        for _ in range(15 * digits if carried and contracted else 0):  # the boxes shrink
            boxes = [net.value(boxes[target]) for target in TARGETS]
        return Certificate(
            tuple(tuple(decimals(side, digits) for side in box) for box in boxes[:3]),
            tuple(decimals(slope, 3) for slope in slopes[:3]),
            len(radii),
            tuple(decimals(radius, digits) for radius in radii),
            decimals(growth, digits),
            bool(holds),
        )


class _Net(NamedTuple):
    """M and M' on pairs of balls."""

    cross: object

    def value(self, a):  # noqa: ANN001, ANN202
        x, y = a[0].tanh(), a[1].tanh()
        own, bias = ball(SELF), ball(BIAS)
        return [own * x + self.cross * y + bias, self.cross * x + own * y + bias]

    def derivative(self, a):  # noqa: ANN001, ANN202
        x, y = a[0].sech() ** 2, a[1].sech() ** 2
        return [[ball(SELF) * x, self.cross * y], [self.cross * x, ball(SELF) * y]]


def _times(A, B):  # noqa: ANN001, ANN202
    return [[A[i][0] * B[0][j] + A[i][1] * B[1][j] for j in (0, 1)] for i in (0, 1)]


def _row_sum(J):  # noqa: ANN001, ANN202
    """The norm of a matrix that belongs to max |a_i|."""
    first, second = (abs(row[0]) + abs(row[1]) for row in J)
    return first.max(second)


def _spectral_radius(J):  # noqa: ANN001, ANN202
    """Of a matrix without negative entries: its largest eigenvalue, which is real (Perron)."""
    (a, b), (c, d) = J
    return (a + d + ((a - d) * (a - d) + 4 * b * c).sqrt()) / 2
