"""Where faults are put into the record: a results folder of its own, small results, and what must be left of them."""

import io
import json
import os
import random
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import counting

from lltd import __main__ as command_line
from lltd import experiments
from lltd.code_digest import code_digest
from lltd.experiments import Experiment
from lltd.record import Record, RecordError, load

SWOLLEN = 64_000_000  # bytes of memory that reading a small file may take, damaged or not
UNPICKLED: list[str] = []  # whatever this process has unpickled by name


def _watch(event: str, arguments: tuple) -> None:
    if event == "pickle.find_class":
        UNPICKLED.append(".".join(map(str, arguments)))


sys.addaudithook(_watch)


class Outcome(NamedTuple):
    """What became of one fault."""

    clear: bool = False  # refused in one line that names file and cure, or told by an audit
    whole: bool = False  # the result can be read as it was stored, or has come about as if undisturbed
    lost: bool = False  # something is gone, or is read with other content
    executed: bool = False  # something that a file holds was executed or unpickled
    swollen: bool = False  # memory beyond all need
    told: str = ""  # for whoever has to find out why


class Said(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    errors: str

    def clear(self, *named: object, silent: bool = True) -> bool:
        """One line of an error that names these, and, if silent, nothing else."""
        line = self.errors.removesuffix("\n")
        readable = line.startswith("lltd: ") and line.isprintable() and len(line) < 1000
        alone = self.code == 2 and not (silent and self.out)
        return alone and readable and all(str(name) in line for name in named)


Cases = Callable[[int], Iterable[int]]  # of so many cases, those to try


def every(count: int) -> Iterable[int]:
    """Every case."""
    return range(count)


def few(number: int, seed: int = 11) -> Cases:
    """A small number of the cases, drawn by a seed."""

    def cases(count: int) -> Iterable[int]:
        return sorted(random.Random(f"{seed} {count}").sample(range(count), min(number, count)))

    return cases


def small(name: str, runs: int, shard: int, pause: float = 0.0) -> Experiment:
    """The tests' experiment under another name, in a few quick shards."""
    work = experiments.find("tests/counting")
    parameters = {**work.recipe.parameters, "common": {"pause": pause}}
    recipe = replace(work.recipe, name=name, runs=runs, shard=shard, parameters=parameters)
    return replace(work, recipe=recipe)


ONE = small("faults/one", 12, 12)
SEVERAL = small("faults/several", 24, 4)
BESIDE = small("faults/beside", 12, 4)
SLOW = small("faults/slow", 60, 2, pause=0.1)


@dataclass
class Laboratory:
    """A results folder, and the bytes that each result has if nothing disturbs it."""

    folder: Path
    whole: dict[str, bytes] = field(default_factory=dict)
    stored: dict[str, tuple] = field(default_factory=dict)  # type, shape and bytes of each array of ONE

    def path(self, work: Experiment) -> Path:
        return experiments.path_of(work.recipe)

    def make(self, work: Experiment) -> Record:
        """The result, made by a run that nothing disturbs or what is left of one that was disturbed."""
        with redirect_stderr(io.StringIO()):
            record = experiments.run(work, workers=1, device="cpu")
        self.whole.setdefault(work.recipe.name, self.path(work).read_bytes())
        return record

    def clear(self) -> None:
        """Empty the folder."""
        for file in sorted(self.folder.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() and not file.is_symlink() else file.unlink()

    def command(self, *arguments: object) -> Said:
        """What `python -m lltd` says to these arguments."""
        out, errors = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(errors):
            try:
                code = command_line.main([*map(str, arguments)])
            except Exception as error:  # what would be a traceback
                code = 1
                print(f"Traceback: {error!r}", file=sys.stderr)
        return Said(code, out.getvalue(), errors.getvalue())

    def faults(self, work: Experiment) -> list[str]:
        """What is neither whole nor absent of a result and its shards, after a process has died or given up."""
        found, notes = [], self.path(work).parent / "code.json"
        shards = experiments.shard_folder(work.recipe, code_digest(work.compute))
        for file in (file for file in self.folder.rglob("*") if file.is_file()):
            try:
                if file.suffix == ".tmp":
                    continue
                if file == self.path(work):
                    if file.read_bytes() != self.whole[work.recipe.name]:
                        found.append(f"{file} has other bytes")
                elif file.parent == shards and file.suffix == ".npz":
                    start = int(file.stem)
                    load(file, work.recipe, min(work.recipe.shard, work.recipe.runs - start))
                elif file == notes or file.suffix == ".json":
                    json.loads(file.read_text())
                elif file.name.removesuffix(".npz") not in [name.split("/")[1] for name in self.whole]:
                    found.append(f"{file} is not ours")
            except (RecordError, ValueError) as error:
                found.append(str(error))
        return found

    def finished(self, work: Experiment, *others: Experiment) -> list[str]:
        """What a finished result lacks, and what is left over that should be gone."""
        found = []
        if self.path(work).read_bytes() != self.whole[work.recipe.name]:
            found.append(f"{self.path(work)} has other bytes")
        accepted = json.loads(experiments.code_file("faults").read_text())
        if accepted != {one.recipe.name: code_digest(one.compute) for one in (work, *others)}:
            found.append(f"the code is noted as {accepted}")
        if not json.loads(self.path(work).with_suffix(".log.json").read_text())["stretches"]:
            found.append("no stretch of work is noted")
        made = [self.path(one) for one in (work, *others)]
        ours = {experiments.code_file("faults"), *made, *(path.with_suffix(".log.json") for path in made)}
        left = {file for file in self.folder.rglob("*") if file.is_file()} - ours
        return found + [f"{file} is left" for file in sorted(left)]

    def age(self) -> int:
        """Make all temporary files look old, as they are when nobody will finish them; returns how many."""
        left = list(self.folder.rglob(".*.tmp"))
        for file in left:
            os.utime(file, (1e9, 1e9))
        return len(left)


@contextmanager
def laboratory() -> Iterator[Laboratory]:
    """A laboratory whose experiments the library knows, and finds its results in, for the time being."""
    before = os.environ.get("LLTD_RESULTS")
    with tempfile.TemporaryDirectory() as folder:
        place = Laboratory(Path(folder).resolve() / "results")
        place.folder.mkdir()
        os.environ["LLTD_RESULTS"] = str(place.folder)
        known = {work.recipe.name: work for work in (ONE, SEVERAL, BESIDE, SLOW)}
        experiments.EXPERIMENTS.update(known)
        try:
            for work in (ONE, SEVERAL, BESIDE):
                arrays = place.make(work).arrays
                place.clear()
                if work is ONE:
                    place.stored = {name: (a.dtype, a.shape, a.tobytes()) for name, a in arrays.items()}
            yield place
        finally:
            for name in known:
                del experiments.EXPERIMENTS[name]
            os.environ.pop("LLTD_RESULTS")
            if before is not None:
                os.environ["LLTD_RESULTS"] = before


@contextmanager
def memory() -> Iterator[Callable[[], bool]]:
    """Tells whether what is done meanwhile has at any time held memory beyond all need."""
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[1] > SWOLLEN
    finally:
        tracemalloc.stop()


COMMANDS = (("replay", ONE.recipe.name, "--run", 3), ("audit", ONE.recipe.name), ("list", ONE.recipe.name))
REPLACED = ("damaged", "of another recipe")  # states that a new run ends


def judge(
    place: Laboratory, content: bytes, number: int, *, cure: bool = False, newer: bool = False
) -> Outcome:
    """Put these bytes in the place of a stored result, and see what reading and commanding makes of them.

    number: of the case, which decides the command. cure: whether to follow the cure, too. newer: the file is of
    a later version, which no command may replace.
    """
    path = place.path(ONE)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    unpickled, clear = len(UNPICKLED), False
    with memory() as swollen:
        told = read(place)
        if told == REFUSED:
            command = COMMANDS[number % len(COMMANDS)]
            said = place.command(*command)
            if command[0] == "list":
                states = ("of a newer version",) if newer else REPLACED
                clear = said.code == 0 and not said.errors and any(state in said.out for state in states)
            else:
                clear = said.clear(path, f"python -m lltd run {ONE.recipe.name}")
            told = "" if clear else f"{command}: {said}"
        full = swollen()
    lost = path.read_bytes() != content or told == MISREAD
    if cure and clear:
        said = place.command("run", ONE.recipe.name, "--workers", 1)
        after = path.read_bytes()
        clear = said.clear(path, "newer version") if newer else said.code == 0
        lost |= after != (content if newer else place.whole[ONE.recipe.name])
        told = told or ("" if clear and not lost else f"run: {said}")
    outside = {entry.name for entry in place.folder.parent.iterdir()} - {place.folder.name}
    executed = bool(outside) or len(UNPICKLED) > unpickled
    return Outcome(clear, told == WHOLE, lost, executed, full, told.removeprefix(WHOLE))


WHOLE, REFUSED, MISREAD = "whole", "refused", "other content was read"


def read(place: Laboratory) -> str:
    """What reading the result comes to: one of three words, or in words what should not happen."""
    try:
        record = load(place.path(ONE), ONE.recipe)
    except RecordError:
        return REFUSED
    except Exception as error:
        return f"reading raises {error!r}"
    found = {name: (array.dtype, array.shape, array.tobytes()) for name, array in record.arrays.items()}
    return WHOLE if found == place.stored else MISREAD


assert counting.counting is ONE.compute, "the experiment of the tests is known under one name only"
