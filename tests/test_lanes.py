"""The random numbers that every C++ face draws: those of philox.py, whatever the processor."""

import ctypes
from pathlib import Path

import pytest
import torch
from drawn import IDS, PURPOSE, SEED, STEP, agree, avx2, compiled

from lltd.kernels import native
from lltd.kernels.op import View

REALS = {"double": torch.float64, "float": torch.float32}
pytestmark = compiled


def streams(real, seed, ids, step, purpose):
    """Words, uniforms and normals, (4, runs) each, by streams.cpp."""
    word = torch.empty(4, len(ids), dtype=torch.int64)
    even, normal = torch.empty(2, 4, len(ids), dtype=REALS[real])
    native.library(Path(__file__).with_name("streams.cpp"), real).streams(
        *(ctypes.c_uint64(seed), View.of(ids), ctypes.c_int64(step), ctypes.c_int64(purpose)),
        *map(View.of, (word, even, normal)),
    )
    return word, even, normal


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("march", ["native", *(pytest.param(f"x86-64{v}", marks=avx2) for v in ("-v3", ""))])
def test_compiled_faces_draw_the_numbers_of_philox(real, march, build):
    build(LLTD_MARCH=march)
    agree(*streams(real, SEED, IDS, STEP, PURPOSE))


@pytest.mark.parametrize("real", REALS)
def test_the_smallest_and_largest_uniforms_make_normals_too(real):
    _, even, normal = streams(real, 1, torch.arange(3_000_000), 0, 1)
    assert even.min() < 2**-21 and even.max() > 1 - 2**-21
    assert normal.isfinite().all() and normal.abs().max() <= 5.77
