"""Each kernel's usual work at any size, as its op and the op's arguments: so it can be timed, weighed, moved.

Sizes have the same names for all: runs (of guesses: nets; of LSTM: trials), length T, units of a net, times that
each run is gone over (epochs, or sequences).
"""

import inspect
import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from lltd.kernels import latch as latch_kernel
from lltd.kernels import lstm96 as lstm96_kernel
from lltd.kernels import small_net as small_net_kernel
from lltd.kernels import stream as stream_kernel
from lltd.kernels.guess import GUESS, ORDERS, Topology, table
from lltd.kernels.latch.reference import GRADIENT
from lltd.kernels.lstm96 import reference as lstm96_reference
from lltd.kernels.lstm96 import tasks
from lltd.kernels.op import Op, Outcome
from lltd.kernels.small_net import Net
from lltd.kernels.small_net.reference import GAUSS_NEWTON
from lltd.peers import latch as latch_peers
from lltd.peers.lstm96 import RATE, Learning
from lltd.philox import Purpose, uniform
from lltd.systems.small_nets import initial

SEED = 1
NETS = {3: (1, 1), 6: (2, 1), 8: (2, 2), 9: (3, 1), 12: (4, 1)}  # hidden units: blocks, cells of each


class Load(NamedTuple):
    """A call of an op that is yet to be made."""

    op: Op
    arguments: tuple[Tensor | float, ...]

    def kernel(self) -> Outcome:
        """By the face that serves."""
        return self.op(*self.arguments)

    def reference(self) -> Outcome:
        """By the plain torch reference."""
        return self.op.reference(*self.arguments)

    def on(self, device: str) -> "Load":
        """The same with all tensors on a device."""
        moved = (value.to(device) if isinstance(value, Tensor) else value for value in self.arguments)
        return Load(self.op, tuple(moved))


def latch(runs: int = 1024, length: int = 20, times: int = 20) -> Load:
    """Gradient descent on the minimal task, one neuron, in double precision; times: epochs."""
    ids, theta, noise = latch_peers.Stretch(runs, length, times).start
    memory = theta.new_zeros(2, *theta.shape)
    numbers = (0, times, length, latch_peers.RATE, latch_peers.TARGET, GRADIENT, True, True, math.inf)
    return Load(latch_kernel.TRAIN, (SEED, ids, theta, memory, noise, *numbers))


def small_net(runs: int = 512, length: int = 50, units: int = 5) -> Load:
    """First and second derivatives of fully wired nets on a noisy sequence each, in double precision."""
    wiring = tuple((to, source) for to in range(units) for source in range(units))
    net, ids = Net(units, 1, units - 1, wiring, entry=0), torch.arange(runs)
    steps = torch.arange(-(-length // 4))[:, None]
    noise = uniform(SEED, ids, steps, Purpose.TASK).transpose(0, 1).flatten(0, 1)[:length, None]
    theta = initial(SEED, ids, net)
    of_runs = (torch.full_like(ids, length), theta.new_full((runs,), 0.8), theta.new_full((runs,), 0.01))
    numbers = (net.table(), units, 0, net.output, GAUSS_NEWTON)
    return Load(small_net_kernel.SLOPES, (theta, noise - 0.5, *of_runs, *numbers))


def guess(runs: int = 1024, length: int = 100, units: int = 10) -> Load:
    """Guessed nets, A2 but for the number of hidden units, run on one sequence of ±1, in single precision."""
    net = Topology(units, dense=False, output_bias=True, output_loop=False)
    inputs = (2.0 * (torch.arange(length) % 3 == 0) - 1)[None].float()
    numbers = (table(net, torch.device("cpu")), units, ORDERS[net.order], 100.0)
    return Load(GUESS, (SEED, torch.arange(runs), inputs, torch.tensor([length]), *numbers))


def lstm96(runs: int = 256, length: int = 100, units: int = 8, times: int = 4) -> Load:
    """On-line learning of the adding problem, in single precision; units: one of NETS, times: sequences."""
    blocks, cells = NETS[units]
    work = Learning(runs, length, times, blocks, cells)
    ids, theta = work.start
    first, count = torch.zeros_like(ids), torch.full_like(ids, times)
    rates = RATE * work.net.wiring().to(theta)
    numbers = (times, blocks, cells, lstm96_reference.LOGISTIC, True)
    shown = (tasks.ADDING, length, tasks.NEUTRAL, int(Purpose.TASK))
    return Load(lstm96_kernel.TRAIN, (SEED, ids, theta, first, count, rates, *numbers, *shown))


def stream(runs: int = 256, length: int = 100, times: int = 10) -> Load:
    """Uniform random numbers for sequences, in double precision; times: sequences of each run."""
    like = torch.empty(0, dtype=torch.float64)
    arguments = (SEED, torch.arange(runs), 0, times, length, int(Purpose.TASK), like)
    return Load(stream_kernel.STREAM, arguments)


LOADS: dict[str, Callable[..., Load]] = {
    "latch": latch,
    "small_net": small_net,
    "guess": guess,
    "lstm96": lstm96,
    "stream": stream,
}


def sizes(op: str) -> dict[str, int]:
    """The usual size of a kernel's work, by name."""
    return {name: known.default for name, known in inspect.signature(LOADS[op]).parameters.items()}
