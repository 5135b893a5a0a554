"""The faults that are put into the record, and how each is done."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from damage import FLIPS, blanked, cut, earlier, forged_arrays, forged_whole, later, notes_cut
from disturbances import (
    disk_full,
    file_too_large,
    killed_at_each_step,
    killed_at_random,
    may_mount,
    pool_killed,
    read_only,
    two_writers,
)
from forgeries import forged, no_file
from laboratory import Cases, Laboratory, Outcome, laboratory

Make = Callable[[Laboratory, Cases], Iterator[Outcome]]


class Fault(NamedTuple):
    """A kind of fault. few: cases that the suite tries; mounts: whether it takes a file system of its own."""

    make: Make
    few: int
    mounts: bool = False


FAULTS = {
    "process killed at a random moment, up to three times": Fault(killed_at_random, 4),
    "process killed before each step on the disk": Fault(killed_at_each_step, 12),
    "process or worker killed, of a run with two workers": Fault(pool_killed, 1),
    "two processes writing the same results": Fault(two_writers, 4),
    "disk full, by bytes or by files": Fault(disk_full, 8, mounts=True),
    "file larger than the system allows": Fault(file_too_large, 8),
    "folder that can only be read": Fault(read_only, 15, mounts=True),
    "file cut, at every byte": Fault(cut, 60),
    "file blank from a byte on, at every byte": Fault(blanked, 60),
    **{words: Fault(make, 60) for words, make in FLIPS.items()},
    "notes on code cut, at every byte": Fault(notes_cut, 12),
    "result of a later version or format": Fault(later, 1000),
    "result of an earlier version, or another recipe": Fault(earlier, 1000),
    "malicious file": Fault(forged, 1000),
    "something that is no file": Fault(no_file, 1000),
    "one number forged, digest made to fit": Fault(forged_whole, 6),
    "arrays forged, digest made to fit": Fault(forged_arrays, 1000),
}
COUNTS = ("injected", "clear", "whole", "lost", "executed", "swollen")


def count(name: str, cases: Cases) -> tuple[dict[str, int], list[str]]:
    """How many faults of a kind were put in, and how many came to what; with what there is to complain of."""
    counts, complaints = dict.fromkeys(COUNTS, 0), []
    with laboratory() as place:
        for outcome in FAULTS[name].make(place, cases):
            counts["injected"] += 1
            for part in COUNTS[1:]:
                counts[part] += getattr(outcome, part)
            bad = outcome.lost or outcome.executed or outcome.swollen
            if bad or not (outcome.clear or outcome.whole):
                complaints.append(f"{name}, {counts['injected']}: {outcome}")
    return counts, complaints


def possible(name: str) -> bool:
    """Whether this process may do what the fault takes."""
    return not FAULTS[name].mounts or may_mount()
