"""Two modules: A sees a pattern and says what it thinks of it, B must remember it. Slides on [BSF94], [BFS93] Fig. 1.

For the first L steps A answers v_t = tanh(V p_t) to a pattern p_t; from then on B hears noise u_t alone:
    b_t = w tanh(b_{t-1}) + v_t + u_t,    x_t = tanh b_t,    b_0 = 0.
The error of x_T must come back through B to reach what A said. Shapes: V (m,); patterns (L, runs, m);
noise (T, runs); states (T + 1, runs).
"""

import torch
from torch import Tensor


def says(V: Tensor, patterns: Tensor) -> Tensor:
    """A's outputs v_1 … v_L, shape (L, runs)."""
    return torch.tanh(patterns @ V)


def unfold(w: float, said: Tensor, noise: Tensor) -> Tensor:
    """B's states b_0 … b_T, shape (T + 1, runs). Raises ValueError where A says more than there are steps."""
    if len(said) > len(noise):
        raise ValueError(f"A speaks for {len(said)} steps: the sequence has {len(noise)}")
    states = [torch.zeros_like(noise[0])]
    for t, u in enumerate(noise):
        states.append(w * torch.tanh(states[-1]) + u + (said[t] if t < len(said) else 0))
    return torch.stack(states)


def reach(w: float, states: Tensor, lead: int) -> Tensor:
    """What comes back to A: dx_T / dv_t for t = 1 … L, shape (L, runs). Needs states from step 1 to the end."""
    slopes = 1 - torch.tanh(states[1:]) ** 2
    slopes[:-1] *= w
    return slopes.flip(0).cumprod(0).flip(0)[:lead]


def gradient(V: Tensor, w: float, patterns: Tensor, noise: Tensor) -> Tensor:
    """dx_T / dV for each run, (runs, m): A's own gradient, all of which has come back through B."""
    said = says(V, patterns)
    back = reach(w, unfold(w, said, noise), len(said)) * (1 - said**2)
    return (back[..., None] * patterns).sum(0)


def loop_gradient(w: float, states: Tensor) -> Tensor:
    """dx_T / dw for each run, (runs,): B's own gradient, from its states b_0 … b_T."""
    outputs = torch.tanh(states)
    by_w = torch.zeros_like(states[0])
    for x in outputs[:-1]:
        by_w = x + w * (1 - x**2) * by_w
    return (1 - outputs[-1] ** 2) * by_w
