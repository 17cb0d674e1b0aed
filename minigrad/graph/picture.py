"""Boxes as a matplotlib figure. The only file of minigrad that imports matplotlib.

The ways of the lines between the boxes of a drawing: see ``layout.py``.

Where the boxes of a drawing stand: columns from left to right, wrapped into bands like text.

The method is Sugiyama's (Sugiyama, Tagawa and Toda 1981): give every box a column after those of
its inputs, let a line that passes a column take a place in it, order each column so that few lines
cross, then move boxes towards their neighbours. Lengths are in any unit; y grows downwards.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Patch
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from minigrad.graph.boxes import COLOURS, NO_GRADIENT, Box

Point = tuple[float, float]


def lines_between(
    inputs: Sequence[Sequence[int]],
    passed: dict[int, list[int]],
    sizes: Sequence[Point],
    x: dict[int, float],
    y: dict[int, float],
    column_of: dict[int, int],
    edges: Sequence[Point],
    wraps: dict[int, float],
) -> tuple[list[list[Point]], list[tuple[int, int, float]]]:
    """The way of every line, from the right of its source to the left of its box.

    Beside a box a line is level as far as its column reaches, so that it rises and falls only
    between columns, where there is nothing else.

    Parameters
    ----------
    inputs, sizes
        As for ``arrange``.
    passed, x, y, column_of
        For each slot, the slots it is joined to in the column before; its place.
    edges : sequence of (left, right)
        Of each column.
    wraps : dict of int to float
        Columns that begin a band, and the y in the gap above it.

    Returns
    -------
    lines : list of lists of (x, y)
    turns : list of (line, point, y)
        Before which point of which line it changes bands, and between them where.
    """
    lines: list[list[Point]] = []
    turns = []
    for box, sources in enumerate(inputs):
        # Lines into one box arrive beside each other, in the order they come from.
        entries = sorted(range(len(sources)), key=lambda i: y[passed[box][i]])
        for i, source in enumerate(sources):
            way, slot = [box], passed[box][i]
            while slot != source:
                way.append(slot)
                slot = passed[slot][0]
            line = [(x[source] + sizes[source][0] / 2, y[source])]
            line.append((edges[column_of[source]][1], y[source]))
            for slot in reversed(way):
                left, right = edges[column_of[slot]]
                height = y[slot]
                if slot == box:
                    height += ((entries.index(i) + 1) / (len(sources) + 1) - 0.5) * sizes[box][1]
                    right = x[box] - sizes[box][0] / 2
                if column_of[slot] in wraps:
                    turns.append((len(lines), len(line), wraps[column_of[slot]]))
                line += [(left, height), (right, height)]
            lines.append(line)
    return lines, turns


def turn_corners(
    lines: list[list[Point]], turns: list[tuple[int, int, float]], width: float, margin: float
) -> None:
    """Lead lines round the end of a band to the start of the next, without crossing each other.

    The line that leaves lowest turns first: innermost on the right, uppermost in the gap,
    outermost on the left.
    """
    added = dict.fromkeys(range(len(lines)), 0)
    for middle in sorted({turn for *_, turn in turns}):
        here = [(line, point) for line, point, turn in turns if turn == middle]
        here.sort(key=lambda place: -lines[place[0]][place[1] + added[place[0]] - 1][1])
        step = margin * min(0.14, 0.4 / len(here))
        for rank, (line, point) in enumerate(here):
            point += added[line]
            start, end = lines[line][point - 1], lines[line][point]
            right = width - margin * 0.6 + rank * step
            left = margin * 0.6 - (len(here) - 1 - rank) * step
            across = middle + (rank - (len(here) - 1) / 2) * step
            corners = [(right, start[1]), (right, across), (left, across), (left, end[1])]
            lines[line][point:point] = corners
            added[line] += len(corners)


def without_repeats(line: Sequence[Point]) -> list[Point]:
    """A line whose points are apart: of those at one place, up to rounding, the first.

    Examples
    --------
    >>> without_repeats([(0.0, 0.0), (1.0, 0.0), (1.0, 1e-12), (2.0, 0.0)])
    [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0)]
    """
    kept = [line[0]]
    for point in line[1:]:
        if max(abs(point[0] - kept[-1][0]), abs(point[1] - kept[-1][1])) > 1e-6:
            kept.append(point)
    return kept


@dataclass(frozen=True)
class Spacing:
    """The gaps of a drawing: between columns, between boxes of a column, between bands."""

    column: float
    box: float
    band: float


@dataclass(frozen=True)
class Layout:
    """A finished arrangement.

    Attributes
    ----------
    centres : list of (x, y)
        One a box.
    lines : list of lists of (x, y)
        One for every input of every box, in order: the points it passes, source first.
    width, height : float
        Of the whole.
    """

    centres: list[Point]
    lines: list[list[Point]]
    width: float
    height: float


def arrange(
    inputs: Sequence[Sequence[int]],
    sizes: Sequence[Point],
    spacing: Spacing,
    shape: Point = (16.0, 9.0),
) -> Layout:
    """Arrange boxes so that the whole fits a page of a given shape as large as possible.

    Parameters
    ----------
    inputs : sequence of sequences of int
        For each box the boxes that lines come from, each earlier in the list.
    sizes : sequence of (width, height)
    spacing : Spacing
    shape : (width, height)
        Of the page; only the ratio counts.

    Returns
    -------
    Layout

    Examples
    --------
    >>> layout = arrange([(), (0,)], [(2.0, 1.0), (2.0, 1.0)], Spacing(1.0, 0.5, 1.0))
    >>> layout.centres, layout.lines
    ([(1.0, 0.5), (4.0, 0.5)], [[(2.0, 0.5), (3.0, 0.5)]])
    """
    columns, passed, slots = _columns(inputs, sizes)
    _order(columns, passed)
    layouts = []
    for bands in range(1, len(columns) + 1):
        layouts.append(_place(columns, passed, slots, inputs, sizes, spacing, bands))
        if layouts[-1].height / shape[1] > layouts[-1].width / shape[0]:
            break  # more bands only make it narrower
    return min(layouts, key=lambda found: max(found.width / shape[0], found.height / shape[1]))


def _columns(
    inputs: Sequence[Sequence[int]], sizes: Sequence[Point]
) -> tuple[list[list[int]], dict[int, list[int]], list[Point]]:
    """Boxes by column, and places for lines that pass a column.

    Returns
    -------
    columns : list of lists of int
        Slots: boxes, and from ``len(inputs)`` on places where a line passes.
    passed : dict of int to list of int
        Slots each slot is joined to in the column before.
    slots : list of (width, height)
        Sizes.
    """
    column = [0] * len(inputs)
    for box, sources in enumerate(inputs):
        column[box] = max((column[source] + 1 for source in sources), default=0)
    takers: dict[int, list[int]] = {}
    for box, sources in enumerate(inputs):
        for source in sources:
            takers.setdefault(source, []).append(box)
    for box in reversed(range(len(inputs))):  # a leaf stands right before its first use
        if not inputs[box] and box in takers:
            column[box] = min(column[taker] for taker in takers[box]) - 1
    columns: list[list[int]] = [[] for _ in range(max(column) + 1)]
    for box, place in enumerate(column):
        columns[place].append(box)
    slots = list(sizes)
    passed: dict[int, list[int]] = {box: [] for box in range(len(inputs))}
    for box, sources in enumerate(inputs):
        for source in sources:
            before = source
            for between in range(column[source] + 1, column[box]):
                slot = len(slots)
                slots.append((0.0, 0.0))
                columns[between].append(slot)
                passed[slot] = [before]
                before = slot
            passed[box].append(before)
    return columns, passed, slots


def _order(columns: list[list[int]], passed: dict[int, list[int]]) -> None:
    """Sort each column by the mean position of its neighbours, back and forth."""
    followers: dict[int, list[int]] = {}
    for slot, before in passed.items():
        for other in before:
            followers.setdefault(other, []).append(slot)
    position = {slot: i for column in columns for i, slot in enumerate(column)}

    def sort(column: list[int], neighbours: dict[int, list[int]]) -> None:
        def mean(slot: int) -> float:
            near = [position[other] for other in neighbours.get(slot, [])]
            return sum(near) / len(near) if near else position[slot]

        column.sort(key=mean)
        position.update((slot, i) for i, slot in enumerate(column))

    for _ in range(4):
        for column in columns[1:]:
            sort(column, passed)
        for column in reversed(columns[:-1]):
            sort(column, followers)


def _place(
    columns: list[list[int]],
    passed: dict[int, list[int]],
    slots: list[Point],
    inputs: Sequence[Sequence[int]],
    sizes: Sequence[Point],
    spacing: Spacing,
    bands: int,
) -> Layout:
    """Coordinates, with the columns cut into about so many bands."""
    widths = [max(slots[slot][0] for slot in column) for column in columns]
    starts = _cut([width + spacing.column for width in widths], bands)
    x, y = {}, {}
    lefts = []
    top = total_width = 0.0
    wraps = {}  # the first column of a band: where the lines into it change bands
    for k, start in enumerate(starts):
        stop = starts[k + 1] if k + 1 < len(starts) else len(columns)
        if k:
            wraps[start] = top + spacing.band / 2
            top += spacing.band
        left = spacing.column if len(starts) > 1 else 0.0
        for c in range(start, stop):
            lefts.append(left)
            for slot in columns[c]:
                x[slot] = left + widths[c] / 2
            left += widths[c] + spacing.column
        total_width = max(total_width, left - (spacing.column if len(starts) == 1 else 0.0))
        top = _heights(columns[start:stop], passed, slots, spacing, y, top)
    column_of = {slot: c for c, column in enumerate(columns) for slot in column}
    edges = [(left, left + widths[c]) for c, left in enumerate(lefts)]
    lines, turns = lines_between(inputs, passed, sizes, x, y, column_of, edges, wraps)
    turn_corners(lines, turns, total_width, spacing.column)
    lines = [without_repeats(line) for line in lines]
    centres = [(x[box], y[box]) for box in range(len(sizes))]
    return Layout(centres, lines, total_width, top)


def _cut(widths: Sequence[float], bands: int) -> list[int]:
    """The first columns of bands that are about equally wide."""
    limit, starts, used = sum(widths) / bands, [0], 0.0
    for c, width in enumerate(widths):
        if used + width / 2 > limit * len(starts) and c > starts[-1]:
            starts.append(c)
        used += width
    return starts


def _heights(
    columns: Sequence[list[int]],
    passed: dict[int, list[int]],
    slots: list[Point],
    spacing: Spacing,
    y: dict[int, float],
    top: float,
) -> float:
    """Give the slots of a band their y, near their neighbours' in the band. Returns its bottom."""
    inside = {slot for column in columns for slot in column}
    near: dict[int, list[int]] = {slot: [] for slot in inside}
    for slot in inside:
        for other in passed[slot]:
            if other in inside:
                near[slot].append(other)
                near[other].append(slot)
    y.update(dict.fromkeys(inside, 0.0))
    for sweep in range(6):
        for column in columns if sweep % 2 == 0 else columns[::-1]:
            wish = [sum(y[o] for o in near[s]) / len(near[s]) if near[s] else 0.0 for s in column]
            y.update(zip(column, _apart(wish, [slots[s][1] + spacing.box for s in column])))
    highest = min(y[slot] - slots[slot][1] / 2 for slot in inside)
    for slot in inside:
        y[slot] += top - highest
    return max(y[slot] + slots[slot][1] / 2 for slot in inside)


def _apart(wish: Sequence[float], heights: Sequence[float]) -> list[float]:
    """The places nearest to those wished for (least squares) at which nothing overlaps.

    With the heights before each subtracted, "below the last" is "not smaller than the last": a
    monotone regression, solved by merging neighbours that are out of order into their mean.
    """
    offsets, offset = [], 0.0
    for i, height in enumerate(heights):
        offset += (heights[i - 1] + height) / 2 if i else 0.0
        offsets.append(offset)
    blocks: list[tuple[float, int]] = []
    for place, offset in zip(wish, offsets):
        mean, count = place - offset, 1
        while blocks and blocks[-1][0] > mean:
            before, members = blocks.pop()
            mean = (before * members + mean * count) / (members + count)
            count += members
        blocks.append((mean, count))
    means = [mean for mean, count in blocks for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets)]


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
