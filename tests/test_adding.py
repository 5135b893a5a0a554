"""Chapter adding: the settings as printed, readings told apart, and trials alone as in a shard."""

from dataclasses import asdict, replace

import pytest
import torch
from drawn import compiled

from lltd import experiments
from lltd.chapters import adding
from lltd.chapters.adding import readings
from lltd.experiments import EXPERIMENTS
from lltd.kernels.lstm96 import Topology
from lltd.record import Recipe
from lltd.systems import lstm96 as system
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
    assert {key: value.dtype for key, value in together.items()} == readings.TYPES
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
            assert (found[key][run] == value[0].numpy().astype(readings.TYPES[key])).all(), key
    assert len({tuple(row) for row in found["absolute"].tolist()}) > recipe.runs - 3


@compiled
def test_what_is_kept_has_room_for_the_largest_outcome():
    """Of 2560 tests, of the latest 10,000, of 5 million sequences."""
    limits = {"wrong": 2560, "right": 10_000, "sequences": max(adding.BUDGETS.values())}
    for key, most in limits.items():
        assert torch.iinfo(getattr(torch, readings.TYPES[key].__name__)).max >= most


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
