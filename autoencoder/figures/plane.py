"""Pictures of the plane: points, curves, arrows, and contours of densities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from autoencoder.figures.style import COLOURS, in_house_style, new_figure

_MASSES = (0.5, 0.9, 0.99)
_PICTURE = 2000  # so many dots make a vector file of megabytes: they go in as one picture
# Okabe and Ito's, none so bright or so dark that it vanishes on white paper or by night on black.
_BY_VALUE = LinearSegmentedColormap.from_list(
    "by value", [COLOURS[name] for name in ("blue", "green", "orange")]
)


class Density(Protocol):
    """Anything with ``log_prob``."""

    def log_prob(self, x: numpy.ndarray) -> numpy.ndarray: ...


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
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
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
    axes.scatter(
        *points.T,
        s=size,
        color=colour,
        alpha=opacity,
        linewidths=0,
        label=label,
        rasterized=len(points) > _PICTURE,
    )


@in_house_style
def draw_points_by_value(
    axes: Axes, points: numpy.ndarray, values: numpy.ndarray, value_label: str
) -> None:
    """Points (N, 2) coloured by a number each (N,), with a labelled colour bar beside them.

    >>> figure, (axes,) = plane_figure(["a line"])
    >>> draw_points_by_value(axes, numpy.zeros((3, 2)), numpy.arange(3), "latent z")
    """
    dots = axes.scatter(
        *points.T, s=14.0, c=values, cmap=_BY_VALUE, linewidths=0, rasterized=len(points) > _PICTURE
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
        name = label if i == 0 else None
        axes.plot(*piece.T, style, color=colour, linewidth=width, label=name)


@in_house_style
def draw_density(
    axes: Axes,
    density: Density,
    label: str | None = None,
    *,
    colour: str = COLOURS["vermilion"],
    resolution: int = 240,
) -> None:
    """Contours of a density, anything with ``log_prob``, around 50, 90 and 99 % of its mass.

    The axes have their limits set; mass beyond them is not seen. The density is evaluated on
    ``resolution`` points across and down.

    >>> from autoencoder.densities import FullGaussian
    >>> figure, (axes,) = plane_figure(["a Gaussian"], 4.0)
    >>> draw_density(axes, FullGaussian([0, 0], [[1, 0.8], [0.8, 1]]), "50, 90, 99 % of the mass")
    """
    x = numpy.linspace(*axes.get_xlim(), resolution)
    y = numpy.linspace(*axes.get_ylim(), resolution)
    grid = numpy.stack(numpy.meshgrid(x, y), axis=-1)  # (resolution, resolution, 2)
    log_prob = density.log_prob(grid.reshape(-1, 2)).reshape(resolution, resolution)
    probability = numpy.exp(log_prob - log_prob.max())
    descending = numpy.sort(probability, axis=None)[::-1]
    enclosed = numpy.cumsum(descending) / descending.sum()
    levels = sorted({float(each) for each in descending[numpy.searchsorted(enclosed, _MASSES)]})
    widths = numpy.linspace(1.4, 2.8, len(levels))  # the innermost is the boldest
    axes.contour(x, y, probability, levels=levels, colors=[colour], linewidths=widths)
    if label is not None:
        axes.add_line(Line2D([], [], color=colour, linewidth=2.2, label=label))


@in_house_style
def draw_arrows(
    axes: Axes, start: numpy.ndarray, end: numpy.ndarray, label: str | None = None
) -> None:
    """Arrows, to scale, from points (N, 2) to others: from noisy to denoised.

    >>> figure, (axes,) = plane_figure(["towards the origin"])
    >>> start = numpy.random.default_rng(0).normal(size=(50, 2))
    >>> draw_arrows(axes, start, 0.5 * start, "denoising")
    """
    if start.shape != end.shape:
        raise ValueError(f"draw_arrows: starts {start.shape} and ends {end.shape}")
    along, colour = end - start, COLOURS["blue"]
    to_scale = {"angles": "xy", "scale_units": "xy", "scale": 1.0}
    axes.quiver(*start.T, *along.T, color=colour, width=0.004, headwidth=4.5, zorder=3, **to_scale)
    if label is not None:  # a quiver puts nothing readable into a legend
        axes.plot([], [], color=colour, linewidth=2.2, marker=">", markersize=8, label=label)


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
