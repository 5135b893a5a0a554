"""The peers of random search, and of the kernel that guesses nets: they take `Guesses` and answer for each, (nets,).

Those that search say which nets have all sequences right. They get their weights ready made, while ours draws its
own; libraries for evolution draw theirs too, and guess other nets.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path

import torch
from torch import Tensor

from lltd import roofline
from lltd.kernels import guess, native
from lltd.kernels.guess import GUESS, ORDERS, Topology
from lltd.peers import MissingPeer, guess_evolution, guess_runs
from lltd.systems import random_search
from lltd.systems import trials_1996 as trials
from lltd.systems.batches import Settings
from lltd.systems.random_search import Clues, Lessons, clues, lessons, passed, stood

SEED, SPAN, TOLERANCE = 1, 100.0, 0.1
CEILING = Path(guess.__file__).with_name("ceiling.cpp")
BATCH = 4096  # nets at a time: of 512 … 16,384 within 5 % of the best for each peer on arrays
CHUNK = 10  # steps in one compiled call: with more of them compiling takes longer, and calls no less
TASKS: dict[str, Settings] = {
    "parity, A2": {"task": "parity", "net": "A2"},
    "Tomita 2, A2": {"task": "tomita", "language": 2, "net": "A2"},
    "Tomita 4, A2": {"task": "tomita", "language": 4, "net": "A2"},
    "parity, A1, n = 1": {"task": "parity", "net": "A1, n = 1"},
    "2-sequence, A2": {"task": "two_sequence", "noise": 0.2**0.5, "net": "A2"},
}
Run = Callable[[Tensor, Tensor], Tensor]  # weights (P, nets), one sequence (T,) → outputs (nets)
Evolution = Callable[[Callable[[Tensor], Tensor], int, int, float, int], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Guesses:
    """So many guesses of one trial of 1996, and the first sequences of its training set, in single precision.

    By default few sequences: hardly any net lives to see the later ones, and to PyTorch these few would cost more
    than they cost a kernel. task: one of TASKS.
    """

    task: str = "parity, A2"
    nets: int = 65_536
    sequences: int = 10
    shortest: int = 500
    longest: int = 600
    trial: int = 0

    @cached_property
    def net(self) -> Topology:
        """The net whose weights are guessed."""
        return trials.net(TASKS[self.task])

    @cached_property
    def shown(self) -> tuple[Tensor, Lessons]:
        """The nets' ids, and the sequences; nobody may change them."""
        setting = {**TASKS[self.task], "shortest": self.shortest, "longest": self.longest}
        drawn = trials.sequences(
            SEED, torch.tensor([self.trial]), trials.complete(setting), 0, self.sequences
        )
        ids = self.trial * random_search.GUESSES + torch.arange(self.nets)
        return ids, lessons(drawn, 0, 0.0, 1.0)

    @cached_property
    def first(self) -> tuple[Tensor, Tensor]:
        """The first sequence alone, (1, T) in single precision, and its length (1,)."""
        _, (inputs, lengths, _) = self.shown
        return inputs[:1, :, 0].float(), lengths[:1]

    @cached_property
    def theta(self) -> Tensor:
        """The guessed weights, (P, nets)."""
        return guess.weights(self.net, SEED, self.shown[0], span=SPAN, dtype=torch.float32)


def plain(work: Guesses) -> Tensor:
    """The search with the kernel alone: each step of each net is computed, until its first mistake."""
    return _stood(work, None)


def by_words(work: Guesses) -> Tensor:
    """Words reject most nets; the others are run as in `plain`."""
    known = clues(work.shown[1])
    return _passed(work, known._replace(symbols=None, alphabet=None))


def by_states(work: Guesses) -> Tensor:
    """All nets are followed from state to state, if there are but few symbols."""
    return _stood(work, clues(work.shown[1]))


def search(work: Guesses) -> Tensor:
    """The search as it is, in one go: words reject most nets, the others are followed from state to state."""
    return _passed(work, clues(work.shown[1]))


