"""The kernel of small nets: the reference against loops, autograd and theory, C++ against the reference."""

import math
from itertools import product

import pytest
import torch
from drawn import compiled
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.library import opcheck

from lltd.kernels import small_net
from lltd.kernels.small_net import Net, reference
from lltd.philox import Purpose, integers, normal

# One unit with its noise added to it, five that all feed all, and two in order: the sizes of the problems of 1994.
LATCH = Net(units=1, inputs=3, output=0, wiring=((0, 0), (0, 3), (0, 4)), entry=0)
TWO_SEQUENCE = Net(units=5, inputs=1, output=4, wiring=tuple(product(range(5), range(5))), entry=0)
PARITY = Net(units=2, inputs=1, output=1, wiring=((0, 4), (0, 0), (0, 1), (0, 5), (1, 4), (1, 2), (1, 1)))
CHAIN = Net(units=1, inputs=1, output=0, wiring=((0, 0), (0, 2), (0, 3)))  # a self-loop, an input, a bias
# Three units one after the other, each with an input of its own, and no loop: what feeds one feeds nothing else.
SERIES = Net(units=3, inputs=3, output=2, wiring=((0, 6), (1, 7), (1, 3), (2, 8), (2, 4)))
NETS = {"latch": LATCH, "2-sequence": TWO_SEQUENCE, "parity": PARITY, "chain": CHAIN, "series": SERIES}
nets = pytest.mark.parametrize("net", NETS.values(), ids=NETS)


@pytest.fixture(params=["cpu.cpp", "reference"])
def face(request, build):
    """Each face in turn."""
    if request.param == "reference":
        build(LLTD_NO_COMPILER=1)
    elif small_net.face(torch.zeros(1)) != request.param:
        pytest.skip("no C++ compiler")


def shown(net, runs=100, steps=12, sequences=None, scale=1.0, seed=1):
    """Normal weights (P, runs), normal inputs (sequences, steps, C, runs), lengths and targets ±1."""
    ids, count = torch.arange(runs), sequences or 1
    many = count * steps * net.inputs
    numbers = normal(seed, ids, torch.arange(net.weights + many)[:, None], Purpose.INITIAL)[0]
    whole = integers(seed, ids, torch.arange(count)[:, None], Purpose.TASK, torch.tensor(steps))
    theta, inputs = (
        scale * numbers[: net.weights],
        numbers[net.weights :].view(count, steps, net.inputs, runs),
    )
    lengths, targets = 1 + whole[0], 2 * (whole[1, 0] % 2).double() - 1
    return theta, *((inputs, lengths) if sequences else (inputs[0], lengths[0])), targets


def by_reference(name, net, *tensors, numbers=(), last=()):
    """What an op returns, from the reference alone."""
    entry = -1 if net.entry is None else net.entry
    return getattr(reference, name)(*tensors, net.table(), *numbers, net.units, entry, net.output, *last)


def errors(ours, theirs):
    """The distance of sums (…, P, B), relative to the largest of a run's weights."""
    return (ours - theirs).abs().amax(-2) / theirs.abs().amax(-2).clamp(min=1e-12)


# --- ends ---


def by_hand(net, f, w, u):
    """The end of one sequence u, a list of lists of inputs, in one of the first three nets, written out."""
    if net is LATCH:
        x = 0.0
        for noise, left, right in u:
            x = f(w[0] * x + w[1] * left + w[2] * right + noise)
        return x
    if net is PARITY:
        h = o = 0.0
        for (i,) in u:
            h = f(w[0] * i + w[1] * h + w[2] * o + w[3])
            o = f(w[4] * i + w[5] * h + w[6] * o)
        return o
    x = [0.0] * 5
    for (i,) in u:
        x = [f(sum(w[5 * to + j] * x[j] for j in range(5)) + (i if to == 0 else 0)) for to in range(5)]
    return x[4]


@pytest.mark.parametrize("net", [LATCH, PARITY, TWO_SEQUENCE])
@pytest.mark.parametrize("hard", [False, True])
def test_ends_are_those_of_a_loop_written_by_hand(net, hard, face):
    theta, inputs, lengths, _ = shown(net, runs=20, sequences=3)
    found = small_net.ends(net, theta, inputs, lengths, hard=hard)
    f = (lambda a: 1.0 if a >= 0 else -1.0) if hard else math.tanh
    expected = [
        [by_hand(net, f, theta[:, b].tolist(), inputs[s, : lengths[s, b], :, b].tolist()) for b in range(20)]
        for s in range(3)
    ]
    torch.testing.assert_close(found, theta.new_tensor(expected), rtol=1e-12, atol=1e-14)


