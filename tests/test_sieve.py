"""The sieve: intervals against nets that run, states followed against steps computed, C++ against the reference."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from drawn import compiled
from hypothesis import given
from hypothesis import strategies as st
from torch.library import opcheck

from lltd import philox
from lltd.kernels import guess, sieve
from lltd.kernels.guess import A1, A2, ORDERS, Topology
from lltd.kernels.sieve import reference
from lltd.philox import Purpose
from lltd.systems import random_search
from lltd.systems.random_search import Lessons

CALM = 2.0  # a span at which rounding hardly grows from step to step
SOFT = 3.0  # a span at which many nets never come back to a state
NETS = {
    **{f"A1({n})": A1(n) for n in (1, 2, 3)},
    "A2": A2,
    "A2 without loops": replace(A2, loops=False),
    "no hidden units": Topology(0, output_bias=True),
}
nets = pytest.mark.parametrize("net", NETS.values(), ids=NETS)
orders = pytest.mark.parametrize("order", ORDERS)
ORDERED = [replace(net, order=order) for order in ORDERS for net in NETS.values()]
USUAL = ORDERED[: len(NETS)]  # with the hidden units updated first
SIGNS = torch.tensor(list(product((-1.0, 1.0), repeat=3)))  # all words of three
CONSTANT = Topology(0, output_bias=True, output_loop=False, direct=False)  # o = f(bias)
ECHO = Topology(0, direct=False)  # o(t) = f(w o(t - 1))


@pytest.fixture(params=["cpu.cpp", "reference"])
def face(request, build):
    """Each face in turn."""
    if request.param == "reference":
        build(LLTD_NO_COMPILER=1)
    elif sieve.BOXES.face(torch.zeros(1, 1))[0] != request.param:
        pytest.skip("no C++ compiler")
    return request.param


def wiring(net):
    """A net as the ops take it, behind the other arguments."""
    return torch.tensor(net.wiring), net.hidden, ORDERS[net.order]


def drawn(kind, count, length, number):
    """Inputs (count, length), each ±1 or from the normal distribution."""
    address = number, torch.arange(count)[:, None], torch.arange(length), Purpose.TASK
    if kind == "gaussian":
        return philox.normal(*address, dtype=torch.float32)[0]
    return 2.0 * (philox.uniform(*address)[0] > 0.5) - 1.0


# --- boxes: C++ against the reference ---


def assert_same_boxes(net, runs, words):
    ids = torch.arange(runs) * 2**33 + 10**12
    found = sieve.boxes(net, 2**62 + 5, ids, words, span=CALM)
    expected = reference.boxes(2**62 + 5, ids, words, *wiring(net), CALM)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-12)
    assert found.shape == (len(words), 2, runs)


@compiled
@nets
@orders
def test_compiled_boxes_are_those_of_the_reference(net, order):
    for kind, length in (("signs", 1), ("signs", 3), ("gaussian", 6)):
        assert_same_boxes(replace(net, order=order), 300, drawn(kind, 5, length, length))


@compiled
@orders
def test_compiled_boxes_are_those_of_the_reference_however_a_net_is_wired(order):
    flags = list(product((False, True), repeat=3))  # output_bias, output_loop, direct
    for number, (hidden, dense, runs) in enumerate(product((0, 1, 2, 4, 10), (False, True), (1, 65))):
        if hidden or number % 8:  # or that net has no weights
            net = Topology(hidden, dense, number % 3 > 0, *flags[number % 8], order=order)
            assert_same_boxes(net, runs, drawn("gaussian", 2, 3, number))


@compiled
@nets
def test_boxes_have_the_same_bits_alone_in_a_crowd_and_on_several_threads(net):
    ids, words = 5 * 2**32 + torch.arange(300) * 2**33, drawn("gaussian", 3, 4, 1)
    found = [threaded(count, sieve.boxes, net, 1, ids, words) for count in (1, 3)]
    assert torch.equal(*found)
    for n in (0, 41, 299):
        assert torch.equal(sieve.boxes(net, 1, ids[n : n + 1], words), found[0][..., n : n + 1])
    assert torch.equal(sieve.boxes(net, 1, ids.flip(0), words), found[0].flip(2))
    assert torch.equal(sieve.boxes(net, 1, ids, words[1:2]), found[0][1:2])


def threaded(count, function, *arguments, **options):
    """What a function gives while torch uses so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        return function(*arguments, **options)
    finally:
        torch.set_num_threads(before)


