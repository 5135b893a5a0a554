"""Chapter latching: [BFS93] section III.A: attractors, their basins, and what theorems 1 to 3 say of them."""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import torch
from torch import Tensor

from lltd.analysis.latch import critical_input
from lltd.analysis.uncertainty import radii
from lltd.claims import claim
from lltd.rules import Row, adopted, afterwards, constant, corrected, equation, proved

PRINTED = 0.532  # u* at w = 2, in the caption of Fig. 3


def _read_as(reading: str, rows: Iterable[Row]) -> tuple[Row, ...]:
    return tuple(replace(row, reading=reading) for row in rows)


def _apart(label: str, eigenvalues: Callable[[str], Iterable[Row]], norms: Callable[[str], Iterable[Row]]):  # noqa: ANN202
    """One row for each reading, under one label."""
    return *_read_as("eigenvalues", eigenvalues(label)), *_read_as("norms", norms(label))


def _test(name: str) -> str:
    return f"test_latching.py::test_{name}"


@claim("BFS93.20")
def driven_and_autonomous() -> Iterable[Row]:
    """Equations 2 and 3 are `maps.orbit` and `maps.autonomous`."""
    return adopted("additive inputs", _test("an_orbit_without_inputs_is_the_autonomous_one"))


def with_additive_inputs(N: Callable[[Tensor, Tensor], Tensor], n: int) -> Callable[[Tensor], Tensor]:
    """[BFS93] footnote 2: the map (a, y) -> (N(a, y), 0) of 2n numbers; added inputs (0, u) make it N's system."""
    return lambda s: torch.cat((N(s[..., :n], s[..., n:]), torch.zeros_like(s[..., n:])), -1)


@claim("BFS93.21")
def additive_after_all() -> Iterable[Row]:
    """A second-order net run directly, and as a net with additive inputs of twice the size."""
    W = torch.tensor([[0.7, -1.2], [1.1, 0.4]], dtype=torch.float64)

    def N(a: Tensor, u: Tensor) -> Tensor:
        return torch.tanh(a * u) @ W.T

    direct, worst, cases = torch.zeros(500, 2, dtype=torch.float64), 0.0, 0
    doubled, M = torch.zeros(500, 4, dtype=torch.float64), with_additive_inputs(N, 2)
    u = torch.stack(
        [torch.outer(torch.linspace(-2, 2, 500).cos(), torch.tensor([1.0, t % 3])) for t in range(20)]
    )
    for t in range(1, 20):
        direct = N(direct, u[t - 1])
        doubled = M(doubled + torch.cat((0 * u[t - 1], u[t - 1]), -1) * (t == 1))
        doubled = doubled + torch.cat((0 * u[t], u[t]), -1)
        worst, cases = max(worst, (doubled[:, :2] - direct).abs().max().item()), cases + 500
    return equation("a_t with inputs inside and with inputs added", cases, worst, 1e-12)


@claim("BFS93.22")
def symmetric_nets() -> Iterable[Row]:
    """Marcus' condition; -1 itself is allowed, and beyond it there is a cycle."""
    return proved(
        "smallest eigenvalue at least -1",
        _test("symmetric_nets_come_to_rest_iff_no_eigenvalue_is_below_minus_one"),
    )


@claim("BFS93.23")
def small_weights() -> Iterable[Row]:
    """True of the Euclidean norm and of all that do not grow when components shrink."""
    return proved(
        "||W|| < 1, Euclidean or weighted", _test("small_weights_lead_to_zero_but_small_eigenvalues_may_not")
    )


@claim("BFS93.24", "BFS93.30", "BFS93.34")
def definitions() -> Iterable[Row]:
    """Definitions 1, 5 and 6, as `basins` and the page use them."""
    return adopted("definitions 1, 5 and 6", _test("the_neuron_s_reduced_set_begins_where_the_slope_is_one"))


@claim("BFS93.25")
def hyperbolic_attractor() -> Iterable[Row]:
    """Each point's eigenvalues say nothing of a cycle; its norms do, and leave finitely many points."""
    return _apart(
        "small derivatives on X make an attractor",
        lambda label: corrected(
            label, "some power M^k must have ||(M^k)'|| < 1 on X, X compact", _test("szlenk_s_cycle_repels")
        ),
        lambda label: corrected(
            label,
            "true of a compact X, which is then a finite union of cycles: no chaotic attractor qualifies",
            _test("a_closed_set_that_is_not_bounded_may_be_all_of_space"),
        ),
    )


@claim("BFS93.26")
def stable_is_hyperbolic() -> Iterable[Row]:
    """False for tanh itself."""
    instead = (
        "a cycle attracts if its multiplier has spectral radius below 1; it may attract at 1 too, but slowly"
    )
    return corrected(
        "a stable attracting fixed point is hyperbolic",
        instead,
        _test("at_w_one_zero_attracts_with_slope_one"),
    )


@claim("BFS93.27")
def basin() -> Iterable[Row]:
    """The order of the quantifiers, as printed, asks only to come near again and again."""
    instead = "for every ε all late M^l(a) are within ε of X; the same where X is stable"
    return corrected("comes near X", instead, _test("to_come_near_again_and_again_is_not_to_converge"))


