"""What the LSTM of 1996 is shown, on a GPU: the same tasks as tasks.py, drawn by the same numbers, in Triton.

Whole numbers are int32 (BLOCK), real ones have the type of `zero`, which is 0 (BLOCK).
"""

import triton
import triton.language as tl

from lltd.kernels.lanes import constant, uniform
from lltd.kernels.lstm96 import tasks

SERVED = (tasks.ADDING, tasks.MULTIPLICATION, tasks.ORDER_OF_TWO, tasks.ORDER_OF_THREE)
ADDING, MULTIPLICATION = tl.constexpr(tasks.ADDING), tl.constexpr(tasks.MULTIPLICATION)
ORDER_OF_TWO, UNMARKED = tl.constexpr(tasks.ORDER_OF_TWO), tl.constexpr(tasks.UNMARKED)


@triton.jit
def below(word, high):
    """tasks.below."""
    return ((word.to(tl.int64) * high) >> 32).to(tl.int32)


@triton.jit
def begun(word0, word1, word2, word3, length, zero, TASK: tl.constexpr):
    """From the first block of a sequence: k of its first step, k of what counts, and what is known of that by now.

    Known of marked pairs: their values, not yet. Of symbols: which they are, X is 0 and Y is 1.
    """
    last = length - 1 + below(word0, length // 10 + 1)
    if TASK < ORDER_OF_TWO:  # marked pairs
        one, two = below(word1, 10), below(word2, length // 2 - 1)
        two += (two >= one).to(tl.int32)  # counted among the pairs still unmarked
        return last, (last - one, last - two), (zero, zero)
    else:
        width = length // 10 + 1
        first = last - length * 10 // 100 - below(word1, width)
        X_or_Y = ((word1 & 1).to(tl.int32), (word2 & 1).to(tl.int32))
        if TASK == ORDER_OF_TWO:
            return last, (first, last - length * 50 // 100 - below(word2, width)), X_or_Y
        else:
            second = last - length * 33 // 100 - below(word2, width)
            third = last - length * 66 // 100 - below(word3, width)
            X_or_Y += ((word3 & 1).to(tl.int32),)
            return last, (first, second, third), X_or_Y


@triton.jit
def shown(word, k, last, marks, known, zero, TASK: tl.constexpr, FIRST_PAIR: tl.constexpr):
    """The inputs of step k, and what is known after it."""
    begins, ends = k == last, k == 0
    if TASK < ORDER_OF_TWO:
        PRODUCT: tl.constexpr = TASK == MULTIPLICATION
        span, low = constant(1 if PRODUCT else 2, zero), constant(0 if PRODUCT else -1, zero)
        value = tl.fma(uniform(word, zero.dtype), span, low)
        one, two = k == marks[0], k == marks[1]
        value = tl.where((one | two) & begins, constant(1 if PRODUCT else 0, zero), value)
        marker = tl.where(begins, constant(-1, zero), tl.where(ends, constant(-1, zero), zero))
        marked = tl.where(begins, constant(-1 if FIRST_PAIR == UNMARKED else 1, zero), constant(1, zero))
        known = (tl.where(one, value, known[0]), tl.where(two, value, known[1]))
        return (value, tl.where(one | two, marked, marker)), known
    else:
        symbol = 2 + (word >> 30).to(tl.int32)
        for m in tl.static_range(len(marks)):
            symbol = tl.where(k == marks[m], 6 + known[m], symbol)
        symbol = tl.where(ends, 1, tl.where(begins, 0, symbol))
        x = ()
        for i in tl.static_range(8):
            x += ((symbol == i).to(zero.dtype),)
        return x, known


@triton.jit
def wanted(known, o, zero, TASK: tl.constexpr):
    """The target of output o, when all is known."""
    if TASK == ADDING:
        return tl.fma(known[0] + known[1], constant(0.25, zero), constant(0.5, zero))
    elif TASK == MULTIPLICATION:
        return known[0] * known[1]
    else:
        order = known[0]
        for m in tl.static_range(1, len(known)):
            order = 2 * order + known[m]
        return (order == o).to(zero.dtype)
