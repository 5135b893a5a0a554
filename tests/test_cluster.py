"""A Dask cluster as an engine: real schedulers and workers on the loopback, which are killed, and the same bytes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import counting
import pytest

import lltd
from lltd import __main__ as command_line
from lltd import cluster, experiments
from lltd.cluster import ClusterError
from lltd.code_digest import code_digest
from lltd.record import replace_file

HERE = Path(__file__).parent
NAME = "tests/counting"

try:
    import distributed
except ImportError:
    distributed = None
needs_dask = pytest.mark.skipif(
    distributed is None, reason="without Dask: pip install -e .[cluster] brings it"
)
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="certificates are made by openssl")


class Processes:
    """A scheduler and its workers, each a process of its own; a worker has no folder in common with the tests."""

    def __init__(self, folder, tls=(), failures=3):
        self.folder, self.tls, self.started = folder, tls, []
        folder.mkdir()
        where, noted = ["--host", "127.0.0.1", "--port", 0], folder / "scheduler.json"
        where += ["--dashboard-address", "127.0.0.1:0", "--no-dashboard", "--scheduler-file", noted]
        self.scheduler = self._start(
            *("scheduler", *where, *(["--protocol", "tls"] if tls else [])),
            DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=str(failures),
        )
        wait_for(lambda: noted.exists() and noted.stat().st_size)
        self.address = json.loads(noted.read_text())["address"]

    def worker(self, package=HERE.parent):
        """A worker with one thread, whose lltd is the one in this folder."""
        return self._start(
            *("worker", self.address, "--nthreads", 1, "--no-nanny", "--no-dashboard"),
            PYTHONPATH=os.pathsep.join(map(str, (package, HERE))),
            LLTD_RESULTS=str(self.folder / "none"),
        )

    def _start(self, role, *arguments, **environment):
        command = [sys.executable, "-m", f"distributed.cli.dask_{role}", *arguments, *self.tls]
        with (self.folder / f"{len(self.started)}.log").open("w") as log:
            process = subprocess.Popen(
                list(map(str, command)),
                cwd=self.folder,  # where -m looks first
                env={
                    **os.environ,
                    "OMP_NUM_THREADS": "1",
                    "DASK_TEMPORARY_DIRECTORY": str(self.folder),
                    **environment,
                },
                stdout=log,
                stderr=log,
            )
        self.started.append(process)
        return process

    def stop(self):
        for process in reversed(self.started):
            process.kill()
            process.wait()


def wait_for(happened, seconds=300):
    deadline = time.time() + seconds
    while not happened():
        assert time.time() < deadline, "it has not happened in time"
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def patience():
    """Ends a test whose workers do not come: a run waits for them as long as it takes."""

    def give_up(*_):
        raise TimeoutError("no worker has done its work in 300 seconds")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(300)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """A cluster without workers."""
    started = Processes(tmp_path_factory.mktemp("cluster") / "tcp")
    yield started
    started.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate that is its own authority, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=lltd -keyout key.pem -out cert.pem"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    files = {"ca-file": "cert.pem", "cert": "cert.pem", "key": "key.pem"}
    return [part for name, file in files.items() for part in (f"--tls-{name}", str(folder / file))]


@pytest.fixture
def command(capsys):
    """Runs a command in this process: (exit code, lines of errors)."""

    def run(*arguments):
        code = command_line.main([str(argument) for argument in arguments])
        return code, capsys.readouterr().err.splitlines()

    return run


@pytest.fixture
def at_shard(monkeypatch):
    """Sets what is to happen when so many shards have come back and are kept."""

    def set_(acts):
        came = count(1)

        def keep(path, content):
            replace_file(path, content)
            acts.get(next(came), lambda: None)()

        monkeypatch.setattr(experiments, "replace_file", keep)

    return set_


def kept(work):
    """How many shards wait to be joined."""
    folder = experiments.shard_folder(work.recipe, code_digest(work.compute))
    return len(list(folder.glob("[0-9]*.npz")))


def in_one_process(work):
    """The bytes of the result as a serial run writes them; whatever was there is made anew."""
    path = experiments.path_of(work.recipe)
    path.unlink(missing_ok=True)
    experiments.run(work, workers=1, device="cpu")
    return path.read_bytes()


@needs_dask
def test_workers_killed_and_added_leave_the_bytes_of_a_serial_run(results, processes, at_shard):
    work = experiments.find("minimal_task/density")
    work = replace(work, recipe=replace(work.recipe, runs=7500, shard=250))
    first, second = processes.worker(), processes.worker()
    jobs, open_then = [], []

    def kill_second_and_add_a_third():
        os.kill(second.pid, signal.SIGKILL)
        open_then.extend(job for job in jobs if not job.done())
        processes.worker()

    at_shard({2: lambda: os.kill(first.pid, signal.SIGKILL), 6: kill_second_and_add_a_third})
    with cluster.connect(processes.address) as engine:

        class Watched(ThreadPoolExecutor):
            def submit(self, *call):
                jobs.append(engine.submit(*call))
                return jobs[-1]

        experiments.run(work, device="cpu", engine=Watched())
    processes.started[-1].kill()
    assert len(jobs) == 30 and open_then, "the workers were to be killed in the middle"
    shared = experiments.path_of(work.recipe).read_bytes()
    assert in_one_process(work) == shared


@needs_dask
def test_worker_with_other_code_is_refused(results, processes, tmp_path, command):
    package, unwanted = Path(lltd.__file__).parent, shutil.ignore_patterns("__pycache__")
    shutil.copytree(package, tmp_path / "lltd", ignore=unwanted)
    code = tmp_path / "lltd" / "philox.py"
    code.write_text(code.read_text().replace("ROUNDS = 10", "ROUNDS = 9"))
    worker = processes.worker(tmp_path)
    status, errors = command("run", NAME, "--scheduler", processes.address)
    worker.kill()
    refusal = errors[-1]
    assert status == 2 and len(errors) <= 2  # the line before says that a worker is waited for
    assert refusal.startswith("lltd: worker tcp://127.0.0.1:") and "is refused: counting.counting " in refusal
    assert "numpy" not in refusal and not experiments.path_of(experiments.find(NAME).recipe).exists()


@needs_dask
@needs_openssl
def test_over_tls_what_ctrl_c_or_dead_workers_stop_goes_on(
    results, certificate, tmp_path, command, at_shard, monkeypatch
):
    """Here a shard is given up at once when its worker dies, where it is otherwise tried four times."""
    work = experiments.find(NAME)
    slow = {"common": {"pause": 0.1}, "vary": {"scale": [1.0]}}
    work = replace(work, recipe=replace(work.recipe, parameters=slow))
    monkeypatch.setitem(experiments.EXPERIMENTS, NAME, work)
    monkeypatch.setattr(counting, "time", SimpleNamespace(sleep=lambda pause: None))  # in this process alone
    processes = Processes(tmp_path / "tls", certificate, failures=0)
    try:
        assert processes.address.startswith("tls://")
        arguments = ["run", NAME, "--scheduler", processes.address, *certificate]
        processes.worker()
        at_shard({3: lambda: signal.raise_signal(signal.SIGINT)})
        code, errors = command(*arguments)
        assert code == 130 and "finished shards are kept" in errors[-1]
        assert kept(work) == 3
        at_shard({3: processes.started[-1].kill})
        code, errors = command(*arguments)
        assert code == 2 and len(errors) == 1
        assert errors[0].startswith(
            "lltd: every worker that took up one shard has died, 1 so far, the last at tls:"
        )
        assert errors[0].endswith("finished shards are kept")
        assert 6 <= kept(work) < 30
    finally:
        processes.stop()
    assert command("run", NAME, "--workers", 1)[0] == 0
    shared = experiments.path_of(work.recipe).read_bytes()
    assert in_one_process(work) == shared


@needs_dask
def test_lost_scheduler_is_told(tmp_path):
    processes = Processes(tmp_path / "lost")
    try:
        with (
            pytest.raises(
                ClusterError, match=r"the scheduler at tcp://.* was lost; finished shards are kept"
            ),
            cluster.connect(processes.address) as engine,
        ):
            assert engine.workers == 0
            job = engine.submit(experiments.make_shard, counting.counting, experiments.find(NAME).recipe, 0)
            processes.scheduler.kill()
            job.result(timeout=60)
    finally:
        processes.stop()


@needs_dask
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--scheduler", "nonsense"],
            "scheduler is 'nonsense': tcp://host:port or tls://host:port is needed",
        ),
        (["--scheduler", "tcp://host"], "scheduler is 'tcp://host': tcp://host:port"),
        (["--scheduler", "tcp://127.0.0.1:1"], "no scheduler answers at tcp://127.0.0.1:1"),
        (["--scheduler", "tcp://127.0.0.1:1", "--workers", 2], "--workers is for this machine"),
        (
            ["--scheduler", "tcp://127.0.0.1:1", "--tls-cert", "c.pem"],
            "TLS files are for one at tls://host:port",
        ),
        (["--scheduler", "tls://127.0.0.1:1"], "TLS needs a CA file, a certificate and its key"),
        (
            ["--scheduler", "tls://127.0.0.1:1", "--tls-ca-file", "ca.pem", "--tls-cert", "cert.pem"],
            "the TLS files ca.pem, cert.pem do not serve: ",
        ),
        (["--tls-key", "key.pem"], "--scheduler tls://host:port is needed"),
    ],
)
def test_bad_input_is_one_line(results, command, monkeypatch, arguments, said):
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    code, errors = command("run", NAME, *arguments)
    assert (code, len(errors)) == (2, 1)
    assert errors[0].startswith("lltd: ") and said in errors[0]


def test_without_dask_the_line_says_what_brings_it(results, command, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, errors = command("run", NAME, "--scheduler", "tcp://127.0.0.1:1")
    assert (code, errors) == (2, ["lltd: a cluster needs Dask: pip install -e .[cluster]"])


def test_identities_differ_in_versions_and_in_code():
    ours = cluster.identity(experiments.make_shard, counting.counting)
    assert list(ours) == ["lltd", "numpy", "torch", "lltd.experiments.make_shard", "counting.counting"]
    assert cluster.differences(ours, ours) == ""
    theirs = {**ours, "numpy": "1.0", "counting.counting": "0" * 12}
    assert cluster.differences({**ours, "numpy": "2.0"}, theirs) == (
        f"numpy 1.0, not 2.0, counting.counting {'0' * 12}, not {ours['counting.counting']}"
    )


def test_code_that_changed_under_a_running_process_has_no_identity(monkeypatch):
    cluster.identity.cache_clear()
    monkeypatch.setattr(cluster, "BEGAN", 0.0)
    with pytest.raises(ClusterError, match="has changed since this process began: start it anew"):
        cluster.identity(experiments.make_shard)