# --- boxes hold what nets do ---


def outside(values, low, high):
    """How many values are not between their bounds."""
    return int((~((values >= low) & (values <= high))).sum())


def narrowed(low, high):
    """Bounds moved inwards by 1e-5 of their distance, and by a little more than they are widened for rounding."""
    by = 1e-5 * (high - low) + 2.0**-18
    return low + by, high - by


def ended(kind, again, number):
    """Words (W, K), and sequences that end so, inputs (S, T), lengths (S,) of 3 … 40; each word's own (W, again)."""
    words = drawn(kind, 4, 3, number)
    lengths = 3 + 37 * torch.arange(4 * again) // (4 * again - 1)
    inputs, places = drawn(kind, 4 * again, 40, number + 1), lengths[:, None] - 3 + torch.arange(3)
    inputs.scatter_(1, places, words.repeat(again, 1))
    return words, inputs, lengths, torch.arange(4 * again).unflatten(0, (again, 4)).T


def outputs_and_bounds(runs, nets=USUAL, again=1, span=100.0):
    """For each net, outputs (W, again, B) and the bounds after their words, (W, 1, B) each."""
    for number, net in enumerate(nets):
        words, inputs, lengths, own = ended(("signs", "gaussian")[number % 2], again, 100 * number)
        ids = number * 2**32 + torch.arange(runs)
        bounds = sieve.boxes(net, 7, ids, words, span=span)
        yield guess.guess(net, 7, ids, inputs, lengths, span=span)[own], bounds[:, :1], bounds[:, 1:]


def test_no_output_after_a_word_is_outside_its_box(face):
    runs, again, least = {"cpu.cpp": (3000, 4, 800_000), "reference": (400, 1, 25_000)}[face]
    seen = out = out_of_narrower = 0
    for values, low, high in outputs_and_bounds(runs, ORDERED, again):
        seen += values.numel()
        out += outside(values, low, high)
        out_of_narrower += outside(values, *narrowed(low, high))
    assert seen >= least
    assert out == 0
    assert out_of_narrower > seen / 10  # the count can tell


@pytest.mark.parametrize("span", [0.01, 1.0, 10_000.0])
def test_no_output_is_outside_its_box_with_small_and_huge_weights(span, face):
    every = list(outputs_and_bounds(100, span=span))
    assert sum(outside(*each) for each in every) == 0
    assert sum(outside(values, *narrowed(*bounds)) for values, *bounds in every) > 0


def test_a_slack_below_zero_is_caught(build, monkeypatch):
    build(LLTD_NO_COMPILER=1)
    assert not any(outside(*each) for each in outputs_and_bounds(50))
    monkeypatch.setattr(reference, "RELATIVE", -(2.0**-20))
    assert all(outside(*each) for each in outputs_and_bounds(50))


def states_and_bounds(runs, nets=USUAL, steps=8):
    """For each net, step by step, all units (units, B) of nets begun anywhere, and their intervals.

    A third of the nets begins where a sequence has led them, a third in a corner, a third in between.
    """
    for number, net in enumerate(nets):
        theta = guess.weights(net, 7, number * 2**32 + torch.arange(runs), dtype=torch.float32)
        w = theta.new_zeros(net.hidden + 1, net.hidden + 3, runs)
        w[tuple(torch.tensor(net.wiring).T)] = theta
        run, spread = guess.reference.step, reference.step
        units = torch.zeros(net.hidden + 1, runs)
        h, o = units[:-1], units[-1]
        for x in drawn("signs", 1, 10, number)[0]:
            h, o = run(w, x, h, o, ORDERS[net.order])
        u = philox.uniform(8, torch.arange(net.hidden + 1)[:, None], torch.arange(runs), Purpose.TASK)[
            0
        ].float()
        third = torch.arange(runs) % 3
        units = torch.where(third == 0, torch.cat((h, o[None])), torch.where(third == 1, u.round(), u))
        h, o = units[:-1], units[-1]
        bounds = torch.stack((torch.zeros_like(units), torch.ones_like(units)))
        hs, os = bounds[:, :-1], bounds[:, -1]
        for x in drawn(("signs", "gaussian")[number % 2], 1, steps, number + 1)[0]:
            h, o = run(w, x, h, o, ORDERS[net.order])
            hs, os = spread(w, x, hs, os, ORDERS[net.order])
            low, high = torch.cat((hs, os[:, None]), 1)
            yield torch.cat((h, o[None])), low, high


