"""The seven regular languages of Tomita 1982 over {0, 1}: their automata, exact counts, and strings drawn fairly.

All are defined by minimal deterministic automata, as in Watrous & Kuhn 1992, whose table of counts they reproduce.
[HS96] (section 1) sets #1, #2 and #4 with strings of 500 to 600 symbols, far too many to list or to draw at random
and sort: `draw` counts, from the end backwards, in how many ways a string can still be finished, and lets each
symbol be as likely as the share of strings that go on with it. The counts are exact integers of any size.

`SETS` holds Tomita's training sets, (accepted, rejected) by number, in the sizes that Watrous & Kuhn print. That of
#5 is missing: the reprints that we know differ in a string.
"""

from dataclasses import dataclass
from functools import cache
from itertools import accumulate

import torch
from torch import Tensor


@dataclass(frozen=True)
class Language:
    """A language as its minimal automaton: from state 0, symbol s takes state q to delta[q][s]."""

    number: int
    meaning: str
    delta: tuple[tuple[int, int], ...]
    accepting: tuple[int, ...]


LANGUAGES = {
    language.number: language
    for language in (
        Language(1, "1*", ((1, 0), (1, 1)), (0,)),
        Language(2, "(10)*", ((2, 1), (0, 2), (2, 2)), (0,)),
        Language(
            3,
            "no odd block of 0s anywhere after an odd block of 1s",
            ((0, 1), (2, 0), (3, 4), (2, 3), (4, 4)),
            (0, 1, 3),
        ),
        Language(4, "no 000", ((1, 0), (2, 0), (3, 0), (3, 3)), (0, 1, 2)),
        Language(5, "an even number of 0s and an even number of 1s", ((1, 2), (0, 3), (3, 0), (2, 1)), (0,)),
        Language(6, "as many 1s as 0s, modulo 3", ((2, 1), (0, 2), (1, 0)), (0,)),
        Language(7, "0*1*0*1*", ((0, 1), (2, 1), (2, 3), (4, 3), (4, 4)), (0, 1, 2, 3)),
    )
}

# ε is the empty string, which all seven languages accept.
SETS = {
    number: tuple(tuple(part.replace("ε", "").split(" ")) for part in strings.split(" / "))
    for number, strings in {
        1: "ε 1 11 111 1111 11111 111111 1111111 11111111 / 0 10 01 00 011 110 11111110 10111111",
        2: "ε 10 1010 101010 10101010 10101010101010 / 1 0 11 00 01 101 100 1001010 10110 110101010",
        3: "ε 1 0 01 11 00 100 110 111 000 100100 110000011100001 111101100010011100"
        " / 10 101 010 1010 1110 1011 10001 111010 1001000 11111000 0111001101 11011100110",
        4: "ε 1 0 10 01 00 100100 001111110100 0100100100 11100 010"
        " / 000 11000 0001 000000000 00000 0000 11111000011 1101010000010111 1010010001",
        6: "ε 10 01 1100 101010 111 000000 10111 0111101111 100100100"
        " / 1 0 11 00 101 011 11001 1111 00000000 010111 10111101111 1001001001",
        7: "ε 1 0 10 01 11111 000 00110011 0101 0000100001111 00100 011111011111 00"
        " / 1010 00110011000 0101010101 1011010 10101 010100 101001 100100110101",
    }.items()
}

KINDS = {"accepted": "accepted string", "random": "rejected string", "near": "near miss", "cut": "cut string"}


def accepts(number: int, strings: str | Tensor, lengths: Tensor | None = None) -> bool | Tensor:
    """Whether strings are in a language: one of the characters 0 and 1, or many as int64 bits (S, T, B).

    Many come with their lengths (S, B), of which each uses its first bits, and give bool (S, B). Raises ValueError.
    """
    delta, accepting = _language(number).delta, _language(number).accepting
    if isinstance(strings, str):
        if set(strings) - {"0", "1"}:
            raise ValueError(f"strings is {strings!r}: a string of the characters 0 and 1 is needed")
        state = 0
        for symbol in strings:
            state = delta[state][int(symbol)]
        return state in accepting
    if lengths is None:
        raise ValueError("lengths is None: a tensor of strings needs their lengths")
    _check_lengths("strings", strings, lengths)
    if strings.dtype != torch.int64 or ((strings != 0) & (strings != 1)).any():
        raise ValueError(f"strings is a tensor of {strings.dtype}: int64 bits 0 and 1 are needed")
    following = torch.tensor(delta, device=strings.device)
    state = torch.zeros_like(lengths)
    for t in range(strings.shape[1]):
        state = torch.where(t < lengths, following[state, strings[:, t]], state)
    return torch.isin(state, torch.tensor(accepting, device=strings.device))


def count(number: int, length: int) -> int:
    """How many strings of a length are in a language; exact. Raises ValueError."""
    if length < 0:
        raise ValueError(f"length is {length}: 0 or more is needed")
    return _plan(number, "accepted", length)[0][length]


def lengths_with_members(number: int, shortest: int, longest: int, kind: str = "accepted") -> list[int]:
    """The lengths from shortest to longest of which there are strings of a kind, see `draw`.

    Raises ValueError, also where there is no such length.
    """
    if not 0 <= shortest <= longest:
        raise ValueError(f"shortest is {shortest} and longest {longest}: 0 <= shortest <= longest is needed")
    ways, _, _ = _plan(number, kind, longest)
    lengths = [length for length in range(shortest, longest + 1) if ways[length]]
    if not lengths:
        raise ValueError(f"language {number} has no {KINDS[kind]} of length {shortest} to {longest}")
    return lengths


