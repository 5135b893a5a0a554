"""Pieces of the kernels' work, small enough for tests, and the modules with the kernels' peers."""

from lltd.peers import guess, latch, lstm96, small_net, stream

TINY = latch.Stretch(runs=5, length=6, epochs=3)  # an odd number of noisy steps
FEW = guess.Guesses(nets=2000, sequences=3, shortest=20, longest=27)  # no whole chunks of compiled steps
BRIEF = lstm96.Learning(trials=5, length=21, sequences=3)
SHOWN = small_net.Showing(runs=3, length=23)  # two whole chunks of compiled steps and a part of one
DRAWN = stream.Drawing(runs=3, sequences=4, steps=10)  # no whole number of blocks
KERNELS = {"latch": latch, "small_net": small_net, "lstm96": lstm96, "stream": stream}  # each with its PEERS
