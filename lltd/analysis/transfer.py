"""How a cloud of noisy latches spreads: the transfer operator of a' = w tanh a + s z, z normal, on a grid.

The operator is exact up to the grid: the density of a' given a is normal and smooth, so that a plain sum over
the grid converges faster than any power of its spacing. The second eigenvalue is the rate at which the bit fades.
"""

import numpy as np


def grid(w: float, s: float, points: int = 801) -> np.ndarray:
    """Equally spaced states that cover the invariant density, |a| <= w + 8 s; odd, so that 0 is one."""
    if not s > 0 or not w > 0:
        raise ValueError(f"w is {w} and s is {s}: both must be positive")
    if points < 3 or points % 2 == 0:
        raise ValueError(f"points is {points}: an odd number of at least 3 is needed")
    reach = w + 8 * s
    if 2 * reach / (points - 1) > s:
        raise ValueError(f"points is {points}: too few to resolve noise of standard deviation {s}")
    return np.linspace(-reach, reach, points)


def operator(w: float, s: float, states: np.ndarray) -> np.ndarray:
    """Matrix K (points, points) with density' = K @ density: K[i, j] = p(a_i | a_j) da."""
    spacing = states[1] - states[0]
    distance = (states[:, None] - w * np.tanh(states[None, :])) / s
    return np.exp(-0.5 * distance**2) * spacing / (s * np.sqrt(2 * np.pi))


def second_eigenvalue(w: float, s: float, points: int = 801) -> float:
    """λ₂ of the operator: its largest eigenvalue on odd densities, by power iteration on a > 0.

    A stored bit, right or wrong, tends to right half the time as λ₂^T.
    """
    states = grid(w, s, points)
    half = points // 2 + 1
    kernel = operator(w, s, states)
    odd = (
        kernel[half:, half:] - kernel[half:, half - 2 :: -1]
    )  # what is left after the mirror image is taken off
    return float(np.max(np.abs(np.linalg.eigvals(odd))))


def escape_rate(w: float, s: float, points: int = 801) -> float:
    """Escapes to the other side per step: (1 - λ₂) / 2, for a bit that is flipped with this chance."""
    return (1 - second_eigenvalue(w, s, points)) / 2


def retention(w: float, s: float, inputs: np.ndarray, steps: int, points: int = 801) -> np.ndarray:
    """P(a_t > 0) for t = 0 … steps, after the inputs (L,) without noise from a = 0 and then noise alone."""
    states = grid(w, s, points)
    kernel = operator(w, s, states)
    a = 0.0
    for u in inputs:
        a = w * np.tanh(a) + u
    spacing = states[1] - states[0]
    density = np.exp(-0.5 * ((states - w * np.tanh(a)) / s) ** 2) / (s * np.sqrt(2 * np.pi))
    positive = np.where(states > 0, 1.0, np.where(states == 0, 0.5, 0.0)) * spacing
    kept = [float(a > 0)]
    for _ in range(steps):
        kept.append(float(positive @ density))
        density = kernel @ density
    return np.array(kept)
