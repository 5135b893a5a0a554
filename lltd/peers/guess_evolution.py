"""Random search by libraries for evolution: each draws a population of its own and takes its fitness.

The fitness of a net is 1 if it has all sequences right, else 0. right(theta (P, nets)) says which, bool (nets).
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lltd.peers import library

Right = Callable[[Tensor], Tensor]


def with_evotorch(right: Right, weights: int, nets: int, span: float, seed: int) -> tuple[Tensor, Tensor]:
    """EvoTorch: the guesses (P, nets), and which are right. It has no algorithm that only guesses, but a Problem draws.

    Its fitness is vectorised, and in PyTorch.
    """
    problem = library("evotorch").Problem(
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
    """evosax: the same by its RandomSearch, which minimises. Its fitness is in JAX, but for the sieve."""
    random, search = library("jax").random, library("evosax.algorithms").RandomSearch
    algorithm = search(
        population_size=nets,
        solution=np.zeros(weights, np.float32),
        sampling_fn=lambda key: random.uniform(key, (weights,), minval=-span, maxval=span),
    )
    for_state, for_guesses, for_end = random.split(random.key(seed), 3)
    state = algorithm.init(for_state, np.zeros(weights, np.float32), algorithm.default_params)
    population, state = algorithm.ask(for_guesses, state, algorithm.default_params)
    guesses = torch.from_numpy(np.array(population).T.copy())
    found = right(guesses)
    fitness = library("jax").numpy.asarray(1 - found.float().numpy())
    algorithm.tell(for_end, population, fitness, state, algorithm.default_params)
    return guesses, found
