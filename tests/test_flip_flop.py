"""Chapter flip_flop: its equations in exact arithmetic, its theorems searched, its learner, its record."""

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import find, given, settings
from hypothesis import strategies as st

from lltd import experiments
from lltd.analysis import flip_flop_printed as printed
from lltd.chapters import flip_flop as chapter
from lltd.chapters.flip_flop import READING
from lltd.philox import Purpose, uniform
from lltd.systems import flip_flop, flip_flop_learner
from lltd.systems.flip_flop_learner import Learner, epochs_to_success

HALVES = [Fraction(n, 2) for n in range(-6, 7)]
CASE = {**READING, "length": 20, "noise": 0.6}


def numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


def f(x, u):
    """Eq. 8 in exact arithmetic, word by word."""
    return 1 if (abs(u) < 1 and x >= 0) or u >= 1 else -1


def test_the_map_is_equation_8():
    for x, u in product(HALVES, repeat=2):
        assert flip_flop.step(numbers(float(x)), numbers(float(u))).item() == f(x, u)


def test_the_grid_has_all_cases_that_the_equations_can_tell_apart():
    signs, places = 3, 5  # of x; of u and of u + Δu: below, on, between, on and above the thresholds
    assert printed.distinct(*printed.cases(3)) == signs * places**2


@pytest.mark.parametrize("k", [Fraction(1, 8), Fraction(1), Fraction(3)])
def test_equations_9_to_13_hold_in_exact_arithmetic(k):
    for x, u in product(HALVES, repeat=2):
        x_, u_, df = numbers(float(x)), numbers(float(u)), -2 * f(x, u)
        for d in HALVES:
            d_ = numbers(float(d))
            assert flip_flop.effect_of_state(d_, x_, u_).item() == f(x + d, u) - f(x, u)
            assert flip_flop.effect_of_input(d_, x_, u_).item() == f(x, u + d) - f(x, u)
        dx = Fraction(flip_flop.wanted_of_state(numbers(df), x_, u_, float(k)).item())
        du = Fraction(flip_flop.wanted_of_input(numbers(df), x_, u_, float(k)).item())
        assert f(x + dx, u) - f(x, u) == (df if abs(u) < 1 else 0)
        assert f(x, u + du) - f(x, u) == df
        for already in (-df, 0):
            assert flip_flop.wanted_of_state(numbers(already), x_, u_, float(k)).item() == 0
            assert flip_flop.wanted_of_input(numbers(already), x_, u_, float(k)).item() == 0


def test_where_the_input_decides_no_change_of_the_state_matters():
    for x, u, d in product(HALVES, repeat=3):
        assert abs(u) < 1 or f(x + d, u) == f(x, u)


def test_the_wanted_change_of_the_state_is_no_function_of_the_wanted_output():
    wanted = flip_flop.wanted_of_state(numbers(2, 2, 2), numbers(-1, -2, -1), numbers(0, 0, 3))
    assert wanted.tolist() == [2, 3, 0]


def test_equation_11_needs_the_margin_one():
    x, u, df = numbers(-1, 1), numbers(0.5, 0.5), numbers(2, -2)
    assert torch.equal(flip_flop.carry(df, u), flip_flop.wanted_of_state(df, x, u, 1.0))
    assert not torch.equal(flip_flop.carry(df, u), flip_flop.wanted_of_state(df, x, u, 0.5))


def test_printed_equation_12_misses_changes_on_the_boundaries_alone():
    x, u, du = printed.cases(3)
    true = flip_flop.step(x, u + du) - flip_flop.step(x, u)
    said = printed.effect_of_input(du, x, u)
    boundary = (x == 0) | (u.abs() == 1) | ((u + du).abs() == 1)
    assert torch.equal(said[~boundary], true[~boundary])
    assert (said[said != true] == 0).all()
    for x, u, du in ((0, -3, 2.5), (-3, -1, 2), (1, -1, 0.5)):  # x = 0, u + Δu = 1, u = -1
        assert f(x, u + du) - f(x, u) == 2
        assert printed.effect_of_input(numbers(du), numbers(x), numbers(u)).item() == 0


def test_printed_equation_13_is_helpless_on_the_boundaries_alone():
    x, u = printed.cases(2)
    df = -2 * flip_flop.step(x, u)
    turned = printed.turned(df, x, u, printed.wanted_of_input(df, x, u))
    boundary = (x == 0) | ((x < 0) & (u == 1)) | ((x > 0) & (u == -1))
    assert torch.equal(turned, ~boundary)


