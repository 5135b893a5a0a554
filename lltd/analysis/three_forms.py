"""The factor of an error in its three printed forms, against three ways that know nothing of them.

Recursion, path sum and matrix form ([HBFS01] section 2) are compared with the product of Jacobians, with automatic
differentiation of the net, and with a complex step: the imaginary part that an imaginary push of 1e-30 comes out with.
"""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from lltd.analysis import error_flow, random_nets
from lltd.philox import Purpose, integers, normal

SEED = 2001
TOLERANCE = 1e-11  # of a factor computed in two ways, relative to the largest of its net


class Case(NamedTuple):
    """A random net that rests in no state in particular, its net inputs at time s, and the inputs until time t."""

    W: Tensor  # (n, n)
    net: Tensor  # (n,), at time s
    inputs: Tensor  # (q, n), at the times s + 1 … t


def random_case(number: int) -> Case:
    """Case `number`: 2 to 4 units, lags 2 to 6."""
    n, q = (integers(SEED, number, 0, Purpose.TASK, torch.tensor([3, 5, 1, 1]))[:2] + 2).tolist()
    W = normal(SEED, number, torch.arange(n * n), Purpose.INITIAL)[0].reshape(n, n)
    net, *inputs = normal(SEED, number, torch.arange((q + 1) * n), Purpose.NOISE)[0].reshape(q + 1, n)
    return Case(4 * W, net, torch.stack(inputs))


def onward(W: Tensor, net: Tensor, inputs: Tensor) -> list[Tensor]:
    """net(s), net(s + 1) … net(t), of real or complex numbers."""
    nets = [net]
    for u in inputs:
        nets.append(W @ (1 / (1 + torch.exp(-nets[-1]))) + u)
    return nets


def slopes(case: Case) -> Tensor:
    """f'(net(tau)) at the times s … t - 1, (q, n)."""
    return torch.stack([random_nets.logistic_slope(net) for net in onward(*case)[:-1]])


def six_ways(case: Case) -> dict[str, Tensor]:
    """All factors (n, n) of a case, [k, v], computed in six ways."""
    W, net, inputs = case
    n, units = len(W), range(len(W))
    found = slopes(case)
    matrix, log = error_flow.flow(W, found)
    tiny = 1e-30j * torch.eye(n, dtype=W.dtype)
    return {
        "recursion": torch.stack([error_flow.recursion(W, found, k) for k in units]),
        "paths": torch.stack(
            [torch.stack([error_flow.paths(W, found, k, v).sum() for v in units]) for k in units]
        ),
        "matrix form": torch.stack(
            [torch.stack([error_flow.matrix_form(W, found, k, v) for v in units]) for k in units]
        ),
        "product": matrix * log.exp(),
        "autograd": torch.autograd.functional.jacobian(lambda x: onward(W, x, inputs)[-1], net),
        "complex step": torch.stack([onward(W + 0j, net + e, inputs)[-1].imag / 1e-30 for e in tiny], 1),
    }


@cache
def differences(cases: int = 100) -> tuple[float, float, float]:
    """Largest distances from autograd of: the recursion; the path sum; the matrix forms and the complex step."""
    worst = torch.zeros(3, dtype=torch.float64)
    for number in range(cases):
        ways = six_ways(random_case(number))
        exact = ways["autograd"]
        away = {name: (way - exact).abs().max() / exact.abs().max() for name, way in ways.items()}
        forms = torch.stack([away["matrix form"], away["product"], away["complex step"]]).max()
        worst = torch.maximum(worst, torch.stack([away["recursion"], away["paths"], forms]))
    return tuple(worst.tolist())
