"""Chapter adding: the settings as printed, readings told apart, and trials alone as in a shard."""

from dataclasses import asdict, fields, replace

import numpy as np
import pytest
import torch
from drawn import compiled

from lltd import experiments
from lltd.chapters import adding
from lltd.chapters.adding import outcomes, results
from lltd.experiments import EXPERIMENTS
from lltd.kernels import lstm96 as kernel
from lltd.kernels.lstm96 import Topology, reference
from lltd.record import Recipe
from lltd.systems import lstm96 as system
from lltd.systems.batches import STORED
from lltd.systems.stopping import Criterion

NAMES = [*adding.CELLS, "adding/settings"]
QUICK = [asdict(Criterion(4, 0, "squared", 30, 0.2)), asdict(Criterion(7, 2, "absolute", None, 0.17))]


def tiny(name, trials=3, **changed):
    """An experiment's own recipe, but for few, short and easy trials."""
    recipe = experiments.find(name).recipe
    easy = {"length": 20, "budget": 300, "tests": 20, **changed}
    own = recipe.parameters
    parameters = {
        "common": {**own["common"], "criteria": QUICK},
        "cases": [{**case, **easy} for case in own["cases"]],
    }
    return replace(recipe, runs=trials * len(recipe.cells), shard=len(recipe.cells), parameters=parameters)


def computed(name, recipe, ids):
    return EXPERIMENTS[name].compute(recipe, torch.as_tensor(ids))


# --- settings ---


def test_the_letter_of_the_paper_is_what_is_printed():
    (setting,) = experiments.find("adding/literal").recipe.cells
    whole = system.complete(setting)
    assert whole["length"] == 100 and (whole["rate"], whole["span"]) == (0.5, 0.1)
    assert tuple(whole["input_gate_bias"]) == (-3, -6) and whole["output_gate_bias"] is None
    assert (whole["tests"], whole["tolerance"], whole["first_pair"]) == (2560, 0.04, "neutral")
    assert system.net(whole) == Topology() and system.net(whole).weights == 93
    net = system.net(whole)
    assert (net.blocks, net.cells, net.inputs, net.outputs) == (2, 2, 2, 1)
    assert net.cell_bias and net.output_bias and net.slope and net.output == "logistic"
    stop = system.criteria(whole)[list(adding.CRITERIA).index("squared, latest 2000")]
    assert (stop.recent, stop.wrong, stop.below) == (2000, 0, 0.01)


def test_units_have_the_printed_ranges():
    x = torch.linspace(-40, 40, 2001, dtype=torch.float64)
    for unit, low, high in ((torch.sigmoid, 0, 1), (reference.h, -1, 1), (reference.g, -2, 2)):
        y = unit(x)
        assert (y >= low).all() and (y <= high).all() and (y.diff() >= 0).all()
        assert y[0] - low < 1e-15 and high - y[-1] < 1e-15


def test_readings_change_nothing_that_is_printed():
    printed = {"rate", "span", "input_gate_bias", "output_gate_bias", "tests", "tolerance", "blocks", "cells"}
    for name in adding.CELLS:
        for cell in experiments.find(name).recipe.cells:
            assert all(cell[key] == system.COMMON[key] for key in printed)


def test_every_reading_is_another_setting():
    settings = [repr(sorted({**system.COMMON, **setting}.items())) for setting in adding.READINGS.values()]
    assert len(set(settings)) == len(settings) == 15
    changes = [repr(sorted(change.items())) for change in adding.CHANGES.values()]
    assert len(set(changes)) == len(changes) - 1  # one is made twice


@pytest.mark.parametrize("name", adding.CELLS)
def test_each_cell_is_the_reading_and_the_length_that_it_is_said_to_be(name):
    cells = experiments.find(name).recipe.cells
    assert len(cells) == len(adding.CELLS[name])
    for cell, (reading, length) in zip(cells, adding.CELLS[name], strict=True):
        assert cell["length"] == length and cell["budget"] == adding.BUDGETS[length]
        assert all(cell[key] == value for key, value in {**system.COMMON, **adding.READINGS[reading]}.items()
                   if key != "criteria")  # fmt: skip


def test_each_reading_is_run_once_at_100_steps_with_256_trials():
    at_100 = [
        (reading, experiments.find(name).recipe)
        for name, cells in adding.CELLS.items()
        for reading, length in cells
        if length == 100
    ]
    assert sorted(reading for reading, _ in at_100) == sorted(adding.READINGS)
    assert all(recipe.runs == 256 * len(recipe.cells) for _, recipe in at_100)