def _stood(work: Guesses, known: Clues | None) -> Tensor:
    ids, shown = work.shown
    count = stood(work.net, SEED, ids, shown, known, span=SPAN, tolerance=TOLERANCE)
    return count == len(shown.lengths)


def _passed(work: Guesses, known: Clues) -> Tensor:
    ids, shown = work.shown
    return passed(work.net, SEED, ids, shown, known, span=SPAN, tolerance=TOLERANCE)


def over_sets(way: Callable[[Guesses], Tensor], work: Guesses, sets: int) -> Tensor:
    """The same for the first so many trials, (sets · nets,): each has its own training set, which is drawn here."""
    return torch.cat([way(replace(work, trial=trial)) for trial in range(sets)])


def by(run: Run, work: Guesses) -> Tensor:
    """The search, its nets run by `run`."""
    return _sieved(work.shown[1], run, work.theta)


def compiled(work: Guesses) -> Tensor:
    """PyTorch's step as formulas, CHUNK of them under torch.compile, which makes loops of them."""
    try:
        return by(_run_compiled, work)
    except RuntimeError as error:
        raise MissingPeer("no C++ compiler works here") from error


@torch.inference_mode()
def _sieved(shown: Lessons, run: Run, theta: Tensor) -> Tensor:
    """Which nets have all sequences right: who has one right stays and is put together anew."""
    right, left = torch.zeros(theta.shape[1], dtype=torch.bool), torch.arange(theta.shape[1])
    inputs, lengths, targets = shown
    with _flushed():
        for x, length, target in zip(
            inputs[:, :, 0].float(), lengths.tolist(), targets.tolist(), strict=True
        ):
            if not len(left):
                break
            ends = [run(theta[:, some], x[:length]) for some in left.split(BATCH)]
            left = left[(torch.cat(ends) - target).abs() < TOLERANCE]
    right[left] = True
    return right


def evolved(library: Evolution, run: Run, work: Guesses) -> Tensor:
    """The search among as many guesses of the library's own."""
    return _evolved(library, run, work)[1]


def judged(library: Evolution, run: Run, work: Guesses) -> Tensor:
    """What the kernel says of those guesses, each step of each net computed."""
    (theta, _), (inputs, lengths, targets) = _evolved(library, run, work), work.shown[1]
    given = guess.ends(work.net, theta.contiguous(), inputs[:, :, 0].float().contiguous(), lengths)
    return ((given - targets[:, None].to(given)).abs() < TOLERANCE).all(0)


def _evolved(library: Evolution, run: Run, work: Guesses) -> tuple[Tensor, Tensor]:
    return library(partial(_sieved, work.shown[1], run), work.net.weights, work.nets, SPAN, SEED)


@contextmanager
def _flushed() -> Iterator[None]:
    """Numbers below the normal ones are 0: saturated units make many, and a processor takes long over each."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _run(theta: Tensor, x: Tensor) -> Tensor:
    """PyTorch as one writes it: A2's wires and no others, arrays (units, nets), all results into arrays at hand."""
    by_x, bias, by_o, by_itself = (part.contiguous() for part in theta[:40].unflatten(0, (10, 4)).unbind(1))
    outer, out_bias, by_h = theta[40], theta[41], theta[42:]
    constant = {u: (bias + u * by_x, out_bias + u * outer) for u in (-1.0, 1.0)}  # all inputs there are
    h, o = torch.zeros_like(bias), torch.zeros_like(outer)
    net, fed = torch.empty_like(h), torch.empty_like(h)
    for u in x.tolist():
        to_hidden, to_output = constant[u]
        torch.addcmul(to_hidden, by_o, o, out=net)
        torch.addcmul(net, by_itself, h, out=h).sigmoid_()
        torch.mul(by_h, h, out=fed)
        torch.sum(fed, 0, out=o).add_(to_output).sigmoid_()
    return o


