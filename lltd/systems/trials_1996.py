"""The tasks and nets of random search in 1996, with settings for what the papers leave open: one trial, or many.

A trial draws its training set and its test set, guesses until a net has the whole training set right, and shows that
net both sets again in double precision. Sources: [HS96] section 1; for the two latch problems and for parity in noise
Schmidhuber, Hochreiter & Bengio 2001. What they do not say is a setting, see COMMON.
"""

from collections.abc import Collection
from dataclasses import replace

import torch
from torch import Tensor

from lltd.kernels.guess import A1, A2, ORDERS, Topology
from lltd.kernels.small_net import Net
from lltd.systems import small_nets
from lltd.systems.batches import Settings
from lltd.systems.random_search import (
    GUESSES,
    Found,
    Lessons,
    answers,
    lessons,
    presentations,
    search,
    weights,
)
from lltd.tasks import Sequences, latch_sequences, parity, tomita, two_sequence

# One tanh unit that sees the input, itself and 1: the second latch problem of 2001.
LATCH_II = Net(units=1, inputs=1, output=0, wiring=((0, 2), (0, 0), (0, 3)))
NETS: dict[str, Topology | Net] = {
    **{f"A1, n = {n}": A1(n) for n in (1, 2, 3)},
    "A2": A2,
    "A2, no loops": replace(A2, loops=False),
    "one logistic unit": Topology(0, output_bias=True),
    "one tanh unit, inputs learnt": small_nets.LATCH,
    "one tanh unit": LATCH_II,
}
TASKS = ("latch", "two_sequence", "parity", "tomita")
WIRING = ("dense", "loops", "output_bias", "output_loop", "direct", "order")  # of a `Topology`

# Settings of a trial beside task, net and budget, as printed where they are printed.
COMMON: Settings = {
    "language": None,  # of Tomita's seven
    "negatives": "random",  # how strings outside the language are drawn: not printed
    "noise": 0.0,
    "kind": "gaussian",
    "shortest": 500,
    "longest": 600,
    "lessons": 100,
    "tests": 100,
    "low": 0.0,  # target of class 0, and of class 1
    "high": 1.0,
    "tolerance": 0.1,
    "span": 100.0,  # weights are uniform in ±span
    "zero": -1.0,  # the input that stands for 0
    "late": False,  # is the output read one step after the last input, the input then being 0?
    "set": None,  # whose training set; None: the trial's own
}
EXAMINED = ("confirmed", "worst", "right", "error", "test_worst")  # of the net found
OUTCOMES = ("guesses", "solved", "presentations", *EXAMINED)


def complete(setting: Settings) -> Settings:
    """The setting with every one of COMMON, and those of WIRING that it changes. Raises ValueError for others."""
    known = {"task", "net", "budget", *COMMON, *WIRING}
    if unknown := set(setting) - known:
        raise ValueError(f"setting {', '.join(sorted(unknown))}: {', '.join(sorted(known))} are known")
    whole = {**COMMON, **setting}
    for name, allowed in (("task", TASKS), ("net", NETS), ("order", ORDERS)):
        if name in whole and whole[name] not in allowed:
            raise ValueError(f"{name} is {whole[name]!r}: one of {', '.join(allowed)} is needed")
    return whole


def net(setting: Settings) -> Topology | Net:
    """The net of a setting. Raises ValueError for a change that its kind of net does not have."""
    changed = {name: setting[name] for name in WIRING if name in setting}
    chosen = NETS[setting["net"]]
    if changed and isinstance(chosen, Net):
        raise ValueError(f"{', '.join(changed)} is set: {setting['net']!r} has no such choice")
    return replace(chosen, **changed)


