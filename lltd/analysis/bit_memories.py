"""The memories of one bit that the analysis knows: what `noise_survival` measures, each as a unit of its registry.

Units with an additive input take noise in the state and in the input alike; gates and thresholds do not. Chapters on
other architectures register theirs.
"""

import math

import torch
from torch import Tensor

from lltd.analysis.counterexamples import chaotic_bands
from lltd.analysis.latch import fixed_point
from lltd.analysis.noise_survival import Unit, register
from lltd.philox import Purpose, normal
from lltd.systems import flip_flop, memory_units
from lltd.systems.memory_units import MemoryUnit


def first(a: Tensor, t: int) -> Tensor:
    """Read the first coordinate, whatever the time."""
    return a[..., 0]


def scalar(name: str, unit: MemoryUnit, rest: float, *, trapped: bool) -> Unit:
    """A unit of one state with additive input, its bit the sign; the bits' states are ± rest."""
    return Unit(
        name,
        ((-rest,), (rest,)),
        step=lambda a, u: memory_units.step(unit, a, u),
        derivative=lambda a, u: unit.slope(a)[..., None],
        read=first,
        inputs=1,
        trapped=trapped,
    )


def orthogonal(name: str, size: int, seed: int) -> Unit:
    """A linear net a_t = Q a_{t-1} + u_t with an orthogonal Q; the bit is ± a pattern, read where Q has taken it."""
    z = normal(seed, 0, torch.arange(-(-size * size // 4)), Purpose.INITIAL).flatten()[: size * size]
    Q = torch.linalg.qr(z.reshape(size, size))[0]
    pattern = torch.ones(size, dtype=torch.float64)

    def read(a: Tensor, t: int) -> Tensor:
        return a @ (torch.linalg.matrix_power(Q, t) @ pattern / size).to(a)

    return Unit(
        name,
        (tuple((-pattern).tolist()), tuple(pattern.tolist())),
        step=lambda a, u: a @ Q.T.to(a) + u,
        derivative=lambda a, u: Q.to(a).expand(*a.shape, size),
        read=read,
        inputs=size,
        trapped=False,
    )


TURN = 2 * math.pi / ((1 + math.sqrt(5)) / 2)  # the golden angle: no number of turns closes


def rotor(name: str) -> Unit:
    """M(a) = 2 R a / (1 + |a|²) in the plane, R a turn: the radius is drawn to 1, the phase is free and is the bit."""
    turn = torch.tensor([[math.cos(TURN), -math.sin(TURN)], [math.sin(TURN), math.cos(TURN)]]).double()

    def step(a: Tensor, u: Tensor) -> Tensor:
        return 2 * (a @ turn.T.to(a)) / (1 + a.square().sum(-1, keepdim=True)) + u

    def derivative(a: Tensor, u: Tensor) -> Tensor:
        size = 1 + a.square().sum(-1)[..., None, None]
        turned = a @ turn.T.to(a)
        return 2 * turn.to(a) / size - 4 * turned[..., :, None] * a[..., None, :] / size**2

    def read(a: Tensor, t: int) -> Tensor:
        return a[..., 0] * math.cos(t * TURN) + a[..., 1] * math.sin(t * TURN)

    return Unit(name, ((-1.0, 0.0), (1.0, 0.0)), step, derivative, read, inputs=2, trapped=False)


def beside(name: str, weight: float) -> Unit:
    """A latch and an integrator that never meet; the bit is in the latch, the integrator holds nothing."""
    rest = fixed_point(weight)

    def step(a: Tensor, u: Tensor) -> Tensor:
        return torch.stack((weight * torch.tanh(a[..., 0]), a[..., 1]), -1) + u

    def derivative(a: Tensor, u: Tensor) -> Tensor:
        slope = weight / torch.cosh(a[..., 0]) ** 2
        return torch.diag_embed(torch.stack((slope, torch.ones_like(slope)), -1))

    start = ((-rest, 0.0), (rest, 0.0))
    return Unit(name, start, step, derivative, first, inputs=2, trapped=True)


def gated(name: str, bias: float) -> Unit:
    """x_t = x_{t-1} + logistic(bias + v_t) u_t: the noise comes as u_t and, at the gate itself, as v_t."""
    return Unit(
        name,
        ((-1.0,), (1.0,)),
        step=lambda a, u: a + torch.sigmoid(bias + u[..., 1:]) * u[..., :1],
        derivative=lambda a, u: torch.ones_like(a)[..., None],
        read=first,
        inputs=2,
        trapped=False,
    )


def flip_flop_unit(name: str) -> Unit:
    """The flip-flop of [BFS93] eq. 8; its derivative is 0 wherever it has one."""
    return Unit(
        name,
        ((-1.0,), (1.0,)),
        step=flip_flop.step,
        derivative=lambda a, u: torch.zeros_like(a)[..., None],
        read=first,
        inputs=1,
        trapped=True,
    )


RIPPLE = 100.0  # waves of the rippled latch, in radians per unit of its state


def rippled(name: str, weight: float, depth: float) -> Unit:
    """M(x) = w tanh x + depth sin(100 x): near the latch everywhere, but with slopes up to 100 times the depth."""
    latch = memory_units.latch(weight)
    M = MemoryUnit(
        name,
        lambda x: latch.M(x) + depth * torch.sin(RIPPLE * x),
        lambda x: latch.slope(x) + depth * RIPPLE * torch.cos(RIPPLE * x),
    )
    return scalar(name, M, fixed_point(weight), trapped=True)


KNOWN = (
    flip_flop_unit("flip-flop"),
    *(
        scalar(f"latch, w = {w:g}", memory_units.latch(w), fixed_point(w), trapped=True)
        for w in (3, 2, 1.5, 1.25, 1.1)
    ),
    scalar("leaky unit, 0.99", memory_units.leaky(0.99), 1.0, trapped=False),
    scalar("leaky unit, 0.999", memory_units.leaky(0.999), 1.0, trapped=False),
    scalar("integrator", memory_units.integrator(), 1.0, trapped=False),
    orthogonal("orthogonal net", 4, seed=1),
    rotor("rotor"),
    gated("gated cell, bias −3", -3.0),
    gated("gated cell, bias −6", -6.0),
    beside("latch beside integrator", 2.0),
    rippled("latch with a ripple of 0.02", 2.0, 0.02),
    rippled("latch with a ripple of 0.05", 2.0, 0.05),
    scalar("chaotic bands", MemoryUnit("bands", chaotic_bands.step, chaotic_bands.slope), 1.6, trapped=True),
)
for one in KNOWN:
    register(one)
