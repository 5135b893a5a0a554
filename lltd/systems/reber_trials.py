"""The LSTM of 1996 where every step has an error: next symbols of the embedded Reber grammar, many trials side by side.

The mathematics is that of the kernel's reference, with as few operations of torch as can be; weights change after each
symbol, or after each string with the sum of its changes. Source: Hochreiter & Schmidhuber 1997, section 5.1. How often
a net is tested they do not say.
"""

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lltd import reber
from lltd.kernels import lstm96 as kernel
from lltd.kernels.lstm96 import Topology, reference
from lltd.kernels.lstm96.reference import h
from lltd.philox import Purpose, integers
from lltd.systems.batches import Settings

UPDATES = ("symbol", "string")
FEW = 8  # strings that a net is tested on first: most nets fail there
# Settings of a trial, as printed where they are printed; beside them blocks, cells, rate, output_gate_bias and budget.
COMMON: Settings = {
    "span": 0.2,
    "update": "symbol",  # after what weights change: not printed
    "every": 200,  # strings from one test to the next: not printed
    "size": 256,  # strings of each set
    "pairs": 3,  # of sets, which trials take in turn
}


def net(setting: Settings) -> Topology:
    """The net of a setting: seven symbols in and out, biases at the gates alone. Raises ValueError."""
    sizes = {"inputs": len(reber.SYMBOLS), "outputs": len(reber.SYMBOLS)}
    return Topology(setting["blocks"], setting["cells"], cell_bias=False, output_bias=False, **sizes)


def trials(
    seed: int, ids: Tensor, setting: Settings, dtype: torch.dtype = torch.float64
) -> dict[str, Tensor]:
    """Make the trials ids, int64 (B,), of one setting: each goes on until it has learnt both sets, or is cut.

    The setting's rate may be one for each trial, (B,): nets of one size learn side by side whatever their rate.
    Learnt: after every symbol of every string, outputs of all symbols that may follow are above those of all others.
    Returns, of (B): sequences, how many strings were shown; met, whether it has learnt. Raises ValueError.
    """
    _check(setting)
    chosen, every = net(setting), setting["every"]
    rates = torch.as_tensor(setting["rate"], dtype=dtype).expand(len(ids))
    biases = {"input_gate_bias": None, "output_gate_bias": setting["output_gate_bias"]}
    theta = kernel.initial(chosen, seed, ids, span=setting["span"], **biases, dtype=dtype)
    pairs = [reber.sets(seed, owner, setting["size"]) for owner in range(setting["pairs"])]
    sequences, met = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
    for shown in range(0, setting["budget"], every):
        live = (~met & theta.isfinite().all(0)).nonzero()[:, 0]
        if not len(live):
            break
        owners = (ids[live] % setting["pairs"]).tolist()
        tape = _tape(seed, ids[live], [pairs[owner][0] for owner in owners], shown, every)
        theta[:, live] = _learn(chosen, theta[:, live], rates[live], tape, setting["update"])
        sequences[live] += every
        tests = [[*pairs[owner][1], *pairs[owner][0]] for owner in owners]
        may = _predict(chosen, theta[:, live], [strings[:FEW] for strings in tests])
        for n in may.nonzero()[:, 0].tolist():
            b = live[n]
            met[b] = _predict(
                chosen, theta[:, b : b + 1].expand(-1, len(tests[n])), [[one] for one in tests[n]]
            ).all()
    return {"sequences": sequences, "met": met}


