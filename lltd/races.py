"""What is timed: each kernel's work, beside peers that do the same, and ceilings that bound it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

from torch import Tensor

from lltd.kernels import guess, latch, lstm96, small_net, stream
from lltd.peers import guess as guess_peers
from lltd.peers import lstm96 as lstm96_peers
from lltd.peers import small_net as small_net_peers
from lltd.peers import stream as stream_peers
from lltd.peers.guess import Guesses
from lltd.peers.latch import PEERS, Stretch, kernel
from lltd.peers.lstm96 import Learning
from lltd.peers.small_net import Showing
from lltd.peers.stream import Drawing

USUAL, SHOWING, GUESSES, LEARNING, DRAWING = (
    Stretch(),
    Showing(),
    Guesses(),
    Learning(),
    Drawing(),
)  # what is timed
TRIAL = Guesses(nets=16_384, sequences=100)  # a whole training set, by each of the search's ways
SETS, EACH = 8, 4096  # training sets that are drawn, and guesses for each
FEW = 16  # trials, where a peer takes them one after the other and long over each


@dataclass(frozen=True)
class Race:
    """One piece of work and two ways to do it, both of which return the same tensor but for rounding.

    ceiling: the peer's answer is none, for it does only a part of the work, which bounds the rest, or what one might
    do in its stead. way: how ours does it, where it has several ways. items: how many equal parts the work has, where
    its rate matters. wanted: what the peer must return, where it guesses nets of its own and not ours.
    """

    op: str
    work: str
    peer: str
    ours: Callable[[], Tensor]
    theirs: Callable[[], Tensor]
    ceiling: bool = False
    way: str = ""
    items: int | None = None
    wanted: Callable[[], Tensor] | None = None


def latch_races(work: Stretch = USUAL, peers: Iterable[str] = PEERS) -> Iterator[Race]:
    """Training on the minimal task: the C++ face beside each peer, all in float64.

    Raises ValueError where there is no C++ face.
    """
    _need("latch", latch.face(work.start[1]))
    title = f"train {work.runs:,} runs, T = {work.length}, {work.epochs} epochs, one thread"
    for peer in peers:
        yield Race("latch", title, peer, partial(kernel, work), partial(PEERS[peer], work))


def small_net_races(work: Showing = SHOWING) -> Iterator[Race]:
    """Gradients of small nets: the C++ face beside each peer, all in float64. Raises ValueError without one."""
    _need("small_net", small_net.SLOPES.face(work.shown[0])[0])
    title = f"first and second derivatives of {work.runs:,} nets, five units, T = {work.length}, one thread"
    for peer, theirs in small_net_peers.PEERS.items():
        gradient = peer == small_net_peers.GRADIENT_ALONE
        ours = small_net_peers.slope if gradient else small_net_peers.kernel
        yield Race("small_net", title, peer, partial(ours, work), partial(theirs, work))


def guess_races(work: Guesses = GUESSES) -> Iterator[Race]:
    """Guessing nets in single precision: the search beside its peers, the kernel beside its ceiling and other builds.

    Raises ValueError where there is no C++ face.
    """
    _need("guess", guess.face(work.first[0]))
    title = f"{work.task}: {work.nets:,} guesses sieved by {work.sequences} sequences, one thread"
    for peer, theirs in guess_peers.SEARCHES.items():
        own = guess_peers.EVOLUTIONS.get(peer)
        wanted = partial(guess_peers.judged, *own, work) if own else None
        ours = partial(guess_peers.search, work)
        yield Race("guess", title, peer, ours, partial(theirs, work), wanted=wanted)
    title = f"{work.task}: {work.nets:,} guesses shown one sequence, T = {int(work.first[1])}, one thread"
    ours = partial(guess_peers.kernel, work)
    yield Race("guess", title, "a bare logistic loop", ours, partial(guess_peers.bare, work), ceiling=True)
    for peer, theirs in guess_peers.BUILDS.items():
        yield Race("guess", title, peer, ours, partial(theirs, work))


def ways_races(work: Guesses = TRIAL, sets: int = SETS, each: int = EACH) -> Iterator[Race]:
    """Random search on each task: by words, by states and by both beside the plain kernel; then with sets to draw.

    Raises ValueError where there is no C++ face.
    """
    _need("guess", guess.face(work.first[0]))
    plain, peer = guess_peers.plain, guess_peers.PLAIN
    for one in (replace(work, task=task) for task in guess_peers.TASKS):
        title = f"{one.task}: {one.nets:,} guesses sieved by {one.sequences} sequences, one thread"
        for way, ours in guess_peers.WAYS.items():
            yield Race("guess", title, peer, partial(ours, one), partial(plain, one), way=way, items=one.nets)
    for one in (replace(work, task=task, nets=each) for task in guess_peers.TASKS):
        title = f"{one.task}: {sets} training sets drawn, {one.nets:,} guesses for each, one thread"
        ours, theirs = (partial(guess_peers.over_sets, way, one, sets) for way in (guess_peers.search, plain))
        yield Race("guess", title, peer, ours, theirs, items=sets * each)


def lstm96_races(work: Learning = LEARNING, peers: Iterable[str] = lstm96_peers.PEERS) -> Iterator[Race]:
    """On-line learning on the adding problem, in single precision: the C++ face beside each peer.

    Raises ValueError where there is no C++ face.
    """
    _need("lstm96", lstm96.face(work.net, work.start[1]))
    few = replace(work, trials=min(work.trials, FEW))
    for peer in peers:
        one = few if peer == lstm96_peers.ALONE else work
        trials = f"{one.trials:,} trials of {one.blocks} × {one.cells} cells"
        title = f"{trials} learn from {one.sequences} sequences, T = {one.length}, one thread"
        ours, theirs = partial(lstm96_peers.kernel, one), partial(lstm96_peers.PEERS[peer], one)
        yield Race("lstm96", title, peer, ours, theirs, peer in lstm96_peers.OTHERS, items=one.steps)


def stream_races(work: Drawing = DRAWING) -> Iterator[Race]:
    """Random numbers with addresses, in double precision: the C++ face beside each peer.

    Raises ValueError where there is no C++ face.
    """
    _need("stream", stream.STREAM.face(work.like)[0])
    title = f"{work.numbers:,} uniform numbers for {work.runs} × {work.sequences} sequences, one thread"
    for peer, theirs in stream_peers.PEERS.items():
        ours, other = partial(stream_peers.kernel, work), peer in stream_peers.OTHERS
        yield Race("stream", title, peer, ours, partial(theirs, work), other, items=work.numbers)


def _need(op: str, face: str) -> None:
    if face != "cpu.cpp":
        raise ValueError(f"{op}: there is no C++ face to time, for want of a compiler that works")


RACES: dict[str, Callable[[], Iterator[Race]]] = {
    "latch": latch_races,
    "small_net": small_net_races,
    "guess": lambda: chain(guess_races(), ways_races()),
    "lstm96": lstm96_races,
    "stream": stream_races,
}
ALTERNATIVES: dict[str, list[str]] = {  # peers by which one could have done all of a kernel's work
    "latch": [*PEERS],
    "small_net": [peer for peer in small_net_peers.PEERS if peer != small_net_peers.GRADIENT_ALONE],
    "guess": [peer for peer in guess_peers.SEARCHES if peer != guess_peers.PLAIN],
    "lstm96": [peer for peer in lstm96_peers.PEERS if peer not in lstm96_peers.OTHERS],
    "stream": [peer for peer in stream_peers.PEERS if peer not in stream_peers.OTHERS],
}
