"""LSTM as it was in 1996: whole stretches of on-line learning, for many trials at once, each with its own weights."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from lltd.kernels.lstm96 import reference, tasks
from lltd.kernels.op import Op
from lltd.philox import Purpose, uniform

TASKS = {
    "adding": tasks.ADDING,
    "multiplication": tasks.MULTIPLICATION,
    "order of two": tasks.ORDER_OF_TWO,
    "order of three": tasks.ORDER_OF_THREE,
    "two-sequence": tasks.TWO_SEQUENCE,
}
FIRST_PAIRS = {"neutral": tasks.NEUTRAL, "unmarked": tasks.UNMARKED}
NOISY = {"rest": tasks.NOWHERE, "elements": tasks.ELEMENTS, "targets": tasks.TARGETS}
OUTPUTS = {"logistic": reference.LOGISTIC, "linear": reference.LINEAR}
SEES = ("gates and cells", "cells")
COMPILED = {  # inputs and outputs, then the blocks and cells that the faces beside the reference have with them
    (2, 1): {(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2), (4, 1)},
    (8, 4): {(2, 2)},
    (8, 8): {(3, 2)},
    (1, 1): {(3, 1)},
}
SHORTEST = 20  # T: from here on the first ten pairs are among the first T/2
LONGEST = 400_000  # T: states of longer sequences could leave the domain of the logistic function


@dataclass(frozen=True)
class Topology:
    """A net of `blocks` memory cell blocks of `cells` cells, with the inputs and outputs of its task.

    sees: which of the hidden layer the hidden layer sees, a step later, "gates and cells" or "cells". cell_bias,
    output_bias: whether cells, and outputs, have one; gates always have. output: "logistic" or "linear". slope:
    whether the error of a logistic output has the factor o (1 - o), as that of (d - o)² / 2 has. Raises ValueError.
    Source: [HS96] sections 2 and 3; its net for the adding problem is the default, with 93 weights.
    """

    blocks: int = 2
    cells: int = 2
    sees: str = "gates and cells"
    cell_bias: bool = True
    output_bias: bool = True
    output: str = "logistic"
    slope: bool = True
    inputs: int = 2
    outputs: int = 1

    def __post_init__(self) -> None:
        for name in ("blocks", "cells", "inputs", "outputs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: at least one is needed")
        _check_known("sees", self.sees, SEES)
        _check_known("output", self.output, OUTPUTS)

    @property
    def units(self) -> int:
        """H, the size of the hidden layer: for each block its input gate, its output gate, its cells."""
        return self.blocks * (2 + self.cells)

    @property
    def weights(self) -> int:
        """How many weights there are to learn."""
        return int(self.wiring().sum())

    @property
    def compiled(self) -> bool:
        """Whether the faces beside the reference have nets of this size."""
        return (self.blocks, self.cells) in COMPILED.get((self.inputs, self.outputs), ())

    def wiring(self, device: torch.device | str = "cpu") -> Tensor:
        """Which of the P numbers of theta are weights, bool (P): one tensor for all who ask, not to be changed.

        First the hidden layer's (H, F), from F = H + I + 1 sources: hidden layer, inputs, 1. Then the outputs'
        (O, J C + 1), from the cells and 1.
        """
        return _wiring(self, torch.device(device))

    def layers(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Views of theta (P, B): hidden weights (H, F, B) and output weights (O, J C + 1, B)."""
        return reference.layers(theta, self.blocks, self.cells, self.inputs, self.outputs)


@dataclass(frozen=True)
class Task:
    """What is to be learnt, with sequences of `length` = T to T + T/10 steps.

    name: "adding" or "multiplication", of two marked values, inputs a value and a marker; "order of two" or "order of
    three", of symbols X and Y among others, inputs eight symbols, one output for each order; "two-sequence", of
    elements 1 or -1 at the begin, before noise. first_pair: what becomes of a first pair that is drawn for a mark. Its
    value becomes 0 (multiplication: 1), so that it does not count, and its marker 1 ("neutral"), or stays -1
    ("unmarked"). Of the 2-sequence problem, elements: how many tell the class; noisy: what is noise, "rest", the other
    elements, or also "elements", or also "targets", which are learnt from with noise and tested without. Raises
    ValueError. tasks.py has the details.
    Sources: [HS96] section 3, which sets X1 to 0 and leaves the rest open; Hochreiter & Schmidhuber 1997, experiments
    3, 5, 6a and 6b, for the other tasks.
    """

    name: str = "adding"
    length: int = 100
    first_pair: str = "neutral"
    elements: int = 1
    noisy: str = "rest"

    def __post_init__(self) -> None:
        _check_known("name", self.name, TASKS)
        _check_known("first_pair", self.first_pair, FIRST_PAIRS)
        _check_known("noisy", self.noisy, NOISY)
        if not 1 <= self.elements <= SHORTEST:
            raise ValueError(f"elements is {self.elements}: a number in 1 … {SHORTEST} is needed")
        if not SHORTEST <= self.length <= LONGEST:
            raise ValueError(f"length is {self.length}: T between {SHORTEST} and {LONGEST} is needed")

    @property
    def shape(self) -> tuple[int, int]:
        """How many inputs and outputs its nets have."""
        return tasks.SHAPES[TASKS[self.name]]

    @property
    def variant(self) -> int:
        """What tasks.py is told of it beside name and length."""
        if TASKS[self.name] == tasks.TWO_SEQUENCE:
            return tasks.PLACES * self.elements + NOISY[self.noisy]
        return FIRST_PAIRS[self.first_pair]

    @property
    def most(self) -> int:
        """How many sequences a trial has: so many have addresses of their own."""
        return 2**32 // tasks.blocks_of(self.length)


