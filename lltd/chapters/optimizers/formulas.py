"""The claims on the methods' formulas: each formula beside the function that follows it."""

from collections.abc import Iterable
from fractions import Fraction

import torch
from torch import Tensor

from lltd.analysis import newton, unfolded
from lltd.claims import claim
from lltd.kernels.small_net import slopes
from lltd.philox import Purpose, uniform
from lltd.rules import (
    Row,
    adopted,
    corrected,
    equation,
    proved,
    quoted,
)
from lltd.systems import annealing, pseudo_newton, small_nets

EXAMPLES = 8  # of derivatives compared with autograd


@claim("HBFS01.48")
def without_gradients() -> Iterable[Row]:
    """Three of the four are run here."""
    return (
        *adopted(
            "annealing, multi-grid search and discrete errors ask for no gradient",
            "test_optimizers.py::test_three_methods_of_1994_ask_for_no_gradient",
        ),
        *quoted("so does the genetic method of Angeline and others", "[HBFS01] section 4"),
    )


@claim("SLIDES94.11")
def metropolis() -> Iterable[Row]:
    """The test of an uphill step, at its own edge; the box is held by a test."""
    rise = torch.linspace(0.01, 20, 2000, dtype=torch.float64)
    temperature = torch.tensor([[0.1], [0.3], [1.0], [10.0]], dtype=torch.float64)
    edge = torch.exp(-rise / temperature)
    inside = annealing.accepts(rise, temperature, edge * (1 - 1e-9))
    outside = annealing.accepts(rise, temperature, edge * (1 + 1e-9))
    wrong = float((~inside).sum() + outside.sum())
    return (
        *equation("uphill steps are taken with probability exp(-ΔC/T)", rise.numel() * 4, wrong, 0.0),
        *adopted(
            "the box keeps the rate of acceptance",
            "test_optimizers.py::test_the_box_of_annealing_keeps_about_half_of_the_moves_accepted",
        ),
    )


@claim("SLIDES94.13")
def newtons_price() -> Iterable[Row]:
    """The Hessian costs N W²; its equations cost W³ beside; a negative curvature turns the step uphill."""
    return (
        *corrected(
            "Newton's update costs O(N W²)",
            "O(N W² + W³): the equations must be solved",
            "test_optimizers.py::test_no_multiple_of_examples_times_weights_squared_bounds_newtons_update",
        ),
        *proved(
            "Newton's step may lead to a maximum",
            "test_optimizers.py::test_newton_lands_on_the_stationary_point_and_goes_uphill_where_it_is_a_maximum",
        ),
    )


@claim("SLIDES94.14")
def the_diagonal() -> Iterable[Row]:
    """The step of the formula, the recursion behind it against autograd, and the count."""
    return (
        *equation(
            "∂²C/∂w_it² by the recursion and by autograd, one unit",
            EXAMPLES,
            _curvature_error(EXAMPLES),
            1e-9,
        ),
        *_step_rows("Δw_i with μ → 0", 1.0, 1e-12),
        *equation("multiplications of the diagonal over N W", 4, _diagonal_excess(), 0.0),
    )


@claim("SLIDES94.15")
def the_safeguard() -> Iterable[Row]:
    """The step with η and μ."""
    return _step_rows("Δw_i with η and μ", 0.01, 0.1)


@claim("SLIDES94.16")
def time_weighted() -> Iterable[Row]:
    """The sum over the copies as the learner has it, against the formula on derivatives by autograd."""
    worst, net, mu = 0.0, small_nets.LATCH, 0.1
    for theta, inputs, target in _examples(EXAMPLES):
        g, h = unfolded.derivatives(net, theta, inputs, target)
        formula = pseudo_newton.time_weighted_step(g[..., None], h[..., None], 1.0, mu)[:, 0]
        _, (_, _, ratio) = _slopes(theta, inputs, target, mu)
        worst = max(worst, float((formula + ratio[:, 0]).abs().max()))
    return equation("Δw_i = -Σ_t η g / (|h| + μ), signed curvature, one unit", EXAMPLES, worst, 1e-9)


@claim("SLIDES94.17")
def backpropagation() -> Iterable[Row]:
    """The formula of the comparison, and the line above it that repeats the method it is compared with."""
    worst = 0.0
    for theta, inputs, target in _examples(EXAMPLES):
        whole, _ = unfolded.shared(small_nets.LATCH, theta, inputs, target)
        worst = max(worst, float((_slopes(theta, inputs, target)[1][0][:, 0] - whole).abs().max()))
    return (
        *equation("∂C/∂w_i = Σ_t ∂C/∂w_it", EXAMPLES, worst, 1e-12),
        *corrected(
            "the first line of the comparison is back-propagation's",
            "it is the time-weighted formula again; back-propagation's is the line below",
            "test_optimizers.py::test_the_first_line_of_the_comparison_is_the_time_weighted_formula",
        ),
    )


