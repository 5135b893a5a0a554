"""The peers of the kernel that draws random numbers: they take a `Drawing` and return uniform numbers (S, T, B)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lltd.kernels import stream
from lltd.kernels.stream import reference
from lltd.peers import MissingPeer, library
from lltd.peers.words import SEED, U64, uniform, words
from lltd.philox import Purpose


@dataclass(frozen=True)
class Drawing:
    """Numbers for training sets of so many sequences, one set for each run, in double precision."""

    runs: int = 8
    sequences: int = 100
    steps: int = 600

    @cached_property
    def ids(self) -> Tensor:
        """The runs' ids, int64 (B,); nobody may change them."""
        return torch.arange(self.runs)

    @property
    def like(self) -> Tensor:
        """Nothing, in the precision of the numbers."""
        return torch.empty(0, dtype=torch.float64)

    @property
    def blocks(self) -> np.ndarray:
        """The Philox blocks of all sequences, (S T / 4, 1), as `reference.addresses`."""
        return reference.addresses(self.ids, 0, self.sequences, self.steps).numpy().astype(U64)

    @property
    def numbers(self) -> int:
        """How many there are to draw."""
        return self.runs * self.sequences * self.steps


def kernel(work: Drawing) -> Tensor:
    """The kernel itself, by the face that serves here."""
    return stream.stream(int(SEED), work.ids, 0, work.sequences, work.steps, Purpose.NOISE)


def eager(work: Drawing) -> Tensor:
    """The plain torch reference."""
    return reference.stream(int(SEED), work.ids, 0, work.sequences, work.steps, Purpose.NOISE, work.like)


def compiled(work: Drawing) -> Tensor:
    """The reference under torch.compile, which makes one loop of it."""
    try:
        return _compiled_reference()(work)
    except RuntimeError as error:
        raise MissingPeer("no C++ compiler works here") from error


@cache
def _compiled_reference() -> Callable[[Drawing], Tensor]:
    drawn = torch.compile(reference.stream, fullgraph=True, dynamic=False)
    numbers = int(SEED), int(Purpose.NOISE)
    return lambda work: drawn(numbers[0], work.ids, 0, work.sequences, work.steps, numbers[1], work.like)


def with_numpy(work: Drawing) -> Tensor:
    """NumPy: the words of all addresses, step by step of the generator."""
    four = np.stack([uniform(word) for word in words(work.ids.numpy().astype(U64), work.blocks)])
    return reference.rows(torch.from_numpy(four), work.sequences, work.steps).contiguous()


def with_numba(work: Drawing) -> Tensor:
    """Numba: a loop over sequences, their blocks and runs, compiled."""
    return torch.from_numpy(_numba_draw()(work.ids.numpy().astype(U64), work.sequences, work.steps))


@cache
def _numba_draw() -> Callable[..., np.ndarray]:
    njit = library("numba").njit
    block, unit = njit(words), njit(uniform)

    @njit
    def draw(ids, sequences, steps):  # noqa: ANN001, ANN202, Numba finds the types itself
        out = np.empty((sequences, steps, len(ids)))
        blocks = (steps + 3) // 4
        for s in range(sequences):
            for b in range(blocks):
                t, address = 4 * b, U64(s * blocks + b)
                for run in range(len(ids)):
                    for j, word in enumerate(block(ids[run], address)):
                        if t + j < steps:
                            out[s, t + j, run] = unit(word)
        return out

    return draw


def with_jax(work: Drawing) -> Tensor:
    """JAX: NumPy's formulas under jit, which makes one loop of them."""
    jax = library("jax")
    with jax.enable_x64(True):
        ids = jax.numpy.asarray(work.ids.numpy().astype(U64))
        return torch.from_numpy(np.array(_jax_draw(work.sequences, work.steps)(ids, work.blocks)))


@cache
def _jax_draw(sequences: int, steps: int) -> Callable[..., Any]:
    jax = library("jax")

    @jax.jit
    def draw(ids, blocks):  # noqa: ANN001, ANN202
        four = jax.numpy.stack([uniform(word) for word in words(ids, blocks)])
        by_sequence = four.reshape(4, sequences, -1, len(ids)).transpose(1, 2, 0, 3)
        return by_sequence.reshape(sequences, -1, len(ids))[:, :steps]

    return draw


def torch_rand(work: Drawing) -> Tensor:
    """PyTorch's own generator, a Mersenne twister: a number is known by all that were drawn before it."""
    generator = torch.Generator().manual_seed(int(SEED))
    shape = work.sequences, work.steps, work.runs
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def numpy_philox(work: Drawing) -> Tensor:
    """NumPy's own Philox, one generator and so one address for all."""
    generator = np.random.Generator(np.random.Philox(key=int(SEED)))
    return torch.from_numpy(generator.random((work.sequences, work.steps, work.runs)))


def jax_uniform(work: Drawing) -> Tensor:
    """JAX's own Threefry, one key and so one address for all."""
    random = library("jax").random
    with library("jax").enable_x64(True):
        drawn = random.uniform(random.key(int(SEED)), (work.sequences, work.steps, work.runs))
        return torch.from_numpy(np.array(drawn))


OTHERS: dict[str, Callable[[Drawing], Tensor]] = {  # other numbers, of which a run cannot be drawn alone
    "torch.rand, other numbers": torch_rand,
    "NumPy's Philox, other numbers": numpy_philox,
    "jax.random.uniform, other numbers": jax_uniform,
}
PEERS: dict[str, Callable[[Drawing], Tensor]] = {
    "the plain torch reference": eager,
    "torch.compile of the reference": compiled,
    "NumPy": with_numpy,
    "Numba": with_numba,
    "JAX, jit": with_jax,
    **OTHERS,
}
