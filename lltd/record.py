"""The record: heavy results as files that prove themselves.

A result is one .npz file: the recipe it was made from, its arrays (the first axis counts runs), and a digest
over every array's name, type, shape and bytes. Reading checks all of it; nothing is ever unpickled. Writing is
atomic, and the same content gives the same bytes.
"""

import hashlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from lltd import npz

ROOM = 2**20  # bytes that a result may unpack to, whatever its recipe, which takes 31 kB at most so far
ROOM_OF_A_RUN = 2**16  # and for each run; the largest so far is 427
TRIES = 4  # of a write, while the folder comes and goes; clearing it once can undo two
STALE = 3600.0  # seconds after which a temporary file must be that of a process that died: a write takes few


class RecordError(Exception):
    """A result that is missing, cut, altered or of another recipe; the message names the file and the cure."""

    state = "damaged"  # in a word


class MissingRecordError(RecordError, FileNotFoundError):
    """A result that has not been computed yet."""

    state = "missing"


class OtherRecordError(RecordError):
    """A result that was made by another recipe, an earlier version perhaps."""

    state = "of another recipe"


class NewerRecordError(OtherRecordError):
    """A result of a later version than this program has, which it must not replace."""

    state = "of a newer version"


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
    return _digest(recipe.canonical(), arrays)


def _digest(recipe: str, arrays: Mapping[str, np.ndarray]) -> str:
    total = hashlib.sha256(recipe.encode())
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
    texts = {"recipe": recipe.canonical(), "digest": digest(recipe, arrays)}
    return npz.pack(
        {**arrays, **{name: np.frombuffer(text.encode(), np.uint8) for name, text in texts.items()}}
    )


def replace_file(path: Path, content: bytes) -> None:
    """Put content in place of a file at once: a reader sees the old file or the new one, never a part."""
    for left in reversed(range(TRIES)):
        try:
            return _put(path, content)
        except (FileNotFoundError, FileExistsError) as error:  # another writer clears the folder away
            if not left:
                raise _unwritten(path, error) from error
        except OSError as error:
            raise _unwritten(path, error) from error


def _unwritten(path: Path, error: OSError) -> RecordError:
    why = error.strerror or error
    return RecordError(f"cannot write {path}: {why}; set LLTD_RESULTS to a folder that can be written")


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False
    ) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o644)
            os.replace(file.name, path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """A moment without other writers who ask for one, to change a file that several share.

    The lock lies on the folder itself, leaves no file, and ends with its process. Where there are no such
    locks, or none can be had, the moment is merely short. Raises RecordError if there can be no such folder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise _unwritten(folder, error) from error
    try:
        with suppress(ImportError, OSError):
            from fcntl import LOCK_EX, flock

            flock(held, LOCK_EX)
        yield
    finally:
        os.close(held)


def sweep(folder: Path) -> None:
    """Remove the temporary files of processes that died while they wrote to a folder."""
    for left in folder.glob(".*.tmp"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE:
                left.unlink()


def load(path: Path, recipe: Recipe, runs: int | None = None) -> Record:
    """Read the result of a recipe and check it whole. Raises RecordError naming the file and the cure.

    runs: how many the file must hold, by default all.
    """
    cure = f"remake it with: python -m lltd run {recipe.name}"
    newer = f"update lltd, or move the file away and {cure}"
    runs = recipe.runs if runs is None else runs
    try:
        arrays = npz.unpack(_content(path), min(npz.LIMIT, ROOM + runs * ROOM_OF_A_RUN))
        stored, signature = (bytes(arrays.pop(name)).decode() for name in ("recipe", "digest"))
    except (FileNotFoundError, NotADirectoryError):
        raise MissingRecordError(f"{path} is missing; {cure}") from None
    except npz.FutureFormatError as error:
        raise NewerRecordError(f"{path} is of a newer version ({error}); {newer}") from error
    except Exception as error:  # a reader of bytes that are not ours may trip over anything
        raise RecordError(f"{path} is damaged ({_told(error)}); {cure}") from error
    if signature != _digest(stored, arrays):
        raise RecordError(f"{path} was altered: its arrays do not match its digest; {cure}")
    if stored != recipe.canonical():
        difference, later = _difference(stored, recipe)
        if later:
            raise NewerRecordError(
                f"{path} holds the result of a newer version ({difference}; here {recipe.version}); {newer}"
            )
        raise OtherRecordError(f"{path} holds the result of another recipe ({difference}); {cure}")
    for name, array in arrays.items():
        if array.shape[:1] != (runs,):
            raise RecordError(
                f"{path} was altered: {name} is not an array with one entry for each run; {cure}"
            )
    return Record(recipe, arrays)


def _content(path: Path) -> bytes:
    """The bytes of a file, unless it is none or too large to be a result."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it is not a file")
    if found.st_size > npz.LIMIT:
        raise ValueError(f"it has {found.st_size:,} bytes, and {npz.LIMIT:,} at most are allowed")
    return path.read_bytes()


def _told(error: Exception) -> str:
    """An exception in one short line, whatever a file may have made it say."""
    told = " ".join(f"{type(error).__name__}: {error}".split())
    return "".join(letter if letter.isprintable() else "?" for letter in told)[:200]


def _difference(stored: str, recipe: Recipe) -> tuple[str, bool]:
    """In which fields a stored recipe differs from the one that was asked for, and whether it is a later one."""
    try:
        other, ours = json.loads(stored), asdict(recipe)
        differing = [key for key in {**ours, **other} if other.get(key) != ours.get(key)]
        later = other.get("name") == recipe.name and other.get("version", 0) > recipe.version
    except (ValueError, TypeError, AttributeError, RecursionError):
        return "unreadable", False
    told = ", ".join(f"{key if key in ours else ascii(key):.60}: {other.get(key)!a:.60}" for key in differing)
    return told or "spelt otherwise", later or not other.keys() <= ours.keys()


def read_notes(path: Path, cure: str) -> dict[str, Any]:
    """The object in a JSON file, empty if there is none. Raises RecordError for anything else."""
    try:
        notes = json.loads(_content(path)) if path.exists() else {}
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(f"{path} is damaged ({_told(error)}); {cure}") from error
    if not isinstance(notes, dict):
        raise RecordError(f"{path} is damaged (not an object); {cure}")
    return notes


def as_json(notes: Mapping[str, Any]) -> bytes:
    """The bytes of such a file; the same notes give the same bytes."""
    return (json.dumps(notes, indent=1, sort_keys=True) + "\n").encode()
