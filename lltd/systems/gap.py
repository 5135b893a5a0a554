"""The gap task: the first symbol of a sequence comes back after `gap` others, and a recurrent net predicts the next.

The two sequences are X and Y, each followed by A B C … K, with the first symbol once more after `gap` of them: for gap
4, XABCDXEFGHIJK and YABCDYEFGHIJK. What is hard is the one symbol that hangs on the first. n hidden units h(t) = tanh(W
(h(t-1), x(t), 1)) and an output for each symbol, logistic or softmax, learn by back-propagation through time, with one
step after each epoch of both sequences. Source: Mozer 1992, known here at second hand: printed are the task, 10 units,
25 replications, 10,000 epochs and what came of them; output units, rate, initial weights and criterion are ours.

Letters: B nets, S = 2 sequences, T = 12 predictions, K = 13 symbols, F = n + K + 1 sources; W (B, n, F) and V (B, K,
n + 1).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from lltd.philox import Purpose, uniform
from lltd.systems.batches import Settings, alike, each

LETTERS = 11  # A … K
SYMBOLS = LETTERS + 2  # X, Y, A … K
OUTPUTS = ("logistic", "softmax")
CRITERIA = (
    "largest",
    0.5,
    0.2,
)  # the right output is always the largest; or all outputs are so near their targets
LOOK = 100  # epochs after which nets that are done leave: no outcome depends on it


def sequences(gap: int) -> Tensor:
    """Both sequences as numbers of symbols, X = 0, Y = 1, A = 2 …: int64 (2, 13). Raises ValueError."""
    if not 1 <= gap <= LETTERS:
        raise ValueError(f"gap is {gap}: 1 … {LETTERS} symbols are needed")
    letters = torch.arange(2, SYMBOLS)
    return torch.stack(
        [torch.cat((mark, letters[:gap], mark, letters[gap:])) for mark in torch.arange(2)[:, None]]
    )


def initial(seed: int, ids: Tensor, hidden: int, spread: Tensor | float) -> tuple[Tensor, Tensor]:
    """W (B, n, F) and V (B, K, n + 1), uniform in ±spread, a number or (B,). ids: int64 (B,)."""
    sizes = (hidden * (hidden + SYMBOLS + 1), SYMBOLS * (hidden + 1))
    u = uniform(seed, ids[:, None], torch.arange(-(-sum(sizes) // 4), device=ids.device), Purpose.INITIAL)
    spread = torch.as_tensor(spread, dtype=u.dtype).expand(len(ids))[:, None]
    W, V = (spread * (2 * u.permute(1, 2, 0).flatten(1)[:, : sum(sizes)] - 1)).split(sizes, 1)
    return W.unflatten(1, (hidden, -1)).contiguous(), V.unflatten(1, (SYMBOLS, -1)).contiguous()


def sources(gaps: Sequence[int], hidden: int) -> tuple[Tensor, Tensor]:
    """For nets with such gaps what they see, (B, T + 1, S, F), the hidden units left 0, and next symbols (B, T, S)."""
    shown = torch.stack([sequences(gap) for gap in gaps]).mT  # (B, 13, S)
    seen = torch.zeros(*shown.shape, hidden + SYMBOLS + 1, dtype=torch.float64)
    seen.scatter_(-1, hidden + shown[..., None], 1.0)
    seen[..., -1] = 1.0
    return seen, shown[:, 1:].contiguous()


def epoch(
    W: Tensor, V: Tensor, seen: Tensor, following: Tensor, softmax: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradient of the error of both sequences in W and V, and which of CRITERIA hold, bool (B, C).

    softmax: the error is -log of the right output, instead of half the sum of squared errors of logistic outputs.
    seen and following: of `sources`; the hidden units in seen are overwritten.
    """
    hidden, steps = W.shape[1], following.shape[1]
    seen[:, 0, :, :hidden] = 0
    for t in range(steps):
        seen[:, t + 1, :, :hidden] = torch.tanh(torch.bmm(seen[:, t], W.mT))
    h = seen[:, 1:, :, :hidden]
    ahead = torch.cat((h, torch.ones_like(h[..., :1])), -1).flatten(1, 2)  # (B, T S, n + 1)
    net = torch.bmm(ahead, V.mT).unflatten(1, following.shape[1:])
    wanted = torch.zeros_like(net).scatter_(-1, following[..., None], 1.0)
    y = torch.softmax(net, -1) if softmax else (1 + torch.tanh(net / 2)) / 2
    e = ((y - wanted) * (1 if softmax else y * (1 - y))).flatten(1, 2)
    by_V = torch.bmm(e.mT, ahead)
    into = torch.bmm(e, V[..., :-1]).view_as(h)
    delta, carried = torch.empty_like(h), torch.zeros_like(h[:, 0])
    back = W[..., :hidden].contiguous()
    for t in range(steps - 1, -1, -1):
        delta[:, t] = (into[:, t] + carried) * (1 - h[:, t] ** 2)
        carried = torch.bmm(delta[:, t], back)
    by_W = torch.bmm(delta.flatten(1, 2).mT, seen[:, :-1].flatten(1, 2))
    largest, worst = (net.argmax(-1) == following).flatten(1).all(1), (y - wanted).abs().flatten(1).amax(1)
    return by_W, by_V, torch.stack([largest, *(worst < limit for limit in CRITERIA[1:])], 1)


