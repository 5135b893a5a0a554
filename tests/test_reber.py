"""The embedded Reber grammar: its strings by hand and by brute force, how they are drawn, and the two sets."""

import math
import re
from itertools import product

import pytest
import torch

from lltd import reber
from lltd.reber import SYMBOLS, accepts, draw, following, sets

# Reber's grammar as a regular expression, written down apart from the automaton.
LOWER = "P(T)*V(PX(T)*V)*(PS|V)"  # from the state that P leads to, with its way back through P X
UPPER = "T(S)*X(XT*V(PXT*V)*(PS|V)|S)"
INNER = f"B({UPPER}|{LOWER})E"
EMBEDDED = re.compile(f"B(T{INNER}T|P{INNER}P)E")


def drawn(ids=300, count=40, seed=1):
    """Strings as text."""
    symbols, lengths = draw(seed, torch.arange(ids), count)
    rows, ends = symbols.movedim(2, 1).flatten(0, 1), lengths.flatten().tolist()
    return ["".join(SYMBOLS[k] for k in row[:end]) for row, end in zip(rows.tolist(), ends, strict=True)]


def test_short_strings_are_accepted_as_the_expression_says():
    for length in range(1, 6):
        for middle in product(SYMBOLS, repeat=length):
            for branch, last in product("TP", repeat=2):
                string = f"B{branch}B{''.join(middle)}E{last}E"
                assert accepts(string) == (EMBEDDED.fullmatch(string) is not None), string


def test_drawn_strings_are_accepted_until_a_symbol_is_changed():
    strings = drawn(20, 20)
    assert all(accepts(string) and EMBEDDED.fullmatch(string) for string in strings)
    for string in strings:
        other = string[:-2] + ("P" if string[-2] == "T" else "T") + "E"  # what must have been kept
        assert not accepts(other) and not accepts(string[:-1]) and not accepts(string + "E")


def test_each_string_is_as_likely_as_its_choices():
    strings = drawn()
    for string, choices in (("BTBTXSETE", 4), ("BPBPVVEPE", 4), ("BTBTSXSETE", 5)):
        p = 2.0**-choices
        deviation = math.sqrt(p * (1 - p) / len(strings))
        assert abs(strings.count(string) / len(strings) - p) < 5 * deviation


def test_what_may_follow_is_what_does():
    symbols, lengths = draw(3, torch.arange(50), 40)
    rows, ends = symbols.movedim(2, 1).flatten(0, 1), lengths.flatten()
    may = following(rows)
    steps = torch.arange(rows.shape[1] - 1)
    inside = steps < ends[:, None] - 1
    after = may[:, :-1].gather(2, rows[:, 1:, None])[..., 0]
    assert after[inside].all() and not may[torch.arange(len(rows)), ends - 1].any()
    counts = may[:, :-1].sum(2)[inside]
    assert set(counts.tolist()) == {1, 2}
    # The last symbol but one is certain, and the second says which it is.
    rows_ = torch.arange(len(rows))
    assert (may[rows_, ends - 3].sum(1) == 1).all()
    assert torch.equal(rows[rows_, ends - 2], rows[:, 1])


def test_strings_have_addresses():
    usual, lengths = draw(5, torch.arange(9), 7)
    alone, own = draw(5, torch.tensor([4]), 3)
    assert torch.equal(alone[..., 0], usual[:3, :, 4]) and torch.equal(own[:, 0], lengths[:3, 4])


def test_the_sets_have_no_string_in_common():
    for owner in range(3):
        train, test = sets(1, owner)
        assert len(train) == len(test) == 256
        learnt, tested = ({tuple(string.tolist()) for string in part} for part in (train, test))
        assert not learnt & tested and len(learnt) < 256  # strings come more than once
    assert [row.tolist() for row in sets(1, 0)[0]] != [row.tolist() for row in sets(1, 1)[0]]


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="string has 1, a: symbols BTPSXVE"):
        accepts("Ba1")
    with pytest.raises(ValueError, match="count is 0"):
        draw(1, torch.arange(2), 0)
    assert reber.LONGEST % 4 == 0
