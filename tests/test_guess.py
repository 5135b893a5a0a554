"""The kernel of guessed nets: the reference against loops and exact numbers, C++ against the reference."""

import math
from dataclasses import replace
from importlib.util import find_spec
from itertools import product

import mpmath
import pytest
import torch
from drawn import avx2, compiled
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch._subclasses import FakeTensorMode
from torch.library import opcheck

from lltd import philox, tasks
from lltd.kernels import guess
from lltd.kernels.guess import A1, A2, ORDERS, Topology, reference
from lltd.philox import Purpose

DTYPES = (torch.float64, torch.float32)
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
orders = pytest.mark.parametrize("order", ORDERS)
NO_LOOPS = replace(A2, loops=False)
NETS = {"A1(1)": A1(1), "A1(3)": A1(3), "A2": A2, "A2 without loops": NO_LOOPS}
nets = pytest.mark.parametrize("net", NETS.values(), ids=NETS)
# Rounding grows from step to step, by up to span / 4 for each unit that is seen: a small span keeps faces close.
CALM = 2.0
CLOSE = {torch.float64: {"rtol": 1e-10, "atol": 1e-12}, torch.float32: {"rtol": 1e-2, "atol": 1e-5}}
LAST_BITS = {
    torch.float64: 2.0**-52,
    torch.float32: 2.0**-23,
}  # of the logistic function, as logistic.hpp says


@pytest.fixture(params=["cpu.cpp", "reference"])
def face(request, build):
    """Each face in turn."""
    if request.param == "reference":
        build(LLTD_NO_COMPILER=1)
    elif guess.face(torch.zeros(1, 1)) != request.param:
        pytest.skip("no C++ compiler")


def shown(dtype=torch.float64, lengths=(7, 1, 4)):
    """Sequences of inputs around ±1, and their lengths."""
    u = philox.uniform(3, torch.arange(len(lengths))[:, None], torch.arange(max(lengths)), Purpose.TASK)
    return ((u[0] > 0.5).to(dtype) * 2 - 1 + (u[1].to(dtype) - 0.5) / 4), torch.tensor(lengths)


def arguments(net, ids, inputs, lengths, span=CALM, seed=1):
    """Arguments of the op."""
    wiring = torch.tensor(net.wiring)
    return seed, ids, inputs, lengths, wiring, net.hidden, ORDERS[net.order], span


# --- what a net is ---


def test_the_nets_of_1996_have_7_and_52_weights():
    assert A1(1).weights == 7 and A2.weights == 52
    assert [A1(n).weights for n in (2, 3)] == [14, 23] and NO_LOOPS.weights == 42


def test_weights_are_drawn_hidden_units_first_and_from_outside_in():
    assert A1(1).wiring == ((0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 2), (1, 3))
    hidden = [(i, source) for i in range(10) for source in (0, 1, 2, 3 + i)]
    output = [(10, 0), (10, 1), *((10, 3 + j) for j in range(10))]
    assert A2.wiring == (*hidden, *output)
    assert NO_LOOPS.wiring == (*(wire for wire in hidden if wire[1] < 3), *output)
    every = Topology(2, output_bias=True).wiring
    assert every == tuple((to, source) for to in range(3) for source in range(5))


def by_hand(net, w, sequence):
    """What one net answers, in Python's numbers, written from the paper's words; w: its weights in their order."""
    n, w = net.hidden, iter(w)
    hidden = []
    for i in range(n):
        from_input, bias, from_output = next(w), next(w), next(w)
        others = {j: next(w) for j in range(n) if (net.loops if j == i else net.dense)}
        hidden.append((from_input, bias, from_output, others))
    direct, bias_o, loop = (next(w) if has else 0 for has in (net.direct, net.output_bias, net.output_loop))
    from_hidden = [next(w) for _ in range(n)]
    assert not list(w)
    h, o = [0.0] * n, 0.0
    for x in sequence:
        before = list(h)
        for i, (from_input, bias, from_output, others) in enumerate(hidden):
            total = from_input * x + bias + from_output * o
            for j, weight in others.items():
                total += weight * (h[j] if net.order == "one by one" else before[j])
            h[i] = 1 / (1 + math.exp(-total))
        seen = before if net.order == "synchronous" else h
        total = direct * x + bias_o + loop * o
        for weight, y in zip(from_hidden, seen, strict=True):
            total += weight * y
        o = 1 / (1 + math.exp(-total))
    return o


