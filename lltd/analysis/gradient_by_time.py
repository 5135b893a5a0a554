"""The gradient of a cost at the end of a sequence, split by the time at which a weight acted.

    dC/dW = sum over tau of (dC/da_tau) (d+a_tau/dW)        [BFS93] eq. 5, [HBFS01] section 3

d+ is the direct derivative, with a_{tau-1} held: what the weights do in step tau itself. The formula is printed
with d; read as the total derivative, which holds all that the weights did up to tau, it counts early terms many
times over. The net is that of `recurrent_net`; shapes as there, with no leading axes or with sequences.
"""

import torch
from torch import Tensor

from lltd.systems import recurrent_net
from lltd.systems.recurrent_net import TANH, Transfer


def terms(W: Tensor, start: Tensor, inputs: Tensor, targets: Tensor, transfer: Transfer = TANH) -> Tensor:
    """The term of each time tau = 1 … T, shape (T, ..., n, n + m): delta(tau) z(tau)', one for each sequence.

    Their sum over time is the gradient. Raises ValueError when the shapes do not fit each other.
    """
    activations = recurrent_net.unfold(W, start, inputs, transfer)
    slopes = recurrent_net.error_slopes(activations[1:], targets)
    delta = recurrent_net.deltas(W, activations, slopes, transfer)
    return delta[..., :, None] * recurrent_net.sources(activations, inputs)[..., None, :]


def total_terms(
    W: Tensor, start: Tensor, inputs: Tensor, targets: Tensor, transfer: Transfer = TANH
) -> Tensor:
    """The same with the total derivative da_tau/dW in place of the direct one; shape as `terms`.

    dC/da_tau is what the end feels of a_tau: the targets may be set at the last step only, else ValueError.
    """
    if not bool(targets[:-1].isnan().all()):
        raise ValueError("targets are set before the last step: the cost of eq. 5 is that of the end alone")
    activations = recurrent_net.unfold(W, start, inputs, transfer)
    slopes = recurrent_net.error_slopes(activations[1:], targets)
    delta = recurrent_net.deltas(W, activations, slopes, transfer)
    by_state = delta / transfer.slope(activations[1:])  # dC/da, where delta is dC/dnet
    influence = start.new_zeros(*start.shape, *W.shape)
    out = []
    for t, z in enumerate(recurrent_net.sources(activations, inputs)):
        influence = recurrent_net.influence_step(W, influence, z, activations[t + 1], transfer)
        out.append(torch.einsum("...k,...kjl->...jl", by_state[t], influence))
    return torch.stack(out)


def shares(terms: Tensor) -> Tensor:
    """Each time's share of the summed sizes of all terms, (T, ...): sizes are Euclidean norms of the matrices."""
    size = terms.flatten(-2).norm(dim=-1)
    return size / size.sum(0)
