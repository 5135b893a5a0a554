"""Chapter dilemma: [HBFS01] section 3, storing a bit and keeping its gradient; what noise each memory survives."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lltd.analysis import bit_memories, noise_survival, safe_levels
from lltd.analysis.error_flow import flow
from lltd.analysis.maps import orbit, tanh_net
from lltd.analysis.noise_survival import WAYS, Survived, Unit, survived
from lltd.claims import claim
from lltd.experiments import experiment, read
from lltd.figures import COLOURS
from lltd.philox import Purpose, normal
from lltd.record import Recipe
from lltd.rules import Count, Row, at_least, corrected, equation, proved, quoted, trend

STEPS = 1000
SIZES = [round(10 ** (k / 48 - 3), 6) for k in range(169)]  # 0.001 … 3.16, forty-eight to a decade
NAMES = tuple(
    unit.name for unit in bit_memories.KNOWN
)  # other chapters add theirs, and their own experiments


@experiment(
    "dilemma/survival",
    version=1,
    seed=2001,
    runs=len(NAMES) * 2 * 20_000,
    shard=len(NAMES) * 2 * 200,
    parameters={
        "common": {"steps": STEPS, "sizes": SIZES},
        "vary": {"unit": list(NAMES), "way": list(WAYS)},
    },
    flips=0.25,  # three of the units in sixteen are chaotic: rounding decides where their runs end
)
def survival(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """Which sizes of noise each memory survives for 1000 steps: one bit for each size, packed."""
    sizes = torch.tensor(SIZES, dtype=torch.float64, device=ids.device)
    right = torch.zeros(len(ids), len(SIZES), dtype=torch.bool)
    cells = torch.remainder(ids, len(recipe.cells)).cpu()
    for cell in cells.unique().tolist():
        setting, rows = recipe.cells[cell], cells == cell
        unit, runs = noise_survival.find(setting["unit"]), ids[rows.to(ids.device)]
        trials = torch.div(runs, len(recipe.cells), rounding_mode="floor")  # the same noise in every cell
        right[rows] = noise_survival.survives(
            unit, setting["way"], sizes, seed=recipe.seed, ids=trials, steps=setting["steps"]
        ).T.cpu()
    return {"right": np.packbits(right.numpy(), axis=1)}


@experiment(
    "dilemma/gradient",
    version=1,
    seed=2002,
    runs=len(NAMES) * 200,
    shard=len(NAMES) * 200,
    parameters={"common": {"steps": STEPS, "way": "state", "size": 0.01}, "vary": {"unit": list(NAMES)}},
    drift=0.1,  # decades a step: where a chaotic run goes, rounding decides
)
def gradient(recipe: Recipe, ids: Tensor) -> dict[str, np.ndarray]:
    """How fast the gradient of each memory fades or grows: log10 of the norm of da_T / da_0 per step."""
    rate = torch.zeros(len(ids), dtype=torch.float64)
    cells = torch.remainder(ids, len(recipe.cells)).cpu()
    for cell in cells.unique().tolist():
        setting, rows = recipe.cells[cell], cells == cell
        trials = torch.div(ids[rows.to(ids.device)], len(recipe.cells), rounding_mode="floor")
        logs = noise_survival.decades(
            noise_survival.find(setting["unit"]),
            *(setting["way"], setting["size"]),
            **{"seed": recipe.seed, "ids": trials, "steps": setting["steps"]},
        )
        rate[rows] = logs.cpu() / setting["steps"]
    return {"rate": rate.numpy().astype(np.float32)}


def share_right(unit: str, way: str) -> np.ndarray:
    """Of the runs on record of one unit and way, how many end right at each of SIZES; int (S,)."""
    record = read("dilemma/survival")
    cell = [(one["unit"], one["way"]) for one in record.recipe.cells].index((unit, way))
    return np.unpackbits(record.by_cell("right")[cell], axis=1, count=len(SIZES)).sum(axis=0, dtype=np.int64)


@dataclass(frozen=True)
class Point:
    """A memory's place in the figure: its gradient's rate, and the noise that it survives in each way."""

    unit: Unit
    rate: float  # median log10 |da_T / da_0| a step
    survived: dict[str, Survived]


@cache
def points() -> tuple[Point, ...]:
    """All units on record, in the order of the registry."""
    runs = read("dilemma/survival").recipe.runs // (len(NAMES) * len(WAYS))
    rates = np.median(read("dilemma/gradient").by_cell("rate"), axis=1)
    found = []
    for name, rate in zip(NAMES, rates.tolist(), strict=True):
        noise = {way: survived(np.array(SIZES), share_right(name, way), runs) for way in WAYS}
        found.append(Point(noise_survival.find(name), rate, noise))
    return tuple(found)


SKETCH = tanh_net(torch.tensor([[1.5, 0.7], [0.2, 0.9]], dtype=torch.float64), name="the sketch of Figure 1")
KICK = 0.15  # largest perturbation in the sketch
STARTS = {  # in the basin of the attractor on the right
    "dark, keeps": (2.2, 1.5),
    "pale, loses": (-0.1, 0.15),
    "pale, keeps": (2.5, 0.0),
    "dark, loses": (1.3, -2.0),
}


def kept(start: tuple[float, float], runs: int = 2000, steps: int = 60) -> Count:
    """How many runs of the sketch from a start in the right basin end in it again under kicks."""
    first = torch.tensor(start, dtype=torch.float64).expand(runs, 2)
    end = orbit(SKETCH, first, safe_levels.kicks(KICK, steps, runs))[-1]
    for _ in range(100):  # left to itself, each run comes to the attractor whose basin it is in
        end = SKETCH(end)
    return Count(int((end[:, 0] > 0).sum()), runs)


@claim("HBFS01.30")
def decay_is_needed() -> Iterable[Row]:
    """The bit is safe, the derivative of the state grows; what is locally constant is the bit."""
    return corrected(
        "what makes gradients decay is needed for robust storage",
        "the derivative of the decoded bit is 0 where trapping sets hold it; that of the state may be anything",
        "test_dilemma.py::test_a_ripple_gives_a_safe_latch_any_gradient",
    )


@claim("HBFS01.31")
def large_slopes_lose_the_bit() -> Iterable[Row]:
    """Every state of a basin has a level of noise that it survives; only the boundary has none."""
    test = "test_dilemma.py::test_states_of_slope_above_one_survive_noise"
    return corrected(
        "where |M'| > 1 however small perturbations lose the bit",
        "true on the basin's boundary; inside, each state has a level, which falls to 0 towards the boundary",
        test,
    )


@claim("HBFS01.32")
def small_slopes_keep_the_bit() -> Iterable[Row]:
    """The level is (1 - λ) d, for a fixed point and |M'| <= λ on the ball of radius d around it."""
    return proved(
        "level (1 - λ) d, on a ball of radius d around a fixed point",
        "test_dilemma.py::test_perturbations_up_to_the_level_stay_in_the_ball",
    )