def _trained(*arguments: Tensor | int) -> tuple[Tensor, Tensor]:
    theta, most = arguments[2], arguments[6]
    return theta.new_empty(theta.shape), theta.new_empty(most, theta.shape[1])


TRAIN = Op("lstm96", reference.train, _trained)


def initial(
    net: Topology,
    seed: int,
    ids: Tensor,
    *,
    span: float = 0.1,
    input_gate_bias: Sequence[float] | None = (-3.0, -6.0),
    output_gate_bias: Sequence[float] | None = None,
    dtype: torch.dtype = torch.float64,
) -> Tensor:
    """Weights to begin with, (P, B), uniform in ±span; where the net has none, 0.

    ids: int64 (B,). input_gate_bias, output_gate_bias: what the biases of these gates begin with instead, one for each
    block; None: nothing else. Raises ValueError or TypeError. Source: [HS96] section 3.
    """
    _check_run(seed, ids)
    if not 0 <= span <= reference.LARGEST:
        raise ValueError(f"span is {span}: a number in [0, {reference.LARGEST:.0f}] is needed")
    wiring = net.wiring(ids.device)
    steps = torch.arange(-(-len(wiring) // 4), device=ids.device)
    u = uniform(seed, ids, steps[:, None], Purpose.INITIAL, dtype).transpose(0, 1).flatten(0, 1)
    theta = span * (2 * u[: len(wiring)] - 1) * wiring[:, None]
    W, _ = net.layers(theta)
    for gate, (name, biases) in enumerate((("input", input_gate_bias), ("output", output_gate_bias))):
        if biases is not None:
            if len(biases) != net.blocks:
                raise ValueError(f"{name}_gate_bias is {biases}: {net.blocks} are needed, one for each block")
            W[gate :: 2 + net.cells, -1] = theta.new_tensor(biases)[:, None]
    return theta


def sequences(
    task: Task,
    seed: int,
    ids: Tensor,
    numbers: Tensor,
    *,
    purpose: Purpose = Purpose.TASK,
    dtype: torch.dtype = torch.float64,
) -> tasks.Sequences:
    """What trials `ids` (B) are shown as their sequences `numbers` (B), both int64.

    Returns inputs (T + T/10, I, B), aligned at their ends and 0 before a sequence begins, lengths int64 (B), and
    targets (O, B). Raises ValueError or TypeError.
    """
    _check_run(seed, ids)
    _check_numbers(task, ids, numbers=numbers)
    return tasks.draw(seed, ids, numbers, *_said(task), int(purpose), dtype)


def train(
    net: Topology,
    task: Task,
    seed: int,
    ids: Tensor,
    theta: Tensor,
    *,
    first: Tensor,
    count: Tensor,
    rate: float = 0.5,
) -> tuple[Tensor, Tensor]:
    """On-line learning: after each sequence one step downhill, of its error at the end alone.

    ids: int64 (B,). theta: (P, B), float64 or float32, see `initial`. first, count: int64 (B,); trial b is shown its
    sequences first[b] … first[b] + count[b] - 1, so that training can be cut anywhere. Returns theta after the last of
    them, and errors |target - output| (most, B), most the largest count: that of trial b's sequence first[b] + n in
    row n, of several outputs the largest, and 0 from row count[b] on. A trial of which a weight leaves ±2^16 has
    diverged: all its weights are nan from then on, and so are all errors after that one. Raises ValueError or
    TypeError. Source: [HS96] sections 2 and 3.
    """
    _check(net, task, seed, ids, theta)
    _check_numbers(task, ids, first=first, count=count)
    if not 0 < rate < float("inf"):
        raise ValueError(f"rate is {rate}: a positive number is needed")
    rates = rate * net.wiring(theta.device).to(theta.dtype)
    return _run(net, task, Purpose.TASK, seed, ids, theta, first, count, rates)


def examine(
    net: Topology, task: Task, seed: int, ids: Tensor, theta: Tensor, *, first: int = 0, count: int = 2560
) -> Tensor:
    """Errors |target - output| (count, B) on sequences that no trial has learnt from; nan where it has diverged.

    They are those of numbers first … first + count - 1. Arguments as in `train`. Raises ValueError or TypeError.
    Source: [HS96] section 3.
    """
    _check(net, task, seed, ids, theta)
    if not 0 <= first < task.most:
        raise ValueError(f"first is {first}: the number of a sequence, 0 … {task.most - 1}, is needed")
    if not 1 <= count <= task.most - first:
        raise ValueError(f"count is {count}: a number of sequences in 1 … {task.most - first} is needed")
    stretch, rates = (torch.full_like(ids, value) for value in (first, count)), theta.new_zeros(len(theta))
    return _run(net, task, Purpose.TEST, seed, ids, theta, *stretch, rates)[1]


def face(net: Topology, theta: Tensor) -> str:
    """Which face serves such a net and such weights: "cpu.cpp", "cuda.py" or "reference"."""
    return TRAIN.face(theta)[0] if net.compiled else "reference"


def _run(net: Topology, task: Task, purpose: Purpose, *arguments: int | Tensor) -> tuple[Tensor, Tensor]:
    """arguments: seed, ids, theta, first, count and rates of the op."""
    count = arguments[4]
    most = int(count.max()) if len(count) else 0
    numbers = (most, net.blocks, net.cells, OUTPUTS[net.output], net.slope, *_said(task), int(purpose))
    return (TRAIN if net.compiled else reference.train)(*arguments, *numbers)


def _said(task: Task) -> tuple[int, int, int]:
    return TASKS[task.name], task.length, task.variant


@cache
def _wiring(net: Topology, device: torch.device) -> Tensor:
    size = net.units * (net.units + net.inputs + 1) + net.outputs * (net.blocks * net.cells + 1)
    wiring = torch.ones(size, 1, dtype=torch.bool)
    W, V = net.layers(wiring)
    to, source = W.unflatten(0, (net.blocks, -1)), W[:, : net.units].unflatten(1, (net.blocks, -1))
    if net.sees == "cells":
        source[:, :, :2] = False
    if not net.cell_bias:
        to[:, 2:, -1] = False
    if not net.output_bias:
        V[:, -1] = False
    return wiring[:, 0].to(device)


def _check_known(name: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise ValueError(f"{name} is {value!r}: one of {', '.join(known)} is needed")


def _check_run(seed: int, ids: Tensor) -> None:
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed is {seed}: an integer in [0, 2**63) is needed")
    if ids.dtype != torch.int64 or ids.ndim != 1:
        raise TypeError(f"ids is {ids.dtype} {tuple(ids.shape)}: int64 of shape (trials,) is needed")
    if len(ids) and int(ids.min()) < 0:
        raise ValueError(f"ids has {int(ids.min())}: no number of a trial is negative")


def _check(net: Topology, task: Task, seed: int, ids: Tensor, theta: Tensor) -> None:
    _check_run(seed, ids)
    if (net.inputs, net.outputs) != task.shape:
        needed = f"{task.shape[0]} inputs and {task.shape[1]} outputs are needed for {task.name!r}"
        raise ValueError(f"net has {net.inputs} inputs and {net.outputs} outputs: {needed}")
    wiring = net.wiring(theta.device)
    if not theta.is_floating_point() or theta.shape != (len(wiring), len(ids)):
        needed = f"real ({len(wiring)}, {len(ids)})"
        raise TypeError(
            f"theta is {theta.dtype} {tuple(theta.shape)}: {needed} is needed for this net and ids"
        )
    if theta.device != ids.device:
        raise ValueError(f"theta lies on {theta.device} and ids on {ids.device}: one is needed")
    if (theta.abs() > reference.LARGEST).any():
        raise ValueError(f"theta has a weight beyond ±{reference.LARGEST:.0f}: a trial that diverged is nan")
    if (theta[~wiring].nan_to_num() != 0).any():
        raise ValueError("theta has weights that this net has not: they must be 0")


def _check_numbers(task: Task, ids: Tensor, **numbers: Tensor) -> None:
    """Raise unless these are int64 (B), not negative, and their sum the number of a sequence."""
    for name, value in numbers.items():
        if value.dtype != torch.int64 or value.shape != ids.shape:
            needed = f"int64 of {tuple(ids.shape)} is needed, as ids has"
            raise TypeError(f"{name} is {value.dtype} {tuple(value.shape)}: {needed}")
        if value.device != ids.device:
            raise ValueError(f"{name} lies on {value.device}: {ids.device} is needed, as ids does")
        if len(value) and int(value.min()) < 0:
            raise ValueError(f"{name} has {int(value.min())}: no number of a sequence is negative")
    if len(ids) and (last := int(sum(numbers.values()).max())) > task.most - 1:
        names = " + ".join(numbers)
        raise ValueError(f"{names} reaches {last}: sequences 0 … {task.most - 1} have addresses of their own")
