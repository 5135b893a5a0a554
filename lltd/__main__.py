"""The command line: python -m lltd list | run | audit | replay | claims | performance."""

import argparse
import json
import os
import secrets
import sys
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import NoReturn

import numpy as np

from lltd import cluster, experiments
from lltd.audit import Sample, draw, misfit, sample
from lltd.experiments import Experiment
from lltd.record import Record, RecordError

EXIT = """exit codes:
  0  done, and everything agrees
  1  done, and something disagrees (audit, replay)
  2  bad arguments, or a result that is missing or damaged
  130  interrupted; finished shards are kept and the same command goes on from them"""

ROUNDING = 1e-9  # a replayed number this near to the stored one is called equal


class Parser(argparse.ArgumentParser):
    """A parser that says in one line what is wrong."""

    def error(self, message: str) -> NoReturn:
        """Leave with exit code 2."""
        self.exit(2, f"lltd: {message}; see {self.prog} --help\n")


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        code = options.command(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever read the output has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, TypeError, OSError, RecordError) as error:
        print(f"lltd: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "lltd: interrupted; finished shards are kept, the same command goes on from them", file=sys.stderr
        )
        return 130


def list_(options: argparse.Namespace) -> int:
    """Print every experiment, its size and whether its result is there."""
    for work in experiments.select(options.name):
        try:
            experiments.read(work.recipe.name)
            state = "on record"
        except RecordError as error:
            state = error.state
        print(f"{work.recipe.name:28} {work.recipe.runs:>9,} runs  {state:18} {work.about}")
    return 0


def run(options: argparse.Namespace) -> int:
    """Compute what is missing of the results that were named."""
    with _engine(options) as engine:
        for work in experiments.select(options.name):
            experiments.run(
                work, runs=options.runs, device=options.device, workers=options.workers, engine=engine
            )
            print(f"{work.recipe.name}: {experiments.path_of(work.recipe.of(options.runs))}")
    return 0


@contextmanager
def _engine(options: argparse.Namespace) -> Iterator[Executor | None]:
    """The cluster that was asked for, or None: this machine."""
    files = {"ca": options.tls_ca_file, "cert": options.tls_cert, "key": options.tls_key}
    if options.scheduler is None:
        if any(files.values()):
            raise ValueError("TLS files are for a cluster: --scheduler tls://host:port is needed")
        yield None
        return
    if options.workers is not None:
        raise ValueError("--workers is for this machine: a cluster has the workers that joined its scheduler")
    with cluster.connect(options.scheduler, **files) as engine:
        if not engine.workers:
            print(f"lltd: {options.scheduler} has no worker yet; waiting for one", file=sys.stderr)
        yield engine


def audit(options: argparse.Namespace) -> int:
    """Recompute random runs of stored results and compare; with --accept, renew the code digests."""
    count = 64 if options.accept else options.ids
    seed = secrets.randbits(32) if options.seed is None else options.seed
    chosen = experiments.select(options.name)
    present = [work for work in chosen if experiments.path_of(work.recipe).exists()]
    samples: list[Sample] = []
    for work in present or chosen[:1]:
        found = sample(work, draw(work, count, seed), options.device)
        if not samples:
            print(f"runs drawn with --seed {seed}")
        samples.append(found)
        print(f"{work.recipe.name}: {_agreement([found])}", *found.findings, sep="\n", flush=True)
        if options.accept and not found.findings:
            experiments.accept(work)
    changed = [] if options.accept else experiments.code_findings(options.name)
    print(*changed, f"{len(present)} of {len(chosen)} results on record: {_agreement(samples)}", sep="\n")
    return 1 if changed or any(found.findings for found in samples) else 0


def _agreement(samples: list[Sample]) -> str:
    """How many runs were recomputed, and how they compare, in words."""
    runs = sum(len(found.runs) for found in samples)
    equal, wrong = (sum(int(getattr(found, key).sum()) for found in samples) for key in ("equal", "wrong"))
    within = runs - equal - wrong
    words = {"equal bit for bit": equal, "within the declared tolerance": within, "DIFFERENT": wrong}
    return f"{runs:,} runs recomputed, " + ", ".join(f"{n:,} {word}" for word, n in words.items() if n)


