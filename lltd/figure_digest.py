"""A figure's content as text: every number it draws, in a few stable lines that a test can compare.

Numbers enter with three significant digits. Where two machines agree to 1e-12, a number falls on different
sides of a rounding edge about once in 1e9; and since the edges are moved off the short decimals and the
fractions of two (see `_round`), values such as 0.1235 or 1/32 never lie on one. Results of single precision
agree to 1e-6 only: draw them from the record, or assert a tolerance instead of comparing.
"""

import hashlib
from collections.abc import Callable, Iterable
from itertools import groupby

import numpy as np
from matplotlib import (
    collections,
    contour,
    image,
    inset,
    legend,
    lines,
    patches,
    quiver,
    spines,
    text,
    ticker,
)
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import BoundaryNorm, LogNorm, to_hex, to_rgba_array
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

NOISE = 1e-9  # smaller magnitudes count as zero, except on a logarithmic axis, where they are what is drawn
EDGE = 1 / (100 * np.pi)  # how far the rounding edges are moved, in units of the third digit
TINY = 1e-300  # below this the powers of ten lose their digits
SPECIAL = 10_000  # stands as power of ten for NaN (digits 0) and the infinities (digits ±1)
SHORT = 6  # arrays up to this size are printed whole


def digest(figure: Figure) -> str:
    """All that a figure plots, a few stable lines per axes: labels, scales, limits and every artist's data.

    Short arrays are printed, long ones summarised with a hash, so that any number that changes in its first
    three digits changes the text. ValueError for a figure without axes; TypeError for an artist of a kind
    that no reader covers, with its name: a picture must not pass for compared when it is not.
    """
    if not figure.axes:
        raise ValueError("the figure has no axes: there is nothing to compare")
    figure.draw_without_rendering()  # settles what is decided late: limits, ticks, the scale of arrows
    axes = list(figure.axes)
    for ax in axes:  # grows while it is read: insets may hold insets
        axes.extend(ax.child_axes)
    own = [child for child in figure.get_children() if child is not figure.patch and child not in axes]
    out = [f"figure {_values(figure.get_size_inches())} in", *_read_all(own, [False, False])]
    for number, ax in enumerate(axes, 1):
        out += [f"axes {number}", *("  " + line for line in _read_axes(ax))]
    return "\n".join(out)


def _read_axes(ax: Axes) -> list[str]:
    """The lines of one axes: titles, the two axes, the artists in the order they are drawn, the legend."""
    titles = [ax.title, ax._left_title, ax._right_title]
    out = [f"title {title.get_text()!r}" for title in titles if title.get_text()]
    out += [_read_axis("x", ax.xaxis, ax.get_xlim()), _read_axis("y", ax.yaxis, ax.get_ylim())]
    frame = {ax.patch, ax.title, ax._left_title, ax._right_title}
    parts = [
        part
        for part in ax.get_children()
        if part not in frame and part not in ax.child_axes and not isinstance(part, (spines.Spine, Axis))
    ]
    # On a logarithmic axis the small magnitudes are the message, so none of them is noise.
    exact = [axis.get_scale() in ("log", "logit") for axis in (ax.xaxis, ax.yaxis)]
    return out + _read_all(parts, exact)


def _read_axis(name: str, axis: Axis, limits: tuple[float, float]) -> str:
    """Label, scale and limits of an axis, and its tick labels where they are not plain numbers."""
    exact = axis.get_scale() in ("log", "logit")
    out = f"{name} {axis.label.get_text()!r} {axis.get_scale()} {_values(limits, exact)}"
    plain = (ticker.ScalarFormatter, ticker.LogFormatter, ticker.LogitFormatter, ticker.NullFormatter)
    if axis.get_visible() and not isinstance(axis.get_major_formatter(), plain):
        out += " ticks " + " | ".join(label.get_text() for label in axis.get_ticklabels())
    return out


def _read_all(artists: Iterable[Artist], exact: list[bool]) -> list[str]:
    """One line per visible artist; the bars of a histogram and other runs of equal patches share a line."""
    out = []
    visible = [artist for artist in artists if artist.get_visible()]
    for artist in visible:
        if type(artist) not in READERS:
            raise TypeError(
                f"no reader for the artist {type(artist).__name__}: add one to lltd.figure_digest.READERS, "
                "or its data would be drawn and not compared"
            )
    for kind, run in groupby(visible, key=type):
        if issubclass(kind, patches.Patch) and READERS[kind] is _patches:
            out.append(_patches(list(run), exact))
        else:
            out += [READERS[kind](artist, exact) for artist in run]
    return [line for line in out if line]


