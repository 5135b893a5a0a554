"""Variants of the LSTM of 1996: the unfolded net against the kernel, the gradients, missing gates, the forget gate."""

import pytest
import torch
from drawn import compiled

from lltd.kernels import lstm96 as kernel
from lltd.kernels.lstm96 import Task, Topology, reference
from lltd.systems import lstm_variants as system
from lltd.systems.lstm_variants import COMMON, MISSING, gradient, trials, unfold

SEED, IDS, TASK = 11, torch.arange(6) * 2**33, Task(length=20)
SETTING = {**COMMON, "variant": "as in 1996", "length": 20, "budget": 100, "stretch": 50}


def shown(count=6):
    """A sequence for each of as many trials."""
    return kernel.sequences(TASK, SEED, IDS[:count], torch.arange(count))


def weights(net, span=1.5):
    return kernel.initial(net, SEED, IDS, span=span, input_gate_bias=(-1, 0))


@pytest.mark.parametrize("output", kernel.OUTPUTS)
def test_the_truncated_gradient_is_the_kernels(output):
    net = Topology(output=output)
    theta = weights(net)
    slopes, error = gradient(theta, net, shown())
    change, expected = reference.answer(theta, shown(), 2, 2, kernel.OUTPUTS[output], True)
    torch.testing.assert_close(slopes, -change, rtol=1e-10, atol=1e-14)
    torch.testing.assert_close(error, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("output", kernel.OUTPUTS)
def test_the_whole_gradient_is_the_slope_of_the_cost(output):
    net = Topology(output=output)
    theta, step = weights(net), 1e-6
    slopes, _ = gradient(theta, net, shown(), truncated=False)

    def cost(theta):
        W, V = net.layers(theta)
        o = unfold(W, V, shown().inputs, shown().lengths, 2, 2)
        return ((shown().targets - (o if output == "linear" else torch.sigmoid(o))) ** 2).sum(0) / 2

    for p in (0, 7, 23, 41, 64, 87, 92):
        there, back = theta.clone(), theta.clone()
        there[p] += step
        back[p] -= step
        numeric = (cost(there) - cost(back)) / (2 * step)
        torch.testing.assert_close(slopes[p], numeric, rtol=1e-6, atol=1e-9)


def test_the_two_gradients_agree_where_nothing_goes_back_through_a_net_input():
    net = Topology(output="linear")
    theta = weights(net)
    W, _ = net.layers(theta)
    W[:, :8] = 0  # the hidden layer does not see itself
    whole, _ = gradient(theta, net, shown(), truncated=False)
    cut, _ = gradient(theta, net, shown())
    torch.testing.assert_close(whole, cut, rtol=1e-12, atol=1e-16)
    apart = [gradient(weights(net), net, shown(), truncated=cut)[0] for cut in (False, True)]
    assert ((apart[0] - apart[1]).abs().amax(0) > 1e-3 * apart[0].abs().amax(0)).all()


def test_a_gate_that_is_missing_has_no_weights_and_stays_half_open():
    net = Topology(output="linear")
    for variant, places in MISSING.items():
        theta = system.begin(SEED, IDS, net, {**SETTING, "variant": variant}, torch.float64)
        W, V = net.layers(theta)
        for place in places:
            assert (W[[place, place + 4]] == 0).all() and (W[:, [place, place + 4]] == 0).all()
        others = [u for u in range(8) if u % 4 not in places]
        assert (W[others][:, [*others, 8, 9, 10]] != 0).all() and (V != 0).all()
        memory = reference.run(W, shown().inputs, shown().lengths, 2, 2).memory
        assert (memory.y[[*places, *(place + 4 for place in places)]] == 0.5).all()


@compiled
@pytest.mark.parametrize("variant", MISSING)
def test_what_is_missing_learns_nothing(variant):
    net = Topology(output="linear")
    theta = system.begin(SEED, IDS, net, {**SETTING, "variant": variant}, torch.float64)
    stretch = system._compiled(SEED, IDS, net, TASK, {**SETTING, "variant": variant})
    later, errors = stretch(theta, 0)
    absent = theta == 0
    assert (later[absent] == 0).all() and (later != theta)[~absent].all()
    assert errors.shape == (50, 6)


def test_a_forget_gate_that_stays_open_is_the_cell_of_1996():
    net, open_ = Topology(output="linear"), {**SETTING, "variant": "forget gate", "forget_bias": 40.0}
    theta = kernel.initial(net, SEED, IDS)
    with_gate = system.begin(SEED, IDS, net, open_, torch.float64)
    W, V = with_gate.split((10 * 13, 5))
    W = W.unflatten(0, (10, 13)).clone()
    gates, others = torch.tensor([2, 7]), torch.tensor([0, 1, 3, 4, 5, 6, 8, 9])
    assert (W[gates, -1] == 40).all() and (W[gates, :-1].abs() < 0.1).all() and (W[gates, :-1] != 0).all()
    old, old_V = net.layers(theta)
    assert torch.equal(W[others][:, [*others, 10, 11, 12]], old) and torch.equal(V, old_V[0])
    W[others[:, None], gates] = 0  # no one sees the new gates, which are 1 for ever
    o = unfold(W, V[None], shown().inputs, shown().lengths, 2, 2, forget=True)
    expected = unfold(old, old_V, shown().inputs, shown().lengths, 2, 2)
    torch.testing.assert_close(o, expected, rtol=0, atol=1e-13)


def test_a_forget_gate_makes_the_carousel_leak():
    W = torch.zeros(1 * (3 + 1), 4 + 2 + 1, 3, dtype=torch.float64)
    W[2, -1] = torch.tensor([-1.0, 0.0, 2.0])
    W[0, -1], W[1, -1] = 0.0, 50.0
    W[3, 4] = 1.0  # the cell sees the first input, which is heard once
    V = torch.tensor([[1.0, 0.0]], dtype=torch.float64)[..., None].expand(-1, -1, 3)
    inputs = torch.zeros(9, 2, 3, dtype=torch.float64)
    inputs[0, 0] = 2.0
    lengths = torch.full((3,), 9)
    o = unfold(W, V, inputs, lengths, 1, 1, forget=True)
    s = torch.sigmoid(W[2, -1]) ** 8 * (0.5 * reference.g(torch.tensor(2.0, dtype=torch.float64)))
    torch.testing.assert_close(o[0], reference.h(s), rtol=1e-12, atol=0)


@compiled
def test_both_ways_of_learning_agree():
    usual = trials(SEED, IDS, SETTING, torch.float64)
    unfolded = trials(SEED, IDS, {**SETTING, "variant": "truncated"}, torch.float64)
    torch.testing.assert_close(usual["curve"], unfolded["curve"], rtol=1e-10, atol=0)
    assert usual["curve"].shape == (6, 2) and not usual["met"].any() and (usual["sequences"] == 100).all()


@compiled
def test_when_a_net_has_learnt_is_noted():
    found = trials(SEED, IDS, {**SETTING, "budget": 12_000, "stretch": 500})
    assert found["met"].all()
    for curve, n in zip(found["curve"], found["sequences"].tolist(), strict=True):
        assert 2000 <= n < 12_000
        now = n // 500  # the mean of the latest 2000 lies between those of two windows of whole stretches
        assert curve[now - 4 : now].mean() > 0.009 and curve[now - 3 : now + 1].mean() < 0.0105
    biases = torch.tensor([0.0, 5.0])
    both = trials(SEED, IDS[:2], {**SETTING, "variant": "forget gate", "forget_bias": biases})
    for b, bias in enumerate(biases.tolist()):
        own = {**SETTING, "variant": "forget gate", "forget_bias": bias}
        alone = trials(SEED, IDS[b : b + 1], own)
        torch.testing.assert_close(alone["curve"][0], both["curve"][b], rtol=1e-4, atol=0)


def test_divergence_shows_and_ends_nothing():
    found = trials(SEED, IDS, {**SETTING, "rate": 60.0, "variant": "as in 1996"})
    assert found["curve"][:, -1].isnan().any() and not found["met"].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variant": "peepholes"}, "variant is 'peepholes': one of as in 1996, no input gate"),
        ({"stretch": 30}, "stretch is 30: a multiple of 50"),
        ({"budget": 120}, "budget is 120: a multiple of 50"),
        ({"length": 19}, "length is 19: T between 20"),
        ({"output": "tanh"}, "output is 'tanh'"),
    ],
)
def test_bad_settings_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        trials(SEED, IDS, {**SETTING, **change})


def test_a_net_without_slope_has_no_such_gradient():
    with pytest.raises(ValueError, match="net has no slope"):
        gradient(weights(Topology(slope=False)), Topology(slope=False), shown())
