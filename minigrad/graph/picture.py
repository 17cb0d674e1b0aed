"""Boxes as a matplotlib figure: the only file of minigrad that imports matplotlib.

Operations stand one after another in rows, wrapped like text. A leaf stands above or below the
operation before the one that uses it first. A line to the next column swings over. Any other line
takes a lane between rows, and rises and falls between columns: so none runs through a box. Lengths
are in units of the letters' size, and y grows downwards.
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
Row = list[list[int]]  # the boxes of each column

LINE, MARGIN = 1.3, 0.6  # of text in a box
COLUMN_GAP, BOX_GAP, ROW_GAP, LANE = 2.6, 1.2, 3.2, 0.7
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

    >>> layout = arrange([(), (0,)], [(2.0, 1.0), (2.0, 1.0)], page=(16.0, 9.0))
    >>> layout.centres, layout.lines
    ([(1.0, 0.5), (5.6, 0.5)], [[(2.0, 0.5), (4.6, 0.5)]])
    """
    columns = _columns(inputs)
    ends = list(itertools.accumulate(_width(column, sizes) + COLUMN_GAP for column in columns))
    middles = [(start + end) / 2 for start, end in itertools.pairwise([0.0, *ends])]
    layouts: list[Layout] = []
    for count in range(1, len(columns) + 1):
        row_of = [int(middle / ends[-1] * count) for middle in middles]
        rows = itertools.groupby(zip(row_of, columns), key=lambda pair: pair[0])
        layouts.append(_placed([[column for _, column in row] for _, row in rows], inputs, sizes))
        if layouts[-1].height / page[1] > layouts[-1].width / page[0]:
            break  # more rows only make it narrower
    return min(layouts, key=lambda found: max(found.width / page[0], found.height / page[1]))


def _columns(inputs: Sequence[Sequence[int]]) -> Row:
    """A column for each operation, which stands in its middle, among leaves that the next uses."""
    used = set(itertools.chain(*inputs))
    placed: set[int] = set()
    columns: Row = [[]]
    for box, sources in enumerate(inputs):
        if sources or box not in used:
            leaves = [s for s in dict.fromkeys(sources) if not inputs[s] and s not in placed]
            placed.update(leaves)
            columns[-1] += leaves
            columns.append([box])
    return [[*rest[::2][::-1], first, *rest[1::2]] for first, *rest in filter(None, columns)]


def _width(column: Sequence[int], sizes: Sequence[Point]) -> float:
    return max(sizes[box][0] for box in column)


