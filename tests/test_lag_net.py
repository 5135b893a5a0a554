"""One memory cell between input and output: its gradient, its sequences, when it has learnt."""

import pytest
import torch

from lltd.systems import lag_net as system
from lltd.systems.lag_net import COMMON, STRETCH, Net, begin, errors, learn_all, learn_last, sequences, trials

SEED, IDS, LAG = 5, torch.arange(4) * 2**33, 7
SETTING = {**COMMON, "lag": 6, "order": "fixed", "budget": 300}


def nets(span=1.0, has=True):
    net = begin(SEED, IDS, LAG, span, torch.float64)
    return net._replace(has=torch.full_like(net.has, has))


def outputs(parts, tape):
    """Outputs after each symbol of one trial's sequence, from its weights U, v, w."""
    U, v, (c, i) = parts
    s, rows = 0.0, []
    for now in tape[:-1].tolist():
        s = s + torch.sigmoid(i[now]) * torch.sigmoid(c[now])
        rows.append(torch.sigmoid(U[:, now] + v * s))
    return torch.stack(rows)


def test_the_net_has_the_printed_weights():
    assert system.weights(100) == 10_504
    net = begin(SEED, IDS, 100, 0.2)
    assert sum(part[..., 0].numel() for part in net[:3]) == 10_504 and not net.has.any()
    assert all(part.abs().max() < 0.2 for part in net[:3])


@pytest.mark.parametrize("order", system.ORDERS)
def test_sequences_are_as_printed(order):
    tapes = sequences(SEED, torch.arange(200), 3, 40, LAG, order)
    assert tapes.shape == (40, LAG + 1, 200)
    assert torch.equal(tapes[:, 0], tapes[:, -1]) and set(tapes[:, 0].flatten().tolist()) == {LAG - 1, LAG}
    share = (tapes[:, 0] == LAG).double().mean()
    assert abs(share - 0.5) < 5 * 0.5 / 8000**0.5
    between = tapes[:, 1:-1]
    if order == "fixed":
        assert (between == torch.arange(LAG - 1)[:, None]).all()
    else:
        counts = torch.bincount(between.flatten(), minlength=LAG - 1).double()
        assert len(counts) == LAG - 1 and (counts / between.numel() - 1 / (LAG - 1)).abs().max() < 0.01
    alone = sequences(SEED, torch.tensor([17]), 30, 2, LAG, order)
    assert torch.equal(alone[..., 0], tapes[27:29, :, 17])


def test_an_error_at_the_end_changes_weights_by_its_gradient():
    net, tape = nets(), sequences(SEED, IDS, 0, 1, LAG, "random")[0]
    later, squared = learn_last(net, tape, 0.3)
    for b in range(len(IDS)):
        parts = [part[..., b].clone().requires_grad_() for part in net[:3]]
        target = torch.nn.functional.one_hot(tape[-1, b], LAG + 1)
        cost = ((target - outputs(parts, tape[:, b])[-1]) ** 2).sum() / 2
        assert abs(2 * cost - squared[b]) < 1e-12
        for before, after, slope in zip(net, later, torch.autograd.grad(cost, parts), strict=False):
            torch.testing.assert_close(after[..., b], before[..., b] - 0.3 * slope, rtol=1e-12, atol=1e-13)


def test_an_error_at_each_symbol_changes_weights_by_its_gradient():
    net, tape = nets(), sequences(SEED, IDS, 0, 1, LAG, "random")[0]
    rate = 1e-7  # so small that weights hardly move within the sequence
    later, squared = learn_all(net, tape, rate)
    for b in range(len(IDS)):
        parts = [part[..., b].clone().requires_grad_() for part in net[:3]]
        target = torch.nn.functional.one_hot(tape[1:, b], LAG + 1)
        cost = ((target - outputs(parts, tape[:, b])) ** 2).sum() / 2
        assert abs(2 * cost - squared[b]) < 1e-4
        for before, after, slope in zip(net, later, torch.autograd.grad(cost, parts), strict=False):
            torch.testing.assert_close((before - after)[..., b] / rate, slope, rtol=1e-5, atol=1e-5)


def test_without_a_cell_only_direct_weights_learn():
    net, tape = nets(has=False), sequences(SEED, IDS, 0, 1, LAG, "random")[0]
    for learn in (learn_all, learn_last):
        later, _ = learn(net, tape, 0.3)
        assert not torch.equal(later.U, net.U)
        assert all(torch.equal(before, after) for before, after in zip(net[1:], later[1:], strict=True))


def test_errors_are_those_of_the_plain_net():
    net, tapes = nets(), sequences(SEED, IDS[:1], 0, 6, LAG, "random")[..., 0]
    own = Net(*(part[..., :1] for part in net))
    found = errors(own, tapes, LAG)
    for row, tape in zip(found, tapes, strict=True):
        target = torch.nn.functional.one_hot(tape[1:], LAG + 1)
        expected = (target - outputs([part[..., 0] for part in own[:3]], tape)).abs().amax(1)
        torch.testing.assert_close(row, expected)
    torch.testing.assert_close(errors(own, tapes, 1), found[:, -1:])


def test_a_fixed_order_is_learnt_and_the_cell_comes_late():
    found = trials(SEED, IDS, {**SETTING, "budget": 4000})
    assert found["met"].all() and (found["added"] > 0).all() and (found["added"] < found["sequences"]).all()
    assert (found["sequences"] % STRETCH == 0).all()
    alone = trials(SEED, IDS[2:3], {**SETTING, "budget": 4000})
    assert all(torch.equal(alone[name][0], found[name][2]) for name in found)


def test_a_net_of_known_weights_passes_and_a_worse_one_does_not():
    lag, lanes = 6, torch.tensor([9])
    U = torch.full((lag + 1, lag + 1, 1), -8.0)
    for now in range(lag - 2):
        U[now + 1, now] = 8.0
    U[0, lag - 1 :] = 8.0
    U[lag - 1, lag - 2], U[lag, lag - 2] = 8.0, -8.0
    v = torch.zeros(lag + 1, 1)
    v[lag - 1], v[lag] = -16.0, 16.0  # y fills the cell, x does not
    gate = torch.full((lag + 1, 1), -30.0)
    gate[lag] = 30.0
    net = Net(U, v, torch.stack((gate.abs(), gate)), torch.tensor([True]))
    assert not system.learnt(SEED, lanes, net, {**SETTING, "lag": lag})  # x and y are foretold too early
    U[lag - 1, : lag - 2] = U[lag - 1, lag - 1 :] = -30.0
    U[lag, : lag - 2] = U[lag, lag - 1 :] = -30.0
    assert system.learnt(SEED, lanes, net, {**SETTING, "lag": lag})
    v[lag] = 5.0
    assert not system.learnt(SEED, lanes, net, {**SETTING, "lag": lag})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"order": "any"}, "order is 'any': one of fixed, random"),
        ({"errors": "none"}, "errors is 'none': one of all, last"),
        ({"lag": 1}, "lag is 1: 2 or more"),
        ({"budget": 99}, "budget is 99: 100 or more"),
        ({"rate": 0.0}, "rate is 0.0: a positive number"),
        ({"fall": -1.0}, "fall is -1.0"),
    ],
)
def test_bad_settings_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        trials(SEED, IDS, {**SETTING, **change})