def kept(x, u):
    """Whether the state has at the end the sign with which it began."""
    return flip_flop.unfold(numbers(x), numbers(*u)[:, None])[-1].item() == (1 if x >= 0 else -1)


STATES = st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0])
INSIDE = st.floats(-1, 1, exclude_min=True, exclude_max=True)
CLOSED = st.floats(-1, 1)  # the weakened hypothesis |u_t| <= 1


@given(STATES, st.lists(INSIDE, min_size=1, max_size=30))
def test_a_bit_is_kept_within_the_thresholds(x, u):
    assert kept(x, u)


def test_a_bit_can_be_lost_on_the_thresholds():
    find(st.tuples(STATES, st.lists(CLOSED, min_size=1, max_size=30)), lambda case: not kept(*case))


def test_noise_just_beyond_the_thresholds_loses_the_bit():
    u = 1.01 * (2 * uniform(1, torch.arange(100), torch.arange(5000)[:, None], Purpose.NOISE)[0] - 1)
    ends = flip_flop.last_word(torch.ones(100, dtype=torch.float64), u)
    assert 30 < (ends > 0).sum() < 70


@given(STATES, st.lists(st.sampled_from([-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5]), min_size=1, max_size=12))
def test_the_last_input_beyond_a_threshold_has_the_last_word(x, u):
    u = numbers(*u)[:, None]
    assert torch.equal(flip_flop.last_word(numbers(x), u), flip_flop.unfold(numbers(x), u)[-1])


def unweakened(x, u, s):
    """Whether the wanted change of the end is that of x_s, and does turn the end over when it is made there."""
    u = numbers(*u)[:, None]
    states = flip_flop.unfold(numbers(x), u)
    df = -2 * states[-1]
    dx, _ = flip_flop.send_back(df, states, u)
    end = flip_flop.unfold(states[s] + dx[s], u[s:])[-1]
    return torch.equal(dx[s], df) and torch.equal(end, -states[-1])


def sequences(inputs):
    """A state -1 or 1, inputs that are of this kind from step s on, and s."""

    def build(x, before, after):
        return x, before + after, len(before)

    any_input = st.lists(st.floats(-3, 3), max_size=5)
    return st.builds(
        build, st.sampled_from([-1.0, 1.0]), any_input, st.lists(inputs, min_size=1, max_size=30)
    )


@given(sequences(INSIDE))
def test_the_wanted_change_travels_back_unweakened(case):
    assert unweakened(*case)


def test_the_wanted_change_can_stop_at_an_input_on_a_threshold():
    find(sequences(CLOSED), lambda case: not unweakened(*case))


@given(st.sampled_from([-1.0, 1.0]), st.lists(st.floats(-1.2, 1.2), min_size=1, max_size=12))
def test_the_wanted_change_is_zero_exactly_where_no_other_state_or_input_could_help(x, u):
    u = numbers(*u)[:, None]
    states = flip_flop.unfold(numbers(x), u)
    dx, du = flip_flop.send_back(-2 * states[-1], states, u)
    for s in range(len(u)):
        other = flip_flop.unfold(-states[s], u[s:])[-1]
        assert (dx[s].item() != 0) == (other.item() != states[-1].item())
        changed = u.expand(-1, 3).clone()  # inputs in place of u_s: as wanted, and one that sets each state
        changed[s] = torch.cat((u[s] + du[s], numbers(-2, 2)))
        turned = flip_flop.unfold(numbers(x, x, x), changed)[-1] == -states[-1]
        assert (du[s].item() != 0) == turned[0].item() == turned.any().item()


def test_the_credit_is_shared_as_printed():
    u = numbers(0.3, -2, 0.1, 5, 0.2, -0.9, 0.5)[:, None]
    np.testing.assert_allclose(flip_flop.credit(u)[:, 0], [0, 0, 0, 0.5, *[0.5 / 3] * 3])
    assert flip_flop.credit(u[:4])[:, 0].tolist() == [0, 0, 0, 0.5]  # the last input set the state: n = 0
    assert flip_flop.credit(u[4:])[:, 0].tolist() == [0.5 / 3] * 3  # none did: n = T


