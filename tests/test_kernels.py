"""How kernels are made, whatever they compute: registered, chosen, built, cached."""

import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from drawn import avx2, compiled
from torch._subclasses import FakeTensorMode
from torch.library import opcheck

from lltd import code_digest
from lltd.code_digest import Definition
from lltd.kernels import latch, native
from lltd.kernels.latch import reference

SOURCE = Path(latch.__file__).with_name("cpu.cpp")
REALS = {"double": torch.float64, "float": torch.float32}
THETA = torch.zeros(7, 1, dtype=torch.float64)


def arguments(runs=37, dtype=torch.float64, length=20, epochs=2, rule=reference.GRADIENT):
    """Arguments of the op that trains."""
    ids = torch.arange(runs)
    theta = latch.initial(1, ids, torch.full((runs,), 1.25, dtype=dtype), 3)
    noise, memory = torch.full((runs,), 0.2, dtype=dtype), theta.new_zeros(2, *theta.shape)
    return 1, ids, theta, memory, noise, 0, epochs, length, 0.01, 0.8, rule, True, True, float("inf")


# --- the op ---


@pytest.mark.parametrize("dtype", REALS.values(), ids=str)
@pytest.mark.parametrize("face", ["cpu.cpp", "reference"])
def test_ops_are_registered_as_torch_wants_them(face, dtype, build):
    if face == "reference":
        build(LLTD_NO_COMPILER=1)
    whole = arguments(dtype=dtype)
    strided = (*whole[:2], torch.stack((whole[2], whole[2]), dim=2)[..., 0], *whole[3:])
    for chosen in (whole, strided):
        opcheck(latch.TRAIN.registered, chosen)
        opcheck(latch.RECALL.registered, (1, chosen[1], chosen[2], chosen[4], 0, 2, 20))
    assert torch.equal(torch.ops.lltd.latch(*whole)[0], latch.TRAIN(*strided)[0])


def test_an_op_says_that_it_has_no_derivative():
    called = arguments()
    called[2].requires_grad_()
    trained, _ = latch.TRAIN(*called)
    with pytest.raises(RuntimeError, match=r"lltd.latch.* no autograd formula"):
        trained.sum().backward()


def test_on_a_gpu_triton_serves_if_it_is_there():
    with FakeTensorMode():
        theta = torch.empty(7, 3, dtype=torch.float64, device="cuda")
        half = theta.half()
    assert latch.face(theta) == ("cuda.py" if find_spec("triton") else "reference")
    assert latch.face(half) == "reference"


def test_a_results_code_includes_the_headers_of_its_kernel():
    assert native.sources(SOURCE) == [SOURCE, native.HEADERS / "lanes.hpp"]
    described = code_digest._described(Definition("lltd.kernels.latch", "train"))
    assert "lltd_latch_recall" in described and "cos_sin" in described


# --- builds ---


@compiled
@avx2
@pytest.mark.parametrize("real", REALS)
def test_builds_for_other_processors_agree(real, build):
    called, bits = arguments(dtype=REALS[real], length=60, epochs=1), {}
    exact, _ = reference.train(*arguments(length=60, epochs=1))
    for march in ("native", "x86-64-v3", "x86-64"):
        build(LLTD_MARCH=march)
        bits[march], _ = latch.TRAIN(*called)
        if real == "double":
            torch.testing.assert_close(bits[march], exact, rtol=1e-12, atol=1e-15)
        else:
            error = (bits[march].double() - exact).abs().amax(0) / exact.abs().amax(0)
            assert error.median() <= 1e-6
    # The width of a register never matters, fused multiply-adds do.
    assert torch.equal(bits["native"], bits["x86-64-v3"])


SCRIPTS = {
    "breaks off": "echo 'cannot allocate memory' >&2; exit 1",
    "builds nothing": "exit 0",
    "builds rubbish": 'while [ "$1" != -o ]; do shift; done; echo rubbish > "$2"',
    "is silent": "exit 3",
}


