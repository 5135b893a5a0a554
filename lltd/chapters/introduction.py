"""The introduction: one gradient computed in three ways, and three lights for each of four memories."""

import math
from typing import NamedTuple

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lltd import rules
from lltd.analysis.requirements import Lights, lights
from lltd.claims import claim
from lltd.figures import COLOURS
from lltd.philox import Purpose, integers, normal
from lltd.rules import Row
from lltd.systems import memory_units, recurrent_net
from lltd.systems.memory_units import MemoryUnit, gated, integrator, latch, leaky, noisy_tape
from lltd.systems.recurrent_net import LOGISTIC, TANH, Transfer

SEED = 1996

# Gradients: how many random nets, and how far two ways of computing the same number may differ.
NETS = 40
TOLERANCE = 1e-10
ROUNDING = 1e-12  # what lies below differs from machine to machine, and is reported as this

# Memories: the tape and the units.
STEPS = 100  # T: far beyond the leaky unit's memory, near enough to be drawn
NOISE = 0.2  # standard deviation; the s of [BFS93] Fig. 2b
DRAWS = 4000
LEAK = 0.9  # within the .75 to .95 that Mozer 1992 tuned by hand
WEIGHT = 2.0  # the latch that [BFS93] draws in Fig. 3
GATE_BIAS = -3.0  # where [HS96] section 3 starts the first input gate
UNITS = (leaky(LEAK), integrator(), latch(WEIGHT), gated(GATE_BIAS))


class Case(NamedTuple):
    """A random net, inputs and targets for two sequences: the arguments of `recurrent_net.bptt`, in order."""

    W: Tensor
    start: Tensor
    inputs: Tensor
    targets: Tensor
    transfer: Transfer


def random_case(number: int) -> Case:
    """Case `number`: 1 to 8 units, 0 to 3 inputs, 1 to 20 steps, a target at about a third of the places."""
    sizes = integers(SEED, number, 0, Purpose.TASK, torch.tensor([8, 20, 4, 1])).tolist()
    units, steps, inputs = sizes[0] + 1, sizes[1] + 1, sizes[2]
    width = 2 * units + inputs
    places = torch.arange((steps + 1) * 2 * width).reshape(steps + 1, 2, width)
    start, targets, tape = normal(SEED, number, places, Purpose.NOISE)[0].split(
        (units, units, inputs), dim=-1
    )
    targets = torch.where(
        targets.abs() < 0.43, targets, torch.nan
    )  # a normal number is this small 1 in 3 times
    W = recurrent_net.init(SEED, number, units, inputs, gain=1.5)
    return Case(W, start[0], tape[1:], targets[1:], (TANH, LOGISTIC)[number % 2])


class Differences(NamedTuple):
    """Largest differences over the random nets, each between two computations of the same numbers."""

    delta: float  # the delta recursion, and autograd's dE / dnet
    copies: float  # delta_j(t) z_l(t), and static back-propagation in a net with its own weights at each step
    bptt: float  # back-propagation through time, and autograd
    rtrl: float  # real-time recurrent learning, and back-propagation through time


def differences(nets: int = NETS) -> Differences:
    """Compare, on random nets, what the chapter says is equal."""
    found = [_differences(random_case(number)) for number in range(nets)]
    return Differences(*(max(column) for column in zip(*found, strict=True)))


def _differences(case: Case) -> tuple[float, ...]:
    W, start, inputs, targets, transfer = case
    activations = recurrent_net.unfold(W, start, inputs, transfer)
    e = recurrent_net.error_slopes(activations[1:], targets)
    delta = recurrent_net.deltas(W, activations, e, transfer)
    contributions = torch.einsum("tbj,tbl->tjl", delta, recurrent_net.sources(activations, inputs))
    bptt = recurrent_net.bptt(*case)
    free = W.clone().requires_grad_()
    error = recurrent_net.error(recurrent_net.unfold(free, start, inputs, transfer), targets)
    by_net, by_copy = static_gradients(case)
    pairs = (
        (delta, by_net),
        (contributions, by_copy),
        (bptt, *torch.autograd.grad(error, free)),
        (recurrent_net.rtrl(*case), bptt),
    )
    return tuple((one - other).abs().max().item() for one, other in pairs)


