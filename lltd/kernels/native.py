"""Builds a kernel's C++ face on first use, and keeps it in the user's cache.

A library's name is a hash of everything that decides its bits: source, flags, compiler, processor. It is built
under a unique name and moved into place, so that processes building at once cannot harm each other. Without a
working compiler there is one warning, and the reference does the work.
"""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import warnings
from functools import cache
from pathlib import Path

FLAGS = (
    *("-std=c++17", "-O3", "-march=native", "-fPIC", "-shared", "-pthread"),
    # No contraction and no reassociation: a run's bits must not depend on how the compiler felt.
    *("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"),
)
WIDE = ("-mprefer-vector-width=512",)  # x86 only; compilers default to 256 even where 512 is faster


@cache
def library(source: Path) -> ctypes.CDLL | None:
    """The shared library built from one C++ file, or None (and a warning) where it cannot be built."""
    if os.environ.get("LLTD_NO_COMPILER"):
        return None
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if compiler is None:
        _warn("no C++ compiler on the PATH")
        return None
    flags = FLAGS + (WIDE if platform.machine() in ("x86_64", "AMD64") else ())
    try:
        return ctypes.CDLL(str(_built(source, compiler, flags)))
    except (OSError, subprocess.SubprocessError) as error:
        reason = getattr(error, "stderr", None) or str(error)
        _warn(f"{source.parent.name}/{source.name} could not be built ({reason.strip().splitlines()[0]})")
        return None


def _built(source: Path, compiler: str, flags: tuple[str, ...]) -> Path:
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout
    identity = "\0".join((source.read_text(), *flags, compiler, version, _processor()))
    digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
    target = _cache() / f"{source.parent.name}-{digest}.so"
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            built = Path(folder) / target.name
            command = [compiler, *flags, str(source), "-o", str(built)]
            subprocess.run(command, capture_output=True, text=True, check=True)
            built.replace(target)
    return target


def _cache() -> Path:
    folder = Path(os.environ.get("LLTD_CACHE") or Path.home() / ".cache" / "lltd")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="lltd-"))  # a read-only cache: built anew in each process


def _processor() -> str:
    """What -march=native looks at: the processor's model and feature flags."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.platform() + platform.processor()
    return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))


def _warn(reason: str) -> None:
    warnings.warn(f"{reason}: the plain torch reference is used instead, slower", stacklevel=3)