@settings(max_examples=60)
@given(
    st.integers(0, 10), st.tuples(*[st.booleans()] * 5), st.sampled_from(list(ORDERS)), st.integers(0, 2**62)
)
def test_a_net_answers_as_a_loop_written_by_hand(hidden, flags, order, number):
    assume(hidden or any(flags[2:]))
    net, (inputs, lengths), ids = Topology(hidden, *flags, order=order), shown(), torch.tensor([number])
    w = guess.weights(net, 1, ids, span=CALM)[:, 0].tolist()
    expected = [by_hand(net, w, inputs[s, : lengths[s]].tolist()) for s in range(3)]
    for answers in (
        guess.guess(net, 1, ids, inputs, lengths, span=CALM),
        reference.guess(*arguments(net, ids, inputs, lengths)),
    ):
        torch.testing.assert_close(answers[:, 0], inputs.new_tensor(expected), **CLOSE[torch.float64])


@nets
def test_what_comes_after_the_end_of_a_sequence_does_not_matter(net, face):
    inputs, lengths = shown()
    after = torch.arange(7) >= lengths[:, None]
    ids, other = torch.arange(40), torch.where(after, -3 * inputs, inputs)
    assert not torch.equal(inputs, other)
    assert torch.equal(*(guess.guess(net, 1, ids, values, lengths, span=CALM) for values in (inputs, other)))


@pytest.mark.parametrize("loops", [True, False])
def test_hidden_units_that_do_not_see_one_another_may_be_updated_in_any_order(loops, face):
    first, one_by_one = (
        Topology(5, dense=False, loops=loops, order=order) for order in ("hidden first", "one by one")
    )
    inputs, lengths = shown()
    assert torch.equal(
        *(guess.guess(net, 1, torch.arange(40), inputs, lengths) for net in (first, one_by_one))
    )


# --- weights ---