def _line(line: lines.Line2D, exact: list[bool]) -> str:
    look = f"{_colours([line.get_color()])} {line.get_linestyle()} {line.get_marker()}"
    return f"line{_label(line)} {look}: {_points(np.ma.stack(line.get_data(orig=False), -1), exact)}"


def _axline(line: lines.AxLine, exact: list[bool]) -> str:
    points = [point for point in (line.get_xy1(), line.get_xy2()) if point is not None]
    slope = "" if line.get_slope() is None else f"; slope {_values(line.get_slope())}"
    return f"axline{_label(line)} {_colours([line.get_color()])}: {_points(points, exact)}{slope}"


def _collection(artist: collections.Collection, exact: list[bool]) -> str:
    """Scatters, fills, bundles of lines and contours: colours, outlines, places, sizes."""
    outlines = [path.vertices for path in artist.get_paths()]
    out = [f"{len(outlines)} outlines of {_values([len(outline) for outline in outlines])} points"]
    out += [_points(np.concatenate(outlines), exact)] if outlines else []
    if isinstance(artist, contour.ContourSet):
        out.append(f"levels {_values(artist.levels)}")
    if np.ma.count(offsets := artist.get_offsets()) and np.any(offsets):
        out.append(f"placed at {_points(offsets, exact)}")
    if isinstance(artist, collections.PathCollection):
        out.append(f"sizes {_values(artist.get_sizes())}")
    if len(widths := artist.get_linewidths()) > 1:
        out.append(f"widths {_values(widths)}")
    return f"{type(artist).__name__}{_label(artist)} {_look(artist)}: {'; '.join(out)}"


def _mesh(mesh: collections.QuadMesh, exact: list[bool]) -> str:
    return f"mesh {_look(mesh)}: corners {_points(mesh.get_coordinates(), exact)}"


def _image(picture: image.AxesImage, exact: list[bool]) -> str:
    look = f"{picture.origin} {picture.get_interpolation()} extent {_values(picture.get_extent())}"
    return f"image {look} {_look(picture)}"


def _quiver(arrows: quiver.Quiver, exact: list[bool]) -> str:
    flow = f"u {_values(arrows.U)}; v {_values(arrows.V)}; scale {_values(arrows.scale)}"
    return f"arrows{_label(arrows)} {_look(arrows)}: at {_points(arrows.XY, exact)}; {flow}"


def _patches(run: list[patches.Patch], exact: list[bool]) -> str:
    """Bars, bands and polygons of one kind, by the corners of their outlines."""
    outlines = [patch.get_patch_transform().transform(patch.get_path().vertices) for patch in run]
    colours = _colours(colour for patch in run for colour in (patch.get_facecolor(), patch.get_edgecolor()))
    labels = "".join(_label(patch) for patch in run)
    return f"{len(run)} {type(run[0]).__name__}{labels} {colours}: {_points(np.concatenate(outlines), exact)}"


def _arrow(arrow: patches.FancyArrowPatch, exact: list[bool]) -> str:
    """An arrow by its ends; its outline is measured on the screen and says no more."""
    ends = arrow._path_original.vertices if arrow._posA_posB is None else arrow._posA_posB
    return f"arrow{_label(arrow)} {_colours([arrow.get_edgecolor()])}: {_points(ends, exact)}"


def _text(words: text.Text, exact: list[bool]) -> str:
    place = _points([words.get_unitless_position()], exact)
    return f"text {words.get_text()!r} at {place}" if words.get_text() else ""


def _annotation(words: text.Annotation, exact: list[bool]) -> str:
    arrow = "" if words.arrow_patch is None else " with arrow"
    return f"note {words.get_text()!r} at {_points([words.xy, words.xyann], exact)}{arrow}"


def _legend(box: legend.Legend, exact: list[bool]) -> str:
    words = [part.get_text() for part in (box.get_title(), *box.get_texts())]
    return "legend " + " | ".join(filter(None, words))


def _label(artist: Artist) -> str:
    label = str(artist.get_label())
    return "" if not label or label.startswith("_") else f" {label!r}"


def _look(artist: Artist) -> str:
    """The array and the colour map behind the colours of an artist, or the colours themselves."""
    if (array := artist.get_array()) is None:
        return _colours([*artist.get_facecolor(), *artist.get_edgecolor()])
    norm = artist.norm
    limits = norm.boundaries if isinstance(norm, BoundaryNorm) else (norm.vmin, norm.vmax)
    exact = isinstance(norm, LogNorm)
    values, limits = _values(array, exact), _values(limits, exact)
    return f"{artist.get_cmap().name} {type(norm).__name__} {limits} of {values}"