@claim("BFS93.28")
def reduced_set() -> Iterable[Row]:
    """Absolute values are meant."""
    instead = "absolute values: without them a slope of -2 would count as small"
    return corrected(
        "eigenvalues less than 1", instead, _test("without_absolute_values_a_slope_of_minus_two_is_small")
    )


@claim("BFS93.29")
def lemma_1() -> Iterable[Row]:
    """Fails by eigenvalues, holds by norms."""
    return _apart(
        "X ⊂ Γ(X) ⊂ β(X)",
        lambda label: corrected(
            label, "read it with norms, or with powers of M", _test("szlenk_s_cycle_repels")
        ),
        lambda label: proved(label, _test("small_norms_on_an_attractor_stay_small")),
    )


@claim("BFS93.31")
def theorem_1() -> Iterable[Row]:
    """True, and more than needed is asked for."""
    return proved(
        "||M'(x)|| > 1 at x alone", _test("where_the_norm_exceeds_one_some_neighbour_is_driven_apart")
    )


@claim("BFS93.32")
def taylor() -> Iterable[Row]:
    """Differentiability gives o(λ), which is enough."""
    instead = "o(λ) for a differentiable M, which the proof can do with; O(λ²) if M' is Lipschitz"
    return corrected(
        "remainder O(λ²)", instead, _test("a_differentiable_map_may_have_a_remainder_of_order_three_halves")
    )


@claim("BFS93.33")
def outside_the_reduced_set() -> Iterable[Row]:
    """A state of slope 1.57 withstands every input up to 0.424."""
    instead = "in the basin of a hyperbolic cycle the growth is at most C(a) and then decays"
    return corrected(
        "outside Γ uncertainty grows exponentially",
        instead,
        _test("a_state_outside_the_reduced_set_keeps_its_bit"),
    )


@claim("BFS93.35")
def figure_3_number() -> Iterable[Row]:
    """0.5328…: rounded it would be 0.533."""
    u = critical_input(2.0)
    return (
        *constant("u* at w = 2", PRINTED, 0.0005, u),
        *constant("u* at w = 2", PRINTED, 0.001, u, afterwards("digits cut off, not rounded")),
    )


@claim("BFS93.36")
def figure_3() -> Iterable[Row]:
    """Γ = {a > arccosh sqrt w}."""
    return proved("Γ(a*) = {M' < 1, a > 0}", _test("the_neuron_s_reduced_set_begins_where_the_slope_is_one"))


@claim("BFS93.37")
def theorem_2() -> Iterable[Row]:
    """A supremum below 1 is needed."""
    test = _test("slopes_below_one_need_not_contract")
    return _apart(
        "|M'| < 1 on a convex D makes M contract",
        lambda label: corrected(
            label, "norms, and a supremum below 1", _test("moderate_eigenvalues_may_stretch")
        ),
        lambda label: corrected(label, "if sup ||M'|| < 1 on D, or D is compact and M' continuous", test),
    )


@claim("BFS93.38")
def theorem_3() -> Iterable[Row]:
    """The balls must be around the undisturbed states."""
    instead = "||M'|| <= λ on the balls of radius ρ_t around the undisturbed orbit"
    return corrected("within b/(1 - λ)", instead, _test("a_stalled_state_never_comes_near_its_attractor"))


@claim("BFS93.39")
def radius_of_uncertainty() -> Iterable[Row]:
    """The recursion and its solution."""
    worst, cases = 0.0, 0
    for k in range(100):
        rate, radius = k / 100, 0.0
        closed = radii(1.0, rate, 100)
        for t in range(1, 101):
            radius = rate * radius + 1.0
            worst, cases = max(worst, abs(radius - closed[t].item()) / radius), cases + 1
    return equation("ρ_t by recursion and in closed form", cases, worst, 1e-12)


@claim("BFS93.40")
def after_theorem_3() -> Iterable[Row]:
    """Staying in Γ is not enough; where the corrected theorem applies, the factor 2 is not needed."""
    instead = "b/(1 - λ) in the limit, under the hypotheses of the corrected Theorem 3"
    return corrected(
        "within 2b/(1 - λ) of X", instead, _test("a_stalled_state_never_comes_near_its_attractor")
    )


@claim("SLIDES94.8")
def sphere_of_uncertainty() -> Iterable[Row]:
    """It shrinks while it is inside; once it has left it may grow, though never beyond its first size."""
    instead = "smaller than at the start after any number of steps, but once outside Γ a step may enlarge it"
    return _apart(
        "a sphere inside Γ shrinks at each step",
        lambda label: corrected(label, "norms", _test("moderate_eigenvalues_may_stretch")),
        lambda label: corrected(
            label, instead, _test("a_sphere_inside_the_reduced_set_may_grow_in_one_step")
        ),
    )


def quiet_after_one(w: float = 1.0, start: float = 1.0, steps: int = 10_000) -> Tensor:
    """Log da_t/da_0 for t = 0 … steps along a_t = w tanh a_{t-1}, (steps + 1,), float64."""
    a, log = start, [0.0]
    for _ in range(steps):
        log.append(log[-1] + math.log(w) - 2 * math.log(math.cosh(a)))
        a = w * math.tanh(a)
    return torch.tensor(log, dtype=torch.float64)