@pytest.mark.parametrize("span", [100.0, 0.1, 1000.0])
def test_weights_are_philox_numbers_rounded_once(span):
    ids = torch.arange(500) * 2**40 + 7
    w = guess.weights(A2, 2**62 + 5, ids, span=span)
    for p in range(52):
        word = philox.block(2**62 + 5, ids, p // 4, Purpose.SEARCH)[p % 4]
        between = (2 * (word >> 9) + 1 - 2**23).double() / 2**23  # 2u - 1
        single = torch.tensor(span, dtype=torch.float32).double()
        exact = single * between  # 24 bits by 24
        assert torch.equal(w[p], exact.float().double())
    assert torch.equal(w, guess.weights(A2, 2**62 + 5, ids, span=span, dtype=torch.float32).double())


def test_weights_fill_the_interval_evenly():
    w = guess.weights(A1(1), 1, torch.arange(100_000)).flatten()
    assert w.abs().max() < 100 and w.max() > 99.9 and w.min() < -99.9
    expected = len(w) / 20
    chi_squared = ((torch.histc(w, 20, -100, 100) - expected) ** 2 / expected).sum()
    assert chi_squared < 19 + 5 * math.sqrt(2 * 19)  # mean and standard deviation for 19 degrees of freedom


@nets
@dtypes
def test_a_guessed_net_is_the_net_with_its_weights(net, dtype, face):
    ids, (inputs, lengths) = torch.arange(130), shown(dtype)
    for span in (100.0, 0.1):
        theta = guess.weights(net, 9, ids, span=span, dtype=dtype)
        guessed = guess.guess(net, 9, ids, inputs, lengths, span=span)
        assert torch.equal(guessed, guess.ends(net, theta, inputs, lengths))


# --- one face against the other, and against itself ---


@compiled
@orders
@dtypes
def test_the_compiled_face_equals_the_reference(order, dtype):
    flags = list(product((False, True), repeat=3))  # output_bias, output_loop, direct
    for number, (hidden, dense, runs) in enumerate(product(range(11), (False, True), (1, 63, 64, 65, 300))):
        if not hidden and number % 8 == 0:
            continue  # that net has no weights
        net = Topology(hidden, dense, number % 3 > 0, *flags[number % 8], order=order)
        called = arguments(net, torch.arange(runs) + 10**12, *shown(dtype), seed=2**62 + 5)
        torch.testing.assert_close(guess.GUESS(*called), reference.guess(*called), **CLOSE[dtype])


@compiled
@nets
@dtypes
def test_a_net_has_the_same_bits_alone_in_a_crowd_and_on_several_threads(net, dtype):
    ids, (inputs, lengths) = 5 * 2**32 + torch.arange(300) * 2**33, shown(dtype)
    threads, found = torch.get_num_threads(), {}
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            found[count] = guess.guess(net, 1, ids, inputs, lengths)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(found[1], found[3])
    for first, count in (
        (0, 1),
        (41, 1),
        (299, 1),
        *((40, 2**k + more) for k in range(1, 8) for more in (-1, 0)),
    ):
        some = slice(first, first + count)  # few nets run side by side, many on one sequence after the other
        assert torch.equal(guess.guess(net, 1, ids[some], inputs, lengths), found[1][:, some])
    assert torch.equal(guess.guess(net, 1, ids.flip(0), inputs, lengths), found[1].flip(1))
    assert torch.equal(guess.guess(net, 1, ids, inputs[1:2], lengths[1:2]), found[1][1:2])


@compiled
@avx2
@dtypes
def test_builds_for_other_processors_agree(dtype, build):
    called, bits = [arguments(net, torch.arange(100), *shown(dtype)) for net in NETS.values()], {}
    for march in ("native", "x86-64-v3", "x86-64"):
        build(LLTD_MARCH=march)
        bits[march] = [guess.GUESS(*each) for each in called]
        assert logistic_error(dtype) < LAST_BITS[dtype]
        for each, found in zip(called, bits[march], strict=True):
            torch.testing.assert_close(found, reference.guess(*each), **CLOSE[dtype])
    # The width of a register never matters, fused multiply-adds do.
    assert all(map(torch.equal, bits["native"], bits["x86-64-v3"]))


def test_without_a_compiler_the_reference_does_the_work(build):
    build(LLTD_NO_COMPILER=1)
    ids, (inputs, lengths) = torch.arange(20), shown()
    assert guess.face(inputs) == "reference"
    expected = reference.guess(*arguments(A1(2), ids, inputs, lengths, span=100.0))
    assert torch.equal(guess.guess(A1(2), 1, ids, inputs, lengths), expected)


def test_on_a_gpu_triton_serves_if_it_is_there():
    with FakeTensorMode():
        inputs = torch.empty(2, 3, device="cuda")
    assert guess.face(inputs) == ("cuda.py" if find_spec("triton") else "reference")


@dtypes
def test_ops_are_registered_as_torch_wants_them(dtype, face):
    ids, (inputs, lengths) = torch.arange(5), shown(dtype)
    strided = torch.stack((inputs, inputs), dim=2)[..., 0]
    theta = guess.weights(A1(2), 1, ids, dtype=dtype)
    for values in (inputs, strided):
        called = arguments(A1(2), ids, values, lengths)
        opcheck(guess.GUESS.registered, called)
        opcheck(guess.ENDS.registered, (theta, *called[2:-1]))


@nets
def test_no_nets_and_no_sequences_are_no_trouble(net, face):
    inputs, lengths = shown()
    assert guess.guess(net, 1, torch.arange(0), inputs, lengths).shape == (3, 0)
    assert guess.ends(net, torch.empty(net.weights, 0, dtype=torch.float64), inputs, lengths).shape == (3, 0)
    assert guess.guess(net, 1, torch.arange(4), inputs[:0], lengths[:0]).shape == (0, 4)


# --- the logistic function ---


def logistic(a):
    """The logistic function as a face computes it: one unit with nothing but a bias, for one step."""
    net = Topology(0, output_bias=True, output_loop=False, direct=False)
    return guess.ends(net, a[None], a.new_zeros(1, 1), torch.ones(1, dtype=torch.int64))[0]


def logistic_error(dtype):
    """The largest error on a grid in ±200 that is denser about 0, and far outside."""
    fine = torch.linspace(-1, 1, 2001, dtype=torch.float64)
    far = fine.new_tensor([-1e6, -1e5, 1e5, 1e6])
    a = torch.cat((200 * fine, 45 * fine**3, far)).to(dtype)
    found = logistic(a)
    if dtype == torch.float64:
        with mpmath.workprec(120):
            exact = [1 / (1 + mpmath.exp(-mpmath.mpf(value))) for value in a.tolist()]
            return max(float(abs(y - one)) for y, one in zip(found.tolist(), exact, strict=True))
    return float((found.double() - torch.sigmoid(a.double())).abs().max())


@dtypes
def test_the_logistic_function_is_exact_to_the_last_bits(dtype, face):
    assert logistic_error(dtype) < LAST_BITS[dtype]


@compiled
def test_the_logistic_function_in_single_precision_on_a_dense_grid():
    a = torch.linspace(-200, 200, 2_000_001, dtype=torch.float64).float()
    found = logistic(a)
    assert (found.double() - torch.sigmoid(a.double())).abs().max() < LAST_BITS[torch.float32]
    assert logistic(torch.zeros(1)) == 0.5 and (found > 0).all() and (found <= 1).all()


# --- decisions ---


def presented(task, count=4):
    """Some sequences of a task as in 1996, inputs (count, 600), their lengths and classes."""
    options = {"first": 0, "count": count, "shortest": 500, "longest": 600}
    if task == "2-sequence":
        patterns = torch.tensor([[-1.0, 1.0]], dtype=torch.float64)
        found = tasks.two_sequence(1, torch.arange(1), patterns=patterns, noise=0.2, **options)
    else:
        found = tasks.parity(1, torch.arange(1), **options)
    return found.inputs[:, :, 0, 0], found.lengths[:, 0], found.classes[:, 0]


def decided(net, theta, inputs, lengths, classes):
    """Which answers are right, |o - target| < 0.1; bool (count, nets)."""
    return (guess.ends(net, theta, inputs.to(theta.dtype), lengths) - classes[:, None]).abs() < 0.1


def changed(net, theta, *sequences):
    """How many decisions differ from those of the same nets in double precision, and of how many."""
    ids = torch.arange(theta.shape[1])
    exact = decided(net, guess.weights(net, 1, ids), *sequences)
    return int((decided(net, theta, *sequences) != exact).sum()), exact.numel()


@compiled
@pytest.mark.parametrize("task", ["parity", "2-sequence"])
@pytest.mark.parametrize(("net", "count"), [(A1(1), 20_000), (A2, 5_000)], ids=["A1(1)", "A2"])
def test_single_precision_changes_hardly_a_decision_and_half_of_it_many(net, count, task):
    sequences = presented(task)
    theta = guess.weights(net, 1, torch.arange(count), dtype=torch.float32)
    differ, of = changed(net, theta, *sequences)
    assert of == 4 * count and differ <= of / 10_000
    rough = theta.bfloat16().float()  # weights of eight bits: the count can tell
    differ, of = changed(net, rough, *sequences)
    assert differ > of / 10_000
    # Counted again, by sequences and in another crowd.
    exact = guess.weights(net, 1, torch.arange(count))
    again = 0
    for s, half in product(range(4), (slice(None, 777), slice(777, None))):
        one = [value[s : s + 1] for value in sequences]
        again += int((decided(net, rough[:, half], *one) != decided(net, exact[:, half], *one)).sum())
    assert again == differ


# --- bad arguments ---


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden": -1}, "hidden is -1: between 0 and 10"),
        ({"hidden": 11}, "hidden is 11: between 0 and 10"),
        ({"order": "at random"}, "order is 'at random': one of hidden first, synchronous, one by one"),
        ({"hidden": 0, "direct": False, "output_loop": False}, "this net has no weights"),
    ],
)
def test_a_net_that_cannot_be_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        Topology(**{"hidden": 1, **change})