@nets
def test_what_comes_after_the_end_of_a_sequence_does_not_matter(net, face):
    theta, inputs, lengths, targets = shown(net)
    after = torch.arange(12)[:, None, None] >= lengths
    other = torch.where(after, -3 * inputs, inputs)
    for curvature in small_net.CURVATURES:
        first = small_net.slopes(net, theta, inputs, lengths, targets, targets**2, curvature=curvature)
        second = small_net.slopes(net, theta, other, lengths, targets, targets**2, curvature=curvature)
        assert all(map(torch.equal, first, second))
    options = {"seed": 1, "ids": torch.arange(100), "shown": 2, "margin": 0.1}
    first = small_net.wanted(net, theta, inputs, lengths, targets, **options)
    second = small_net.wanted(net, theta, other, lengths, targets, **options)
    assert all(map(torch.equal, first, second))


# --- first derivatives ---


def cost(net, theta, inputs, lengths, targets):
    entry = -1 if net.entry is None else net.entry
    z, _ = reference.unfold(theta, inputs, net.table(), net.units, entry, torch.tanh)
    return (z[:, net.units + net.output].gather(0, lengths[None] - 1)[0] - targets) ** 2 / 2


@nets
@pytest.mark.parametrize("steps", [1, 2, 12, 40])
def test_the_first_sum_is_the_gradient_of_autograd(net, steps, face):
    theta, inputs, lengths, targets = shown(net, runs=50, steps=steps)
    _, (slope, *_) = small_net.slopes(net, theta, inputs, lengths, targets, torch.ones_like(targets))
    theta = theta.clone().requires_grad_()
    (expected,) = torch.autograd.grad(cost(net, theta, inputs, lengths, targets).sum(), theta)
    size = expected.abs().amax(0).clamp(min=1e-3)
    assert ((slope - expected).abs().amax(0) / size).max() <= 1e-12


# --- second derivatives ---


def unshared(net, copies, inputs):
    """The output after the last step where every step t has weights of its own, copies (T, P); inputs (T, C)."""
    x = [copies.new_zeros(())] * net.units
    for w, u in zip(copies, inputs, strict=True):
        now = []
        for i in range(net.units):
            z = [*x, *now, *[None] * (net.units - i), *u, torch.ones_like(u[0])]
            a = [w[p] * z[source] for p, (to, source) in enumerate(net.wiring) if to == i]
            now.append(torch.tanh(sum(a) + (u[0] if i == net.entry else 0)))
        x = now
    return x[net.output]


def exactly(net, theta, inputs, target):
    """First and second derivatives of C in each copy, and the Gauss-Newton part of the second; (T, P) each."""
    copies = theta.expand(len(inputs), -1).contiguous()
    J = torch.func.grad(lambda copies: unshared(net, copies, inputs))(copies)
    H = torch.func.hessian(lambda copies: (unshared(net, copies, inputs) - target) ** 2 / 2)(copies)
    return (unshared(net, copies, inputs) - target) * J, H.flatten(2).flatten(0, 1).diag().view_as(J), J**2


def distances(net, curvature, steps, runs=3):
    """How far Σ h and Σ g / (|h| + μ) are from exact, relative to the largest sum of a run: (2, runs)."""
    theta, inputs, _, targets = shown(net, runs, steps)
    mu, expected = torch.linspace(1e-3, 1, runs, dtype=torch.float64), []
    for b in range(runs):
        g, signed, positive = exactly(net, theta[:, b], inputs[..., b], targets[b])
        h = signed if curvature == "signed" else positive
        expected.append(torch.stack((g.sum(0), h.sum(0), (g / (h.abs() + mu[b])).sum(0))))
    lengths = torch.full_like(targets, steps, dtype=torch.int64)
    _, sums = small_net.slopes(net, theta, inputs, lengths, targets, mu, curvature=curvature)
    found = errors(sums, torch.stack(expected, dim=-1))
    assert found[0].max() <= 1e-12
    return found[1:]


