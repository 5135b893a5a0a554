"""How far gates stand open, against a plain loop."""

import pytest
import torch

from lltd.analysis.gate_activity import gate_activity
from lltd.kernels import lstm96 as kernel
from lltd.kernels.lstm96 import Task, Topology, reference
from lltd.philox import Purpose

NET, TASK, SEED = Topology(), Task(length=20), 5


def test_activity_is_that_of_each_step():
    ids = torch.tensor([3, 8])
    theta = kernel.initial(NET, SEED, ids, span=1.0)
    found = gate_activity(NET, TASK, SEED, ids, theta, count=5)
    for b, run in enumerate(ids.tolist()):
        parts = [[], [], [], []]
        for n in range(5):
            one = kernel.sequences(TASK, SEED, torch.tensor([run]), torch.tensor([n]), purpose=Purpose.TEST)
            W, _ = NET.layers(theta[:, b : b + 1])
            memory = reference.begin(W, 2, 2)
            rows = one.inputs[-int(one.lengths) :]
            for t, x in enumerate(rows):
                memory = reference.step(W, memory, x).memory
                y_in, y_out = memory.y[[0, 4]].mean(), memory.y[[1, 5]].mean()
                parts[0 if x[1] == 1 else 1].append(y_in)
                parts[2 if t == len(rows) - 1 else 3].append(y_out)
        for value, expected in zip(found, parts, strict=True):
            torch.testing.assert_close(value[b], torch.stack(expected).mean())


def test_bad_arguments_are_named():
    ids = torch.arange(2)
    net = Topology(inputs=8, outputs=4)
    with pytest.raises(ValueError, match="task is 'order of two': one with marked values"):
        gate_activity(net, Task("order of two"), SEED, ids, kernel.initial(net, SEED, ids))
    with pytest.raises(ValueError, match="count is 0"):
        gate_activity(NET, TASK, SEED, ids, kernel.initial(NET, SEED, ids), count=0)