@claim("SLIDES94.18")
def through_the_sign() -> Iterable[Row]:
    """Onto the threshold is not over it."""
    return corrected(
        "Δx = -x gives Δy = 2 or -2",
        "only upwards, and only where y can still rise; it takes a margin, and no change where y cannot",
        "test_optimizers.py::test_a_change_onto_the_threshold_turns_no_unit_down",
    )


@claim("SLIDES94.19")
def probabilities() -> Iterable[Row]:
    """Two probabilities must sum to one."""
    return corrected(
        "P(-2) = (MAX - MIN) / (MAX - MIN)",
        "P(-2) = (MAX - g) / (MAX - MIN)",
        "test_optimizers.py::test_the_printed_probabilities_do_not_sum_to_one",
    )


@claim("SLIDES94.20")
def expectation() -> Iterable[Row]:
    """True of one choice of the bounds."""
    return corrected(
        "E[S(g)] = g",
        "for every g if and only if MAX = -MIN = 2",
        "test_optimizers.py::test_the_discrete_signal_keeps_the_mean_only_between_minus_two_and_two",
    )


@claim("SLIDES94.21")
def three_tasks() -> Iterable[Row]:
    """One net for each."""
    return adopted(
        "latch, 2-sequence, parity", "test_optimizers.py::test_the_three_tasks_and_the_sizes_of_their_nets"
    )


@claim("SLIDES94.22")
def what_tells_the_classes() -> Iterable[Row]:
    """L = 1 and N = 3, as later sources have it."""
    return adopted(
        "latch: one input for each class, and learnt; 2-sequence: three given values, not constant",
        "test_optimizers.py::test_what_tells_the_classes_apart",
    )


@claim("SLIDES94.30")
def newton_on_a_quadratic() -> Iterable[Row]:
    """From anywhere to the minimum in one step."""
    ids = torch.arange(1000)
    drawn = [2 * uniform(1, ids, k, Purpose.TASK) - 1 for k in range(6)]
    root = torch.stack([part[:4] for part in drawn[:4]]).permute(2, 0, 1)
    h = root @ root.mT + torch.eye(4)
    least, start = drawn[4].T, 10 * drawn[5].T
    end = start + newton.step((h @ (start - least)[..., None])[..., 0], h)
    return equation(
        "w_o = w - H⁻¹ dE/dw, positive definite H, W = 4", 1000, float((end - least).abs().max()), 1e-12
    )


def _examples(count: int) -> Iterable[tuple[Tensor, Tensor, float]]:
    """Weights (3), a sequence (T, 3) and a target of the latch problem, drawn at random."""
    for run in range(count):
        u = uniform(7, run, torch.arange(10), Purpose.TASK)
        pulse = torch.zeros(8, 2, dtype=torch.float64)
        pulse[0, run % 2] = 1
        noise = torch.cat((torch.zeros(1), 0.4 * u[0, :7] - 0.2))
        yield 4 * u[1, :3] - 2, torch.cat((noise[:, None], pulse), dim=1), 0.8 * (2 * (run % 2) - 1)


def _slopes(theta: Tensor, inputs: Tensor, target: float, mu: float = 1.0) -> tuple[Tensor, Tensor]:
    one = torch.ones(1, dtype=theta.dtype)
    length = torch.tensor([len(inputs)])
    return slopes(
        small_nets.LATCH,
        theta[:, None],
        inputs[..., None],
        length,
        target * one,
        mu * one,
        curvature="signed",
    )


def _curvature_error(count: int) -> float:
    worst = 0.0
    for theta, inputs, target in _examples(count):
        _, h = unfolded.derivatives(small_nets.LATCH, theta, inputs, target)
        worst = max(worst, float((_slopes(theta, inputs, target)[1][1][:, 0] - h.sum(0)).abs().max()))
    return worst


def _step_rows(label: str, rate: float, mu: float) -> tuple[Row, ...]:
    g, h = (4 * uniform(3, torch.arange(1000), k, Purpose.TASK)[0] - 2 for k in range(2))
    # In exact arithmetic, so that no rounding is shared.
    worst = max(
        abs(Fraction(step) + Fraction(rate) * Fraction(a) / (abs(Fraction(b)) + Fraction(mu)))
        / max(1, abs(Fraction(step)))
        for step, a, b in zip(
            pseudo_newton.step(g, h, rate, mu).tolist(), g.tolist(), h.tolist(), strict=True
        )
    )
    return equation(label, 1000, float(worst), 1e-12)


def _diagonal_excess() -> float:
    """How far the count of the diagonal is from 2 N W multiplications."""
    return max(
        abs(newton.multiplications("diagonal", n, w) / (n * w) - 2)
        for n, w in ((10, 5), (10, 20), (40, 5), (40, 20))
    )
