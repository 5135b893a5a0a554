"""Some runs of the stored results are computed again here and compared with what is stored."""

import numpy as np
import pytest

from lltd import audit, experiments

RUNS = {  # of a result, or of each of a chapter's; more where a run takes little time
    "dilemma": 40,
    "error_flow": 6,
    "flip_flop/grid": 16,
    "flip_flop/readings": 6,
    "minimal_task": 24,
    "minimal_task/epochs": 2,
    "minimal_task/survival": 2,
}
FEWEST = 2
# A single run takes minutes: it learns step by step in torch, or long sequences. `make audit` recomputes these too.
STEPPED = {f"lstm/{name}" for name in ("fixed_order", "random_order", "long_lag", "gradients", "forget_gate")}
LONG = STEPPED | {f"adding/{name}_{T}" for name in ("nearest", "literal", "others") for T in (500, 1000)}
WAITS = ("sequences", "guesses", "presentations")  # arrays that tell how long a run took, -1 if to the end
STORED = [
    work
    for work in experiments.select(None)
    if work.recipe.name not in LONG and experiments.path_of(work.recipe).exists()
]


def chosen(work, count):
    """Runs at random; where the record or a rival's recipe says how long runs took, those of 64 that took least."""
    record, recipe = experiments.read(work.recipe.name), work.recipe
    waits = next((record[name] for name in WAITS if name in record.arrays), None)
    if waits is None and recipe.name.startswith("adding/rivals"):
        waits = np.array([recipe.settings(run)["length"] for run in range(recipe.runs)])
    if waits is None:
        return audit.draw(work, count, 17)
    ids = audit.draw(work, 64, 17)
    taken = waits[ids].reshape(len(ids), -1).astype(float)
    taken[taken < 0] = np.inf
    return sorted(ids[place] for place in taken.max(axis=1).argsort(kind="stable")[:count])


@pytest.mark.parametrize("work", STORED, ids=lambda work: work.recipe.name)
def test_stored_results_are_recomputed_here(work):
    name = work.recipe.name
    count = RUNS.get(name, RUNS.get(name.split("/")[0], FEWEST))
    assert audit.sample(work, chosen(work, count)).findings == []
