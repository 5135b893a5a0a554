"""Chapter random_search: section 1 of the NIPS 1996 paper, its rows under every reading, and its claims."""

from lltd.chapters.random_search import certainty, contest, outcomes, results
from lltd.chapters.random_search.contest import ROWS
from lltd.chapters.random_search.outcomes import (
    allows,
    bands,
    densities,
    density,
    found,
    reading,
    readings,
    waits,
)

__all__ = [
    "ROWS",
    "allows",
    "bands",
    "certainty",
    "contest",
    "densities",
    "density",
    "found",
    "outcomes",
    "reading",
    "readings",
    "results",
    "waits",
]
