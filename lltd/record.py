"""The record: heavy results as files that prove themselves.

A result is one .npz file: the recipe it was made from, its arrays (the first axis counts runs), and a digest
over every array's name, type, shape and bytes. Reading checks all of it; nothing is ever unpickled. Writing is
atomic, and the same content gives the same bytes.
"""

import hashlib
import io
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest date a zip file can hold: a date would change the bytes


class RecordError(Exception):
    """A result that is missing, cut, altered or of another recipe; the message names the file and the cure."""


class MissingRecordError(RecordError, FileNotFoundError):
    """A result that has not been computed yet."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a result.

    parameters: {"common": settings of all runs, "cases": list of settings, "vary": setting → list of values};
    the cells are all cases times all values, and run i belongs to cell i mod (number of cells), so that more
    runs only add to those there are. seed: key of the randomness. runs: how many. shard: runs per shard.
    """

    name: str
    version: int
    seed: int
    runs: int
    shard: int
    dtype: str
    parameters: dict[str, Any]

    def canonical(self) -> str:
        """The recipe as JSON with sorted keys and no spaces."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @property
    def address(self) -> str:
        """sha256 of the canonical JSON: equal addresses mean equal results."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    @cached_property
    def cells(self) -> list[dict[str, Any]]:
        """The settings of each cell, cases first, then the product of all varied values, last one fastest."""
        common, cases = self.parameters.get("common", {}), self.parameters.get("cases", [{}])
        vary = self.parameters.get("vary", {})
        values = [dict(zip(vary, point, strict=True)) for point in product(*vary.values())]
        return [{**common, **case, **point} for case in cases for point in values]

    def settings(self, run: int) -> dict[str, Any]:
        """The settings of one run. Raises ValueError for a run that the recipe does not have."""
        if not 0 <= run < self.runs:
            raise ValueError(f"run {run} is not in {self.name}: its runs are 0 … {self.runs - 1}")
        return self.cells[run % len(self.cells)]

    def of(self, runs: int | None) -> "Recipe":
        """The same recipe with another number of runs."""
        if runs is not None and runs < 1:
            raise ValueError(f"runs is {runs}: at least one is needed")
        return self if runs is None else replace(self, runs=runs)


@dataclass(frozen=True)
class Record:
    """A stored result: its recipe and its arrays, read by name as record["right"]."""

    recipe: Recipe
    arrays: Mapping[str, np.ndarray]

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.arrays:
            raise KeyError(f"{self.recipe.name} has no array {name!r}: it has {', '.join(self.arrays)}")
        return self.arrays[name]

    def by_cell(self, name: str) -> np.ndarray:
        """An array with the runs of each cell side by side: (cells, trials, …). Needs whole rounds of runs."""
        cells, array = len(self.recipe.cells), self[name]
        return array.reshape(-1, cells, *array.shape[1:]).swapaxes(0, 1)

    def where(self, **settings: Any) -> np.ndarray:  # noqa: ANN401
        """Which cells have these settings, bool (cells,), as in `where(length=20)`; a tuple allows all its values.

        Raises KeyError for a setting that a cell does not have.
        """
        wanted = {key: value if isinstance(value, tuple) else (value,) for key, value in settings.items()}
        cells = self.recipe.cells
        return np.array([all(cell[key] in allowed for key, allowed in wanted.items()) for cell in cells])


def digest(recipe: Recipe, arrays: Mapping[str, np.ndarray]) -> str:
    """sha256 over the recipe and over every array's name, type, shape and bytes."""
    total = hashlib.sha256(recipe.canonical().encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def write(path: Path, recipe: Recipe, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a result atomically. Raises RecordError if the folder cannot be written to."""
    replace_file(path, pack(recipe, arrays))


def pack(recipe: Recipe, arrays: Mapping[str, np.ndarray]) -> bytes:
    """The bytes of a result's file, recipe and digest included."""
    content = {
        **arrays,
        "recipe": np.frombuffer(recipe.canonical().encode(), dtype=np.uint8),
        "digest": np.frombuffer(digest(recipe, arrays).encode(), dtype=np.uint8),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(content):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(content[name]), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, member.getvalue())
    return packed.getvalue()


def replace_file(path: Path, content: bytes) -> None:
    """Put content in place of a file at once: a reader sees the old file or the new one, never a part."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                os.chmod(file.name, 0o644)
                os.replace(file.name, path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise RecordError(
            f"cannot write {path}: {error.strerror or error}; set LLTD_RESULTS to a folder that can be written"
        ) from error


def load(path: Path, recipe: Recipe) -> Record:
    """Read the result of a recipe and check it whole. Raises RecordError naming the file and the cure."""
    cure = f"remake it with: python -m lltd run {recipe.name}"
    if not path.exists():
        raise MissingRecordError(f"{path} is missing; {cure}")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        stored = arrays.pop("recipe").tobytes().decode()
        signature = arrays.pop("digest").tobytes().decode()
    except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise RecordError(f"{path} is damaged ({type(error).__name__}: {error}); {cure}") from error
    if stored != recipe.canonical():
        raise RecordError(
            f"{path} holds the result of another recipe ({_difference(stored, recipe)}); {cure}"
        )
    if signature != digest(recipe, arrays):
        raise RecordError(f"{path} was altered: its arrays do not match its digest; {cure}")
    return Record(recipe, arrays)


def _difference(stored: str, recipe: Recipe) -> str:
    """In which fields a stored recipe differs from the one that was asked for."""
    try:
        other = json.loads(stored)
        differing = [key for key, value in asdict(recipe).items() if other.get(key) != value]
    except (ValueError, AttributeError):
        return "unreadable"
    return ", ".join(f"{key}: {other.get(key)!r:.60}" for key in differing)