def epochs_to_success(seed: int, ids: Tensor, settings: Sequence[Settings]) -> Tensor:
    """With which epoch each run first meets each of CRITERIA in both sequences, int64 (B, C), 0 if with none.

    settings: of each run gap, hidden, output ("logistic" or "softmax"), rate, spread (initial weights are uniform in
    ±spread) and epochs. Raises ValueError.
    """
    if len(settings) != len(ids):
        raise ValueError(f"settings has {len(settings)} entries: one for each of {len(ids)} runs is needed")
    for setting in settings:
        _check(setting)
    found = torch.zeros(len(ids), len(CRITERIA), dtype=torch.int64)
    for rows in alike(settings, ("gap", "rate", "spread")):
        found[rows] = _epochs(seed, ids[rows], [settings[row] for row in rows])
    return found


@torch.inference_mode()
def _epochs(seed: int, ids: Tensor, settings: list[Settings]) -> Tensor:
    own, (rate, spread) = settings[0], (each(settings, name) for name in ("rate", "spread"))
    found, waiting = torch.zeros(len(ids), len(CRITERIA), dtype=torch.int64), torch.arange(len(ids))
    W, V = initial(seed, ids, own["hidden"], spread)
    seen, following = sources([setting["gap"] for setting in settings], own["hidden"])
    rate = rate[:, None, None]
    for number in range(1, own["epochs"] + 1):
        by_W, by_V, right = epoch(W, V, seen, following, own["output"] == "softmax")
        W, V = W - rate * by_W, V - rate * by_V
        found[waiting] = torch.where(right & (found[waiting] == 0), number, found[waiting])
        going = (found[waiting] == 0).any(1)
        if number % LOOK == 0 and not going.all():
            if not going.any():
                break
            waiting = waiting[going]
            W, V, rate, seen, following = (part[going] for part in (W, V, rate, seen, following))
    return found


def _check(setting: Settings) -> None:
    sequences(setting["gap"])
    if setting["output"] not in OUTPUTS:
        raise ValueError(f"output is {setting['output']!r}: one of {', '.join(OUTPUTS)} is needed")
    for name in ("hidden", "epochs"):
        if setting[name] < 1:
            raise ValueError(f"{name} is {setting[name]}: 1 or more is needed")
    for name in ("rate", "spread"):
        if not 0 < setting[name] < float("inf"):
            raise ValueError(f"{name} is {setting[name]}: a positive number is needed")