@pytest.mark.parametrize("curvature", small_net.CURVATURES)
@pytest.mark.parametrize(
    ("net", "steps"),
    [(CHAIN, 6), (LATCH, 6), (SERIES, 2), (TWO_SEQUENCE, 3)],
    ids=["chain", "latch", "series", "2-sequence"],
)
def test_where_no_active_unit_feeds_two_the_second_derivatives_are_exact(net, steps, curvature, face):
    assert distances(net, curvature, steps).max() <= 1e-12


@pytest.mark.parametrize("curvature", small_net.CURVATURES)
@pytest.mark.parametrize(("net", "steps"), [(PARITY, 3), (TWO_SEQUENCE, 4)], ids=["parity", "2-sequence"])
def test_what_couples_two_units_is_neglected(net, steps, curvature):
    assert (distances(net, curvature, steps).amax(1) >= 0.03).all()


@nets
def test_the_gauss_newton_curvature_is_never_negative_and_the_signed_one_often_is(net, face):
    called = shown(net)
    mu = torch.ones_like(called[-1])
    _, (g, positive, _) = small_net.slopes(net, *called, mu)
    _, (same, signed, _) = small_net.slopes(net, *called, mu, curvature="signed")
    assert (positive >= 0).all() and (signed < 0).any() and torch.equal(g, same)


def steps_apart(net, theta, inputs, targets, mu, curvature):
    """The sums for every copy of a weight, (3, T, P, B): the net unfolded, each step's units units of their own."""
    steps, n, edges, fixed, place = len(inputs), net.units, [], [], {}
    many, constant = steps * n, 2 * steps * n + steps * net.inputs
    for t, (p, (to, source)) in product(range(steps), enumerate(net.wiring)):
        if source < 2 * n:
            unit = (t - 1) * n + source  # x_j(t - 1), or x_j(t)
            if unit < 0:
                continue  # fed by x(0) = 0
            where = many + unit
        else:
            where = 2 * many + t * net.inputs + source - 2 * n if source < 2 * n + net.inputs else constant
        place[t, p] = len(edges)
        edges.append((t * n + to, where))
        fixed.append(theta[p])
    if net.entry is not None:
        edges += [(t * n + net.entry, 2 * many + t * net.inputs) for t in range(steps)]
        fixed += [torch.ones_like(theta[0])] * steps
    unfolded = Net(many, steps * net.inputs, (steps - 1) * n + net.output, tuple(edges))
    once = torch.ones_like(targets, dtype=torch.int64)
    presented = inputs.flatten(0, 1)[None]
    _, sums = small_net.slopes(
        unfolded, torch.stack(fixed), presented, once, targets, mu, curvature=curvature
    )
    apart = theta.new_zeros(3, steps, *theta.shape)
    for (t, p), row in place.items():
        apart[:, t, p] = sums[:, row]
    return apart


@nets
@pytest.mark.parametrize("curvature", small_net.CURVATURES)
def test_the_sums_are_over_the_copies_of_the_net_unfolded_in_time(net, curvature, face):
    theta, inputs, _, targets = shown(net, runs=30, steps=7)
    lengths, mu = torch.full_like(targets, 7, dtype=torch.int64), torch.linspace(1e-3, 1, 30)
    mu = mu.to(theta)
    _, sums = small_net.slopes(net, theta, inputs, lengths, targets, mu, curvature=curvature)
    apart = steps_apart(net, theta, inputs, targets, mu, curvature)
    torch.testing.assert_close(sums, apart.sum(1), rtol=1e-10, atol=1e-12)
    # One copy of each weight: the third sum is the first over the second, safeguarded.
    g, h, ratio = apart
    torch.testing.assert_close(ratio, g / (h.abs() + mu), rtol=1e-12, atol=1e-14)


@nets
def test_beside_a_huge_safeguard_curvature_is_nothing(net, face):
    called = shown(net)
    _, (g, _, ratio) = small_net.slopes(net, *called, torch.full_like(called[-1], 1e15))
    torch.testing.assert_close(1e15 * ratio, g, rtol=1e-6, atol=1e-12)
    infinite = torch.full_like(called[-1], float("inf"))
    _, (same, _, ratio) = small_net.slopes(net, *called, infinite)
    assert torch.equal(same, g) and not ratio.any()


