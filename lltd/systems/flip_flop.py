"""The flip-flop, a memory of one bit whose next state jumps where a tanh neuron's bends. [BFS93] section IV.

States x_1 … x_{T+1} and inputs u_1 … u_T obey x_{t+1} = f(x_t, u_t) (eq. 7). There is no gradient: what is sent
back is Δ, the finite change that one wants of a state or of an input. Each function below is one equation, exact
for every real x and u, where eqs 12 and 13 as printed leave out the boundaries x = 0 and |u| = 1. All arguments
have shapes that broadcast; in a sequence the time is the first axis.
"""

import torch
from torch import Tensor


def step(x: Tensor, u: Tensor | float = 0.0) -> Tensor:
    """Next state, +1 or -1: u decides where |u| >= 1, otherwise the sign of x (0 counts as +). [BFS93] eq. 8.

    x and u have shapes that broadcast. Its derivative in x and in u is 0 wherever there is one.
    """
    u = torch.as_tensor(u, dtype=x.dtype, device=x.device)
    up = (u >= 1) | ((u.abs() < 1) & (x >= 0))
    return torch.where(up, 1.0, -1.0).to(x.dtype)


def effect_of_state(dx: Tensor, x: Tensor, u: Tensor) -> Tensor:
    """Δf_x, what a change Δx of the state does to the next state: 2, -2 or 0. [BFS93] eq. 9."""
    holds = u.abs() < 1
    up = holds & (x < 0) & (x + dx >= 0)
    down = holds & (x >= 0) & (x + dx < 0)
    return 2.0 * up.to(x.dtype) - 2.0 * down.to(x.dtype)


def wanted_of_state(df: Tensor, x: Tensor, u: Tensor, k: float = 1.0) -> Tensor:
    """Δx, the change of the state that brings the change Δf of the next one; 0 where none does. [BFS93] eq. 10.

    It takes x to k or -k, beyond the threshold 0. Raises ValueError unless k > 0.
    """
    _check_margin(k)
    up = (u.abs() < 1) & (x < 0) & (df == 2)
    down = (u.abs() < 1) & (x >= 0) & (df == -2)
    return torch.where(up, k - x, torch.where(down, -k - x, 0.0))


def carry(df: Tensor, u: Tensor) -> Tensor:
    """Δx for states that are -1 or 1: Δf itself where |u| < 1, and 0 elsewhere. [BFS93] eq. 11."""
    return torch.where(u.abs() < 1, df, 0.0)


def effect_of_input(du: Tensor, x: Tensor, u: Tensor) -> Tensor:
    """Δf_u, what a change Δu of the input does to the next state: 2, -2 or 0. [BFS93] eq. 12, boundaries put right.

    For x < 0 the next state is 1 iff u >= 1, for x >= 0 iff u > -1.
    """
    low, after = x < 0, u + du
    up = (low & (u < 1) & (after >= 1)) | (~low & (u <= -1) & (after > -1))
    down = (low & (u >= 1) & (after < 1)) | (~low & (u > -1) & (after <= -1))
    return 2.0 * up.to(x.dtype) - 2.0 * down.to(x.dtype)


def wanted_of_input(df: Tensor, x: Tensor, u: Tensor, k: Tensor | float = 1.0) -> Tensor:
    """Δu, the change of the input that brings the change Δf of the next state. [BFS93] eq. 13, boundaries put right.

    It takes u beyond the threshold that applies (1 for x < 0, -1 for x >= 0) by k; where Δf is 0, or the next
    state is already what it asks for, it is 0. Raises ValueError unless k > 0.
    """
    _check_margin(k)
    threshold = torch.where(x < 0, 1.0, -1.0).to(u.dtype)
    fires = torch.where(x < 0, u >= 1, u > -1)  # whether the next state is 1
    up, down = (df == 2) & ~fires, (df == -2) & fires
    return torch.where(up, threshold - u + k, torch.where(down, threshold - u - k, 0.0))


def unfold(x: Tensor, u: Tensor) -> Tensor:
    """States x_1 … x_{T+1}, (T + 1, …), from x_1 = x under the inputs u_1 … u_T, (T, …). [BFS93] eq. 7."""
    states = [x]
    for u_t in u:
        states.append(step(states[-1], u_t))
    return torch.stack(states)


def last_word(x: Tensor, u: Tensor) -> Tensor:
    """The last of these states in one stroke: the sign of the last input with |u_t| >= 1, or where none is, of x.

    Equal to unfold(x, u)[-1].
    """
    beyond = u.abs() >= 1
    when = torch.arange(1, len(u) + 1, device=u.device).reshape(-1, *[1] * (u.dim() - 1))
    last = (beyond * when).amax(0)  # 0: none
    decided = u.gather(0, (last - 1).clamp(min=0)[None])[0]
    return step(torch.where(last > 0, decided, x))


def send_back(df: Tensor, states: Tensor, u: Tensor, k: Tensor | float = 1.0) -> tuple[Tensor, Tensor]:
    """Wanted changes of all states, (T + 1, …), and of all inputs, (T, …), for a change Δf of the last state.

    The recursion of [BFS93] section IV: Δx_{T+1} = Δf, and from t = T down Δx_t follows from Δx_{t+1} by `carry`,
    Δu_t by `wanted_of_input`. states: those of `unfold`.
    """
    dx = [df]
    for u_t in u.flip(0):
        dx.append(carry(dx[-1], u_t))
    dx = torch.stack(dx[::-1])
    return dx, wanted_of_input(dx[1:], states[:-1], u, k)


def holding(u: Tensor) -> Tensor:
    """1 for the last n inputs, which all lie within the thresholds, and 0 for those before them: int64, (T, …)."""
    return (u.abs() < 1).long().flip(0).cumprod(0).flip(0)


def credit(u: Tensor) -> Tensor:
    """Weights of the learning rate as printed in [BFS93] section IV, (T, …).

    0.5/n for each of the last n inputs, which held the state, and 0.5 for the one before them, which set it. Where
    none set it, n is T and nothing takes the other half; where the very last one did, n is 0.
    """
    held = holding(u).to(u.dtype)
    held_after = torch.cat((held[1:], torch.ones_like(held[:1])))
    return 0.5 * (held_after - held) + held * (0.5 / held.sum(0).clamp(min=1))


def _check_margin(k: Tensor | float) -> None:
    if not torch.all(torch.as_tensor(k) > 0):
        raise ValueError(f"k is {k}: how far past a threshold to go must be positive")
