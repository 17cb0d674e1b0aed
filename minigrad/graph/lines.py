"""The ways of the lines between the boxes of a drawing: see ``layout.py``."""

from __future__ import annotations

from collections.abc import Sequence

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
