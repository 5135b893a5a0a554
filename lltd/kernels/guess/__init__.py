"""Guessed nets: from a number, a net; from the net and a sequence, its answer. For very many nets at once."""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from lltd.kernels.guess import reference
from lltd.kernels.op import Op

ORDERS = {
    "hidden first": reference.HIDDEN_FIRST,
    "synchronous": reference.SYNCHRONOUS,
    "one by one": reference.ONE_BY_ONE,
}
MOST = 10  # hidden units
REACH = 2**21  # net inputs beyond this are more than the logistic function of the C++ face takes


@dataclass(frozen=True)
class Topology:
    """A net of logistic units: the input, n = `hidden` hidden units with biases, and one output.

    dense: hidden units see one another. loops: each sees itself. All see the input and the output, and the output
    sees them. output_bias, output_loop, direct: whether the output has a bias, sees itself, sees the input. order:
    within a step, "hidden first" (all hidden units, then the output), "one by one" (each sees those updated before
    it), or "synchronous" (everyone sees what the others were a step ago). Raises ValueError.
    Source: [HS96] section 1, where most of these are left open.
    """

    hidden: int
    dense: bool = True
    loops: bool = True
    output_bias: bool = False
    output_loop: bool = True
    direct: bool = True
    order: str = "hidden first"

    def __post_init__(self) -> None:
        if not 0 <= self.hidden <= MOST:
            raise ValueError(f"hidden is {self.hidden}: between 0 and {MOST} hidden units are possible")
        if self.order not in ORDERS:
            raise ValueError(f"order is {self.order!r}: one of {', '.join(ORDERS)} is needed")
        if not self.wiring:
            raise ValueError("this net has no weights: at least one is needed")

    @property
    def wiring(self) -> tuple[tuple[int, int], ...]:
        """For each weight the unit it leads to and its source, as in reference.py: the order they are drawn in."""
        n, wires = self.hidden, []
        for i in range(n):
            seen = (j for j in range(n) if (self.loops if i == j else self.dense))
            wires += [(i, source) for source in (0, 1, 2, *(3 + j for j in seen))]
        fixed = [
            source for source, has in enumerate((self.direct, self.output_bias, self.output_loop)) if has
        ]
        return (*wires, *((n, source) for source in (*fixed, *range(3, 3 + n))))

    @property
    def weights(self) -> int:
        """How many weights there are to guess."""
        return len(self.wiring)


def A1(hidden: int) -> Topology:
    """The fully connected net with n biased hidden units; n = 1 has 7 weights. [HS96] section 1."""
    return Topology(hidden)


A2 = Topology(10, dense=False, output_bias=True, output_loop=False)  # 52 weights; [HS96] section 1


def _ends(theta: Tensor, inputs: Tensor, *others: Tensor | int) -> Tensor:
    return theta.new_empty(len(inputs), theta.shape[1])


def _guess(seed: int, ids: Tensor, inputs: Tensor, *others: Tensor | float) -> Tensor:
    return inputs.new_empty(len(inputs), len(ids))


ENDS = Op("guess_ends", reference.ends, _ends)
GUESS = Op("guess", reference.guess, _guess)


def weights(
    net: Topology, seed: int, ids: Tensor, *, span: float = 100.0, dtype: torch.dtype = torch.float64
) -> Tensor:
    """The guessed weights of these ids, (P, B), uniform in ±span and exact in single precision.

    ids: int64 (B,). Raises ValueError or TypeError.
    """
    check_draw(seed, ids, span)
    return reference.draw(seed, ids, net.weights, span, dtype)


def guess(
    net: Topology, seed: int, ids: Tensor, inputs: Tensor, lengths: Tensor, *, span: float = 100.0
) -> Tensor:
    """What the nets guessed for these ids answer at the ends of S sequences: (S, B).

    ids: int64 (B,). inputs: (S, T), float32 or float64, which is the precision the nets run in. lengths: int64
    (S,), in 1 … T. Raises ValueError or TypeError. Source: [HS96] section 1.
    """
    check_draw(seed, ids, span)
    check_sequences(net, inputs, lengths, ids.device, span)
    return GUESS(seed, ids, inputs, lengths, table(net, ids.device), net.hidden, ORDERS[net.order], span)


def ends(net: Topology, theta: Tensor, inputs: Tensor, lengths: Tensor) -> Tensor:
    """The same of nets with given weights theta (P, B), in the precision of both."""
    if theta.ndim != 2 or len(theta) != net.weights or theta.dtype != inputs.dtype:
        needed = f"{inputs.dtype} ({net.weights}, nets)"
        raise TypeError(f"theta is {theta.dtype} {tuple(theta.shape)}: {needed} is needed, as inputs has")
    check_sequences(net, inputs, lengths, theta.device, float(theta.abs().max()) if theta.numel() else 0.0)
    return ENDS(theta, inputs, lengths, table(net, theta.device), net.hidden, ORDERS[net.order])


def face(inputs: Tensor) -> str:
    """Which face serves such inputs: "cpu.cpp", "cuda.py" or "reference"."""
    return GUESS.face(inputs)[0]


@cache
def table(net: Topology, device: torch.device) -> Tensor:
    """The wiring as the ops take it, int64 (P, 2)."""
    return torch.tensor(net.wiring, dtype=torch.int64, device=device)


def check_draw(seed: int, ids: Tensor, span: float) -> None:
    """Raise ValueError or TypeError unless there are guesses of these numbers within ±span."""
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed is {seed}: an integer in [0, 2**63) is needed")
    if ids.dtype != torch.int64 or ids.ndim != 1:
        raise TypeError(f"ids is {ids.dtype} {tuple(ids.shape)}: int64 of shape (nets,) is needed")
    if len(ids) and int(ids.min()) < 0:
        raise ValueError(f"ids has {int(ids.min())}: no number of a guess is negative")
    if not 0 < span < REACH:
        raise ValueError(f"span is {span}: a number in (0, {REACH}) is needed")


def check_sequences(
    net: Topology, inputs: Tensor, lengths: Tensor, device: torch.device, largest: float
) -> None:
    """Raise ValueError or TypeError unless such nets, with weights of this size at most, can run on these sequences."""
    if inputs.ndim != 2 or not inputs.is_floating_point():
        raise TypeError(f"inputs is {inputs.dtype} {tuple(inputs.shape)}: real (sequences, steps) is needed")
    if lengths.dtype != torch.int64 or lengths.shape != inputs.shape[:1]:
        raise TypeError(
            f"lengths is {lengths.dtype} {tuple(lengths.shape)}: int64 of ({len(inputs)},) is needed, as inputs has"
        )
    if not inputs.device == lengths.device == device:
        raise ValueError(f"inputs and lengths lie on {inputs.device}, {lengths.device}: {device} is needed")
    if len(lengths) and not (int(lengths.min()) >= 1 and int(lengths.max()) <= inputs.shape[1]):
        low, high = (int(bound) for bound in lengths.aminmax())
        raise ValueError(f"lengths lie in {low} … {high}: whole numbers in 1 … {inputs.shape[1]} are needed")
    reach = largest * (net.hidden + 2 + (float(inputs.abs().max()) if inputs.numel() else 0.0))
    if not reach < REACH:
        raise ValueError(f"weights and inputs make net inputs up to {reach:.3g}: less than {REACH} is needed")
