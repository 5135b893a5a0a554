"""Small recurrent nets of fixed wiring: their outputs, derivatives, and discrete errors sent back through them."""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from lltd.kernels.op import Op
from lltd.kernels.small_net import reference

CURVATURES = {"gauss-newton": reference.GAUSS_NEWTON, "signed": reference.SIGNED}


@dataclass(frozen=True)
class Net:
    """A net of `units` units, updated in order within each step, read at unit `output`.

    wiring: for each weight, the unit it leads to and its source: j < n unit j one step before, n + j unit j in
    this step (j before the unit it leads to), 2n + c input c of `inputs`, 2n + inputs the constant 1. entry: the
    unit that the first input is added to, with a fixed weight of one; None: none. Raises ValueError.
    """

    units: int
    inputs: int
    output: int
    wiring: tuple[tuple[int, int], ...]
    entry: int | None = None

    def __post_init__(self) -> None:
        if self.units < 1 or self.inputs < 1:
            raise ValueError(
                f"units is {self.units} and inputs is {self.inputs}: at least one of each is needed"
            )
        if not 0 <= self.output < self.units or self.entry not in (None, *range(self.units)):
            raise ValueError(
                f"output is {self.output} and entry is {self.entry}: the units are 0 … {self.units - 1}"
            )
        if not self.wiring:
            raise ValueError("wiring is empty: a net with at least one weight is needed")
        for to, source in self.wiring:
            if not 0 <= to < self.units or not 0 <= source <= 2 * self.units + self.inputs:
                raise ValueError(f"wiring has {(to, source)}: there is no such unit or source")
            if self.units <= source < 2 * self.units and source - self.units >= to:
                late = f"unit {source - self.units} is not there yet when unit {to} is updated"
                raise ValueError(f"wiring has {(to, source)}: {late}")

    @property
    def weights(self) -> int:
        """How many weights are learnt."""
        return len(self.wiring)

    def table(self, device: torch.device | str = "cpu") -> Tensor:
        """The wiring as int64 (P, 2): one tensor for all who ask, not to be changed."""
        return _table(self.wiring, torch.device(device))


@cache
def _table(wiring: tuple[tuple[int, int], ...], device: torch.device) -> Tensor:
    return torch.tensor(wiring, dtype=torch.int64, device=device)


def _ends(theta: Tensor, inputs: Tensor, lengths: Tensor, *others: Tensor | float) -> Tensor:
    return theta.new_empty(lengths.shape)


def _slopes(theta: Tensor, inputs: Tensor, lengths: Tensor, *others: Tensor | float) -> tuple[Tensor, Tensor]:
    return theta.new_empty(lengths.shape), theta.new_empty(3, *theta.shape)


def _wanted(theta: Tensor, ids: Tensor, inputs: Tensor, *others: Tensor | float) -> tuple[Tensor, Tensor]:
    return theta.new_empty(ids.shape), theta.new_empty(theta.shape)


ENDS = Op("small_net", reference.ends, _ends)
SLOPES = Op("small_net_slopes", reference.slopes, _slopes)
WANTED = Op("small_net_wanted", reference.wanted, _wanted)


def ends(net: Net, theta: Tensor, inputs: Tensor, lengths: Tensor, *, hard: bool = False) -> Tensor:
    """Outputs of tanh nets (hard: of sign nets) at the ends of S sequences each: (S, B).

    theta (P, B), inputs (S, T, C, B), finite even where a sequence has ended, lengths int64 (S, B) in 1 … T.
    Raises ValueError or TypeError.
    """
    _check(net, theta, inputs, lengths, 2)
    return ENDS(theta, inputs, lengths, net.table(theta.device), net.units, _entry(net), net.output, hard)


def slopes(
    net: Net,
    theta: Tensor,
    inputs: Tensor,
    lengths: Tensor,
    targets: Tensor,
    mu: Tensor,
    *,
    curvature: str = "gauss-newton",
) -> tuple[Tensor, Tensor]:
    """The end of one sequence each (B), and for each weight, (3, P, B), sums over its copies in time.

    They are Σ g = ∂C/∂θ, Σ h and Σ g / (|h| + μ), with g and h the first and second derivatives of
    C = (x_o(L) - d)² / 2 in a copy of the weight. inputs (T, C, B), lengths int64 (B), targets and mu (B); an
    infinite mu makes the third sum 0, and spares its divisions. curvature: "gauss-newton" (h >= 0) or "signed".
    Raises ValueError or TypeError. Source: [SLIDES94] on Newton's method; Becker & LeCun 1989 for h.
    """
    _check(net, theta, inputs, lengths, 1, targets=targets, mu=mu)
    if curvature not in CURVATURES:
        raise ValueError(f"curvature is {curvature!r}: one of {', '.join(CURVATURES)} is needed")
    if len(mu) and not (least := float(mu.min())) > 0:
        raise ValueError(f"mu is {least}: a positive number is needed, as h may be 0")
    numbers = (net.units, _entry(net), net.output, CURVATURES[curvature])
    return SLOPES(theta, inputs, lengths, targets, mu, net.table(theta.device), *numbers)


