"""How the flip-flop learns the minimal task without a gradient. [BFS93] section IV.

The unit hears u_t = w i_t. The first L inputs i_t = h_t of each class are learnt, the later ones are uniform noise.
Where a sequence ends wrong, the change Δf that its end should make goes back as wanted changes Δu_t, and
    Δh_t = rate · credit_t · Δu_t · w,    Δw = rate · Σ_t credit_t · Δu_t · i_t,
the delta rule on u. Letters: T length, L lead, B runs; h (L, 2, B) for class 0 and 1, w (B,).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lltd.kernels.latch import initial
from lltd.philox import Purpose, uniform
from lltd.systems import flip_flop
from lltd.systems.batches import Batch, Settings, alike, each

CREDITS = ("all steps", "learnable steps", "one in all", "unshared")
LEVELS = {
    "half-width": 1.0,
    "standard deviation": math.sqrt(3),
    "width": 0.5,
}  # noise is U[-a, a], a = f · level
STARTS = ("zero", "random")
ENDINGS = ("for good", "clean epoch")
NEVER = -1
PER_RUN = ("noise", "rate", "margin", "weight")  # settings in which runs that are trained together may differ


@dataclass
class Learner(Batch):
    """Runs in training that share all settings but those of `PER_RUN`.

    common: length, lead, level, credit, start, ending, learn_weight, pairs (of sequences in an epoch), fresh (new
    noise in each epoch), in_turn (a change after each sequence, not after each pair), epochs (the budget). ids,
    reach (the largest |noise|), rate, margin (k), w: (B,). h: (L, 2, B). epoch: how many have been trained.
    """

    seed: int
    common: Settings
    ids: Tensor
    reach: Tensor
    rate: Tensor
    margin: Tensor
    w: Tensor
    h: Tensor
    epoch: int = 0

    @classmethod
    def start(cls, seed: int, ids: Tensor, settings: Sequence[Settings]) -> "Learner":
        """Runs before their first epoch, from the initial inputs of the tanh neuron; one settings for each run."""
        for setting in settings:
            check(setting)
        common = settings[0]
        noise, rate, margin, weight = (each(settings, name, ids.device) for name in PER_RUN)
        h = initial(seed, ids, weight, common["lead"])[1:].unflatten(0, (2, -1)).transpose(0, 1)
        return cls(seed, common, ids, LEVELS[common["level"]] * noise, rate, margin, weight, h)

    def present(self, number: int) -> tuple[Tensor, Tensor]:
        """Starts x_1, (2, B), and inputs i_1 … i_T, (T, 2, B), of a presentation: one sequence of each class."""
        steps = self.common["length"] - self.common["lead"]
        noise = self.reach * uniform_noise(self.seed, self.ids, number, steps)
        x = torch.zeros_like(self.h[0])
        if self.common["start"] == "random":
            x = torch.sign(uniform(self.seed, self.ids, number, Purpose.TASK)[:2] - 0.5)
        return x, torch.cat((self.h, noise))

    def train(self) -> Tensor:
        """One epoch of learning; whether all its sequences had ended right before any change, bool (B,)."""
        right, pairs = torch.ones_like(self.w, dtype=torch.bool), self.common["pairs"]
        for number in range(pairs):
            x, inputs = self.present(number + (self.epoch * pairs if self.common["fresh"] else 0))
            for classes in (slice(0, 1), slice(1, 2)) if self.common["in_turn"] else (slice(0, 2),):
                right &= self.learn(classes, x, inputs)
        self.epoch += 1
        return right

    def learn(self, classes: slice, x: Tensor, inputs: Tensor) -> Tensor:
        """Change h and w by the sequences of these classes; whether they had ended right, bool (B,)."""
        states = flip_flop.unfold(x[classes], self.w * inputs[:, classes])
        df = torch.tensor([[-1.0], [1.0]], dtype=x.dtype, device=x.device)[classes] - states[-1]
        row, run = torch.nonzero(df, as_tuple=True)  # the sequences that ended wrong
        i = inputs[:, classes][:, row, run]
        u = self.w[run] * i
        _, du = flip_flop.send_back(df[row, run], states[:, row, run], u, self.margin[run])
        credit = flip_flop.credit(u)
        shares = shared(credit, u, self.common["lead"], self.common["credit"])
        self.h[:, row + classes.start, run] += (
            self.rate[run] * self.w[run] * shares * du[: self.common["lead"]]
        )
        if self.common["learn_weight"]:  # summed row by row: a run's sum is the same alone and among others
            pull = torch.zeros_like(df)
            pull[row, run] = self.rate[run] * sum(credit * du * i)
            self.w = self.w + pull.sum(0)
        return (df == 0).all(0)

    def settled(self) -> Tensor:
        """Whether no noise of this reach can make a sequence of any length end wrong any more, bool (B,).

        So it is when the learnt inputs put the state right and w times noise stays within the thresholds.
        """
        ends = [
            flip_flop.unfold(torch.full_like(self.h[0], x), self.w * self.h)[-1]
            for x in ((0.0,) if self.common["start"] == "zero" else (-1.0, 1.0))
        ]
        placed = torch.stack([(end[0] < 0) & (end[1] > 0) for end in ends]).all(0)
        noiseless = self.common["length"] == self.common["lead"]
        return placed & ((self.w.abs() * self.reach <= 1) | noiseless)


def epochs_to_success(seed: int, ids: Tensor, settings: Sequence[Settings]) -> Tensor:
    """How many epochs each run has trained when it has converged, int64 (B,); NEVER beyond its budget.

    ending "for good": `settled` held after them; "clean epoch": all sequences of the next epoch ended right.
    Raises ValueError for settings out of range.
    """
    epochs = torch.full((len(ids),), NEVER, dtype=torch.int64, device=ids.device)
    for rows in alike(settings, PER_RUN):
        runs = Learner.start(seed, ids[rows], [settings[row] for row in rows])
        waiting = torch.tensor(rows, device=ids.device)
        for epoch in range(runs.common["epochs"] + 1):
            done = runs.settled() if runs.common["ending"] == "for good" else runs.train()
            epochs[waiting[done]] = epoch
            waiting = waiting[~done]
            runs.keep(~done)
            if not len(waiting):
                break
            if runs.common["ending"] == "for good":
                runs.train()
    return epochs


def epochs_of_fixed_weight(rate: float, margin: float, share: float) -> int:
    """Epochs until class 0 ends right with w = 1 fixed, x_1 = 0, inputs that start at 0 and harmless noise.

    A learnt input of class 0 is -(1 + k)(1 - (1 - rate · share)^m) after m epochs, as long as this is above -1, with
    k = margin and share its weight of credit. Raises ValueError unless all three are positive.
    """
    for name, value in (("rate", rate), ("margin", margin), ("share", share)):
        if not value > 0:
            raise ValueError(f"{name} is {value}: a positive number is needed")
    if rate * share * (1 + margin) >= 1:
        return 1
    return math.ceil(math.log(margin / (1 + margin)) / math.log1p(-rate * share))


def shared(printed: Tensor, u: Tensor, lead: int, rule: str) -> Tensor:
    """Weights of the learning rate of the learnable inputs, (L, …), from the printed ones of all inputs u, (T, …).

    "all steps": as printed, 0.5/n for the last n. "learnable steps": 0.5/m for the m of the last n that can be
    learnt. "one in all": as printed, but 1/n where no input set the state. "unshared": 1 for each. The change of the
    weight w has the printed weights under every rule.
    """
    first = printed[:lead]
    if rule == "all steps":
        return first
    if rule == "unshared":
        return torch.ones_like(first)
    held = flip_flop.holding(u)[:lead]
    if rule == "one in all":
        return first * (1 + held[0])  # held[0]: all inputs held, so that none set the state
    return torch.where(held > 0, 0.5 / held.sum(0).clamp(min=1), first)


def uniform_noise(seed: int, ids: Tensor, presentation: int, steps: int) -> Tensor:
    """Noise U(-1, 1) of one presentation for both classes, (steps, 2, B).

    Of the four words of a Philox block two serve one step, and two the next.
    """
    blocks = -(-steps // 2)
    addresses = presentation * blocks + torch.arange(blocks, device=ids.device)
    words = uniform(seed, ids, addresses[:, None], Purpose.NOISE)  # (4, blocks, B)
    return 2 * words.unflatten(0, (2, 2)).movedim(2, 0).flatten(0, 1)[:steps] - 1


def check(settings: Settings) -> None:
    """Raise ValueError, naming setting and value, unless a flip-flop can be trained under these settings."""
    lead, length = settings["lead"], settings["length"]
    if lead < 1:
        raise ValueError(f"lead is {lead}: at least one input must be learnable")
    if length < lead:
        raise ValueError(f"length is {length}, shorter than lead = {lead}: T >= L is needed")
    for name, what in (("epochs", "a budget of at least one"), ("pairs", "at least one pair of sequences")):
        if settings[name] < 1:
            raise ValueError(f"{name} is {settings[name]}: {what} is needed")
    for name, least in (("rate", "more than 0"), ("margin", "more than 0"), ("noise", "0 or more")):
        value = settings[name]
        if not math.isfinite(value) or value < 0 or (value == 0 and name != "noise"):
            raise ValueError(f"{name} is {value}: a finite number, {least}, is needed")
    if not math.isfinite(settings["weight"]) or settings["weight"] == 0:
        raise ValueError(f"weight is {settings['weight']}: a finite number other than 0 is needed")
    known = {"credit": CREDITS, "level": LEVELS, "start": STARTS, "ending": ENDINGS}
    for name, words in known.items():
        if settings[name] not in words:
            raise ValueError(f"{name} is {settings[name]!r}: one of {', '.join(words)} is needed")
