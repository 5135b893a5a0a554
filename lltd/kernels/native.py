"""Builds a kernel's C++ face on first use, and keeps it in the user's cache.

A library's name is a hash of everything that decides its bits: sources, flags, compiler, processor. It is built
under a unique name and moved into place, so that processes building at once cannot harm each other. Without a
working compiler there is one warning, and the reference does the work.

Environment: `LLTD_NO_COMPILER` builds nothing; `CXX` is the compiler (c++); `LLTD_CACHE` is the cache's folder
(~/.cache/lltd); `LLTD_MARCH` is the processor to build for (native), in the compiler's terms, e.g. x86-64-v3.
"""

import ctypes
import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import warnings
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

HEADERS = Path(__file__).parent
FLAGS = (
    *("-std=c++17", "-O3", "-fPIC", "-shared", "-pthread"),
    # No contraction and no reassociation: a run's bits must not depend on how the compiler felt.
    *("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"),
)
WIDE = ("-mprefer-vector-width=512",)  # x86 only; compilers default to 256 even where 512 is faster


@cache
def library(source: Path, real: str = "double") -> ctypes.CDLL | None:
    """The shared library built from one C++ file, or None (and a warning) where it cannot be built.

    real: the C++ type of its real numbers, "double" or "float".
    """
    if os.environ.get("LLTD_NO_COMPILER"):
        return None
    compiler = shlex.split(os.environ.get("CXX") or "c++")
    if shutil.which(compiler[0]) is None:
        _warn("no C++ compiler on the PATH")
        return None
    flags = (*FLAGS, f"-DREAL={real}", f"-march={os.environ.get('LLTD_MARCH', 'native')}")
    if platform.machine() in ("x86_64", "AMD64"):
        flags += WIDE
    try:
        return _load(source, (*compiler, *flags))
    except (OSError, subprocess.SubprocessError) as error:
        reason = (getattr(error, "stderr", None) or "").strip() or str(error)
        _warn(f"{source.parent.name}/{source.name} could not be built and loaded ({reason.splitlines()[0]})")
        return None


def sources(source: Path) -> list[Path]:
    """A C++ file, and the headers of this package that it includes."""
    named = re.findall(r'^#include "(.+)"', source.read_text(), re.MULTILINE)
    return [source, *(file for name in named for file in sources(HEADERS / name))]


def _load(source: Path, command: tuple[str, ...]) -> ctypes.CDLL:
    version = _output(command[0], "--version")
    texts = (file.read_text() for file in sources(source))
    identity = "\0".join((*texts, *command, version, _processor()))
    digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
    kept = _cache() / f"{source.parent.name}-{digest}.so"
    if kept.exists():
        return ctypes.CDLL(str(kept))
    with _workshop(kept.parent) as folder:
        built = Path(folder) / kept.name
        _output(*command, f"-I{HEADERS}", str(source), "-o", str(built))
        loaded = ctypes.CDLL(str(built))
        if built.parent.parent == kept.parent:
            built.replace(kept)
        return loaded


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _cache() -> Path:
    return Path(os.environ.get("LLTD_CACHE") or Path.home() / ".cache" / "lltd")


def _workshop(cache: Path) -> TemporaryDirectory:
    """A folder to build in: inside the cache, so that the library can be moved there in one step."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        return TemporaryDirectory(dir=cache)
    except OSError:
        return TemporaryDirectory()  # a cache that cannot be written: each process builds its own library


def _processor() -> str:
    """What -march=native looks at: the processor's model and feature flags."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.platform() + platform.processor()
    return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))


def _warn(reason: str) -> None:
    warnings.warn(f"{reason}: the plain torch reference is used instead, slower", stacklevel=3)
