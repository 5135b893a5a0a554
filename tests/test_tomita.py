"""The Tomita languages: automata against definitions, counts against brute force, drawn strings against their law."""

import math
import re
from collections import Counter
from functools import cache
from itertools import groupby, product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lltd import philox
from lltd.philox import Purpose
from lltd.tomita import KINDS, LANGUAGES, SETS, Language, accepts, count, draw, lengths_with_members

NUMBERS = tuple(LANGUAGES)
every = pytest.mark.parametrize("number", NUMBERS)
every_kind = pytest.mark.parametrize("kind", KINDS)


def strings(length):
    """All strings of a length."""
    return ["".join(symbols) for symbols in product("01", repeat=length)]


def odd_zeros_after_odd_ones(string, apart=(2, 99)):
    """Whether an odd block of 0s stands after an odd block of 1s, so many blocks further on."""
    odd = [symbol * (len(list(block)) % 2) for symbol, block in groupby(string)]
    blocks = range(len(odd))
    return any(odd[i] == "1" and odd[j] == "0" and j - i < apart[1] for i in blocks for j in blocks if i < j)


def even_sum_of_mixed_pairs(string):
    """Language 5 in the words of 1982: cut into pairs, the pairs 01 and 10 are even in number."""
    pairs = [string[i : i + 2] for i in range(0, len(string), 2)]
    return len(string) % 2 == 0 and sum(pair in ("01", "10") for pair in pairs) % 2 == 0


DEFINITIONS = {
    1: lambda s: re.fullmatch("1*", s) is not None,
    2: lambda s: re.fullmatch("(10)*", s) is not None,
    3: lambda s: not odd_zeros_after_odd_ones(s),
    4: lambda s: "000" not in s,
    5: lambda s: s.count("0") % 2 == 0 and s.count("1") % 2 == 0,
    6: lambda s: (s.count("1") - s.count("0")) % 3 == 0,
    7: lambda s: re.fullmatch("0*1*0*1*", s) is not None,
}


@every
def test_the_automaton_accepts_what_the_definition_says(number):
    for length in range(13):
        assert all(accepts(number, string) == DEFINITIONS[number](string) for string in strings(length))


def test_language_5_is_what_its_first_author_meant():
    assert all(even_sum_of_mixed_pairs(s) == accepts(5, s) for length in range(13) for s in strings(length))


def test_the_counts_of_watrous_and_kuhn_refute_the_weaker_reading_of_language_3():
    next_block = sum(not odd_zeros_after_odd_ones(s, apart=(1, 2)) for n in range(11) for s in strings(n))
    assert next_block == 716 != sum(count(3, length) for length in range(11)) == 652


def equivalent(delta, accepting):
    """The number of states that cannot be told apart by any string, and whether all can be reached from state 0."""
    label = [state in accepting for state in range(len(delta))]
    for _ in delta:
        signature = [(label[state], *(label[to] for to in delta[state])) for state in range(len(delta))]
        label = [signature.index(own) for own in signature]
    reached = {0}
    for _ in delta:
        reached |= {to for state in reached for to in delta[state]}
    return len(delta) - len(set(label)), len(reached) == len(delta)


@every
def test_automata_are_minimal(number):
    language = LANGUAGES[number]
    assert language.number == number and language.meaning
    assert equivalent(language.delta, language.accepting) == (0, True)
    last = len(language.delta)  # a second state 0, to which nothing leads, and then something
    assert equivalent((*language.delta, language.delta[0]), (*language.accepting, last)) == (1, False)
    redirected = [tuple(last if to == 0 else to for to in row) for row in language.delta]
    assert equivalent((*redirected, language.delta[0]), (*language.accepting, last)) == (1, True)


def test_the_counts_up_to_length_10_are_those_of_watrous_and_kuhn():
    totals = [sum(count(number, length) for length in range(11)) for number in NUMBERS]
    assert totals == [11, 6, 652, 1103, 683, 683, 561]


@every
def test_counts_are_those_of_brute_force(number):
    for length in range(13):
        assert count(number, length) == sum(map(DEFINITIONS[number], strings(length)))


