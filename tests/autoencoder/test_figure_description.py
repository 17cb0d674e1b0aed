"""A figure's file says in words what it shows, and where its images lie."""

import numpy
import pytest
from PIL import Image

from autoencoder import figures
from autoencoder.densities import DiagonalGaussian
from autoencoder.figures.description import describe
from autoencoder.figures.style import IMAGE_BOXES


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
    boxes = [
        [float(share) for share in box.split(",")]
        for box in text_in(png)[IMAGE_BOXES].replace(" ", ";").split(";")
    ]
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
        x0, x1, y0, y1 = (
            round(left * width),
            round(right * width),
            *(round(side * height) for side in (top, bottom)),
        )
        assert (pixels[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1] == 0).all()
        assert (pixels[y0 - 4 : y0 - 1, x0:x1] == 255).all()
        assert (pixels[y1 + 1 : y1 + 4, x0:x1] == 255).all()