def _steps(theta: Tensor, x: Tensor, h: Tensor, o: Tensor) -> tuple[Tensor, Tensor]:
    w, v = theta[:40].unflatten(0, (10, 4)), theta[40:]
    for t in range(len(x)):
        net = torch.addcmul(torch.addcmul(w[:, 1], w[:, 0], x[t]), w[:, 2], o)
        h = torch.sigmoid(torch.addcmul(net, w[:, 3], h))
        o = torch.sigmoid(torch.addcmul(v[1], v[0], x[t]) + (v[2:] * h).sum(0))
    return h, o


@cache
def _compiled_steps() -> Callable[..., tuple[Tensor, Tensor]]:
    return torch.compile(_steps, fullgraph=True, dynamic=True)  # for any number of nets


def _run_compiled(theta: Tensor, x: Tensor) -> Tensor:
    h, o = theta.new_zeros(10, theta.shape[1]), theta.new_zeros(theta.shape[1])
    for some in x.split(CHUNK):
        h, o = (_compiled_steps() if len(some) == CHUNK else _steps)(theta, some, h, o)
    return o


def kernel(work: Guesses) -> Tensor:
    """The plain kernel at one sequence: every net's decision, -1 or 1, 0 for none, at its end."""
    return _decided(guess.guess(work.net, SEED, work.shown[0], *work.first, span=SPAN))


def bare(work: Guesses) -> Tensor:
    """Nothing but as many values of the logistic function, of 1024 numbers in the nearest cache."""
    return roofline.bare(CEILING, "logistic", work.nets * int(work.first[1]) * (work.net.hidden + 1))


def built_for(processor: str) -> Callable[[Guesses], Tensor]:
    """The same kernel, built for another processor than this: an x86-64 with narrower registers."""

    def decisions(work: Guesses) -> Tensor:
        face = _face(processor)
        numbers = (torch.tensor(work.net.wiring), work.net.hidden, ORDERS[work.net.order], SPAN)
        return _decided(face(SEED, work.shown[0], *work.first, *numbers))

    return decisions


@cache
def _face(processor: str) -> Callable[..., Tensor]:
    if torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        raise MissingPeer("no x86-64 with AVX2 here")
    before = os.environ.get("LLTD_MARCH", "native")
    try:
        os.environ["LLTD_MARCH"] = processor
        native.library.cache_clear()
        name, face = GUESS.face(torch.zeros(1))
    finally:
        os.environ["LLTD_MARCH"] = before
        native.library.cache_clear()
    if name != "cpu.cpp":
        raise MissingPeer("no C++ compiler works here")
    return face


def _decided(ends: Tensor) -> Tensor:
    return (ends[0] > 1 - TOLERANCE).double() - (ends[0] < TOLERANCE).double()


EVOLUTIONS: dict[str, tuple[Evolution, Run]] = {  # each with what runs its nets
    "EvoTorch, nets run by PyTorch": (guess_evolution.with_evotorch, _run),
    "evosax, nets run by JAX": (guess_evolution.with_evosax, guess_runs.with_jax),
}
PLAIN = "the plain kernel"  # our own
SEARCHES: dict[str, Callable[[Guesses], Tensor]] = {
    "PyTorch, A2's wires alone": partial(by, _run),
    "torch.compile, ten steps a call": compiled,
    "NumPy": partial(by, guess_runs.with_numpy),
    "Numba": partial(by, guess_runs.with_numba),
    "JAX, jit of a loop": partial(by, guess_runs.with_jax),
    **{name: partial(evolved, *parts) for name, parts in EVOLUTIONS.items()},
    PLAIN: plain,
}
WAYS: dict[str, Callable[[Guesses], Tensor]] = {
    "words, then the plain kernel": by_words,
    "states alone": by_states,
    "words, then states": search,
}
BUILDS = {
    "the same built for AVX2": built_for("x86-64-v3"),
    "the same built for any x86-64": built_for("x86-64"),
}