@pytest.mark.parametrize("length", [600, 999, 1000])
def test_counts_of_long_strings_are_exact(length):
    tribonacci = [1, 2, 4]
    for _ in range(length):
        tribonacci.append(sum(tribonacci[-3:]))
    switches = [math.comb(length - 1, k) for k in range(4)]  # places where the symbol changes
    even = length % 2 == 0
    assert count(1, length) == 1 and count(2, length) == even
    assert count(4, length) == tribonacci[length]
    assert count(5, length) == even * 2 ** (length - 1)
    assert 3 * count(6, length) == 2**length + 2 * (-1) ** length  # cube roots of 1
    assert count(7, length) == sum(switches) + sum(switches[:3])


SIZES = {  # Watrous & Kuhn 1992, table 1: accepted up to length 10 and longer, rejected alike
    1: (9, 0, 8, 0),
    2: (5, 1, 10, 0),
    3: (11, 2, 11, 1),
    4: (10, 1, 7, 2),
    6: (10, 0, 11, 1),
    7: (11, 2, 6, 2),
}


@pytest.mark.parametrize("number", SETS)
def test_the_training_sets_of_1982_are_consistent_and_of_the_published_size(number):
    members, others = SETS[number]
    assert len({*members, *others}) == len(members) + len(others)
    assert all(accepts(number, s) for s in members) and not any(accepts(number, s) for s in others)
    assert SIZES[number] == tuple(
        sum((len(s) > 10) == longer for s in own) for own in SETS[number] for longer in (False, True)
    )


