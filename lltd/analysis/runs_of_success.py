"""Waiting for a run: how many sequences until r in a row are right, if each is with probability p, independently.

With N the number of the sequence that completes the first run of r, E[N] = (p^-r - 1)/(1 - p), and P(N <= n) follows
from P(N = r) = p^r and, for n > r, P(N = n) = (1 - p) p^r P(N > n - r - 1): a run is completed by n for the first time
if none was by n - r - 1, sequence n - r was wrong, and the r after it were right. [HS96] section 3 asks for r = 2000.
"""

import numpy as np
from numpy.typing import ArrayLike

RUN = 2000  # of [HS96]


def expected_wait(p: ArrayLike, run: int = RUN) -> np.ndarray:
    """E[N], infinite where it is beyond double precision, and for p = 1 the run itself.

    Raises ValueError unless 0 <= p <= 1 and run >= 1.
    """
    p = np.asarray(p, dtype=float)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p is {p[~((p >= 0) & (p <= 1))].flat[0]}: a probability is needed")
    _check_run(run)
    return _wait(1 - p, run)


def probability(wait: float, run: int = RUN) -> float:
    """The p with which a run is expected to take so long: the inverse of `expected_wait`, which falls with p.

    Raises ValueError unless run >= 1 and wait is a finite number, run or larger.
    """
    _check_run(run)
    if not run <= wait < np.inf:
        raise ValueError(f"wait is {wait}: a number in [{run}, inf) is needed for a run of {run}")
    low, high = 0.0, 1.0  # of 1 - p, which is what a double tells apart where p is near 1
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _wait(np.float64(middle), run) < wait else (low, middle)
    return 1 - low


def finished(sequences: int, p: float, run: int = RUN) -> np.ndarray:
    """P(N <= n) for n = 0 … sequences, (sequences + 1,).

    Raises ValueError unless 0 <= p <= 1, run >= 1 and sequences >= 0.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"p is {p}: a probability is needed")
    if sequences < 0:
        raise ValueError(f"sequences is {sequences}: 0 or more is needed")
    _check_run(run)
    done = np.zeros(sequences + 1)
    done[run : run + 1] = p**run
    for begin in range(run + 1, sequences + 1, run + 1):  # so many need only what is known by then
        end = min(begin + run + 1, sequences + 1)
        first = (1 - p) * p**run * (1 - done[begin - run - 1 : end - run - 1])
        done[begin:end] = done[begin - 1] + first.cumsum()
    return done


def _wait(q: np.ndarray, run: int) -> np.ndarray:
    """E[N] from q = 1 - p."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        return np.where(q > 0, np.expm1(-run * np.log1p(-q)) / q, run)


def _check_run(run: int) -> None:
    if run < 1:
        raise ValueError(f"run is {run}: 1 or more is needed")
