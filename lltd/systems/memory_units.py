"""Four one-state memories, all of the form x_t = M(x_{t-1}) + g_t u_t.

M is the map that carries the state from step to step (the additive form of [BFS93] eq. 2), u_t the input and
g_t the share of it that a gate lets in. Only the gated unit has a gate; for the others g_t = 1 throughout.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lltd.philox import Purpose, normal


@dataclass(frozen=True)
class MemoryUnit:
    """A map M, its slope M' and what the gate lets in after the first step (1: there is no gate)."""

    name: str
    M: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    gate: float = 1.0


def linear(weight: float, name: str = "linear unit") -> MemoryUnit:
    """M(x) = w x: leaky for |w| < 1 (Mozer 1992), an integrator for w = 1."""
    return MemoryUnit(name, lambda x: weight * x, lambda x: torch.full_like(x, weight))


def leaky(weight: float) -> MemoryUnit:
    """M(x) = w x with 0 <= weight < 1, else ValueError: a fixed share of the state is lost each step."""
    if not 0 <= weight < 1:
        raise ValueError(f"weight is {weight}: a leaky unit needs 0 <= weight < 1")
    return linear(weight, "leaky unit")


def integrator() -> MemoryUnit:
    """M(x) = x: the running sum of all inputs."""
    return linear(1.0, "integrator")


def latch(weight: float) -> MemoryUnit:
    """M(x) = w tanh x, [BFS93] eq. 1, with two attractors; weight > 1 or ValueError."""
    if not weight > 1:
        raise ValueError(f"weight is {weight}: tanh has two attractors only for weight > 1")
    return MemoryUnit("latch", lambda x: weight * torch.tanh(x), lambda x: weight / torch.cosh(x) ** 2)


def gated(bias: float) -> MemoryUnit:
    """M(x) = x behind a gate that is open (1) at the first step and logistic(bias) afterwards.

    The linear state with self-weight 1 and the multiplicative input gate of [HS96] section 2; there the gate
    is a unit that learns when to close, here it is set by hand.
    """
    return MemoryUnit("gated unit", lambda x: x, torch.ones_like, gate=1 / (1 + math.exp(-bias)))


def step(unit: MemoryUnit, x: Tensor, u: Tensor, gate: float = 1.0) -> Tensor:
    """Next state M(x) + g u; x and u of one shape."""
    return unit.M(x) + gate * u


def run(unit: MemoryUnit, tape: Tensor) -> Tensor:
    """States x_1 … x_T, shape (T, ...), from x_0 = 0 on a tape u_1 … u_T of the same shape."""
    states = [step(unit, torch.zeros_like(tape[0]), tape[0])]
    for u in tape[1:]:
        states.append(step(unit, states[-1], u, unit.gate))
    return torch.stack(states)


def gradient_decades(unit: MemoryUnit, states: Tensor) -> Tensor:
    """log10 |dx_T / du_1| for each run of states (T, ...): the sum of log10 |M'(x_t)| over t = 1 … T-1.

    A sum of logarithms, because the product itself leaves float64 after some hundreds of steps.
    """
    return unit.slope(states[:-1]).abs().log10().sum(dim=0)


def noisy_tape(bits: Tensor, steps: int, noise: float, seed: int, ids: Tensor) -> Tensor:
    """Inputs (steps, draws): a bit of +1 or -1 first, then Gaussian noise of standard deviation `noise`.

    bits, ids: (draws,); a draw's noise depends on its id alone. The 2-sequence problem of [HS96] section 1,
    with N = 1. Raises ValueError for other bits, fewer than one step or negative noise.
    """
    if not torch.all(bits.abs() == 1):
        raise ValueError(f"bits holds {bits[bits.abs() != 1][0].item()}: +1 and -1 are allowed")
    if steps < 1:
        raise ValueError(f"steps is {steps}: a tape has at least one step")
    if not noise >= 0:
        raise ValueError(f"noise is {noise}: a standard deviation is not negative")
    blocks = torch.arange(-(-steps // 4))  # one block of randomness serves four steps
    z = normal(seed, ids, blocks[:, None], Purpose.NOISE)
    tape = noise * z.transpose(0, 1).flatten(0, 1)[:steps]
    tape[0] = bits
    return tape
