"""Figures: the pixels drawn are the data, files repeat bit for bit, nothing global is touched."""

import itertools
import re

import matplotlib
import numpy
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import imread
from PIL import Image

from autoencoder import figures
from autoencoder.densities import DiagonalGaussian, FullGaussian
from autoencoder.figures.description import describe
from autoencoder.figures.style import IMAGE_BOXES

RNG = numpy.random.default_rng(0)
IMAGES = RNG.random((6, 1, 28, 28)).astype("float32")
LATENTS = RNG.normal(size=(400, 5)) * [1, 2, 3, 4, 5]


def mosaic_of(figure):
    return numpy.asarray(figure.axes[0].images[0].get_array())


def texts_overlap(figure):
    """Pairs of texts whose boxes intersect, as drawn."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    found = []
    for axes in figure.axes:
        found += [axes.title, axes.xaxis.label, axes.yaxis.label]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())  # ticks beyond are not drawn
            ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            found += [text for tick in ticks for text in (tick.label1, tick.label2)]
        if axes.get_legend():
            found += axes.get_legend().get_texts()
    if figure._suptitle:
        found.append(figure._suptitle)
    for legend in figure.legends:
        found += legend.get_texts()
    found = [text for text in found if text.get_text() and text.get_visible()]
    boxes = [(t.get_text(), t.get_window_extent(renderer).shrunk(0.98, 0.9)) for t in found]
    pairs = itertools.combinations(boxes, 2)
    return [(a, b) for (a, first), (b, second) in pairs if first.overlaps(second)]


def an_arrow_figure():
    figure, (left, right) = figures.plane_figure(["noisy", "denoised"], 3.0)
    points = LATENTS[:, :2]
    figures.draw_points(left, points, "noisy")
    figures.draw_points_by_value(right, points, points[:, 0], "position")
    figures.draw_curve(right, points[:5], "curve")
    figures.draw_arrows(left, points[:20], points[:20] * 0.5, "noisy to denoised")
    figures.draw_density(left, FullGaussian().fit(points), "density")
    figures.shared_legend(figure)
    return figure


MAKERS = {
    "rows": lambda: figures.rows_of_images(
        [IMAGES, IMAGES], ["original", "reconstruction"], title="rows"
    ),
    "columns": lambda: figures.rows_of_images(
        [IMAGES], ["interpolation\nin latents"], column_titles=list("abcdef")
    ),
    "grid": lambda: figures.image_grid(IMAGES, title="grid"),
    "chart": lambda: figures.line_chart(
        {
            f"model {i}": ([2, 4, 8, 16, 32], numpy.geomspace(0.06, 0.004 + i / 100, 5))
            for i in (1, 2)
        },
        "latent size d",
        "mean squared error a pixel",
        title="error",
        levels={"mean image": 0.067},
        log_x=True,
        log_y=True,
        x_ticks=[2, 4, 8, 16, 32],
    ),
    "plane": an_arrow_figure,
    "marginals": lambda: figures.latent_marginals(LATENTS, DiagonalGaussian().fit(LATENTS)),
    "pairs": lambda: figures.latent_pairs(LATENTS, DiagonalGaussian().fit(LATENTS), title="pairs"),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_both_files_repeat_bit_for_bit_and_hold_no_date(make, tmp_path):
    first = figures.save(make(), tmp_path / "new folder" / "d=0.5")
    second = figures.save(make(), tmp_path / "again")
    assert [path.name for path in first] == ["d=0.5.png", "d=0.5.svg"]
    for a, b in zip(first, second, strict=True):
        assert a.read_bytes() == b.read_bytes()
    assert not re.search(r"dc:date|20\d\d-\d\d", first[1].read_text())
    assert imread(first[0]).shape[1] > 600
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_no_two_texts_overlap(make):
    assert texts_overlap(make()) == []


def test_a_saved_figure_has_paper_on_all_sides_also_of_long_names(tmp_path):
    """Letters are as wide as whole pixels make them: what was measured is what is saved."""
    bars = {"training images, reconstructed, d = 16": 1.0, "test images": 2.0}
    png, _ = figures.save(figures.bar_chart(bars, "distance"), tmp_path / "figure")
    with Image.open(png) as picture:
        ink = numpy.asarray(picture.convert("L")) < 200
        least = 0.1 * picture.info["dpi"][0]  # of 0.15 inches
    for along in (ink.any(axis=0), ink.any(axis=1)):
        places = numpy.flatnonzero(along)
        assert min(places[0], len(along) - 1 - places[-1]) > least


@pytest.mark.parametrize("name", ["rows", "chart", "plane"])
def test_settings_are_put_back_and_a_users_settings_change_nothing(name, tmp_path):
    make = MAKERS[name]
    expected = figures.save(make(), tmp_path / "plain")[0].read_bytes()
    with matplotlib.rc_context({"font.size": 5, "axes.facecolor": "red", "image.cmap": "jet"}):
        before = dict(matplotlib.rcParams)
        drawn = figures.save(make(), tmp_path / "users")[0].read_bytes()
        assert dict(matplotlib.rcParams) == before
    assert drawn == expected


def test_rows_show_each_image_where_its_title_says():
    figure = figures.rows_of_images([IMAGES, 1 - IMAGES], ["original", "negative"])
    mosaic = mosaic_of(figure)
    expected = numpy.rint(255 * IMAGES[:, 0]).astype("uint8")
    numpy.testing.assert_array_equal(mosaic[:28, 30:58, 0], expected[1])  # the second, gap 2
    numpy.testing.assert_array_equal(mosaic[32:60, 30:58, 2], 255 - expected[1])  # row gap 4
    assert (mosaic[28:32, :, 3] == 0).all()
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["original", "negative"]
    numpy.testing.assert_allclose(figure.axes[0].get_yticks(), [13.5, 45.5])


def test_grids_fill_row_by_row_and_keep_colour_and_range():
    faces = RNG.random((5, 3, 28, 28))
    mosaic = mosaic_of(figures.image_grid(faces, columns=3))
    last = numpy.rint(255 * faces[4]).astype("uint8").transpose(1, 2, 0)
    numpy.testing.assert_array_equal(mosaic[30:58, 30:58, :3], last)
    assert (mosaic[30:, 60:, 3] == 0).all()  # the sixth place is left blank
    row = numpy.array([[[-3.0, 0.0, 3.0, 9.0]]])
    wide = figures.rows_of_images([row], ["wide"], value_range=(-3.0, 3.0))
    assert mosaic_of(wide)[0, :, 0].tolist() == [0, 128, 255, 255]


def test_chart_lines_hold_the_data_under_their_names():
    figure = MAKERS["chart"]()
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines}
    assert lines["model 1"].get_xdata().tolist() == [2, 4, 8, 16, 32]
    assert lines["mean image"].get_ydata()[0] == 0.067
    assert len({line.get_color() for line in axes.lines}) == 3
    assert [t.get_text() for t in axes.get_legend().get_texts()] == list(lines)
    assert [t.get_text() for t in axes.get_xticklabels()] == ["2", "4", "8", "16", "32"]


def test_density_contours_enclose_the_stated_mass():
    # In two dimensions a Gaussian holds the mass q inside the radius sqrt(-2 log(1 - q)).
    _, (axes,) = figures.plane_figure(["standard normal"], 5.0)
    figures.draw_density(axes, FullGaussian([0, 0], numpy.eye(2)))
    paths = axes.collections[0].get_paths()
    radii = [numpy.hypot(*path.vertices.T).max() for path in paths]  # levels ascend: outer first
    expected = [numpy.sqrt(-2 * numpy.log(1 - q)) for q in (0.99, 0.9, 0.5)]
    numpy.testing.assert_allclose(radii, expected, rtol=0.02)


def test_arrows_start_and_end_at_the_points():
    _, (axes,) = figures.plane_figure(["arrows"])
    start, end = LATENTS[:7, :2], LATENTS[7:14, :2]
    figures.draw_arrows(axes, start, end)
    (arrows,) = axes.collections
    numpy.testing.assert_allclose(arrows.XY, start)
    numpy.testing.assert_allclose(numpy.stack([arrows.U, arrows.V], axis=1), end - start)
    assert (arrows.scale, arrows.angles, arrows.scale_units) == (1.0, "xy", "xy")


def test_a_table_shows_every_entry_and_rules_where_asked():
    figure = figures.table(["layer", "size"], [["a", "1"], ["b", "20"]], title="t", rules=[1])
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["layer", "size", "a", "1", "b", "20"]
    assert [line.get_ydata()[0] for line in axes.lines] == [0.5, 1.5]
    assert [text.get_ha() for text in axes.texts[2:4]] == ["left", "right"]


def test_bars_run_from_top_to_bottom_with_their_values():
    bars = {"first": 3.0, "second": 1.25}
    figure = figures.bar_chart(bars, "distance", emphasised=["second"], value_format="{:.1f}")
    (axes,) = figure.axes
    assert [patch.get_width() for patch in axes.patches] == [3.0, 1.25]
    assert axes.yaxis_inverted()
    assert [text.get_text() for text in axes.texts] == ["3.0", "1.2"]
    colours = [patch.get_facecolor() for patch in axes.patches]
    assert colours[0] != colours[1]


def test_panels_hold_the_images_row_by_row():
    images = numpy.random.default_rng(0).random((3, 28, 28))
    figure = figures.image_panels({"one": images, "two": 1 - images}, columns=2)
    assert [axes.get_title() for axes in figure.axes] == ["one", "two"]
    mosaic = mosaic_of(figure)
    last = numpy.rint(255 * images[2]).astype("uint8")
    numpy.testing.assert_array_equal(mosaic[30:, :28, 0], last)
    assert (mosaic[30:, 30:, 3] == 0).all()


def test_groups_of_rows_stand_apart_and_keep_their_titles():
    rows = [numpy.full((2, 28, 28), level) for level in (0.0, 0.2, 0.4)]
    figure = figures.rows_of_images(rows, ["a", "b", "c"], groups=[0, 2])
    mosaic = mosaic_of(figure)
    assert figure.axes[0].get_yticks().tolist() == [13.5, 45.5, 85.5]  # gaps of 4, then of 12
    assert mosaic[[45, 85], 0, 0].tolist() == [51, 102]
    assert (mosaic[60:72, :, 3] == 0).all()
    assert len(mosaic) == 100


# A figure's file says in words what it shows, and where its images lie.


def text_in(path):
    with Image.open(path) as picture:
        picture.load()
        return picture.text


def a_chart():
    lines = {"PCA, $d$": ([2, 4, 8], [0.3, 0.2, 0.1]), "one": ([2], [5])}
    levels = {"floor": 0.05}
    return figures.line_chart(lines, "latent size $d$", "error", title="Errors", levels=levels)


def rows_of_images():
    images = numpy.zeros((4, 28, 28))
    return figures.rows_of_images([images, images], ["original", "PCA,\nd = 2"], title="Digits")


def a_matrix():
    figure, axes = figures.new_figure(title="Weights")
    axes[0, 0].imshow(numpy.zeros((4, 3)))
    axes[0, 0].set(xticks=[], yticks=[])
    return figure


def panels_of_points():
    figure, axes = figures.plane_figure(["left", "right"])
    points = numpy.zeros((3, 2))
    figures.draw_points(axes[0], points, "data")
    figures.draw_points_by_value(axes[1], points, numpy.arange(3), "latent $z$")
    return figure


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (
            a_chart,
            "Errors: error over latent size d: PCA, d from 0.3 at 2 to 0.1 at 8; one 5 at 2; "
            "floor at 0.05.",
        ),
        (
            lambda: figures.bar_chart({"data": 0.01, "samples": 1802.6}, "distance"),
            "Distance: data 0.01, samples 1803.",
        ),
        (rows_of_images, "Digits. 2 rows of 4 images, from above: original; PCA, d = 2."),
        (a_matrix, "Weights. 1 row of 1 image."),
        (
            lambda: figures.table(["layer", "size"], [["Linear", "3"], ["ReLU", ""]]),
            "Layer, size; Linear, 3; ReLU.",
        ),
        (
            panels_of_points,
            "Left: points of the plane: data. Right: points of the plane. Colours: latent z.",
        ),
    ],
)
def test_a_figure_is_described_by_what_it_shows(draw, words):
    assert describe(draw()) == words


def test_of_many_panels_what_they_share_is_said_once():
    latents = numpy.random.default_rng(0).normal(size=(50, 3))
    said = describe(figures.latent_marginals(latents, DiagonalGaussian().fit(latents)))
    assert said.count("fitted density") == 3
    figure = figures.latent_pairs(latents, DiagonalGaussian().fit(latents))
    assert describe(figure).startswith("6 panels: latents of the data; fitted density: contours")
    assert describe(figure).endswith("Axes: density, z 2, z 1, z 3.")


@pytest.mark.parametrize("columns", [3, 4])
def test_the_file_says_where_its_images_lie_and_what_they_are(tmp_path, columns):
    levels = numpy.arange(10, 60, 10)
    images = numpy.broadcast_to(levels[:, None, None] / 255, (5, 28, 28))
    png, svg = figures.save(figures.image_grid(images, columns=columns, title="a"), tmp_path / "a")
    words = "A. 5 images in 2 rows."
    assert text_in(png)["Description"] == words
    assert words in svg.read_text()
    said = text_in(png)[IMAGE_BOXES].replace(" ", ";").split(";")
    boxes = [[float(share) for share in box.split(",")] for box in said]
    assert len(boxes) == len(levels)
    pixels = numpy.asarray(Image.open(png).convert("L")).astype(int)
    height, width = pixels.shape
    inside = numpy.zeros(pixels.shape, bool)
    for (left, top, right, bottom), level in zip(boxes, levels, strict=True):
        x0, x1 = round(left * width), round(right * width)
        y0, y1 = round(top * height), round(bottom * height)
        assert (pixels[y0 + 2 : y1 - 2, x0 + 2 : x1 - 2] == level).all()
        inside[y0 - 2 : y1 + 2, x0 - 2 : x1 + 2] = True
    around = pixels[~inside]
    assert (around[around < 200] < 200).sum() < 0.01 * around.size  # the title's letters


def test_a_chart_has_no_images_that_would_stay_as_they_are(tmp_path):
    png, _ = figures.save(figures.line_chart({"a": ([1, 2], [3, 4])}, "x", "y"), tmp_path / "a")
    assert text_in(png)[IMAGE_BOXES] == ""


def test_boxes_are_those_of_the_layout_that_is_drawn(tmp_path):
    """Titles above columns make room for themselves: everything moves when it is laid out."""
    rows = [numpy.zeros((8, 32, 32))] * 2
    titles = ["skull\nwidth"] * 8
    figure = figures.rows_of_images(rows, ["least", "most"], column_titles=titles, title="Faces")
    png, _ = figures.save(figure, tmp_path / "a")
    pixels = numpy.asarray(Image.open(png).convert("L"))
    height, width = pixels.shape
    for box in text_in(png)[IMAGE_BOXES].split(";"):
        left, top, right, bottom = map(float, box.split(","))
        x0, x1, y0, y1 = map(round, (left * width, right * width, top * height, bottom * height))
        assert (pixels[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1] == 0).all()
        assert (pixels[y0 - 4 : y0 - 1, x0:x1] == 255).all()
        assert (pixels[y1 + 1 : y1 + 4, x0:x1] == 255).all()
