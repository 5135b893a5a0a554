"""The LSTM of 1996 on the 2-sequence problem, trained until a test goes well: many trials side by side.

Source: Hochreiter & Schmidhuber 1997, experiments 3a, 3b and 3c. How often a net is tested they do not say, nor whether
on new sequences each time; here they are new, as a test with too much noise in it would never be passed.
"""

import torch
from torch import Tensor

from lltd.kernels import lstm96 as kernel
from lltd.kernels.lstm96 import Task, Topology
from lltd.systems.batches import Settings

# A test is passed with at most so many wrong sequences, and a mean absolute error below; no error reaches 1.
STOPS = {
    "3a": ({"wrong": 0, "below": 1.0}, {"wrong": 0, "below": 0.01}),
    "3b": ({"wrong": 5, "below": 1.0}, {"wrong": 5, "below": 0.04}),
    "3c": ({"wrong": 0, "below": 0.015},),
}
# Settings of a trial beside length T and budget, as printed where they are printed.
COMMON: Settings = {
    "elements": 1,
    "noisy": "rest",
    "rate": 1.0,
    "span": 0.1,
    "input_gate_bias": (-1.0, -3.0, -5.0),
    "output_gate_bias": (-2.0, -4.0, -6.0),
    "tolerance": 0.2,  # a sequence is right if its error is below
    "every": 1000,  # sequences from one test to the next: not printed
    "tests": 256,
    "final": 2560,
    "stops": STOPS["3a"],
}
NET = Topology(blocks=3, cells=1, output_bias=False, inputs=1)  # with the 102 weights that are printed


def complete(setting: Settings) -> Settings:
    """The setting with every one of COMMON. Raises ValueError, naming what is wrong, missing or unknown."""
    known = {"length", "budget", *COMMON}
    if unknown := set(setting) - known:
        raise ValueError(f"setting {', '.join(sorted(unknown))}: {', '.join(sorted(known))} are known")
    whole = {**COMMON, **setting}
    for name in ("length", "budget", "every", "tests", "final"):
        if not isinstance(whole.get(name), int) or whole[name] < 1:
            raise ValueError(f"{name} is {whole.get(name)}: a whole number, 1 or more, is needed")
    for name in ("rate", "tolerance"):
        if not 0 < whole[name] < float("inf"):
            raise ValueError(f"{name} is {whole[name]}: a positive number is needed")
    if whole["budget"] % whole["every"]:
        raise ValueError(
            f"budget is {whole['budget']}: a multiple of {whole['every']}, as tests come, is needed"
        )
    if not whole["stops"]:
        raise ValueError("stops is empty: at least one is needed")
    task(whole)
    return whole


def task(setting: Settings) -> Task:
    """The task of a complete setting. Raises ValueError."""
    own = {name: setting[name] for name in ("length", "elements", "noisy")}
    return Task("two-sequence", **own)


def trials(
    seed: int, ids: Tensor, setting: Settings, dtype: torch.dtype = torch.float32
) -> dict[str, Tensor]:
    """Make the trials ids, int64 (B,), of one setting: each goes on until it has passed for all S stops, or is cut.

    Returns, of (B, S): sequences until the test was passed, or those shown where it was not; met; wrong, how many of
    the final sequences, and absolute, their mean error, against targets without noise: all, and nan, after divergence.
    Of (B): diverged, whether a weight left ±2^16. Raises ValueError or TypeError.
    """
    setting = complete(setting)
    shape, chosen, many = (len(setting["stops"]), len(ids)), task(setting), setting["every"]
    own = {name: setting[name] for name in ("span", "input_gate_bias", "output_gate_bias")}
    theta = kernel.initial(NET, seed, ids, **own, dtype=dtype)
    sequences = torch.zeros(shape, dtype=torch.int64, device=ids.device)
    met, passed = sequences.bool(), theta.expand(shape[0], -1, -1).clone()
    looks = setting["budget"] // many
    for look in range(looks):
        live = (~met.all(0) & theta.isfinite().all(0)).nonzero()[:, 0]
        if not len(live):
            break
        count = torch.full_like(live, many)
        options = {"first": look * count, "count": count, "rate": setting["rate"]}
        theta[:, live], _ = kernel.train(NET, chosen, seed, ids[live], theta[:, live], **options)
        sequences[:, live] += torch.where(met[:, live], 0, many)
        passed[..., live] = torch.where(met[:, None, live], passed[..., live], theta[:, live])
        window = {"first": look * setting["tests"], "count": setting["tests"]}
        wrong, absolute = _judged(seed, ids[live], setting, theta[:, live], **window)
        for stop, done in zip(setting["stops"], met, strict=True):
            done[live] |= (wrong <= stop["wrong"]) & (absolute < stop["below"])
    window = {"first": looks * setting["tests"], "count": setting["final"]}
    final = [_judged(seed, ids, setting, stopped, **window) for stopped in passed]
    wrong, absolute = (torch.stack(values, 1) for values in zip(*final, strict=True))
    diverged = theta.isnan().any(0) & ~met.all(0)
    return {
        "sequences": sequences.T,
        "met": met.T,
        "wrong": wrong,
        "absolute": absolute,
        "diverged": diverged,
    }


def _judged(
    seed: int, ids: Tensor, setting: Settings, theta: Tensor, first: int, count: int
) -> tuple[Tensor, Tensor]:
    """How many of these tests are wrong, and their mean error, both (B)."""
    errors = kernel.examine(NET, task(setting), seed, ids, theta, first=first, count=count).double()
    return count - (errors < setting["tolerance"]).sum(0), errors.cumsum(0)[-1] / count