def test_no_unit_is_outside_its_interval_at_any_step():
    seen = out = out_of_narrower = 0
    for values, low, high in states_and_bounds(1500, ORDERED):
        seen += values.numel()
        out += outside(values, low, high)
        out_of_narrower += outside(values, *narrowed(low, high))
    assert seen >= 1_000_000
    assert out == 0
    assert out_of_narrower > seen / 10


def test_a_slack_below_zero_is_caught_in_the_units_too(monkeypatch):
    monkeypatch.setattr(reference, "RELATIVE", -(2.0**-20))
    assert all(outside(*each) for each in states_and_bounds(100, steps=3))


def test_an_interval_holds_what_begins_inside_it_and_not_what_begins_elsewhere():
    """Begun from part of the cube, the intervals hold the nets begun there; others escape."""
    net, runs = A1(2), 500
    theta = guess.weights(net, 7, torch.arange(runs), dtype=torch.float32)
    w = theta.new_zeros(3, 5, runs)
    w[tuple(torch.tensor(net.wiring).T)] = theta
    begin = torch.stack((torch.full((3, runs), 0.2), torch.full((3, runs), 0.3)))
    low, high = reference.step(w, torch.tensor(1.0), begin[:, :2], begin[:, 2], ORDERS[net.order])[0]
    for value, held in ((0.2, True), (0.25, True), (0.3, True), (0.1, False), (0.5, False)):
        units = torch.full((3, runs), value)
        h, _ = guess.reference.step(w, torch.tensor(1.0), units[:2], units[2], ORDERS[net.order])
        assert (outside(h, low, high) == 0) == held


# --- why sums need no slack ---


def chain(weights, values, fused):
    """w_1 y_1 + w_2 y_2 + … in single precision, from left to right, each product rounded or not."""
    total = np.float32(0)
    for w, y in zip(weights, values, strict=True):
        if (
            fused
        ):  # the product is exact in double precision; two roundings one after the other are monotone too
            total = np.float32(np.float64(w) * np.float64(y) + np.float64(total))
        else:
            total = np.float32(total + np.float32(w * y))
    return total


def held(weights, values, low, high, fused, choose=lambda w, low, high: low if w > 0 else high):
    """Does the chain of the values lie between those of the ends chosen by the weights' signs?"""
    least = [choose(w, *ends) for w, *ends in zip(weights, low, high, strict=True)]
    most = [choose(-w, *ends) for w, *ends in zip(weights, low, high, strict=True)]
    return chain(weights, least, fused) <= chain(weights, values, fused) <= chain(weights, most, fused)


singles = st.floats(-(2.0**17), 2.0**17, width=32)
units = st.floats(0, 1, width=32)


@given(st.lists(st.tuples(singles, st.tuples(units, units, units)), min_size=1, max_size=13), st.booleans())
def test_rounding_keeps_the_order_of_sums(terms, fused):
    weights = [np.float32(w) for w, _ in terms]
    low, values, high = zip(*(map(np.float32, sorted(three)) for _, three in terms), strict=True)
    assert held(weights, values, low, high, fused)


@pytest.mark.parametrize("fused", [False, True])
def test_order_is_lost_without_the_signs_or_with_another_order_of_terms(fused):
    """The same question to 2000 sums of 13 terms, of which the middle is one end or the other."""
    u = philox.uniform(1, torch.arange(2000), torch.arange(26)[:, None], Purpose.TASK, torch.float32).numpy()
    weights, ends = 200 * u[0, :13].T - 100, np.sort(u[1:3, :13], axis=0)
    low, high = (each.T for each in ends)
    values = np.where(u[3, :13].T > 0.5, low, high)
    assert all(held(*case, fused) for case in zip(weights, values, low, high, strict=True))
    unsigned = [
        held(*case, fused, lambda w, low, high: low) for case in zip(weights, values, low, high, strict=True)
    ]
    assert not all(unsigned)
    # Of a point, the sum from right to left is another one.
    turned = [
        chain(w, y, fused) == chain(w[::-1], y[::-1], fused) for w, y in zip(weights, values, strict=True)
    ]
    assert not all(turned)