def _colours(colours: Iterable) -> str:
    """Hexadecimal colours, once if all are equal, as a hash if they are many."""
    names = [
        to_hex(colour, keep_alpha=True).removesuffix("ff")
        for each in colours
        for colour in to_rgba_array(each)
    ]
    names = names[:1] if len(set(names)) == 1 else names
    return " ".join(names) if len(names) <= 3 else _hash(" ".join(names))


def _points(points: ArrayLike, exact: list[bool]) -> str:
    """Points (..., 2) as the summaries of their x and their y."""
    points = np.ma.asarray(points, dtype=float)
    x, y = (_values(points[..., axis], exact[axis]) for axis in (0, 1))
    return f"x {x}, y {y}"


def _values(data: ArrayLike, exact: bool = False) -> str:
    """All numbers of a short array; of a long one shape, ends, range and a hash of every rounded number."""
    array = np.ma.filled(np.ma.asarray(data, dtype=float), np.nan)
    if array.size <= SHORT:
        return " ".join(_print(array, exact)) or "none"
    rounded = _round(array, exact)
    shape = "×".join(map(str, array.shape))
    first, last = _print(array.ravel()[[0, -1]], exact)
    finite = array[np.isfinite(array)]
    low, high = _print(np.array([finite.min(), finite.max()]), exact) if finite.size else ("nan", "nan")
    return f"[{shape}] {first} … {last} within {low} … {high} {_hash(shape, *rounded)}"


def _print(array: np.ndarray, exact: bool) -> list[str]:
    special = {-1: "-inf", 0: "nan", 1: "inf"}
    pairs = zip(*(part.ravel().tolist() for part in _round(array, exact)), strict=True)
    return [special[m] if power == SPECIAL else f"{float(f'{m}e{power}'):.3g}" for m, power in pairs]


def _round(array: np.ndarray, exact: bool) -> tuple[np.ndarray, np.ndarray]:
    """Three significant digits as integers (digits, power of ten), NaN and the infinities included.

    A number goes up where it passes a half less `EDGE`, not a half: ties in exact arithmetic, which the last
    bit of a computation would throw to either side, are then on one side by a wide margin.
    """
    finite = np.isfinite(array)
    size = np.where(finite, np.abs(array), 0)
    size[size < (TINY if exact else NOISE)] = 0
    power = np.floor(np.log10(size, where=size > 0, out=np.zeros_like(size))) - 2
    digits = np.floor(size / 10.0**power + 0.5 + EDGE)
    over = digits >= 1000  # 999.7, or a logarithm just below an integer
    digits, power = np.where(over, np.floor(digits / 10), digits), np.where(over, power + 1, power)
    power = np.where(size == 0, 0, power)
    digits, power = np.where(finite, np.sign(array) * digits, 0), np.where(finite, power, SPECIAL)
    digits[np.isinf(array)] = np.sign(array[np.isinf(array)])
    return digits.astype(np.int64), power.astype(np.int64)


def _hash(*parts: str | np.ndarray) -> str:
    content = hashlib.sha256()
    for part in parts:
        content.update(part.encode() if isinstance(part, str) else part.astype("<i8").tobytes())
    return f"#{content.hexdigest()[:12]}"


_Reader = Callable[[Artist, list[bool]], str]
# By exact type: a subclass (a line in three dimensions, say) may hold numbers that its parent's reader drops.
READERS: dict[type, _Reader] = {
    lines.Line2D: _line,
    lines.AxLine: _axline,
    collections.PathCollection: _collection,
    collections.LineCollection: _collection,
    collections.PolyCollection: _collection,
    collections.FillBetweenPolyCollection: _collection,
    collections.PatchCollection: _collection,
    contour.QuadContourSet: _collection,
    collections.QuadMesh: _mesh,
    image.AxesImage: _image,
    quiver.Quiver: _quiver,
    patches.FancyArrowPatch: _arrow,
    text.Text: _text,
    text.Annotation: _annotation,
    legend.Legend: _legend,
    inset.InsetIndicator: lambda frame, exact: "frame of an inset",  # drawn from the inset's limits
} | dict.fromkeys(
    (
        *(patches.Rectangle, patches.Polygon, patches.Circle, patches.Ellipse, patches.Wedge, patches.Arc),
        *(patches.FancyArrow, patches.FancyBboxPatch, patches.PathPatch, patches.StepPatch),
    ),
    _patches,
)
