"""Parity nets of random search and what they answer, in plain torch: what the live figure is held against."""

import torch

from lltd import tasks
from lltd.kernels import guess

SEED, COUNT = 1996, 100
NET = guess.A1(1)
FIRST = 2243  # guesses that training set 0 takes


def drawn(trial):
    """Training and test set of a trial: inputs (200, T), lengths and classes (200)."""
    ids = torch.tensor([trial])
    data = tasks.parity(SEED, ids, first=0, count=2 * COUNT, shortest=500, longest=600)
    return data.inputs[:, :, 0, 0], data.lengths[:, 0], data.classes[:, 0]


def ids(trial, count):
    return trial * 2**32 + torch.arange(count)


def ends(theta, inputs, lengths):
    """The outputs at the ends of all sequences, (S, B), of nets theta (7, B), step by step in plain torch."""
    hx, h1, ho, hh, ox, oo, oh = theta
    h = o = end = torch.zeros(len(inputs), theta.shape[1], dtype=torch.float64)
    for t, x in enumerate(inputs.T, start=1):
        h = torch.sigmoid(hx * x[:, None] + h1 + ho * o + hh * h)
        o = torch.sigmoid(ox * x[:, None] + oo * o + oh * h)
        end = torch.where(lengths[:, None] == t, o, end)
    return end


def stood(theta, trial):
    """How many training sequences in a row each net has right: (B,)."""
    inputs, lengths, classes = drawn(trial)
    kept, count = torch.arange(theta.shape[1]), torch.zeros(theta.shape[1], dtype=torch.int64)
    for k in range(COUNT):  # the sieve: only the survivors see the next sequence
        if not len(kept):
            break
        output = ends(theta[:, kept], inputs[k : k + 1], lengths[k : k + 1])[0]
        kept = kept[(output - classes[k]).abs() < 0.1]
        count[kept] += 1
    return count


def weights(trial, count):
    return guess.weights(NET, SEED, ids(trial, count))