# --- how far from monotone the logistic function is ---


def floats(first, count):
    """The floats of these numbers, in order of size."""
    number = torch.arange(first, first + count)
    return number.abs().int().view(torch.float32) * number.sign()


@pytest.mark.parametrize("around", [0.001, 1.0, -1.0, 16.0, -16.0, -44.0, -1000.0, 1e6, -1e6])
def test_the_slack_is_enough_for_floats_in_a_row_and_one_below_zero_is_not(around, face):
    count = 20_000
    first = int(torch.tensor(abs(around)).view(torch.int32)) * (1 if around > 0 else -1)
    given = floats(first, count)
    assert given[0] == torch.tensor(around) and (given.diff() > 0).all()
    most, most_low, least, least_high, wrong = sieve.slack(first, count).tolist()
    assert wrong == 0
    assert most_low < most and least < least_high
    # The same from what one unit with nothing but a bias answers.
    y = guess.ends(CONSTANT, given[None], torch.zeros(1, 1), torch.tensor([1]))[0]
    assert (most, least) == (float(y.max()), float(y.min()))
    none = sieve.slack(first, count, 0.0, 0.0)
    assert none[0] == none[1] and none[2] == none[3]
    assert none[4] == (y.cummax(0).values > y).sum()
    assert sieve.slack(first, count, -(2.0**-20), 0.0)[4] == (y > 0).sum()  # the count can tell


@pytest.mark.parametrize(
    ("first", "count"), [(0, 0), (-sieve.LAST - 1, 5), (sieve.LAST, 2), (sieve.LAST + 1, 1)], ids=str
)
def test_floats_that_the_logistic_function_does_not_take_are_named(first, count):
    with pytest.raises(
        ValueError, match=f"floats {first} … {first + count - 1}: numbers within ±{sieve.LAST}"
    ):
        sieve.slack(first, count)
    assert floats(sieve.LAST, 1) == guess.REACH


# --- boxes are not too wide ---


@orders
def test_most_nets_cannot_answer_both_classes_after_a_word_of_three(order):
    low, high = sieve.boxes(replace(A2, order=order), 1, torch.arange(4000), SIGNS).unbind(1)
    excluded = (low > 0.1) | (high < 0.9)
    assert excluded.float().mean() > {"synchronous": 0.55}.get(order, 0.7)
    assert (low <= 0.1).any() and (high >= 0.9).any()


def test_a_net_that_sees_nothing_is_known_to_the_slack(face):
    ids = torch.arange(500)
    y = guess.guess(CONSTANT, 1, ids, torch.zeros(1, 1), torch.tensor([1]))
    assert torch.equal(y[0], guess.guess(CONSTANT, 1, ids, torch.zeros(1, 9), torch.tensor([9]))[0])
    low, high = sieve.boxes(CONSTANT, 1, ids, SIGNS).unbind(1)
    assert outside(y, low, high) == 0
    assert (low < y).all() and (high > y).all()
    for bound, sign in ((low, -1), (high, 1)):
        expected = y.double() * (1 + sign * 2.0**-20) + sign * 2.0**-60
        torch.testing.assert_close(bound.double(), expected.expand(8, -1), rtol=2.0**-23, atol=2.0**-82)


def test_the_box_of_a_net_that_sees_itself_alone_is_what_becomes_of_0_and_1(face):
    """o(t) = f(w o(t - 1)) is monotone in o: the ends of an interval go to the ends of the next."""
    ids = torch.arange(500)
    w = guess.weights(ECHO, 1, ids, span=30.0)[0]
    ends = torch.stack((torch.zeros_like(w), torch.ones_like(w)))
    for length in range(1, 5):
        ends = torch.sigmoid(w * ends).sort(0).values
        found = sieve.boxes(ECHO, 1, ids, torch.zeros(1, length), span=30.0)[0].double()
        torch.testing.assert_close(
            found, ends, rtol=1e-3, atol=1e-12
        )  # f(w y) of |w| < 30 stretches the slack


