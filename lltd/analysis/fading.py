"""How small an error has become on its way back through a recurrent net, in decades: no way back is too long.

The net is that of `lltd.systems.recurrent_net`; here each of several may have weights of its own.
"""

import torch
from torch import Tensor

from lltd.systems.recurrent_net import TANH, Transfer


def decades(W: Tensor, activations: Tensor, unit: int, transfer: Transfer = TANH) -> Tensor:
    """log10 of the size of ∂a_unit(T)/∂a(t), a Euclidean norm, for t = 0 … T: shape (T + 1, ...).

    W (..., n, n + m), activations (T + 1, ..., n). It is 0 at t = T, and -inf where nothing is left. ValueError for a
    unit that is not there.
    """
    units = W.shape[-2]
    if not 0 <= unit < units:
        raise ValueError(f"unit is {unit}: the net has the units 0 … {units - 1}")
    error = torch.zeros_like(activations[0])
    error[..., unit] = 1.0
    found = [error.norm(dim=-1).log10()]
    for a in activations[1:].flip(0):
        error = ((transfer.slope(a) * error)[..., None, :] @ W[..., :units])[..., 0, :]
        size = error.norm(dim=-1)
        found.append(found[-1] + size.log10())
        error = error / torch.where(size > 0, size, 1.0)[..., None]  # of size 1: nothing underflows
    return torch.stack(found[::-1])
