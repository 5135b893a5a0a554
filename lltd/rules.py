"""The rules by which one comparison with a paper gets its verdict: each takes the evidence and gives rows.

A rule stands in a chapter's module; one written after the run it judges is owned up to on the page.
`reading` names the choice made where the paper is silent; "" is the default reading. A claim's verdict
follows from its rows in `lltd.claims`.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from lltd import resampling

TESTS = Path(__file__).parents[1] / "tests"
COARSE = 100  # with fewer runs than this a verdict is marked coarse
ASSUMED = (10, 100)  # numbers of runs tried for a paper that does not print its own


@dataclass(frozen=True)
class Value:
    """A number as a paper prints it: m, the statistic of k runs (None: not printed), known to ± rounding.

    statistic: "proportion" (m in [0, 1]) or a name in `resampling.STATISTICS`.
    """

    m: float
    k: int | None
    statistic: str = "mean"
    rounding: float = 0.0

    def __post_init__(self) -> None:
        if not np.isfinite(self.m):
            raise ValueError(f"m is {self.m}: a finite number is needed")
        if self.k is not None and (not isinstance(self.k, int) or self.k < 1):
            raise ValueError(f"k is {self.k!r}: a number of runs, 1 or more, or None is needed")
        if not (np.isfinite(self.rounding) and self.rounding >= 0):
            raise ValueError(f"rounding is {self.rounding}: a finite number, 0 or more, is needed")
        if self.statistic not in (*resampling.STATISTICS, "proportion"):
            known = ", ".join((*resampling.STATISTICS, "proportion"))
            raise ValueError(f"statistic is {self.statistic!r}: one of {known} is needed")
        if self.statistic == "proportion" and not 0 <= self.m <= 1:
            raise ValueError(f"m is {self.m}: a proportion lies in [0, 1]")


class Count(NamedTuple):
    """So many successes in so many trials."""

    successes: int
    trials: int


@dataclass(frozen=True)
class Row:
    """One comparison: what the paper says, what we found with its 95 % interval, what would be allowed."""

    label: str
    verdict: str
    rule: str = ""
    paper: float | None = None
    measured: float | None = None
    low: float | None = None
    high: float | None = None
    allowed_low: float | None = None
    allowed_high: float | None = None
    k: int | None = None
    runs: int | None = None
    reading: str = ""


def afterwards(reading: str) -> str:
    """Name of a reading that was chosen after its result had been seen."""
    return f"{reading} (chosen after seeing the result)"


def number(label: str, value: Value, runs: ArrayLike, reading: str = "") -> tuple[Row, ...]:
    """Compare a printed statistic of k runs with ours of N, one outcome for each run.

    Reproduced iff m ± rounding meets the band of `resampling.allowed`. Runs that were cut are infinite: then
    a first row asks whether all k of the paper's runs would have finished, and the statistic must be one that
    cut runs have. An unprinted k gives one row for each of `ASSUMED`, as readings.
    """
    if value.statistic == "proportion":
        raise ValueError("a proportion is compared by `proportion`, from counts")
    runs = np.asarray(runs, dtype=float)
    rows: tuple[Row, ...] = ()
    if np.isinf(runs).any():
        finished = Count(int(np.isfinite(runs).sum()), runs.size)
        rows = proportion(f"{label}: all runs finished", Value(1, value.k, "proportion"), finished, reading)
    for k, named in _runs_of_paper(value, reading):
        band = resampling.allowed(runs, k, value.statistic)
        ours = float(resampling.STATISTICS[value.statistic](runs))
        interval = resampling.statistic_interval(runs, value.statistic)
        rows += (_within(label, value, ours, interval, band, k, len(runs), named),)
    return rows


def proportion(label: str, value: Value, count: Count, reading: str = "") -> tuple[Row, ...]:
    """Compare a printed proportion of k runs with our count, by the band of `allowed_proportion`."""
    if value.statistic != "proportion":
        raise ValueError(f"statistic is {value.statistic!r}: counts settle a proportion only")
    low, high = (float(x) for x in resampling.interval(*count))
    ours = count.successes / count.trials
    return tuple(
        _within(
            label,
            value,
            ours,
            (low, high),
            resampling.allowed_proportion(count.successes, count.trials, k),
            k,
            count.trials,
            named,
        )
        for k, named in _runs_of_paper(value, reading)
    )


def factors(value: Value, low: float, high: float) -> tuple[float, float]:
    """Smallest and largest factor f for which f · (m ± rounding) still meets [low, high], all positive."""
    smallest = max(low, 0.0) / (value.m + value.rounding)
    below = value.m - value.rounding
    return smallest, high / below if below > 0 else np.inf


def constant(
    label: str, paper: float, rounding: float, computed: float, reading: str = ""
) -> tuple[Row, ...]:
    """Compare a printed number that chance has no part in: reproduced iff it is within the rounding."""
    Value(paper, 1, "mean", rounding)
    ok = abs(paper - computed) <= rounding * (1 + 1e-9)
    return (
        Row(
            label,
            "reproduced" if ok else "not reproduced",
            f"computed without chance; printed to ±{rounding:g}",
            paper,
            computed,
            allowed_low=computed - rounding,
            allowed_high=computed + rounding,
            reading=reading,
        ),
    )


def at_least(
    label: str, limit: float, count: Count, reading: str = "", *, printed: bool = False
) -> tuple[Row, ...]:
    """Settle a claim such as "> 99 %": reproduced iff the exact 95 % lower bound reaches the limit.

    printed: the limit is the paper's own, not one of ours for what it calls hardly ever.
    """
    low = float(resampling.lower_bound(*count))
    return _limited(label, limit, count, reading, printed, low >= limit, low=low, allowed_low=limit)


def at_most(
    label: str, limit: float, count: Count, reading: str = "", *, printed: bool = False
) -> tuple[Row, ...]:
    """Settle a claim such as "< 1 %": reproduced iff the exact 95 % upper bound stays within the limit."""
    high = float(resampling.upper_bound(*count))
    return _limited(label, limit, count, reading, printed, high <= limit, high=high, allowed_high=limit)


def trend(
    label: str, smaller: ArrayLike | Count, larger: ArrayLike | Count, reading: str = ""
) -> tuple[Row, ...]:
    """Settle an order by the sign of the effect: reproduced iff its 95 % interval lies above 0.

    Two counts: difference of proportions. Two samples of runs (infinite where cut): how much more often a run
    of `larger` beats one of `smaller` than it loses, in [-1, 1].
    """
    return _effect(label, smaller, larger, 0.0, None, reading)


def equivalence(
    label: str, first: ArrayLike | Count, second: ArrayLike | Count, margin: float, reading: str = ""
) -> tuple[Row, ...]:
    """Settle "independent of": reproduced iff the 95 % interval of `trend`'s effect lies within ± margin."""
    if not 0 < margin < 1:
        raise ValueError(f"margin is {margin}: a number between 0 and 1 is needed")
    return _effect(label, first, second, -margin, margin, reading)


