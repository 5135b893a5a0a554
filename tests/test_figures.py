import io

import matplotlib
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from lltd import figure_digest, figures

GRID = np.linspace(0.5, 2, 12)
PLANE = np.add.outer(np.sin(GRID), GRID**2)


@pytest.fixture(autouse=True)
def house_style():
    figures.style()
    yield
    plt.close("all")


def line(ax, data):
    ax.plot(GRID, data)


def steps_on_a_log_axis(ax, data):
    ax.semilogy(GRID, 1e-30 * data, drawstyle="steps")


def scatter(ax, data):
    ax.scatter(GRID, data)


def scatter_colours(ax, data):
    ax.scatter(GRID, GRID, c=data)


def scatter_sizes(ax, data):
    ax.scatter(GRID, GRID, s=data)


def bars(ax, data):
    ax.bar(GRID, data)


def histogram_outline(ax, data):
    ax.hist(data, bins=GRID, histtype="step")


def stairs(ax, data):
    ax.stairs(data)


def error_bars(ax, data):
    ax.errorbar(GRID, GRID, yerr=data)


def band(ax, data):
    ax.fill_between(GRID, 0, data)


def segments(ax, data):
    ax.vlines(GRID, 0, data)


def pixels(ax, data):
    ax.imshow(data[:, None] * PLANE)


def colours_of_pixels(ax, data):
    ax.imshow(np.multiply.outer(data, np.ones((3, 3))) / 10)


def mesh(ax, data):
    ax.pcolormesh(data[:, None] * PLANE)


def mesh_corners(ax, data):
    ax.pcolormesh(GRID, data.cumsum(), PLANE)


def contour_lines(ax, data):
    ax.contour(data[:, None] * PLANE)


def contour_bands(ax, data):
    ax.contourf(data[:, None] * PLANE)


def arrows(ax, data):
    ax.quiver(GRID, GRID, data, GRID)


def field_lines(ax, data):
    ax.streamplot(GRID, GRID, PLANE, data[:, None] * PLANE)


def vertical_lines(ax, data):
    ax.axvline(data[5])


def horizontal_span(ax, data):
    ax.axhspan(0, data[5])


def slanted_line(ax, data):
    ax.axline((0, data[5]), slope=1)


def words(ax, data):
    ax.text(0, data[5], "basin")


def note_with_arrow(ax, data):
    ax.annotate("here", (0, data[5]), (1, 1), arrowprops={"arrowstyle": "->"})


def arrow(ax, data):
    ax.arrow(0, 0, 1, data[5])


def polygon(ax, data):
    ax.fill(GRID, data)


def box(ax, data):
    ax.boxplot(data)


def inset(ax, data):
    corner = ax.inset_axes([0.5, 0.5, 0.4, 0.4])
    corner.plot(GRID, data)
    ax.indicate_inset_zoom(corner)


def limits(ax, data):
    ax.set_xlim(0, data[5])


def label(ax, data):
    ax.set_xlabel(f"noise, {data[5]:.3g}")


def title(ax, data):
    ax.set_title(f"noise, {data[5]:.3g}", loc="left")


def named_ticks(ax, data):
    ax.set_xticks([0, 1], ["sign", f"{data[5]:.3g}"])


def legend(ax, data):
    ax.plot(GRID, GRID, label=f"noise {data[5]:.3g}")
    ax.legend()


def colour_bar(ax, data):
    ax.figure.colorbar(ax.imshow(PLANE), label=f"{data[5]:.3g}")


PLOTS = [
    *(line, steps_on_a_log_axis, scatter, scatter_colours, scatter_sizes, bars, histogram_outline, stairs),
    *(
        error_bars,
        band,
        segments,
        pixels,
        colours_of_pixels,
        mesh,
        mesh_corners,
        contour_lines,
        contour_bands,
    ),
    *(arrows, field_lines, vertical_lines, horizontal_span, slanted_line, words, note_with_arrow, arrow),
    *(polygon, box, inset, limits, label, title, named_ticks, legend, colour_bar),
]


def digest_of(plot, data):
    figure, ax = plt.subplots(layout="none")
    plot(ax, np.array(data))
    text = figures.digest(figure)
    plt.close(figure)
    return text


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.__name__)
def test_digest_follows_one_changed_number_and_not_the_noise_between_machines(plot):
    data = np.linspace(1.03, 2.97, len(GRID))
    changed = data.copy()
    changed[5] *= 1.21
    text = digest_of(plot, data)
    assert digest_of(plot, data * (1 + 1e-13)) == text
    assert digest_of(plot, changed) != text


numbers = st.floats(1e-6, 1e6).map(lambda size: round(size, 9)) | st.floats(-1e6, -1e-6)