@nets
def test_a_run_that_is_no_number_stays_so_and_is_nobody_elses_trouble(net, face):
    theta, inputs, lengths, targets = shown(net, runs=20)
    mu = torch.full_like(targets, 0.1)
    mu[::3] = float("inf")
    well, sums = small_net.slopes(net, theta, inputs, lengths, targets, mu)
    theta[:, 6] = float("nan")
    ill, others = small_net.slopes(net, theta, inputs, lengths, targets, mu)
    kept = torch.arange(20) != 6
    assert ill[6].isnan() and torch.equal(ill[kept], well[kept])
    assert others[:2, :, 6].isnan().any() and not others[2, :, 6].any()
    assert torch.equal(others[..., kept], sums[..., kept])


# --- discrete errors ---


def test_one_step_along_the_wanted_change_brings_a_wrong_unit_just_past_its_threshold(face):
    net = Net(units=1, inputs=3, output=0, wiring=((0, 2), (0, 3), (0, 4), (0, 5)))
    theta, inputs, _, targets = shown(net, runs=500, steps=1)
    lengths = torch.ones_like(targets, dtype=torch.int64)
    options = {"seed": 1, "ids": torch.arange(500), "shown": 0, "margin": 0.25}
    end, change = small_net.wanted(net, theta, inputs, lengths, targets, **options)
    z = torch.cat((inputs[0], torch.ones_like(inputs[0, :1])))
    a = (theta * z).sum(0)
    asked = end != targets
    assert torch.equal(end, reference.sign(a)) and 0.3 < asked.double().mean() < 0.7
    assert not change[:, ~asked].any()
    moved = ((theta + change / (z**2).sum(0)) * z).sum(0)
    torch.testing.assert_close(moved[asked], 0.25 * targets[asked])


def asked_of_the_hidden_unit(w, seed=1):
    """A hidden unit at a = -0.5 feeds w into an output at -0.75 that ought to be 1: how often it is to rise.

    The output's Δa is margin + 0.75 = 1, so that the wish which reaches the hidden unit is e = w, and its Δa is
    margin + 0.5 if e becomes 2.
    """
    net = Net(units=2, inputs=1, output=1, wiring=((0, 5), (1, 2), (1, 5)))
    ids, ones = torch.arange(len(w)), torch.ones_like(w)
    theta = torch.stack((-0.5 * ones, w, w - 0.75))
    called = (theta, torch.zeros_like(w).view(1, 1, -1), ones.long(), ones)
    end, change = small_net.wanted(net, *called, seed=seed, ids=ids, shown=3, margin=0.25)
    assert (end == -1).all()
    torch.testing.assert_close(
        change[1:], torch.stack((-ones, ones))
    )  # the output's weights: Δa = 1, certainly
    rises = change[0] != 0
    torch.testing.assert_close(change[0, rises], 0.75 * ones[rises])
    return rises.double()


@pytest.mark.parametrize("size", [0.25, 0.5, 1.0, 1.75])
def test_a_discrete_wish_has_the_mean_of_the_wish(size, face):
    e = torch.full((20_000,), size, dtype=torch.float64)
    for wish in (e, -e):
        discrete = 4 * asked_of_the_hidden_unit(wish) - 2
        deviation = math.sqrt((4 - size**2) / len(e))
        assert abs(discrete.mean() - wish[0]) <= 4 * deviation
        assert abs(discrete.mean() - 0.9 * wish[0]) > 4 * deviation or size < 1  # the check can fail


def test_wishes_beyond_two_are_certain_and_no_wish_asks_nothing(face):
    for e in (2.0, 3.0, 100.0):
        certain = torch.full((500,), e, dtype=torch.float64)
        assert asked_of_the_hidden_unit(certain).all() and not asked_of_the_hidden_unit(-certain).any()
    assert not asked_of_the_hidden_unit(torch.zeros(500, dtype=torch.float64)).any()