def test_the_shares_of_the_learnable_inputs_under_each_rule():
    u = numbers(0.3, -0.2, 0.1, 0.4, 0.2, -0.9)[:, None]
    set_by_first = torch.cat((numbers(7)[:, None], u[1:]))

    def shares(u, rule):
        return flip_flop_learner.shared(flip_flop.credit(u), u, 3, rule)[:, 0].tolist()

    assert shares(u, "all steps") == pytest.approx([0.5 / 6] * 3)
    assert shares(u, "learnable steps") == pytest.approx([0.5 / 3] * 3)
    assert shares(u, "one in all") == pytest.approx([1 / 6] * 3)
    assert shares(u, "unshared") == [1, 1, 1]
    assert shares(set_by_first, "all steps") == pytest.approx([0.5, 0.1, 0.1])
    assert shares(set_by_first, "learnable steps") == pytest.approx([0.5, 0.25, 0.25])
    assert shares(set_by_first, "one in all") == pytest.approx([0.5, 0.1, 0.1])


def test_the_illustration_needs_a_negative_state_before_the_setter():
    hold = [0.2, -0.5]
    for before, helps in ((-1.0, True), (1.0, False)):
        u = numbers(0.5, *hold)[:, None]  # the setter, u > 1 before, has been taken below 1
        assert (flip_flop.unfold(numbers(before), u)[-1].item() == -1) is helps
    states = flip_flop.unfold(numbers(-1), numbers(2, 0.2, -1.5)[:, None])
    assert states[:, 0].tolist() == [-1, 1, 1, -1]  # u_T decides x_{T+1}: x_T had been fixed without it


def test_the_weight_follows_the_delta_rule_on_u():
    settings = {**CASE, "noise": 1.0, "rate": 0.3, "weight": 1.2}
    runs = Learner.start(3, torch.arange(50), [settings] * 50)
    before, w, h = runs.present(0), runs.w.clone().requires_grad_(), runs.h.clone().requires_grad_()
    x, inputs = before
    u = w * torch.cat((h, inputs[3:]))
    states = flip_flop.unfold(x, u.detach())
    df = numbers(-1, 1)[:, None] - states[-1]
    _, du = flip_flop.send_back(df, states, u.detach(), 1.0)
    (flip_flop.credit(u.detach()) * (u - (u + du).detach()) ** 2 / 2).sum().backward()
    runs.train()
    torch.testing.assert_close(runs.w, w.detach() - 0.3 * w.grad)
    torch.testing.assert_close(runs.h, h.detach() - 0.3 * h.grad)


def errs_later(limit, seed):
    """How many runs with placed bits and |w| times noise up to this limit end wrong in 50 fresh presentations."""
    runs = Learner.start(seed, torch.arange(300), [{**CASE, "noise": 1.0}] * 300)
    runs.h = 2 * numbers(-1, 1)[None, :, None].expand_as(runs.h).clone()
    runs.w = limit * (1 - 0.02 * uniform(seed, runs.ids, 0, Purpose.TASK)[0])
    if limit <= 1:
        assert runs.settled().all()
    wrong = torch.zeros(300, dtype=torch.bool)
    for number in range(50):
        x, inputs = runs.present(number)
        wrong |= (flip_flop.unfold(x, runs.w * inputs)[-1] != numbers(-1, 1)[:, None]).any(0)
    return int(wrong.sum())


def test_a_settled_run_never_errs_again():
    assert errs_later(1.0, 1) == errs_later(0.6, 2) == 0


def test_a_run_a_little_beyond_settled_errs():
    assert errs_later(1.05, 1) > 0


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from(["all steps", "learnable steps", "unshared"]),
    st.sampled_from([0.3, 1.0, 3.0]),
    st.sampled_from([0.2, 1.0, 5.0]),
    st.sampled_from([5, 20, 40]),
)
def test_the_wait_with_a_fixed_weight_in_closed_form(rule, rate, margin, length):
    case = {**CASE, "credit": rule, "rate": rate, "margin": margin, "length": length, "learn_weight": False}
    runs = Learner.start(1, torch.arange(3), [{**case, "noise": noise} for noise in (0.0, 0.4, 1.0)])
    runs.h.zero_()
    share = {"all steps": 0.5 / length, "learnable steps": 0.5 / 3, "unshared": 1}[rule]
    expected = flip_flop_learner.epochs_of_fixed_weight(rate, margin, share)
    while not runs.settled().all() and runs.epoch < 2 * expected:
        assert not runs.settled().any()  # the noise makes no difference
        runs.train()
    assert runs.epoch == expected


def test_a_weight_that_is_learnt_does_not_wait_so():
    runs = Learner.start(1, torch.arange(20), [{**CASE, "credit": "learnable steps", "noise": 1.0}] * 20)
    runs.h.zero_()
    for _ in range(flip_flop_learner.epochs_of_fixed_weight(1.0, 1.0, 0.5 / 3)):
        runs.train()
    assert not runs.settled().any()  # the noise has shrunk w


