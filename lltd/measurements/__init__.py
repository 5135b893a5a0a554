"""What the kernels cost, beside how they do in races: a module for each measurement, with `measure` and `table`.

measure(repeats) returns rows of numbers and words, as they are stored; table(rows) makes lines to read of them.
"""

from types import ModuleType

from lltd.measurements import cores, costs, gpu, memory, roofline, start

MEASUREMENTS: dict[str, ModuleType] = {
    "costs": costs,
    "roofline": roofline,
    "cores": cores,
    "start": start,
    "memory": memory,
    "gpu": gpu,
}
