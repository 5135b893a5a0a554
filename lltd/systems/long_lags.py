"""LSTM and a symbol to be kept among many that distract, until a trigger comes: many trials side by side.

Two blocks of one cell, no biases, two outputs, one error at a sequence's end: experiment 2c. The mathematics is that
of the kernel's reference; as inputs are symbols, the weights from them are looked up, and ∂s/∂w is summed at the end.
Source: Hochreiter & Schmidhuber 1997, section 5.2. How often a net is tested they do not say.
"""

import torch
from torch import Tensor

from lltd.kernels import lstm96 as kernel
from lltd.kernels.lstm96 import Topology
from lltd.kernels.lstm96.reference import h
from lltd.philox import Purpose, block
from lltd.systems.batches import Settings

# Settings of a trial, as printed where they are printed; beside them lag q, distractors p and budget.
COMMON: Settings = {
    "rate": 0.01,
    "span": 0.2,
    "tolerance": 0.2,  # neither output may be further off
    "every": 500,  # sequences from one test to the next: not printed
    "confirmed": 10_000,  # sequences in a row on which a net is tested
}
MOST = 160  # symbols beyond q before the trigger: of 2 · 10^7 sequences one would have more
BLOCKS, CELLS, OUTPUTS = 2, 1, 2
UNITS = BLOCKS * (2 + CELLS)


def net(distractors: int) -> Topology:
    """The net; its gates have biases, which stay 0."""
    return Topology(
        BLOCKS, CELLS, cell_bias=False, output_bias=False, inputs=distractors + 4, outputs=OUTPUTS
    )


def wiring(distractors: int) -> Tensor:
    """Which of the P numbers of theta are weights, bool (P)."""
    chosen = net(distractors)
    kept = chosen.wiring().clone()
    chosen.layers(kept[:, None])[0][:, -1] = False
    return kept


