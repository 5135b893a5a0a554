"""Processes that are killed, write at once, or have nowhere to write."""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

from laboratory import BESIDE, SEVERAL, SLOW, Cases, Laboratory, Outcome, Said
from tqdm import tqdm

from lltd import experiments
from lltd.code_digest import code_digest
from lltd.record import RecordError

PATIENCE = 60.0  # seconds that processes may take to end
PAGE = 4096  # bytes: a small file system gives them out by this number


def child(work: Callable[[], int | None]) -> int:
    """The number of a process that does this, starting from what this one has imported, and then ends."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    tqdm.set_lock(threading.RLock())  # its own is shared with children, and one that is killed may hold it
    try:
        with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
            code = work() or 0
    finally:
        os._exit(code)


def running(place: Laboratory, *works: experiments.Experiment) -> Callable[[], None]:
    def run() -> None:
        for work in works:
            experiments.run(work, workers=1, device="cpu")

    return run


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def resumed(place: Laboratory, work: experiments.Experiment, *others: experiments.Experiment) -> list[str]:
    """What is wrong after a process died: with what it left, or with the result of the run that goes on."""
    found = place.faults(work)
    place.age()
    try:
        for one in (work, *others):
            place.make(one)
    except RecordError as error:
        return [*found, f"the run does not go on: {error}"]
    return found + place.finished(work, *others)


def killed_at_random(place: Laboratory, cases: Cases) -> Iterator[Outcome]:
    """Killed once to three times at random moments, then left in peace."""
    usual = 1.0
    for number in cases(100):
        chance, found = random.Random(number), []
        for _ in range(chance.randint(1, 3)):
            usual = killed(place, chance, usual)
            found += place.faults(SEVERAL)
        found += resumed(place, SEVERAL)
        yield Outcome(whole=not found, lost=bool(found), told="; ".join(found))
        place.clear()


def killed(place: Laboratory, chance: random.Random, usual: float) -> float:
    """Begin a run and kill it before it ends. Takes and returns about how many seconds a run lasts by now."""
    while True:
        pid = child(running(place, SEVERAL))
        time.sleep(chance.uniform(0, usual))
        os.kill(pid, signal.SIGKILL)
        if ended(pid) == -signal.SIGKILL:
            return 1.1 * usual
        usual *= 0.7  # it was done before; the next one begins from nothing
        place.clear()


def at_step(number: int, work: Callable[[], None]) -> Callable[[], int]:
    """The same work, killed before its step `number` on the disk; ends with how many steps it took if it can."""

    def counted() -> int:
        steps = 0

        def step(event: str, arguments: tuple) -> None:
            nonlocal steps
            writing = (
                event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            )
            if writing or event in STEPS:
                if steps == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                steps += 1

        sync = os.fsync

        def fsync(file: int) -> None:
            step("fsync", ())
            sync(file)

        os.fsync = fsync
        sys.addaudithook(step)
        work()
        return min(steps, 255)

    return counted


STEPS = (
    "fsync",
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.chmod",
    "shutil.rmtree",
    "fcntl.flock",
)


def killed_at_each_step(place: Laboratory, cases: Cases) -> Iterator[Outcome]:
    """Killed before each thing that a run does to the disk, of which a first run tells the number."""
    steps = ended(child(at_step(-1, running(place, BESIDE))))
    assert 20 < steps < 255, f"{steps} steps were counted"
    for number in cases(steps):
        place.clear()
        code = ended(child(at_step(number, running(place, BESIDE))))
        found = [] if code == -signal.SIGKILL else [f"step {number} never came: {code}"]
        found += resumed(place, BESIDE)
        yield Outcome(whole=not found, lost=bool(found), told="; ".join(found))


def two_writers(place: Laboratory, cases: Cases) -> Iterator[Outcome]:
    """Two processes that run the same two experiments, one of them a moment later, in either order."""
    for number in cases(100):
        chance = random.Random(number)
        orders = [(SEVERAL, BESIDE), chance.choice([(SEVERAL, BESIDE), (BESIDE, SEVERAL)])]
        pids = []
        for order in orders:
            pids.append(child(running(place, *order)))
            time.sleep(chance.uniform(0, 0.1))
        found = [f"a writer ends with {code}" for code in map(ended, pids) if code]
        found += place.finished(SEVERAL, BESIDE) + place.finished(BESIDE, SEVERAL)
        yield Outcome(whole=not found, lost=bool(found), told="; ".join(found))
        place.clear()


def parents(pid: int) -> list[int]:
    """The processes that this one began."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(word) for word in listed.stdout.split()]


def command(place: Laboratory, *arguments: str) -> subprocess.Popen:
    """The command line with the experiments of the laboratory, as a process of its own."""
    program = "import sys, laboratory; from lltd import experiments; from lltd.__main__ import main\n"
    program += "experiments.EXPERIMENTS[laboratory.SLOW.recipe.name] = laboratory.SLOW\n"
    program += "sys.exit(main(sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=Path(__file__).parent,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def shards(work: experiments.Experiment) -> int:
    folder = experiments.shard_folder(work.recipe, code_digest(work.compute))
    return len(list(folder.glob("[0-9]*.npz")))


