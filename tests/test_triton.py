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

from lltd import tasks
from lltd.kernels import guess, latch, lstm96
from lltd.kernels.guess import A1, A2
from lltd.kernels.latch import reference
from lltd.philox import Purpose

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(
    find_spec("triton") is None and not os.environ.get("CI"),
    reason="no Triton: pip install -r requirements-kernels.txt",
)
FUSED = latch.face(torch.zeros(7, 1, dtype=torch.float64)) == "cpu.cpp" and " fma " in PROCESSOR
OPS = {"train": latch.TRAIN, "recall": latch.RECALL, "guess": guess.GUESS, "ends": guess.ENDS}
OPS["lstm96"] = lstm96.TRAIN


def tolerance(arguments):
    """How far a face may be from the reference."""
    doubles = any(isinstance(value, torch.Tensor) and value.dtype == torch.float64 for value in arguments)
    return {"equal_nan": True} | ({"rtol": 1e-12, "atol": 1e-14} if doubles else {"rtol": 1e-3, "atol": 1e-6})


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
            torch.testing.assert_close(outcome, op.reference(*arguments), **tolerance(arguments))


@pytest.mark.skipif(not FUSED, reason="no C++ face with fused multiply-adds here")
def test_triton_and_cpp_have_the_same_bits(interpreted):
    for name, op in OPS.items():
        for arguments, outcome in interpreted[name]:
            torch.testing.assert_close(outcome, op(*arguments), rtol=0, atol=0, equal_nan=True)


def resources(function, real, constants, options, folder, others=()):
    """Registers a thread, stack and local memory of a kernel compiled for sm_90."""
    import triton
    from triton.backends import nvidia
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    types = dict.fromkeys(function.arg_names, f"*{real}") | dict.fromkeys(WHOLES, "i32")
    types |= {"seed": "i64", "ids": "*i64", "lengths": "*i64", "right": "*i64", "span": "fp32"}
    types |= dict.fromkeys(constants, "constexpr") | dict(others)
    built = triton.compile(
        ASTSource(function, {name: types[name] for name in function.arg_names}, constants),
        target=GPUTarget("cuda", 90, 32),
        options=options,
    )
    (folder / "kernel.cubin").write_bytes(built.asm["cubin"])
    reader = Path(nvidia.__file__).parent / "bin" / "cuobjdump"
    command = [reader, "--dump-resource-usage", folder / "kernel.cubin"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [int(re.search(rf"{name}:(\d+)", told)[1]) for name in ("REG", "STACK", "LOCAL")]


# The net of 1996 has 93 weights and 88 traces: single precision holds them in the 255 registers that a thread may have.
@pytest.mark.parametrize(
    ("size", "real", "registers"), [((1, 1), "fp32", 96), ((2, 2), "fp32", 255)], ids=["1x1", "2x2"]
)
def test_compiled_for_sm_90_a_trial_lives_in_registers(size, real, registers, tmp_path, monkeypatch):
    from lltd.kernels.lstm96 import cuda

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    constants = dict(zip(("J", "C", "INPUTS", "OUTPUTS"), (*size, 2, 1), strict=True))
    constants |= {"KIND": lstm96.OUTPUTS["logistic"], "SLOPE": True, "TASK": lstm96.TASKS["adding"]}
    constants |= {"FIRST_PAIR": 0, "PURPOSE": int(Purpose.TASK), "BLOCK": cuda.THREADS}
    types = {"first": "*i64", "count": "*i64"}
    used, *spilt = resources(cuda.train_kernel, real, constants, cuda.OPTIONS, tmp_path, types)
    assert used <= registers and spilt == [0, 0]


def test_a_task_that_the_face_has_not_is_named():
    theta = torch.zeros(93, 1)
    ids, rates = torch.zeros(1, dtype=torch.int64), torch.zeros(93)
    from lltd.kernels.lstm96 import cuda

    with pytest.raises(ValueError, match=r"task is 9: one of \(0, 1, 2, 3\) is needed on a GPU"):
        cuda.train(1, ids, theta, ids, ids, rates, 0, 2, 2, 0, True, 9, 20, 0, int(Purpose.TASK))


WHOLES = ("runs", "first", "epochs", "draws", "length", "lead", "nets", "sequences", "steps", "trials", "row")
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
    from lltd.kernels.latch import cuda

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    name, constants = KERNELS[kernel]
    assert constants["BLOCK"] == cuda.THREADS
    used, *spilt = resources(getattr(cuda, name), real, constants, cuda.OPTIONS, tmp_path)
    assert used <= registers and spilt == [0, 0]


# 40 registers a thread let 12 programs of four warps live on a multiprocessor, 56 let 9, 96 let 5, 168 let 3.
@pytest.mark.parametrize(
    ("net", "real", "registers"),
    [(A1(1), "fp32", 40), (A1(1), "fp64", 56), (A2, "fp32", 96), (A2, "fp64", 168)],
    ids=["A1(1)-fp32", "A1(1)-fp64", "A2-fp32", "A2-fp64"],
)
@pytest.mark.parametrize("kernel", ["guess_kernel", "ends_kernel"])
def test_compiled_for_sm_90_a_guessed_net_lives_in_registers(
    kernel, net, real, registers, tmp_path, monkeypatch
):
    from lltd.kernels.guess import cuda

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    places = cuda.places(torch.tensor(net.wiring), net.hidden)
    constants = {"WEIGHTS": net.weights, "PLACES": places, "HIDDEN": net.hidden}
    constants |= {"ORDER": guess.ORDERS[net.order], "BLOCK": cuda.THREADS}
    used, *spilt = resources(getattr(cuda, kernel), real, constants, cuda.OPTIONS, tmp_path)
    assert used <= registers and spilt == [0, 0]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_on_a_gpu_triton_equals_the_reference(interpreted):
    for name, op in OPS.items():
        for arguments, outcome in interpreted[name]:
            there = [value.cuda() if isinstance(value, torch.Tensor) else value for value in arguments]
            assert op.face(*there)[0] == "cuda.py"
            torch.testing.assert_close(op(*there), outcome, check_device=False, **tolerance(arguments))


@pytest.mark.skipif(not torch.cuda.is_available() or not FUSED, reason="no GPU or no such C++ face here")
@pytest.mark.parametrize("net", [A1(1), A1(3), A2], ids=["A1(1)", "A1(3)", "A2"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_on_a_gpu_guessed_nets_have_the_bits_of_cpp(net, dtype):
    shown = tasks.parity(1, torch.arange(1), first=0, count=3, shortest=500, longest=600)
    ids, inputs, lengths = torch.arange(10_000), shown.inputs[:, :, 0, 0].to(dtype), shown.lengths[:, 0]
    there = guess.guess(net, 1, ids.cuda(), inputs.cuda(), lengths.cuda())
    assert torch.equal(there.cpu(), guess.guess(net, 1, ids, inputs, lengths))
