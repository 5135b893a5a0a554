"""Chapter adding: section 3 of the NIPS 1996 paper, under every reading and at each length, and its claims."""

from lltd.chapters.adding import readings, rivals
from lltd.chapters.adding.readings import (
    BUDGETS,
    CELLS,
    CHANGES,
    CRITERIA,
    LITERAL,
    NEAREST,
    OTHERS,
    READINGS,
)

__all__ = [
    "BUDGETS",
    "CELLS",
    "CHANGES",
    "CRITERIA",
    "LITERAL",
    "NEAREST",
    "OTHERS",
    "READINGS",
    "readings",
    "rivals",
]