def test_trials_are_cut_no_earlier_than_asked_and_are_many_enough():
    for T, least, trials in ((100, 2_000_000, 256), (500, 2_500_000, 128), (1000, 5_000_000, 32)):
        assert adding.BUDGETS[T] >= least
        for name, cells in adding.CELLS.items():
            if any(length == T for _, length in cells):
                recipe = experiments.find(name).recipe
                assert recipe.runs >= trials * len(recipe.cells)


@pytest.mark.parametrize("name", NAMES)
def test_shards_fill_all_lanes(name):
    recipe = experiments.find(name).recipe
    assert recipe.shard % (16 * len(recipe.cells)) == 0 == recipe.runs % recipe.shard


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_known_and_nets_are_compiled(name):
    for cell in experiments.find(name).recipe.cells:
        assert system.net(system.complete(cell)).compiled


def test_experiments_draw_apart():
    seeds = [experiments.find(name).recipe.seed for name in NAMES]
    assert len(set(seeds)) == len(seeds) and 7 not in seeds  # 7 was the pilots'


def test_criteria_come_in_the_order_in_which_they_can_be_met():
    learnt, nearly, run = list(adding.CRITERIA.values())[:3]
    assert learnt.recent == 0 and (learnt.measure, learnt.window, learnt.below) == ("squared", 2000, 0.01)
    assert replace(nearly, wrong=0) == run  # whoever meets the latter met the former


# --- runs ---


