"""Chapter gradient_loss: [BFS93] Theorem 4, III.B and III.C, what they say of paths, means and modules."""

import math
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from lltd.analysis import gradient_by_time, projection
from lltd.analysis.latch import critical_input, fixed_point
from lltd.analysis.maps import Map, spectral_radius
from lltd.analysis.projection import Split
from lltd.claims import claim
from lltd.philox import Purpose, normal, uniform
from lltd.rules import Count, Row, at_least, at_most, corrected, equation, proved, trend
from lltd.systems import feeding_latch, recurrent_net

SEED = 1993
# The latch and the noise of the paper's Fig. 2b, and a length at which the bit is half lost.
WEIGHT, NOISE, STEPS = 1.25, 0.2, 60
PATHS = 4000

# Limits of the rules below, set before any of their runs.
SMALL = 1e-6  # a derivative that has "fallen off": a millionth of the first step's
TINY = 0.01  # "very small in comparison": one part in a hundred
NEARLY_ALL = 0.95  # our reading of "for most"

# Latched nets.
UNITS, INPUTS, NETS, SEQUENCES = 5, 2, 80, 40
# Steps before the net counts as latched, steps after that, and how many of these are recent.
SETTLING, LATCHED, RECENT = 20, 50, 30
# Modules A -> B.
LEAD, PATTERN, HEARD = 3, 4, 0.02  # steps for which A speaks, numbers it sees, noise that B hears


