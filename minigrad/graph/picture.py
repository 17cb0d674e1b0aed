"""Boxes as a matplotlib figure: the only file of minigrad that imports matplotlib.

Every box gets a column after those of its inputs, and the columns are wrapped into bands, like
text. A *slot* is a place in a column: a box, or a point where a line passes. So no line runs
through a box: it passes a column level, in a slot of its own, and rises and falls between columns.
The order within the columns is Sugiyama's (Sugiyama, Tagawa and Toda 1981). Lengths are in units of
the letters' size, and y grows downwards.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Patch
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from minigrad.graph.drawing import COLOURS, NO_GRADIENT, Box

Point = tuple[float, float]
Neighbours = dict[int, list[int]]  # the slots that each slot is joined to

LINE, MARGIN = 1.3, 0.6  # of text in a box
COLUMN_GAP, BOX_GAP, BAND_GAP = 2.6, 1.2, 3.2
CORNER = 1.2
SMALLEST, LARGEST = 7.0, 16.0  # letters, in points
POINTS_PER_INCH = 72
FONT = "DejaVu Sans"
KINDS = {  # in the order and the words of the key
    "constant": "constant",
    "parameter": "wants a gradient",
    "operation": "operation and its result",
    "folded": "folded, with its parameters",
}


class Layout(NamedTuple):
    """Where everything stands: the boxes' centres, the points of each line, the whole's size."""

    centres: list[Point]
    lines: list[list[Point]]  # one for every input of every box, in order
    width: float
    height: float


def arrange(inputs: Sequence[Sequence[int]], sizes: Sequence[Point], page: Point) -> Layout:
    """Arrange boxes so that the whole fits a page of a given shape as large as possible.

    ``inputs`` holds for each box the boxes that lines come from, each earlier in the list.

    Examples
    --------
    >>> layout = arrange([(), (0,)], [(2.0, 1.0), (2.0, 1.0)], page=(16.0, 9.0))
    >>> layout.centres, layout.lines
    ([(1.0, 0.5), (5.6, 0.5)], [[(2.0, 0.5), (4.6, 0.5)]])
    """
    columns, ways = _columns(inputs)
    before: Neighbours = {slot: [] for column in columns for slot in column}
    after: Neighbours = {slot: [] for slot in before}
    for slot, following in dict.fromkeys(pair for way in ways for pair in itertools.pairwise(way)):
        before[following].append(slot)
        after[slot].append(following)
    sizes = [*sizes, *[(0.0, 0.0)] * (len(before) - len(sizes))]  # a passing line takes no room
    y = _heights(columns, before, after, sizes)
    layouts = []
    for count in range(1, len(columns) + 1):
        layouts.append(_placed(_bands(columns, sizes, count), ways, after, sizes, dict(y)))
        if layouts[-1].height / page[1] > layouts[-1].width / page[0]:
            break  # more bands only make it narrower
    return min(layouts, key=lambda found: max(found.width / page[0], found.height / page[1]))


def _columns(inputs: Sequence[Sequence[int]]) -> tuple[list[list[int]], list[list[int]]]:
    """The slots of each column, and the slots on the way of each line, from source to box.

    Boxes are slots by their number; the points where lines pass are numbered after them. Lines
    from one source pass a column together.
    """
    column = []
    for sources in inputs:
        column.append(max((column[source] + 1 for source in sources), default=0))
    first_use = {source: box for box in reversed(range(len(inputs))) for source in inputs[box]}
    for box in reversed(range(len(inputs))):  # a leaf stands right before its first use
        if not inputs[box] and box in first_use:
            uses = [column[taker] for taker, sources in enumerate(inputs) if box in sources]
            column[box] = min(uses) - 1
    columns: list[list[int]] = [[] for _ in range(max(column) + 1)]
    for box, place in enumerate(column):
        columns[place].append(box)
    passing: dict[tuple[int, int], int] = {}  # the slot of each source's lines in each column
    ways = []
    for box, sources in enumerate(inputs):
        for source in sources:
            way = [source]
            for place in range(column[source] + 1, column[box]):
                if (source, place) not in passing:
                    passing[source, place] = len(inputs) + len(passing)
                    columns[place].append(passing[source, place])
                way.append(passing[source, place])
            ways.append([*way, box])
    return columns, ways


def _heights(
    columns: list[list[int]], before: Neighbours, after: Neighbours, sizes: Sequence[Point]
) -> dict[int, float]:
    """The y of each slot, near its neighbours'; and sort the columns so that few lines cross.

    Sweep by sweep, forwards and back, a column follows the one before it. At last each slot goes
    towards the neighbours on both sides, and no column is sorted any more.
    """
    y = {slot: float(i) for column in columns for i, slot in enumerate(column)}
    for sweep in range(14):
        for column in columns[::-1] if sweep % 2 else columns:
            wish = {}
            for slot in column:
                near = after[slot] if sweep % 2 else before[slot]
                near = before[slot] + after[slot] if sweep >= 8 else near
                wish[slot] = sum(y[other] for other in near) / len(near) if near else y[slot]
            if sweep < 8:
                column.sort(key=wish.__getitem__)
            room = numpy.array([sizes[slot][1] + BOX_GAP for slot in column])
            offsets = room.cumsum() - room / 2
            # Less the offset, "below the one before" is "not smaller than the one before": the
            # places halfway between the running maximum and the running minimum from behind.
            places = [wish[slot] for slot in column] - offsets
            highest = numpy.maximum.accumulate(places)
            lowest = numpy.minimum.accumulate(places[::-1])[::-1]
            y.update(zip(column, ((highest + lowest) / 2 + offsets).tolist()))
    return y


def _bands(columns: list[list[int]], sizes: Sequence[Point], count: int) -> list[list[list[int]]]:
    """The columns, cut into about so many bands of about the same width."""
    ends = list(itertools.accumulate(_width(column, sizes) + COLUMN_GAP for column in columns))
    middles = [(end + start) / 2 for start, end in itertools.pairwise([0.0, *ends])]
    bands: dict[int, list[list[int]]] = {}
    for column, middle in zip(columns, middles):
        bands.setdefault(int(middle / ends[-1] * count), []).append(column)
    return list(bands.values())


def _width(column: Sequence[int], sizes: Sequence[Point]) -> float:
    return max(sizes[slot][0] for slot in column)


def _placed(
    bands: list[list[list[int]]],
    ways: list[list[int]],
    after: Neighbours,
    sizes: Sequence[Point],
    y: dict[int, float],
) -> Layout:
    """The coordinates of boxes and lines, the bands moved below each other."""
    left_of: dict[int, float] = {}  # the edges of each slot's column
    right_of: dict[int, float] = {}
    margin = COLUMN_GAP if len(bands) > 1 else 0.0
    width = height = 0.0
    gaps = []  # the middle of the gap above each band
    for band in bands:
        gaps.append(height + BAND_GAP / 2)
        slots = [slot for column in band for slot in column]
        shift = height + (BAND_GAP if height else 0.0)
        shift -= min(y[slot] - sizes[slot][1] / 2 for slot in slots)
        y.update({slot: y[slot] + shift for slot in slots})
        height = max(y[slot] + sizes[slot][1] / 2 for slot in slots)
        left = margin
        for column in band:
            right = left + _width(column, sizes)
            left_of.update(dict.fromkeys(column, left))
            right_of.update(dict.fromkeys(column, right))
            left = right + COLUMN_GAP
        width = max(width, left - COLUMN_GAP + margin)
    turns: dict[int, tuple[float, float, float]] = {}
    for band, gap in zip(bands, gaps[1:]):
        # The line that leaves lowest turns first: innermost on the right, uppermost in the gap,
        # outermost on the left. So lines that change bands together do not cross.
        leaving = [slot for slot in reversed(band[-1]) if after[slot]]
        step = COLUMN_GAP * min(0.14, 0.4 / max(len(leaving), 1))
        for rank, slot in enumerate(leaving):
            right = width - 0.6 * COLUMN_GAP + rank * step
            across = gap + (rank - (len(leaving) - 1) / 2) * step
            left = 0.6 * COLUMN_GAP - (len(leaving) - 1 - rank) * step
            turns[slot] = right, across, left
    lines = []
    for box, run in itertools.groupby(ways, key=lambda way: way[-1]):
        into = list(run)
        # Lines into one box arrive beside each other, in the order they come from.
        arriving = sorted(range(len(into)), key=lambda i: y[into[i][-2]])
        for i, way in enumerate(into):
            entry = y[box] + ((arriving.index(i) + 1) / (len(into) + 1) - 0.5) * sizes[box][1]
            line = [((left_of[way[0]] + right_of[way[0]] + sizes[way[0]][0]) / 2, y[way[0]])]
            for slot, following in itertools.pairwise(way):
                level = entry if following == box else y[following]
                line.append((right_of[slot], y[slot]))
                if slot in turns:
                    right, across, left = turns[slot]
                    line += [(right, y[slot]), (right, across), (left, across), (left, level)]
                line.append((left_of[following], level))
            line.append(((left_of[box] + right_of[box] - sizes[box][0]) / 2, entry))
            lines.append(_without_repeats(line))
    boxes = [slot for slot in sorted(y) if sizes[slot][0]]
    centres = [((left_of[box] + right_of[box]) / 2, y[box]) for box in boxes]
    return Layout(centres, lines, width, height)


def _without_repeats(line: Sequence[Point]) -> list[Point]:
    """A line whose points are apart, up to rounding: or its arrow would have no head."""
    steps = zip(itertools.pairwise(line), numpy.abs(numpy.diff(line, axis=0)).max(axis=1))
    return [line[0], *(end for (_, end), length in steps if length > 1e-6)]


def picture(boxes: Sequence[Box], width: float, height: float) -> Figure:
    """Draw boxes and lines, arranged for a page of so many inches."""
    key = 2 * LINE
    sizes = [_size(box) for box in boxes]
    layout = arrange([box.inputs for box in boxes], sizes, (width, height))
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
        arrow = FancyArrowPatch(
            path=_curve(line),
            arrowstyle="-|>,head_length=0.4,head_width=0.2",
            mutation_scale=points,
            linewidth=0.09 * points,
            color="#555555",
            shrinkA=0,
            shrinkB=0,
            zorder=1,
        )
        axes.add_patch(arrow)
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
        prop={"family": FONT, "size": 0.85 * points},
        borderaxespad=0.2,
    )
    return figure


def _draw_box(axes: Axes, box: Box, size: Point, centre: Point, points: float) -> None:
    """One box: the title in bold, the lines below it."""
    fill, outline = COLOURS[box.kind]
    x, y = centre[0] - size[0] / 2, centre[1] - size[1] / 2
    frame = FancyBboxPatch(
        (x, y),
        *size,
        boxstyle="round,pad=0,rounding_size=0.5",
        facecolor=fill,
        edgecolor=outline,
        linewidth=0.09 * points,
        zorder=2,
    )
    axes.add_patch(frame)
    for i, text in enumerate((box.title, *box.lines)):
        axes.text(
            centre[0],
            y + MARGIN + (i + 0.5) * LINE,
            text.replace("$", r"\$"),  # a dollar sign would start a formula
            ha="center",
            va="center_baseline",
            family=FONT,
            fontsize=points,
            weight="bold" if i == 0 else "normal",
            style="italic" if text == NO_GRADIENT else "normal",
            color="black" if i == 0 else "#333333",
            zorder=3,
        )


def _size(box: Box) -> Point:
    """Width and height of a box around its text."""
    texts = (box.title, *box.lines)
    widths = [_text_width(text, "normal" if i else "bold") for i, text in enumerate(texts)]
    return max(max(widths) + 2 * MARGIN, 5.0), len(texts) * LINE + 2 * MARGIN


def _text_width(text: str, weight: str) -> float:
    if not text.strip():
        return 0.0
    font = FontProperties(family=FONT, weight=weight, size=10)
    return TextPath((0, 0), text, prop=font, usetex=False).get_extents().width / 10


def _curve(line: Sequence[Point]) -> Path:
    """A line through points: upright and level parts meet in round corners, others swing."""
    vertices, codes = [line[0]], [Path.MOVETO]
    for start, end, after in zip(line, line[1:], [*line[2:], None]):
        if start[0] != end[0] and start[1] != end[1]:
            middle = (start[0] + end[0]) / 2
            vertices += [(middle, start[1]), (middle, end[1]), end]
            codes += [Path.CURVE4] * 3
        elif after is not None and _is_corner(start, end, after):
            vertices += [_towards(end, start), end, _towards(end, after)]
            codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
        else:
            vertices.append(end)
            codes.append(Path.LINETO)
    return Path(numpy.array(vertices), codes)


def _is_corner(start: Point, end: Point, after: Point) -> bool:
    """Whether a level part and an upright one meet."""
    if start[0] == end[0]:
        return end[1] == after[1]
    return end[0] == after[0]


def _towards(corner: Point, other: Point) -> Point:
    """The point where rounding a corner begins."""
    gap = numpy.subtract(other, corner)
    x, y = corner + gap * min(CORNER / float(numpy.hypot(*gap)), 0.5)
    return float(x), float(y)
