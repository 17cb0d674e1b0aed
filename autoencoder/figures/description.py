"""What is to be seen in a figure, in words, read off the figure itself; and where its images lie.

Whoever cannot see a figure is read the description, so it says what is drawn and the numbers at its
ends, and not what follows from them: that is the caption's.
"""

from __future__ import annotations

import re
from typing import Any

import numpy
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox
from numpy.typing import ArrayLike

_MOST_PANELS = 3  # of more panels only the names are said, not their numbers

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, as shares of the picture."""


def describe(figure: Figure) -> str:
    """A figure in words: its panels, what is drawn in each, where curves begin and end.

    >>> from autoencoder.figures import line_chart
    >>> describe(line_chart({"PCA": ([2, 4], [0.056, 0.048])}, "d", "error"))
    'Error over d: PCA from 0.056 at 2 to 0.048 at 4.'
    """
    panels = [axes for axes in figure.axes if axes.get_visible() and not _is_colour_bar(axes)]
    is_brief = len(panels) > _MOST_PANELS
    alike: dict[str, list[str]] = {}  # the titles of all panels that show the same
    for axes in panels:
        alike.setdefault(_panel(axes, is_brief), []).append(_plain(axes.get_title()))
    parts = [_plain(figure.get_suptitle())]
    for content, titles in alike.items():
        named = ", ".join(filter(None, titles))
        if len(panels) > 1 and not named:
            named = f"{len(titles)} panels" if len(titles) > 1 else "a panel"
        parts.append(_joined(named, content))
    if is_brief:
        names = (_plain(text) for axes in panels for text in (axes.get_xlabel(), axes.get_ylabel()))
        parts.append(_joined("axes", ", ".join(dict.fromkeys(filter(None, names)))))
    inside = [child for axes in figure.axes for child in axes.child_axes]
    bars = [axes for axes in (*figure.axes, *inside) if _is_colour_bar(axes)]
    parts += [_joined("colours", _plain(bar.get_ylabel())) for bar in bars[:1]]
    return " ".join(text[0].upper() + text[1:].rstrip(".") + "." for text in parts if text)


def image_boxes(figure: Figure, shown: Bbox) -> list[list[Box]]:
    """Where the small images of a drawn figure lie, in the part of it that is ``shown`` (inches).

    Those that form a grid are together. Images are told from what lies between them by its being
    transparent.
    """
    grids = []
    to_inches = figure.dpi_scale_trans.inverted()
    for axes in figure.axes:
        for image in axes.images:
            pixels = numpy.asarray(image.get_array())
            if pixels.ndim != 3 or pixels.shape[2] != 4:
                continue
            height, width = pixels.shape[:2]
            frame = image.get_window_extent().transformed(to_inches)
            left, top = frame.x0 - shown.x0, shown.y1 - frame.y1
            boxes = []
            for x0, y0, x1, y1 in _opaque_boxes(pixels[..., 3] > 0):
                across = [(left + x / width * frame.width) / shown.width for x in (x0, x1)]
                down = [(top + y / height * frame.height) / shown.height for y in (y0, y1)]
                boxes.append((across[0], down[0], across[1], down[1]))
            grids.append(boxes)
    return grids


def _opaque_boxes(opaque: numpy.ndarray) -> list[tuple[int, int, int, int]]:
    """The rectangles of a grid of images (H, W), bands of rows first."""
    return [
        (x0, y0, x1, y1)
        for y0, y1 in _runs(numpy.any(opaque, axis=1))
        for x0, x1 in _runs(numpy.any(opaque[y0:y1], axis=0))
    ]


def _runs(flags: ArrayLike) -> list[tuple[int, int]]:
    """Begin and end of every run of true.

    >>> _runs(numpy.array([True, True, False, True]))
    [(0, 2), (3, 4)]
    """
    edges = numpy.flatnonzero(numpy.diff(numpy.asarray(flags, dtype=int), prepend=0, append=0))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


def _is_colour_bar(axes: Any) -> bool:
    return axes.get_label() == "<colorbar>"


def _panel(axes: Axes, is_brief: bool) -> str:
    """What one panel shows."""
    if axes.images:
        return _images(axes)
    if not axes.axison:
        return _plain(str(axes.get_label())) or _labels(axes)
    bars = [one for one in axes.containers if isinstance(one, BarContainer) and one.patches]
    if bars and not any(axes.lines):
        return _bars(axes, bars)
    drawn = [
        _curve(axes, handle, label) if isinstance(handle, Line2D) and not is_brief else label
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    ]
    drawn += [text.get_text() for text in axes.texts if re.search("[a-zA-Z]", text.get_text())]
    over = " over ".join(filter(None, map(_plain, (axes.get_ylabel(), axes.get_xlabel()))))
    if axes.get_aspect() != "auto":
        over = "points of the plane"
    return _joined("" if is_brief else over, "; ".join(dict.fromkeys(map(_plain, drawn))))


def _images(axes: Axes) -> str:
    """Rows of images by their titles, or a grid of them."""
    pixels = numpy.asarray(axes.images[0].get_array())
    is_see_through = pixels.ndim == 3 and pixels.shape[2] == 4
    opaque = pixels[..., 3] > 0 if is_see_through else numpy.ones(pixels.shape[:2], dtype=bool)
    boxes = _opaque_boxes(opaque)
    rows = len({box[1] for box in boxes})
    in_rows = f"{rows} row{'s' if rows > 1 else ''}"
    said = f"{len(boxes)} images in {in_rows}"
    if len(boxes) % rows == 0:
        said = f"{in_rows} of {len(boxes) // rows} image{'s' if len(boxes) > rows else ''}"
    for labels, where, between in (
        (axes.get_yticklabels(), ", from above: ", "; "),
        (axes.get_xticklabels(), "; above them ", ", "),
    ):
        named = between.join(filter(None, (_plain(label.get_text()) for label in labels)))
        said += where + named if named else ""
    return said


def _labels(axes: Axes) -> str:
    """A table row by row, or the labels of a drawing from above."""
    lines: dict[float, list[str]] = {}
    for text in axes.texts:
        height = round(float(text.get_position()[1]), 2)
        lines.setdefault(height, []).append(_plain(text.get_text()))
    return "; ".join(", ".join(filter(None, line)) for line in lines.values())


def _bars(axes: Axes, bars: list[BarContainer]) -> str:
    """The bars' names and values."""
    is_flat = bars[0].orientation == "horizontal"
    axis = axes.yaxis if is_flat else axes.xaxis  # of shared ones the labels may be hidden
    names = axis.get_major_formatter().format_ticks(list(axis.get_majorticklocs()))
    said = []
    for group in bars:
        label = str(group.get_label())
        values = numpy.ravel(numpy.asarray(group.datavalues))
        pairs = [f"{_plain(n)} {v:.4g}" for n, v in zip(names, values)]
        said.append(_joined("" if label.startswith("_") else _plain(label), ", ".join(pairs)))
    return _joined(_plain(axes.get_xlabel() if is_flat else axes.get_ylabel()), "; ".join(said))