def uniforms(shape, seed=1):
    """Uniform numbers (S, T, B), each sequence with addresses of its own."""
    sequences, steps, runs = shape
    blocks = -(-steps // 4)
    addresses = torch.arange(sequences * blocks)[:, None]
    u = philox.uniform(seed, torch.arange(runs), addresses, Purpose.TASK)
    return u.unflatten(1, (sequences, blocks)).permute(1, 2, 0, 3).flatten(1, 2)[:, :steps]


def texts(bits, lengths):
    """Bits (S, T, B) as strings."""
    rows = bits.movedim(1, 2).flatten(0, 1).tolist()
    return [
        "".join(map(str, row[:length])) for row, length in zip(rows, lengths.flatten().tolist(), strict=True)
    ]


def flipped(string, place):
    """The string with the symbol at one place flipped."""
    return string[:place] + "10"[int(string[place])] + string[place + 1 :]


@cache
def law(number, kind, length):
    """The probability of each string of a kind by its definition, with all strings written down."""
    inside = [s for s in strings(length) if DEFINITIONS[number](s)]
    weight = Counter()
    if kind == "accepted":
        weight.update(inside)
    elif kind == "random":
        weight.update(set(strings(length)) - set(inside))
    elif kind == "near":
        weight.update(flipped(s, place) for s in inside for place in range(length))
    else:
        for s, k in product(inside, range(length)):
            weight.update({s[:k] + rest: 2**k for rest in strings(length - k)})
    if kind != "accepted":
        weight = {s: w for s, w in weight.items() if not DEFINITIONS[number](s)}
    total = sum(weight.values())
    return {s: w / total for s, w in weight.items()}


def naive(number, u, lengths):
    """The plausible and wrong way: each symbol that can still be finished is as likely as the other."""
    bits = torch.zeros(u.shape, dtype=torch.int64)
    for s, b in product(range(u.shape[0]), range(u.shape[2])):
        language, state = LANGUAGES[number], 0
        for t in range(length := int(lengths[s, b])):
            after = language.delta[state]
            open_ = [x for x in (0, 1) if finishes(number, length - t - 1)[after[x]]]
            bits[s, t, b] = open_[int(u[s, t, b] * len(open_))]
            state = after[bits[s, t, b]]
    return bits


@cache
def finishes(number, steps):
    """For each state whether some string of so many steps leads from it to acceptance."""
    language = LANGUAGES[number]
    good = [state in language.accepting for state in range(len(language.delta))]
    for _ in range(steps):
        good = [good[a] or good[b] for a, b in language.delta]
    return good


def follows(drawn, expected):
    """Whether strings follow a law: none is impossible, and chi-square lies below its quantile of 1 - 3e-5."""
    counts, free = Counter(drawn), len(expected) - 1
    if set(counts) - set(expected):
        return False
    wanted = {s: len(drawn) * float(w) for s, w in expected.items()}
    chi_square = sum((counts[s] - wanted[s]) ** 2 / wanted[s] for s in wanted)
    bound = free * (1 - 2 / (9 * free) + 4 * math.sqrt(2 / (9 * free))) ** 3 if free else 1e-9
    return chi_square < bound  # Wilson & Hilferty 1931, 4 standard deviations


@every_kind
@every
def test_strings_are_drawn_by_their_law(number, kind):
    for length in (4, 7, 8):
        if length in lengths_with_members(number, 0, 8, kind):
            lengths = torch.full((40, 500), length)
            drawn = texts(draw(number, uniforms((40, length, 500)), lengths, kind), lengths)
            assert follows(drawn, law(number, kind, length))


@pytest.mark.parametrize("number", [3, 4, 7])
def test_open_symbols_taken_as_equally_likely_are_refuted(number):
    lengths = torch.full((10, 200), 8)
    drawn = texts(naive(number, uniforms((10, 8, 200)), lengths), lengths)
    assert all(accepts(number, s) for s in drawn) and not follows(drawn, law(number, "accepted", 8))
    lengths = torch.full((40, 500), 8)
    right = {kind: texts(draw(number, uniforms((40, 8, 500)), lengths, kind), lengths) for kind in KINDS}
    for kind, other in product(KINDS, KINDS):
        assert follows(right[kind], law(number, other, 8)) == (kind == other)


@every
def test_near_misses_are_one_symbol_away_from_the_language(number):
    def away(kind):
        lengths = torch.tensor(lengths_with_members(number, 20, 40, kind))[:, None].expand(-1, 20)
        drawn = texts(draw(number, uniforms((len(lengths), 40, 20)), lengths, kind), lengths)
        assert not any(accepts(number, s) for s in drawn)
        return [any(accepts(number, flipped(s, place)) for place in range(len(s))) for s in drawn]

    assert all(away("near"))
    assert all(away("random")) == (number == 6)  # there any flip of the symbol in excess mends a string


def test_a_cut_string_begins_like_one_of_the_language():
    def ones(kind):  # before the first 0, in strings of length 200 outside of 1*
        bits = draw(1, uniforms((10, 200, 100)), torch.full((10, 100), 200), kind)
        return bits.cumprod(1).sum(1).double()

    # k is uniform in 0 … 199; of the fair bits after it those up to the first 0 are one on average
    for kind, mean, deviation in (("cut", 99.5 + 1, 58), ("random", 1, math.sqrt(2))):
        assert abs(ones(kind).mean() - mean) < 5 * deviation / math.sqrt(1000)


@every_kind
@every
@pytest.mark.parametrize("length", [600, 1000])
def test_long_strings_are_of_their_kind(number, kind, length):
    lengths = torch.tensor([[length, length - 2, length - 100]])
    bits = draw(number, uniforms((1, length, 3)), lengths, kind)
    assert bits.shape == (1, length, 3) and bits.dtype == torch.int64
    assert (accepts(number, bits, lengths) == (kind == "accepted")).all()
    assert not (bits * (torch.arange(length)[:, None] >= lengths[:, None])).any()
    alone = draw(number, uniforms((1, length, 1)), lengths[:, :1], kind)
    assert torch.equal(bits[:, :, :1], alone)


def test_long_strings_of_language_7_change_their_symbol_anywhere():
    # Nearly all begin with 0 and change three times, so that their first block has n / 4 symbols on average.
    def gap(sampler, runs):  # in standard errors
        bits = sampler(7, uniforms((1, 1000, runs)), torch.full((1, runs), 1000))
        return abs((1 - bits).cumprod(1).sum(1).double().mean() - 250) / (194 / math.sqrt(runs))

    assert gap(draw, 1000) < 5 < gap(naive, 20)


@every_kind
@given(
    st.sampled_from(NUMBERS),
    st.lists(st.sampled_from([2.0**-24, 0.5, 1 - 2.0**-24]), min_size=1, max_size=7),
)
def test_no_uniform_number_leads_astray(kind, number, numbers):
    u = torch.tensor(numbers, dtype=torch.float64)[None, :, None]
    length = torch.tensor([[len(numbers)]])
    try:
        bits = draw(number, u, length, kind)
    except ValueError:
        assert not law(number, kind, len(numbers))
    else:
        assert texts(bits, length)[0] in law(number, kind, len(numbers))


@every
def test_many_strings_at_once_are_judged_like_each_alone(number):
    lengths = torch.arange(60).reshape(6, 10) % 13
    bits = (uniforms((6, 12, 10)) < 0.7).long()
    assert accepts(number, bits, lengths).flatten().tolist() == [
        accepts(number, s) for s in texts(bits, lengths)
    ]


@every_kind
@every
def test_lengths_with_members_are_those_of_brute_force(number, kind):
    lengths = lengths_with_members(number, 0, 8, kind)
    assert lengths == [length for length in range(9) if law(number, kind, length)]
    assert lengths_with_members(number, 3, 6, kind) == [length for length in lengths if 3 <= length <= 6]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: accepts(8, "0"), "number is 8: the languages are numbered 1 to 7"),
        (lambda: accepts(1, "012"), "strings is '012': a string of the characters 0 and 1"),
        (lambda: accepts(1, torch.zeros(1, 2, 3).long()), "lengths is None"),
        (
            lambda: accepts(1, torch.zeros(1, 2, 3), torch.ones(1, 3).long()),
            "strings is a tensor of torch.float32",
        ),
        (
            lambda: accepts(1, torch.full((1, 2, 3), 2), torch.ones(1, 3).long()),
            "int64 bits 0 and 1 are needed",
        ),
        (
            lambda: accepts(1, torch.zeros(1, 2, 3).long(), torch.ones(3).long()),
            r"strings has shape \(1, 2, 3\)",
        ),
        (
            lambda: accepts(1, torch.zeros(1, 2, 3).long(), torch.full((1, 3), 3)),
            "lengths reach from 3 to 3: 0 to 2",
        ),
        (lambda: count(0, 3), "number is 0"),
        (lambda: count(1, -1), "length is -1: 0 or more"),
        (lambda: lengths_with_members(1, 3, 2), "shortest is 3 and longest 2"),
        (lambda: lengths_with_members(1, -1, 2), "shortest is -1 and longest 2"),
        (lambda: lengths_with_members(2, 7, 7), "language 2 has no accepted string of length 7 to 7"),
        (
            lambda: lengths_with_members(4, 1, 2, "random"),
            "language 4 has no rejected string of length 1 to 2",
        ),
        (lambda: lengths_with_members(1, 1, 2, "wild"), "kind is 'wild': one of accepted, random, near, cut"),
        (
            lambda: draw(2, uniforms((1, 9, 1)), torch.tensor([[7]])),
            "language 2 has no accepted string of length 7",
        ),
        (
            lambda: draw(7, uniforms((1, 9, 1)), torch.tensor([[3]]), "near"),
            "language 7 has no near miss of length 3",
        ),
        (
            lambda: draw(4, uniforms((1, 9, 1)), torch.tensor([[2]]), "cut"),
            "language 4 has no cut string of length 2",
        ),
        (
            lambda: draw(1, uniforms((1, 9, 1)), torch.tensor([7])),
            r"u has shape \(1, 9, 1\) and lengths \(1,\)",
        ),
        (lambda: draw(1, uniforms((1, 9, 1)), torch.tensor([[10]])), "lengths reach from 10 to 10: 0 to 9"),
        (lambda: draw(1, uniforms((1, 9, 1)), torch.tensor([[7]]), "wild"), "kind is 'wild'"),
        (lambda: draw("1", uniforms((1, 9, 1)), torch.tensor([[7]])), "number is '1'"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_language_cannot_be_changed():
    with pytest.raises(AttributeError):
        LANGUAGES[1].number = 2
    assert isinstance(LANGUAGES[1], Language)