def test_chance_is_new_at_each_presentation_and_for_each_unit_and_the_same_on_replay(face):
    theta, inputs, lengths, targets = shown(TWO_SEQUENCE, runs=300)
    options = {"seed": 1, "ids": torch.arange(300), "margin": 0.1}
    found = [
        small_net.wanted(TWO_SEQUENCE, theta, inputs, lengths, targets, shown=shown_, **options)[1]
        for shown_ in (0, 1, 0)
    ]
    assert torch.equal(found[0], found[2]) and not torch.equal(found[0], found[1])
    chance = reference.draw(1, torch.arange(4000), 0, 3, 12, 5, torch.float64)
    later = reference.draw(1, torch.arange(4000), 0, 4, 12, 5, torch.float64)
    table = torch.corrcoef(torch.cat((chance, later)))
    assert (table - torch.eye(10)).abs().max() <= 5 / math.sqrt(4000)


# --- the faces ---


def compare(net, called, sequences=3):
    """Assert that the compiled face equals the reference, but for rounding."""
    theta, inputs, lengths, targets = called
    runs, mu = theta.shape[1], 0.01 + targets**2
    for hard in (False, True):
        several = (theta, inputs.expand(sequences, *inputs.shape), lengths.expand(sequences, runs))
        found = small_net.ends(net, *several, hard=hard)
        expected = by_reference("ends", net, *several, last=(hard,))
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=0 if hard else 1e-12)
    for curvature, number in small_net.CURVATURES.items():
        end, sums = small_net.slopes(net, *called, mu, curvature=curvature)
        expected = by_reference("slopes", net, *called, mu, last=(number,))
        torch.testing.assert_close(end, expected[0], rtol=1e-12, atol=1e-12)
        assert (errors(sums, expected[1]) <= 1e-12).all()
    ids = 2**40 + torch.arange(runs)
    end, change = small_net.wanted(net, *called, seed=7, ids=ids, shown=5, margin=0.1)
    tensors = (theta, ids, inputs, lengths, targets)
    expected = by_reference("wanted", net, *tensors, numbers=(7, 5), last=(0.1,))
    assert torch.equal(end, expected[0]) and torch.equal(change, expected[1])


@compiled
@nets
@pytest.mark.parametrize("steps", [1, 12, 50])
def test_the_compiled_face_equals_the_reference(net, steps):
    # Half the weights: rounding grows as gradients do, and theirs must not explode.
    compare(net, shown(net, runs=500, steps=steps, scale=0.5))


@st.composite
def wired(draw):
    """Nets of any wiring."""
    units, inputs = draw(st.integers(1, 9)), draw(st.integers(1, 3))
    edges = []
    for _ in range(draw(st.integers(1, 30))):
        to = draw(st.integers(0, units - 1))
        sources = st.one_of(
            st.integers(0, units + to - 1), st.integers(2 * units, 2 * units + inputs)
        )  # all but units that are updated later
        edges.append((to, draw(sources)))
    output, entry = draw(st.integers(0, units - 1)), draw(st.sampled_from([None, *range(units)]))
    return Net(units, inputs, output, tuple(edges), entry)


@compiled
@settings(max_examples=25)
@given(wired(), st.integers(1, 40), st.integers(1, 9), st.integers(0, 2**63 - 1))
def test_it_does_so_for_any_wiring(net, runs, steps, seed):
    compare(net, shown(net, runs, steps, scale=0.5, seed=seed))


@compiled
def test_vanished_gradients_are_no_trouble():
    theta, inputs, _, targets = shown(LATCH, runs=50, steps=150)
    theta[0] *= 1e-3  # ∂C/∂x shrinks by 1000 a step, past the smallest number there is
    compare(LATCH, (theta, inputs, torch.full((50,), 150), targets), sequences=1)


@compiled
@nets
def test_discrete_errors_are_the_same_to_the_bit(net):
    called = shown(net, runs=3000, steps=30)
    theta, ids = called[0], torch.arange(3000)
    end, change = small_net.wanted(net, *called, seed=7, ids=ids, shown=5, margin=0.1)
    expected = by_reference("wanted", net, theta, ids, *called[1:], numbers=(7, 5), last=(0.1,))
    assert torch.equal(end, expected[0]) and torch.equal(change, expected[1])


@compiled
@nets
def test_float32_differs_by_its_rounding(net):
    called = shown(net, runs=500, steps=20, scale=0.5)
    mu = torch.full_like(called[-1], 0.1)
    _, exact = small_net.slopes(net, *called, mu)
    single = [tensor.float() if tensor.is_floating_point() else tensor for tensor in (*called, mu)]
    _, found = small_net.slopes(net, *single)
    assert found.dtype == torch.float32 and small_net.face(found[0]) == "cpu.cpp"
    assert errors(found.double(), exact).median() <= 2e-6


