"""The three requirements of [BFS93] section I, measured on a one-state memory: three lights, on or off.

A system should (1) store a bit for as long as it is asked to, (2) keep it when the input goes on as noise,
and (3) be able to learn to do so. The thresholds that switch the lights are ours.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from lltd.systems import memory_units
from lltd.systems.memory_units import MemoryUnit

SILENT_STEPS = 1000  # "arbitrary duration", made finite
MARGIN = 0.2  # a trace smaller than one step's noise cannot be read; the noise of [BFS93] Fig. 2b
SHARE = 0.99  # of the noise draws must end on their bit's side
DECADES = -3.0  # a gradient a thousand times smaller than that of the first step counts as lost


@dataclass(frozen=True)
class Lights:
    """What one unit does with the bit, and whether that is enough."""

    margin: float  # half the distance between the two bits' states after SILENT_STEPS without noise
    right: int  # noise draws whose final state has the sign of their bit
    draws: int
    decades: float  # median over the draws of log10 |dx_T / du_1|

    @property
    def stores(self) -> bool:
        """Requirement 1: without noise the bit can still be read."""
        return self.margin >= MARGIN

    @property
    def resists(self) -> bool:
        """Requirement 2: with noise it can still be read, nearly always."""
        return self.right >= SHARE * self.draws

    @property
    def learns(self) -> bool:
        """Requirement 3, as far as a gradient can serve it: the end still depends on the beginning."""
        return self.decades >= DECADES


def right(unit: MemoryUnit, tape: Tensor) -> int:
    """Count the tapes (T, draws) at whose end the unit's state has the sign of the bit u_1."""
    return int((memory_units.run(unit, tape)[-1] * tape[0] > 0).sum())


def lights(unit: MemoryUnit, tape: Tensor) -> Lights:
    """Switch the three lights of one unit, from noisy tapes (T, draws) and from a silent one."""
    silent = torch.zeros(SILENT_STEPS, 2, dtype=tape.dtype)
    silent[0] = torch.tensor([1.0, -1.0])
    kept = memory_units.run(unit, silent)[-1]
    decades = memory_units.gradient_decades(unit, memory_units.run(unit, tape))
    return Lights(((kept[0] - kept[1]) / 2).item(), right(unit, tape), tape.shape[1], decades.median().item())
