"""How an error flows back through the memory cells of 1996: unweakened inside a cell, and past it where y is fed back.

The state of a net is what its hidden layer shows, y (H), and what its cells hold, s (J C). A step is
    s_t = s_{t-1} + y_in g(net_c),    y_t = (y_in, y_out, y_out h(s_t)) block by block,    net = W (y_{t-1}, x_t, 1),
so that ∂s_t/∂s_{t-1} = 1, and all else that an error can pass goes through three matrices:
    door = ∂s_t/∂y_{t-1},    shown = ∂y_t/∂s_t,    among = ∂y_t/∂y_{t-1} with s_t held.
Learning as of 1996 stops errors that reach a net input: of these paths it leaves `shown` at the last step alone.
Shapes and letters are those of `lltd.kernels.lstm96.reference`: B trials last. Source: [HS96] section 2; Hochreiter &
Schmidhuber 1997, appendix A.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lltd.kernels.lstm96 import reference
from lltd.kernels.lstm96.reference import Step, g, h


class Ways(NamedTuple):
    """What an error passes in one step beside the carousel: door (JC, H, B), shown (H, JC, B), among (H, H, B)."""

    door: Tensor
    shown: Tensor
    among: Tensor


class Errors(NamedTuple):
    """Slopes of a cost at the end in what there is at each step, all paths counted: y (T, H, B) and s (T, JC, B)."""

    y: Tensor
    s: Tensor


class Parts(NamedTuple):
    """What the gates let pass, of a step: y_in, y_out (J, 1, B), g(net_c), h(s) and both slopes g', h' (J, C, B)."""

    y_in: Tensor
    y_out: Tensor
    g_c: Tensor
    h_s: Tensor
    g_slope: Tensor
    h_slope: Tensor


def parts(step: Step) -> Parts:
    """The factors of the equations of a step, from its net inputs and states."""
    y_in, y_out = torch.sigmoid(step.net[:, :1]), torch.sigmoid(step.net[:, 1:2])
    g_c, h_s = g(step.net[:, 2:]), h(step.memory.s)
    return Parts(y_in, y_out, g_c, h_s, (4 - g_c**2) / 4, (1 - h_s**2) / 2)


def unfold(W: Tensor, inputs: Tensor, blocks: int, cells: int, lengths: Tensor | None = None) -> list[Step]:
    """Every step of sequences (T, I, B) that are aligned at their ends; before its own a trial is at rest, all zero.

    Raises ValueError when the shapes do not fit each other.
    """
    units, sources, trials = W.shape
    if units != blocks * (2 + cells) or inputs.shape[1:] != (sources - units - 1, trials):
        raise ValueError(
            f"W is {tuple(W.shape)} and inputs {tuple(inputs.shape)}: (H, H + I + 1, B) and (T, I, B) are needed, "
            f"with H = {blocks * (2 + cells)} for {blocks} blocks of {cells} cells"
        )
    memory, steps = reference.begin(W, blocks, cells), []
    for left, x in zip(range(len(inputs), 0, -1), inputs, strict=True):
        now = reference.step(W, memory, x)
        if lengths is not None:
            begun = left <= lengths
            still = (torch.where(begun, value, 0) for value in now.memory)
            now = Step(reference.Memory(*still), torch.where(begun, now.seen, 0), now.net)
        memory = now.memory
        steps.append(now)
    return steps


def ways(W: Tensor, step: Step) -> Ways:
    """The three matrices of one step, for each trial."""
    p, units = parts(step), len(W)
    blocks, cells, trials = step.memory.s.shape
    to = W[:, :units].unflatten(0, (blocks, 2 + cells))
    in_slope, out_slope = p.y_in * (1 - p.y_in), p.y_out * (1 - p.y_out)
    to_in, to_out = to[:, :1], to[:, 1:2]
    door = (p.y_in * p.g_slope)[:, :, None] * to[:, 2:] + (p.g_c * in_slope)[:, :, None] * to_in
    by_out = out_slope[:, :, None] * to_out
    among = torch.cat((in_slope[:, :, None] * to_in, by_out, p.h_s[:, :, None] * by_out), 1)
    shown = W.new_zeros(blocks, 2 + cells, blocks, cells, trials)
    for j in range(blocks):
        for c in range(cells):
            shown[j, 2 + c, j, c] = p.y_out[j, 0] * p.h_slope[j, c]
    return Ways(door.flatten(0, 1), shown.flatten(2, 3).flatten(0, 1), among.flatten(0, 1))


def jacobian(way: Ways) -> Tensor:
    """∂(y_t, s_t)/∂(y_{t-1}, s_{t-1}) of one step, (B, n, n) with n = H + J C: y first, as z, then s."""
    door, shown, among = (matrix.movedim(-1, 0) for matrix in way)
    one = torch.eye(door.shape[-2], dtype=door.dtype, device=door.device).expand(len(door), -1, -1)
    return torch.cat((torch.cat((among + shown @ door, shown), -1), torch.cat((door, one), -1)), -2)


def errors(all_ways: Sequence[Ways], e: Tensor, *, truncated: bool) -> Errors:
    """Errors of the steps 1 … T for slopes e (H, B) of the cost in y_T, at the end alone.

    With ε_y, ε_s for ∂E/∂y, ∂E/∂s:  ε_y(t) = doorᵀ ε_s(t+1) + amongᵀ ε_y(t+1),  ε_s(t) = ε_s(t+1) + shownᵀ ε_y(t).
    truncated: no error goes back through a net input, so that ε_y(t) = 0 before the end, and ε_s is constant.
    """
    y, s = [e], [_back(all_ways[-1].shown, e)]
    for later, now in zip(reversed(all_ways[1:]), reversed(all_ways[:-1]), strict=True):
        back = torch.zeros_like(e) if truncated else _back(later.door, s[-1]) + _back(later.among, y[-1])
        y.append(back)
        s.append(s[-1] + _back(now.shown, back))
    return Errors(torch.stack(y[::-1]), torch.stack(s[::-1]))


def by_autograd(W: Tensor, inputs: Tensor, blocks: int, cells: int, *, truncated: bool) -> Tensor:
    """∂E/∂s(t) of the steps 1 … T, (T, JC, B), by autograd, where E is the sum of all that the last step shows.

    truncated: what was shown sends no error back; it is this that makes ε_s constant in `errors`.
    """
    memory, states = reference.begin(W, blocks, cells), []
    memory.s.requires_grad_()
    for x in inputs:
        y = memory.y.detach() if truncated else memory.y
        memory = reference.step(W, memory._replace(y=y), x).memory
        states.append(memory.s)
    slopes = torch.autograd.grad(memory.y.sum(), states)
    return torch.stack(slopes).flatten(1, 2)


def gradient(steps: Sequence[Step], errors: Errors) -> Tensor:
    """∂E/∂W (H, F, B) from the errors: every weight by what it changes directly at each step, summed over steps."""
    total = 0.0
    for step, y, s in zip(steps, errors.y, errors.s, strict=True):
        p, shape = parts(step), step.memory.s.shape
        e_y, e_s = y.unflatten(0, (shape[0], 2 + shape[1])), s.unflatten(0, shape[:2])
        at_in = p.y_in * (1 - p.y_in) * (e_y[:, :1] + (p.g_c * e_s).sum(1, keepdim=True))
        at_out = p.y_out * (1 - p.y_out) * (e_y[:, 1:2] + (p.h_s * e_y[:, 2:]).sum(1, keepdim=True))
        at_cell = p.y_in * p.g_slope * e_s
        delta = torch.cat((at_in, at_out, at_cell), 1).flatten(0, 1)  # ∂E/∂net
        total = total + delta[:, None] * step.seen
    return total


def _back(matrix: Tensor, error: Tensor) -> Tensor:
    return torch.einsum("kib,kb->ib", matrix, error)
