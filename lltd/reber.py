"""The embedded Reber grammar: an automaton, strings drawn from it, and what may follow after each of their symbols.

B, then T or P, then a string of Reber's grammar, then the same T or P again, then E. Where two symbols may follow they
are equally likely. Who predicts the last symbol but one must have kept the second. Sources: Reber 1967 for the inner
grammar; Cleeremans, Servan-Schreiber & McClelland 1989 and Fahlman 1991 for its embedding.
"""

import torch
from torch import Tensor

from lltd.philox import Purpose, uniform

SYMBOLS = "BTPSXVE"
LONGEST = 96  # symbols of a string that is used: of 10^9 not one is longer
# Reber's own grammar: what may follow in each state, and the state it leads to; 6 is left with E.
INNER = (
    {"B": 1},
    {"T": 2, "P": 3},
    {"S": 2, "X": 4},
    {"T": 3, "V": 5},
    {"X": 3, "S": 6},
    {"P": 4, "V": 6},
    {"E": 7},
)


def _embedded() -> tuple[dict[str, int], ...]:
    """The whole grammar: states 0 and 1, the inner grammar after T, the same after P, and the last E."""
    size, states = len(INNER), [{"B": 1}, {"T": 2, "P": 3 + len(INNER)}]
    last = 2 + 2 * (size + 1)
    for branch in "TP":
        first = len(states)
        states += [{symbol: first + to for symbol, to in options.items()} for options in INNER]
        states.append({branch: last})
    return (*states, {"E": last + 1}, {})


STATES = _embedded()
DONE = len(STATES) - 1
MAY = torch.tensor([[symbol in options for symbol in SYMBOLS] for options in STATES])  # (states, 7)
TO = torch.tensor([[options.get(symbol, DONE) for symbol in SYMBOLS] for options in STATES])


def accepts(string: str) -> bool:
    """Whether a string is in the grammar. Raises ValueError for other symbols."""
    if unknown := set(string) - set(SYMBOLS):
        raise ValueError(f"string has {', '.join(sorted(unknown))}: symbols {SYMBOLS} are known")
    state = 0
    for symbol in string:
        if symbol not in STATES[state]:
            return False
        state = STATES[state][symbol]
    return state == DONE


def draw(seed: int, ids: Tensor, count: int, purpose: Purpose = Purpose.TASK) -> tuple[Tensor, Tensor]:
    """The first `count` strings of each id: numbers of symbols (count, LONGEST, B), int64, and lengths (count, B).

    ids: int64 (B,). After a string's end symbols are 0; of one that is longer, the length is LONGEST + 1. Raises
    ValueError.
    """
    if count < 1:
        raise ValueError(f"count is {count}: at least one string is needed")
    steps = torch.arange(count * LONGEST // 4, device=ids.device)
    u = uniform(seed, ids, steps[:, None], purpose).transpose(0, 1).flatten(0, 1)
    u = u.unflatten(0, (count, LONGEST))
    state, symbols = torch.zeros_like(u[:, 0], dtype=torch.int64), torch.zeros_like(u, dtype=torch.int64)
    lengths = torch.full_like(state, LONGEST + 1)
    for t in range(LONGEST):
        may = MAY.to(u.device)[state].long()  # (count, B, 7): one or two of them, none at the end
        first, last = may.argmax(-1), 6 - may.flip(-1).argmax(-1)
        symbol = torch.where((u[:, t] < 0.5) & (state != DONE), first, torch.where(state == DONE, 0, last))
        symbols[:, t] = symbol
        before, state = state, TO.to(u.device)[state, symbol]
        lengths = torch.where((state == DONE) & (before != DONE), t + 1, lengths)
    return symbols, lengths


def following(symbols: Tensor) -> Tensor:
    """Which symbols may follow after each symbol of strings (S, T): bool (S, T, 7). Beyond their ends, none."""
    state, rows = torch.zeros_like(symbols[:, 0]), []
    for t in range(symbols.shape[1]):
        state = TO.to(symbols.device)[state, symbols[:, t]]
        rows.append(MAY.to(symbols.device)[state])
    return torch.stack(rows, 1)


def sets(seed: int, owner: int, size: int = 256) -> tuple[list[Tensor], list[Tensor]]:
    """A training set and a test set of so many strings, each int64 (its length,).

    Both are random; the test set has no string of the training set. Source: Hochreiter & Schmidhuber 1997, section 5.1.
    """
    symbols, lengths = draw(seed, torch.tensor([owner]), 16 * size)
    strings = [
        row[:length]
        for row, length in zip(symbols[..., 0], lengths[:, 0].tolist(), strict=True)
        if length <= LONGEST
    ]
    train, seen = strings[:size], {tuple(string.tolist()) for string in strings[:size]}
    return train, [string for string in strings[size:] if tuple(string.tolist()) not in seen][:size]
