"""Philox against the published vectors, and the numbers made of it against their laws."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lltd import philox
from lltd.philox import Purpose

ADDRESSES = st.integers(0, 2**63 - 1)


def reference(counter, key):
    """Philox in Python's unbounded integers, checked on the three published vectors."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [p1 >> 32 ^ c[1] ^ k[0], p1 & philox.MASK, p0 >> 32 ^ c[3] ^ k[1], p0 & philox.MASK]
        k = [(k[0] + 0x9E3779B9) & philox.MASK, (k[1] + 0xBB67AE85) & philox.MASK]
    return c


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((philox.MASK,) * 4, (philox.MASK,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_random123_vectors(counter, key, expected):
    assert reference(counter, key) == list(expected)
    assert philox.philox4x32(torch.tensor(counter), key).tolist() == list(expected)


@given(ADDRESSES, ADDRESSES, st.integers(0, 2**32 - 1), st.sampled_from(Purpose))
def test_torch_words_equal_the_python_reference(seed, run, step, purpose):
    counter = (run & philox.MASK, run >> 32, step, int(purpose))
    expected = reference(counter, (seed & philox.MASK, seed >> 32))
    assert philox.block(seed, torch.tensor(run), step, purpose).tolist() == expected


def test_a_run_drawn_alone_has_the_numbers_it_has_in_a_crowd():
    crowd = philox.normal(7, torch.arange(1000), 3, Purpose.NOISE)
    alone = philox.normal(7, torch.tensor([421]), 3, Purpose.NOISE)
    assert torch.equal(crowd[:, 421:422], alone)


def test_ids_and_steps_broadcast():
    words = philox.block(1, torch.arange(5), torch.arange(3)[:, None], Purpose.TEST)
    assert words.shape == (4, 3, 5)
    assert torch.equal(words[:, 2, 4], philox.block(1, 4, 2, Purpose.TEST))


def test_uniforms_are_exact_in_float32_and_inside_the_open_interval():
    ids = torch.arange(100_000)
    single = philox.uniform(5, ids, 0, Purpose.NOISE, torch.float32)
    double = philox.uniform(5, ids, 0, Purpose.NOISE)
    assert torch.equal(single.double(), double)
    assert double.min() > 0 and double.max() < 1


def test_normals_have_normal_moments_and_tails():
    z = philox.normal(11, torch.arange(250_000), 0, Purpose.NOISE).flatten()
    n = z.numel()
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((z**power).mean() - moment) < 5 * math.sqrt(variance / n)
    tail = 0.5 * math.erfc(2 / math.sqrt(2))
    assert abs((z > 2).double().mean() - tail) < 5 * math.sqrt(tail / n)


def test_the_four_normals_of_a_block_are_uncorrelated():
    z = philox.normal(11, torch.arange(250_000), 0, Purpose.NOISE)
    off_diagonal = torch.corrcoef(z) - torch.eye(4)
    assert off_diagonal.abs().max() < 5 / math.sqrt(z.shape[1])


def test_float32_normals_stay_within_their_stated_distance_of_float64():
    ids = torch.arange(200_000)
    single = philox.normal(3, ids, 0, Purpose.NOISE, torch.float32).double()
    double = philox.normal(3, ids, 0, Purpose.NOISE)
    # The angle 2 pi u is rounded to 2**-22, and the radius is at most 5.77.
    assert (single - double).abs().max() < 5.77 * 2**-21


def test_integers_cover_their_range_evenly():
    counts = torch.bincount(
        philox.integers(2, torch.arange(50_000), 0, Purpose.TASK, 7).flatten(), minlength=7
    )
    n = 200_000
    assert counts.numel() == 7
    assert ((counts - n / 7).abs() < 5 * math.sqrt(n / 7)).all()


def test_permutations_are_permutations_and_every_order_is_as_likely():
    orders = philox.permutation(9, torch.arange(24_000), 0, Purpose.TASK, 4)
    assert torch.equal(orders.sort(-1).values, torch.arange(4).expand(24_000, 4))
    kinds, counts = orders.unique(dim=0, return_counts=True)
    assert len(kinds) == 24
    assert ((counts - 1000).abs() < 5 * math.sqrt(1000)).all()


def test_successive_permutations_of_one_run_differ():
    first, second = (philox.permutation(9, torch.arange(4), s, Purpose.TASK, 50) for s in (0, 1))
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: philox.block(-1, 0, 0, 0), ValueError, "seed is -1"),
        (lambda: philox.block(2**63, 0, 0, 0), ValueError, "seed is"),
        (lambda: philox.block(0, -3, 0, 0), ValueError, "ids is -3"),
        (lambda: philox.block(0, 0, 2**32, 0), ValueError, "step is"),
        (lambda: philox.block(0, torch.zeros(2), 0, 0), TypeError, "ids is torch.float32"),
        (lambda: philox.block(0, 0, 0, -1), ValueError, "purpose is -1"),
        (lambda: philox.integers(0, 0, 0, 0, 0), ValueError, "high is 0"),
        (lambda: philox.permutation(0, torch.arange(2), 0, 0, 0), ValueError, "size is 0"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