@pytest.mark.parametrize("fault", ["disabled", "not there", "not on the path", *SCRIPTS])
def test_without_a_working_compiler_the_reference_does_the_work(fault, build, recwarn, tmp_path):
    script = tmp_path / "compiler"
    script.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exit 0\n{SCRIPTS.get(fault, "")}\n')
    script.chmod(stat.S_IRWXU)
    environment = {
        "disabled": {"LLTD_NO_COMPILER": 1},
        "not there": {"CXX": "no-such-compiler"},
        "not on the path": {"PATH": tmp_path / "empty"},
    }
    build(LLTD_CACHE=tmp_path / "cache", **environment.get(fault, {"CXX": script}))
    called = arguments()
    trained, again = latch.TRAIN(*called)[0], latch.TRAIN(*called)[0]
    assert torch.equal(trained, reference.train(*called)[0]) and torch.equal(trained, again)
    assert len(recwarn) == (fault != "disabled")
    if recwarn:
        assert "the plain torch reference is used instead" in str(recwarn[0].message)
    assert not [file for file in tmp_path.glob("cache/*")]


@pytest.fixture
def source(tmp_path):
    """A C++ file that is soon built."""
    file = tmp_path / "kernel" / "cpu.cpp"
    file.parent.mkdir()
    file.write_text('extern "C" int answer() { return 42; }\n')
    return file


@compiled
def test_a_compiler_may_come_with_options(build, source, tmp_path):
    build(CXX="c++ -O1", LLTD_CACHE=tmp_path / "cache")
    assert native.library(source).answer() == 42


@compiled
def test_a_library_is_built_once_and_found_again_even_in_a_cache_that_is_read_only(build, source, tmp_path):
    build(LLTD_CACHE=tmp_path / "cache")
    assert native.library(source)
    (built,) = (tmp_path / "cache").iterdir()
    stamp = built.stat().st_mtime_ns
    (tmp_path / "cache").chmod(0o555)
    build()
    assert native.library(source).answer() == 42
    (tmp_path / "cache").chmod(0o755)
    assert [file.stat().st_mtime_ns for file in (tmp_path / "cache").iterdir()] == [stamp]


@compiled
def test_a_cache_that_cannot_be_written_does_not_matter(build, source, recwarn, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "elsewhere"))
    build(LLTD_CACHE=tmp_path / "file" / "cache")
    assert native.library(source).answer() == 42
    assert not list((tmp_path / "elsewhere").iterdir()) and not len(recwarn)


@compiled
def test_unlike_machines_and_types_may_share_a_cache(build, source, tmp_path, monkeypatch):
    build(LLTD_CACHE=tmp_path / "cache")
    for model in ("model name: one", "model name: another"):
        monkeypatch.setattr(native, "_processor", lambda model=model: model)
        build()
        assert native.library(source, "double") and native.library(source, "float")
    assert len(list((tmp_path / "cache").iterdir())) == 4


@compiled
def test_a_changed_header_makes_a_new_library(build, source, tmp_path, monkeypatch):
    build(LLTD_CACHE=tmp_path / "cache")
    monkeypatch.setattr(native, "HEADERS", source.parent)
    source.write_text('#include "number.hpp"\nextern "C" int answer() { return NUMBER; }\n')
    for number in (1, 2):
        (source.parent / "number.hpp").write_text(f"#define NUMBER {number}\n")
        build()
        assert native.library(source).answer() == number


@compiled
def test_two_processes_building_at_once_both_succeed(python, source, tmp_path):
    (tmp_path / "slow").write_text('#!/bin/sh\nsleep 0.5\nexec c++ "$@"\n')
    (tmp_path / "slow").chmod(stat.S_IRWXU)
    environment = {"LLTD_CACHE": str(tmp_path / "cache"), "CXX": str(tmp_path / "slow")}
    program = (
        f"from pathlib import Path; from lltd.kernels import native; "
        f"print(native.library(Path({str(source)!r})).answer())"
    )
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: python("-c", program, **environment), range(2)))
    assert [process.stdout.strip() for process in done] == ["42"] * 2, done[0].stderr
    assert len(list((tmp_path / "cache").iterdir())) == 1
