"""The flip-flop, a memory of one bit whose next state jumps where a tanh neuron's bends. [BFS93] section IV."""

import torch
from torch import Tensor


def step(x: Tensor, u: Tensor | float = 0.0) -> Tensor:
    """Next state, +1 or -1: u decides where |u| >= 1, otherwise the sign of x (0 counts as +). [BFS93] eq. 8.

    x and u have shapes that broadcast. Its derivative in x and in u is 0 wherever there is one.
    """
    u = torch.as_tensor(u, dtype=x.dtype, device=x.device)
    up = (u >= 1) | ((u.abs() < 1) & (x >= 0))
    return torch.where(up, 1.0, -1.0).to(x.dtype)
