"""lltd: why recurrent nets fail to learn long-term dependencies, and what helps, as code that runs."""

from importlib.metadata import version

__version__ = version("lltd")