@claim("HBFS01.33")
def any_system() -> Iterable[Row]:
    """A gate: the reduction to additive inputs is exact, but judges the map where the gate never is."""
    return corrected(
        "the argument covers any parameterised system",
        "it covers noise that is added to the state; a closed gate keeps a bit with derivative 1",
        "test_dilemma.py::test_a_closed_gate_keeps_a_bit_with_derivative_one",
    )


@claim("HBFS01.34")
def the_sketch() -> Iterable[Row]:
    """The two trajectories of Figure 1, as shares of 2000 draws each."""
    dark, pale = kept(STARTS["dark, keeps"]), kept(STARTS["pale, loses"])
    return (
        *at_least("from the dark part: share latched", 0.99, dark),
        *trend("share latched, from the dark part less from outside it", pale, dark),
    )


@claim("HBFS01.35")
def product_of_steps() -> Iterable[Row]:
    """The derivative of net(t) in net(s), of random tanh nets, by autograd and as a product."""
    cases, worst = product_errors()
    return equation("the product of W F'(τ), τ = s … t − 1, and autograd", cases, worst, 1e-12)


@claim("HBFS01.36")
def norms_below_one() -> Iterable[Row]:
    """Each factor below 1 is not enough; each at most λ < 1 is."""
    return corrected(
        "norms below 1 make the product vanish exponentially",
        "norms of at most one λ < 1 do, as λ^(t − s)",
        "test_dilemma.py::test_norms_below_one_do_not_make_a_product_vanish",
    )