# --- what boxes decide ---


def within_reach(net, ids, words, asked, tolerance):
    """Which nets' boxes come within the tolerance of all that is asked."""
    low, high = sieve.boxes(net, 1, ids, words).unbind(1)
    near = ((low - asked[..., None] < tolerance) & (high - asked[..., None] > -tolerance)).flatten(0, 1)
    return near.all(0)


@nets
@pytest.mark.parametrize("count", [1, 3])
def test_possible_is_what_has_all_that_is_asked_within_reach_of_its_boxes(net, count, face):
    asked = torch.tensor([[0.0, 1.0, 0.3], [1.0, 1.0, 0.7]])
    for ids in (2**33 + torch.arange(1000), torch.arange(1)):
        for words, tolerance in ((SIGNS[2:5], 0.1), (SIGNS[:3], 0.4)):
            found = threaded(count, sieve.possible, net, 1, ids, words, asked, tolerance=tolerance)
            assert torch.equal(found, within_reach(net, ids, words, asked, tolerance))
    assert sieve.possible(net, 1, torch.arange(1000), SIGNS[:1], asked[:, :1]).float().mean() < 0.5


def test_each_word_alone_may_reject(face):
    ids, asked = torch.arange(500), torch.tensor([[0.0] * 4, [1.0] * 4])
    whole = sieve.possible(A2, 1, ids, SIGNS[1:5], asked)
    parts = [sieve.possible(A2, 1, ids, SIGNS[k : k + 1], asked[:, :1]) for k in range(1, 5)]
    assert torch.equal(whole, torch.stack(parts).all(0))
    assert all((whole != torch.stack(parts[:k] + parts[k + 1 :]).all(0)).any() for k in range(4))


# --- how long nets stand: states followed against steps computed ---


def coded(alphabet, lengths, number):
    """Sequences of symbols that are right if the output tells the last one: the arguments of `stood`."""
    address = number, torch.arange(len(lengths))[:, None], torch.arange(max(lengths)), Purpose.TASK
    symbols = (philox.uniform(*address)[0] * len(alphabet)).to(torch.uint8)
    lengths, values = torch.tensor(lengths), torch.tensor(alphabet)
    last = values[symbols[torch.arange(len(lengths)), lengths - 1].int()]
    return symbols, values, lengths, (last > 0).float()


def step_by_step(net, seed, ids, symbols, alphabet, lengths, targets, *, span=100.0, tolerance=0.1):
    """The same count by nets that are run, each step of each."""
    shown = Lessons(alphabet[symbols.int()][..., None], lengths, targets)
    return random_search.stood(net, seed, ids, shown, span=span, tolerance=tolerance)


ALPHABETS = {1: [0.7], 2: [-1.0, 1.0], 3: [-1.0, 0.0, 1.0], 4: [-1.5, -0.5, 0.25, 1.0]}
MIXED = (5, 40, 1, 12, 23, 8, 40, 17)  # lengths


@compiled
@pytest.mark.parametrize("symbols", ALPHABETS)
@orders
def test_states_lead_where_steps_lead(symbols, order):
    shown, runs = coded(ALPHABETS[symbols], MIXED, symbols), 0
    for number, net in enumerate(replace(net, order=order) for net in NETS.values()):
        ids = number * 2**40 + torch.arange(2000)
        for options in ({}, {"span": 10.0, "tolerance": 0.5}):
            count = sieve.stood(net, 3, ids, *shown, **options)
            assert torch.equal(count, step_by_step(net, 3, ids, *shown, **options))
            assert count.min() == 0 and count.max() == len(MIXED)
            runs += len(count)
    assert runs * len(ALPHABETS) * len(ORDERS) >= 20_000


@compiled
@orders
def test_states_lead_where_steps_lead_in_sequences_as_long_as_those_of_1996(order):
    shown = coded(ALPHABETS[2], (500, 600, 550, 523), 1)
    for net in USUAL:
        ids = torch.arange(700)
        count = sieve.stood(replace(net, order=order), 3, ids, *shown)
        assert torch.equal(count, step_by_step(replace(net, order=order), 3, ids, *shown))


