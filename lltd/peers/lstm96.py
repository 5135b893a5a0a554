"""The peers of the LSTM of 1996: they take `Learning` and return the weights after it, theta (P, trials).

Their sequences are ready made, while the kernel and its reference draw theirs on the way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, partial

import numpy as np
import torch
from torch import Tensor

from lltd import roofline
from lltd.kernels import lstm96
from lltd.kernels.lstm96 import Task, Topology, reference, tasks
from lltd.peers import MissingPeer, lstm96_jax, lstm96_numba, lstm96_numpy
from lltd.peers.guess import CEILING
from lltd.philox import Purpose

SEED, RATE = 1, 0.5
CHUNK = 10  # steps in one compiled call, as in `lltd.peers.guess`


@dataclass(frozen=True)
class Learning:
    """The first sequences of on-line learning on the adding problem, as printed, in single precision."""

    trials: int = 256
    length: int = 100
    sequences: int = 20
    blocks: int = 2
    cells: int = 2

    @cached_property
    def net(self) -> Topology:
        """The net that learns, for each trial one."""
        return Topology(self.blocks, self.cells)

    @cached_property
    def start(self) -> tuple[Tensor, Tensor]:
        """The trials' ids and weights theta, as `lstm96.train` takes them; nobody may change them."""
        ids, biases = torch.arange(self.trials), [-3.0 * (j + 1) for j in range(self.blocks)]
        return ids, lstm96.initial(self.net, SEED, ids, input_gate_bias=biases, dtype=torch.float32)

    @cached_property
    def shown(self) -> tuple[Tensor, Tensor, Tensor]:
        """All sequences: inputs (N, T + T/10, 2, B), lengths int64 (N, B) and targets (N, 1, B).

        Aligned at their ends, as in `lltd.kernels.lstm96.tasks.Sequences`; nobody may change them.
        """
        ids, task = self.start[0], Task(length=self.length)
        each = (torch.full_like(ids, number) for number in range(self.sequences))
        drawn = [lstm96.sequences(task, SEED, ids, number, dtype=torch.float32) for number in each]
        inputs, lengths, targets = map(torch.stack, zip(*drawn, strict=True))
        return inputs, lengths, targets

    @cached_property
    def steps(self) -> int:
        """Steps of all trials in all sequences."""
        return int(self.shown[1].sum())


def kernel(work: Learning) -> Tensor:
    """The kernel itself, by the face that serves here."""
    ids, theta = work.start
    first, count = torch.zeros_like(ids), torch.full_like(ids, work.sequences)
    task = Task(length=work.length)
    return lstm96.train(work.net, task, SEED, ids, theta, first=first, count=count, rate=RATE)[0]


def eager(work: Learning) -> Tensor:
    """The plain torch reference, all trials in each array."""
    ids, theta = work.start
    first, count = torch.zeros_like(ids), torch.full_like(ids, work.sequences)
    rates = RATE * work.net.wiring().to(theta)
    numbers = (work.sequences, work.blocks, work.cells, reference.LOGISTIC, True)
    shown = (tasks.ADDING, work.length, tasks.NEUTRAL, int(Purpose.TASK))
    return reference.train(SEED, ids, theta, first, count, rates, *numbers, *shown)[0]


def with_torch(work: Learning) -> Tensor:
    """PyTorch in as few operations as may be: ∂s/∂w is summed over all steps at the end of a sequence."""
    return _learnt(work, _steps)


def compiled(work: Learning) -> Tensor:
    """The same, CHUNK steps under torch.compile, which makes loops of them."""
    try:
        return _learnt(work, _compiled_steps())
    except RuntimeError as error:
        raise MissingPeer("no C++ compiler works here") from error


def _steps(W: Tensor, y: Tensor, s: Tensor, inputs: Tensor, runs: Tensor) -> tuple[Tensor, ...]:
    """Steps with inputs and 1 (n, I + 1, B), runs (n, B) 0 before a sequence begins: y, s, all seen, all squashed."""
    blocks, cells, _ = s.shape
    all_seen, all_squashed = [], []
    for x, here in zip(inputs.unbind(), runs.unbind(), strict=True):
        seen = torch.cat((y, x))
        squashed = torch.sigmoid((W * seen).sum(1)).unflatten(0, (blocks, 2 + cells))
        gates, cell = squashed[:, :2] * here, squashed[:, 2:]
        s = torch.addcmul(s, gates[:, :1], 4 * cell - 2)
        y = torch.cat((gates, gates[:, 1:] * reference.h(s)), 1).flatten(0, 1)
        all_seen.append(seen)
        all_squashed.append(torch.cat((gates, cell), 1))
    return y, s, torch.stack(all_seen), torch.stack(all_squashed)


@cache
def _compiled_steps() -> Callable[..., tuple[Tensor, ...]]:
    return torch.compile(_steps, fullgraph=True, dynamic=False)


