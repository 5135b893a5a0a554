"""Waiting times of a blind search: what a mean of k of them says, and how they tell one training set from many.

Of guesses that are solutions with probability p, independently, the first solution has a geometric number: P(K = n) =
p (1 - p)^(n - 1), with mean 1/p. The sum of k such waits, S, is the number of guesses until the k-th solution, so that
S <= s just when s guesses hold k solutions or more: P(S <= s) = P(Binomial(s, p) >= k).
"""

import numpy as np
from numpy.typing import ArrayLike

from lltd.resampling import LEVEL, binomial_tail, lower_bound, upper_bound


def interval(mean: float, k: int, level: float = LEVEL) -> tuple[float, float]:
    """Exact two-sided interval of the expected wait 1/p from the mean of k geometric waits.

    The ends are those 1/p at which so small a sum, or so large a one, has the probability (1 - level)/2. Whatever
    p is, they enclose 1/p with probability `level` at least. Raises ValueError unless k >= 1, mean >= 1, 0 < level < 1.
    """
    guesses = _guesses(mean, k)
    one_sided = (1 + level) / 2
    fewest = upper_bound(k - 1, guesses - 1, one_sided) if guesses > 1 else 1.0
    return 1 / float(fewest), 1 / float(lower_bound(k, guesses, one_sided))


def band(expected: float, k: int, level: float = LEVEL) -> tuple[float, float]:
    """Between what means of k waits the middle `level` of all papers lies, if 1/p = expected.

    Quantiles of the sum: the least s with P(S <= s) >= (1 - level)/2, and the same for (1 + level)/2; both over k.
    Raises ValueError unless k >= 1, expected >= 1 and 0 < level < 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}: a number between 0 and 1 is needed")
    _guesses(expected, k)
    return tuple(_quantile(expected, k, share) / k for share in ((1 - level) / 2, (1 + level) / 2))


def finished(guesses: int, k: int, expected: float) -> float:
    """P(S <= guesses): the chance that so many guesses hold k solutions."""
    if guesses < k:
        return 0.0
    p, s = 1 / expected, np.array(float(guesses))
    if p * guesses <= k:
        return float(binomial_tail(np.array(float(k)), s, np.array(p))[0])
    # the other tail: fewer than k solutions are more than guesses - k failures
    return 1 - float(binomial_tail(s - k + 1, s, np.array(1 - p))[0])


def spread_of_difficulty(waits: ArrayLike) -> float:
    """Variance of the expected wait 1/P among training sets, over its squared mean, from one wait in each set.

    With mean m and variance v of all waits it is (v + m - m^2) / (2 m^2), as v = m^2 - m + 2 Var(1/P); 0 in the mean
    where all sets are equally hard, and below 0 by chance. Raises ValueError for fewer than two waits or a wait that
    is cut.
    """
    waits = np.asarray(waits, dtype=float)
    if waits.ndim != 1 or len(waits) < 2 or not np.isfinite(waits).all():
        raise ValueError(f"waits has shape {waits.shape}: two finite ones or more are needed")
    mean, variance = waits.mean(), waits.var(ddof=1)
    return float((variance + mean - mean**2) / (2 * mean**2))


def _quantile(expected: float, k: int, share: float) -> int:
    low, high = k - 1, k  # finished(low) < share <= finished(high), once high is large enough
    while finished(high, k, expected) < share:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if finished(middle, k, expected) >= share else (middle, high)
    return high


def _guesses(mean: float, k: int) -> int:
    """All guesses of k trials with this mean."""
    if not isinstance(k, int) or k < 1:
        raise ValueError(f"k is {k!r}: a number of trials, 1 or more, is needed")
    if not (np.isfinite(mean) and mean >= 1):
        raise ValueError(f"mean is {mean}: a wait is one guess at least")
    return round(mean * k)