def equation(label: str, cases: int, worst: float, tolerance: float, reading: str = "") -> tuple[Row, ...]:
    """Settle an equation: holds iff the worst error over so many cases is within the tolerance."""
    if cases < 1 or not tolerance >= 0 or not worst >= 0:
        raise ValueError(f"{cases} cases, worst error {worst}, tolerance {tolerance}: none may be negative")
    return (
        Row(
            label,
            "holds" if worst <= tolerance else "not reproduced",
            f"worst error of {cases} cases",
            measured=float(worst),
            allowed_high=tolerance,
            runs=cases,
            reading=reading,
        ),
    )


def adopted(label: str, test: str, reading: str = "") -> tuple[Row, ...]:
    """Record a setting or definition that the book follows; `test` ("test_NAME.py::test_…") holds it."""
    return (Row(label, "adopted", f"held by {_known(test)}", reading=reading),)


def proved(label: str, test: str) -> tuple[Row, ...]:
    """Record a statement proved in its chapter; `test` searches for a counterexample."""
    return (Row(label, "proved", f"proof in the chapter; searched by {_known(test)}"),)


def corrected(label: str, instead: str, test: str) -> tuple[Row, ...]:
    """Record a statement that fails as printed: what holds instead, and the test of the counterexample."""
    return (Row(label, "corrected", f"{instead}; counterexample in {_known(test)}"),)