def static_gradients(case: Case) -> tuple[Tensor, Tensor]:
    """Static back-propagation, by autograd, in a net of T layers with a copy of W each.

    Returns dE / dnet_j(t), shape (T, ..., n), and dE / dw_jl of the copy at t, shape (T, n, n + m).
    """
    copies = case.W.repeat(len(case.inputs), 1, 1).requires_grad_()
    layers, nets = [case.start], []
    for copy, u in zip(copies, case.inputs, strict=True):
        nets.append(torch.cat((layers[-1], u), dim=-1) @ copy.T)
        layers.append(case.transfer.f(nets[-1]))
    error = recurrent_net.error(torch.stack(layers), case.targets)
    *by_net, by_copy = torch.autograd.grad(error, [*nets, copies])
    return torch.stack(by_net), by_copy


def cost(units: int, inputs: int) -> tuple[int, int]:
    """Multiplications in the matrix products of one step of one sequence: (BPTT, RTRL)."""
    weights = units * (units + inputs)
    return 2 * weights + units**2, weights * (1 + units + units**2)


def tapes(draws: int = DRAWS, steps: int = STEPS, noise: float = NOISE) -> Tensor:
    """Noisy tapes (steps, draws); even draws carry the bit +1, odd ones -1."""
    ids = torch.arange(draws)
    return noisy_tape(1.0 - 2.0 * (ids % 2), steps, noise, SEED, ids)


@claim("HBFS01.5")
def settle_delta() -> tuple[Row, ...]:
    """Settle the recursion of the back-propagated error."""
    return rules.equation(
        "delta_j against autograd's dE/dnet_j", NETS, max(differences().delta, ROUNDING), TOLERANCE
    )


@claim("HBFS01.6")
def settle_step() -> tuple[Row, ...]:
    """Record the net input and the activation."""
    return rules.adopted("a step", "test_introduction.py::test_a_step_is_its_sums_written_out")


@claim("HBFS01.7")
def settle_contribution() -> tuple[Row, ...]:
    """Settle the contribution of one step to one weight's gradient, and the sign of the update made of it."""
    size = rules.equation("size of the contribution", NETS, max(differences().copies, ROUNDING), TOLERANCE)
    instead = "with delta = dE/dnet the update that lowers E is −eta delta_j a_l"
    return size + rules.corrected(
        "sign of the update", instead, "test_introduction.py::test_the_printed_update_climbs_the_error"
    )


@claim("SLIDES94.1")
def settle_unfolding() -> tuple[Row, ...]:
    """Record back-propagation through time as static back-propagation in the unfolded net."""
    return rules.adopted("unfolding", "test_introduction.py::test_bptt_is_static_in_the_unfolded_net")


@claim("SLIDES94.2")
def settle_forward() -> tuple[Row, ...]:
    """Settle that the forward gradient costs more, and that it looks at the present step only."""
    return (
        *rules.proved("RTRL costs more for n > 1", "test_introduction.py::test_rtrl_costs_more_than_bptt"),
        *rules.proved("local in time", "test_introduction.py::test_rtrl_goes_on_from_where_it_stopped"),
    )


def draw_memories() -> Figure:
    """One row a unit: its states for both bits, where the draws end, and its three lights; above, the tape.

    Lines: the same noise after either bit, of a few tapes. Bands: the middle 90 % of the draws of each bit.
    """
    tape = tapes()
    figure, axes = plt.subplots(
        len(UNITS) + 1, 3, figsize=(6.5, 7.2), width_ratios=(4, 0.7, 3.1), height_ratios=(0.8, 1, 1, 1, 1)
    )
    _draw_tape(axes[0, 0], tape[:, 0])
    _draw_heads(axes[0, 2])
    axes[0, 1].axis("off")
    axes[0, 1].text(0.5, 0.25, "$x_T$", ha="center", transform=axes[0, 1].transAxes)
    for row, unit in zip(axes[1:], UNITS, strict=True):
        states = memory_units.run(unit, tape)
        _draw_states(row[0], unit, tape[:, :SHOWN], states)
        _draw_ends(row[1], row[0], states[-1])
        _draw_lights(row[2], lights(unit, tape))
    for ax in axes[:-1, 0]:
        ax.tick_params(labelbottom=False)
    axes[-1, 0].set_xlabel("time step $t$")
    return figure


