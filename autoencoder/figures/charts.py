"""Curves with axes and a legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from numpy.typing import ArrayLike

from autoencoder.figures.style import COLOURS, in_house_style, new_figure
from minigrad.backend import shown

__all__ = ["epoch_chart", "line_chart"]

_MARKERS = "osD^vP"
_LINES = ("-", "--", "-.", ":")
_MOST_MARKERS = 25  # a curve of more points is drawn without markers


@in_house_style
def line_chart(
    series: Mapping[str, tuple[ArrayLike, ArrayLike]],
    x_label: str,
    y_label: str,
    *,
    title: str | None = None,
    levels: Mapping[str, float] | None = None,
    log_x: bool = False,
    log_y: bool = False,
    x_ticks: Sequence[float] | None = None,
    axes: Axes | None = None,
) -> Figure:
    """Curves (x, y) over a common axis, by name, with a legend beside them that never covers one.

    They differ in colour, marker and dashes, so that they can be told apart in print too. Labels
    say the unit: ``"PSNR (dB)"``. ``levels`` are horizontal lines to compare with: a floor, a
    baseline. ``x_ticks`` are the values that were tried. With ``axes`` it is drawn there instead of
    in a new figure.

    >>> figure = line_chart({"PCA": ([2, 4], [0.056, 0.048])}, "d", "squared error", log_y=True)
    """
    if not series and not levels:
        raise ValueError("line_chart: there is nothing to draw")
    if axes is None:
        axes = cast(Axes, new_figure(height=6.0)[1][0, 0])
    for i, (name, (x, y)) in enumerate(series.items()):
        x, y = numpy.asarray(x), numpy.asarray(y)
        if x.shape != y.shape or x.ndim != 1:
            raise ValueError(f"line_chart: {shown(name)} has x {x.shape} and y {y.shape}")
        # After all colours are used once, dashes change.
        style = _LINES[(i // len(_MARKERS)) % len(_LINES)]
        marker = _MARKERS[i % len(_MARKERS)] if len(x) <= _MOST_MARKERS else ""
        axes.plot(x, y, style, marker=marker, label=name)
    for i, (name, level) in enumerate((levels or {}).items()):
        dashes = (0, (5, 2 + 2 * i))
        axes.axhline(level, color=COLOURS["grey"], linestyle=dashes, linewidth=2, label=name)
    if log_x:
        axes.set_xscale("log")
    if log_y:
        axes.set_yscale("log")
        _number_log_axis(axes)
    if x_ticks is not None:
        axes.set_xticks(x_ticks, [f"{tick:g}" for tick in x_ticks])
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel=x_label, ylabel=y_label)
    if title is not None:
        axes.set_title(title)
    if len(series) + len(levels or {}) > 1:
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0)
    return cast(Figure, axes.figure)  # a subfigure does as well


def epoch_chart(
    trainings: Mapping[str, Sequence[Mapping[str, Any]]], column: str, y_label: str, **options: Any
) -> Figure:
    """What was measured after each epoch: a column of the rows of trainings, by their names.

    Options are those of :func:`line_chart`.

    >>> rows = [{"epoch": 1, "psnr": 15.0}, {"epoch": 2, "psnr": 16.5}]
    >>> figure = epoch_chart({"denoised": rows}, "psnr", "PSNR (dB)")
    """
    series = {
        name: ([row["epoch"] for row in rows], [row[column] for row in rows])
        for name, rows in trainings.items()
    }
    most = max(len(rows) for rows in trainings.values())
    ticks = range(1, most + 1) if most <= 12 else None  # more would run into each other
    return line_chart(series, "epoch", y_label, x_ticks=ticks, **options)


def _number_log_axis(axes: Axes) -> None:
    """Number a logarithmic axis so that a room can read it: 0.02 where 2 x 10^-2 would stand."""
    low, high = axes.get_ylim()
    if low >= 1e-4 and high <= 1e5:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if high / low < 100:  # too few powers of ten to read a value by
        subs = (1, 2, 5) if high / low > 5 else range(1, 10)
        axes.yaxis.set_major_locator(LogLocator(subs=subs))
        axes.yaxis.set_minor_locator(NullLocator())
