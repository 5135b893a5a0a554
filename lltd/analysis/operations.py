"""Counting the arithmetic of code while it runs, number by number: what an algorithm costs, on any machine.

One operation is one sum, difference, product, quotient, power or squashing function of single numbers. What only moves,
copies, compares or selects numbers costs nothing.
"""

from collections.abc import Callable

import torch
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

# Names of torch's own operators; in place, with a _ at the end, they cost the same.
# fmt: off
EACH = {"add", "sub", "rsub", "mul", "div", "neg", "pow", "sigmoid", "tanh"}  # one for each number that comes out
PRODUCTS = {"mm", "mv", "bmm"}  # of matrices and vectors: a product and a sum for each term
FREE = {
    "view", "_unsafe_view", "_reshape_alias", "expand", "t", "transpose", "permute", "alias", "select", "slice",
    "unbind", "unsqueeze", "squeeze", "split", "split_with_sizes", "cat", "stack", "clone", "copy", "where", "isnan",
    "empty", "empty_like", "new_empty", "zeros", "zeros_like", "new_zeros", "ones_like", "eye", "fill", "zero",
    "scalar_tensor",
}
# fmt: on


class _Counter(TorchDispatchMode):
    total = 0

    def __torch_dispatch__(
        self, func: OpOverload, types: tuple[type, ...], args: tuple = (), kwargs: dict | None = None
    ) -> object:
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__.removesuffix("_")
        if name in EACH:
            self.total += out.numel()
        elif name in PRODUCTS:
            self.total += 2 * out.numel() * args[0].shape[-1]
        elif name == "sum":
            self.total += args[0].numel() - out.numel()
        elif name not in FREE:
            raise NotImplementedError(f"torch's {name} has no price: EACH, PRODUCTS, FREE are known")
        return out


def count(work: Callable[[], object]) -> int:
    """How many operations work() takes. Raises NotImplementedError where it does what has no price here."""
    with torch.no_grad(), _Counter() as counter:
        work()
    return counter.total
