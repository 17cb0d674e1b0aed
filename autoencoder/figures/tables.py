"""Tables and bars: numbers to be read off a slide."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from matplotlib.ticker import FuncFormatter

from autoencoder.figures.style import COLOURS, TALLEST, in_house_style, new_figure

__all__ = ["bar_chart", "table"]

_LINE = 0.42  # inches a line of a table takes
_GAP = 0.35  # inches between its columns
_SIZE = 16.0  # of its letters, in points


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
            x = sum(widths[:j]) if j == 0 else sum(widths[: j + 1])
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
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    return cast(Figure, axes.figure)
