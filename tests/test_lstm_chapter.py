"""Chapter lstm: its experiments have the settings of 1997, and what its text proves, searched for counterexamples."""

from dataclasses import replace
from itertools import product

import pytest
import torch

from lltd import experiments
from lltd.chapters import lstm as chapter
from lltd.record import Recipe
from lltd.systems import lstm96, stopped_by_tests

SMALL = {"budget": 40, "tests": 8}
TESTED = {"budget": 40, "every": 20, "tests": 8, "final": 8}


def recipe_of(name: str, **changed) -> Recipe:
    """The recipe of an experiment, with other settings for all its cells."""
    recipe = experiments.find(name).recipe
    common = {**recipe.parameters["common"], **changed}
    return replace(recipe, parameters={**recipe.parameters, "common": common})


# --- settings ---


@pytest.mark.parametrize(
    ("name", "weights", "rates"),
    [("lstm/order", [156, 308], [0.5, 0.1]), ("lstm/multiplication", [93, 93], [0.1, 0.1])],
)
def test_nets_and_rates_are_as_printed(name, weights, rates):
    cells = [lstm96.complete(cell) for cell in experiments.find(name).recipe.cells]
    assert [lstm96.net(cell).weights for cell in cells] == weights
    assert [cell["rate"] for cell in cells] == rates
    assert {(cell["length"], cell["span"], cell["tests"]) for cell in cells} == {(100, 0.1, 2560)}


def test_order_is_learnt_until_2000_in_a_row_are_right_and_the_error_is_below_a_tenth():
    for cell in experiments.find("lstm/order").recipe.cells:
        assert cell["tolerance"] == 0.3
        run, both = chapter.experiments.ORDER_STOPS["run"], chapter.experiments.ORDER_STOPS["both"]
        assert run.below > cell["tolerance"] ** 2  # which asks for nothing beyond the run
        assert (both.recent, both.wrong, both.below, both.measure) == (2000, 0, 0.1, "absolute")


def test_multiplication_is_tested_with_fewer_than_140_and_fewer_than_13_wrong():
    learnt, first, second = lstm96.criteria(experiments.find("lstm/multiplication").recipe.cells[0])
    assert (learnt.recent, learnt.below) == (0, 0.01)
    assert (first.wrong, second.wrong) == (139, 12) and first.recent == second.recent == 2000
    assert min(first.below, second.below) > 1  # larger than any error can be


def test_the_2_sequence_problem_is_posed_in_three_ways():
    plain, noisy, expected = [], [], []
    for name in ("lstm/two_sequence", "lstm/expected_value"):
        for cell in map(stopped_by_tests.complete, experiments.find(name).recipe.cells):
            case = (cell["elements"], cell["every"])
            stops, numbers = tuple(cell["stops"]), (cell["rate"], cell["tolerance"])
            if cell["noisy"] == "targets":
                assert stops == stopped_by_tests.STOPS["3c"] and numbers == (0.1, 0.1)
                expected.append(case)
            else:
                kind = "3a" if cell["noisy"] == "rest" else "3b"
                assert stops == stopped_by_tests.STOPS[kind] and numbers == (1.0, 0.2)
                (plain if kind == "3a" else noisy).append(case)
    assert plain == noisy == expected == list(product((3, 1), chapter.experiments.EVERY))


@pytest.mark.parametrize(
    ("name", "small"),
    [
        ("lstm/order", SMALL),
        ("lstm/multiplication", SMALL),
        ("lstm/two_sequence", TESTED),
        ("lstm/expected_value", TESTED),
    ],
)
def test_a_trial_is_the_same_alone_and_in_its_shard(name, small):
    recipe = recipe_of(name, **small)
    recipe = replace(recipe, parameters={**recipe.parameters, "vary": {}})
    together = experiments.find(name).compute(recipe, torch.arange(7))
    alone = experiments.find(name).compute(recipe, torch.tensor([3]))
    for key, value in alone.items():
        assert (value[0] == together[key][3]).all(), key
