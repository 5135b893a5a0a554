"""Chapter adding: section 3 of the NIPS 1996 paper, under every reading and at each length, its rivals, its claims."""

from lltd.chapters.adding import outcomes, results, rival_results, rivals
from lltd.chapters.adding.outcomes import PRINTED, STOP, Trials, address, at, changed, found
from lltd.chapters.adding.readings import (
    BUDGETS,
    CELLS,
    CHANGES,
    CRITERIA,
    LITERAL,
    NEAREST,
    NETS,
    OTHERS,
    OUTPUTS,
    READINGS,
)

__all__ = [
    "BUDGETS",
    "CELLS",
    "CHANGES",
    "CRITERIA",
    "LITERAL",
    "NEAREST",
    "NETS",
    "OTHERS",
    "OUTPUTS",
    "PRINTED",
    "READINGS",
    "STOP",
    "Trials",
    "address",
    "at",
    "changed",
    "found",
    "outcomes",
    "results",
    "rival_results",
    "rivals",
]
