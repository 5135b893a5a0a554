"""What kernels cost: that the work is the same on both sides, that slopes are fitted right, that rows are complete."""

import json

import numpy as np
import pytest
import torch
from drawn import compiled

from lltd import clock, performance
from lltd.measurements import MEASUREMENTS, costs
from lltd.measurements.loads import LOADS, NETS, sizes

SMALL = {
    "latch": {"runs": 3, "length": 6, "times": 2},
    "small_net": {"runs": 3, "length": 7, "units": 2},
    "guess": {"runs": 40, "length": 9, "units": 2},
    "lstm96": {"runs": 3, "length": 21, "units": 3, "times": 2},
    "stream": {"runs": 3, "length": 6, "times": 2},
}


def tensors(outcome):
    return outcome if isinstance(outcome, tuple) else (outcome,)


# --- the clock ---


def test_work_is_done_by_turns_and_the_first_turn_is_not_counted():
    done = []
    taken = clock.turns({"a": lambda: done.append("a"), "b": lambda: done.append("b")}, 2)
    assert done == ["a", "b"] * 3
    assert [*taken] == ["a", "b"] and all(
        len(seconds) == 2 and min(seconds) >= 0 for seconds in taken.values()
    )


def test_threads_are_given_back():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), clock.threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise ZeroDivisionError
    assert torch.get_num_threads() == before


# --- loads ---


@pytest.mark.parametrize("op", LOADS)
def test_kernel_and_reference_do_the_same_work(op):
    load = LOADS[op](**SMALL[op])
    for ours, theirs in zip(tensors(load.kernel()), tensors(load.reference()), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("op", LOADS)
def test_every_load_is_one_that_the_kernel_takes(op):
    sizes = [{axis: at} for axis, values in costs.AXES[op].items() for at in (values[0], values[-1])]
    faces = {
        load.op.face(*load.arguments)[0] for load in (LOADS[op](**size) for size in (*sizes, costs.LEAST[op]))
    }
    assert faces <= {"cpu.cpp", "reference"} and len(faces) == 1


@pytest.mark.parametrize("op", LOADS)
def test_axes_change_the_amount_of_work(op):
    def numbers(load):
        return sum(tensor.numel() for tensor in tensors(load.kernel()))

    least = numbers(LOADS[op](**SMALL[op]))
    assert numbers(LOADS[op](**{**SMALL[op], "runs": 2 * SMALL[op]["runs"]})) == 2 * least


def test_usual_sizes_are_those_along_which_axes_go():
    for op in LOADS:
        assert {*costs.AXES[op]} == {*sizes(op)} == {*costs.LEAST[op]}


def test_units_of_lstm_are_its_hidden_layer():
    for units in NETS:
        blocks, cells = LOADS["lstm96"](units=units).arguments[7:9]
        assert blocks * (2 + cells) == units


def test_a_load_is_moved_with_all_its_tensors():
    moved = LOADS["latch"](**SMALL["latch"]).on("meta")
    assert {value.device.type for value in moved.arguments if torch.is_tensor(value)} == {"meta"}


# --- slopes ---


def test_slope_is_the_exponent_of_a_power():
    at = [10, 20, 40, 80]
    assert costs.slope(at, [3e-4 * n**1.25 for n in at]) == pytest.approx(1.25)


def test_slopes_range_over_turns():
    at, exponents = np.array([1, 3, 9, 20]), (0.9, 1.4, 1.0)
    seconds = np.stack([2e-3 * at**b for b in exponents], 1)
    assert costs.slopes(at, seconds) == pytest.approx((1.0, 0.9, 1.4))


# --- the measurement ---


@pytest.fixture
def small(results, monkeypatch):
    """The measurement of two kernels at a few small points."""
    axes = {"latch": {"runs": (2, 4), "length": (5, 7)}, "stream": {"times": (1, 3)}}
    monkeypatch.setattr(costs, "AXES", axes)
    monkeypatch.setattr(costs, "ENOUGH", 1e-4)


@compiled
def test_costs_are_measured_along_each_axis_and_stored(small):
    rows = performance.store("costs", repeats=2)
    assert performance.path_of("costs").name == "costs.json"
    stored = performance.read("costs")["rows"]
    assert rows == [{"measurement": "costs", **row} for row in stored]
    points = {(row["op"], row["axis"], row["at"], row["side"]) for row in stored}
    wanted = [("latch", "runs", 2), ("latch", "runs", 4), ("latch", "length", 5), ("latch", "length", 7)]
    wanted += [("stream", "times", 1), ("stream", "times", 3), ("latch", "call", 1), ("stream", "call", 1)]
    assert points == {(*point, side) for point in wanted for side in costs.SIDES}
    assert all(len(row["seconds"]) == 2 and min(row["seconds"]) > 0 for row in stored)
    at, seconds = costs.along(stored, "latch", "runs", "kernel")
    assert at.tolist() == [2, 4] and seconds.shape == (2, 2)


@compiled
def test_costs_are_printed_as_slopes(small, capsys):
    lines = performance.table(performance.store("costs", repeats=1)).splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [
        ["latch", "runs"],
        ["latch", "length"],
        ["stream", "times"],
    ]
    assert sum(line.startswith("a call of ") for line in lines) == 2


def test_measurements_are_named_and_stored_beside_the_races():
    assert set(MEASUREMENTS) < set(performance.PARTS)
    assert not set(MEASUREMENTS) & set(performance.RACES)
    for module in MEASUREMENTS.values():
        json.dumps(module.table([]))


def test_a_time_of_short_calls_is_taken_over_many(monkeypatch):
    monkeypatch.setattr(clock, "seconds", lambda call: 0.003)
    assert costs._often(lambda: None) == 7
    monkeypatch.setattr(clock, "seconds", lambda call: 3.0)
    assert costs._often(lambda: None) == 1
