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


def gradient_operator(w: float, s: float, states: np.ndarray, power: float = 1.0) -> np.ndarray:
    """Matrix L (points, points) that carries mean powers of products of slopes one step back in time.

    (L v)(a) = |M'(a)|**power times the mean of v(a') over a' = M(a) + s z. With power 1 it is what the operator on
    functions becomes under differentiation, (mean of f(a'))' = L f': so its eigenvalues are those of `operator`
    but for the 1, and the mean product falls as λ₂^t.
    """
    return _slope(w, states)[:, None] ** power * operator(w, s, states).T


def path_moments(
    w: float, s: float, start: float, steps: int, power: float = 1.0, points: int = 801
) -> np.ndarray:
    """Mean of |dx_t / da_0|**power over the noise for t = 0 … steps, from a_0 = start; x = tanh a.

    With power 1 it is the derivative of the mean output, dE[x_t] / da_0. Exact up to the grid.
    Raises ValueError for a negative number of steps, and as `grid` does.
    """
    if steps < 0:
        raise ValueError(f"steps is {steps}: at least 0 is needed")
    states = grid(w, s, points)
    backward = gradient_operator(w, s, states, power)
    first = _slope(w, np.array(start)) ** power * _kernel(w, s, states, start)
    moment = (1 / np.cosh(states) ** 2) ** power
    moments = [float(np.cosh(start) ** (-2 * power))]
    for _ in range(steps):
        moments.append(float(first @ moment))
        moment = backward @ moment
    return np.array(moments)


def lyapunov_exponent(w: float, s: float, points: int = 801) -> float:
    """Mean of log M'(a) over the invariant density: the rate at which nearly every path's product shrinks."""
    states = grid(w, s, points)
    kernel = operator(w, s, states)
    system = kernel - np.eye(points)
    system[-1] = 1  # any one of the equations follows from the others; in its place, the sum is 1
    density = np.linalg.solve(system, np.eye(points)[-1])
    return float(density @ np.log(_slope(w, states)))


def _slope(w: float, a: np.ndarray) -> np.ndarray:
    return w / np.cosh(a) ** 2


def _kernel(w: float, s: float, states: np.ndarray, start: float) -> np.ndarray:
    """Probabilities (points,) of the cells of the grid one step after the state `start`."""
    spacing = states[1] - states[0]
    return np.exp(-0.5 * ((states - w * np.tanh(start)) / s) ** 2) * spacing / (s * np.sqrt(2 * np.pi))