@claim("BFS93.65")
def chaotic_attractors() -> Iterable[Row]:
    """The question is the paper's; the answer is the chapter's."""
    return (
        *quoted("is it the same with chaotic attractors?", "the open question of section V"),
        *proved(
            "ours: the state's gradient grows, the bit's is 0",
            "test_dilemma.py::test_the_decoded_bit_is_locally_constant",
        ),
    )


def product_errors(nets: int = 100, units: int = 6, steps: int = 12) -> tuple[int, float]:
    """Number of random tanh nets, and the worst relative error of the product of W F'(τ) against autograd."""
    W = normal(1, torch.arange(nets)[:, None], torch.arange(units**2), Purpose.INITIAL)[0]
    W = W.reshape(nets, units, units)
    start = normal(2, torch.arange(nets)[:, None], torch.arange(units), Purpose.INITIAL)[0]
    states = [start]
    for _ in range(steps):
        states.append((W @ torch.tanh(states[-1])[..., None])[..., 0])
    matrix, log = flow(W, (1 - torch.tanh(net) ** 2 for net in states[:-1]))
    product = matrix * log.exp()[:, None, None]

    def end(net: Tensor) -> Tensor:  # summed over nets, which do not meet
        for _ in range(steps):
            net = (W @ torch.tanh(net)[..., None])[..., 0]
        return net.sum(0)

    exact = torch.autograd.functional.jacobian(end, start).movedim(1, 0)  # (nets, units, units)
    error = (product - exact).abs().amax((1, 2)) / exact.abs().amax((1, 2))
    return nets, error.max().item()


EVERY = 10  # steps between two points of a path in the live figure


def live_data(found: tuple[Point, ...]) -> str:
    """What the live figure draws, as an element of HTML that holds JSON: the points, and runs that they open.

    Runs are what is read of two runs of either bit under the noise survived, and under three times as much, in
    hundredths of what is read at the start. "input" has runs only where they differ from those of "state".
    """
    units = []
    for point in found:
        paths = {way: _paths(point.unit, way, point.survived[way].size) for way in WAYS}
        if paths["input"] == paths["state"]:
            del paths["input"]
        noise = {way: {"size": round(one.size, 4)} for way, one in point.survived.items()}
        rate = round(point.rate, 3) if np.isfinite(point.rate) else None
        units.append(
            {"name": point.unit.name, "rate": rate, "trapped": point.unit.trapped, **noise, "paths": paths}
        )
    content = json.dumps({"every": EVERY, "units": units}, separators=(",", ":"))
    return f'<script type="application/json" class="dilemma-data">{content}</script>'


def _paths(unit: Unit, way: str, size: float) -> list[list[list[int]]]:
    sizes = max(size, SIZES[0]) * torch.tensor([1.0, 3.0], dtype=torch.float64)
    read = noise_survival.readings(unit, way, sizes, seed=1, ids=torch.arange(4), steps=STEPS)[::EVERY]
    return (100 * read / read[0].abs()).round().int().permute(1, 2, 0).tolist()


