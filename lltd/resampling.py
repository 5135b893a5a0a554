"""What chance allows: exact intervals for proportions, and what a paper of k runs could have printed.

Both sides of a comparison are noisy, ours less than the paper's. `allowed` asks how far a statistic of only k
runs strays when the runs are drawn from ours, which are themselves a sample.
"""

from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import torch
from numpy.typing import ArrayLike

from lltd import philox

DRAWS = 100_000  # papers imagined for one verdict
LEVEL = 0.95
SEED = 1993
ADDRESSES = 2**14  # random addresses worked on at once; they fit a processor's cache
SECOND_HALF = 2**31  # steps from here on are the draws, those below are slots of the resampled runs

STATISTICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": lambda runs: runs.mean(axis=-1),
    "median": lambda runs: np.median(runs, axis=-1),
    "smallest": lambda runs: runs.min(axis=-1),
    "largest": lambda runs: runs.max(axis=-1),
}


def interval(successes: ArrayLike, trials: ArrayLike, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Two-sided exact interval (Clopper & Pearson 1934) of a proportion: arrays (low, high), broadcast.

    Covers the true proportion with probability `level` at least. Raises ValueError unless
    0 <= successes <= trials, trials >= 1 and 0 < level < 1.
    """
    one_sided = (1 + level) / 2
    return lower_bound(successes, trials, one_sided), upper_bound(successes, trials, one_sided)


def lower_bound(successes: ArrayLike, trials: ArrayLike, level: float = LEVEL) -> np.ndarray:
    """Exact one-sided bound: the p at which `successes` or more have probability 1 - level; 0 for none.

    For s = n successes it is (1 - level)**(1/n).
    """
    s, n = _counts(successes, trials)
    if not 0 < level < 1:
        raise ValueError(f"level is {level}: a number between 0 and 1 is needed")
    s, n = s.astype(float), n.astype(float)
    low, high = np.zeros(s.shape), s / n
    p = high.copy()
    for _ in range(60):  # Newton's method, kept inside the bracket by halving it where a step would leave it
        tail, first = binomial_tail(s, n, p)
        low, high = np.where(tail < 1 - level, p, low), np.where(tail < 1 - level, high, p)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step = p - (tail - (1 - level)) * p / (s * first)  # the tail's slope is s P(X = s) / p
        step = np.where((step > low) & (step < high), step, (low + high) / 2)
        p, change = step, np.abs(step - p)
        if (change <= 1e-9 * step).all():  # Newton doubles the digits: the next change is below rounding
            break
    return np.where(s == 0, 0.0, p)


def upper_bound(successes: ArrayLike, trials: ArrayLike, level: float = LEVEL) -> np.ndarray:
    """Exact one-sided bound from above: one less the lower bound of the failures."""
    s, n = _counts(successes, trials)
    return 1 - lower_bound(n - s, n, level)


def binomial_tail(successes: np.ndarray, trials: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """P(X >= successes) and P(X = successes) for X ~ Binomial(trials, p), with p <= successes/trials.

    There the terms of the tail only fall, and are summed until they no longer count.
    """
    p = np.clip(p, 1e-300, 1 - 1e-16)
    term = first = np.exp(
        _log_choose(trials, successes) + successes * np.log(p) + (trials - successes) * np.log1p(-p)
    )
    total, j, odds = term, np.asarray(successes), p / (1 - p)
    while (term > 1e-16 * total).any():
        term = term * ((trials - j) / (j + 1) * odds)
        total, j = total + term, j + 1
    return np.minimum(total, 1.0), first


def resampled(runs: ArrayLike, k: int, statistic: str, draws: int = DRAWS, seed: int = SEED) -> np.ndarray:
    """Draw the statistic of k runs for each of `draws` imagined papers, shape (draws,).

    Paper r resamples our N runs (slot j holds run `source(r, j)`), then draws k of its slots; only slots that
    are drawn are ever looked up. Runs may be infinite (cut before they finished), but not for a mean.
    """
    runs = _runs(runs, statistic)
    if not isinstance(k, int) or k < 1:
        raise ValueError(f"k is {k!r}: a number of runs, 1 or more, is needed")
    rows, values = max(1, ADDRESSES // k), np.empty(draws)
    for start in range(0, draws, rows):
        stop = min(start + rows, draws)
        values[start:stop] = STATISTICS[statistic](runs[_sources(seed, start, stop, k, len(runs))])
    return values


@lru_cache(maxsize=256)
def _sources(seed: int, start: int, stop: int, k: int, count: int) -> np.ndarray:
    """Which of `count` runs the papers start … stop - 1 draw, (papers, k): the same for all runs of that number."""
    papers = torch.arange(start, stop)[:, None]
    blocks = torch.arange(SECOND_HALF, SECOND_HALF + -(-k // 4))
    slots = philox.integers(seed, papers, blocks, philox.Purpose.RESAMPLE, count)
    slots = slots.movedim(0, -1).flatten(1)[:, :k]
    return philox.integers(seed, papers, slots, philox.Purpose.RESAMPLE, count)[0].int().numpy()


def allowed(
    runs: ArrayLike, k: int, statistic: str, draws: int = DRAWS, seed: int = SEED
) -> tuple[float, float]:
    """Band between the 2.5 % and 97.5 % quantiles of what a paper of k of our runs would print."""
    values = np.sort(resampled(runs, k, statistic, draws, seed))
    return float(_quantile(values, (1 - LEVEL) / 2)), float(_quantile(values, (1 + LEVEL) / 2))


def allowed_proportion(successes: int, trials: int, k: int) -> tuple[float, float]:
    """Band of the same meaning for a proportion, summed exactly: Binomial(trials, p), then Binomial(k, .).

    p = (successes + 1/2) / (trials + 1), so that 0 of N is not taken for never.
    """
    s, n = (int(x) for x in _counts(successes, trials))
    if not isinstance(k, int) or k < 1:
        raise ValueError(f"k is {k!r}: a number of runs, 1 or more, is needed")
    ours = _binomial(n, np.array([(s + 0.5) / (n + 1)]))[0]
    likely = np.flatnonzero(ours > 1e-12)
    cumulative = np.cumsum(ours[likely] @ _binomial(k, likely / n))
    low, high = np.searchsorted(cumulative, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low) / k, float(min(high, k)) / k


def statistic_interval(runs: ArrayLike, statistic: str) -> tuple[float | None, float | None]:
    """95 % interval of our own statistic: normal for the mean, by order for the median, else none."""
    runs = np.sort(_runs(runs, statistic))
    z, count = NormalDist().inv_cdf((1 + LEVEL) / 2), len(runs)
    if statistic == "mean" and count > 1:
        half = z * runs.std(ddof=1) / np.sqrt(count)
        return float(runs.mean() - half), float(runs.mean() + half)
    if statistic == "median":
        below = max(int(np.floor((count - z * np.sqrt(count)) / 2)) - 1, 0)
        return float(runs[below]), float(runs[count - 1 - below])
    return None, None


def difference(first: tuple[int, int], second: tuple[int, int]) -> tuple[float, float, float]:
    """Proportion `second` less proportion `first`, each (successes, trials), with Newcombe's 1998 interval.

    The distances from each proportion to its exact bounds add in squares.
    """
    (s1, n1), (s2, n2) = first, second
    (low1, high1), (low2, high2) = interval(s1, n1), interval(s2, n2)
    p1, p2 = s1 / n1, s2 / n2
    effect = p2 - p1
    return (
        effect,
        effect - float(np.hypot(p2 - low2, high1 - p1)),
        effect + float(np.hypot(high2 - p2, p1 - low1)),
    )


def dominance(first: ArrayLike, second: ArrayLike) -> tuple[float, float, float]:
    """P(second > first) - P(second < first) over pairs of runs, with a 95 % interval; infinite runs allowed.

    In [-1, 1]; 0 when neither tends to be larger. Variance from each run's own share of won pairs
    (DeLong, DeLong & Clarke-Pearson 1988), never taken below that of one pair in dispute.
    """
    x, y = np.sort(_runs(first, "median")), np.sort(_runs(second, "median"))
    if min(len(x), len(y)) < 10:
        raise ValueError(f"{len(x)} and {len(y)} runs: an order needs at least 10 on each side")
    of_x = 1 - (np.searchsorted(y, x, "left") + np.searchsorted(y, x, "right")) / len(y)
    of_y = (np.searchsorted(x, y, "left") + np.searchsorted(x, y, "right")) / len(x) - 1
    effect = float(of_x.mean())
    variance = max(of_x.var(ddof=1) / len(x) + of_y.var(ddof=1) / len(y), 1 / (len(x) * len(y)))
    half = NormalDist().inv_cdf((1 + LEVEL) / 2) * float(np.sqrt(variance))
    return effect, max(effect - half, -1.0), min(effect + half, 1.0)


def _quantile(ordered: np.ndarray, level: float) -> float:
    """Order statistic at the level: no interpolation, which infinite values would turn into NaN."""
    return ordered[min(int(np.ceil(level * len(ordered))) - 1, len(ordered) - 1)]


def _binomial(trials: int, p: np.ndarray) -> np.ndarray:
    """Probabilities of 0 … trials successes for each p, shape (len(p), trials + 1)."""
    c = np.arange(trials + 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_p, log_q = np.log(p)[:, None], np.log1p(-p)[:, None]
        power = np.where(c > 0, c * log_p, 0.0) + np.where(c < trials, (trials - c) * log_q, 0.0)
    return np.exp(_log_choose(np.full_like(c, trials), c) + power)


def _log_choose(n: np.ndarray, k: np.ndarray) -> np.ndarray:
    def log_factorial(x: np.ndarray) -> np.ndarray:
        return torch.lgamma(torch.as_tensor(x + 1, dtype=torch.float64)).numpy()

    return log_factorial(n) - log_factorial(k) - log_factorial(n - k)


def _counts(successes: ArrayLike, trials: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    s, n = np.broadcast_arrays(np.asarray(successes), np.asarray(trials))
    for name, value in (("successes", s), ("trials", n)):
        if not np.issubdtype(value.dtype, np.integer):
            raise TypeError(f"{name} is {value.dtype}: whole numbers are needed")
    if s.size and not ((s >= 0) & (s <= n) & (n >= 1)).all():
        at = np.flatnonzero(((s < 0) | (s > n) | (n < 1)).ravel())[0]
        wrong = f"{s.ravel()[at]} successes in {n.ravel()[at]} trials"
        raise ValueError(f"{wrong}: 0 <= successes <= trials and trials >= 1 are needed")
    return s, n


def _runs(runs: ArrayLike, statistic: str) -> np.ndarray:
    runs = np.asarray(runs, dtype=float)
    if statistic not in STATISTICS:
        raise ValueError(f"statistic is {statistic!r}: one of {', '.join(STATISTICS)} is needed")
    if runs.ndim != 1 or not len(runs):
        raise ValueError(f"runs has shape {runs.shape}: one number for each run is needed")
    if np.isnan(runs).any():
        raise ValueError(f"runs holds {int(np.isnan(runs).sum())} NaN: give runs that were cut as infinity")
    if statistic == "mean" and np.isinf(runs).any():
        raise ValueError("runs holds infinity: runs that were cut have no mean; ask for a median")
    return runs