def sequences(seed: int, ids: Tensor, setting: Settings, first: int, count: int) -> Sequences:
    """Sequences first … first + count - 1 of these trials' sets. Raises ValueError."""
    window = {name: setting[name] for name in ("shortest", "longest")} | {"first": first, "count": count}
    noise = {"noise": setting["noise"], "kind": setting["kind"]}
    if setting["task"] == "latch":
        drawn = latch_sequences(seed, ids, **window, **noise)
    elif setting["task"] == "two_sequence":
        drawn = two_sequence(seed, ids, patterns=torch.tensor([[-1.0, 1.0]]), **window, **noise)
    elif setting["task"] == "parity":
        drawn = parity(seed, ids, **window, **noise)
    else:
        drawn = tomita(seed, ids, number=setting["language"], negatives=setting["negatives"], **window)
    inputs = drawn.inputs
    if setting["zero"] != -1:
        inside = (
            torch.arange(inputs.shape[1], device=ids.device)[:, None, None] < drawn.lengths[:, None, None]
        )
        inputs = torch.where(inside, setting["zero"] + (1 - setting["zero"]) * (inputs + 1) / 2, 0)
    if setting["late"]:
        return Sequences(
            torch.cat((inputs, torch.zeros_like(inputs[:, :1])), 1), drawn.lengths + 1, drawn.classes
        )
    return drawn._replace(inputs=inputs)


def trials(
    seed: int, ids: Tensor, setting: Settings, wanted: Collection[str] = OUTCOMES
) -> dict[str, Tensor]:
    """Make the trials ids, int64 (B,), of one setting.

    Returns those outcomes that are wanted, each (B,): guesses, how many were made; solved, whether the last one had
    the whole training set right; presentations of a sequence; and of the net found, in double precision: confirmed,
    whether it still has the training set right; worst, its largest error there; right, how many tests it has right;
    error and test_worst, its mean and largest error on them. These are 0 or False where none was found. Raises
    ValueError.
    """
    if unknown := set(wanted) - set(OUTCOMES):
        raise ValueError(f"wanted has {', '.join(sorted(unknown))}: {', '.join(OUTCOMES)} are possible")
    setting = complete(setting)
    chosen, owners = net(setting), ids if setting["set"] is None else torch.full_like(ids, setting["set"])
    examine = not set(wanted).isdisjoint(EXAMINED)
    shown = sequences(seed, owners, setting, 0, setting["lessons"])
    tests = sequences(seed, owners, setting, setting["lessons"], setting["tests"]) if examine else None
    rows = []
    for b, run in enumerate(ids.tolist()):
        lesson = lessons(shown, b, setting["low"], setting["high"])
        given = {name: setting[name] for name in ("span", "tolerance")}
        found = search(chosen, seed, run, lesson, budget=setting["budget"], **given)
        row = found._asdict()
        if "presentations" in wanted:
            row["presentations"] = presentations(chosen, seed, run, lesson, found.guesses, **given)
        if tests is not None:
            test = lessons(tests, b, setting["low"], setting["high"])
            row |= examined(seed, run, chosen, setting, found, lesson, test)
        rows.append(row)
    return {name: torch.tensor([row[name] for row in rows], device=ids.device) for name in wanted}


def examined(
    seed: int,
    run: int,
    chosen: Topology | Net,
    setting: Settings,
    found: Found,
    shown: Lessons,
    tests: Lessons,
) -> dict[str, float]:
    """What the net found is worth in double precision, see `trials`."""
    if not found.solved:
        return {"confirmed": False, "worst": 0.0, "right": 0, "error": 0.0, "test_worst": 0.0}
    last = torch.tensor([run * GUESSES + found.guesses - 1], device=shown.lengths.device)
    theta = weights(chosen, seed, last, setting["span"], torch.float64)
    errors, test_errors = (
        (answers(chosen, theta, part)[:, 0] - part.targets.to(theta)).abs() for part in (shown, tests)
    )
    return {
        "confirmed": bool((errors < setting["tolerance"]).all()),
        "worst": float(errors.max()),
        "right": int((test_errors < setting["tolerance"]).sum()),
        "error": float(test_errors.mean()),
        "test_worst": float(test_errors.max()),
    }
