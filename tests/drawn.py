"""Random numbers as a face of a kernel draws them, held against philox.py and against exact ones."""

from functools import cache
from pathlib import Path

import mpmath
import pytest
import torch

from lltd import philox
from lltd.kernels import latch
from lltd.philox import Purpose

compiled = pytest.mark.skipif(
    latch.face(torch.zeros(7, 1, dtype=torch.float64)) == "reference", reason="no C++ compiler"
)
PROCESSOR = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
avx2 = pytest.mark.skipif(" avx2 " not in PROCESSOR, reason="no AVX2 here")

# 1000 addresses: a seed, ids, step and purpose that fill their words.
SEED, IDS, STEP, PURPOSE = 2**62 + 5, torch.arange(1000) * 2**40 + 3, 2**32 - 7, int(Purpose.TEST)


@cache
def exact_normals():
    """Box & Muller's normals of these addresses to 100 bits, four for each id."""
    rows = []
    with mpmath.workprec(100):
        for u in philox.uniform(SEED, IDS, STEP, PURPOSE).T.tolist():
            rows.append([])
            for radial, angular in (u[:2], u[2:]):
                radius = mpmath.sqrt(-2 * mpmath.log(radial))
                rows[-1] += [radius * mpmath.cospi(2 * angular), radius * mpmath.sinpi(2 * angular)]
    return rows


def ulps(normal):
    """The largest distance of normals (4, runs) from the exact ones, in units in the last place of these."""
    digits = {torch.float64: 53, torch.float32: 24}[normal.dtype]
    with mpmath.workprec(100):
        return max(
            float(abs(ours - exact) / mpmath.ldexp(1, mpmath.frexp(exact)[1] - digits))
            for row, wanted in zip(normal.T.tolist(), exact_normals(), strict=True)
            for ours, exact in zip(row, wanted, strict=True)
        )


def agree(word, even, normal):
    """Assert that words and uniforms are philox.py's, bit by bit, and normals within 4 ulp; (4, runs) each."""
    assert torch.equal(word, philox.block(SEED, IDS, STEP, PURPOSE))
    assert torch.equal(even, philox.uniform(SEED, IDS, STEP, PURPOSE, normal.dtype))
    assert ulps(normal) <= 4
    # philox.py rounds the angle, by up to 2 ulp of 1, and no radius exceeds 5.77.
    gap = (normal - philox.normal(SEED, IDS, STEP, PURPOSE, normal.dtype)).abs().max()
    assert gap <= 5.77 * 2 * torch.finfo(normal.dtype).eps