def _tape(
    seed: int, ids: Tensor, sets: list[list[Tensor]], first: int, count: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What trials are shown in a stretch of strings, one after the other: four tensors (steps, B).

    Symbols, those that follow, whether a string begins, and whether there still is one. String n of a trial is drawn
    from its set by its address.
    """
    steps = first // 4 + torch.arange(-(-count // 4), device=ids.device)
    picks = integers(seed, ids, steps[:, None], Purpose.SEARCH, len(sets[0]))
    columns = []
    for own, strings in zip(picks.transpose(0, 1).flatten(0, 1)[:count].T, sets, strict=True):
        rows = pad_sequence(strings, batch_first=True)[own]
        place = torch.arange(rows.shape[1] - 1).expand(count, -1)
        inside = place < torch.tensor([len(string) - 1 for string in strings])[own, None]
        shown = (rows[:, :-1], rows[:, 1:], place == 0, inside)
        columns.append(torch.stack([part[inside].long() for part in shown], 1))
    before, after, begins, there = pad_sequence(columns).unbind(2)
    return before, after, begins.bool(), there.bool()


def _learn(chosen: Topology, theta: Tensor, rates: Tensor, tape: tuple[Tensor, ...], update: str) -> Tensor:
    """Weights (P, B) after a stretch of strings, at rates (B)."""
    blocks, cells = chosen.blocks, chosen.cells
    theta, wired = theta.clone(), rates * chosen.wiring()[:, None].to(theta)
    # Changes are added to `summed`; where weights change after each symbol, that is theta itself.
    summed = theta if update == "symbol" else torch.zeros_like(theta)
    (W, V), (rate_W, rate_V), (sum_W, sum_V) = (chosen.layers(part) for part in (theta, wired, summed))
    codes = torch.eye(len(reber.SYMBOLS), dtype=theta.dtype)
    y, s, by_cell, by_gate = reference.begin(W, blocks, cells)
    for before, after, begins, there in zip(*tape, strict=True):
        if update == "string":
            theta += begins * summed
            summed *= ~begins
        y, s, by_cell, by_gate = (part * ~begins for part in (y, s, by_cell, by_gate))
        seen = torch.cat((y, codes[:, before], codes.new_ones(1, len(rates))))
        f, s = _step(W, s, seen)
        y_in, y_out, q = f[:, :1], f[:, 1:2], f[:, 2:]
        g_c = 4 * q - 2
        by_gate = by_gate + (g_c * y_in * (1 - y_in))[:, :, None] * seen
        by_cell = by_cell + (4 * y_in * q * (1 - q))[:, :, None] * seen
        squashed = h(s)
        y_c = y_out * squashed
        y = torch.cat((f[:, :2], y_c), 1).flatten(0, 1)
        o = torch.sigmoid((V[:, :-1] * y_c.flatten(0, 1)).sum(1))
        e = (codes[:, after] - o) * o * (1 - o) * there
        back = (V[:, :-1] * e[:, None]).sum(0).unflatten(0, (blocks, cells))
        e_out = y_out * (1 - y_out) * (squashed * back).sum(1, keepdim=True)
        e_s = (y_out * (1 - squashed**2) / 2 * back)[:, :, None]
        by_in, by_out = (e_s * by_gate).sum(1, keepdim=True), e_out[:, :, None] * seen
        sum_W += rate_W * torch.cat((by_in, by_out, e_s * by_cell), 1).flatten(0, 1)
        sum_V[:, :-1] += rate_V[:, :-1] * e[:, None] * y_c.flatten(0, 1)
    return theta if update == "symbol" else theta + summed


def _predict(chosen: Topology, theta: Tensor, strings: list[list[Tensor]]) -> Tensor:
    """Which of these nets, (P, B), predict all strings of their own: bool (B). Each has as many."""
    many = len(strings[0])
    rows = pad_sequence([string for own in strings for string in own], batch_first=True)  # (B S, T)
    may, lengths = reber.following(rows), torch.tensor([len(string) for own in strings for string in own])
    W, V = chosen.layers(theta.repeat_interleave(many, 1))
    y, s, *_ = reference.begin(W, chosen.blocks, chosen.cells)
    codes, right = (
        torch.eye(len(reber.SYMBOLS), dtype=theta.dtype),
        torch.ones_like(lengths, dtype=torch.bool),
    )
    for t in range(rows.shape[1] - 1):
        f, s = _step(W, s, torch.cat((y, codes[:, rows[:, t]], codes.new_ones(1, len(rows)))))
        y_c = f[:, 1:2] * h(s)
        y = torch.cat((f[:, :2], y_c), 1).flatten(0, 1)
        o = (V[:, :-1] * y_c.flatten(0, 1)).sum(1).T  # (B S, 7), in the order of the outputs
        infinity = torch.full_like(o, torch.inf)
        least, most = torch.where(may[:, t], o, infinity), torch.where(may[:, t], -infinity, o)
        right &= (least.amin(1) > most.amax(1)) | (t >= lengths - 1)
    return right.unflatten(0, (-1, many)).all(1)


def _step(W: Tensor, s: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Of all units f(net), block by block, (J, 2 + C, B), and the states after a step."""
    f = torch.sigmoid((W * seen).sum(1)).unflatten(0, (len(s), -1))
    return f, s + f[:, :1] * (4 * f[:, 2:] - 2)


def _check(setting: Settings) -> None:
    """Raise ValueError, naming what is wrong."""
    if setting["update"] not in UPDATES:
        raise ValueError(f"update is {setting['update']!r}: one of {', '.join(UPDATES)} is needed")
    for name in ("budget", "every", "size", "pairs"):
        if setting[name] < 1:
            raise ValueError(f"{name} is {setting[name]}: a whole number, 1 or more, is needed")
    if setting["every"] % 4 or setting["budget"] % setting["every"]:
        raise ValueError(
            f"every is {setting['every']} and budget {setting['budget']}: "
            "a multiple of 4, and a multiple of that, are needed"
        )
    rates = torch.as_tensor(setting["rate"])
    if not ((rates > 0) & rates.isfinite()).all():
        raise ValueError(f"rate is {setting['rate']}: positive numbers are needed")
