"""One memory cell that solves the adding problem by hand: its gates open where a pair is marked, and at the end.

Its weights are chosen, not learnt. What is left, all that its three units hear of each other, is small and drawn.
"""

from torch import Tensor

from lltd.kernels import lstm96
from lltd.kernels.lstm96 import Topology

NET = Topology(blocks=1, cells=1)
VALUE, MARKER, ONE = 3, 4, 5  # sources, after the input gate, the output gate and the cell
OPENS = 12.0  # the input gate's weight from the marker, which is 1 at the two pairs that count
WRITES = 0.5  # the cell's weight from the value: g(v / 2) is nearly v / 2
READS = -8.0, -4.0  # the output gate's weight from the marker, which is -1 at the end, and its bias


def weights(seed: int, ids: Tensor, input_gate_bias: float, span: float = 0.1) -> Tensor:
    """Hidden weights W (3, 6, B): net_in = 12 marker + β, net_c = value / 2, net_out = -8 marker - 4.

    To each is added, from all three units, what is uniform in ±span. ids: int64 (B,). Raises ValueError or TypeError.
    """
    theta = lstm96.initial(NET, seed, ids, span=span, input_gate_bias=None)
    W, _ = NET.layers(theta)
    W[:, VALUE:] = 0.0
    W[0, MARKER], W[0, ONE] = OPENS, input_gate_bias
    W[1, MARKER], W[1, ONE] = READS
    W[2, VALUE] = WRITES
    return W
