"""The chapters' own modules: each declares its experiments and settles its claims."""

from importlib import import_module

CHAPTERS = (
    "introduction",
    "minimal_task",
    "latching",
    "gradient_loss",
    "error_flow",
    "dilemma",
    "flip_flop",
    "optimizers",
    "random_search",
    "lstm",
    "adding",
)


def load() -> None:
    """Import every chapter, which fills the registries of experiments and claims."""
    for name in CHAPTERS:
        import_module(f"lltd.chapters.{name}")
