"""The kernels' peers: the same work by other means, each written as its own library wants it written.

A module for each kernel. A peer takes a piece of work and returns what the kernel returns for it; it raises
`MissingPeer`, with the reason, where it cannot run.
"""


class MissingPeer(Exception):
    """A peer that is not here; the message is the reason in a few words."""