def wanted(
    net: Net,
    theta: Tensor,
    inputs: Tensor,
    lengths: Tensor,
    targets: Tensor,
    *,
    seed: int,
    ids: Tensor,
    shown: int,
    margin: float,
) -> tuple[Tensor, Tensor]:
    """Discrete error propagation through a net of sign units: ends (B) and the wanted Σ Δa z (P, B).

    Shapes as in `slopes`; targets are ±1. ids int64 (B); shown: number of the presentation; margin > 0: how far
    past 0 an activation is asked to go. Raises ValueError or TypeError. Source: [SLIDES94].
    """
    _check(net, theta, inputs, lengths, 1, targets=targets)
    if ids.dtype != torch.int64 or ids.shape != targets.shape or ids.device != theta.device:
        raise TypeError(
            f"ids is {ids.dtype} {tuple(ids.shape)} on {ids.device}: "
            f"int64 of {tuple(targets.shape)} on {theta.device} is needed"
        )
    if not 0 < margin < float("inf"):
        raise ValueError(f"margin is {margin}: a positive number is needed to get past the threshold")
    if not (targets.abs() == 1).all():
        raise ValueError("targets: a hard unit can only reach -1 and 1")
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed is {seed}: an integer in [0, 2**63) is needed")
    most = 2**32 // (len(inputs) * -(-net.units // 4))  # presentations that have addresses of their own
    if not 0 <= shown < most:
        raise ValueError(f"shown is {shown}: an integer in [0, {most}) is needed for {len(inputs)} steps")
    numbers = (seed, shown, net.units, _entry(net), net.output, margin)
    return WANTED(theta, ids, inputs, lengths, targets, net.table(theta.device), *numbers)


def face(theta: Tensor) -> str:
    """Which face serves such weights: "cpu.cpp" or "reference"."""
    return SLOPES.face(theta)[0]


def _entry(net: Net) -> int:
    return -1 if net.entry is None else net.entry


def _check(net: Net, theta: Tensor, inputs: Tensor, lengths: Tensor, axes: int, **per_run: Tensor) -> None:
    """axes: of lengths; per_run: further real tensors (B)."""
    if theta.ndim != 2 or len(theta) != net.weights or not theta.is_floating_point():
        raise ValueError(f"theta is {theta.dtype} {tuple(theta.shape)}: real ({net.weights}, runs) is needed")
    runs = theta.shape[1]
    if lengths.dtype != torch.int64 or lengths.ndim != axes or lengths.shape[-1] != runs:
        needed = f"({runs},)" if axes == 1 else f"(sequences, {runs})"
        raise TypeError(f"lengths is {lengths.dtype} {tuple(lengths.shape)}: int64 of {needed} is needed")
    steps = inputs.shape[-3] if inputs.ndim > 2 else 0
    shape = (*lengths.shape[:-1], steps, net.inputs, runs)
    if inputs.dtype != theta.dtype or inputs.shape != shape:
        needed = f"({', '.join(map(str, (*shape[:-3], 'steps', *shape[-2:])))})"
        raise TypeError(
            f"inputs is {inputs.dtype} {tuple(inputs.shape)}: {theta.dtype} of {needed} is needed, as theta has"
        )
    for name, value in {"inputs": inputs, "lengths": lengths, **per_run}.items():
        if value.device != theta.device:
            raise ValueError(f"{name} lies on {value.device}: {theta.device} is needed, as theta does")
    for name, value in per_run.items():
        if value.dtype != theta.dtype or value.shape != (runs,):
            raise TypeError(
                f"{name} is {value.dtype} {tuple(value.shape)}: {theta.dtype} of ({runs},) is needed"
            )
    if lengths.numel():
        least, most = (int(bound) for bound in lengths.aminmax())
        if least < 1 or most > steps:
            wrong = least if least < 1 else most
            raise ValueError(f"lengths has {wrong}: whole numbers in 1 … {steps} are needed")
