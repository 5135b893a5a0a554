"""Chapter lstm: its experiments have the settings of 1997, and what its text proves, searched for counterexamples."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from lltd import experiments
from lltd.chapters import lstm as chapter
from lltd.chapters.lstm import results
from lltd.claims import judge
from lltd.record import Recipe, write
from lltd.systems import lstm96, reber_trials, stopped_by_tests

SMALL = {"budget": 40, "tests": 8}
TESTED = {"budget": 40, "every": 20, "tests": 8, "final": 8}
SHORT = {"budget": 50, "stretch": 50}


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
        ("lstm/reber", {"budget": 4, "every": 4, "size": 8}),
        ("lstm/fixed_order", {"budget": 100, "lag": 5}),
        ("lstm/random_order", {"budget": 100}),
        ("lstm/long_lag", {"budget": 50, "every": 50, "lag": 3, "distractors": 3}),
        ("lstm/ablations", SHORT),
        ("lstm/gradients", SHORT),
        ("lstm/forget_gate", SHORT),
        ("lstm/gates", {"budget": 20, "length": 20}),
    ],
)
def test_a_trial_is_the_same_alone_and_in_its_shard(name, small):
    recipe = recipe_of(name, **small)
    if name in ("lstm/two_sequence", "lstm/expected_value"):
        recipe = replace(recipe, parameters={**recipe.parameters, "vary": {}})
    together = experiments.find(name).compute(recipe, torch.arange(9))
    alone = experiments.find(name).compute(recipe, torch.tensor([3]))
    for key, value in alone.items():
        # Where torch does the sums, their last bits may depend on how many they are made for.
        np.testing.assert_allclose(value[0], together[key][3], rtol=1e-6, err_msg=key)


def test_both_gradients_start_alike_and_see_the_same_sequences():
    recipe = recipe_of("lstm/gradients", budget=50, stretch=50)
    curve = experiments.find("lstm/gradients").compute(recipe, torch.arange(6))["curve"]
    np.testing.assert_allclose(curve[::2], curve[1::2], rtol=0.02)
    assert (curve[::2] != curve[1::2]).any()


def test_the_grammar_is_learnt_at_the_printed_rates_with_the_printed_net():
    recipe = experiments.find("lstm/reber").recipe
    assert [cell["rate"] for cell in recipe.cells] == [0.1, 0.2, 0.5]
    assert reber_trials.net(recipe.cells[0]).weights == 276
    assert (recipe.cells[0]["span"], recipe.cells[0]["size"], recipe.cells[0]["pairs"]) == (0.2, 256, 3)
    assert tuple(recipe.cells[0]["output_gate_bias"]) == (-1, -2, -3)


def test_lags_are_as_printed():
    fixed, (random, *_), long = (
        experiments.find(f"lstm/{name}").recipe.cells for name in ("fixed_order", "random_order", "long_lag")
    )
    for cell in (*fixed, random):
        assert (cell["rate"], cell["span"], cell["tolerance"], cell["confirmed"]) == (1.0, 0.2, 0.25, 10_000)
    assert fixed[0]["lag"] == 100 and (long[0]["lag"], long[0]["distractors"]) == (50, 50)
    assert (long[0]["rate"], long[0]["tolerance"], long[0]["confirmed"]) == (0.01, 0.2, 10_000)


# --- what is read off the record ---


@pytest.fixture
def put(monkeypatch, tmp_path):
    """Writes a record by hand, of as many runs as there are, where records are read from."""
    monkeypatch.setenv("LLTD_RESULTS", str(tmp_path))

    def put(name, **arrays):
        work = experiments.find(name)
        recipe = replace(work.recipe, runs=len(next(iter(arrays.values()))))
        monkeypatch.setitem(experiments.EXPERIMENTS, name, replace(work, recipe=recipe))
        write(experiments.path_of(recipe), recipe, arrays)

    return put


def test_trials_are_found_by_cell_and_stop_and_wait_for_ever_where_they_were_cut(put):
    sequences = np.arange(18).reshape(6, 3) + 1  # six runs of two cells in turn, three stops
    put("lstm/order", sequences=sequences, met=sequences != 12, wrong=-sequences)
    trials = chapter.found("order", 1, 2)
    assert trials.waits.tolist() == [6, np.inf, 18] and trials.learnt == (2, 3)
    assert trials.at_least.tolist() == [6, 3_000_000, 18]
    assert chapter.of("order", "wrong", 1, 2).tolist() == [-6, -12, -18]
    put("lstm/long_lag", sequences=np.array([500, 50_000]), met=np.array([True, False]))
    assert chapter.found("long_lag").waits.tolist() == [500, np.inf]


def test_each_printed_mean_stands_beside_the_cell_it_is_of():
    assert {printed.name for printed in chapter.PRINTED.values()} == set(BESIDE)
    for label, printed in chapter.PRINTED.items():
        recipe = experiments.find(f"lstm/{printed.name}").recipe
        BESIDE[printed.name](label, recipe.cells[printed.cell], printed.stop)
        assert printed.trials in (10, 18, 20, 30) and len(recipe.cells) > printed.cell


def by_tests(label, cell, stop):
    """2-sequence problems: their name, N and stop, tested as often as by default."""
    name, elements = label[:2], int(label[7])
    assert (cell["elements"], cell["every"]) == (elements, 1000)
    assert tuple(cell["stops"]) == stopped_by_tests.STOPS[name]
    assert stop == (int(label[-1]) - 1 if "stop" in label else 0)
    assert cell["noisy"] == {"3a": "rest", "3b": "elements", "3c": "targets"}[name]


def by_wrong(label, cell, stop):
    """Multiplication: fewer wrong than the label says."""
    assert f"under {lstm96.criteria(cell)[stop].wrong + 1} wrong" in label
    assert tuple(cell["input_gate_bias"]) == (-3, -6)


def by_order(label, cell, stop):
    """Temporal order: the task, and the stop that is printed."""
    assert cell["task"] in label
    assert lstm96.criteria(cell)[stop] == chapter.experiments.ORDER_STOPS["both"]


def by_lag(label, cell, stop):
    """Lags, of a hundred, or of fifty among fifty."""
    assert stop is None and cell["lag"] == (50 if "distractors" in label else 100)
    assert cell.get("errors") == {"2a": "all", "2b": "last"}.get(label[:2])
    assert cell.get("order", "distractors") in label


def by_rate(label, cell, stop):
    """The grammar: the rate."""
    assert stop is None and f"rate {cell['rate']}" in label


BESIDE = {
    "reber": by_rate,
    **dict.fromkeys(("fixed_order", "random_order", "long_lag"), by_lag),
    **dict.fromkeys(("two_sequence", "expected_value"), by_tests),
    "multiplication": by_wrong,
    "order": by_order,
}


def test_a_mean_of_those_that_learnt_is_compared_with_ours_of_those(put):
    waits, printed = np.array([100, 200, 300, 400] * 8), chapter.PRINTED
    put("lstm/fixed_order", sequences=waits, met=waits < 400)
    (row,) = printed["2a fixed order"].compared("lag")
    assert row.measured == pytest.approx((100 + 200 + 300 + 12_000) / 4) and row.k == 18
    put("lstm/reber", sequences=waits.repeat(3), met=waits.repeat(3) < 400)
    (row,) = printed["1  rate 0.2"].compared("grammar")
    assert row.measured == pytest.approx(200) and (row.k, row.runs) == (30, 24)
    line = printed["1  rate 0.2"].line("grammar", (row,))
    assert line.startswith("grammar ") and "    14,060        200 [" in line and " 24 of  32" in line


@pytest.mark.parametrize("name", ["reber", "fixed_order"])
def test_where_none_has_learnt_there_is_no_mean(put, name):
    put(f"lstm/{name}", sequences=np.full(30, 99), met=np.arange(30) < 1)
    printed = next(one for one in chapter.PRINTED.values() if one.name == name)
    assert printed.compared("x") == () and "-" in printed.line("x", ())


def activity(marked=2.0, last=1.0, diverged=0):
    """Gates by hand: half open before learning, then so many times as wide where they are used, elsewhere as before."""
    wide = np.linspace(0.1, 0.12, 40)
    found = {name: np.stack((wide, wide), 1) for name in ("marked", "unmarked", "last", "earlier")}
    found["marked"][:, 1] *= marked
    found["last"][:, 1] *= last
    for values in found.values():
        values[:diverged, 1] = np.nan
    return found


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"last": 1.5}, "reproduced"),
        ({"last": 1.0}, "not reproduced"),
        ({"marked": 0.9, "last": 1.5}, "not reproduced"),
        ({"last": 1.5, "diverged": 39}, "not reproduced"),
    ],
)
def test_gates_that_do_not_tell_apart_do_not_shield(put, change, verdict):
    put("lstm/gates", **activity(**change))
    assert judge(tuple(results.gates_shield()))[0] == verdict


def test_who_meets_the_stop_and_then_fails_its_tests_cannot_tell_the_order(put):
    met, wrong = np.ones((160, 3), bool), np.full((160, 3), 25)
    put("lstm/order", sequences=met.astype(int), met=met, wrong=wrong)
    assert judge(tuple(results.order_of_inputs()))[0] == "reproduced"
    put("lstm/order", sequences=met.astype(int), met=met, wrong=wrong + 1)
    assert judge(tuple(results.order_of_inputs()))[0] == "not reproduced"
    met[:30] = False
    put("lstm/order", sequences=met.astype(int), met=met, wrong=wrong)
    assert judge(tuple(results.order_of_inputs())) == (
        "under a reading",
        ("more often than not (chosen after seeing the result)",),
    )
    met[:100] = False
    put("lstm/order", sequences=met.astype(int), met=met, wrong=wrong)
    assert judge(tuple(results.order_of_inputs()))[0] == "not reproduced"


def test_expected_values_are_learnt_by_who_is_close_to_them_on_new_sequences(put):
    runs = np.arange(320)
    met, distance = np.ones((320, 1), bool), np.full((320, 1), 0.014)
    put("lstm/expected_value", sequences=met.astype(int), met=met, absolute=distance)
    assert judge(tuple(results.expected_values()))[0] == "reproduced"
    distance[runs % 4 == 0] = 0.016  # N = 3, tested every 1000
    put("lstm/expected_value", sequences=met.astype(int), met=met, absolute=distance)
    verdict, readings = judge(tuple(results.expected_values()))
    assert verdict == "under a reading" and len(readings) == 2
    distance[runs % 4 == 1] = 0.016
    put("lstm/expected_value", sequences=met.astype(int), met=met, absolute=distance)
    assert judge(tuple(results.expected_values()))[1] == ("within 0.03 (chosen after seeing the result)",)
    distance[runs % 4 == 0] = 0.04
    put("lstm/expected_value", sequences=met.astype(int), met=met, absolute=distance)
    assert judge(tuple(results.expected_values()))[0] == "not reproduced"