@compiled
@nets
def test_the_compiled_count_is_the_reference_s(net):
    shown, ids = coded(ALPHABETS[3], MIXED, 1), torch.arange(1000)
    for order in ("hidden first", "synchronous"):
        count = sieve.stood(replace(net, order=order), 3, ids, *shown)
        expected = reference.stood(3, ids, *shown, *wiring(replace(net, order=order)), 100.0, 0.1)
        assert (
            count != expected
        ).sum() <= 1  # an answer at the edge of what is right is rounded this way or that


def states(net, ids, inputs, span):
    """How many different outputs, and so at least how many states, each net has in one sequence: int64 (B,)."""
    steps = len(inputs)
    outputs = guess.guess(net, 3, ids, inputs.expand(steps, -1), 1 + torch.arange(steps), span=span)
    return torch.tensor([len(column.unique()) for column in outputs.T])


@compiled
@pytest.mark.parametrize("net", [A1(1), A1(3), A2], ids=["A1(1)", "A1(3)", "A2"])
def test_nets_with_more_states_than_there_are_numbers_are_run(net):
    ids, shown = torch.arange(200), coded(ALPHABETS[2], (600, 300, 40, 600), 4)
    many = states(net, ids, shown[1][shown[0][1, :300].int()], SOFT)
    assert (many > 280).sum() > 40  # and whole blocks of such nets:
    for some in (ids, ids[many > 280], ids[many > 280][:1].expand(70)):
        for tolerance in (0.3, 0.7, 1.1):  # the last lets every net pass
            found = sieve.stood(net, 3, some, *shown, span=SOFT, tolerance=tolerance)
            expected = step_by_step(net, 3, some, *shown, span=SOFT, tolerance=tolerance)
            assert torch.equal(found, expected)


@compiled
@pytest.mark.parametrize("last", range(251, 259))
def test_the_last_state_that_has_a_number_is_no_exception(last):
    """Sequences that begin alike and end one step later each, about the 255th state of nets that never repeat one."""
    ids, net = torch.arange(60), A1(2)
    symbols, alphabet, _, _ = coded(ALPHABETS[2], (265,), 4)
    ids = ids[states(net, ids, alphabet[symbols[0].int()], SOFT) == 265]
    lengths = torch.tensor([last, last + 1, last, last + 2, last + 1])
    outputs = guess.guess(net, 3, ids, alphabet[symbols.int()].expand(5, -1).contiguous(), lengths, span=SOFT)
    assert len(ids) >= 5
    for n, own in enumerate(outputs.T):  # what this very net answers, to the last bits
        shown = symbols.expand(5, -1).contiguous(), alphabet, lengths, own.contiguous()
        found = sieve.stood(net, 3, ids, *shown, span=SOFT, tolerance=1e-7)
        assert found[n] == 5
        assert torch.equal(found, step_by_step(net, 3, ids, *shown, span=SOFT, tolerance=1e-7))


@compiled
@nets
def test_a_net_stands_as_long_alone_in_a_crowd_and_on_several_threads(net):
    ids, shown = 5 * 2**32 + torch.arange(300) * 2**33, coded(ALPHABETS[2], MIXED, 2)
    found = [threaded(count, sieve.stood, net, 1, ids, *shown) for count in (1, 3)]
    assert torch.equal(*found)
    for n in (0, 41, 299):
        assert sieve.stood(net, 1, ids[n : n + 1], *shown) == found[0][n]
    assert torch.equal(sieve.stood(net, 1, ids.flip(0), *shown), found[0].flip(0))
    assert torch.equal(sieve.stood(net, 1, ids[[7, 7, 3]], *shown), found[0][[7, 7, 3]])
    assert threaded(3, sieve.stood, net, 1, ids[:2], *shown).tolist() == found[0][:2].tolist()


def test_what_comes_after_the_end_of_a_sequence_does_not_matter(face):
    symbols, alphabet, lengths, targets = coded(ALPHABETS[3], MIXED, 1)
    other = torch.where(torch.arange(40) < lengths[:, None], symbols, (symbols + 1) % 3)
    assert not torch.equal(symbols, other)
    assert torch.equal(
        *(
            sieve.stood(A1(2), 1, torch.arange(200), each, alphabet, lengths, targets)
            for each in (symbols, other)
        )
    )


