"""A symbol to be kept among distractors: sequences, the gradient against the reference, when it is learnt."""

import math

import pytest
import torch

from lltd.kernels.lstm96 import reference, tasks
from lltd.systems import long_lags as system
from lltd.systems.long_lags import COMMON, answer, net, sequences, trials, wiring

SEED, IDS, LAG, MANY = 3, torch.arange(5) * 2**33, 6, 8
SETTING = {**COMMON, "lag": LAG, "distractors": MANY, "budget": 100, "every": 50, "confirmed": 40}


def test_the_net_has_the_printed_weights():
    for distractors, count in ((50, 364), (100, 664), (1000, 6064)):
        assert int(wiring(distractors).sum()) == count


def test_sequences_are_as_printed():
    symbols, classes = sequences(SEED, torch.arange(300), 2, 30, LAG, MANY)
    e, b, x = MANY, MANY + 1, MANY + 2
    begun = symbols >= 0
    lengths = begun.sum(1)
    assert (begun.long().diff(dim=1) >= 0).all() and (symbols[:, -1] == e).all()
    first = begun.long().argmax(1, keepdim=True)
    assert (symbols.gather(1, first) == b).all()
    assert torch.equal(symbols.gather(1, first + 1)[:, 0], x + classes)
    rest = begun.clone()
    rest.scatter_(1, torch.cat((first, first + 1), 1), False)
    rest[:, -1] = False
    drawn = symbols[rest]
    counts = torch.bincount(drawn, minlength=MANY).double()
    assert len(counts) == MANY and (counts / len(drawn) - 1 / MANY).abs().max() < 0.01
    more = lengths - 3 - LAG
    assert more.min() == 0 and abs(more.double().mean() - 9) < 5 * math.sqrt(90 / more.numel())
    assert abs((more == 0).double().mean() - 0.1) < 5 * math.sqrt(0.09 / more.numel())
    assert abs(classes.double().mean() - 0.5) < 5 * 0.5 / math.sqrt(classes.numel())
    alone, own = sequences(SEED, torch.tensor([17]), 30, 2, LAG, MANY)
    assert torch.equal(alone[..., 0], symbols[28:, :, 17]) and torch.equal(own[:, 0], classes[28:, 17])


def test_the_change_is_the_references():
    chosen, kept = net(MANY), wiring(MANY)[:, None]
    u = torch.rand(len(kept), len(IDS), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    theta = (4 * u - 2) * kept
    (symbols,), (classes,) = sequences(SEED, IDS, 4, 1, LAG, MANY)
    begun = symbols >= 0
    codes = torch.nn.functional.one_hot(symbols.clamp(min=0), MANY + 4) * begun[..., None]
    targets = torch.nn.functional.one_hot(classes, 2).T.double()
    shown = tasks.Sequences(codes.movedim(1, 2).double(), begun.sum(0), targets)
    expected, error = reference.answer(theta, shown, chosen.blocks, chosen.cells, reference.LOGISTIC, True)
    found, own = answer(theta, symbols, classes)
    torch.testing.assert_close(found, expected * kept, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(own, error, rtol=0, atol=1e-14)
    assert begun.sum(0).unique().numel() > 1  # they begin at different steps


def test_a_trial_is_one_update_after_another_until_it_is_cut():
    found = trials(SEED, IDS, SETTING)
    assert (found["sequences"] == 100).all() and not found["met"].any()
    easy = trials(SEED, IDS, {**SETTING, "tolerance": 0.9})
    assert easy["met"].all() and (easy["sequences"] == 50).all()
    alone = trials(SEED, IDS[1:2], {**SETTING, "tolerance": 0.505, "confirmed": 20})
    both = trials(SEED, IDS, {**SETTING, "tolerance": 0.505, "confirmed": 20})
    assert all(torch.equal(alone[name][0], both[name][1]) for name in both)


def test_a_net_that_keeps_the_symbol_passes():
    chosen = net(MANY)
    theta = torch.zeros(len(chosen.wiring()), 1)
    W, V = chosen.layers(theta)
    for block, symbol in enumerate((MANY + 2, MANY + 3)):
        W[3 * block, 6:] = -40.0  # the input gate opens for its own symbol
        W[3 * block, 6 + symbol] = 20.0
        W[3 * block + 2, 6 + symbol] = 20.0
        W[3 * block + 1, 6:] = -20.0  # the output gate opens for the trigger
        W[3 * block + 1, 6 + MANY] = 20.0
    V[0, 0], V[0, 1], V[1, 0], V[1, 1] = 9.0, -9.0, -9.0, 9.0
    run = torch.tensor([3])
    assert system.learnt(SEED, run, theta, {**SETTING, "confirmed": 2500})
    V[0, 0] = 1.0
    assert not system.learnt(SEED, run, theta, {**SETTING, "confirmed": 2500})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lag": 0}, "lag is 0: 1 or more"),
        ({"distractors": 0}, "distractors is 0"),
        ({"every": 30}, "every is 30 and budget 100: a multiple of 50"),
        ({"budget": 120}, "every is 50 and budget 120"),
        ({"rate": 0.0}, "rate is 0.0: a positive number"),
        ({"tolerance": float("inf")}, "tolerance is inf"),
    ],
)
def test_bad_settings_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        trials(SEED, IDS, {**SETTING, **change})
