"""The record of this chapter as its page and its verdicts read it, and the counts of 1997 that stand beside it."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lltd.experiments import read
from lltd.resampling import interval
from lltd.rules import Count, Row, Value, number


class Trials(NamedTuple):
    """Trials of one setting: sequences until each had learnt, (B), infinite where it had not, and when it was cut."""

    waits: np.ndarray
    budget: int

    @property
    def learnt(self) -> Count:
        """How many had learnt before they were cut."""
        return Count(int(np.isfinite(self.waits).sum()), self.waits.size)

    @property
    def at_least(self) -> np.ndarray:
        """The waits, with the budget for those that were cut: no wait is longer, and a mean of them is too low."""
        return np.minimum(self.waits, self.budget)


def found(name: str, cell: int = 0, stop: int | None = None) -> Trials:
    """The trials of a cell of an experiment of this chapter; stop: which of its stops, where there are several."""
    sequences, met = (of(name, key, cell, stop) for key in ("sequences", "met"))
    return Trials(np.where(met, sequences, np.inf), read(f"lstm/{name}").recipe.cells[cell]["budget"])


def of(name: str, key: str, cell: int = 0, stop: int | None = None) -> np.ndarray:
    """Another outcome of the same trials, (B)."""
    values = read(f"lstm/{name}").by_cell(key)[cell]
    return values if stop is None else values[:, stop]


@dataclass(frozen=True)
class Printed:
    """A mean number of sequences as printed in 1997, of so many trials, and where ours are: see `found`.

    share: of trials that learnt. Where it is printed, the mean is of those alone.
    """

    sequences: int
    trials: int
    name: str
    cell: int = 0
    stop: int | None = None
    share: float | None = None

    @property
    def ours(self) -> Trials:
        """Our trials."""
        return found(self.name, self.cell, self.stop)

    def compared(self, label: str) -> tuple[Row, ...]:
        """The printed mean beside ours, where a trial that was cut counts with its budget.

        Where a share is printed the mean of both is of those that learnt. No row where fewer than two of ours did.
        """
        learnt = np.isfinite(self.ours.waits)
        waits = self.ours.at_least if self.share is None else self.ours.waits[learnt]
        return number(label, Value(self.sequences, self.trials), waits) if learnt.sum() > 1 else ()

    def line(self, label: str, rows: tuple[Row, ...]) -> str:
        """Both in one line, from `compared`: printed and our mean, the band around it, and how many learnt."""
        successes, trials = self.ours.learnt
        low, high = interval(successes, trials)
        share = f"{successes:3} of {trials:3} [{low:4.0%}, {high:4.0%}]"
        ours = "".join(
            f"{row.measured:10,.0f} [{row.allowed_low:9,.0f}, {row.allowed_high:9,.0f}]" for row in rows
        )
        return f"{label:19}{self.sequences:10,} {ours or ' ' * 9 + '-':34}  {share}"


# Means over 10 trials where nothing else is said. Cells: nets of experiments 3 are tested every 1000 sequences; in 2b
# only the last symbol has an error.
PRINTED = {
    "1  rate 0.1": Printed(21_730, 30, "reber", 0, share=1.0),
    "1  rate 0.2": Printed(14_060, 30, "reber", 1, share=0.97),
    "1  rate 0.5": Printed(8_440, 30, "reber", 2, share=1.0),
    "2a fixed order": Printed(5_040, 18, "fixed_order"),
    "2b random order": Printed(5_680, 18, "random_order", 4),
    "2c distractors": Printed(30_000, 20, "long_lag"),
    "3a N = 3, stop 1": Printed(27_380, 10, "two_sequence", 0, 0),
    "3a N = 3, stop 2": Printed(39_850, 10, "two_sequence", 0, 1),
    "3a N = 1, stop 1": Printed(58_370, 10, "two_sequence", 2, 0),
    "3a N = 1, stop 2": Printed(64_330, 10, "two_sequence", 2, 1),
    "3b N = 3, stop 1": Printed(41_740, 10, "two_sequence", 4, 0),
    "3b N = 3, stop 2": Printed(43_250, 10, "two_sequence", 4, 1),
    "3b N = 1, stop 1": Printed(74_950, 10, "two_sequence", 6, 0),
    "3b N = 1, stop 2": Printed(78_430, 10, "two_sequence", 6, 1),
    "3c N = 3": Printed(269_650, 10, "expected_value", 0, 0),
    "3c N = 1": Printed(565_640, 10, "expected_value", 2, 0),
    "5  under 140 wrong": Printed(482_000, 10, "multiplication", 0, 1),
    "5  under 13 wrong": Printed(1_273_000, 10, "multiplication", 0, 2),
    "6a order of two": Printed(31_390, 20, "order", 0, 2),
    "6b order of three": Printed(571_100, 10, "order", 1, 2),
}