def _placed(rows: list[Row], inputs: Sequence[Sequence[int]], sizes: Sequence[Point]) -> Layout:
    """The coordinates of boxes and lines, the rows below each other."""
    row_of = {box: i for i, row in enumerate(rows) for column in row for box in column}
    margin = COLUMN_GAP if len(rows) > 1 else 0.0
    left: dict[int, float] = {}  # the edges of each box's column
    right: dict[int, float] = {}
    direct = set()  # the lines that need no lane
    for row in rows:
        edge = margin
        for column in row:
            left.update(dict.fromkeys(column, edge))
            right.update(dict.fromkeys(column, edge + _width(column, sizes)))
            edge = right[column[0]] + COLUMN_GAP
        for column, following in itertools.pairwise(row):
            direct.update(itertools.product(column, following))
    lanes: list[dict[int, float]] = [{} for _ in rows]  # above each row: of each source, its y
    for box, sources in enumerate(inputs):
        for source in sources:
            if (source, box) not in direct:
                lanes[row_of[box]][source] = lanes[_first(row_of, source, box)][source] = 0.0
    # Each source's lines rise and fall in a place of their own: the lowest source of a column
    # innermost on the right, uppermost above the row, and outermost on the left. So lines that
    # change rows together do not cross.
    reading = [box for row in rows for column in row for box in column[::-1]]
    turning = [source for source in reading if any(source in above for above in lanes)]
    turn = {source: COLUMN_GAP * (k + 1) / (len(turning) + 1) for k, source in enumerate(turning)}
    y: dict[int, float] = {}
    height = 0.0
    for i, (row, above) in enumerate(zip(rows, lanes)):
        gap = max(ROW_GAP if i else 0.0, LANE * (len(above) + 1) if above else 0.0)
        for k, source in enumerate(source for source in turning if source in above):
            above[source] = height + gap * (k + 1) / (len(above) + 1)
        for column in row:
            room = numpy.array([sizes[box][1] + BOX_GAP for box in column])
            middles = room.cumsum() - room / 2
            y.update(zip(column, (middles - middles[len(column) // 2]).tolist()))
        boxes = [box for column in row for box in column]
        shift = height + gap - min(y[box] - sizes[box][1] / 2 for box in boxes)
        y.update({box: y[box] + shift for box in boxes})
        height = max(y[box] + sizes[box][1] / 2 for box in boxes)
    lines = []
    for box, sources in enumerate(inputs):
        above = lanes[row_of[box]]
        # From the upper lane into the lower place: these lines do not cross either.
        arrives = {s: (1, y[s]) if (s, box) in direct else (0, -above[s]) for s in sources}
        order = sorted(range(len(sources)), key=lambda i: arrives[sources[i]])
        for i, source in enumerate(sources):
            entry = y[box] + ((order.index(i) + 1) / (len(sources) + 1) - 0.5) * sizes[box][1]
            start = (left[source] + right[source] + sizes[source][0]) / 2
            line = [(start, y[source]), (right[source], y[source])]
            if (source, box) not in direct:
                first = lanes[_first(row_of, source, box)][source]
                out, back = right[source] + turn[source], left[box] - COLUMN_GAP + turn[source]
                line += [(out, y[source]), (out, first)]
                if first != above[source]:  # round the rows between, on the left
                    line += [(turn[source], first), (turn[source], above[source])]
                line += [(back, above[source]), (back, entry)]
            end = (left[box] + right[box] - sizes[box][0]) / 2
            lines.append(_without_repeats([*line, (left[box], entry), (end, entry)]))
    centres = [((left[box] + right[box]) / 2, y[box]) for box in range(len(inputs))]
    return Layout(centres, lines, max(right.values()) + margin, height)


def _first(row_of: dict[int, int], source: int, box: int) -> int:
    """The row above which a line takes its first lane."""
    return row_of[source] + (row_of[box] > row_of[source])


def _without_repeats(line: Sequence[Point]) -> list[Point]:
    """A line whose points are apart, up to rounding: or its arrow would have no head."""
    steps = zip(itertools.pairwise(line), numpy.abs(numpy.diff(line, axis=0)).max(axis=1))
    return [line[0], *(end for (_, end), length in steps if length > 1e-6)]


def picture(boxes: Sequence[Box], width: float, height: float) -> Figure:
    """Draw boxes and lines, arranged for a page of so many inches."""
    sizes = [_size(box) for box in boxes]
    layout = arrange([box.inputs for box in boxes], sizes, (width, height))
    across, down = layout.width + 2, max(layout.height + 2 + 2 * LINE, 8.0)  # with the key
    points = POINTS_PER_INCH * min(width / across, height / down)
    points = min(max(points, SMALLEST), LARGEST)
    inch = points / POINTS_PER_INCH
    across = max(across, 24.0)
    figure = Figure(figsize=(across * inch, down * inch), facecolor="white")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    left = (across - layout.width) / 2
    axes.set_xlim(-left, across - left)
    axes.set_ylim(down - 1, -1)  # y grows downwards
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
    colours = [dict(zip(("facecolor", "edgecolor"), COLOURS[kind])) for kind in used]
    axes.legend(
        handles=[Patch(**colour, label=KINDS[kind]) for kind, colour in zip(used, colours)],
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
    for start, end, after in zip(line, line[1:], [*line[2:], line[-1]]):
        if start[0] != end[0] and start[1] != end[1]:
            middle = (start[0] + end[0]) / 2
            vertices += [(middle, start[1]), (middle, end[1]), end]
            codes += [Path.CURVE4] * 3
        elif (start[0] == end[0] and end[0] != after[0] and end[1] == after[1]) or (
            start[1] == end[1] and end[1] != after[1] and end[0] == after[0]
        ):
            vertices += [_towards(end, start), end, _towards(end, after)]
            codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
        else:
            vertices.append(end)
            codes.append(Path.LINETO)
    return Path(numpy.array(vertices), codes)


def _towards(corner: Point, other: Point) -> Point:
    """The point where rounding a corner begins."""
    gap = numpy.subtract(other, corner)
    x, y = corner + gap * min(CORNER / float(numpy.hypot(*gap)), 0.5)
    return float(x), float(y)
