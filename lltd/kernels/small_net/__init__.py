"""Small recurrent nets of fixed wiring: their outputs, derivatives, and discrete errors sent back through them."""

from dataclasses import dataclass

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
        for to, source in self.wiring:
            if not 0 <= to < self.units or not 0 <= source <= 2 * self.units + self.inputs:
                raise ValueError(f"wiring has {(to, source)}: there is no such unit or source")
            if self.units <= source < 2 * self.units and source - self.units >= to:
                raise ValueError(
                    f"wiring has {(to, source)}: unit {source - self.units} comes after unit {to}"
                )

    @property
    def weights(self) -> int:
        """How many weights are learnt."""
        return len(self.wiring)

    def table(self, device: torch.device | str = "cpu") -> Tensor:
        """The wiring as int64 (P, 2)."""
        return torch.tensor(self.wiring, dtype=torch.int64, device=device).reshape(-1, 2)


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

    theta (P, B), inputs (S, T, C, B), lengths int64 (S, B) in 1 … T. Raises ValueError or TypeError.
    """
    _check(net, theta, inputs, lengths, 4)
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
    C = (x_o(L) - d)² / 2 in a copy of the weight. inputs (T, C, B), lengths int64 (B), targets and mu (B).
    curvature: "gauss-newton" (h >= 0) or "signed". Raises ValueError or TypeError.
    Source: [SLIDES94] on Newton's method; Becker & LeCun 1989 for h.
    """
    _check(net, theta, inputs, lengths, 3)
    if curvature not in CURVATURES:
        raise ValueError(f"curvature is {curvature!r}: one of {', '.join(CURVATURES)} is needed")
    if not (mu > 0).all():
        raise ValueError(f"mu is {float(mu.min())}: a positive number is needed, as h may be 0")
    wiring = net.table(theta.device)
    return SLOPES(
        *(
            theta,
            inputs,
            lengths,
            targets,
            mu,
            wiring,
            net.units,
            _entry(net),
            net.output,
            CURVATURES[curvature],
        )
    )


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
    _check(net, theta, inputs, lengths, 3)
    if not margin > 0:
        raise ValueError(f"margin is {margin}: a positive number is needed to get past the threshold")
    if not (targets.abs() == 1).all():
        raise ValueError("targets: a hard unit can only reach -1 and 1")
    wiring = net.table(theta.device)
    return WANTED(
        *(
            theta,
            ids,
            inputs,
            lengths,
            targets,
            wiring,
            seed,
            shown,
            net.units,
            _entry(net),
            net.output,
            margin,
        )
    )


def _entry(net: Net) -> int:
    return -1 if net.entry is None else net.entry


def _check(net: Net, theta: Tensor, inputs: Tensor, lengths: Tensor, axes: int) -> None:
    if theta.ndim != 2 or len(theta) != net.weights or not theta.is_floating_point():
        raise ValueError(f"theta is {theta.dtype} {tuple(theta.shape)}: real ({net.weights}, runs) is needed")
    shape = (*lengths.shape[:-1], "T", net.inputs, theta.shape[1])
    if (
        inputs.ndim != axes
        or tuple(inputs.shape[-2:]) != shape[-2:]
        or inputs.shape[:-3] != lengths.shape[:-1]
    ):
        raise ValueError(f"inputs has shape {tuple(inputs.shape)}: {shape} is needed")
    if inputs.dtype != theta.dtype or lengths.dtype != torch.int64:
        raise TypeError(
            f"inputs is {inputs.dtype} and lengths {lengths.dtype}: theta's type and int64 are needed"
        )
    if lengths.shape[-1] != theta.shape[1] or lengths.min() < 1 or lengths.max() > inputs.shape[-3]:
        raise ValueError(
            f"lengths has shape {tuple(lengths.shape)}: whole numbers in 1 … {inputs.shape[-3]} are needed"
        )