DRAWS = [
    ({"seed": -1}, ValueError, "seed is -1"),
    ({"seed": 2**63}, ValueError, "seed is 9223372036854775808"),
    ({"ids": torch.zeros(3)}, TypeError, r"ids is torch.float32 \(3,\): int64 of shape \(nets,\)"),
    ({"ids": torch.zeros(1, 3).long()}, TypeError, r"ids is torch.int64 \(1, 3\)"),
    ({"span": 0.0}, ValueError, "span is 0.0"),
    ({"span": math.nan}, ValueError, "span is nan"),
    ({"span": 2.0**21}, ValueError, "span is 2097152.0"),
    ({"ids": torch.tensor([0, -3])}, ValueError, "ids has -3: no number of a guess is negative"),
]
SEQUENCES = [
    (
        {"inputs": torch.ones(3, 4).long()},
        TypeError,
        r"inputs is torch.int64 \(3, 4\): real \(sequences, steps\)",
    ),
    ({"inputs": torch.ones(3)}, TypeError, r"inputs is torch.float32 \(3,\)"),
    ({"lengths": torch.ones(3)}, TypeError, r"lengths is torch.float32 \(3,\): int64 of \(3,\)"),
    ({"lengths": torch.ones(2).long()}, TypeError, r"lengths is torch.int64 \(2,\)"),
    ({"lengths": torch.tensor([4, 0, 1])}, ValueError, "lengths lie in 0 … 4: whole numbers in 1 … 4"),
    ({"lengths": torch.tensor([4, 5, 1])}, ValueError, "lengths lie in 1 … 5"),
    ({"lengths": torch.ones(3, device="meta").long()}, ValueError, "lie on cpu, meta: cpu is needed"),
    ({"inputs": torch.ones(3, 4, device="meta")}, ValueError, "lie on meta, cpu: cpu is needed"),
    ({"inputs": torch.full((3, 4), 1e6)}, ValueError, r"net inputs up to 1e\+08: less than 2097152"),
    ({"inputs": torch.full((3, 4), math.nan)}, ValueError, "net inputs up to nan"),
]


