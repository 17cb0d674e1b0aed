"""Over pictures of the plane: what has a value everywhere, densities and arrow fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from autoencoder.figures.style import COLOURS, in_house_style

__all__ = ["draw_arrows", "draw_density"]


class Density(Protocol):
    """Anything with ``log_prob``."""

    def log_prob(self, x: numpy.ndarray) -> numpy.ndarray: ...


@in_house_style
def draw_density(
    axes: Axes,
    density: Density,
    label: str | None = None,
    *,
    masses: Sequence[float] = (0.5, 0.9, 0.99),
    colour: str = COLOURS["vermilion"],
    resolution: int = 240,
) -> None:
    """Contours of a density, anything with ``log_prob``, each around a stated share of its mass.

    The axes have their limits set; mass beyond them is not seen. The density is evaluated on
    ``resolution`` points across and down.

    >>> from autoencoder.densities import FullGaussian
    >>> from autoencoder.figures import plane_figure
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
    levels = sorted({float(descending[numpy.searchsorted(enclosed, mass)]) for mass in masses})
    widths = numpy.linspace(1.4, 2.8, len(levels))  # the innermost is the boldest
    axes.contour(x, y, probability, levels=levels, colors=[colour], linewidths=widths)
    if label is not None:
        axes.add_line(Line2D([], [], color=colour, linewidth=2.2, label=label))


@in_house_style
def draw_arrows(
    axes: Axes,
    start: numpy.ndarray,
    end: numpy.ndarray,
    label: str | None = None,
    *,
    colour: str = COLOURS["blue"],
) -> None:
    """Arrows, to scale, from points (N, 2) to others: from noisy to denoised.

    >>> from autoencoder.figures import plane_figure
    >>> figure, (axes,) = plane_figure(["towards the origin"])
    >>> start = numpy.random.default_rng(0).normal(size=(50, 2))
    >>> draw_arrows(axes, start, 0.5 * start, "denoising")
    """
    if start.shape != end.shape:
        raise ValueError(f"draw_arrows: starts {start.shape} and ends {end.shape}")
    along = end - start
    axes.quiver(
        start[:, 0],
        start[:, 1],
        along[:, 0],
        along[:, 1],
        color=colour,
        angles="xy",
        scale_units="xy",
        scale=1.0,
        width=0.004,
        headwidth=4.5,
        headlength=5.0,
        headaxislength=4.5,
        zorder=3,
    )
    if label is not None:  # a quiver puts nothing readable into a legend
        axes.add_line(
            Line2D([], [], color=colour, linewidth=2.2, marker=">", markersize=8, label=label)
        )
