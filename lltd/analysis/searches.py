"""Searches for counterexamples to what [BFS93] section III.A states, over random tanh nets, states, inputs and norms.

Each search returns how many of its cases break a statement, or by how much. What the hypothesis measures is an
argument: a search that finds nothing under the right hypothesis must find something under a weaker one, or it would
show nothing. Nets are M(a) = W tanh a + bias; norms are ||S x||_p with a diagonal S and p = 1, 2 or infinity.
"""

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from lltd.analysis.energy import symmetric
from lltd.analysis.jacobian_products import product
from lltd.analysis.maps import Map, autonomous, operator_norm, orbit, spectral_radius, tanh_net
from lltd.analysis.norms import Norm
from lltd.analysis.uncertainty import certified_rate, radii, rate_on_balls
from lltd.philox import Purpose, normal, uniform

SEED = 1993
Reading = Literal["eigenvalues", "norms"]


class Case(NamedTuple):
    """One random case: a net, a state (n,), a norm, a number in (0, 1), and more vectors (200, n)."""

    net: Map
    W: Tensor
    state: Tensor
    norm: Norm
    chance: float
    vectors: Tensor


def cases(count: int, largest: int = 4) -> Iterator[Case]:
    """So many random cases of 1 … `largest` dimensions, each made from its number alone."""
    ids = torch.arange(count)
    numbers = largest * (largest + 3)
    z = normal(SEED, ids[:, None], torch.arange(numbers), Purpose.INITIAL)[0]
    more = normal(SEED, ids[:, None], torch.arange(200 * largest), Purpose.NOISE)[0]
    chance = uniform(SEED, ids, 0, Purpose.TASK)[0]
    for id in range(count):
        n, p = 1 + id % largest, (1, 2, math.inf)[id // largest % 3]
        W, state, bias, weights = z[id, : n * n].reshape(n, n), *z[id, n * n : n * (n + 3)].reshape(3, n)
        norm = Norm(torch.diag(torch.exp(weights)), p)
        yield Case(
            tanh_net(W, bias), W, 2 * state, norm, chance[id].item(), more[id, : 200 * n].reshape(200, n)
        )


def not_expanding(count: int, low: float = 1.01, high: float = 3.0) -> int:
    """Theorem 1, sharpened: of `count` nets scaled to low < ||M'(x)|| < high, those that no near y refutes.

    y lies where M'(x) stretches most, at distances 2^-1 … 2^-24.
    """
    found = 0
    for case in cases(count):
        x, norm = case.state, case.norm
        size = norm.operator(case.net.derivative(x))
        net = tanh_net(case.W * (low + (high - low) * case.chance) / size)
        steps = 2.0 ** -torch.arange(1, 25, dtype=x.dtype)[:, None] * _most_stretched(net.derivative(x), norm)
        found += not (norm.of(net(x + steps) - net(x)) > norm.of(steps)).any()
    return found


def not_lipschitz(count: int, reading: Reading = "norms") -> int:
    """Theorem 2, corrected: of `count` balls with |M'| <= alpha, those with a pair moved apart by more than alpha.

    By norms alpha is a proved bound on the ball; by eigenvalues the largest of 200 states there.
    """
    found = 0
    for case in cases(count):
        radius, norm, net = 2 * case.chance, case.norm, case.net
        points = case.state + _within(case.vectors, radius, norm)
        if reading == "norms":
            alpha = rate_on_balls(case.W, case.state, torch.tensor(radius), norm)
        else:
            alpha = spectral_radius(net.derivative(points)).max()
        x, y = points[:100], points[100:]
        found += bool((norm.of(net(x) - net(y)) > alpha * norm.of(x - y) * (1 + 1e-9)).any())
    return found


def overruns(count: int, on_balls: bool = True, steps: int = 60) -> Tensor:
    """Theorem 3, corrected: the largest ||a_t - a~_t|| / rho_t, t >= 2, in each case that has a rate, (cases,).

    Four kinds of inputs of norm b: drawn at random, constant, and two that push on where the net has taken the state.
    With on_balls=False the rate is that of the undisturbed orbit alone, which is not enough.
    """
    ratios = []
    for case in cases(count):
        norm, bound = case.norm, 0.5 * case.chance
        undisturbed = autonomous(case.net, case.state, steps)
        if on_balls:
            rate = certified_rate(case.W, undisturbed, bound, norm)
        else:
            rate = norm.operator(case.net.derivative(undisturbed)).max().item()
        if rate is None or not rate < 1:
            continue
        chance = case.vectors[:steps]
        states = [torch.stack((case.state,) * 4)]
        for t in range(steps):
            away = case.net(states[-1][2:]) - case.net(undisturbed[t])
            away = away if t else torch.stack((chance[0], -chance[0]))
            u = torch.cat((chance[[t, 0]], away))
            states.append(case.net(states[-1]) + bound * u / norm.of(u)[:, None])
        distance = norm.of(torch.stack(states) - undisturbed[:, None])[2:]
        ratios.append((distance.amax(1) / radii(bound, rate, steps)[2:]).max())
    return torch.stack(ratios)


def moving_for_ever(count: int, smallest: float, n: int = 3, steps: int = 1000) -> int:
    """Marcus' condition: of `count` symmetric nets with this smallest eigenvalue, those still moving in the end.

    Starts are random; a step longer than 0.1 after so many counts as moving (at -1 exactly motion dies out slowly).
    """
    ids = torch.arange(count)
    W = symmetric(SEED, ids, n, smallest)
    a = 2 * normal(SEED, ids[:, None], torch.arange(n), Purpose.TEST)[0]
    for _ in range(steps):
        last, a = a, (W @ torch.tanh(a)[..., None])[..., 0]
    return int(((a - last).norm(dim=-1) > 0.1).sum())


def not_at_zero(count: int, reading: Reading = "norms", size: float = 0.95, steps: int = 500) -> int:
    """||W|| < 1: of `count` nets of two neurons with ||W|| or spectral radius `size`, those that do not come to 0.

    By norms the norm is Euclidean; both signs of the off-diagonal weights are drawn large as well as small.
    """
    ids = torch.arange(count)
    W = 3 * normal(SEED, ids[:, None], torch.arange(4), Purpose.INITIAL)[0].reshape(-1, 2, 2)
    measure = operator_norm if reading == "norms" else spectral_radius
    W = W * (size / measure(W))[:, None, None]
    a = 5 * normal(SEED, ids[:, None, None], torch.arange(16).reshape(8, 2), Purpose.TEST)[0]
    for _ in range(steps):
        a = torch.tanh(a) @ W.mT
    return int((a.norm(dim=-1) > 1e-3).any(1).sum())


def growing_near_cycle(net: Map, cycle: Tensor, bound: float, runs: int = 20, steps: int = 600) -> Tensor:
    """D2': mean log-growth per step of the derivative from a cycle's first state under inputs up to `bound`, (runs,).

    Negative where the cycle is an attractor in the corrected sense: it is the sign that the theorem promises.
    """
    n = cycle.shape[-1]
    u = normal(
        SEED, torch.arange(runs)[:, None], torch.arange(steps * n).reshape(steps, 1, n), Purpose.NOISE
    )[0]
    u = bound * u / u.norm(dim=-1, keepdim=True)
    states = orbit(net, cycle[0].expand(runs, n), u)[:-1]
    whole = product(net.derivative(states))
    return (operator_norm(whole.matrix).log() + whole.log) / steps


def settled_cycle(net: Map, start: Tensor, transient: int = 1000, longest: int = 12) -> Tensor | None:
    """The cycle (p, n) that a state has settled on after a transient, if its period is at most `longest`."""
    states = autonomous(net, autonomous(net, start, transient)[-1], longest)
    same = (states[1:] - states[0]).norm(dim=-1) < 1e-9
    return states[: int(same.nonzero()[0]) + 1] if same.any() else None


def settled_cycles(count: int, largest: int = 3) -> Iterator[tuple[Map, Tensor]]:
    """The nets, of so many random ones, that settle on a cycle whose multiplier is below 0.95 a step; and the cycle."""
    for case in cases(count, largest):
        cycle = settled_cycle(case.net, case.state)
        if cycle is not None:
            whole = product(case.net.derivative(cycle))
            if (spectral_radius(whole.matrix).log() + whole.log) / len(cycle) < math.log(0.95):
                yield case.net, cycle


def _most_stretched(J: Tensor, norm: Norm) -> Tensor:
    """A vector of norm 1 that J lengthens by its norm: where a corner of the unit ball, or a singular vector, goes."""
    S, back = norm.S, torch.linalg.inv(norm.S)
    A, n = S @ J @ back, len(J)
    if norm.p == 2:
        vector = torch.linalg.svd(A).Vh[0]
    elif norm.p == 1:
        vector = torch.eye(n, dtype=J.dtype)[A.abs().sum(0).argmax()]
    else:
        row = A[A.abs().sum(1).argmax()]
        vector = torch.where(row < 0, -1.0, 1.0).to(J.dtype)
    return back @ vector


def _within(vectors: Tensor, radius: float, norm: Norm) -> Tensor:
    """Vectors (k, n) shortened into the ball of this radius, one after the other further out."""
    length = radius * torch.arange(1, len(vectors) + 1) / len(vectors)
    return vectors * (length / norm.of(vectors))[:, None]
