"""Waits of which some are cut: how many are still waiting after so long (Kaplan & Meier 1958), and means up to a limit.

A trial waits `times` long, until it is done where `done`, or was then cut, still waiting. One that never will be done,
as it has diverged, is cut at infinity: it counts as waiting for ever.
"""

from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from lltd.resampling import LEVEL


class Curve(NamedTuple):
    """A falling step function, from each of `times` until the next: the share `waiting`, between low and high.

    It begins with everyone at time 0; `fell` and `at_risk` are how many were done at each time, and might have been.
    low, high: pointwise, from Greenwood's variance of log(-log), so that they stay within [0, 1]; nan where no one is
    done yet, or no one waits any more.
    """

    times: np.ndarray
    waiting: np.ndarray
    low: np.ndarray
    high: np.ndarray
    fell: np.ndarray
    at_risk: np.ndarray


def kaplan_meier(times: ArrayLike, done: ArrayLike, level: float = LEVEL) -> Curve:
    """The share that waits longer than any time, (B,) waits. Raises ValueError, naming what is wrong."""
    times, done = _waits(times, done)
    if not 0 < level < 1:
        raise ValueError(f"level is {level}: a number between 0 and 1 is needed")
    at, fell = np.unique(times[done], return_counts=True)
    at, fell = np.concatenate(([0.0], at)), np.concatenate(([0], fell))
    at_risk = len(times) - np.searchsorted(np.sort(times), at)
    waiting = np.cumprod(1 - fell / at_risk)
    z = NormalDist().inv_cdf((1 + level) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        half = z * np.sqrt(np.cumsum(fell / (at_risk * (at_risk - fell)))) / -np.log(waiting)
        low, high = (waiting ** np.exp(sign * half) for sign in (1, -1))
    inside = (waiting > 0) & (waiting < 1)
    return Curve(at, waiting, *(np.where(inside, bound, np.nan) for bound in (low, high)), fell, at_risk)


def restricted_mean(
    times: ArrayLike, done: ArrayLike, limit: float, level: float = LEVEL
) -> tuple[float, float, float]:
    """Mean of min(wait, limit), the area under the curve up to the limit, with a normal interval: (mean, low, high).

    Of d done among n at a time, with the area A from there on, the variance has A² d / (n (n - d)), and of m done in
    all a factor m / (m - 1); with none cut that is the usual one of a mean. Fewer than two done: no interval, nan.
    Raises ValueError where the curve is not known up to the limit: the last who wait were cut before.
    """
    times, done = _waits(times, done)
    curve = kaplan_meier(times, done, level)
    if not (limit > 0 and (times.max() >= limit or curve.waiting[-1] == 0)):
        raise ValueError(
            f"limit is {limit}: a positive number, {times.max():g} or less, is needed for these waits"
        )
    before = curve.times <= limit
    begins, waiting = curve.times[before], curve.waiting[before]
    areas = waiting * np.diff(np.append(begins, limit))
    fell, at_risk = curve.fell[before], curve.at_risk[before]
    to_come = areas[::-1].cumsum()[::-1]
    left = np.maximum(at_risk - fell, 1)  # where no one is left no area is to come
    variance, many = (to_come**2 * fell / (at_risk * left)).sum(), fell.sum()
    mean = float(to_come[0])
    if many < 2:
        return mean, np.nan, np.nan
    half = NormalDist().inv_cdf((1 + level) / 2) * float(np.sqrt(variance * many / (many - 1)))
    return mean, mean - half, mean + half


def _waits(times: ArrayLike, done: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    times, done = np.asarray(times, dtype=float), np.asarray(done, dtype=bool)
    if times.ndim != 1 or times.shape != done.shape or not len(times):
        raise ValueError(f"times has shape {times.shape} and done {done.shape}: (trials,) is needed of both")
    if not (times > 0).all():
        raise ValueError(f"times has {times[~(times > 0)][0]}: a wait is positive")
    if np.isinf(times[done]).any():
        raise ValueError("times is infinite for a trial that is done: only waits that are cut can be")
    return times, done
