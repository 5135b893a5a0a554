"""The three nets of 1994, and their initial weights.

The paper itself is known here at second hand, [SLIDES94] and later tables: where those say nothing on a net, the
choice is marked as ours.
"""

import torch
from torch import Tensor

from lltd.kernels.small_net import Net
from lltd.philox import Purpose, uniform

# One tanh neuron with a loop on itself: w, and the inputs u¹ and u² that it learns, one for each class. The noise,
# channel 0, is added to it; channels 1 and 2 are pulses at the first step of a sequence. [BFS93] section II.
LATCH = Net(units=1, inputs=3, output=0, wiring=((0, 0), (0, 3), (0, 4)), entry=0)

# Five units, each fed by all five one step before: 25 weights, no biases. The input is added to the first unit. Which
# unit is read is not known to us: here the last, so that what came in must travel.
TWO_SEQUENCE = Net(
    units=5, inputs=1, output=4, wiring=tuple((to, source) for to in range(5) for source in range(5)), entry=0
)

# Seven weights, the hidden unit first and then the output: h(t) sees the input, o(t-1) and 1; o(t) sees the input,
# o(t-1), h(t) and 1. What is known is the number of weights and units; this wiring is the usual net for XOR.
PARITY = Net(units=2, inputs=1, output=1, wiring=((0, 4), (0, 1), (0, 5), (1, 4), (1, 1), (1, 2), (1, 5)))

# The other way to seven, [HS96]'s net A1 with one hidden unit: h(t) sees the input, h(t-1), o(t-1) and 1; o(t) sees the
# input, h(t) and o(t-1), but no 1. Its h(t-1) aside, an odd f makes no XOR of x and o = ±c here: the even part of
# ax + co + b f(αx + γo + β) is b (f(s + β) - f(s - β)) / 2, of one sign for every s = αx + γo.
PARITY_A1 = Net(units=2, inputs=1, output=1, wiring=((0, 4), (0, 0), (0, 1), (0, 5), (1, 4), (1, 2), (1, 1)))


def initial(seed: int, ids: Tensor, net: Net, spread: Tensor | float = 0.5) -> Tensor:
    """Initial weights (P, B), uniform in (-spread, spread); spread: a number, or one for each run (B,)."""
    if not (torch.as_tensor(spread) > 0).all():
        raise ValueError(f"spread is {spread}: a positive number is needed")
    blocks = torch.arange(-(-net.weights // 4), device=ids.device)
    u = uniform(seed, ids, blocks[:, None], Purpose.INITIAL).transpose(0, 1).flatten(0, 1)  # (4 * blocks, B)
    return spread * (2 * u[: net.weights] - 1)
