"""Pictures of the plane: points and curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from autoencoder.figures.style import COLOURS, in_house_style, new_figure

__all__ = ["draw_curve", "draw_points", "draw_points_by_value", "plane_figure", "shared_legend"]

# Okabe and Ito's, none so bright or so dark that it vanishes on white paper or by night on black.
_BY_VALUE = LinearSegmentedColormap.from_list(
    "by value", [COLOURS[name] for name in ("blue", "green", "orange")]
)


@in_house_style
def plane_figure(titles: Sequence[str], limit: float = 2.0) -> tuple[Figure, list[Axes]]:
    """A figure and its axes: pictures of the square from -limit to limit, side by side.

    >>> figure, (left, right) = plane_figure(["data", "decoded"], 1.5)
    """
    side = min(5.6, 13.8 / len(titles))
    width, height = side * len(titles) + 0.6, side + 0.9
    figure, grid = new_figure(1, len(titles), width=width, height=height, share_y=True)
    axes = list(grid[0])
    for ax, name in zip(axes, titles, strict=True):
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xlabel="$x_1$")
        ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        ax.set_title(name)
    axes[0].set_ylabel("$x_2$")
    return figure, axes


@in_house_style
def draw_points(
    axes: Axes,
    points: numpy.ndarray,
    label: str | None = None,
    *,
    colour: str = COLOURS["grey"],
    size: float = 12.0,
    opacity: float = 0.6,
) -> None:
    """Points (N, 2) as dots; ``size`` is a dot's, in points squared.

    >>> figure, (axes,) = plane_figure(["a square"])
    >>> draw_points(axes, numpy.array([[-1, -1], [-1, 1], [1, -1], [1, 1]]), "corners")
    """
    # Thousands of dots would make a vector file of many megabytes: they go in as one picture.
    axes.scatter(
        points[:, 0],
        points[:, 1],
        s=size,
        color=colour,
        alpha=opacity,
        linewidths=0,
        label=label,
        rasterized=len(points) > 2000,
    )


@in_house_style
def draw_points_by_value(
    axes: Axes,
    points: numpy.ndarray,
    values: numpy.ndarray,
    value_label: str,
) -> None:
    """Points (N, 2) coloured by a number each (N,), with a labelled colour bar beside them.

    >>> figure, (axes,) = plane_figure(["a line"])
    >>> draw_points_by_value(axes, numpy.zeros((3, 2)), numpy.arange(3), "latent z")
    """
    dots = axes.scatter(
        points[:, 0],
        points[:, 1],
        s=14.0,
        c=values,
        cmap=_BY_VALUE,
        linewidths=0,
        rasterized=len(points) > 2000,
    )
    beside = axes.inset_axes((1.03, 0.0, 0.045, 1.0))  # as high as the picture, however square
    beside.set_label("<colorbar>")  # as matplotlib names those that it places itself
    bar = axes.figure.colorbar(dots, cax=beside)
    bar.set_label(value_label)
    bar.outline.set_visible(False)


@in_house_style
def draw_curve(
    axes: Axes,
    lines: Sequence[numpy.ndarray] | numpy.ndarray,
    label: str | None = None,
    *,
    colour: str = COLOURS["black"],
    width: float = 3.0,
    style: str = "-",
) -> None:
    """A curve: points (m, 2) in order, or several such pieces. ``width`` is in points.

    >>> from autoencoder.data.curves import two_moons
    >>> figure, (axes,) = plane_figure(["two moons"])
    >>> draw_curve(axes, two_moons.lines(), "without noise")
    """
    pieces = [lines] if isinstance(lines, numpy.ndarray) else lines
    for i, piece in enumerate(pieces):
        axes.plot(
            piece[:, 0],
            piece[:, 1],
            style,
            color=colour,
            linewidth=width,
            label=label if i == 0 else None,
        )


@in_house_style
def shared_legend(figure: Figure, columns: int = 4) -> None:
    """One legend below all axes, each name once, dots large and opaque enough to be seen.

    >>> figure, (axes,) = plane_figure(["a point"])
    >>> draw_points(axes, numpy.zeros((1, 2)), "the origin")
    >>> shared_legend(figure)
    """
    entries: dict[str, Artist] = {}
    for axes in figure.axes:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(name, handle)
    legend = figure.legend(
        list(entries.values()),
        list(entries),
        loc="outside lower center",
        ncols=min(columns, max(1, len(entries))),
    )
    for drawn in legend.legend_handles:
        if isinstance(drawn, PathCollection):
            drawn.set_sizes([90])
            drawn.set_alpha(1.0)