@settings(max_examples=50, deadline=None)
@given(arrays(float, (3, 4), elements=numbers), st.integers(0, 11), numbers)
def test_summary_changes_exactly_when_three_digits_of_one_entry_change(array, place, number):
    changed = array.copy()
    changed.flat[place] = number
    before, after = array.flat[place], number
    assume(abs(before) > 0 and abs(after) > 0)
    if abs(after - before) > 0.011 * max(abs(before), abs(after)):
        assert figure_digest._values(array) != figure_digest._values(changed)
    same = array.copy()
    same.flat[place] = before * (1 + 1e-14)
    assert figure_digest._values(array) == figure_digest._values(same)


@pytest.mark.parametrize("tie", [0.1235, 1 / 32, 2.5e-6 * 401, 9.995, 999.5, 1234.5, 0.12345, 3e-9 / 8])
def test_values_on_a_decimal_tie_round_alike_whichever_way_the_last_bit_fell(tie):
    below, above = np.nextafter(tie, 0), np.nextafter(tie, np.inf)
    assert figure_digest._values(below) == figure_digest._values(tie) == figure_digest._values(above)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-0.0, "0"),
        (1e-10, "0"),
        (-0.0012345, "-0.00123"),
        (999.7, "1e+03"),
        (1000, "1e+03"),
        (123.4, "123"),
        (np.nan, "nan"),
        (-np.inf, "-inf"),
    ],
)
def test_numbers_are_printed_with_three_digits(value, text):
    assert figure_digest._values(value) == text


def test_nan_moves_the_hash_of_a_long_array():
    assert figure_digest._values(GRID) != figure_digest._values(np.where(GRID > 1.9, np.nan, GRID))


def test_small_magnitudes_count_on_a_logarithmic_axis_and_nowhere_else():
    for scale, equal in (("linear", True), ("log", False)):
        digests = []
        for size in (1e-12, 2e-12):
            figure, ax = plt.subplots()
            ax.set(ylim=(1e-13, 1), yscale=scale)
            ax.plot([1, 2], [size, 1])
            digests.append(figures.digest(figure))
        assert (digests[0] == digests[1]) is equal


def test_scale_of_an_axis_is_part_of_the_digest():
    def on_a(scale):
        return digest_of(lambda ax, data: (ax.plot([1, 2], [1, 2]), ax.set(yscale=scale, ylim=(1, 2))), GRID)

    assert on_a("linear") != on_a("log")


def test_digest_is_the_same_before_and_after_the_figure_was_drawn():
    figure, ax = plt.subplots()
    ax.quiver(GRID, GRID)
    ax.bar(["gradient", "signs"], [1, 2])
    first = figures.digest(figure)
    figure.savefig(io.BytesIO())
    assert figures.digest(figure) == first


def test_digest_reads_like_the_figure():
    figure, ax = plt.subplots()
    ax.plot([5, 100], [1e2, 1e4], label="gradient descent")
    ax.set(xlabel="lag T", ylabel="epochs", yscale="log", xlim=(0, 105), ylim=(1e2, 1e5))
    ax.legend()
    assert figures.digest(figure).splitlines() == [
        "figure 6.5 3.8 in",
        "axes 1",
        "  x 'lag T' linear 0 105",
        "  y 'epochs' log 100 1e+05",
        "  line 'gradient descent' #0072b2 - None: x 5 100, y 100 1e+04",
        "  legend gradient descent",
    ]


def test_an_unknown_artist_is_an_error_that_names_it():
    figure, ax = plt.subplots()
    ax.add_artist(matplotlib.offsetbox.AnchoredText("corner", "upper left"))
    with pytest.raises(TypeError, match="AnchoredText"):
        figures.digest(figure)


def test_a_line_in_three_dimensions_is_not_read_as_a_line_in_two():
    figure, _ = plt.subplots(subplot_kw={"projection": "3d"})
    figure.axes[0].plot([0, 1], [0, 1], [0, 1])
    with pytest.raises(TypeError, match="Line3D"):
        figures.digest(figure)


def test_an_empty_figure_is_an_error():
    with pytest.raises(ValueError, match="no axes"):
        figures.digest(plt.figure())


@pytest.fixture
def displayed(monkeypatch):
    """What `show` hands to the notebook, as a list of (data, metadata)."""
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, metadata, raw: shown.append((data, metadata)))
    return shown


def test_show_gives_one_output_with_picture_digest_and_alternative_text(displayed):
    figure, ax = plt.subplots()
    ax.plot(GRID, GRID)
    content = figures.digest(figure)
    figures.show(figure, alt="A straight line\n    through the origin.")
    [(data, metadata)] = displayed
    assert data["text/plain"] == f"alt: A straight line through the origin.\n{content}"
    assert metadata["image/png"] == {"alt": "A straight line through the origin.", "width": 624}
    assert not plt.get_fignums()


