"""The statements of [BFS93] section III.A under two readings of "derivative below 1": by eigenvalues and by norms.

Each statement has, for each reading, a check that runs: a counterexample, or a search for one that finds none. The
proofs of what holds stand in the chapter `latching`; a search cannot replace them, but it could refute them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import NamedTuple

import torch
from torch import Tensor

from lltd.analysis import searches
from lltd.analysis.basins import reduced
from lltd.analysis.counterexamples import overshoot, spectral_latch, stall, szlenk
from lltd.analysis.latch import safe_input_enclosure
from lltd.analysis.maps import Map, autonomous, operator_norm, scalar
from lltd.analysis.uncertainty import radii

SHEAR = ((0.9, 10.0), (0.0, 0.9))  # both eigenvalues 0.9, and it stretches (0, 1) more than tenfold


class Cell(NamedTuple):
    """What checking a statement under one reading has given: whether it holds, and by what or where it fails."""

    holds: bool
    where: str

    def __str__(self) -> str:
        return f"{'holds' if self.holds else 'FAILS'}: {self.where}"


class Item(NamedTuple):
    """A statement and the check that decides it under each reading."""

    statement: str
    eigenvalues: Callable[[], Cell]
    norms: Callable[[], Cell]


def _searched(found: int, cases: int) -> Cell:
    """What a search says: nothing found supports the chapter's proof, anything found would refute it."""
    return Cell(
        found == 0, f"none of {cases:,} cases against it" if found == 0 else f"{found} counterexamples"
    )


def _refuted(shown: bool, where: str) -> Cell:
    """A counterexample; if its check fails, nothing has been shown, and that is an error."""
    if not shown:
        raise RuntimeError(f"the counterexample does not do what is said of it: {where}")
    return Cell(False, where)


def shear() -> Map:
    """The linear map of `SHEAR`, for states (..., 2)."""
    A = torch.tensor(SHEAR, dtype=torch.float64)
    return Map("shear", lambda a: a @ A.T, lambda a: A.expand(*a.shape, 2))


def creeping() -> Map:
    """M(x) = x + exp(-x) on x >= 0: 0 <= M' < 1 everywhere, and no fixed point, so that it cannot contract."""
    return scalar("creeping map", lambda x: x + torch.exp(-x), lambda x: 1 - torch.exp(-x))


def ratio(map: Map, x: Tensor, y: Tensor) -> Tensor:
    """||M(x) - M(y)|| / ||x - y|| of states (..., n), shape (...)."""
    return (map(x) - map(y)).norm(dim=-1) / (x - y).norm(dim=-1)


def _small_factors_repel() -> Cell:
    return _refuted(szlenk.certify().holds, "Szlenk's cycle repels")


@cache
def _cycles() -> tuple[tuple[Map, Tensor], ...]:
    return tuple(searches.settled_cycles(24))


def _attracting_cycles() -> Cell:
    small = [pair for pair in _cycles() if _small_on(*pair)]
    rates = [searches.growing_near_cycle(net, cycle, 1e-3, 5, 100) for net, cycle in small]
    return _searched(sum(int((rate >= 0).any()) for rate in rates), len(rates))


def _norms_stay_small() -> Cell:
    small = [pair for pair in _cycles() if _small_on(*pair)]
    held = [reduced(net, cycle, operator_norm, 50).all() for net, cycle in small]
    return _searched(sum(not ok for ok in held), len(held))


def _small_on(net: Map, cycle: Tensor) -> bool:
    return bool((operator_norm(net.derivative(cycle)) < 1).all())


@cache
def _expansion(cases: int = 150) -> Cell:
    # A spectral radius above 1 makes every norm larger than 1: the norm's search covers both readings.
    return _searched(searches.not_expanding(cases), cases)


def _kept_where_it_expands() -> Cell:
    return _refuted(safe_input_enclosure(2, "0.5").holds, "w = 2, a = 0.5: slope above 1, safe up to h(a)")


def _leaves_its_own_set() -> Cell:
    return _refuted(overshoot.certify().holds, "overshooting neuron, a = 4")


def _not_contracting() -> Cell:
    x = torch.tensor([[1.0], [5.0], [20.0]], dtype=torch.float64)
    pairs = ratio(creeping(), x, x + 1)
    slopes = creeping().derivative(x)
    return _refuted(bool((slopes < 1).all() and pairs[-1] > 1 - 1e-8), "x + exp(-x): ratios come up to 1")


def _stalls() -> Cell:
    return _refuted(stall.certify().holds, "monotone stall, n = 1")