def test_a_run_is_the_same_alone_and_among_others():
    cases = [
        {**CASE, "length": T, "noise": s, "credit": rule, "rate": rate}
        for T in (10, 30)
        for s in (0.4, 1.0)
        for rule in flip_flop_learner.CREDITS
        for rate in (1.0, 5.0)
    ]
    ids = torch.arange(len(cases)) * 7
    together = epochs_to_success(5, ids, cases)
    alone = [epochs_to_success(5, ids[i : i + 1], cases[i : i + 1]).item() for i in range(len(cases))]
    assert together.tolist() == alone and max(alone) > -1


@pytest.mark.parametrize("change", ["in_turn", "random", "old noise", "pairs", "deviation"])
def test_every_other_reading_learns_too(change):
    changed = {
        "in_turn": {"in_turn": True},
        "random": {"start": "random"},
        "old noise": {"fresh": False, "ending": "clean epoch"},
        "pairs": {"pairs": 3},
        "deviation": {"level": "standard deviation"},
    }[change]
    case = {**CASE, "noise": 0.4, "credit": "learnable steps", **changed}
    epochs = epochs_to_success(2, torch.arange(40), [case] * 40)
    assert ((epochs >= 1) & (epochs <= 100)).float().mean() > 0.9


def test_noise_of_one_presentation_is_uniform_and_its_own():
    noise = flip_flop_learner.uniform_noise(1, torch.arange(500), 3, 7)
    assert noise.shape == (7, 2, 500) and noise.abs().max() < 1
    assert abs(noise.mean()) < 5 / math.sqrt(3 * noise.numel())
    assert noise.var().item() == pytest.approx(1 / 3, rel=0.05)
    assert len(noise.unique()) > 0.99 * noise.numel()
    assert not torch.equal(noise, flip_flop_learner.uniform_noise(1, torch.arange(500), 4, 7))


def test_the_grid_is_what_is_printed():
    cells = experiments.find("flip_flop/grid").recipe.cells
    assert {cell["length"] for cell in cells} == set(range(10, 101, 10))
    assert {cell["noise"] for cell in cells} == {0.2, 0.4, 0.6, 0.8, 1.0}
    assert {cell["epochs"] for cell in cells} == {100}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate": 0}, "rate is 0: a finite number, more than 0"),
        ({"rate": math.nan}, "rate is nan"),
        ({"margin": -1.0}, "margin is -1.0: a finite number, more than 0"),
        ({"noise": -0.2}, "noise is -0.2: a finite number, 0 or more"),
        ({"lead": 0}, "lead is 0: at least one input must be learnable"),
        ({"lead": 21}, "length is 20, shorter than lead = 21"),
        ({"epochs": 0}, "epochs is 0: a budget of at least one"),
        ({"pairs": 0}, "pairs is 0: at least one pair"),
        ({"weight": 0.0}, "weight is 0.0: a finite number other than 0"),
        ({"credit": "none"}, "credit is 'none': one of all steps, learnable steps"),
        ({"level": "variance"}, "level is 'variance': one of half-width"),
    ],
)
def test_settings_out_of_range_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        epochs_to_success(1, torch.arange(2), [CASE, {**CASE, **change}])


def test_margins_and_rates_must_be_positive():
    one = numbers(1)
    for function in (flip_flop.wanted_of_state, flip_flop.wanted_of_input):
        with pytest.raises(ValueError, match=r"k is 0: how far past a threshold"):
            function(one, one, one, 0)
    with pytest.raises(ValueError, match="share is 0"):
        flip_flop_learner.epochs_of_fixed_weight(1.0, 1.0, 0)


def test_cases_and_readings_are_found_on_the_record():
    assert chapter.waits("all steps").shape == (50, 20_000)
    assert chapter.waits("learnable steps, w fixed", length=100).shape == (5, 20_000)
    default = chapter.under("all steps")  # the same setting on the sparse grid, with runs of its own
    dense = [
        chapter.waits("all steps", length=T, noise=s) for T in (10, 40, 70, 100) for s in (0.2, 0.6, 1.0)
    ]
    for ours, theirs in zip(default, dense, strict=True):
        assert abs(np.isfinite(ours).mean() - np.isfinite(theirs).mean()) < 0.25


def test_no_result_is_older_than_its_code():
    assert experiments.code_findings("flip_flop") == []