def replay(options: argparse.Namespace) -> int:
    """Compute one run anew and print it beside what the record holds."""
    work = experiments.find(options.name)
    settings, record = work.recipe.settings(options.run), experiments.read(options.name)
    print(
        f"{options.name} run {options.run}: " + ", ".join(f"{key} {value}" for key, value in settings.items())
    )
    fresh = experiments.recompute(work, work.recipe, [options.run], options.device)
    if apart := misfit(options.name, record.arrays, fresh):
        print(apart)
        return 1
    if _compare(work, record, options.run, fresh):
        return 0
    if work.flips:
        print(
            f"  Rounding alone, on another machine, may do that to {work.flips:.2g} of the runs: see audit."
        )
    return 1


def _compare(work: Experiment, record: Record, number: int, fresh: dict[str, np.ndarray]) -> bool:
    agree = True
    for name, array in fresh.items():
        stored, again = record[name][number], array[0]
        same, near = (
            np.allclose(stored, again, rtol=drift, atol=drift, equal_nan=True)
            for drift in (ROUNDING, work.drift)
        )
        agree &= near
        word = "equal" if same else f"within the stated drift, {work.drift:g}" if near else "DIFFERENT"
        print(f"  {name}: stored {stored}, replayed {again}: {word}")
    return agree


def claims(options: argparse.Namespace) -> int:
    """Settle every claim from the record and print the verdicts."""
    from lltd import claims as register

    settled = register.to_json()
    if options.json:
        print(json.dumps(settled, indent=1))
    else:
        for item in settled:
            print(f"{item['id']:12} {item['verdict']:18} {item['statement']}")
    return 0


def performance(options: argparse.Namespace) -> int:
    """Time the kernels against their peers; with --store, put that and more on file for the chapter."""
    from lltd import performance as timing

    rows = timing.store(options.name) if options.store else timing.measure(options.name)
    print(json.dumps(rows, indent=1) if options.json else timing.table(rows))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m lltd",
        description="Run, check and replay the book's heavy experiments.",
        epilog=EXIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")

    def add(name: str, command: object, summary: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary)
        added.set_defaults(command=command)
        return added

    def add_device(added: argparse.ArgumentParser) -> None:
        added.add_argument("--device", help="cpu, cuda or cuda:K; by default every GPU, else the CPU")

    some = {"nargs": "?", "metavar": "NAME", "help": "an experiment, or a chapter for all of its experiments"}
    add("list", list_, "list the experiments and the state of their results").add_argument("name", **some)

    added = add("run", run, "compute what is missing of a result; stopped, it goes on from whole shards")
    added.add_argument("name", metavar="NAME", help=some["help"])
    added.add_argument("--workers", type=int, help="processes; by default one for each core or GPU")
    added.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="tcp://host:port or tls://host:port of a Dask cluster to run on",
    )
    for name, what in {"ca-file": "authority's", "cert": "own certificate's", "key": "own key's"}.items():
        added.add_argument(f"--tls-{name}", metavar="FILE", help=f"for tls://, the {what} PEM file")
    added.add_argument("--runs", type=int, help="another number of runs, kept in a file of its own")
    add_device(added)

    added = add("audit", audit, "recompute random runs of stored results and compare them")
    added.add_argument("name", **some)
    added.add_argument("--ids", type=int, default=16, help="how many runs of each result (default 16)")
    added.add_argument("--seed", type=int, help="of the draw, to repeat one; by default a fresh draw")
    added.add_argument(
        "--accept", action="store_true", help="64 runs each; if equal, accept the code as it is now"
    )
    add_device(added)

    added = add("replay", replay, "compute one run anew and print it beside the record")
    added.add_argument("name", metavar="NAME", help="an experiment")
    added.add_argument("--run", type=int, required=True, metavar="ID", help="the number of the run")
    add_device(added)

    added = add("claims", claims, "settle every claim of the papers from the record")
    added.add_argument("--json", action="store_true", help="print the full rows as JSON")

    added = add(
        "performance", performance, "time the kernels against their peers, as ratios, and what they cost"
    )
    added.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="one kernel, by default all; or one measurement of them all: costs, roofline, cores, start, memory, gpu",
    )
    added.add_argument("--json", action="store_true", help="print the rows as JSON")
    added.add_argument(
        "--store",
        action="store_true",
        help="measure what the chapter shows, some twenty minutes, and store it",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
