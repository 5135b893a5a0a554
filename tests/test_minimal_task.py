"""Chapter minimal_task: what its text proves, searched for counterexamples, and its record replayed."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lltd import experiments, tasks
from lltd.analysis import latch, transfer
from lltd.analysis.counterexamples import chaotic_bands
from lltd.chapters import minimal_task
from lltd.chapters.minimal_task import READING
from lltd.kernels.latch import recall
from lltd.philox import Purpose, normal, uniform
from lltd.systems import tanh_latch


def test_the_task_has_learnt_inputs_then_noise_and_one_target():
    inputs, targets = tasks.latch(1, torch.arange(500), 4, length=20, lead=3, noise=0.2)
    assert inputs.shape == (20, 2, 500) and (inputs[:3] == 0).all() and (inputs[3:] != 0).all()
    assert abs(inputs[3:].mean()) < 5 * 0.2 / math.sqrt(17_000)
    assert targets.tolist() == [[-0.8], [0.8]]


def test_the_default_reading_is_what_is_printed():
    printed = {"weight": 1.25, "noise": 0.2, "length": 20, "lead": 3}
    assert {key: READING[key] for key in printed} == printed


def test_a_bit_survives_without_noise_iff_w_exceeds_one():
    w = torch.cat((torch.linspace(0.05, 0.98, 300), torch.linspace(1.02, 5, 300))).double()
    a = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    for _ in range(2000):
        a = tanh_latch.step(a, w, 0)
    assert torch.equal(a[1] - a[0] > 0.1, w > 1)


def test_a_weight_below_minus_one_keeps_a_bit_too():
    a = torch.tensor([-5.0, 5.0], dtype=torch.float64)
    signs = []
    for t in range(2, 101):
        a = tanh_latch.step(a, -2.0, 0.2 * normal(1, torch.arange(2), t, Purpose.NOISE)[0])
        signs.append(torch.sign(a).tolist())
    assert signs[0] == [1, -1] and all(later == signs[t % 2] for t, later in enumerate(signs))


def test_inputs_up_to_the_critical_one_never_undo_a_latch():
    w = torch.linspace(1.05, 5, 400, dtype=torch.float64)
    critical = torch.tensor([latch.critical_input(float(value)) for value in w])
    start = torch.tensor([latch.fixed_point(float(value)) for value in w], dtype=torch.float64)
    worst, mixed, beyond = start.clone(), start.clone(), start.clone()
    for t in range(2000):
        chance = 2 * uniform(7, torch.arange(400), t, Purpose.NOISE)[0] - 1
        worst = tanh_latch.step(worst, w, -0.999 * critical)  # always against the latch
        mixed = tanh_latch.step(mixed, w, critical * chance)
        beyond = tanh_latch.step(beyond, w, -1.02 * critical)
        assert (worst > 0).all() and (mixed > 0).all()
    assert (beyond < 0).all()


@given(st.floats(1.001, 20))
def test_the_critical_input_is_where_two_fixed_points_meet(w):
    a = -math.acosh(math.sqrt(w))  # slope one, on the side that the input opposes
    assert w * (1 - math.tanh(a) ** 2) == pytest.approx(1)
    assert a == pytest.approx(w * math.tanh(a) + latch.critical_input(w), abs=1e-12)


def test_the_critical_input_of_figure_3():
    assert latch.critical_input(2) == pytest.approx(0.532840, abs=5e-7)


@pytest.mark.parametrize("w", [1.0, 0.5, math.nan])
def test_closed_forms_need_a_latch(w):
    for function in (latch.critical_input, latch.fixed_point, latch.multiplier):
        with pytest.raises(ValueError, match="latches only for w > 1"):
            function(w)


def test_a_bit_is_kept_while_its_derivative_explodes():
    runs, steps = 200, 5000
    a = torch.empty(runs, dtype=torch.float64)
    a[:] = chaotic_bands.LOW + (chaotic_bands.HIGH - chaotic_bands.LOW) * torch.arange(runs) / runs
    a[::2] *= -1
    side, logs = torch.sign(a), torch.zeros_like(a)
    for t in range(steps):
        u = chaotic_bands.BOUND * (2 * uniform(3, torch.arange(runs), t, Purpose.NOISE)[0] - 1)
        logs += chaotic_bands.slope(a).abs().log()
        a = chaotic_bands.step(a, u)
        assert ((a.abs() >= chaotic_bands.LOW - 0.01) & (a.abs() <= chaotic_bands.HIGH)).all()
    assert torch.equal(torch.sign(a), side)
    assert (logs / steps > 0.3).all()


@pytest.mark.parametrize(("w", "s"), [(1.25, 0.2), (1.25, 0.4), (2.0, 0.6)])
def test_the_transfer_operator_agrees_with_simulation(w, s):
    ids = torch.arange(20_000)
    theta = tanh_latch.init(1, ids, torch.full((20_000,), w, dtype=torch.float64), 3, "oracle")
    noise = torch.full((20_000,), s, dtype=torch.float64)
    hits = recall(1, ids, theta, noise=noise, length=40, draws=1).double().mean(1)
    exact = transfer.retention(w, s, np.array([5.0] * 3), 37)[-1]
    assert ((hits - exact).abs() < 5 * math.sqrt(exact * (1 - exact) / 20_000)).all()


def test_the_bit_fades_at_the_rate_of_the_second_eigenvalue():
    kept = transfer.retention(1.25, 0.3, np.array([5.0] * 3), 200) - 0.5
    assert kept[200] / kept[199] == pytest.approx(transfer.second_eigenvalue(1.25, 0.3), rel=1e-6)


def test_the_grid_of_the_transfer_operator_is_fine_enough():
    coarse, fine = (transfer.second_eigenvalue(1.25, 0.2, points) for points in (401, 1601))
    assert coarse == pytest.approx(fine, rel=1e-10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((1.25, 0.0), "s is 0.0"), ((1.25, 0.2, 800), "points is 800"), ((1.25, 0.001), "too few")],
)
def test_the_transfer_operator_refuses_what_it_cannot_do(arguments, message):
    with pytest.raises(ValueError, match=message):
        transfer.second_eigenvalue(*arguments)


def test_eighteen_runs_of_a_cell_are_its_first_trials():
    record = experiments.read("minimal_task/density")
    hits, trials = minimal_task.counts(record, trials=18)
    cell, cells = 300, len(record.recipe.cells)
    ids = [cell + cells * trial for trial in range(18)]
    assert trials == 18 and hits[cell] == minimal_task.converged(record["right"][ids, 0]).sum()


def test_more_runs_are_counted_in_the_cells_of_the_contour_and_there_alone():
    record, more = experiments.read("minimal_task/density"), experiments.read("minimal_task/contour")
    hits, runs = minimal_task.density_counts()
    first, every = minimal_task.counts(record)
    also, again = more.by_cell("converged").sum(1), more.recipe.runs // len(minimal_task.CONTOUR)
    assert runs.sum() == first.size * every + also.size * again and hits.sum() == first.sum() + also.sum()
    for cell, count in zip(minimal_task.CONTOUR, also, strict=True):
        place = minimal_task.WEIGHTS.index(cell["weight"]), minimal_task.NOISES.index(cell["noise"])
        own = first.reshape(hits.shape)[place]
        assert runs[place] == every + again and hits[place] == own + count
        spread = math.sqrt(count / again * (1 - count / again) * (1 / every + 1 / again))
        assert abs(own / every - count / again) < 5 * spread  # two records, other seeds, the same share


def test_the_contour_has_more_runs_wherever_the_share_is_nearly_level():
    hits, runs = minimal_task.density_counts()
    share = hits / runs
    slope = np.hypot(*np.gradient(share))  # a cell
    level = (abs(share - 0.5) < 0.1) & (slope < 0.08)
    assert level.sum() > 50 and (runs[level] > runs.min()).all()


def test_no_result_is_older_than_its_code():
    assert experiments.code_findings("minimal_task") == []


def test_a_hundred_runs_of_the_density_replay_to_what_is_stored():
    work = experiments.find("minimal_task/density")
    ids = [int(id) for id in np.random.default_rng(5).choice(work.recipe.runs, 100, replace=False)]
    fresh = experiments.recompute(work, work.recipe, ids)["right"]
    differ = (fresh != experiments.read("minimal_task/density")["right"][ids]).sum()
    assert differ <= work.flips * 100 + 4 * math.sqrt(work.flips * 100)