@pytest.mark.parametrize(("change", "error", "message"), DRAWS)
def test_bad_arguments_of_weights_are_named(change, error, message):
    with pytest.raises(error, match=message):
        guess.weights(**{"net": A1(1), "seed": 1, "ids": torch.arange(3), **change})


@pytest.mark.parametrize(("change", "error", "message"), [*DRAWS, *SEQUENCES])
def test_bad_arguments_of_guess_are_named(change, error, message):
    good = {"net": A1(1), "seed": 1, "ids": torch.arange(3)}
    good |= {"inputs": torch.ones(3, 4), "lengths": torch.tensor([4, 2, 1])}
    with pytest.raises(error, match=message):
        guess.guess(**{**good, **change})


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        *(case for case in SEQUENCES if case[0].get("inputs", torch.ones(1)).is_floating_point()),
        (
            {"theta": torch.zeros(6, 2)},
            TypeError,
            r"theta is torch.float32 \(6, 2\): torch.float32 \(7, nets\)",
        ),
        ({"theta": torch.zeros(7)}, TypeError, r"theta is torch.float32 \(7,\)"),
        (
            {"theta": torch.zeros(7, 2).double()},
            TypeError,
            r"theta is torch.float64 .*torch.float32 \(7, nets\)",
        ),
        ({"theta": torch.full((7, 2), math.inf)}, ValueError, "net inputs up to inf"),
    ],
)
def test_bad_arguments_of_ends_are_named(change, error, message):
    good = {"net": A1(1), "theta": torch.full((7, 2), 100.0)}
    good |= {"inputs": torch.ones(3, 4), "lengths": torch.tensor([4, 2, 1])}
    with pytest.raises(error, match=message):
        guess.ends(**{**good, **change})
