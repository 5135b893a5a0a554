"""Chapter lstm: section 2 of the NIPS 1996 paper, the experiments it refers to, and its claims."""

from lltd.chapters.lstm import anatomy, experiments, outcomes, results
from lltd.chapters.lstm.anatomy import ABLATIONS, FORGET_BIASES, GRADIENTS, LENGTHS
from lltd.chapters.lstm.experiments import MULTIPLICATION, ORDER, RANDOM_ORDER
from lltd.chapters.lstm.outcomes import PRINTED, Trials, found, of

__all__ = [
    "ABLATIONS",
    "FORGET_BIASES",
    "GRADIENTS",
    "LENGTHS",
    "MULTIPLICATION",
    "ORDER",
    "PRINTED",
    "RANDOM_ORDER",
    "Trials",
    "anatomy",
    "experiments",
    "found",
    "of",
    "outcomes",
    "results",
]