def draw(number: int, u: Tensor, lengths: Tensor, kind: str = "accepted") -> Tensor:
    """Strings of a kind, of exactly these lengths (S, B), from uniform numbers u (S, T, B), one for each symbol.

    Returns bits (S, T, B), int64, 0 after a string's end. The kinds are

    - "accepted": each string of that length in the language is equally likely;
    - "random": each string of that length outside the language is;
    - "near": an accepted string is drawn, and a place in it; the symbol at this place is flipped;
    - "cut": an accepted string is drawn, and a number k from 0 to length - 1; all but its first k symbols are
      replaced by fair bits.

    Of the last two kinds the result must be outside the language. Their law is that of drawing all but the length
    again until it is; for near misses, all pairs of a string and a place whose flip leads outside are equally likely.

    With u from `philox.uniform`, a grid of 2**23 points, a symbol's probability is off by at most 2**-23. Raises
    ValueError, also where there is no such string (language 2 has none of odd length).
    """
    _check_lengths("u", u, lengths)
    ways, bounds, after = _plan(number, kind, u.shape[1])
    for length in lengths.unique().tolist():
        if not ways[length]:
            raise ValueError(f"language {number} has no {KINDS[kind]} of length {length}")
    bounds, after = bounds.to(u.device), after.to(u.device)
    choices, row = bounds.shape[1] + 1, (lengths * (len(bounds) // len(ways))).flatten()
    chosen = torch.empty(u.shape[1], len(row), dtype=torch.int64, device=u.device)  # (T, S * B)
    for now, own in zip(chosen, u.movedim(1, 0).flatten(1)[..., None], strict=True):
        torch.sum(own >= bounds.index_select(0, row), 1, out=now)
        row = after.index_select(0, torch.add(now, row, alpha=choices))
    return (chosen & 1).unflatten(1, lengths.shape).movedim(0, 1).contiguous()


def _moves(language: Language, kind: str, state: tuple) -> list[tuple[int, tuple]]:
    """The choices in a state of the drawing, as (weight, next state); their symbols are 0 and 1 in turn.

    A string is drawn together with the accepted string that it is made from. State (q, p, apart): the automaton is
    in q after the latter's symbols, in p after its own, and the two have parted or not.
    """
    q, p, apart = state
    on_q, on_p = language.delta[q], language.delta[p]
    both = [(1, (on_q[s], on_p[s], apart)) for s in (0, 1)]
    if kind == "near":
        return both + [(1, (on_q[1 - s], on_p[s], True)) for s in (0, 1) if not apart]
    if kind == "cut":
        # The k first symbols are certain and the others have probability 1/2: a weight of 2 for each of k.
        first = [(2, to) for _, to in both if not apart]
        return first + [(1, (on_q[original], on_p[s], True)) for original in (0, 1) for s in (0, 1)]
    return both


@cache
def _plan(number: int, kind: str, longest: int) -> tuple[list[int], Tensor, Tensor]:
    """In how many ways a string of each length can be drawn, exactly, and what `draw` needs to draw it.

    Row r * states + q is for r symbols left and state q. For each row the largest u of all choices but the last,
    (rows, choices - 1), and the rows to which the choices lead, (rows * choices).
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}: one of {', '.join(KINDS)} is needed")
    language, moves, new = _language(number), {}, [(0, 0, False)]
    while new:
        if (state := new.pop()) not in moves:
            moves[state] = _moves(language, kind, state)
            new += [to for _, to in moves[state]]
    made = kind in ("near", "cut")  # from an accepted string
    ways = {  # to finish with no symbol left
        (q, p, apart): int(
            (p in language.accepting) == (kind == "accepted")
            and (not made or (apart and q in language.accepting))
        )
        for q, p, apart in moves
    }
    states, choices = list(moves), max(map(len, moves.values()))
    lead = [
        [states.index(to) for _, to in options] + [0] * (choices - len(options)) for options in moves.values()
    ]
    totals, bounds = [ways[0, 0, False]], [[1.0] * (choices - 1)] * len(states)
    after = [[q] * choices for q in range(len(states))]  # with no symbol left all stays as it is
    for r in range(longest):
        sums = [list(accumulate(weight * ways[to] for weight, to in options)) for options in moves.values()]
        ways = {state: parts[-1] for state, parts in zip(states, sums, strict=True)}
        totals.append(ways[0, 0, False])
        for parts in sums:
            shares = [part / parts[-1] for part in parts] if parts[-1] else []
            bounds.append((shares + [1.0] * choices)[: choices - 1])
        after += [[r * len(states) + q for q in row] for row in lead]
    return totals, torch.tensor(bounds, dtype=torch.float64), torch.tensor(after).flatten()


def _language(number: int) -> Language:
    if number not in LANGUAGES:
        raise ValueError(f"number is {number!r}: the languages are numbered 1 to 7")
    return LANGUAGES[number]


def _check_lengths(name: str, strings: Tensor, lengths: Tensor) -> None:
    """Raise ValueError unless lengths (S, B) fit strings or their uniform numbers (S, T, B)."""
    if strings.ndim != 3 or lengths.shape != (strings.shape[0], strings.shape[2]):
        raise ValueError(
            f"{name} has shape {tuple(strings.shape)} and lengths {tuple(lengths.shape)}: "
            "(S, T, B) and (S, B) are needed"
        )
    if ((lengths < 0) | (lengths > strings.shape[1])).any():
        raise ValueError(
            f"lengths reach from {int(lengths.min())} to {int(lengths.max())}: 0 to {strings.shape[1]} are needed"
        )