def _curve(axes: Axes, line: Line2D, name: str) -> str:
    """A curve's name, and where it begins and ends; only the name in a picture of the plane."""
    x, y = (numpy.ravel(numpy.asarray(values, dtype="float64")) for values in line.get_data())
    if not len(x) or axes.get_aspect() != "auto":
        return name
    if line.get_transform() == axes.get_yaxis_transform(which="grid"):
        return f"{name} at {y[0]:.4g}"
    if line.get_transform() == axes.get_xaxis_transform(which="grid"):
        return f"{name} at {x[0]:.4g}"
    if len(x) == 1:
        return f"{name} {y[0]:.4g} at {x[0]:.4g}"
    return f"{name} from {y[0]:.4g} at {x[0]:.4g} to {y[-1]:.4g} at {x[-1]:.4g}"


def _plain(text: str) -> str:
    r"""Text without mathtext's marks, on one line.

    >>> _plain("decoded $g(z_{1})$\nof $\\mu$")
    'decoded g(z 1) of mu'
    """
    text = re.sub(r"\\tilde ?(?:\{(\w)\}|(\w))", r"\1\2~", text)
    text = re.sub(r"\\(?:hat|mathrm|mathcal|mathbf|left|right|[,;! ])", "", text)
    if "$" in text:
        text = re.sub(r"_|(?<=[a-z])(?=\\)|(?<=\\log)", " ", text)
    return " ".join(re.sub(r"[$\\{}]", "", text).split())


def _joined(name: str, content: str) -> str:
    return ": ".join(filter(None, (name, content)))