def sequences(
    seed: int,
    ids: Tensor,
    first: int,
    count: int,
    lag: int,
    distractors: int,
    purpose: Purpose = Purpose.TASK,
) -> tuple[Tensor, Tensor]:
    """Sequences first … first + count - 1 of trials (B): numbers of symbols (count, T, B), and classes (count, B).

    b, then x or y, the class, then q distractors, and more as long as a number drawn is below 9/10, then e, the
    trigger; they are aligned at their ends, and before the begin stands -1. Symbols 0 … p - 1 are distractors, then
    come e, b, x and y.
    """
    longest = lag + MOST + 3
    blocks = 1 + -(-(lag + 2 * MOST) // 4)
    steps = first * blocks + torch.arange(count * blocks, device=ids.device)[:, None]
    words = block(seed, ids, steps, purpose).transpose(0, 1).flatten(0, 1).unflatten(0, (count, -1))
    classes = words[:, 0] & 1
    goes_on = words[:, 4 : 4 + MOST] < 2**32 * 9 // 10
    more = goes_on.long().cumprod(1).sum(1)  # (count, B)
    drawn = (words[:, 4 + MOST :][:, : lag + MOST] * distractors) >> 32
    e, b, x = distractors, distractors + 1, distractors + 2
    left = torch.arange(longest - 1, -1, -1, device=ids.device)[:, None]  # steps still to come
    place = (lag + more + 2)[:, None] - left  # of each row in its sequence, 0 the first
    symbols = drawn.gather(1, (place - 2).clamp(0, lag + MOST - 1))
    symbols = torch.where(left == 0, e, symbols)
    symbols = torch.where(place == 1, x + classes[:, None], torch.where(place == 0, b, symbols))
    return torch.where(place < 0, -1, symbols), classes


def answer(theta: Tensor, symbols: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """What sequences (T, B) ask the weights to change, (P, B) per unit of the rate, and target - output, (2, B)."""
    sources = len(theta) - OUTPUTS * (BLOCKS * CELLS + 1)
    W, V = theta[:sources].unflatten(0, (UNITS, -1)), theta[sources:].unflatten(0, (OUTPUTS, -1))
    lanes, begun = torch.arange(theta.shape[1]), symbols >= 0
    first = int(begun.any(1).nonzero()[0])
    symbols, begun = symbols[first:], begun[first:]
    shown = UNITS + symbols.clamp(min=0)
    told = W[:, shown, lanes].transpose(0, 1)  # (T, H, B): what the inputs add to the net inputs
    y, s = W.new_zeros(UNITS, len(lanes)), W.new_zeros(BLOCKS, len(lanes))
    seen, active = [], []
    for heard, runs in zip(told, begun, strict=True):
        seen.append(y)
        f = torch.sigmoid((W[:, :UNITS] * y).sum(1) + heard).unflatten(0, (BLOCKS, -1))
        y_in, y_out = (f[:, :2] * runs).unbind(1)
        g_c = 4 * f[:, 2] - 2
        active.append(torch.stack((y_in, g_c), 1))
        s = s + y_in * g_c
        y = torch.stack((y_in, y_out, y_out * h(s)), 1).flatten(0, 1)
    y_in, g_c = torch.stack(active).unbind(2)  # (T, J, B)
    slopes = torch.stack((g_c * y_in * (1 - y_in), y_in * (4 - g_c**2) / 4), 2)
    y_c, squashed = y[2::3], h(s)
    o = torch.sigmoid((V[:, :-1] * y_c).sum(1))
    error = torch.nn.functional.one_hot(classes, OUTPUTS).T - o
    e = error * o * (1 - o)
    back = (V[:, :-1] * e[:, None]).sum(0)
    e_s, e_out = y_out * (1 - squashed**2) / 2 * back, y_out * (1 - y_out) * squashed * back
    change = torch.zeros_like(W).unflatten(0, (BLOCKS, -1))
    steps = slopes * e_s[:, None]  # (T, J, 2, B), of the input gates and of the cells
    change[:, [0, 2], :UNITS] = torch.einsum("tjkb,tmb->jkmb", steps, torch.stack(seen))
    change[:, 0].scatter_add_(1, shown.expand(BLOCKS, -1, -1), steps[:, :, 0].transpose(0, 1).contiguous())
    change[:, 2].scatter_add_(1, shown.expand(BLOCKS, -1, -1), steps[:, :, 1].transpose(0, 1).contiguous())
    change[:, 1, :UNITS] = e_out[:, None] * seen[-1]
    change[:, 1].scatter_add_(1, shown[-1].expand(BLOCKS, 1, -1), e_out[:, None])
    by_V = e[:, None] * torch.cat((y_c, torch.zeros_like(y_c[:1])))
    return torch.cat((change.flatten(0, 2), by_V.flatten(0, 1))), error


def learnt(seed: int, run: Tensor, theta: Tensor, setting: Settings) -> bool:
    """Whether one trial's net, run int64 (1) and theta (P, 1), has `confirmed` new sequences in a row right."""
    first, count = 0, 20  # most nets fail on these few
    while first < setting["confirmed"]:
        count = min(count, setting["confirmed"] - first)
        sizes = setting["lag"], setting["distractors"]
        symbols, classes = sequences(seed, run, first, count, *sizes, Purpose.TEST)
        _, error = answer(theta.expand(-1, count), symbols[..., 0].T, classes[:, 0])
        if not (error.abs() < setting["tolerance"]).all():
            return False
        first, count = first + count, 1000
    return True


def trials(
    seed: int, ids: Tensor, setting: Settings, dtype: torch.dtype = torch.float64
) -> dict[str, Tensor]:
    """Make the trials ids, int64 (B,), of one setting: each goes on until its net is within the tolerance, or is cut.

    Returns, of (B): sequences shown; met, whether it is. Raises ValueError.
    """
    _check(setting)
    kept = wiring(setting["distractors"])[:, None]
    theta = kernel.initial(
        net(setting["distractors"]), seed, ids, span=setting["span"], input_gate_bias=None, dtype=dtype
    )
    theta, met, shown = theta * kept, torch.zeros_like(ids, dtype=torch.bool), torch.zeros_like(ids)
    for first in range(0, setting["budget"], setting["every"]):
        live = (~met).nonzero()[:, 0]
        if not len(live):
            break
        now = theta[:, live]
        for begin in range(first, first + setting["every"], 50):  # drawn together
            drawn = sequences(seed, ids[live], begin, 50, setting["lag"], setting["distractors"])
            for symbols, classes in zip(*drawn, strict=True):
                change, _ = answer(now, symbols, classes)
                now = now + setting["rate"] * kept * change
        theta[:, live] = now
        shown[live] += setting["every"]
        for b in live.tolist():
            met[b] = learnt(seed, ids[b : b + 1], theta[:, b : b + 1], setting)
    return {"sequences": shown, "met": met}


def _check(setting: Settings) -> None:
    """Raise ValueError, naming what is wrong."""
    for name in ("lag", "distractors", "budget", "every", "confirmed"):
        if setting[name] < 1:
            raise ValueError(f"{name} is {setting[name]}: 1 or more is needed")
    if setting["every"] % 50 or setting["budget"] % setting["every"]:
        raise ValueError(
            f"every is {setting['every']} and budget {setting['budget']}: "
            "a multiple of 50, and a multiple of that, are needed"
        )
    for name in ("rate", "span", "tolerance"):
        if not 0 < setting[name] < float("inf"):
            raise ValueError(f"{name} is {setting[name]}: a positive number is needed")