def test_right_is_what_is_nearer_than_the_tolerance(face):
    """o = f(bias): a tolerance of the error itself is too small, the next number is enough."""
    ids, symbols = torch.arange(100), torch.zeros(1, 1, dtype=torch.uint8)
    shown = symbols, torch.zeros(1), torch.tensor([1]), torch.zeros(1)
    outputs = guess.guess(CONSTANT, 1, ids, torch.zeros(1, 1), torch.tensor([1]), span=3.0)[0]
    for n, error in enumerate(outputs[:20].tolist()):
        above = float(np.nextafter(np.float32(error), np.float32(2)))
        for tolerance, count in ((error, 0), (above, 1)):
            assert sieve.stood(CONSTANT, 1, ids, *shown, span=3.0, tolerance=tolerance)[n] == count


# --- other processors, no compiler, and torch ---


@compiled
def test_a_build_without_fused_multiply_add_decides_alike(build):
    ids, words, found = torch.arange(2000), drawn("signs", 4, 3, 1), {}
    shown = coded(ALPHABETS[2], MIXED, 2)
    for march in ("native", "x86-64"):
        build(LLTD_MARCH=march)
        found[march] = [sieve.stood(net, 3, ids, *shown) for net in NETS.values()]
        for net, count in zip(NETS.values(), found[march], strict=True):
            assert torch.equal(count, step_by_step(net, 3, ids, *shown))
            assert_same_boxes(net, 65, words)
        assert not any(outside(*each) for each in outputs_and_bounds(500))
    differ = sum(int((a != b).sum()) for a, b in zip(*found.values(), strict=True))
    assert differ <= len(NETS) * len(ids) / 1000


@nets
def test_no_nets_no_words_and_no_sequences_are_no_trouble(net, face):
    ids, shown = torch.arange(5), coded(ALPHABETS[2], MIXED, 1)
    assert sieve.boxes(net, 1, ids[:0], SIGNS).shape == (8, 2, 0)
    assert sieve.boxes(net, 1, ids, SIGNS[:0]).shape == (0, 2, 5)
    assert sieve.possible(net, 1, ids[:0], SIGNS, torch.zeros(2, 8)).shape == (0,)
    assert sieve.possible(net, 1, ids, SIGNS[:0], torch.zeros(2, 0)).all()
    assert sieve.possible(net, 1, ids, SIGNS, torch.zeros(0, 8)).all()
    assert sieve.stood(net, 1, ids[:0], *shown).shape == (0,)
    symbols, alphabet, lengths, targets = shown
    none = sieve.stood(net, 1, ids, symbols[:0], alphabet, lengths[:0], targets[:0])
    assert none.tolist() == [0] * 5 and none.dtype == torch.int64


def test_ops_are_registered_as_torch_wants_them(face):
    ids, behind = torch.arange(5), (*wiring(A1(2)), 100.0)
    for words in (SIGNS, torch.stack((SIGNS, SIGNS), dim=2)[..., 0]):
        opcheck(sieve.BOXES.registered, (1, ids, words, *behind))
    opcheck(sieve.POSSIBLE.registered, (1, ids, SIGNS, torch.zeros(2, 8), *behind, 0.1))
    opcheck(sieve.STOOD.registered, (1, ids, *coded(ALPHABETS[2], (5, 9, 3), 1), *behind, 0.1))


# --- bad arguments ---

DRAWS = [
    ({"seed": -1}, ValueError, "seed is -1"),
    ({"seed": 2**63}, ValueError, "seed is 9223372036854775808"),
    ({"ids": torch.zeros(3)}, TypeError, r"ids is torch.float32 \(3,\): int64 of shape \(nets,\)"),
    ({"ids": torch.tensor([0, -3])}, ValueError, "ids has -3: no number of a guess is negative"),
    ({"span": 0.0}, ValueError, "span is 0.0"),
    ({"span": 2.0**21}, ValueError, "span is 2097152.0"),
]


