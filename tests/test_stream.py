"""Random numbers for many sequences: C++ against the reference, each number at its own address."""

import pytest
import torch
from drawn import compiled
from torch.library import opcheck

from lltd import philox
from lltd.kernels import stream
from lltd.kernels.stream import reference
from lltd.philox import Purpose


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("steps", [1, 4, 7, 601])
@compiled
def test_compiled_numbers_are_those_of_the_reference_bit_for_bit(steps, dtype):
    like = torch.empty(0, dtype=dtype)
    for ids in (torch.arange(1), 2**33 + 7 * torch.arange(37)):
        arguments = (2**40 + 5, ids, 3, 11, steps, Purpose.NOISE)
        assert torch.equal(stream.stream(*arguments, dtype), reference.stream(*arguments, like))


def test_each_number_is_that_of_its_address():
    ids = torch.tensor([5, 2**40])
    found = stream.stream(9, ids, 2, 3, 6, Purpose.TASK)
    for sequence in range(3):
        for t in range(6):
            block = (2 + sequence) * 2 + t // 4  # two blocks for each six steps
            expected = philox.uniform(9, ids, block, Purpose.TASK)[t % 4]
            assert torch.equal(found[sequence, t], expected)


def test_threads_and_company_change_nothing():
    ids, before = torch.arange(20), torch.get_num_threads()
    alone = torch.cat([stream.stream(1, ids[b : b + 1], 0, 9, 50, Purpose.TASK) for b in range(20)], 2)
    torch.set_num_threads(3)
    try:
        assert torch.equal(stream.stream(1, ids, 0, 9, 50, Purpose.TASK), alone)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(stream.stream(1, ids, 4, 5, 50, Purpose.TASK), alone[4:])


def test_without_a_compiler_the_reference_draws(build):
    build(LLTD_NO_COMPILER=1)
    test_each_number_is_that_of_its_address()


def test_no_runs_are_no_trouble():
    assert stream.stream(1, torch.arange(0), 0, 2, 5, Purpose.TASK).shape == (2, 5, 0)


def test_the_op_is_registered_as_torch_wants_it():
    opcheck(stream.STREAM.registered, (1, torch.arange(3), 0, 2, 5, 1, torch.empty(0)))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"seed": -1}, ValueError, "seed is -1: an integer"),
        ({"seed": 1.5}, ValueError, "seed is 1.5: an integer"),
        ({"ids": torch.ones(2)}, TypeError, r"ids is torch.float32 \(2,\): int64 of shape \(runs,\)"),
        ({"ids": torch.ones(2, 2).long()}, TypeError, r"ids is torch.int64 \(2, 2\)"),
        ({"first": -1}, ValueError, "first is -1, count 2, steps 5: 0, 1 and 1 are the least"),
        ({"count": 0}, ValueError, "first is 0, count 0, steps 5"),
        ({"steps": 0}, ValueError, "first is 0, count 2, steps 0"),
        ({"first": 2**31, "count": 1}, ValueError, r"first is 2147483648, .* a run has 2\*\*34 numbers"),
    ],
)
def test_bad_arguments_are_named(change, error, message):
    good = {"seed": 1, "ids": torch.arange(2), "first": 0, "count": 2, "steps": 5, "purpose": Purpose.TASK}
    with pytest.raises(error, match=message):
        stream.stream(**{**good, **change})
