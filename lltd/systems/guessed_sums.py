"""Random search on the adding problem: Elman nets with guessed weights, each dropped at its first mistake."""

import torch
from torch import Tensor

from lltd.kernels.lstm96 import Task
from lltd.philox import Purpose
from lltd.systems import elman, random_search
from lltd.systems.batches import Settings
from lltd.systems.lessons import draw, from_begin
from lltd.systems.random_search import GUESSES, TOGETHER, Lessons


def stood(seed: int, trial: int, setting: Settings) -> Tensor:
    """How many sequences of the trial's training set each guess has right before its first mistake: int64 (guesses,).

    setting: length T, first_pair, sequences of the training set, hidden units, span of the weights, tolerance, guesses.
    Raises ValueError. Source: [HS96] sections 1 and 3.
    """
    if not 1 <= setting["guesses"] <= GUESSES:
        raise ValueError(f"guesses is {setting['guesses']}: between 1 and {GUESSES} are possible")
    if not (setting["tolerance"] > 0 and setting["span"] > 0):
        raise ValueError(
            f"tolerance is {setting['tolerance']} and span is {setting['span']}: positive numbers are needed"
        )
    task, net = Task("adding", setting["length"], setting["first_pair"]), elman.net(setting["hidden"])
    ids = torch.tensor([trial])
    shown = draw(task, seed, ids, 0, setting["sequences"], Purpose.TASK, torch.float32)
    lessons = Lessons(from_begin(shown)[..., 0], shown.lengths[:, 0], 2 * shown.targets[:, 0] - 1)
    limits = {"span": setting["span"], "tolerance": 2 * setting["tolerance"]}
    return torch.cat(
        [
            random_search.stood(net, seed, trial * GUESSES + some, lessons, **limits)
            for some in torch.arange(setting["guesses"]).split(TOGETHER["cpu"])
        ]
    )
