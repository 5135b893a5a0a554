"""Nets near the LSTM of 1996: its whole gradient instead of the truncated one, gates that are missing, a forget gate.

What is cut off from the gradient is said in one place, `unfold`, where activations of the step before are detached or
not; autograd does the rest. Sources: [HS96] section 2; Gers, Schmidhuber & Cummins 2000 for the forget gate.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from lltd.kernels import lstm96 as kernel
from lltd.kernels.lstm96 import Task, Topology
from lltd.kernels.lstm96.reference import g, h
from lltd.philox import Purpose, uniform
from lltd.systems import stopping
from lltd.systems.batches import Settings
from lltd.systems.lstm96 import LEARNT

MISSING = {
    "no input gate": (0,),
    "no output gate": (1,),
    "no gates": (0, 1),
}  # places of the gates in a block
UNFOLDED = {"full gradient": (False, False), "truncated": (True, False), "forget gate": (True, True)}
VARIANTS = ("as in 1996", *MISSING, *UNFOLDED)
TOGETHER = 50  # sequences that are drawn together
# Settings of a trial beside those it must name. The output is linear, with which learning is fastest.
COMMON: Settings = {
    "output": "linear",
    "rate": 0.5,
    "span": 0.1,
    "input_gate_bias": (-3.0, -6.0),
    "output_gate_bias": None,
    "forget_bias": 1.0,  # of the forget gates, or one for each trial, (B,)
}

Stretch = Callable[[Tensor, int], tuple[Tensor, Tensor]]


def unfold(
    W: Tensor,
    V: Tensor,
    inputs: Tensor,
    lengths: Tensor,
    blocks: int,
    cells: int,
    *,
    truncated: bool = True,
    forget: bool = False,
) -> Tensor:
    """Net inputs of the outputs, (O, B), after sequences (T, I, B) that are aligned at their ends.

    W (H, F, B), V (O, J C + 1, B): as in reference.py. truncated: activations of the step before send no errors back,
    so that these only go on inside the cells. forget: each block has a third gate, behind the other two, by which its
    states are multiplied: s = y_forget s + y_in g.
    """
    units, trials = W.shape[0], W.shape[2]
    y, s = W.new_zeros(units, trials), W.new_zeros(blocks, cells, trials)
    for left, x in zip(range(len(inputs), 0, -1), inputs, strict=True):
        seen = torch.cat((y.detach() if truncated else y, x, torch.ones_like(x[:1])))
        net = (W * seen).sum(1).unflatten(0, (blocks, -1))  # (J, 2 + C, B), or 3 + C
        gates, net_c = torch.sigmoid(net[:, :-cells]), net[:, -cells:]
        kept = gates[:, 2:3] * s if forget else s
        state = kept + gates[:, :1] * g(net_c)
        now = torch.cat((gates, gates[:, 1:2] * h(state)), 1).flatten(0, 1)
        s, y = (torch.where(left <= lengths, value, 0) for value in (state, now))
    y_c = y.unflatten(0, (blocks, -1))[:, -cells:].flatten(0, 1)
    return (V[:, :-1] * y_c).sum(1) + V[:, -1]


def gradient(
    theta: Tensor,
    net: Topology,
    shown: kernel.tasks.Sequences,
    *,
    truncated: bool = True,
    forget: bool = False,
) -> tuple[Tensor, Tensor]:
    """Of each trial's cost Σ (d - o)² / 2 the gradient, (P, B), and the errors d - o, (O, B).

    theta: (P, B), of a net with forget gates if `forget`. Raises ValueError for a net without its slope: that is the
    gradient of another cost.
    """
    if not net.slope:
        raise ValueError("net has no slope: its errors are not those of a squared cost")
    units = net.blocks * (2 + forget + net.cells)
    theta = theta.detach().requires_grad_()
    W, V = _layers(theta, units, net)
    inputs = shown.inputs[len(shown.inputs) - int(shown.lengths.max()) :]
    options = {"truncated": truncated, "forget": forget}
    o = unfold(W, V, inputs, shown.lengths, net.blocks, net.cells, **options)
    error = shown.targets - (o if net.output == "linear" else torch.sigmoid(o))
    (slopes,) = torch.autograd.grad((error**2).sum() / 2, theta)
    return slopes, error.detach()


def begin(
    seed: int, ids: Tensor, net: Topology, setting: Settings, dtype: torch.dtype = torch.float64
) -> Tensor:
    """Weights of a variant to begin with, (P, B): those of 1996, but 0 in gates that are missing, or with new gates.

    A gate without weights stays half open. Weights of forget gates are drawn like others, their biases are the
    setting's forget_bias.
    """
    biases = {name: setting[name] for name in ("span", "input_gate_bias", "output_gate_bias")}
    theta = kernel.initial(net, seed, ids, **biases, dtype=dtype)
    if setting["variant"] in MISSING:
        return theta * _kept(net, setting["variant"])[:, None]
    if setting["variant"] != "forget gate":
        return theta
    W, V = net.layers(theta)
    units, sources = net.blocks * (3 + net.cells), W.shape[1] + net.blocks
    steps = torch.arange(-(-units * sources // 4))[:, None] + 2**20  # beyond the addresses of the others
    u = uniform(seed, ids, steps, Purpose.INITIAL, dtype).transpose(0, 1).flatten(0, 1)
    wide = setting["span"] * (2 * u[: units * sources] - 1).unflatten(0, (units, sources))
    new = torch.arange(net.blocks) * (3 + net.cells) + 2
    old = torch.ones(units, dtype=torch.bool)
    old[new] = False
    seen = torch.cat((old, torch.ones(net.inputs + 1, dtype=torch.bool)))
    wide[old.nonzero(), seen.nonzero()[:, 0]] = W
    wide[new, -1] = torch.as_tensor(setting["forget_bias"], dtype=dtype)
    return torch.cat((wide.flatten(0, 1), V.flatten(0, 1)))


def trials(
    seed: int, ids: Tensor, setting: Settings, dtype: torch.dtype = torch.float64
) -> dict[str, Tensor]:
    """Make the trials ids, int64 (B,), of one setting, all for its whole budget.

    setting: see COMMON; beside it variant, length, budget, and stretch, of which the budget is a multiple. Returns
    sequences (B), how many until the mean squared error of 2000 was below 0.01, or the budget; met (B), whether it
    was; and curve (B, budget / stretch), the mean squared error of each stretch, nan after divergence. Raises
    ValueError.
    """
    if setting["variant"] not in VARIANTS:
        raise ValueError(f"variant is {setting['variant']!r}: one of {', '.join(VARIANTS)} is needed")
    if setting["stretch"] < 1 or setting["stretch"] % TOGETHER:
        raise ValueError(f"stretch is {setting['stretch']}: a multiple of {TOGETHER} is needed")
    if setting["budget"] < 1 or setting["budget"] % setting["stretch"]:
        raise ValueError(f"budget is {setting['budget']}: a multiple of {setting['stretch']} is needed")
    net, task = Topology(output=setting["output"]), Task("adding", setting["length"])
    theta = begin(seed, ids, net, setting, dtype)
    learn = _compiled if setting["variant"] not in UNFOLDED else _unfolded
    stretch = learn(seed, ids, net, task, setting)
    watch = stopping.begin((LEARNT,), len(ids))
    learnt, curve = torch.zeros_like(ids), []
    for first in range(0, setting["budget"], setting["stretch"]):
        theta, errors = stretch(theta, first)
        curve.append(errors.double().square().mean(0))
        # What has diverged has errors that are too large for ever.
        watch, seen = stopping.look(watch, errors.nan_to_num(nan=1e9), (LEARNT,), 1.0)
        learnt = torch.where((learnt == 0) & (seen.met[0] > 0), first + seen.met[0], learnt)
    met = learnt > 0
    return {
        "sequences": torch.where(met, learnt, setting["budget"]),
        "met": met,
        "curve": torch.stack(curve, 1),
    }


def _compiled(seed: int, ids: Tensor, net: Topology, task: Task, setting: Settings) -> Stretch:
    """Stretches of learning by the kernel, where gates that are missing learn nothing."""
    kept = _kept(net, setting["variant"])
    numbers = (net.blocks, net.cells, kernel.OUTPUTS[net.output], net.slope, kernel.TASKS[task.name])
    last = (*numbers, task.length, task.variant, int(Purpose.TASK))
    count = torch.full_like(ids, setting["stretch"])

    def stretch(theta: Tensor, first: int) -> tuple[Tensor, Tensor]:
        rates = setting["rate"] * kept.to(theta.dtype)
        return kernel.TRAIN(
            seed, ids, theta, torch.full_like(ids, first), count, rates, setting["stretch"], *last
        )

    return stretch


def _unfolded(seed: int, ids: Tensor, net: Topology, task: Task, setting: Settings) -> Stretch:
    """Stretches of learning by autograd."""
    truncated, forget = UNFOLDED[setting["variant"]]

    def stretch(theta: Tensor, first: int) -> tuple[Tensor, Tensor]:
        errors = []
        for begin in range(first, first + setting["stretch"], TOGETHER):
            numbers = (begin + torch.arange(TOGETHER)).repeat_interleave(len(ids))
            drawn = kernel.sequences(task, seed, ids.repeat(TOGETHER), numbers, dtype=theta.dtype)
            for parts in zip(*(part.split(len(ids), -1) for part in drawn), strict=True):
                shown = kernel.tasks.Sequences(*parts)
                slopes, error = gradient(theta, net, shown, truncated=truncated, forget=forget)
                theta = theta - setting["rate"] * slopes
                errors.append(error.abs().amax(0))
        return theta, torch.stack(errors)

    return stretch


def _kept(net: Topology, variant: str) -> Tensor:
    """Which of the P numbers of theta are weights, bool (P): none to or from gates that are missing."""
    kept = net.wiring().clone()
    W, _ = net.layers(kept[:, None])
    for place in MISSING.get(variant, ()):
        W[place :: 2 + net.cells] = False
        W[:, place : net.units : 2 + net.cells] = False
    return kept


def _layers(theta: Tensor, units: int, net: Topology) -> tuple[Tensor, Tensor]:
    """Views of theta (P, B) as W (H, F, B) and V (O, J C + 1, B), for any number of hidden units."""
    sources, seen = units + net.inputs + 1, net.blocks * net.cells + 1
    W, V = theta.split((units * sources, net.outputs * seen))
    return W.unflatten(0, (units, sources)), V.unflatten(0, (net.outputs, seen))
