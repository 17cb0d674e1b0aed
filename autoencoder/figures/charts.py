"""Curves, bars and tables: numbers to be read off a slide."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import ArrayLike

from autoencoder.figures.style import COLOURS, TALLEST, in_house_style, new_figure
from minigrad.backend import shown

_MARKERS = "osD^vP"
_LINES = ("-", "--", "-.", ":")
_MOST_MARKERS = 25  # a curve of more points is drawn without markers
_LINE = 0.42  # inches a line of a table takes
_GAP = 0.35  # inches between its columns
_SIZE = 16.0  # of its letters, in points


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
        axes.yaxis.set_major_formatter("{x:g}")
    if high / low < 100:  # too few powers of ten to read a value by
        subs = (1, 2, 5) if high / low > 5 else range(1, 10)
        axes.yaxis.set_major_locator(LogLocator(subs=subs))
        axes.yaxis.set_minor_locator(NullLocator())


@in_house_style
def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    title: str | None = None,
    rules: Sequence[int] = (),
) -> Figure:
    """A table: the first column of texts flush left, the others, of numbers, flush right.

    ``rules`` are the rows that a line is drawn above: the first of a new group, a sum.

    >>> figure = table(["layer", "parameters"], [["encoder", "55,912"], ["decoder", "56,545"]])
    """
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"table: {len(header)} columns, but a row of {len(row)}: {row}")
    widths = [
        _GAP + max(_width(row[i], row is header) for row in (header, *rows))
        for i in range(len(header))
    ]
    height = _LINE * (len(rows) + 1)
    figure, grid = new_figure(
        width=sum(widths) + 0.4, height=height + (0.9 if title else 0.4), title=title
    )
    axes = grid[0, 0]
    axes.set(xlim=(0, sum(widths)), ylim=(len(rows) + 0.5, -0.5))
    axes.set_axis_off()
    for i, row in enumerate((header, *rows)):
        for j, text in enumerate(row):
            x = sum(widths[: j + 1]) if j else 0
            axes.text(
                x,
                i,
                text,
                ha="left" if j == 0 else "right",
                va="center",
                fontsize=_SIZE,
                fontweight="bold" if i == 0 else "normal",
            )
    axes.axhline(0.5, color=COLOURS["black"], linewidth=1.6)
    for rule in rules:
        axes.axhline(rule + 0.5, color=COLOURS["grey"], linewidth=0.9)
    return figure


def _width(text: str, is_bold: bool) -> float:
    """Inches a text takes."""
    letters = FontProperties(size=_SIZE, weight="bold" if is_bold else "normal")
    return TextPath((0.0, 0.0), text, prop=letters).get_extents().x1 / 72 if text.strip() else 0.0


@in_house_style
def bar_chart(
    bars: Mapping[str, float],
    x_label: str,
    *,
    emphasised: Sequence[str] = (),
    value_format: str = "{:.2f}",
    log_x: bool = False,
    axes: Axes | None = None,
) -> Figure:
    """Horizontal bars, named at their left, with their values at their ends, from top to bottom.

    The bars to be emphasised are those that the figure is about; the others, to compare with, are
    grey. With ``log_x`` the axis is logarithmic, if all values are positive. With ``axes`` it is
    drawn there instead of in a new figure.

    >>> figure = bar_chart({"data": 0.01, "samples": 0.9}, "distance", emphasised=["samples"])
    """
    if not bars or not set(emphasised) <= set(bars):
        raise ValueError(f"bar_chart: bars {list(bars)}, to emphasise {list(emphasised)}")
    if axes is None:
        axes = cast(Axes, new_figure(height=min(1.6 + 0.7 * len(bars), TALLEST))[1][0, 0])
    names = list(bars)
    colours = [COLOURS["vermilion" if name in emphasised else "grey"] for name in names]
    drawn = axes.barh(names, list(bars.values()), color=colours, height=0.62)
    axes.bar_label(drawn, [value_format.format(value) for value in bars.values()], padding=6)
    axes.yaxis.set_inverted(True)  # also where axes share it
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.14)
    axes.set_xlabel(x_label)
    if log_x and min(bars.values()) > 0:
        axes.set_xscale("log")
        low = 10.0 ** math.floor(math.log10(0.7 * min(bars.values())))
        axes.set_xlim(low, low * (max(bars.values()) / low) ** 1.25)  # room for the last value
        axes.xaxis.set_major_formatter("{x:g}")
    return cast(Figure, axes.figure)