def _slow_attraction() -> Cell:
    a = torch.tensor(1.0, dtype=torch.float64)
    for _ in range(10_000):
        a = torch.tanh(a)
    return _refuted(0 < a < 0.02, "tanh: 0 attracts and has slope 1")


@cache
def _sheared_pair() -> Cell:
    found = searches.not_lipschitz(40, "eigenvalues")
    e = torch.tensor([0.0, 1.0], dtype=torch.float64)
    return _refuted(found > 0 and ratio(shear(), e, 0 * e).item() > 10, "a linear shear stretches tenfold")


def _sheared_tube() -> Cell:
    """Under the constant input (0, b) the shear goes to 1000 b; its eigenvalues would allow b / (1 - 0.9) = 10 b."""
    a, u = torch.zeros(2, dtype=torch.float64), torch.tensor([0.0, 1.0], dtype=torch.float64)
    for _ in range(1000):
        a = shear()(a) + u
    return _refuted(
        a.norm().item() > 900 > radii(1.0, 0.9, 1000)[-1].item(), "a linear shear, 100 times beyond"
    )


def _tube(cases: int = 120) -> Cell:
    ratios = searches.overruns(cases)
    return _searched(int((ratios > 1 + 1e-9).sum()), len(ratios))


def _overshooting_ball() -> Cell:
    """A ball inside Γ which grows in its second step, though both of its images are smaller than itself."""
    x = torch.tensor([[4 - 1e-3], [4 + 1e-3]], dtype=torch.float64)
    size = (autonomous(overshoot.as_map(), x, 2).diff(dim=1)).abs().flatten()
    return _refuted(bool(size[1] < size[2] < size[0]), "overshooting neuron, second step")


def _spectral_latch() -> Cell:
    return _refuted(spectral_latch.certify().holds, "two neurons, both eigenvalues 1/2, three attractors")


def _to_zero(cases: int = 500) -> Cell:
    return _searched(searches.not_at_zero(cases), cases)


@cache
def _symmetric(cases: int = 500) -> Cell:
    return _searched(searches.moving_for_ever(cases, -0.99), cases)


def _both(statement: str, check: Callable[[], Cell]) -> Item:
    return Item(statement, check, check)


# As printed first, then as corrected in the chapter.
ITEMS = (
    Item("Definition 2: small derivatives on X make it attract", _small_factors_repel, _attracting_cycles),
    _both("a stable attracting fixed point is hyperbolic", _slow_attraction),
    _both("W symmetric, eigenvalues > -1: only fixed points", _symmetric),
    Item("|W| < 1: one attractor, 0", _spectral_latch, _to_zero),
    Item("Lemma 1: X lies in Γ(X)", _small_factors_repel, _norms_stay_small),
    _both("Γ(X) is carried into itself (tacit)", _leaves_its_own_set),
    _both("Theorem 1", _expansion),
    _both("outside Γ noise is not resisted", _kept_where_it_expands),
    _both("Theorem 2", _not_contracting),
    _both("Theorem 3: within b/(1 - λ)", _stalls),
    _both("after it: within 2b/(1 - λ) while in Γ", _stalls),
    Item("slides: a sphere inside Γ shrinks at each step", _sheared_pair, _overshooting_ball),
    Item("Theorem 2, corrected", _sheared_pair, lambda: _searched(searches.not_lipschitz(100), 100)),
    Item("Theorem 3, corrected", _sheared_tube, _tube),
)


@dataclass(frozen=True)
class BothReadings:
    """What the checks of `ITEMS` have given: (statement, by eigenvalues, by norms), shown as a table or as lines."""

    rows: tuple[tuple[str, Cell, Cell], ...]

    def __repr__(self) -> str:
        return "\n".join(
            f"{statement}\n    eigenvalues {first}\n    norms       {second}"
            for statement, first, second in self.rows
        )

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{name}</th>' for name in ("statement", "by eigenvalues", "by norms"))
        body = "".join(
            f"<tr><td>{escape(statement)}</td>"
            + "".join(
                f"<td><strong>{'holds' if cell.holds else 'fails'}</strong><br><small>{escape(cell.where)}</small></td>"
                for cell in cells
            )
            + "</tr>"
            for statement, *cells in self.rows
        )
        return (
            '<div class="lltd-verdicts" role="region" tabindex="0" aria-label="Both readings"><table>'
            "<caption>Each statement under both readings: where it fails, or how many cases were searched."
            f"</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )


def both_readings() -> BothReadings:
    """Run the checks of all items. Raises RuntimeError if a counterexample does not do what is said of it."""
    return BothReadings(tuple((item.statement, item.eigenvalues(), item.norms()) for item in ITEMS))