DOT = 8  # points of type across
FLOOR = 7e-4  # drawn here: survives not even the grid's least noise
NOWHERE = -1.78  # drawn here: a gradient that is zero at once
TITLES = {"state": "noise in the state", "input": "noise in the input"}
# Where a label stands from its point, in points of type; units that coincide share one.
EVERYWHERE: dict[str, tuple[str, int, int]] = {
    "flip-flop": ("flip-flop", 0, 13),
    "latch, w = 3": ("latch, w = 3", 0, -13),
    "latch, w = 2": ("w = 2", -9, -3),
    "latch, w = 1.5": ("w = 1.5", -9, -3),
    "latch, w = 1.25": ("w = 1.25", -9, -3),
    "latch, w = 1.1": ("w = 1.1", -9, -4),
    "leaky unit, 0.99": ("leaky 0.99: nothing", -9, 0),
    "leaky unit, 0.999": ("leaky 0.999", -9, 0),
    "rotor": ("rotor", 9, 1),
    "latch with a ripple of 0.02": ("latch beside integrator,\nlatch with a ripple of 0.02", -9, 21),
    "latch with a ripple of 0.05": ("ripple of 0.05", 0, -13),
    "chaotic bands": ("chaotic bands", 9, -1),
}
LABELS = {
    "state": {**EVERYWHERE, "integrator": ("integrator, orthogonal net,\ngated cells", -9, 4)},
    "input": {
        **EVERYWHERE,
        "integrator": ("integrator, orthogonal net", -9, -1),
        "latch with a ripple of 0.02": ("as above", 10, -7),
        "latch with a ripple of 0.05": ("ripple of 0.05", 0, 12),
        "gated cell, bias −3": ("gated cell, bias −3", -9, 2),
        "gated cell, bias −6": ("gated cell, bias −6", -9, 0),
    },
}


def draw_plane(found: tuple[Point, ...]) -> Figure:
    """Two panels, one for each way of the noise: what each unit survives, over the rate of its gradient."""
    figure, axes = plt.subplots(2, 1, figsize=(6.5, 8.4), sharex=True)
    for ax, way in zip(axes, WAYS, strict=True):
        ax.fill_between([-0.03, 0.7], 0.025, 4, color=COLOURS["orange"], alpha=0.15, lw=0)
        ax.text(0.68, 1.8, "empty, says\nthe dilemma", ha="right", va="center", fontsize=10)
        for point in found:
            _draw_point(ax, point, way)
        ax.set(yscale="log", ylim=(5e-4, 3), xlim=(-1.95, 0.7), ylabel="noise survived")
        ax.set_title(TITLES[way], loc="left", weight="bold")
    axes[0].text(-1.9, 1.5, "full: trapping sets hold the bit\nopen: nothing brings it back", va="center")
    axes[1].set_xlabel("rate of the gradient: decades a step")
    axes[1].set_xticks([NOWHERE, -1.5, -1, -0.5, 0, 0.5], ["zero\nat once", "−1.5", "−1", "−0.5", "0", "0.5"])
    return figure


def _draw_point(ax: Axes, point: Point, way: str) -> None:
    one, name = point.survived[way], point.unit.name
    x, y = max(point.rate, NOWHERE), max(one.size, FLOOR)
    colour = COLOURS[_colour(name)]
    ax.plot([x, x], [max(one.low, FLOOR), one.high], color=colour, lw=1.2)
    ax.plot(x, y, "o", color=colour, mfc=colour if point.unit.trapped else "white", ms=DOT, mew=1.6)
    if name in LABELS[way]:
        text, right, up = LABELS[way][name]
        side = "center" if abs(right) < 9 else "left" if right > 0 else "right"
        settings = {
            "textcoords": "offset points",
            "fontsize": 9.5,
            "ha": side,
            "va": "center",
        }
        ax.annotate(text, (x, y), (right, up), **settings)


def _colour(name: str) -> str:
    """The colour of a unit's family; black for units that other chapters add."""
    families = {
        "latch, w": "blue",
        "gated": "vermillion",
        "leaky": "grey",
        "rotor": "green",
        "latch with": "purple",
        "latch beside": "purple",
        "chaotic": "purple",
    }
    return next((colour for start, colour in families.items() if name.startswith(start)), "black")
