"""A wheel built from the tree is the package: it imports elsewhere and brings its data."""

import os
import re
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


def python(*arguments, cwd, **environment):
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def isolation():
    """Without isolation pip fetches nothing, but then this setuptools must be one that pyproject.toml allows."""
    try:
        new = int(version("setuptools").split(".")[0]) >= 77
    except PackageNotFoundError:
        new = False
    return ["--no-build-isolation"] if new else []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of a copy of the tree, for setuptools leaves its traces where it builds."""
    tree, target = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (tree / name).write_bytes((ROOT / name).read_bytes())
    for file in (ROOT / "lltd").rglob("*"):
        if file.is_file() and file.suffix != ".pyc":
            copy = tree / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    python("-m", "pip", "wheel", "--no-deps", *isolation(), "--wheel-dir", target, tree, cwd=tree)
    (file,) = target.glob("lltd-*.whl")
    return file


def test_wheel_holds_modules_data_and_licence_and_nothing_else(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    code = {str(file.relative_to(ROOT)) for file in (ROOT / "lltd").rglob("*.py")}
    data = {str(file.relative_to(ROOT)) for file in (ROOT / "lltd").rglob("*.[ch]pp")} | {"lltd/claims.csv"}
    notes = {name for name in held if name.startswith(f"lltd-{version('lltd')}.dist-info/")}
    assert held - notes == code | data
    assert any(name.endswith("licenses/LICENSE") for name in notes)


def test_wheel_imports_and_reads_its_data_away_from_the_tree(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path)
    program = "import lltd; from lltd import claims; print(lltd.__file__, len(claims.register()))"
    file, claims = python("-c", program, cwd=tmp_path, PYTHONPATH=str(tmp_path)).split()
    assert Path(file).parent == tmp_path / "lltd"
    assert int(claims) > 0


def test_readme_lists_the_targets_that_make_has():
    target = re.compile(r"^(\w+):.*## (.+)$", re.MULTILINE)
    row = re.compile(r"^\| `make (\w+)` \| (.+) \|$", re.MULTILINE)
    listed = row.findall((ROOT / "README.md").read_text())
    assert listed and listed == target.findall((ROOT / "Makefile").read_text())


def test_citation_names_the_version():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version("lltd")
