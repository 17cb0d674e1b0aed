"""Where the boxes of a drawing stand: columns from left to right, wrapped into bands like text.

The method is Sugiyama's (Sugiyama, Tagawa and Toda 1981): give every box a column after those of
its inputs, let a line that passes a column take a place in it, order each column so that few lines
cross, then move boxes towards their neighbours. Lengths are in any unit; y grows downwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from minigrad.graph.lines import Point, lines_between, turn_corners, without_repeats


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
