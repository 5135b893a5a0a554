"""LSTM as it is used today: forget gates, the whole gradient, mini-batches, Adam.

c(t) = f c(t-1) + i g, h(t) = o tanh c(t), with the gates i, f, o = σ(W z(t)), g = tanh(W z(t)) and z(t) = (h(t-1),
x(t), 1); at the end a linear output y = V (h(L), 1). Sources: Gers, Schmidhuber & Cummins 2000 for the forget gate;
Graves & Schmidhuber 2005 for the whole gradient; Kingma & Ba 2015.

Letters: B nets, S sequences of a mini-batch for each, H cells, F = H + I + 1 sources; weights W (B, 4 H, F), rows i, f,
o, g, and V (B, H + 1), theta (B, P) is both, W first; inputs (T, B, I, S), aligned at their ends, lengths (B, S).
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from lltd.philox import Purpose, uniform


class Kept(NamedTuple):
    """What the gradient needs: sources z (T + 1, B, F, S), gates (T, B, 4 H, S), states c (T + 1, B, H, S)."""

    z: Tensor
    gates: Tensor
    c: Tensor


def initial(
    cells: int,
    inputs: int,
    seed: int,
    ids: Tensor,
    forget_bias: Tensor | float,
    dtype: torch.dtype = torch.float64,
) -> Tensor:
    """Weights (B, P), uniform in ±1/sqrt(H), but biases 0, those of forget gates as given, a number or (B,).

    ids: int64 (B,). Raises ValueError.
    """
    if cells < 1 or inputs < 1:
        raise ValueError(f"cells is {cells} and inputs is {inputs}: at least one of each is needed")
    sources = cells + inputs + 1
    size = 4 * cells * sources + cells + 1
    u = uniform(seed, ids[:, None], torch.arange(-(-size // 4), device=ids.device), Purpose.INITIAL, dtype)
    theta = (2 * u.permute(1, 2, 0).flatten(1)[:, :size] - 1) / cells**0.5
    W, V = layers(theta, cells, inputs)
    W[..., -1] = V[:, -1:] = 0
    W[:, cells : 2 * cells, -1] = torch.as_tensor(forget_bias, dtype=dtype).expand(len(ids))[:, None]
    return theta


def layers(theta: Tensor, cells: int, inputs: int) -> tuple[Tensor, Tensor]:
    """Views of theta (B, P): W (B, 4 H, F) and V (B, H + 1)."""
    W, V = theta.split((4 * cells * (cells + inputs + 1), cells + 1), 1)
    return W.unflatten(1, (4 * cells, -1)), V


def answer(theta: Tensor, cells: int, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Kept]:
    """Outputs at the ends, (B, S), and what `gradient` needs."""
    steps, nets, channels, shown = inputs.shape
    W, V = layers(theta, cells, channels)
    z = inputs.new_ones(steps + 1, nets, cells + channels + 1, shown)
    z[:steps, :, cells:-1] = inputs
    z[0, :, :cells] = 0
    gates = inputs.new_empty(steps, nets, 4 * cells, shown)
    c = inputs.new_zeros(steps + 1, nets, cells, shown)
    # σ(x) = 1/2 + tanh(x/2)/2: torch.sigmoid rounds the last numbers of a tensor otherwise than those before them.
    half = W.new_full((4 * cells, 1), 0.5)
    half[3 * cells :] = 1
    W, shift = half * W, 1 - half
    for t, inside in enumerate(_inside(steps, lengths)):
        torch.addcmul(shift, half, torch.tanh(torch.bmm(W, z[t])), out=gates[t])
        i, f, o, g = gates[t].chunk(4, 1)
        torch.addcmul(f * c[t], i, g, out=c[t + 1])
        if inside is not None:
            c[t + 1] *= inside  # and so h = 0
        torch.mul(o, torch.tanh(c[t + 1]), out=z[t + 1, :, :cells])
    y = torch.bmm(V[:, None, :-1], z[steps, :, :cells])[:, 0] + V[:, -1:]
    return y, Kept(z, gates, c)


def gradient(theta: Tensor, cells: int, lengths: Tensor, kept: Kept, e: Tensor) -> Tensor:
    """Of Σ e y over a mini-batch in each net's weights, (B, P); e (B, S): ∂C/∂y, taken as constant."""
    z, gates, c = kept
    steps, channels = len(gates), z.shape[2] - cells - 1
    W, V = layers(theta, cells, channels)
    back, by_W = W[..., :cells].mT.contiguous(), torch.zeros_like(W)
    slope = gates * (1 - gates)
    slope[:, :, 3 * cells :] = 1 - gates[:, :, 3 * cells :] ** 2
    squashed = torch.tanh(c[1:])
    opening = gates[:, :, 2 * cells : 3 * cells] * (1 - squashed**2)  # ∂h/∂c
    dh, dc, delta = e[:, None] * V[:, :-1, None], torch.zeros_like(c[0]), torch.empty_like(gates[0])
    for t, inside in reversed(list(enumerate(_inside(steps, lengths)))):
        i, f, _, g = gates[t].chunk(4, 1)
        dc = torch.addcmul(dc, dh, opening[t])
        if inside is not None:
            dc = dc * inside
        torch.mul(dc, g, out=delta[:, :cells])
        torch.mul(dc, c[t], out=delta[:, cells : 2 * cells])
        torch.mul(dh, squashed[t], out=delta[:, 2 * cells : 3 * cells])
        torch.mul(dc, i, out=delta[:, 3 * cells :])
        delta *= slope[t]
        by_W.baddbmm_(delta, z[t].mT)
        dh, dc = torch.bmm(back, delta), dc * f
    return torch.cat(
        (by_W.flatten(1), torch.bmm(e[:, None], z[steps, :, :cells].mT)[:, 0], e.sum(1, keepdim=True)), 1
    )


def _inside(steps: int, lengths: Tensor) -> list[Tensor | None]:
    """For each step which sequences have begun, (B, 1, S), or None for all of them."""
    shortest, begun = int(lengths.min()), lengths[:, None]
    return [(left <= begun) if left > shortest else None for left in range(steps, 0, -1)]


@dataclass
class Adam:
    """Steps of Adam for B nets: rate (B,), and running means of the gradient and of its square, (B, P).

    Kingma & Ba 2015, with their β1 = 0.9, β2 = 0.999, ε = 1e-8.
    """

    rate: Tensor
    first: Tensor
    second: Tensor
    taken: int = 0

    @classmethod
    def start(cls, rate: Tensor, theta: Tensor) -> "Adam":
        """Before the first step."""
        return cls(rate, torch.zeros_like(theta), torch.zeros_like(theta))

    def step(self, g: Tensor) -> Tensor:
        """The change of the weights."""
        self.taken += 1
        self.first = 0.9 * self.first + 0.1 * g
        self.second = 0.999 * self.second + 0.001 * g**2
        m, v = self.first / (1 - 0.9**self.taken), self.second / (1 - 0.999**self.taken)
        return -self.rate[:, None] * m / (v.sqrt() + 1e-8)
