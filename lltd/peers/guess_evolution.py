"""Random search by libraries for evolution: each draws a population of its own and takes its fitness.

The fitness of a net is 1 if it has all sequences right, else 0. right(theta (P, nets)) says which, bool (nets).
"""

import logging
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lltd.peers import library

Right = Callable[[Tensor], Tensor]


def with_evotorch(right: Right, weights: int, nets: int, span: float, seed: int) -> tuple[Tensor, Tensor]:
    """EvoTorch: the guesses (P, nets), and which are right. It has no algorithm that only guesses, but a Problem draws.

    The fitness is vectorised.
    """
    evotorch = library("evotorch")
    logging.getLogger("evotorch").setLevel(logging.WARNING)  # else it prints the settings of each problem
    problem = evotorch.Problem(
        "max",
        lambda population: right(population.T.contiguous()).float(),
        initial_bounds=(-span, span),
        solution_length=weights,
        dtype=torch.float32,
        seed=seed,
        vectorized=True,
    )
    population = problem.generate_batch(nets)
    problem.evaluate(population)
    return population.values.T, population.evals[:, 0] == 1


def with_evosax(right: Right, weights: int, nets: int, span: float, seed: int) -> tuple[Tensor, Tensor]:
    """evosax: the same by its RandomSearch, which minimises. All in JAX, but that `right` sieves nets in PyTorch."""
    jax, algorithm = library("jax"), _random_search(weights, nets, span)
    for_state, for_guesses, for_end = jax.random.split(jax.random.key(seed), 3)
    params = algorithm.default_params
    state = algorithm.init(for_state, np.zeros(weights, np.float32), params)
    population, state = algorithm.ask(for_guesses, state, params)
    guesses = torch.from_numpy(np.array(population).T.copy())
    found = right(guesses)
    algorithm.tell(for_end, population, jax.numpy.asarray(1 - found.float().numpy()), state, params)
    return guesses, found


@cache
def _random_search(weights: int, nets: int, span: float) -> Any:  # noqa: ANN401
    """The algorithm, which is compiled once."""
    uniform = partial(library("jax").random.uniform, shape=(weights,), minval=-span, maxval=span)
    solution = np.zeros(weights, np.float32)
    return library("evosax.algorithms").RandomSearch(nets, solution, sampling_fn=uniform)
