"""LSTM with an error at each symbol: the changes against autograd, the tape, when the grammar is learnt."""

import pytest
import torch

from lltd import reber
from lltd.kernels import lstm96 as kernel
from lltd.kernels.lstm96 import Topology, reference
from lltd.systems import lstm_variants
from lltd.systems import reber_trials as system
from lltd.systems.reber_trials import COMMON, trials

SEED, IDS = 3, torch.arange(4) * 2**33
SETTING = {
    **COMMON,
    "blocks": 2,
    "cells": 1,
    "rate": 0.5,
    "output_gate_bias": (-1.0, -2.0),
    "budget": 8,
    "every": 4,
    "size": 6,
}


def test_nets_have_the_printed_weights():
    for blocks, cells, weights in ((4, 1, 264), (3, 2, 276)):
        assert system.net({"blocks": blocks, "cells": cells}).weights == weights


def by_autograd(chosen, theta, string, update):
    """Weights after a string, each symbol's error sent back by autograd through the truncated net."""
    codes = torch.eye(7, dtype=theta.dtype)
    summed = torch.zeros_like(theta)
    # With changes after each symbol the derivatives of the states are those of the weights as they were: so only the
    # first symbols of a string agree with a gradient at the weights of now. See the test.
    for t in range(1, len(string)):
        w = theta.clone().requires_grad_()
        W, V = chosen.layers(w)
        inputs, lengths = codes[string[:t]][..., None], torch.tensor([t])
        o = torch.sigmoid(lstm_variants.unfold(W, V, inputs, lengths, chosen.blocks, chosen.cells))
        (slopes,) = torch.autograd.grad(((codes[string[t]][:, None] - o) ** 2).sum() / 2, w)
        change = -slopes * chosen.wiring()[:, None]
        if update == "symbol":
            theta = theta + 0.5 * change
        summed = summed + 0.5 * change
    return theta if update == "symbol" else theta + summed


@pytest.mark.parametrize("update", system.UPDATES)
def test_weights_change_by_the_gradient(update):
    chosen = Topology(2, 2, cell_bias=False, output_bias=False, inputs=7, outputs=7)
    ids = torch.arange(1)
    theta = kernel.initial(chosen, SEED, ids, span=1.0, input_gate_bias=None, output_gate_bias=(-1, -2))
    string = reber.sets(SEED, 0, 4)[0][0][: 3 if update == "symbol" else None]
    tape = torch.stack((string[:-1], string[1:]))[..., None]
    begins = torch.zeros_like(tape[0], dtype=torch.bool)
    begins[0] = True
    found = system._learn(chosen, theta, torch.tensor([0.5]).double(), (*tape, begins, begins | True), update)
    expected = by_autograd(chosen, theta, string, update)
    # Two symbols: states have only met weights as they were before any change, but the second output's own weights.
    tolerance = 1e-12 if update == "string" else 0.02 * float((found - theta).abs().max())
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)
    assert (found != theta).any()


def test_the_tape_is_one_string_after_another():
    sets = [reber.sets(SEED, owner, 6)[0] for owner in (0, 1)]
    before, after, begins, there = system._tape(SEED, IDS[:2], sets, 4, 8)
    for b, strings in enumerate(sets):
        texts = {tuple(string.tolist()) for string in strings}
        steps, shown = there[:, b].sum(), []
        for t in range(int(steps)):
            if begins[t, b]:
                shown.append([int(before[t, b])])
            shown[-1].append(int(after[t, b]))
            assert begins[t, b] or before[t, b] == after[t - 1, b]
        assert len(shown) == 8 and all(tuple(string) in texts for string in shown)
        assert there[:steps, b].all() and not begins[steps:, b].any()
    later = system._tape(SEED, IDS[:2], sets, 8, 4)  # strings 8 … 11, of which 4 … 11 are the second half
    ends = [int(begins[:, b].nonzero()[4]) for b in range(2)]
    for b, end in enumerate(ends):
        own = there[end:, b].sum()
        assert torch.equal(before[end : end + own, b], later[0][:own, b])


def test_trials_do_not_depend_on_each_other_and_may_have_rates_of_their_own():
    rates = torch.tensor([0.5, 0.1, 0.2, 0.4])
    theta = kernel.initial(system.net(SETTING), SEED, IDS, span=0.2, input_gate_bias=None)
    sets = [reber.sets(SEED, 0, 6)[0]] * 4
    learnt = system._learn(
        system.net(SETTING), theta, rates.double(), system._tape(SEED, IDS, sets, 0, 8), "symbol"
    )
    for b in range(4):
        tape = system._tape(SEED, IDS[b : b + 1], sets[:1], 0, 8)
        own = slice(b, b + 1)
        alone = system._learn(system.net(SETTING), theta[:, own], rates[own].double(), tape, "symbol")
        torch.testing.assert_close(alone, learnt[:, own], rtol=1e-12, atol=1e-14)
    found = trials(SEED, IDS, {**SETTING, "rate": rates})
    assert (found["sequences"] == 8).all() and not found["met"].any()


def test_a_net_predicts_a_string_only_if_all_symbols_that_may_follow_come_first():
    chosen = system.net({"blocks": 1, "cells": 1})
    theta = torch.zeros(len(chosen.wiring()), 3)
    strings = [[torch.tensor([0, 1]), torch.tensor([0, 2])]] * 3  # after B may follow T and P
    W, V = chosen.layers(theta)
    W[:, 3:10, 1:] = 4.0  # gates and cell open for whatever comes
    V[:, 0, 1:] = -1.0
    V[[1, 2], 0, 1:] = 1.0
    V[3, 0, 2] = 1.0  # S ties with them
    found = system._predict(chosen, theta, strings)
    assert found.tolist() == [False, True, False]  # outputs of the first are all the same
    longer = [[torch.tensor([0, 1, 0]), torch.tensor([0, 2])]] * 3  # B after T is not foretold
    assert not system._predict(chosen, theta, longer).any()


def test_predictions_are_those_of_the_reference():
    chosen = system.net({"blocks": 3, "cells": 2})
    theta = kernel.initial(chosen, SEED, IDS, span=2.0, input_gate_bias=None)
    strings = [row for row in reber.sets(SEED, 0, 20)[0]]
    found = system._predict(chosen, theta.repeat_interleave(20, 1), [[string] for string in strings] * 4)
    for b in range(4):
        W, V = chosen.layers(theta[:, b : b + 1])
        for n, string in enumerate(strings):
            may, memory = reber.following(string[None])[0], reference.begin(W, 3, 2)
            right = True
            for t, symbol in enumerate(string[:-1]):
                memory = reference.step(W, memory, torch.eye(7, dtype=theta.dtype)[:, [symbol]]).memory
                o = reference.output(V, memory)[0][:, 0]
                right &= bool(o[may[t]].min() > o[~may[t]].max())
            assert found[20 * b + n] == right


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"update": "epoch"}, "update is 'epoch': one of symbol, string"),
        ({"budget": 0}, "budget is 0"),
        ({"every": 6}, "every is 6 and budget 8: a multiple of 4"),
        ({"budget": 10}, "every is 4 and budget 10"),
        ({"rate": 0.0}, "rate is 0.0: positive numbers"),
        ({"pairs": 0}, "pairs is 0"),
        ({"blocks": 0}, "blocks is 0"),
    ],
)
def test_bad_settings_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        trials(SEED, IDS, {**SETTING, **change})
