"""Boxes as a matplotlib figure: the only file of minigrad that imports matplotlib.

Operations stand one after another in rows, wrapped like text. A leaf stands above or below the
operation before the one that uses it first. A line to the next column swings over. Any other line
takes a lane between rows, and rises and falls between columns: so none runs through a box. Lengths
are in units of the letters' size, and y grows downwards.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Patch
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from minigrad.graph.drawing import KINDS, NO_GRADIENT, Box

Point = tuple[float, float]
Row = list[list[int]]  # the boxes of each column

LINE, MARGIN = 1.3, 0.6  # of text in a box
COLUMN_GAP, BOX_GAP, ROW_GAP, LANE = 2.6, 1.2, 3.2, 0.7
CORNER, SWING = 1.2, 0.8  # where lines bend: how round, and how far from a column
SMALLEST, LARGEST = 7.0, 16.0  # letters, in points, 72 to the inch
FONT, GREY = "DejaVu Sans", "#555555"


class Layout(NamedTuple):
    """Where everything stands: the boxes' centres, the corners of each line, the whole's size."""

    centres: list[Point]
    lines: list[list[Point]]  # one for every input of every box, in order
    width: float
    height: float


def arrange(inputs: Sequence[Sequence[int]], sizes: Sequence[Point], page: Point) -> Layout:
    """Arrange boxes so that the whole fits a page of a given shape as large as possible.

    ``inputs`` holds for each box the boxes that lines come from, each earlier in the list.

    >>> layout = arrange([(), (0,)], [(2.0, 1.0), (2.0, 1.0)], page=(16.0, 9.0))
    >>> layout.centres, layout.lines
    ([(1.0, 0.5), (5.6, 0.5)], [[(2.0, 0.5), (2.8, 0.5), (3.8, 0.5), (4.6, 0.5)]])
    """
    columns = _columns(inputs)
    widths = [max(sizes[box][0] for box in column) + COLUMN_GAP for column in columns]
    ends = list(itertools.accumulate(widths))
    layouts: list[Layout] = []
    for count in range(1, len(columns) + 1):
        row_of = [int((end - width / 2) / ends[-1] * count) for end, width in zip(ends, widths)]
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


def _placed(rows: list[Row], inputs: Sequence[Sequence[int]], sizes: Sequence[Point]) -> Layout:
    """The coordinates of boxes and lines, the rows below each other."""
    widths, heights = numpy.array(sizes).T
    begins, ends, middles = numpy.zeros((3, len(sizes)))  # of each box's column; its own
    place: dict[int, tuple[int, int]] = {}  # the row and the column of each box
    margin = COLUMN_GAP if len(rows) > 1 else 0.0
    for i, row in enumerate(rows):
        edge = margin
        for k, column in enumerate(row):
            place.update(dict.fromkeys(column, (i, k)))
            begins[column], ends[column] = edge, edge + widths[column].max()
            edge = ends[column[0]] + COLUMN_GAP
            room = heights[column] + BOX_GAP
            middles[column] = room.cumsum() - room / 2
            middles[column] -= middles[column[len(column) // 2]]

    def lanes(source: int, box: int) -> list[int]:
        """The rows above which a line leaves its column and reaches the other; none: it swings."""
        (row, column), (last, _) = place[source], place[box]
        return [] if place[box] == (row, column + 1) else [row + (last > row), last]

    ways = [[(s, lanes(s, box)) for s in sources] for box, sources in enumerate(inputs)]
    taken = {(row, source) for way in ways for source, crossed in way for row in crossed}
    # Each source's lines rise and fall in a place of their own: the lowest source of a column
    # innermost on the right, uppermost above the row, and outermost on the left. So lines that
    # change rows together do not cross.
    reading = [box for row in rows for column in row for box in column[::-1]]
    turning = [box for box in reading if any((i, box) in taken for i in range(len(rows)))]
    turn = {source: COLUMN_GAP * (k + 1) / (len(turning) + 1) for k, source in enumerate(turning)}
    lane: dict[tuple[int, int], float] = {}  # how far down it runs
    height = 0.0
    for i, row in enumerate(rows):
        above = [source for source in turning if (i, source) in taken]
        gap = max(ROW_GAP if i else 0.0, LANE * (len(above) + 1) if above else 0.0)
        for k, source in enumerate(above, start=1):
            lane[i, source] = height + gap * k / (len(above) + 1)
        boxes = list(itertools.chain(*row))
        middles[boxes] += height + gap - (middles[boxes] - heights[boxes] / 2).min()
        height = float((middles[boxes] + heights[boxes] / 2).max())
    left, right, y = begins.tolist(), ends.tolist(), middles.tolist()
    centres = list(zip(((begins + ends) / 2).tolist(), y))
    lines: list[list[Point]] = []
    for box, way in enumerate(ways):
        # From the upper lane into the lower place: these lines do not cross either.
        arrives = [(0, -lane[crossed[-1], s]) if crossed else (1, y[s]) for s, crossed in way]
        order = sorted(range(len(way)), key=arrives.__getitem__)
        for i, (source, crossed) in enumerate(way):
            start = centres[source][0] + sizes[source][0] / 2
            end = centres[box][0] - sizes[box][0] / 2
            entry = y[box] + ((order.index(i) + 1) / (len(way) + 1) - 0.5) * sizes[box][1]
            out, back = right[source] + SWING, left[box] - SWING
            between: list[Point] = []
            if crossed:
                x = turn[source]
                out, back = right[source] + x, left[box] - COLUMN_GAP + x
                first, last = (lane[row, source] for row in crossed)
                around = [(x, first), (x, last)] if first != last else []  # the rows between
                between = [(out, first), *around, (back, last)]
            line = [(start, y[source]), (out, y[source]), *between, (back, entry), (end, entry)]
            lines.append(list(dict.fromkeys(line)))  # some turn where they arrive
    return Layout(centres, lines, max(right) + margin, height)


def picture(boxes: Sequence[Box], width: float, height: float) -> Figure:
    """Draw boxes and lines, arranged for a page of so many inches."""
    plain = str.maketrans({"$": r"\$", "\n": " "})  # a dollar sign would start a formula
    texts = [[text.translate(plain) for text in (box.title, *box.lines)] for box in boxes]
    sizes = [_size(lines) for lines in texts]
    layout = arrange([box.inputs for box in boxes], sizes, (width, height))
    used = [look for kind, look in KINDS.items() if any(box.kind == kind for box in boxes)]
    key_width = 0.85 * sum(_size([key])[0] + 4 for _, _, key in used)
    across, down = max(layout.width + 2, key_width), layout.height + 2 + 2 * LINE
    points = float(numpy.clip(72 * min(width / across, height / down), SMALLEST, LARGEST))
    figure = Figure(figsize=(across * points / 72, down * points / 72), facecolor="white")
    left = (across - layout.width) / 2
    axes = figure.add_axes((0, 0, 1, 1), xlim=(-left, across - left), ylim=(down - 1, -1))
    axes.set_axis_off()
    pen = 0.09 * points
    for line in layout.lines:
        arrow = FancyArrowPatch(
            path=_rounded(line), arrowstyle="-|>", mutation_scale=points, linewidth=pen, color=GREY
        )
        axes.add_patch(arrow)
    letters: Any = {"family": FONT, "size": points, "ha": "center", "va": "center_baseline"}
    for box, lines, size, (x, middle) in zip(boxes, texts, sizes, layout.centres):
        corner = x - size[0] / 2, middle - size[1] / 2
        fill, outline, _ = KINDS[box.kind]
        frame = FancyBboxPatch(corner, *size, boxstyle="round,pad=0,rounding_size=0.5")
        frame.set(facecolor=fill, edgecolor=outline, linewidth=pen)
        axes.add_patch(frame)
        for i, text in enumerate(lines):
            weight, colour = ("normal", "#333333") if i else ("bold", "black")
            style = "italic" if text == NO_GRADIENT else "normal"
            y = corner[1] + MARGIN + (i + 0.5) * LINE
            axes.text(x, y, text, weight=weight, style=style, color=colour, **letters)
    handles = [Patch(facecolor=fill, edgecolor=edge, label=key) for fill, edge, key in used]
    font = {"family": FONT, "size": 0.85 * points}
    axes.legend(handles=handles, loc="lower center", ncols=len(used), frameon=False, prop=font)
    return figure


def _size(lines: Sequence[str]) -> Point:
    """Width and height of a box around its text."""
    widths = []
    for i, text in enumerate(lines):
        font = FontProperties(family=FONT, weight="normal" if i else "bold", size=10)
        letters = TextPath((0, 0), text.strip() or "x", prop=font, usetex=False)
        widths.append(letters.get_extents().width / 10)
    return max(max(widths) + 2 * MARGIN, 5.0), len(lines) * LINE + 2 * MARGIN


def _rounded(line: Sequence[Point]) -> Path:
    """A line through points, its corners round."""
    points = numpy.array(line)
    steps = numpy.diff(points, axis=0)
    lengths = numpy.hypot(*steps.T)[:, None]
    cuts = steps * numpy.minimum(CORNER / numpy.maximum(lengths, CORNER), 0.5)
    corners = points[1:-1]
    bends = numpy.stack([corners - cuts[:-1], corners, corners + cuts[1:]], axis=1)
    codes = [Path.MOVETO, *[Path.LINETO, Path.CURVE3, Path.CURVE3] * len(corners), Path.LINETO]
    return Path(numpy.vstack([points[:1], *bends, points[-1:]]), codes)