def until(happened: Callable[[], bool], seconds: float = 10 * PATIENCE) -> bool:
    deadline = time.time() + seconds
    while not happened() and time.time() < deadline:
        time.sleep(0.01)
    return happened()


def pool_killed(place: Laboratory, cases: Cases) -> Iterator[Outcome]:
    """Of a run with two worker processes, the first process is killed, or a worker."""
    place.make(SLOW)
    for number in cases(4):
        place.clear()
        run = command(place, "run", SLOW.recipe.name, "--workers", "2", "--device", "cpu")
        until(lambda: shards(SLOW) > 2)
        workers = parents(run.pid)
        target = run.pid if number % 2 == 0 else workers[-1]
        os.kill(target, signal.SIGKILL)
        out, errors = run.communicate(timeout=PATIENCE)
        said = Said(run.returncode, out, errors)
        gone = until(lambda: not any(alive(pid) for pid in workers), PATIENCE)  # noqa: B023
        clear = number % 2 == 1 and said.clear("a worker process died", "the same command goes on")
        found = [] if gone else [f"workers {workers} live on"]
        found += [] if clear or number % 2 == 0 else [f"said {said}"]
        found += [] if 2 < shards(SLOW) < 30 else [f"{shards(SLOW)} shards are kept"]
        found += resumed(place, SLOW)
        yield Outcome(clear, not found, bool(found), told="; ".join(found))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def may_mount() -> bool:
    """Whether this process can have file systems of its own."""
    return hasattr(os, "geteuid") and os.geteuid() == 0 and bool(shutil.which("mount")) and _mounts()


def _mounts() -> bool:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True)
        if tried.returncode == 0:
            subprocess.run(["umount", folder], check=True)
        return tried.returncode == 0


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """A file system in memory, in place of a folder."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


def disk_full(place: Laboratory, cases: Cases) -> Iterator[Outcome]:
    """A file system with room for so many pages, or so many files, and then with more."""
    for number in cases(40):
        limit = f"nr_inodes={number // 2 + 2}" if number % 2 else f"size={(number // 2 + 1) * PAGE}"
        with mounted(place.folder, limit):
            said = place.command("run", SEVERAL.recipe.name, "--workers", 1)
            done = said.code == 0 and place.path(SEVERAL).exists()
            clear = said.clear("cannot write", place.folder, "No space left on device", "LLTD_RESULTS")
            found = place.faults(SEVERAL) + (
                [f"{place.age()} temporary files are left"] if place.age() else []
            )
            found += [] if clear or done else [f"said {said}"]
            remount(place.folder, "size=16m,nr_inodes=1000")
            found += resumed(place, SEVERAL)
            yield Outcome(clear, not found, bool(found), told="; ".join(found))


def file_too_large(place: Laboratory, cases: Cases) -> Iterator[Outcome]:
    """No file may grow beyond so many bytes, the system says: every 16th number up to the longest file's."""
    for case in cases(max(map(len, place.whole.values())) // 16 + 1):
        number = 16 * case
        reader, writer = os.pipe()

        def limited(number: int = number, writer: int = writer) -> int:
            resource.setrlimit(resource.RLIMIT_FSIZE, (number, resource.RLIM_INFINITY))
            said = place.command("run", SEVERAL.recipe.name, "--workers", 1)
            os.write(writer, said.errors.encode())
            return said.code

        code = ended(child(limited))
        os.close(writer)
        with os.fdopen(reader) as pipe:
            said = Said(code, "", pipe.read())
        clear = said.clear("cannot write", place.folder, "File too large", "LLTD_RESULTS")
        found = place.faults(SEVERAL) + ([f"{place.age()} temporary files are left"] if place.age() else [])
        found += [] if clear or code == 0 else [f"said {said}"]
        found += resumed(place, SEVERAL)
        yield Outcome(clear, not found, bool(found), told="; ".join(found))
        place.clear()


def read_only(place: Laboratory, cases: Cases) -> Iterator[Outcome]:
    """A folder that is empty, has shards, or has the result, and cannot be written to."""
    name = SEVERAL.recipe.name
    run, replay = ("run", name, "--workers", 1), ("replay", name, "--run", 3)
    commands = (run, replay, ("audit", name), ("list", name), ("audit", name, "--accept"))
    for number in cases(3 * len(commands)):
        state, chosen = number // len(commands), commands[number % len(commands)]
        with mounted(place.folder, "size=16m"):
            if state == 1:
                ended(child(at_step(30, running(place, SEVERAL))))
            if state == 2:
                place.make(SEVERAL)
            before = shards(SEVERAL)
            remount(place.folder, "ro")
            said = place.command(*chosen)
            reads = chosen[0] == "list" or (state == 2 and chosen != commands[-1])
            why = ("cannot write", "Read-only", "LLTD_RESULTS")
            if not reads and state < 2 and chosen[0] != "run":
                why = ("is missing", f"python -m lltd run {name}")
            clear = said.clear(place.folder, *why, silent=chosen != commands[-1])
            found = [] if clear or (reads and said.code == 0 and not said.errors) else [f"said {said}"]
            found += place.faults(SEVERAL)
            found += [] if shards(SEVERAL) == before else ["shards are gone"]
            remount(place.folder, "rw")
            found += resumed(place, SEVERAL)
            yield Outcome(clear, not found, bool(found), told="; ".join(found))
