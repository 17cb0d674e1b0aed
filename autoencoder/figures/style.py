"""The house style, and writing figures to files."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib
import numpy
from cycler import cycler
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from autoencoder.figures.description import describe, image_boxes
from autoencoder.storage.files import atomic_write

COLOURS = {
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "black": "#000000",
    "grey": "#767676",
}
"""Okabe and Ito's palette, told apart with every common colour vision, and a grey."""

CYCLE = [COLOURS[name] for name in ("blue", "vermilion", "green", "purple", "orange", "sky")]
"""The order in which series take their colours."""

TALLEST = 6.6
"""Inches a figure is high at most, so that its text is legible where a slide is shown."""

IMAGE_BOXES = "Image boxes"
"""Under which name a PNG holds where its images lie: left, top, right, bottom, in shares."""

_PADDING = 0.15  # inches around what is drawn
_SAVED_DPI = 120
_SHOWN_DPI = 80  # how large it is under the cell of a notebook

_STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib: the same on every machine
    "font.size": 16,
    "axes.titlesize": 18,
    "axes.titlepad": 10,
    "axes.labelsize": 17,
    "xtick.labelsize": 16,
    "ytick.labelsize": 16,
    "legend.fontsize": 16,
    "legend.frameon": False,
    "figure.titlesize": 20,
    "figure.facecolor": "white",
    "figure.dpi": 100,
    "axes.prop_cycle": cycler(color=CYCLE),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 1.2,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.8,
    "lines.linewidth": 2.6,
    "lines.markersize": 9,
    "image.interpolation": "none",
    "savefig.dpi": _SAVED_DPI,
    "svg.hashsalt": "minigrad",  # element names in the file follow from it: the same every time
    "svg.fonttype": "path",
    "axes.formatter.use_mathtext": True,
}

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


@contextlib.contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib's settings as this project wants them, put back at the end of the block.

    Starts from matplotlib's own defaults, so that a user's matplotlibrc changes nothing. Every
    function of this package works inside it, and so does a section's ``draw``.

    >>> with house_style():
    ...     matplotlib.rcParams["font.size"]
    16.0
    """
    with matplotlib.rc_context():
        settings: dict[Any, Any] = dict(matplotlib.rcParamsDefault)
        del settings["backend"]  # reading or setting it would choose one for the whole process
        settings.update(_STYLE)
        matplotlib.rcParams.update(settings)
        yield


def in_house_style(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Decorator: run the function inside :func:`house_style`."""

    @functools.wraps(function)
    def styled(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        with house_style():
            return function(*args, **kwargs)

    return styled


@in_house_style
def new_figure(
    rows: int = 1,
    columns: int = 1,
    *,
    width: float = 12.0,
    height: float = 6.75,
    title: str | None = None,
    share_y: bool = False,
) -> tuple[Figure, numpy.ndarray]:
    """A figure of the shape of a slide, and its axes (rows, columns), with room for their labels.

    Sizes are in inches; the fonts are for 12 inches across a slide. With ``share_y`` all
    axes have the same vertical range.

    >>> figure, axes = new_figure(1, 2)
    >>> axes.shape
    (1, 2)
    """
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.15)
    figure = Figure(figsize=(width, height), layout=layout)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=share_y)
    if title is not None:
        figure.suptitle(title)
    return figure, axes


@in_house_style
def save(figure: Figure, stem: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write a figure as PNG, for pages, and as SVG, for slides; gives the paths.

    ``stem`` is the path without ``.png`` or ``.svg``; its folder is made if it is missing. Each
    file is written whole or not at all, and the same figure gives the same bytes. Both hold what is
    to be seen in words; the PNG also where its images of samples lie, which a page that turns dark
    leaves as they are.

    >>> import tempfile
    >>> figure, _ = new_figure()
    >>> [path.name for path in save(figure, Path(tempfile.mkdtemp()) / "empty")]
    ['empty.png', 'empty.svg']
    """
    stem = Path(stem)
    stem.parent.mkdir(parents=True, exist_ok=True)
    dpi = figure.dpi
    figure.set_dpi(_SAVED_DPI)  # letters are as wide as whole pixels make them
    figure.draw_without_rendering()  # finds the layout, which is then kept: boxes are of this one
    engine = figure.get_layout_engine()
    figure.set_layout_engine("none")
    drawn = figure.get_tightbbox().padded(_PADDING)
    boxes = " ".join(
        ";".join(",".join(f"{share:.5f}" for share in box) for box in grid)
        for grid in image_boxes(figure, drawn)
    )
    words = {"Description": describe(figure)}
    # Without the entries set to None the files would hold the date and matplotlib's version.
    metadata = {
        "png": {"Software": None, **words, IMAGE_BOXES: boxes},
        "svg": {"Date": None, "Creator": None, **words},
    }
    paths = []
    for suffix, entries in metadata.items():
        content = io.BytesIO()
        figure.savefig(content, format=suffix, metadata=entries, bbox_inches=drawn)
        path = stem.with_name(f"{stem.name}.{suffix}")
        atomic_write(path, content.getvalue())
        paths.append(path)
    figure.set_layout_engine(engine)
    figure.set_dpi(dpi)
    return paths[0], paths[1]


def show(figure: Figure, stem: str | os.PathLike[str]) -> None:
    """Save a figure as :func:`save` does, and display it under the cell if this is a notebook.

    >>> import tempfile
    >>> figure, _ = new_figure()
    >>> show(figure, Path(tempfile.mkdtemp()) / "empty")
    """
    png, _ = save(figure, stem)
    ipython: Any = sys.modules.get("IPython")
    if ipython is not None and hasattr(ipython.get_ipython(), "kernel"):  # and no terminal
        with Image.open(png) as picture:
            width = round(picture.width * _SHOWN_DPI / _SAVED_DPI)
        image = ipython.display.Image(filename=png, width=width, alt=describe(figure))
        ipython.display.display(image)
