"""The claims on LSTM's rivals, on two dependencies in one task and on a gap, and the words with limits of ours."""

from collections.abc import Iterable

import numpy as np

from lltd.chapters.adding.rivals import LENGTHS, solved
from lltd.claims import claim
from lltd.experiments import read
from lltd.rules import Count, Row, at_most, equivalence, proved, quoted, trend

# What we take words for, fixed before the record was made.
NEVER = 0.05  # of the trials, of all settings together, solve the task
LEARNT = 0.01  # mean squared error, which takes both marked values
ROW = 10  # right ones in a row: a guess has hardly begun then, with 2000 to come
SCARCE = 1e-5  # of the guesses have that many
ALIKE = 0.1  # shares that differ by no more than this
USED = 0.5  # of what the target owes to an event is what the output owes to it at least
RATE = 0.1  # of the three tried, at which nets with two dependencies are looked at
MOSTLY = 0.5  # of the nets
METHODS = {"bptt": "BPTT, Elman net", "pseudo_newton": "pseudo-Newton, Elman net", "tdnn": "TDNN"}
LONGEST = max(LENGTHS)


def together(method: str, length: int, *, window: int | None = None, below: float | None = None) -> Count:
    """The trials that solve the task, of all settings of a method at a length, of time-delay nets up to a window.

    below: see `rivals.solved`.
    """
    counts = [
        count
        for cell, count in solved(method, below=below)
        if cell["length"] == length and (window is None or cell["window"] <= window)
    ]
    return Count(*(sum(part) for part in zip(*counts, strict=True)))


def in_a_row(length: int, row: int) -> Count:
    """The guesses that have so many sequences right in a row, out of all that were made at this length."""
    record = read("adding/rivals_guessing")
    stood = record.by_cell("stood")[record.where(length=length)]
    return Count(int(stood[..., row:].sum()), int(stood.sum()))


def owed(length: int, rate: float = RATE) -> np.ndarray:
    """What the outputs of nets owe to the early and to the late event, each 1 where learnt: (nets, stages, 2).

    A net that has diverged counts as owing nothing to either.
    """
    record = read("adding/short_and_long")
    (slopes,) = record.by_cell("slopes")[record.where(length=length, rate=rate)]
    return np.nan_to_num(slopes)


@claim("HS96.47", "HS96.48")
def no_other_solves_it() -> Iterable[Row]:
    """Methods of the time at T = 100, all settings that were tried, with more sequences than LSTM is said to need."""
    rows: tuple[Row, ...] = ()
    for method, name in METHODS.items():
        label = f"T = {LONGEST}: {name}, trials that solve the task"
        rows += at_most(label, NEVER, together(method, LONGEST))
        laxer = f"mean squared error below {LEARNT}"
        rows += at_most(label, NEVER, together(method, LONGEST, below=LEARNT), laxer)
    label = f"T = {LONGEST}: guesses with {ROW} sequences in a row right"
    return (*rows, *at_most(label, SCARCE, in_a_row(LONGEST, ROW)))


@claim("BFS93.2")
def a_window_is_finite() -> Iterable[Row]:
    """What lies before the window of a time-delay net makes no difference."""
    return proved(
        "inputs that differ before the window only have equal outputs",
        "test_adding_rivals.py::test_a_time_delay_net_cannot_know_what_lies_before_its_window",
    )


@claim("HBFS01.4")
def no_clear_advantage() -> Iterable[Row]:
    """Elman nets, whose memory has no limit, beside time-delay nets that see the last half: all settings."""
    recurrent = together("bptt", LONGEST, below=LEARNT)
    limited = together("tdnn", LONGEST, window=LONGEST // 2, below=LEARNT)
    label = (
        f"adding, T = {LONGEST}: share that learns, Elman nets less time-delay nets with a window up to T/2"
    )
    return equivalence(label, limited, recurrent, ALIKE)


@claim("BFS93.3")
def earlier_work() -> Iterable[Row]:
    """What earlier nets came to."""
    return quoted("nets that used the recent past alone", "Bengio, De Mori, Flammia & Kompe 1992")


@claim("BFS93.4")
def mozer() -> Iterable[Row]:
    """Mozer's experiments, and his gap task: more nets learn it across two symbols than across ten."""
    record = read("adding/gap")
    shares = []
    for gap in (2, 10):
        epochs = record.by_cell("epochs")[record.where(gap=gap)][..., 0]
        shares.append(Count(int((epochs > 0).sum()), epochs.size))
    return (
        *quoted("back-propagation does not discover contingencies across long spans", "Mozer 1992"),
        *trend("gap task, all settings: share learnt, gap 2 less gap 10", *reversed(shares)),
    )


@claim("BFS93.45")
def short_term_first() -> Iterable[Row]:
    """What nets owe to the late event less what they owe to the early one, and how many make use of the latter."""
    rows: tuple[Row, ...] = ()
    lengths = (20, 50, 100)
    for T in lengths:
        early, late = np.abs(owed(T)[:, -1]).T
        rows += trend(f"T = {T}: what the output owes, late event less early one", early, late)
    early = owed(lengths[-1])[:, -1, 0]
    missed = Count(int((np.abs(early) >= USED).sum()), early.size)
    return (*rows, *at_most(f"T = {lengths[-1]}: nets that make use of the early event", MOSTLY, missed))
