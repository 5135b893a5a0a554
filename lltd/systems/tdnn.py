"""A time-delay net: at the end of a sequence it sees the last steps, through tapped delays, and nothing before them.

n hidden units look at `near` steps at a time, with the same weights wherever these lie in the window; the output has a
weight for each of them at each of its D = window - near + 1 places. With near = window it is a net with one hidden
layer on a delay line. Sources: Waibel, Hanazawa, Hinton, Shikano & Lang 1989; Lang, Waibel & Hinton 1990.

Letters: B nets, I inputs; window (B, w, I), its last step last; hidden weights W (B, near I + 1, n), output weights V
(B, D n + 1), the last of either a bias; theta (B, P) is both, W first.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from lltd.philox import Purpose, uniform


class Shape(NamedTuple):
    """A net with so many hidden units, each of which sees `near` of the `window` steps at once."""

    hidden: int
    near: int
    window: int
    inputs: int = 2

    @property
    def places(self) -> int:
        """D, where in the window a hidden unit can lie."""
        return self.window - self.near + 1

    @property
    def split(self) -> tuple[int, int]:
        """How many weights the hidden units have, and the output."""
        return (self.near * self.inputs + 1) * self.hidden, self.places * self.hidden + 1

    def check(self) -> None:
        """Raise ValueError unless there is such a net."""
        if min(self.hidden, self.inputs) < 1:
            raise ValueError(
                f"hidden is {self.hidden} and inputs is {self.inputs}: one or more is needed of each"
            )
        if not 1 <= self.near <= self.window:
            raise ValueError(f"near is {self.near}: 1 … {self.window} steps are needed, the window")


def initial(shape: Shape, seed: int, ids: Tensor, dtype: torch.dtype = torch.float64) -> Tensor:
    """Weights (B, P), uniform in ± 1/sqrt(number of a unit's sources). ids: int64 (B,). Raises ValueError."""
    shape.check()
    into = torch.cat(
        [torch.full((size,), fan) for size, fan in zip(shape.split, _sources(shape), strict=True)]
    )
    blocks = torch.arange(-(-len(into) // 4), device=ids.device)
    u = uniform(seed, ids[:, None], blocks, Purpose.INITIAL, dtype)  # (4, B, blocks)
    return (2 * u.permute(1, 2, 0).flatten(1)[:, : len(into)] - 1) / into.to(u).sqrt()


def views(shape: Shape, window: Tensor) -> Tensor:
    """What hidden units see of a window (..., w, I) at each place, and 1: (..., D, near I + 1)."""
    steps = window.unfold(-2, shape.near, 1).flatten(-2)  # (..., D, I near)
    return torch.cat((steps, torch.ones_like(steps[..., :1])), -1)


def answer(shape: Shape, theta: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Logistic outputs (B,) and hidden units h (B, D, n) of nets that see (B, D, near I + 1), from `views`."""
    W, V = theta.split(shape.split, 1)
    h = torch.tanh(torch.bmm(seen, W.unflatten(1, (-1, shape.hidden))))
    total = torch.bmm(V[:, None, :-1], h.flatten(1)[:, :, None])[:, 0, 0] + V[:, -1]
    # torch.sigmoid rounds the last numbers of a tensor otherwise than those before them
    return (1 + torch.tanh(total / 2)) / 2, h


def gradient(shape: Shape, theta: Tensor, seen: Tensor, h: Tensor, y: Tensor, target: Tensor) -> Tensor:
    """Of (y - d)² / 2 in each net's weights, (B, P); y and h from `answer`."""
    V = theta[:, shape.split[0] :]
    delta = ((y - target) * y * (1 - y))[:, None]
    back = (delta * V[:, :-1]).view_as(h) * (1 - h**2)  # (B, D, n)
    by_W = torch.bmm(seen.mT, back)
    return torch.cat((by_W.flatten(1), delta * h.flatten(1), delta), 1)


def _sources(shape: Shape) -> tuple[int, int]:
    return shape.near * shape.inputs + 1, shape.places * shape.hidden + 1