BAD_WORDS = pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        *DRAWS,
        ({"words": torch.ones(2, 3).double()}, TypeError, "words is torch.float64: float32 is needed"),
        ({"words": torch.ones(2, 3).int()}, TypeError, "words is torch.int32: float32 is needed"),
        ({"words": torch.ones(3)}, TypeError, r"torch.float32 \(3,\): real \(sequences, steps\)"),
        ({"words": torch.ones(2, 0)}, ValueError, "lengths lie in 0 … 0"),
        ({"words": torch.full((2, 3), 1e6)}, ValueError, r"net inputs up to 1e\+08: less than 2097152"),
        ({"words": torch.full((2, 3), math.nan)}, ValueError, "net inputs up to nan"),
        ({"words": torch.ones(2, 3, device="meta")}, ValueError, "lie on meta, meta: cpu is needed"),
    ],
)


@BAD_WORDS
def test_bad_arguments_of_boxes_are_named(change, error, message):
    good = {"net": A1(1), "seed": 1, "ids": torch.arange(3), "words": SIGNS}
    with pytest.raises(error, match=message):
        sieve.boxes(**{**good, **change})


@BAD_WORDS
def test_bad_words_to_be_judged_by_are_named(change, error, message):
    good = {"net": A1(1), "seed": 1, "ids": torch.arange(3), "words": SIGNS, "asked": torch.zeros(2, 8)}
    with pytest.raises(error, match=message):
        sieve.possible(**{**good, **change})


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        (torch.zeros(2, 8).double(), TypeError, "asked is torch.float64: float32 is needed"),
        (torch.zeros(8), ValueError, r"asked is \(8,\) on cpu: \(targets, 8\) on cpu is needed"),
        (torch.zeros(2, 7), ValueError, r"asked is \(2, 7\) on cpu: \(targets, 8\) on cpu is needed"),
        (torch.zeros(2, 8, device="meta"), ValueError, "on meta: .* on cpu is needed, as words has"),
    ],
)
def test_bad_targets_of_words_are_named(asked, error, message):
    with pytest.raises(error, match=message):
        sieve.possible(A1(1), 1, torch.arange(3), SIGNS, asked)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        *DRAWS,
        ({"alphabet": torch.ones(2).double()}, TypeError, "alphabet is torch.float64: float32 is needed"),
        ({"alphabet": torch.ones(0)}, ValueError, "alphabet has 0 symbols: between 1 and 4 are possible"),
        ({"alphabet": torch.ones(5)}, ValueError, "alphabet has 5 symbols: between 1 and 4 are possible"),
        ({"alphabet": torch.tensor([0.0, 1e6])}, ValueError, r"net inputs up to 1e\+08"),
        (
            {"symbols": torch.ones(3, 4).long()},
            ValueError,
            "symbols is torch.int64: places in an alphabet of 2",
        ),
        (
            {"symbols": torch.full((3, 4), 2).byte()},
            ValueError,
            "symbols is torch.uint8: places in an alphabet",
        ),
        ({"symbols": torch.ones(3).byte()}, TypeError, r"torch.float32 \(3,\): real \(sequences, steps\)"),
        ({"targets": torch.ones(3).double()}, TypeError, "targets is torch.float64: float32 is needed"),
        ({"targets": torch.ones(2)}, ValueError, r"targets is \(2,\): \(3,\) is needed, as lengths has"),
        ({"lengths": torch.ones(3)}, TypeError, r"lengths is torch.float32 \(3,\): int64 of \(3,\)"),
        ({"lengths": torch.tensor([4, 0, 1])}, ValueError, "lengths lie in 0 … 4: whole numbers in 1 … 4"),
        ({"lengths": torch.tensor([4, 5, 1])}, ValueError, "lengths lie in 1 … 5"),
        ({"lengths": torch.ones(3, device="meta").long()}, ValueError, "lie on cpu, meta: cpu is needed"),
    ],
)
def test_bad_arguments_of_stood_are_named(change, error, message):
    good = {"net": A1(1), "seed": 1, "ids": torch.arange(3), "symbols": torch.ones(3, 4).byte()}
    good |= {
        "alphabet": torch.tensor([-1.0, 1.0]),
        "lengths": torch.tensor([4, 2, 1]),
        "targets": torch.ones(3),
    }
    assert sieve.stood(**good).shape == (3,)
    with pytest.raises(error, match=message):
        sieve.stood(**{**good, **change})
