"""Chapter random_search: section 1 of the NIPS 1996 paper, its rows under every reading, and its claims."""

from lltd.chapters.random_search import contest

__all__ = ["contest"]
