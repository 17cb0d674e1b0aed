"""Boxes as a matplotlib figure. The only file of minigrad that imports matplotlib."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Patch
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from minigrad.graph.boxes import NO_GRADIENT, Box
from minigrad.graph.dot import COLOURS
from minigrad.graph.layout import Spacing, arrange
from minigrad.graph.lines import Point

# Lengths in units of the letters' size, so that the whole can be scaled to the page.
LINE, MARGIN = 1.3, 0.6
SPACING = Spacing(column=2.6, box=1.2, band=3.2)
CORNER = 1.2
SMALLEST, LARGEST = 7.0, 16.0  # letters, in points
POINTS_PER_INCH = 72
KINDS = {  # in the order and the words of the key
    "constant": "constant",
    "parameter": "wants a gradient",
    "operation": "operation and its result",
    "folded": "folded, with its parameters",
}


def picture(boxes: Sequence[Box], width: float, height: float) -> Figure:
    """Draw boxes and lines.

    Parameters
    ----------
    boxes : sequence of Box
    width, height : float
        Of the page, in inches.

    Returns
    -------
    matplotlib.figure.Figure
    """
    key = 2 * LINE
    sizes = [_size(box) for box in boxes]
    layout = arrange([box.inputs for box in boxes], sizes, SPACING, (width, height))
    whole = (layout.width + 2, max(layout.height + 2 + key, 8.0))
    points = min(width / whole[0], height / whole[1]) * POINTS_PER_INCH
    points = min(max(points, SMALLEST), LARGEST)
    inch = points / POINTS_PER_INCH
    shown = (max(whole[0], 24.0), whole[1])
    figure = Figure(figsize=(shown[0] * inch, shown[1] * inch), facecolor="white")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    left = (shown[0] - layout.width) / 2
    axes.set_xlim(-left, shown[0] - left)
    axes.set_ylim(shown[1] - 1, -1)  # y grows downwards
    for line in layout.lines:
        axes.add_patch(
            FancyArrowPatch(
                path=_curve(line),
                arrowstyle="-|>,head_length=0.4,head_width=0.2",
                mutation_scale=points,
                linewidth=0.09 * points,
                color="#555555",
                shrinkA=0,
                shrinkB=0,
                zorder=1,
            )
        )
    for box, size, centre in zip(boxes, sizes, layout.centres):
        _draw_box(axes, box, size, centre, points)
    used = [kind for kind in KINDS if any(box.kind == kind for box in boxes)]
    axes.legend(
        handles=[
            Patch(facecolor=COLOURS[kind][0], edgecolor=COLOURS[kind][1], label=KINDS[kind])
            for kind in used
        ],
        loc="lower center",
        ncols=len(used),
        frameon=False,
        fontsize=0.85 * points,
        prop={"family": "DejaVu Sans", "size": 0.85 * points},
        borderaxespad=0.2,
    )
    return figure


def _draw_box(axes, box: Box, size: Point, centre: Point, points: float) -> None:
    """One box: the title in bold, the lines below it."""
    fill, outline = COLOURS[box.kind]
    x, y = centre[0] - size[0] / 2, centre[1] - size[1] / 2
    axes.add_patch(
        FancyBboxPatch(
            (x, y),
            *size,
            boxstyle="round,pad=0,rounding_size=0.5",
            facecolor=fill,
            edgecolor=outline,
            linewidth=0.09 * points,
            zorder=2,
        )
    )
    for i, text in enumerate((box.title, *box.lines)):
        axes.text(
            centre[0],
            y + MARGIN + (i + 0.5) * LINE,
            _plain(text),
            ha="center",
            va="center_baseline",
            family="DejaVu Sans",
            fontsize=points,
            weight="bold" if i == 0 else "normal",
            style="italic" if text == NO_GRADIENT else "normal",
            color="black" if i == 0 else "#333333",
            zorder=3,
        )


def _size(box: Box) -> Point:
    """Width and height of a box around its text."""
    texts = (box.title, *box.lines)
    width = max(_width(text, is_bold=i == 0) for i, text in enumerate(texts))
    return max(width + 2 * MARGIN, 5.0), len(texts) * LINE + 2 * MARGIN


def _width(text: str, is_bold: bool) -> float:
    """How many times the letters' size a text is wide."""
    font = font_manager.FontProperties(
        family="DejaVu Sans", weight="bold" if is_bold else "normal", size=10
    )
    if not text.strip():
        return 0.0
    return TextPath((0, 0), text, prop=font, usetex=False).get_extents().width / 10


def _plain(text: str) -> str:
    """Text as it is: a dollar sign would start a formula."""
    return text.replace("$", r"\$")


def _curve(line: Sequence[Point]) -> Path:
    """A line through points: upright and level parts meet in round corners, others swing."""
    vertices, codes = [line[0]], [Path.MOVETO]
    for i, (start, end) in enumerate(itertools.pairwise(line)):
        if not _is_straight(start, end):
            middle = (start[0] + end[0]) / 2
            vertices += [(middle, start[1]), (middle, end[1]), end]
            codes += [Path.CURVE4] * 3
        elif i + 2 < len(line) and _is_corner(start, end, line[i + 2]):
            vertices += [_towards(end, start), end, _towards(end, line[i + 2])]
            codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
        else:
            vertices.append(end)
            codes.append(Path.LINETO)
    return Path(numpy.array(vertices), codes)


def _is_straight(start: Point, end: Point) -> bool:
    return start[0] == end[0] or start[1] == end[1]


def _is_corner(before: Point, at: Point, after: Point) -> bool:
    return _is_straight(at, after) and (before[0] == at[0]) != (at[0] == after[0])


def _towards(corner: Point, other: Point) -> Point:
    """The point where rounding a corner begins."""
    gap = numpy.subtract(other, corner)
    length = float(numpy.hypot(*gap))
    x, y = corner + gap * min(CORNER / max(length, 1e-9), 0.5)
    return float(x), float(y)