def noise(ids: Tensor, steps: int, purpose: Purpose = Purpose.NOISE, seed: int = SEED) -> Tensor:
    """Standard normal numbers, (steps, runs): one block of randomness serves a run for four steps."""
    blocks = torch.arange(-(-steps // 4))[:, None]
    return normal(seed, ids, blocks, purpose).transpose(0, 1).flatten(0, 1)[:steps]


def paths(weight: float, s: float, steps: int, count: int) -> Tensor:
    """log10 |dx_t/da_0| for t = 0 … steps of noisy latches started at rest, a_0 = a*; (steps + 1, count)."""
    a = torch.full((count,), fixed_point(weight), dtype=torch.float64)
    product, decades = torch.zeros_like(a), [(1 / torch.cosh(a) ** 2).log10()]
    for z in s * noise(torch.arange(count), steps):
        product += (weight / torch.cosh(a) ** 2).log10()
        a = weight * torch.tanh(a) + z
        decades.append(product - 2 * torch.cosh(a).log10())
    return torch.stack(decades)


class Latched(NamedTuple):
    """Driven nets, and which of them stayed latched."""

    terms: Tensor  # (nets, T, sequences): size of the term of eq. 5 of each step
    latched: Tensor  # (nets, sequences) bool: all eigenvalues of M' below 1 at every state after settling


@cache
def latched_nets(count: int = NETS, heard: float = 0.2) -> Latched:
    """Random nets, with a strong loop on each unit, that settle and then hear noise of standard deviation `heard`.

    The weights are normal, of standard deviation 1 / sqrt(units + inputs), and 2 is added to each unit's loop on
    itself, so that there are many attractors. The targets, ±0.8 by chance, are set at the last step alone.
    """
    steps, sizes, inside = SETTLING + LATCHED, [], []
    for net in range(count):
        W = recurrent_net.init(SEED, net, UNITS, INPUTS)
        W[:, :UNITS] += 2 * torch.eye(UNITS, dtype=W.dtype)
        ids = net * SEQUENCES + torch.arange(SEQUENCES)
        drawn = noise(ids, INPUTS * steps).reshape(steps, INPUTS, SEQUENCES).movedim(1, 2)
        first = noise(ids, 2 * UNITS, Purpose.INITIAL).T
        start, side = first[:, :UNITS].tanh(), first[:, UNITS:].sign()
        activations = recurrent_net.unfold(W, start, heard * drawn[:SETTLING])
        inputs, targets = (
            heard * drawn[SETTLING:],
            torch.full((LATCHED, SEQUENCES, UNITS), math.nan, dtype=W.dtype),
        )
        targets[-1] = 0.8 * side
        terms = gradient_by_time.terms(W, activations[-1], inputs, targets)
        sizes.append(terms.flatten(-2).norm(dim=-1))
        states = recurrent_net.unfold(W, activations[-1], inputs)
        M = (1 - states[1:] ** 2)[..., None] * W[:, :UNITS]
        inside.append((spectral_radius(M) < 1).all(0))
    return Latched(torch.stack(sizes), torch.stack(inside))


class Jump(NamedTuple):
    """One change of a weight in many latched neurons: what it does to the cost, and what the slope foretells."""

    change: Tensor  # (runs,), of the cost when the weight is changed by enough to move the bit
    forecast: Tensor  # (runs,), slope of the cost times that change of the weight


def flip_of_input_weight(runs: int, steps: int = 20) -> Jump:
    """The bit enters through a weight v < 0, a_1 = v, where v > 0 is wanted; v is changed to -v.

    Weights w in (1.5, 3), v in (-2, -0.5), noise of a quarter of u*; cost (x_T - 0.8)**2, the noise held.
    """
    ids = torch.arange(runs)
    w, v = _latches(ids)
    z = noise(ids, steps - 1) * torch.tensor([critical_input(float(each)) / 4 for each in w], dtype=w.dtype)
    cost, slope = end_cost(w, -v, z)
    return Jump(end_cost(w, v, z)[0] - cost, slope * 2 * v)


def flip_of_loop_weight(runs: int, steps: int = 20) -> Jump:
    """The bit, a_1 = 1, is knocked over in the next step by an input that a stronger loop would have withstood.

    The input -h of step 2 flips the bit below w_c = h / tanh 1; w is raised from under w_c to as much above it.
    """
    ids = torch.arange(runs)
    strength, distance = (
        1.5 + uniform(SEED, ids, 0, Purpose.TASK)[0],
        0.1 * (1 + uniform(SEED, ids, 1, Purpose.TASK)[0]),
    )
    first = torch.zeros(steps - 1, runs, dtype=torch.float64)
    first[0] = -strength * math.tanh(1)

    def cost(w: Tensor) -> Tensor:
        return end_cost(w, torch.ones_like(w), first)[0]

    w = (strength - distance).requires_grad_()
    before = cost(w)
    (slope,) = torch.autograd.grad(before.sum(), w)
    w = w.detach()
    return Jump(cost(w + 2 * distance) - before.detach(), slope * 2 * distance)


def _latches(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Loops w in (1.5, 3) and sizes v in (0.5, 2) of first inputs, one for each run."""
    draw = uniform(SEED, ids, 0, Purpose.TASK)
    return 1.5 + 1.5 * draw[0], 0.5 + 1.5 * draw[1]


def end_cost(w: Tensor, v: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """(x_T - 0.8)**2 of neurons with a_1 = v and the inputs (T - 1, runs) after it, and its slope in v."""
    a, slope = v, torch.ones_like(v)
    for u in inputs:
        slope = slope * w / torch.cosh(a) ** 2
        a = w * torch.tanh(a) + u
    x = torch.tanh(a)
    return (x - 0.8) ** 2, 2 * (x - 0.8) * (1 - x**2) * slope


def divided(name: str, split: Split, step: Map) -> Map:
    """A map written in the parts (z, y) of a state, as a map of the state itself."""

    def M(a: Tensor) -> Tensor:
        return split.state(*step(torch.cat(split.parts(a), -1)).split([len(split.P), len(split.R)], -1))

    def derivative(a: Tensor) -> Tensor:
        inner = step.derivative(torch.cat(split.parts(a), -1))
        outer, both = torch.cat((split.P_right, split.R_right), 1), torch.cat((split.P, split.R))
        return outer @ inner @ both

    return Map(name, M, derivative)


def example(name: str, z_from_y: float, y_from_z: float) -> Map:
    """One of the three examples of section III.C in the parts (z, y): a latch, and an integrator beside it.

    z_t = 2 tanh z_{t-1} + z_from_y * tanh y_{t-1},    y_t = y_{t-1} + y_from_z * z_{t-1}
    """

    def M(a: Tensor) -> Tensor:
        z, y = a[..., 0], a[..., 1]
        return torch.stack((2 * z.tanh() + z_from_y * y.tanh(), y + y_from_z * z), -1)

    def derivative(a: Tensor) -> Tensor:
        z, y = a[..., 0], a[..., 1]
        rows = (2 / z.cosh() ** 2, z_from_y / y.cosh() ** 2, torch.full_like(z, y_from_z), torch.ones_like(y))
        return torch.stack(rows, -1).unflatten(-1, (2, 2))

    return Map(name, M, derivative)


EXAMPLES = (
    example("z and y apart", 0.0, 0.0),
    example("z listens to y", 0.3, 0.0),
    example("y adds up z", 0.0, 0.1),
)


def turned(angle: float = 0.5) -> Split:
    """Orthonormal rows P and R in the plane, turned by an angle (radians) against the axes."""
    cos, sin = math.cos(angle), math.sin(angle)
    return projection.split(*torch.tensor([[[cos, sin]], [[-sin, cos]]], dtype=torch.float64))


class Heard(NamedTuple):
    """What comes back to A from a B of some weight, and what B remembers."""

    back: Tensor  # (runs,), |dx_T / dV|
    right: Tensor  # (runs,) bool, whether the end has the sign of what A meant


def modules(w: float, steps: int, runs: int) -> Heard:
    """A sees PATTERN numbers, of mean ±1/2 for the two classes, for LEAD steps, and tells B, which must remember."""
    V, side, patterns, heard, states = _conversation(w, steps, torch.arange(runs))
    back = feeding_latch.gradient(V, w, patterns, heard).norm(dim=-1)
    return Heard(back, states[-1] * side > 0)


class Training(NamedTuple):
    """B in training, epoch by epoch: its weight and what then comes back to A, the median of |dx_T / dV|."""

    weight: Tensor  # (epochs,)
    back: Tensor  # (epochs,)


def train_memory(
    w: float, steps: int, epochs: int, rate: float = 0.1, runs: int = 64, target: float = 0.8
) -> Training:
    """Gradient descent on B's weight alone, with new patterns and noise in each epoch; cost (x_T ∓ target)**2."""
    weights, back = [], []
    for epoch in range(epochs):
        V, side, patterns, heard, states = _conversation(w, steps, epoch * runs + torch.arange(runs))
        weights.append(w)
        back.append(feeding_latch.gradient(V, w, patterns, heard).norm(dim=-1).median())
        miss = states[-1].tanh() - target * side
        w -= rate * float((2 * miss * feeding_latch.loop_gradient(w, states)).mean())
    return Training(torch.tensor(weights, dtype=torch.float64), torch.stack(back))


def _conversation(w: float, steps: int, ids: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """A's weights (PATTERN,), classes ±1, patterns, noise and B's states of the runs with these ids."""
    V = torch.full((PATTERN,), 0.3, dtype=torch.float64)
    side = 1 - 2 * (ids % 2)
    seen = noise(ids, LEAD * PATTERN, Purpose.TASK).reshape(LEAD, PATTERN, len(ids)).movedim(1, 2)
    patterns = side[:, None] / 2 + 0.2 * seen
    heard = HEARD * noise(ids, steps)
    heard[:LEAD] = 0
    return V, side, patterns, heard, feeding_latch.unfold(w, feeding_latch.says(V, patterns), heard)


def _count(hits: Tensor) -> Count:
    return Count(int(hits.sum()), hits.numel())


@claim("BFS93.1")
def derivatives_fall_off() -> Iterable[Row]:
    """Noisy latches whose bit is safe, at three weights: how many paths have lost their derivative after 50 steps."""
    rows = []
    for w in (1.5, 2.0, 3.0):
        end = paths(w, critical_input(w) / 4, 50, 2000)[-1]
        rows += at_least(
            f"w = {w:g}: paths with |dx_50/da_0| below a millionth",
            NEARLY_ALL,
            _count(end < math.log10(SMALL)),
        )
    return rows


@claim("BFS93.41")
def theorem_4() -> Iterable[Row]:
    """Both readings of "less than 1" fail; with one bound for all steps the norm reading holds."""
    return (
        *corrected(
            "norms below 1 at every step",
            "norms at most λ < 1, one λ for all steps, give λ^t",
            "test_gradient_loss.py::test_slopes_below_one_need_not_multiply_to_zero",
        ),
        *corrected(
            "eigenvalues below 1 at every step",
            "joint spectral radius of the derivatives below 1",
            "test_gradient_loss.py::test_a_net_latched_by_eigenvalues_multiplies_its_derivative",
        ),
        *proved(
            "norms at most λ < 1 at every step",
            "test_gradient_loss.py::test_norms_bounded_below_one_bound_the_derivative",
        ),
    )


@claim("SLIDES94.9")
def product_of_slopes() -> Iterable[Row]:
    """One neuron: false of slopes below 1, true of inputs up to u*, whatever their signs."""
    return (
        *corrected(
            "slopes below 1 along the path",
            "the product vanishes if and only if the gaps 1 - M' sum to infinity",
            "test_gradient_loss.py::test_slopes_below_one_need_not_multiply_to_zero",
        ),
        *proved(
            "inputs up to u*: at most (1 + τ e_0 t)^-2",
            "test_gradient_loss.py::test_inputs_up_to_the_critical_one_leave_a_square_law",
        ),
        *proved(
            "inputs up to b < u*: at most λ^t",
            "test_gradient_loss.py::test_inputs_below_the_critical_one_leave_an_exponential",
        ),
    )


@cache
def eq_5(nets: int = 100) -> dict[str, float]:
    """Worst relative distance from autograd of eq. 5's sum, under both readings of its last factor."""
    worst = {"direct derivative": 0.0, "total derivative": 0.0}
    for net in range(nets):
        W = recurrent_net.init(SEED, net, 4, 2, gain=2.0).requires_grad_()
        start, inputs = torch.zeros(4, dtype=W.dtype), noise(torch.arange(2) + 2 * net, 12)
        targets = torch.full((12, 4), math.nan, dtype=W.dtype)
        targets[-1] = 0.5
        cost = recurrent_net.error(recurrent_net.unfold(W, start, inputs), targets)
        (slope,) = torch.autograd.grad(cost, W)
        given = W.detach(), start, inputs, targets
        for reading, split in zip(worst, (gradient_by_time.terms, gradient_by_time.total_terms), strict=True):
            gap = float((split(*given).sum(0) - slope).norm() / slope.norm())
            worst[reading] = max(worst[reading], gap)
    return worst


@claim("BFS93.42")
def sum_over_times() -> Iterable[Row]:
    """The sum is the gradient if the last factor is the direct derivative."""
    return tuple(
        row
        for reading, worst in eq_5().items()
        for row in equation("sum over the times and autograd", 100, worst, 1e-10, reading)
    )


@claim("BFS93.43")
def distant_contributions() -> Iterable[Row]:
    """In random latched nets, the terms of all but the last 30 of 50 steps."""
    terms, latched = latched_nets()
    old = (terms[:, :-RECENT].sum(1) / terms.sum(1))[latched]
    return at_least(
        "latched nets where terms older than 30 steps weigh less than 1 %", NEARLY_ALL, _count(old < TINY)
    )


@claim("HBFS01.37")
def sum_over_times_2001() -> Iterable[Row]:
    """The same sum, and its oldest term against its newest."""
    terms, latched = latched_nets()
    ratio = (terms[:, 0] / terms[:, -1])[latched]
    return (
        *sum_over_times(),
        *at_least(
            "latched nets whose oldest term of 50 is below a millionth of the newest",
            NEARLY_ALL,
            _count(ratio < SMALL),
        ),
    )


@claim("BFS93.44")
def unseen_jump() -> Iterable[Row]:
    """Two changes of a weight that move the bit, and what the gradient makes of them."""
    entry, loop = flip_of_input_weight(2000), flip_of_loop_weight(2000)
    return (
        *at_least(
            "input weight turned round: the slope foretells less than 1 % of the gain",
            NEARLY_ALL,
            _count((entry.forecast.abs() < TINY * entry.change.abs()) & (entry.change < 0)),
        ),
        *at_least(
            "loop strengthened until the bit survives: the slope foretells a loss, not a gain",
            NEARLY_ALL,
            _count((loop.forecast > 0) & (loop.change < 0)),
        ),
    )


@claim("BFS93.46")
def division_of_the_state() -> Iterable[Row]:
    """Eq. 6 and the four blocks, for random projections of up to eight dimensions."""
    worst, cases = 0.0, 500
    for case in range(cases):
        n, p = 2 + case % 7, 1 + case % (1 + case % 7)
        drawn = normal(SEED, case, torch.arange(n * n), Purpose.TASK)[:3].reshape(3, n, n)
        Q = torch.linalg.qr(drawn[0])[0]
        parts = projection.split(Q[:p], Q[p:])
        worst = max(
            worst,
            float((parts.state(*parts.parts(drawn[1])) - drawn[1]).abs().max()),
            float((parts.whole(parts.blocks(drawn[2])) - drawn[2]).abs().max()),
            float((parts.P @ parts.R_right).abs().max()),
            float((parts.R @ parts.P_right).abs().max()),
            float((parts.P_right - parts.P.T).abs().max()),  # orthonormal rows are their own inverses
        )
    return equation("a = P+ z + R+ y, and the derivative from its four blocks", cases, worst, 1e-12)


@claim("BFS93.47")
def derivative_of_the_other_part() -> Iterable[Row]:
    """Autonomy of z is not enough: y may keep what z once was."""
    return (
        *corrected(
            "z forgets its start, whatever y does",
            "the limit is the printed one if and only if ∂z_t/∂y_0 and ∂y_t/∂z_0 vanish too",
            "test_gradient_loss.py::test_an_integrator_keeps_the_derivative_in_a_forgotten_latch",
        ),
        *proved(
            "z autonomous and forgetting, and y forgetting too",
            "test_gradient_loss.py::test_the_printed_limit_holds_where_y_forgets_z",
        ),
    )


@claim("SLIDES94.10")
def modules_before_and_after() -> Iterable[Row]:
    """B before it can latch (w = 1/2), after it has (w = 2), and on the way (w = 1), at T = 50."""
    before, between, after = (modules(w, 50, 2000) for w in (0.5, 1.0, 2.0))
    return (
        *at_most("w = 0.5: A's gradient above a millionth", TINY, _count(before.back > SMALL)),
        *at_most("w = 2: A's gradient above a millionth", TINY, _count(after.back > SMALL)),
        *trend("A's gradient: w = 1 less w = 0.5", before.back.numpy(), between.back.numpy()),
        *trend("A's gradient: w = 1 less w = 2", after.back.numpy(), between.back.numpy()),
        *trend("ends that B has right: w = 2 less w = 0.5", _count(before.right), _count(after.right)),
    )
