"""One memory cell between input and output: the first symbol told again p steps later, many trials side by side.

The net of experiments 2a and 2b: outputs see the inputs and one cell, the cell and its input gate see the inputs; there
is no output gate, h is the identity, g is logistic. As nothing but the cell's own state is carried from step to step,
the truncated gradient is the whole one. Weights change after each symbol that has an error. At first there are only the
weights from inputs to outputs; the cell is added when their error has stopped decreasing.
Source: Hochreiter & Schmidhuber 1997, section 5.2. When an error has stopped decreasing, and how often a net is tested,
they do not say; nor whether in experiment 2b each symbol has an error, where none but the last can be foretold.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from lltd.philox import Purpose, integers, uniform
from lltd.systems.batches import Settings

# Settings of a trial, as printed where they are printed; beside them lag p, order and budget.
COMMON: Settings = {
    "rate": 1.0,
    "span": 0.2,
    "errors": "all",  # of which symbols there are any
    "tolerance": 0.25,  # no output may be further off
    "fall": 0.1,  # the cell is added when 100 sequences' error is not less by this share than that of the 100 before
    "confirmed": 10_000,  # sequences in a row on which a net is tested
}
ORDERS = ("fixed", "random")  # of the symbols between: experiment 2a, experiment 2b
ERRORS = ("all", "last")
STRETCH = 100  # sequences from one test to the next


class Net(NamedTuple):
    """Weights of B trials, and whether there is a cell yet, bool (B).

    U (O, I, B) and v (O, B) lead to the outputs, from inputs and cell; w (2, I, B) to the cell and to its input gate.
    """

    U: Tensor
    v: Tensor
    w: Tensor
    has: Tensor


def weights(lag: int) -> int:
    """How many weights there are: p + 1 symbols, and a cell."""
    return (lag + 1) * (lag + 2) + 2 * (lag + 1)


def begin(seed: int, ids: Tensor, lag: int, span: float, dtype: torch.dtype = torch.float64) -> Net:
    """Weights uniform in ±span, and no cell."""
    many, size = lag + 1, weights(lag)
    steps = torch.arange(-(-size // 4), device=ids.device)[:, None]
    u = uniform(seed, ids, steps, Purpose.INITIAL, dtype).transpose(0, 1).flatten(0, 1)[:size]
    U, v, w = (span * (2 * u - 1)).split((many**2, many, 2 * many))
    has = torch.zeros_like(ids, dtype=torch.bool)
    return Net(U.unflatten(0, (many, many)), v, w.unflatten(0, (2, many)), has)


def sequences(
    seed: int, ids: Tensor, first: int, count: int, lag: int, order: str, purpose: Purpose = Purpose.TASK
) -> Tensor:
    """Sequences first … first + count - 1 of trials (B): numbers of symbols (count, p + 1, B), int64.

    Symbol p - 1 or p, x or y, comes first and last; between are 0, 1 … p - 2 in this order, or p - 1 of these at
    random.
    """
    blocks = -(-lag // 4)
    steps = first * blocks + torch.arange(count * blocks, device=ids.device)[:, None]
    limits = torch.full((4, blocks), lag - 1, device=ids.device)
    limits[0, 0] = 2  # the first word of a sequence is for its class
    words = integers(seed, ids, steps, purpose, limits.repeat(1, count)[..., None])
    drawn = words.transpose(0, 1).flatten(0, 1).unflatten(0, (count, -1))
    ends = lag - 1 + drawn[:, :1]
    between = drawn[:, 1:lag]
    if order == "fixed":
        between = torch.arange(lag - 1, device=ids.device)[:, None].expand_as(between)
    return torch.cat((ends, between, ends), 1)


def learn_all(net: Net, tape: Tensor, rate: float) -> tuple[Net, Tensor]:
    """The net after one sequence (p + 1, B) with an error for each symbol, and its squared errors in sum, (B)."""
    U, v, w, has = (part.clone() for part in net)
    s, total, by_w = torch.zeros_like(v[0]), torch.zeros_like(v[0]), torch.zeros_like(w)
    lanes = torch.arange(tape.shape[1])
    for now, after in pairwise(tape):
        f = torch.sigmoid(w[:, now, lanes])  # g and y_in
        let_in = f.prod(0)
        s = s + let_in
        by_w[:, now, lanes] += let_in * (1 - f)
        o = torch.sigmoid(U[:, now, lanes] + has * v * s)
        error = -o
        error[after, lanes] += 1
        total = total + (error**2).sum(0)
        e = rate * error * o * (1 - o)
        e_s = has * (v * e).sum(0)
        U[:, now, lanes] += e
        v += has * e * s
        w += e_s * by_w
    return Net(U, v, w, has), total


def learn_last(net: Net, tape: Tensor, rate: float) -> tuple[Net, Tensor]:
    """The net after one sequence (p + 1, B) with an error for the last symbol alone, and its squared errors, (B)."""
    U, v, w, has = (part.clone() for part in net)
    seen, lanes = tape[:-1].expand(2, -1, -1), torch.arange(tape.shape[1])
    f = torch.sigmoid(w.gather(1, seen))
    let_in = f.prod(0)  # (p, B)
    s = let_in.sum(0)
    o = torch.sigmoid(U[:, tape[-2], lanes] + has * v * s)
    error = -o
    error[tape[-1], lanes] += 1
    e = rate * error * o * (1 - o)
    e_s = has * (v * e).sum(0)
    U[:, tape[-2], lanes] += e
    v += has * e * s
    w.scatter_add_(1, seen, e_s * let_in * (1 - f))
    return Net(U, v, w, has), (error**2).sum(0)


def errors(net: Net, tapes: Tensor, latest: int) -> Tensor:
    """The largest error of any output at the `latest` symbols of sequences (S, p + 1): (S, latest), of one net."""
    U, v, w, has = (part[..., 0] for part in net)
    seen, after = tapes[:, :-1], tapes[:, -latest:]
    s = torch.sigmoid(w).prod(0)[seen].cumsum(1)[:, -latest:]
    o = torch.sigmoid(U.T[seen[:, -latest:]] + has * v * s[..., None])  # (S, latest, O)
    return (torch.nn.functional.one_hot(after, len(v)) - o).abs().amax(-1)


def learnt(seed: int, run: Tensor, net: Net, setting: Settings) -> bool:
    """Whether one trial's net, run int64 (1), is within the tolerance.

    Of a fixed order there are two sequences, which it must predict throughout; of a random one it must predict the
    ends, of `confirmed` new sequences in a row.
    """
    lag, tolerance = setting["lag"], setting["tolerance"]
    if setting["order"] == "fixed":
        middle = torch.arange(lag - 1)
        both = torch.stack([torch.cat((end, middle, end)) for end in torch.tensor([[lag - 1], [lag]])])
        return bool((errors(net, both, lag) < tolerance).all())
    for first in range(0, setting["confirmed"], STRETCH):
        count = min(STRETCH, setting["confirmed"] - first)
        tapes = sequences(seed, run, first, count, lag, "random", Purpose.TEST)[..., 0]
        if not (errors(net, tapes, 1) < tolerance).all():
            return False
    return True


def trials(
    seed: int, ids: Tensor, setting: Settings, dtype: torch.dtype = torch.float64
) -> dict[str, Tensor]:
    """Make the trials ids, int64 (B,), of one setting: each goes on until its net is within the tolerance, or is cut.

    Returns, of (B): sequences shown; met, whether it is; added, after how many sequences the cell was, or 0. Raises
    ValueError.
    """
    _check(setting)
    learn = learn_all if setting["errors"] == "all" else learn_last
    lag, order, done = setting["lag"], setting["order"], torch.zeros_like(ids, dtype=torch.bool)
    net, shown, added = (
        begin(seed, ids, lag, setting["span"], dtype),
        torch.zeros_like(ids),
        torch.zeros_like(ids),
    )
    before = torch.full(ids.shape, float("inf"), dtype=dtype)
    for first in range(0, setting["budget"], STRETCH):
        live = (~done).nonzero()[:, 0]
        if not len(live):
            break
        now, total = Net(*(part[..., live] for part in net)), torch.zeros(len(live), dtype=dtype)
        for tape in sequences(seed, ids[live], first, STRETCH, lag, order):
            now, squared = learn(now, tape, setting["rate"])
            total += squared
        stalled = ~now.has & ~(total < (1 - setting["fall"]) * before[live])
        before[live] = total
        shown[live] += STRETCH
        added[live] = torch.where(stalled, shown[live], added[live])
        now = now._replace(has=now.has | stalled)
        for part, later in zip(net, now, strict=True):
            part[..., live] = later
        for b in live[now.has].tolist():
            done[b] = learnt(seed, ids[b : b + 1], Net(*(part[..., b : b + 1] for part in net)), setting)
    return {"sequences": shown, "met": done, "added": added}


def _check(setting: Settings) -> None:
    """Raise ValueError, naming what is wrong."""
    for name, known in (("order", ORDERS), ("errors", ERRORS)):
        if setting[name] not in known:
            raise ValueError(f"{name} is {setting[name]!r}: one of {', '.join(known)} is needed")
    for name, least in (("lag", 2), ("budget", STRETCH), ("confirmed", 1)):
        if setting[name] < least:
            raise ValueError(f"{name} is {setting[name]}: {least} or more is needed")
    for name in ("rate", "span", "tolerance", "fall"):
        if not 0 < setting[name] < float("inf"):
            raise ValueError(f"{name} is {setting[name]}: a positive number is needed")