@nets
def test_runs_have_the_same_bits_alone_and_in_any_crowd(net, face):
    theta, inputs, lengths, targets = shown(net, runs=41)
    ids, mu, b = torch.arange(41), 0.01 + torch.rand_like(targets), slice(17, 18)

    def outcomes(chosen, lengths):
        called = (theta[:, chosen], inputs[..., chosen], lengths[chosen], targets[chosen])
        several = (called[0], *(tensor.expand(3, *tensor.shape) for tensor in called[1:3]))
        options = {"seed": 1, "ids": ids[chosen], "shown": 3, "margin": 0.1}
        return [
            small_net.ends(net, *several),
            small_net.ends(net, *several, hard=True),
            *small_net.slopes(net, *called, mu[chosen], curvature="signed"),
            *small_net.wanted(net, *called, **options),
        ]

    crowd = [tensor[..., b] for tensor in outcomes(slice(None), lengths)]
    for others in (torch.ones_like(lengths), torch.full_like(lengths, 12)):
        others[b] = lengths[b]
        assert all(map(torch.equal, crowd, (tensor[..., b] for tensor in outcomes(slice(None), others))))
    assert all(map(torch.equal, crowd, outcomes(b, lengths)))
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert all(map(torch.equal, crowd, (tensor[..., b] for tensor in outcomes(slice(None), lengths))))
    finally:
        torch.set_num_threads(threads)


def test_ops_are_registered_as_torch_wants_them(face):
    theta, inputs, lengths, targets = shown(PARITY, runs=19, steps=2)
    numbers = (PARITY.units, -1, PARITY.output)
    opcheck(small_net.ENDS.registered, (theta, inputs[None], lengths[None], PARITY.table(), *numbers, True))
    called = (theta, inputs, lengths, targets, targets**2, PARITY.table(), *numbers)
    opcheck(small_net.SLOPES.registered, (*called, reference.SIGNED))
    called = (theta, torch.arange(19), inputs, lengths, targets, PARITY.table(), 1, 0, *numbers)
    opcheck(small_net.WANTED.registered, (*called, 0.1))


def test_without_a_compiler_the_reference_does_the_work(build):
    build(LLTD_NO_COMPILER=1)
    called = shown(PARITY)
    mu = torch.ones_like(called[-1])
    found = small_net.slopes(PARITY, *called, mu)
    expected = by_reference("slopes", PARITY, *called, mu, last=(reference.GAUSS_NEWTON,))
    assert small_net.face(called[0]) == "reference" and all(map(torch.equal, found, expected))


@nets
def test_no_runs_are_no_trouble(net, face):
    theta, inputs, lengths, targets = shown(net, runs=1)
    called = (theta[:, :0], inputs[..., :0], lengths[:0], targets[:0])
    assert small_net.ends(net, called[0], called[1][None], called[2][None]).shape == (1, 0)
    assert small_net.slopes(net, *called, targets[:0])[1].shape == (3, net.weights, 0)
    options = {"seed": 1, "ids": torch.arange(0), "shown": 0, "margin": 0.1}
    assert small_net.wanted(net, *called, **options)[1].shape == (net.weights, 0)


# --- bad arguments ---


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": 0}, "units is 0 and inputs is 1: at least one"),
        ({"inputs": 0}, "units is 2 and inputs is 0"),
        ({"output": 2}, "output is 2 and entry is None: the units are 0 … 1"),
        ({"entry": -1}, "output is 1 and entry is -1"),
        ({"wiring": ()}, "wiring is empty"),
        ({"wiring": ((2, 0),)}, r"wiring has \(2, 0\): there is no such unit or source"),
        ({"wiring": ((0, 6),)}, r"wiring has \(0, 6\): there is no such"),
        ({"wiring": ((0, 3),)}, r"wiring has \(0, 3\): unit 1 is not there yet when unit 0"),
        ({"wiring": ((1, 3),)}, r"wiring has \(1, 3\): unit 1 is not there yet when unit 1"),
    ],
)
def test_a_net_that_cannot_be_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        Net(**{"units": 2, "inputs": 1, "output": 1, "wiring": ((0, 5),), **change})


