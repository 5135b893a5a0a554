"""Chapter lstm: section 2 of the NIPS 1996 paper, the experiments it refers to, and its claims."""

from lltd.chapters.lstm import experiments
from lltd.chapters.lstm.experiments import MULTIPLICATION, ORDER

__all__ = ["MULTIPLICATION", "ORDER", "experiments"]