@pytest.mark.parametrize("alt", ["", " \n"])
def test_show_demands_an_alternative_text(displayed, alt):
    with pytest.raises(ValueError, match="alt must say"):
        figures.show(plt.subplots()[0], alt)
    assert not displayed


def test_show_demands_a_figure(displayed):
    with pytest.raises(TypeError, match="Axes"):
        figures.show(plt.subplots()[1], "axes")


def crowded():
    random = np.random.default_rng(0)
    figure, ax = plt.subplots()
    ax.scatter(*random.normal(size=(2, 2000)), s=6, c=random.random(2000))
    for k in range(6):
        ax.plot(np.linspace(-3, 3, 500), np.cumsum(random.normal(size=500)) / 9, label=f"run {k}")
    ax.legend()
    return figure


def test_pictures_are_small_opaque_dateless_and_repeatable():
    picture = figures._png(crowded())
    assert picture == figures._png(crowded())
    assert 1_000 < len(picture) <= figures.PICTURE_BYTES
    with Image.open(io.BytesIO(picture)) as image:
        assert not image.info.keys() & {"Software", "Creation Time", "transparency"}
        assert image.width == 1248  # two pixels of the picture to one of the page
        assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_letters_stay_readable_when_a_phone_shrinks_the_figure():
    sizes = [
        value for key, value in plt.rcParams.items() if key.endswith(("labelsize", "titlesize", "fontsize"))
    ]
    points = [size for size in (*sizes, plt.rcParams["font.size"]) if isinstance(size, int | float)]
    width_in_points = 72 * plt.rcParams["figure.figsize"][0]
    assert min(points) >= 9
    assert 360 / width_in_points * min(points) > 7.5  # CSS pixels


def test_style_undoes_the_settings_of_the_user():
    plt.rcParams["axes.facecolor"] = "black"
    figures.style()
    assert plt.rcParams["axes.facecolor"] == "white"


def test_line_colours_stand_out_from_white():
    for colour in plt.rcParams["axes.prop_cycle"].by_key()["color"]:
        red, green, blue = (
            value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
            for value in matplotlib.colors.to_rgb(colour)
        )
        luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        assert 1.05 / (luminance + 0.05) > 2  # WCAG's contrast


def test_mark_of_the_paper_holds_value_and_band():
    figure, ax = plt.subplots()
    figures.paper_mark(ax, 3, 10, 5.8, 20.8, "paper")
    text = figures.digest(figure)
    assert all(part in text for part in ("x 3, y 10", "y 5.8 20.8", "D"))


def test_mark_of_the_paper_demands_a_band_around_the_value():
    with pytest.raises(ValueError, match="low=11"):
        figures.paper_mark(plt.subplots()[1], 0, 10, 11, 12)


@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize("scale", ["linear", "log"])
def test_breadth_is_what_one_can_measure_on_the_picture(axis, scale):
    figure, ax = plt.subplots(figsize=(6.5, 5.2))
    ax.set(**{f"{axis}scale": scale, f"{axis}lim": (1, 100)})
    (ax.axhspan if axis == "y" else ax.axvspan)(30, 60, color="black", lw=0)
    ax.axis("off")
    widest = figures.breadth(ax, [2, 30], [2, 60], axis)
    raw = io.BytesIO()
    figure.savefig(raw, dpi=720)
    with Image.open(raw) as picture:
        dark = np.asarray(picture.convert("L")) < 128
    pixels = dark.any(1 if axis == "y" else 0).sum()
    assert widest == pytest.approx(pixels / 10, abs=0.2)


@pytest.mark.parametrize(
    ("ends", "axis", "message"),
    [
        ((1, 2), "z", "x or y"),
        ((2, 1), "y", "low to high"),
        ((0, np.inf), "y", "finite"),
        ((0, 1), "y", "log"),
    ],
)
def test_breadth_demands_intervals_that_can_be_drawn(ends, axis, message):
    _, ax = plt.subplots()
    ax.set(yscale="log", ylim=(1, 10))
    with pytest.raises(ValueError, match=message):
        figures.breadth(ax, *ends, axis)


def test_the_broadest_of_some_intervals_is_named_beside_a_line_or_a_mark():
    _, (left, right) = plt.subplots(1, 2)
    left.set_ylim(0, 1)
    right.set_ylim(0, 10)
    drawn = (left, 0.2, [0.3, 0.5]), (right, 1, 2)
    widest = f"{figures.breadth(left, 0.2, 0.5):.2f}"
    assert figures.broadest(*drawn) == f"broadest 95 % interval: {widest} pt; lines: 1.6 pt"
    assert figures.broadest(*drawn, mark="dots").endswith("dots: 4.5 pt")
    assert figures.broadest(*drawn, mark="dots", size=8).endswith("dots: 8 pt")