REALS = torch.zeros(5, dtype=torch.float64)
BAD = [
    ({"theta": torch.zeros(6, 5, dtype=torch.float64)}, ValueError, r"theta is .*real \(7, runs\)"),
    ({"theta": torch.zeros(7, 5, dtype=torch.int64)}, ValueError, "theta is torch.int64"),
    ({"inputs": torch.zeros(4, 2, 5, dtype=torch.float64)}, TypeError, r"inputs is .*\(steps, 1, 5\)"),
    ({"inputs": torch.zeros(4, 1, 5)}, TypeError, "inputs is torch.float32"),
    ({"inputs": REALS}, TypeError, r"inputs is torch.float64 \(5,\)"),
    ({"lengths": torch.ones(5)}, TypeError, r"lengths is torch.float32 \(5,\): int64 of \(5,\)"),
    ({"lengths": torch.ones(4, dtype=torch.int64)}, TypeError, r"lengths is torch.int64 \(4,\)"),
    ({"lengths": torch.arange(5)}, ValueError, "lengths has 0: whole numbers in 1 … 4"),
    ({"lengths": torch.arange(1, 6)}, ValueError, "lengths has 5: whole numbers in 1 … 4"),
    ({"targets": REALS[:4]}, TypeError, r"targets is torch.float64 \(4,\)"),
    ({"targets": REALS.float()}, TypeError, "targets is torch.float32"),
    ({"targets": REALS.to("meta")}, ValueError, "targets lies on meta: cpu is needed"),
]


def called(**change):
    """Arguments of `slopes`, or of `wanted` without the last."""
    ones = torch.ones(5, dtype=torch.float64)
    good = {"theta": torch.zeros(7, 5), "inputs": torch.zeros(4, 1, 5), "targets": ones, "mu": ones}
    good = {name: tensor.double() for name, tensor in good.items()}
    return {**good, "lengths": ones.long(), **change}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        *BAD,
        ({"mu": REALS}, ValueError, "mu is 0.0: a positive number is needed"),
        ({"mu": REALS + float("nan")}, ValueError, "mu is nan"),
        ({"mu": REALS[:1]}, TypeError, r"mu is torch.float64 \(1,\)"),
        ({"curvature": "newton"}, ValueError, "curvature is 'newton': one of gauss-newton, signed"),
    ],
)
def test_bad_arguments_of_slopes_are_named(change, error, message):
    with pytest.raises(error, match=message):
        small_net.slopes(PARITY, **called(**change))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        *BAD,
        ({"targets": REALS}, ValueError, "targets: a hard unit can only reach -1 and 1"),
        ({"ids": torch.arange(4)}, TypeError, r"ids is torch.int64 \(4,\)"),
        ({"ids": REALS}, TypeError, "ids is torch.float64"),
        ({"margin": 0.0}, ValueError, "margin is 0.0"),
        ({"margin": float("inf")}, ValueError, "margin is inf"),
        ({"seed": -4}, ValueError, "seed is -4"),
        ({"shown": -1}, ValueError, "shown is -1"),
        ({"shown": 2**30}, ValueError, r"shown is 1073741824: an integer in \[0, 1073741824\)"),
    ],
)
def test_bad_arguments_of_wanted_are_named(change, error, message):
    options = {"seed": 1, "ids": torch.arange(5), "shown": 0, "margin": 0.1, **called(**change)}
    del options["mu"]
    with pytest.raises(error, match=message):
        small_net.wanted(PARITY, **options)


def test_bad_arguments_of_ends_are_named():
    theta, inputs, lengths, _ = shown(PARITY, runs=5, sequences=2)
    with pytest.raises(TypeError, match=r"lengths is torch.int64 \(5,\): int64 of \(sequences, 5\)"):
        small_net.ends(PARITY, theta, inputs, lengths[0])
    with pytest.raises(TypeError, match=r"inputs is .*\(2, steps, 1, 5\)"):
        small_net.ends(PARITY, theta, inputs[0], lengths)
    with pytest.raises(ValueError, match="lengths has 13"):
        small_net.ends(PARITY, theta, inputs, lengths + 13 - lengths.max())