@compiled
@pytest.mark.parametrize("name", NAMES)
def test_a_shard_is_its_runs_one_by_one(name):
    recipe = tiny(name)
    ids = range(recipe.runs)
    together = computed(name, recipe, ids)
    assert {value.dtype for value in together.values()} <= {np.dtype(kind) for kind in STORED.values()}
    for run in (0, len(recipe.cells) - 1, recipe.runs - 1, recipe.runs // 2):
        alone = computed(name, recipe, [run])
        for key, value in together.items():
            assert value[run : run + 1].tobytes() == alone[key].tobytes(), (key, run)


@compiled
def test_a_run_is_a_trial_of_its_cell_under_its_own_number():
    recipe = tiny("adding/settings")
    found = computed("adding/settings", recipe, range(recipe.runs))
    for run in (0, 5, 21, recipe.runs - 1):
        outcome = system.trials(recipe.seed, torch.tensor([run]), recipe.settings(run))
        for key, value in outcome.items():
            assert (found[key][run] == value[0].numpy().astype(found[key].dtype)).all(), key
    assert len({tuple(row) for row in found["absolute"].tolist()}) > recipe.runs - 3


@compiled
def test_trials_that_diverge_are_kept_and_marked():
    recipe = tiny("adding/nearest_500", trials=24, rate=2.04)
    wild = replace(recipe, parameters={**recipe.parameters, "common": {
        **recipe.parameters["common"], "criteria": [asdict(Criterion(recent=0))]}})  # fmt: skip
    found = computed("adding/nearest_500", wild, range(24))
    gone = found["diverged"]
    assert gone.any() and not gone.all()
    assert (found["wrong"][gone] == 20).all() and not found["met"][gone].any()


def test_unknown_settings_in_a_recipe_are_named():
    recipe = Recipe("adding/try", 1, 1, 1, 1, "float32", {"cases": [{"length": 20, "budget": 5, "speed": 1}]})
    with pytest.raises(ValueError, match="setting speed"):
        computed("adding/literal", recipe, [0])


# --- what is read off the record ---


def trials_by_hand(**changed):
    """Four trials: two met the criterion, one was cut at the budget, one diverged."""
    some = {
        "sequences": np.array([30, 50, 90, 40], np.int32),
        "met": np.array([True, True, False, False]),
        "diverged": np.array([False, False, False, True]),
        "wrong": np.array([1, 3, 40, 2560], np.int16),
    }
    rest = {name: np.zeros(4) for name in ("right", "absolute", "squared")}
    return outcomes.Trials(**{**some, **rest, "budget": 90, "tests": 2560, **changed})


def test_what_has_no_end_waits_for_ever_and_counts_at_least_with_the_budget():
    trials = trials_by_hand()
    assert trials.waits.tolist() == [30, 50, np.inf, np.inf]
    assert trials.at_least.tolist() == [30, 50, 90, 90]
    assert trials.mean(90)[0] == np.mean([30, 50, 90, 90])  # a diverged trial is not one cut at 40
    assert trials.survival().waiting[-1] == 0.5
    np.testing.assert_allclose(trials.share_right, [2559 / 2560, 2557 / 2560, 2520 / 2560, 0])
    low, high = trials.band(200)
    assert 30 <= low <= trials.at_least.mean() <= high <= 90


@compiled
def test_trials_are_found_under_their_reading_length_and_criterion(monkeypatch, tmp_path):
    monkeypatch.setenv("LLTD_RESULTS", str(tmp_path))
    for name in ("adding/linear", "adding/settings"):
        work = replace(EXPERIMENTS[name], recipe=tiny(name, trials=2))
        monkeypatch.setitem(EXPERIMENTS, name, work)
        experiments.run(work, workers=1)
    reading = ("linear", "first pair stays unmarked")
    name, cell = outcomes.address(reading, 100)
    recipe = EXPERIMENTS[name].recipe
    assert (name, cell) == ("adding/linear", 4) and recipe.cells[cell]["first_pair"] == "unmarked"
    pairs = [
        (outcomes.found(reading, 100, second), cell, recipe, k) for k, second in enumerate(CRITERIA_OF_TWO)
    ]
    recipe = EXPERIMENTS["adding/settings"].recipe
    cell = list(adding.CHANGES).index("rate 0.2")
    assert recipe.cells[cell]["rate"] == 0.2
    pairs += [(outcomes.changed("rate 0.2", one), cell, recipe, k) for k, one in enumerate(CRITERIA_OF_TWO)]
    for trials, cell, recipe, k in pairs:
        runs = torch.tensor([cell, cell + len(recipe.cells)])
        alone = system.trials(recipe.seed, runs, recipe.cells[cell])
        assert (trials.budget, trials.tests) == (300, 20)
        for field in fields(trials):
            if field.name in alone:
                value = alone[field.name].numpy()
                np.testing.assert_allclose(
                    getattr(trials, field.name), value if value.ndim == 1 else value[:, k]
                )
    with pytest.raises(ValueError, match="criterion is 'soon'"):
        outcomes.found(reading, 100, "soon")


CRITERIA_OF_TWO = list(adding.CRITERIA)[:2]


def test_unknown_readings_lengths_and_changes_are_named():
    with pytest.raises(ValueError, match=r"\('linear', 'sees all'\) at T = 100: logistic, sees cells; "):
        outcomes.found(("linear", "sees all"))
    with pytest.raises(ValueError, match="at T = 30: no reading is there"):
        outcomes.found(adding.LITERAL, 30)
    with pytest.raises(ValueError, match="change is 'rate 7': one of as it is; "):
        outcomes.changed("rate 7")


def test_the_first_mark_at_1000_steps_is_about_as_far_from_the_end():
    ids = torch.zeros(300, dtype=torch.int64)
    shown = kernel.sequences(kernel.Task(length=1000), 1, ids, torch.arange(300))
    after = torch.arange(len(shown.inputs)).flip(0)[:, None]
    marked = shown.inputs[:, 1] == 1
    first, second = torch.where(marked, after, -1).amax(0), torch.where(marked, after, 9999).amin(0)
    assert first.min() >= 990 and first.max() <= 1099 and second.min() >= 500


def test_readings_at_each_length():
    assert sorted(outcomes.at(100)) == sorted(adding.READINGS)
    assert set(outcomes.at(500)) == {adding.LITERAL, adding.NEAREST, *adding.OTHERS}
    assert set(outcomes.at(1000)) == set(outcomes.at(500))


def test_readings_taken_to_other_lengths_are_the_letter_and_those_that_the_number_at_100_allows():
    printed, rounding = outcomes.PRINTED[100], outcomes.ROUNDING
    bands = {reading: outcomes.found(reading).band() for reading in adding.READINGS}
    allowed = {name for name, (low, high) in bands.items() if low - rounding <= printed <= high + rounding}
    assert allowed == {adding.NEAREST, *adding.OTHERS}


def test_readings_picked_by_the_number_at_100_are_owned_up_to():
    assert results._name(adding.LITERAL) == ""
    assert results._name(("linear", "first pair stays unmarked")) == "linear, first pair stays unmarked"
    for reading in (adding.NEAREST, *adding.OTHERS):
        assert results._name(reading, "of all errors").endswith(
            "of all errors (chosen after seeing the result)"
        )
