"""The Triton faces without a GPU: interpreted on a CPU, and compiled for one. On a GPU they run where there is one."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from drawn import PROCESSOR, agree

from lltd.kernels import latch
from lltd.kernels.latch import reference

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(
    find_spec("triton") is None and not os.environ.get("CI"),
    reason="no Triton: pip install -r requirements-kernels.txt",
)
FUSED = latch.face(torch.zeros(7, 1, dtype=torch.float64)) == "cpu.cpp" and " fma " in PROCESSOR
OPS = {"train": latch.TRAIN, "recall": latch.RECALL}


@pytest.fixture(scope="module")
def interpreted(tmp_path_factory):
    """What the Triton faces gave in the interpreter, see triton_interpreted.py."""
    file = tmp_path_factory.mktemp("triton") / "interpreted.pt"
    done = subprocess.run(
        [sys.executable, "triton_interpreted.py", file],
        cwd=HERE,
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return torch.load(file)


@pytest.mark.parametrize("number", [0, 1], ids=["float64", "float32"])
def test_triton_draws_the_numbers_of_philox(interpreted, number):
    agree(*interpreted["streams"][number])


def test_triton_faces_equal_the_reference(interpreted):
    for name, op in OPS.items():
        for arguments, outcome in interpreted[name]:
            tight = arguments[2].dtype == torch.float64
            torch.testing.assert_close(
                outcome,
                op.reference(*arguments),
                rtol=1e-12 if tight else 1e-3,
                atol=1e-14 if tight else 1e-6,
            )


@pytest.mark.skipif(not FUSED, reason="no C++ face with fused multiply-adds here")
def test_triton_and_cpp_have_the_same_bits(interpreted):
    for name, op in OPS.items():
        for arguments, outcome in interpreted[name]:
            torch.testing.assert_close(outcome, op(*arguments), rtol=0, atol=0)


TRAINED = {"LEARN_WEIGHT": True, "FRESH": True, "BLOCK": 32}
KERNELS = {
    "gradient": ("train_kernel", {"RULE": reference.GRADIENT, **TRAINED}),
    "adam": ("train_kernel", {"RULE": reference.ADAM, **TRAINED}),
    "recall": ("recall_kernel", {"BLOCK": 32}),
}


# A multiprocessor of sm_90 has 65536 registers: 64 a thread let 32 programs of a warp live on it, 96 let 21.
@pytest.mark.parametrize(("real", "registers"), [("fp32", 64), ("fp64", 96)])
@pytest.mark.parametrize("kernel", KERNELS)
def test_compiled_for_sm_90_no_kernel_spills(kernel, real, registers, tmp_path, monkeypatch):
    import triton
    from triton.backends import nvidia
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from lltd.kernels.latch import cuda

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    function, constants = getattr(cuda, KERNELS[kernel][0]), KERNELS[kernel][1]
    assert constants["BLOCK"] == cuda.THREADS
    types = dict.fromkeys(function.arg_names, f"*{real}") | dict.fromkeys(cuda.WHOLES, "i32")
    types |= {"seed": "i64", "ids": "*i64", "right": "*i64"} | dict.fromkeys(constants, "constexpr")
    built = triton.compile(
        ASTSource(function, {name: types[name] for name in function.arg_names}, constants),
        target=GPUTarget("cuda", 90, 32),
        options=cuda.OPTIONS,
    )
    (tmp_path / "kernel.cubin").write_bytes(built.asm["cubin"])
    told = subprocess.run(
        [
            Path(nvidia.__file__).parent / "bin" / "cuobjdump",
            "--dump-resource-usage",
            tmp_path / "kernel.cubin",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    used = {name: int(number) for name, number in re.findall(r"(REG|STACK|LOCAL):(\d+)", told)}
    assert used["STACK"] == used["LOCAL"] == 0
    assert used["REG"] <= registers


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_on_a_gpu_triton_equals_the_reference(interpreted):
    for name, op in OPS.items():
        for arguments, outcome in interpreted[name]:
            there = [value.cuda() if isinstance(value, torch.Tensor) else value for value in arguments]
            assert op.face(*there)[0] == "cuda.py"
            tight = arguments[2].dtype == torch.float64
            torch.testing.assert_close(
                op(*there),
                outcome,
                rtol=1e-12 if tight else 1e-3,
                atol=1e-14 if tight else 1e-6,
                check_device=False,
            )
