"""Figures made of small images: rows to compare, and grids."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from autoencoder.figures.style import TALLEST, in_house_style, new_figure
from minigrad.backend import whole_number

_WIDTH = 12.0  # inches
_TITLE_WIDTH = 0.155  # inches a character of a row's title takes, roughly
_MANY_ROWS = 8  # a figure of more is narrow, and so shown larger than others
_TITLE_LINE = 0.29  # inches a line of it takes


@in_house_style
def rows_of_images(
    rows: Sequence[numpy.ndarray],
    titles: Sequence[str],
    *,
    column_titles: Sequence[str] | None = None,
    title: str | None = None,
    value_range: tuple[float, float] = (0.0, 1.0),
    groups: Sequence[int] = (),
) -> Figure:
    """Rows of images under one another: originals above, reconstructions below.

    Each row is an array (N, H, W), (N, 1, H, W), drawn in grey, or (N, 3, H, W), in colour, with a
    title at its left; there may be a title above each of the N columns. ``value_range`` is drawn
    black and white, values beyond are clipped; an image that is nowhere a number leaves its place
    empty. ``groups`` are the rows that begin a new group, set apart by more space above them.

    >>> images = numpy.random.default_rng(0).random((8, 1, 28, 28))
    >>> figure = rows_of_images([images, images], ["original", "reconstruction"])
    """
    colours = [_as_colour(row, value_range) for row in rows]
    if not rows:
        raise ValueError("rows_of_images: there is nothing to draw")
    if len({row.shape for row in colours}) != 1:
        raise ValueError(f"rows_of_images: shapes differ, {[row.shape for row in rows]}")
    if len(titles) != len(rows):
        raise ValueError(f"rows_of_images: {len(rows)} rows and {len(titles)} titles")
    n, height, width, _ = colours[0].shape
    if column_titles is not None and len(column_titles) != n:
        raise ValueError(f"rows_of_images: {n} columns and {len(column_titles)} titles")

    gap = max(1, width // 14)
    tops = [i * (height + 2 * gap) for i in range(len(rows))]
    tops = [top + 4 * gap * sum(0 < g <= i for g in groups) for i, top in enumerate(tops)]
    mosaic = _mosaic(colours, gap, tops)
    lines = [text.split("\n") for text in titles]
    longest = max(len(line) for text in lines for line in text)
    # Titles of neighbouring rows shall not touch, however many rows there are.
    crowded = max(
        ((len(a) + len(b)) / 2 for a, b in itertools.pairwise(lines)), default=len(lines[0])
    )
    least = crowded * _TITLE_LINE * len(mosaic) / (height + 2 * gap)
    above = 0.0
    if column_titles is not None:
        above = 0.1 + _TITLE_LINE * max(text.count("\n") + 1 for text in column_titles)
    figure = _mosaic_figure(mosaic, n, title, longest * _TITLE_WIDTH, above, least)
    axes = figure.axes[0]
    axes.set_yticks([height / 2 - 0.5 + top for top in tops], titles)
    if column_titles is not None:
        centres = [width / 2 - 0.5 + i * (width + gap) for i in range(n)]
        axes.set_xticks(centres, column_titles)
        axes.xaxis.tick_top()
    axes.tick_params(length=0, pad=8)
    if len(rows) > _MANY_ROWS and all(len(text) == 1 for text in lines):
        axes.tick_params(axis="y", labelsize=14.5)
    return figure


@in_house_style
def image_grid(
    images: numpy.ndarray, *, columns: int | None = None, title: str | None = None
) -> Figure:
    """Images side by side in a grid, filled row by row; by default about as wide as a slide.

    Images are as for :func:`rows_of_images`.

    >>> figure = image_grid(numpy.zeros((10, 28, 28)), columns=5, title="nothing yet")
    """
    colour = _as_colour(images)
    if columns is not None:
        whole_number("image_grid", "columns", columns)
    columns = columns or math.ceil(math.sqrt(len(colour) * 16 / 9))
    return _mosaic_figure(_grid(colour, columns), columns, title)


@in_house_style
def image_panels(panels: Mapping[str, numpy.ndarray], *, columns: int) -> Figure:
    """Grids of images side by side, each under its name: to compare sets of images.

    Images are as for :func:`rows_of_images`; ``columns`` are those of each grid.

    >>> images = numpy.random.default_rng(0).random((9, 28, 28))
    >>> figure = image_panels({"data": images, "samples": images}, columns=3)
    """
    if not panels:
        raise ValueError("image_panels: there is nothing to draw")
    whole_number("image_panels", "columns", columns)
    mosaics = [_grid(_as_colour(images), columns) for images in panels.values()]
    tallest = max(mosaic.shape[0] / mosaic.shape[1] for mosaic in mosaics)
    side = min(14.2 / len(panels), 0.3 + (TALLEST - 0.9) / tallest)
    width, height = side * len(panels), (side - 0.3) * tallest + 0.9
    figure, axes = new_figure(1, len(panels), width=width, height=height)
    for ax, name, mosaic in zip(axes[0], panels, mosaics, strict=True):
        _show(ax, mosaic)
        ax.set_title(name)
    return figure


def _as_colour(
    images: numpy.ndarray, value_range: tuple[float, float] = (0.0, 1.0)
) -> numpy.ndarray:
    """The images as bytes, channels last: (N, H, W, 4), the fourth 0 where there is none."""
    images = numpy.asarray(images)
    if images.ndim == 3:
        images = images[:, None]
    if images.ndim != 4 or images.shape[1] not in (1, 3) or not images.size:
        raise ValueError(f"expected images (N, 1 or 3, H, W) or (N, H, W), got {images.shape}")
    low, high = value_range
    unit = numpy.clip((images.astype("float64") - low) / (high - low), 0.0, 1.0)
    is_there = ~numpy.isnan(unit).all(axis=(1, 2, 3), keepdims=True)
    levels = numpy.rint(255 * numpy.nan_to_num(unit, nan=1.0)).astype("uint8")
    colours = numpy.broadcast_to(levels, (len(levels), 3, *levels.shape[2:]))
    opaque = numpy.broadcast_to(255 * is_there.astype("uint8"), colours[:, :1].shape)
    return numpy.concatenate([colours, opaque], axis=1).transpose(0, 2, 3, 1)


def _grid(colour: numpy.ndarray, columns: int) -> numpy.ndarray:
    """Images (N, H, W, 4) row by row."""
    gap = max(1, colour.shape[2] // 14)
    rows = [colour[start : start + columns] for start in range(0, len(colour), columns)]
    tops = [i * (colour.shape[1] + gap) for i in range(len(rows))]
    return _mosaic(rows, gap, tops)


def _mosaic(rows: Sequence[numpy.ndarray], gap: int, tops: Sequence[int]) -> numpy.ndarray:
    """All images in one, nothing between them: one picture in the file instead of hundreds."""
    n, height, width, _ = rows[0].shape
    mosaic = numpy.full((tops[-1] + height, n * (width + gap) - gap, 4), 255, dtype="uint8")
    mosaic[..., 3] = 0
    for top, row in zip(tops, rows, strict=True):
        for j, image in enumerate(row):
            left = j * (width + gap)
            mosaic[top : top + height, left : left + width] = image
    return mosaic


def _mosaic_figure(
    mosaic: numpy.ndarray,
    columns: int,
    title: str | None,
    title_width: float = 0.0,
    above: float = 0.0,
    least: float = 0.0,
) -> Figure:
    """A mosaic on its figure. Inches: beside it ``title_width``, above it ``above`` for the titles
    of rows and columns; it is at least ``least`` high, also where that is more than a slide holds.
    """
    height, width, _ = mosaic.shape
    above += 0.8 if title else 0.4
    # An image is at most 1.5 inches wide: few images shall not fill the wall.
    tallest = max(TALLEST - above, least)
    inches = min(_WIDTH - title_width, 1.5 * columns, tallest * width / height)
    figure, axes = new_figure(
        width=inches + title_width + 0.3, height=inches * height / width + above, title=title
    )
    _show(axes[0, 0], mosaic)
    return figure


def _show(axes: Axes, mosaic: numpy.ndarray) -> None:
    axes.imshow(mosaic)
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)
