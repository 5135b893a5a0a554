"""A short-term and a long-term dependency in one task, and which of them back-propagation through time learns first.

Pairs of a value in (-1, 1) and a marker, as in the adding problem: one of the first five pairs is marked, X1, and one
of the last five, X2; the target at the end is 1/2 + (X1 + X2) / 4. Source: [BFS93] sections I and III.B, which have no
such task: it is ours.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from lltd.kernels.lstm96.tasks import below, blocks_of
from lltd.philox import Purpose, block
from lltd.systems.adding_rivals import Elman
from lltd.systems.batches import Settings, alike
from lltd.systems.lessons import Shown

NEAR = 5  # pairs at either end, one of which is marked
SHORTEST = 2 * NEAR
STRETCH = 200  # sequences drawn together: no outcome depends on it


def draw(
    length: int, seed: int, ids: Tensor, first: int, count: int, purpose: Purpose, dtype: torch.dtype
) -> tuple[Shown, Tensor]:
    """Sequences first … first + count - 1 of trials ids (B), of T … T + T/10 steps, and their X1 and X2 (2, S, B).

    Raises ValueError for a length T below 10.
    """
    if length < SHORTEST:
        raise ValueError(f"length is {length}: {SHORTEST} or more is needed, for the marks to lie apart")
    numbers, longest = torch.arange(first, first + count, device=ids.device)[:, None], length + length // 10
    begin = numbers * blocks_of(length)  # (S, 1)
    places = block(seed, ids, begin, purpose)
    lengths = length + below(places[0], length // 10 + 1)
    addresses = begin + torch.arange(1, blocks_of(length), device=ids.device)[:, None, None]
    words = block(seed, ids, addresses, purpose).transpose(0, 1).flatten(0, 1)[:longest]
    values = ((words >> 9).to(dtype) + 0.5) * 2.0**-22 - 1
    marks = torch.stack(
        (lengths - 1 - below(places[1], NEAR), below(places[2], NEAR))
    )  # counted from the end
    k = torch.arange(longest, device=ids.device)[:, None, None]
    markers = ((k == marks[0]) | (k == marks[1])).to(dtype)
    X = values.gather(0, marks)
    inputs = torch.stack((values * (k < lengths), markers), 1).flip(0)
    return Shown(inputs, lengths, 0.5 + X.sum(0) / 4), X


def sensitivities(outputs: Tensor, X: Tensor) -> Tensor:
    """How much outputs (S, B) owe to X1 and to X2 (2, S, B), by least squares: 4 ∂y/∂X, 1 where learnt, (2, B)."""
    centred = X - X.mean(1, keepdim=True)
    moments = torch.einsum("isb,jsb->bij", centred, centred)
    mixed = torch.einsum("isb,sb->bi", centred, outputs - outputs.mean(0))
    return 4 * torch.linalg.solve(moments, mixed).T


@torch.inference_mode()
def learn(
    seed: int, ids: Tensor, settings: Sequence[Settings], dtype: torch.dtype = torch.float32
) -> dict[str, Tensor]:
    """Train Elman nets and see what they owe to either event after each stage. ids: int64 (B,).

    settings: of each run length T, hidden, rate, spread, tests, and stages, numbers of sequences that rise. Returns
    slopes (B, stages, 2) of X1 and X2, see `sensitivities`, and squared (B, stages), the mean squared test error; nan
    where a run has diverged. Raises ValueError.
    """
    found: dict[str, Tensor] = {}
    for rows in alike(settings, ("rate", "spread")):
        for name, value in _learn(seed, ids[rows], [settings[row] for row in rows], dtype).items():
            found.setdefault(name, value.new_zeros(len(ids), *value.shape[1:]))[rows] = value
    return found


def _learn(seed: int, ids: Tensor, settings: list[Settings], dtype: torch.dtype) -> dict[str, Tensor]:
    length, stages, tests = (settings[0][name] for name in ("length", "stages", "tests"))
    unique, lessons = ids.unique(return_inverse=True)
    nets = Elman(seed, ids, settings, lessons, dtype)
    fresh, X = draw(length, seed, unique, 0, tests, Purpose.TEST, dtype)
    slopes, squared, shown = [], [], 0
    for stage in stages:
        while shown < stage:
            count = min(STRETCH, stage - shown)
            nets.learn(draw(length, seed, unique, shown, count, Purpose.TASK, dtype)[0])
            shown += count
        outputs = nets.answer(fresh).double()
        slopes.append(sensitivities(outputs, X.double()[..., lessons]))
        squared.append((outputs - fresh.targets[:, lessons]).square().mean(0))
    return {"slopes": torch.stack(slopes).permute(2, 0, 1), "squared": torch.stack(squared, 1)}