SIDES = ((0, COLOURS["vermillion"], "+1"), (1, COLOURS["blue"], "−1"))  # even draws carry +1, odd ones -1
SHOWN = 3  # tapes drawn as lines, the first in bold
SPAN = (-2, STEPS + 2)
EQUATIONS = {
    "leaky unit": f"$x_t = {LEAK:g}\\,x_{{t-1}} + u_t$",
    "integrator": "$x_t = x_{t-1} + u_t$",
    "latch": f"$x_t = {WEIGHT:g}\\,\\tanh x_{{t-1}} + u_t$",
    "gated unit": "$x_t = x_{t-1} + g_t u_t$",
}


def _draw_tape(ax: Axes, tape: Tensor) -> None:
    ax.plot(range(2, len(tape) + 1), tape[1:], color=COLOURS["grey"], linewidth=1)
    for (_, colour, name), bit in zip(SIDES, (1, -1), strict=True):
        ax.plot([1], [bit], "o", color=colour)
        ax.text(4, bit, name, color=colour, va="center", fontsize=10)
    ax.set(ylabel="$u_t$", xlim=SPAN, ylim=(-1.5, 1.5))
    ax.set_title("the tape: one bit, then noise", loc="left")


def _draw_states(ax: Axes, unit: MemoryUnit, noise: Tensor, states: Tensor) -> None:
    time = range(1, len(states) + 1)
    for (first, colour, _), bit in zip(SIDES, (1.0, -1.0), strict=True):
        low, high = states[:, first::2].quantile(torch.tensor([0.05, 0.95], dtype=states.dtype), dim=1)
        ax.fill_between(time, low, high, color=colour, alpha=0.22, linewidth=0)
        same = noise.clone()
        same[0] = bit
        lines = memory_units.run(unit, same)
        ax.plot(time, lines[:, 0], color=colour, linewidth=1.5)
        ax.plot(time, lines[:, 1:], color=colour, linewidth=0.7, alpha=0.6)
    top = 1.1 * states.abs().quantile(0.999, dim=1).max().item()
    ax.set(ylabel="$x_t$", xlim=SPAN, ylim=(-top, top))
    ax.set_title(f"{unit.name}   {EQUATIONS[unit.name]}", loc="left")


def _draw_ends(ax: Axes, beside: Axes, ends: Tensor) -> None:
    low, high = beside.get_ylim()
    for first, colour, _ in SIDES:
        kept = {"bins": 40, "range": (low, high), "histtype": "stepfilled", "orientation": "horizontal"}
        ax.hist(ends[first::2], color=colour, alpha=0.55, **kept)
    ax.set(ylim=(low, high))
    ax.axis("off")


def _draw_heads(ax: Axes) -> None:
    for column, head in enumerate(("stores", "resists", "gradient")):
        ax.text(column, -0.6, head, ha="center", fontsize=11)
    ax.set(xlim=(-0.6, 2.6), ylim=(-1.2, 1.2))
    ax.axis("off")


def _draw_lights(ax: Axes, found: Lights) -> None:
    lit = (found.stores, found.resists, found.learns)
    numbers = (
        _power(found.margin),
        f"{100 * found.right / found.draws:.3g} %",
        _power(10**found.decades),
    )
    for column, (on, number) in enumerate(zip(lit, numbers, strict=True)):
        if on:
            ax.scatter([column], [0.35], s=900, color=COLOURS["green"], alpha=0.2, linewidths=0)
        face = COLOURS["green"] if on else "white"
        ax.scatter([column], [0.35], s=380, color=face, edgecolors="#555555", linewidths=1.2)
        ax.text(column, -0.85, number, ha="center", va="center", fontsize=10)
    ax.set(xlim=(-0.6, 2.6), ylim=(-1.2, 1.2))
    ax.axis("off")


def _power(value: float) -> str:
    """A number in one decimal place, or as a power of ten when it is under a hundredth."""
    return f"{value:.1f}" if value >= 0.01 else f"$10^{{{math.log10(value):.0f}}}$"