def quoted(label: str, source: str) -> tuple[Row, ...]:
    """Record what a paper reports of another work, which is not run again."""
    return (Row(label, "quoted", f"reported from {source}, not run again"),)


def beyond_reach(label: str, why: str) -> tuple[Row, ...]:
    """Record a claim that cannot be settled here, and why."""
    return (Row(label, "beyond reach", why),)


def _runs_of_paper(value: Value, reading: str) -> tuple[tuple[int, str], ...]:
    if value.k is not None:
        return ((value.k, reading),)
    return tuple((k, ", ".join(filter(None, (reading, f"k = {k} assumed")))) for k in ASSUMED)


def _within(
    label: str,
    value: Value,
    ours: float,
    interval: tuple[float | None, float | None],
    band: tuple[float, float],
    k: int,
    runs: int,
    reading: str,
) -> Row:
    low, high = band
    # Rounding in the last bit must not decide: 0.95 - 0.05 against a band that ends at 18/20.
    slack = 1e-12 * max(1.0, abs(value.m))
    ok = value.m - value.rounding <= high + slack and value.m + value.rounding >= low - slack
    rule = f"{value.statistic} of {k} of our runs, 95 % band"
    if value.m > 0 and low >= 0:
        smallest, largest = factors(value, low, high)
        rule += f"; factors on the paper's number not excluded: {smallest:.2f} to {largest:.2f}"
    verdict = "reproduced" if ok else "not reproduced"
    return Row(label, verdict, _marked(rule, runs), value.m, ours, *interval, low, high, k, runs, reading)


def _limited(
    label: str, limit: float, count: Count, reading: str, printed: bool, ok: bool, **bounds: float
) -> tuple[Row, ...]:
    if not 0 <= limit <= 1:
        raise ValueError(f"limit is {limit}: a proportion lies in [0, 1]")
    verdict, paper = "reproduced" if ok else "not reproduced", limit if printed else None
    rule = _marked("exact one-sided 95 % bound", count.trials)
    ours = count.successes / count.trials
    return (Row(label, verdict, rule, paper, ours, runs=count.trials, reading=reading, **bounds),)


def _effect(
    label: str,
    first: ArrayLike | Count,
    second: ArrayLike | Count,
    allowed_low: float,
    allowed_high: float | None,
    reading: str,
) -> tuple[Row, ...]:
    if isinstance(first, Count) and isinstance(second, Count):
        effect, low, high = resampling.difference(first, second)
        name, runs = "difference of proportions", min(first.trials, second.trials)
    elif isinstance(first, Count) or isinstance(second, Count):
        raise TypeError("both sides must be counts, or both runs")
    else:
        effect, low, high = resampling.dominance(first, second)
        name, runs = "pairs won less pairs lost", min(len(first), len(second))
    sign = "decided" if low > 0 or high < 0 else "not decided"
    return (
        Row(
            label,
            "reproduced" if low > allowed_low and high < (allowed_high or np.inf) else "not reproduced",
            _marked(f"{name}, 95 % interval; its sign is {sign}", runs),
            measured=effect,
            low=low,
            high=high,
            allowed_low=allowed_low,
            allowed_high=allowed_high,
            runs=runs,
            reading=reading,
        ),
    )


def _marked(rule: str, runs: int) -> str:
    return rule if runs >= COARSE else f"coarse, only {runs} runs: {rule}"


def _known(test: str) -> str:
    """Check that the test is there, wherever the tests are: an installed package comes without them."""
    file, _, name = test.partition("::")
    if not name or not re.fullmatch(r"(book/)?test_\w+\.py", file):
        raise ValueError(f"test is {test!r}: test_NAME.py::test_… is needed")
    if TESTS.is_dir():
        path = TESTS / file
        if not path.is_file() or not re.search(rf"^def {re.escape(name)}\(", path.read_text(), re.MULTILINE):
            raise ValueError(f"test is {test!r}: there is no such test")
    return test
