"""One house style for the figures of the book, and `show`, which stores a figure so that it can be compared.

A stored picture is never compared byte for byte: another machine draws the same line with other bytes.
What is compared is the figure's digest, text that covers every number drawn (`lltd.figure_digest`). `show`
puts both into one output, so that a page has its picture and a test has its text.
"""

import io
from base64 import b64encode

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from PIL import Image

from lltd.figure_digest import digest

__all__ = ["COLOURS", "breadth", "broadest", "digest", "paper_mark", "show", "style"]

# The palette of Okabe and Ito, "Color Universal Design" (2008), which colour-blind readers tell apart.
COLOURS = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
    "grey": "#7F7F7F",
}
# Yellow, faint on white, is left out.
CYCLE = ("blue", "vermillion", "green", "orange", "purple", "sky", "black", "grey")
CSS_PIXELS_PER_INCH, POINTS_PER_INCH = 96, 72
PICTURE_BYTES = 100_000  # of a picture in a notebook, so that the whole book stays quick to fetch


def style() -> None:
    """Set the house style for all figures that follow; settings of the user's own matplotlibrc are undone.

    A figure is 6.5 in wide, as the column is; a phone shows it at that width, letters included, and scrolls it.
    """
    plt.rcdefaults()
    plt.rcParams.update(
        {
            "figure.figsize": (6.5, 3.8),
            "figure.dpi": CSS_PIXELS_PER_INCH,
            "figure.constrained_layout.use": True,
            "figure.facecolor": "white",  # opaque: black letters on a dark page would be lost
            "savefig.facecolor": "white",
            "savefig.dpi": 2 * CSS_PIXELS_PER_INCH,
            "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every machine
            "font.size": 11,
            "axes.titlesize": 11,
            "axes.labelsize": 11,
            "xtick.labelsize": 10,
            "ytick.labelsize": 10,
            "legend.fontsize": 10,
            "legend.frameon": False,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": "#555555",
            "axes.linewidth": 0.8,
            "axes.grid": False,
            "axes.axisbelow": True,
            "grid.color": "#DDDDDD",
            "grid.linewidth": 0.6,
            "axes.prop_cycle": plt.cycler(color=[COLOURS[name] for name in CYCLE]),
            "axes.formatter.use_mathtext": True,
            "lines.linewidth": 1.6,
            "lines.markersize": 4.5,
            "errorbar.capsize": 2.5,
            "image.cmap": "viridis",
        }
    )


def paper_mark(ax: Axes, x: float, y: float, low: float, high: float, label: str | None = None) -> None:
    """Mark the value `y` that a paper prints at `x`, with the band `low` to `high` that it allows.

    The same black diamond stands for "printed in a paper" in every figure. ValueError unless low ≤ y ≤ high.
    """
    if not low <= y <= high:
        raise ValueError(f"the band must hold the value: low={low!r}, y={y!r}, high={high!r}")
    ax.errorbar(
        [x], [y], yerr=[[y - low], [high - y]], fmt="D", color=COLOURS["black"], zorder=5, label=label
    )


def breadth(ax: Axes, low: ArrayLike, high: ArrayLike, axis: str = "y") -> float:
    """How broad the widest of the intervals from `low` to `high` is as drawn, in points of 1/72 in.

    A line of the house style is 1.6 of them thick. To be called when all is drawn, since the layout of the figure
    decides. ValueError unless axis is "x" or "y" and all ends are finite, low ≤ high, and positive on a log axis.
    """
    if axis not in ("x", "y"):
        raise ValueError(f"axis is {axis!r}: x or y is needed")
    ends = np.stack(np.broadcast_arrays(low, high)).astype(float).reshape(2, -1)
    if not (ends[0] <= ends[1]).all() or not np.isfinite(ends).all():
        raise ValueError("intervals must go from low to high, and both be finite")
    if getattr(ax, f"get_{axis}scale")() == "log" and not (ends > 0).all():
        raise ValueError(f"an interval begins at {ends.min():g}: the {axis} axis is logarithmic")
    ax.figure.draw_without_rendering()
    across = ax.get_yaxis_transform() if axis == "y" else ax.get_xaxis_transform()
    places = np.zeros((*ends.shape, 2))
    places[..., "xy".index(axis)] = ends
    drawn = across.transform(places.reshape(-1, 2)).reshape(places.shape)[..., "xy".index(axis)]
    return float(np.abs(drawn[1] - drawn[0]).max()) * POINTS_PER_INCH / ax.figure.dpi


def broadest(
    *drawn: tuple[Axes, ArrayLike, ArrayLike], mark: str = "lines", size: float | None = None
) -> str:
    """Say how broad the broadest of several sets of intervals, (ax, low, high), is drawn, beside a mark of the figure.

    size: of the mark, in points; by default that of lines, or of dots and other marks, in the house style. Raises as
    `breadth`.
    """
    own = plt.rcParams["lines.linewidth" if mark == "lines" else "lines.markersize"]
    thick = own if size is None else size
    return f"broadest 95 % interval: {max(breadth(*one) for one in drawn):.2f} pt; {mark}: {thick:g} pt"


def show(figure: Figure, alt: str) -> None:
    """Display the figure as one output: its picture, with `alt` for whoever cannot see it, and its digest.

    The text of the output is `alt: …` on one line, then the digest. The figure is closed.
    ValueError if `alt` is empty or the figure has no axes; TypeError if the digest cannot read an artist.
    """
    from IPython.display import display  # only notebooks need it, and lltd runs without

    if not isinstance(figure, Figure):
        raise TypeError(f"figure must be a matplotlib Figure, got {type(figure).__name__}")
    alt = " ".join(alt.split())
    if not alt:
        raise ValueError("alt must say in words what the figure shows, got an empty text")
    content = f"alt: {alt}\n{digest(figure)}"
    picture = b64encode(_png(figure)).decode()
    width = round(figure.get_figwidth() * CSS_PIXELS_PER_INCH)
    plt.close(figure)
    display(
        {"image/png": picture, "text/plain": content},
        metadata={"image/png": {"alt": alt, "width": width}},
        raw=True,
    )


def _png(figure: Figure) -> bytes:
    """The picture without date or software name, in as many colours as fit the limit of a stored picture.

    With 256 colours the file is a third as large and the loss invisible; the fewest roughen the edges of
    letters a little, and only crowded figures need them.
    """
    raw = io.BytesIO()
    figure.savefig(raw, format="png", facecolor="white")
    picture = Image.open(raw).convert("RGB")
    for colours in (256, 128, 64, 32):
        packed = io.BytesIO()
        few = picture.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        few.save(packed, format="png", optimize=True)
        if packed.tell() <= PICTURE_BYTES:
            break
    return packed.getvalue()
