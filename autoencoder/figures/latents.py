"""Latents against the density fitted to them, one coordinate and two at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from autoencoder.figures.plane import draw_density, draw_points, shared_legend
from autoencoder.figures.style import COLOURS, TALLEST, in_house_style, new_figure

_BINS = 50
_MOST_POINTS = 3000  # of a scatter plot; more only make it black
_DATA = "latents of the data"
_FITTED = "fitted density"
_CONTOURS = "fitted density: contours around 50, 90 and 99 % of it"


@in_house_style
def latent_marginals(latents: numpy.ndarray, density: Any, *, title: str | None = None) -> Figure:
    """A histogram of each coordinate of latents (N, d), the fitted density's marginal over it.

    >>> from autoencoder.densities import DiagonalGaussian
    >>> latents = numpy.random.default_rng(0).normal(size=(200, 4))
    >>> figure = latent_marginals(latents, DiagonalGaussian().fit(latents))
    """
    d = latents.shape[1]
    columns = min(4, d)
    rows = -(-d // columns)
    figure, grid = new_figure(
        rows, columns, width=14.0, height=min(1.2 + 2.6 * rows, TALLEST), title=title, share_y=True
    )
    for i, axes in enumerate(grid.flat):
        if i >= d:
            axes.remove()
            continue
        _draw_marginal(axes, latents[:, i], density.marginal([i]))
        axes.set_xlabel(f"$z_{{{i + 1}}}$")
        if i % columns == 0:
            axes.set_ylabel("density")
    shared_legend(figure)
    return figure


@in_house_style
def latent_pairs(
    latents: numpy.ndarray,
    density: Any,
    coordinates: Sequence[int] = (0, 1, 2),
    *,
    title: str | None = None,
) -> Figure:
    """Scatter plots of pairs of coordinates of latents (N, d), with contours of the fitted density.

    On the diagonal stands each coordinate's histogram, below it the pairs. Contours enclose 50, 90
    and 99 % of the density's mass. Coordinates beyond d are left out; three fill a slide.

    >>> from autoencoder.densities import DiagonalGaussian
    >>> latents = numpy.random.default_rng(0).normal(size=(200, 2))
    >>> figure = latent_pairs(latents, DiagonalGaussian().fit(latents))
    """
    shown = [c for c in coordinates if c < latents.shape[1]]
    k = len(shown)
    if k < 2:
        raise ValueError(f"latent_pairs: two coordinates at least, latents are {latents.shape}")
    figure, grid = new_figure(
        k, k, width=3.6 * k + 0.8, height=min(2.5 * k + 1.2, TALLEST), title=title
    )
    points = latents[:: -(-len(latents) // _MOST_POINTS)]
    for i, row in enumerate(shown):
        for j, column in enumerate(shown):
            axes = grid[i, j]
            if j > i:
                axes.remove()
                continue
            if i == j:
                _draw_marginal(axes, latents[:, row], density.marginal([row]), _CONTOURS)
                axes.yaxis.set_major_locator(MaxNLocator(2))
                axes.set_ylabel("density")
            else:
                axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
                axes.set(xlim=_limits(latents[:, column]), ylim=_limits(latents[:, row]))
                pair = points[:, [column, row]]
                draw_points(axes, pair, _DATA, colour=COLOURS["blue"], size=5, opacity=0.35)
                draw_density(axes, density.marginal([column, row]), _CONTOURS, resolution=120)
            if i == k - 1:
                axes.set_xlabel(f"$z_{{{column + 1}}}$")
            if j == 0 and i > 0:
                axes.set_ylabel(f"$z_{{{row + 1}}}$")
            axes.tick_params(labelbottom=i == k - 1, labelleft=j in (0, i))
    shared_legend(figure)
    return figure


def _draw_marginal(axes: Any, values: numpy.ndarray, density: Any, label: str = _FITTED) -> None:
    low, high = _limits(values)
    x = numpy.linspace(low, high, 300)
    bins = numpy.linspace(low, high, _BINS + 1)
    axes.hist(values, bins, density=True, color=COLOURS["blue"], alpha=0.45, label=_DATA)
    axes.plot(x, numpy.exp(density.log_prob(x[:, None])), color=COLOURS["vermilion"], label=label)
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))


def _limits(values: numpy.ndarray) -> tuple[float, float]:
    """The range of all but a few stray values, with a margin."""
    low, high = numpy.quantile(values, [0.001, 0.999])
    margin = 0.15 * max(high - low, 1e-6)
    return float(low - margin), float(high + margin)