@torch.inference_mode()
def _learnt(work: Learning, steps: Callable[..., tuple[Tensor, ...]]) -> Tensor:
    theta, one = work.start[1], torch.ones(work.length + work.length // 10, 1, work.trials)
    left = torch.arange(len(one), 0, -1)[:, None]
    for inputs, lengths, targets in zip(*work.shown, strict=True):
        W, V = work.net.layers(theta)
        memory = reference.begin(W, work.blocks, work.cells)
        y, s, parts = memory.y, memory.s, []
        shown, runs = torch.cat((inputs, one), 1), (left <= lengths).to(theta)
        for x, here in zip(shown.split(CHUNK), runs.split(CHUNK), strict=True):
            whole = len(x) == CHUNK
            y, s, *part = (steps if whole else _steps)(W, y, s, x, here)
            parts.append(part)
        seen, squashed = map(torch.cat, zip(*parts, strict=True))
        theta = theta + RATE * _change(V, y, s, seen, squashed, targets)
    return theta


def _change(V: Tensor, y: Tensor, s: Tensor, seen: Tensor, squashed: Tensor, targets: Tensor) -> Tensor:
    """The change of theta (P, B) from what all steps saw (T, F, B) and squashed (T, J, 2 + C, B)."""
    y_in, y_out, cell = squashed[:, :, :1], squashed[:, :, 1:2], squashed[:, :, 2:]
    g = 4 * cell - 2
    slopes = torch.stack(
        (y_in * (4 - g**2) / 4, g * y_in * (1 - y_in))
    )  # of s: in a cell's net input, its gate's
    by_cell, by_gate = torch.einsum("ktjcb,tfb->kjcfb", slopes, seen)
    memory = reference.Memory(y, s, by_cell, by_gate)
    net, y_c = reference.output(V, memory)
    o = torch.sigmoid(net)
    last = reference.Step(memory, seen[-1], torch.logit(torch.cat((y_in, y_out), 2)[-1]))
    by_W, by_V = reference.downhill(V, last, y_c, (targets - o) * o * (1 - o))
    return torch.cat((by_W.flatten(0, 1), by_V.flatten(0, 1)))


def with_numpy(work: Learning) -> Tensor:
    """NumPy: all trials in each array."""
    return _by_arrays(work, partial(lstm96_numpy.learn, work.blocks, work.cells, RATE))


def with_jax(work: Learning) -> Tensor:
    """JAX: compiled as a whole, written for one trial."""
    return _by_arrays(work, lstm96_jax.learner(work.blocks, work.cells, RATE))


def with_numba(side: int, work: Learning) -> Tensor:
    """Numba: compiled loops, so many trials side by side."""
    return _by_arrays(work, lstm96_numba.learner(work.blocks, work.cells, side, RATE))


def _by_arrays(work: Learning, learn: Callable[..., np.ndarray]) -> Tensor:
    return torch.from_numpy(learn(*(tensor.numpy() for tensor in (work.start[1], *work.shown))))


def modern(together: bool, work: Learning) -> Tensor:
    """PyTorch's own LSTM with as many cells, an output unit, autograd: what one would take today, and other arithmetic.

    Each cell has gates of its own, one of them to forget; they see cells alone; errors go back through all of them.
    A module has one set of weights, so each trial's net learns by itself. together: one net for all trials instead,
    which learns from their sequences at once; it is not on-line, then.
    """
    inputs, lengths, targets = work.shown
    trials = [slice(None)] if together else [slice(b, b + 1) for b in range(work.trials)]
    ends = []
    for some in trials:
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(SEED)
            lstm = torch.nn.LSTM(2, work.blocks * work.cells)
            output = torch.nn.Linear(lstm.hidden_size, 1)
        weights = [*lstm.parameters(), *output.parameters()]
        descent = torch.optim.SGD(weights, RATE)
        for x, length, target in zip(inputs[..., some], lengths[:, some], targets[..., some], strict=True):
            hidden, _ = lstm(x[len(x) - int(length.max()) :].transpose(1, 2))
            error = target.T - torch.sigmoid(output(hidden[-1]))
            descent.zero_grad()
            (error.square().mean() / 2).backward()
            descent.step()
        ends.append(torch.nn.utils.parameters_to_vector(weights).detach())
    return torch.stack(ends, 1)


def multiply_adds(net: Topology) -> int:
    """Of a step: each weight of the hidden layer times its source, and each slope times it, for ∂s/∂w.

    All else in a step, and what is done but once in a sequence, is left out.
    """
    sources = net.units + net.inputs + 1
    return (net.units + 2 * net.blocks * net.cells) * sources


def functions(net: Topology) -> int:
    """Values of the logistic function in a step: of each hidden unit, and of each cell's state."""
    return net.units + net.blocks * net.cells


def bare_multiply_adds(work: Learning) -> Tensor:
    """Nothing but as many of them as `multiply_adds` counts, in registers."""
    return roofline.bare(roofline.SOURCE, "fma", work.steps * multiply_adds(work.net))


def bare_functions(work: Learning) -> Tensor:
    """Nothing but as many values of the logistic function, of numbers in the nearest cache."""
    return roofline.bare(CEILING, "logistic", work.steps * functions(work.net))


ALONE = "torch.nn.LSTM, trial by trial"  # takes long over each
OTHERS: dict[str, Callable[[Learning], Tensor]] = {  # they do less, or other work
    "bare multiply-adds": bare_multiply_adds,
    "bare logistic functions": bare_functions,
    ALONE: partial(modern, False),
    "torch.nn.LSTM, one net for all": partial(modern, True),
}
PEERS: dict[str, Callable[[Learning], Tensor]] = {
    "the plain torch reference": eager,
    "PyTorch, one sum over all steps": with_torch,
    "torch.compile, ten steps a call": compiled,
    "NumPy": with_numpy,
    "JAX, jit of vmap of scan": with_jax,
    "Numba, trial by trial": partial(with_numba, 1),
    "Numba, 256 trials side by side": partial(with_numba, 256),
    **OTHERS,
}
