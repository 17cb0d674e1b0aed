"""An equation as an SVG element that takes the colour of the text around it."""

from __future__ import annotations

import re
from html import escape

import matplotlib
import numpy
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from autoencoder.figures.style import house_style

_EM = 20.0  # units of the drawing an em; CSS scales it to the text
_COMMANDS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}


# Bars that shall grow with what they enclose, where that is only letters.
_SMALL_NORM = re.compile(r"\\left\\\|((?:(?!\\left|\\right|\\frac|\\sum)[^()])*)\\right\\\|")


def equations_svg(equations: str) -> str:
    r"""Set several equations, which ``\qquad`` parts: side by side where there is room.

    >>> equations_svg(r"z = f(x),\qquad x = g(z)").count("<svg ")
    2
    """
    return "\n".join(map(equation_svg, equations.split(r"\qquad")))


def equation_svg(equation: str) -> str:
    """Set an equation, as outlines: it needs no font, no script and no other file.

    The equation is in matplotlib's mathtext (a subset of TeX), without dollars; ValueError if
    mathtext cannot set it. Gives an ``<svg>`` element filled with ``currentColor``, so that it is
    legible on a dark page too; its size is in em, its label is the equation's source.

    >>> svg = equation_svg(r"z = f(x)")
    >>> svg[:5], "currentColor" in svg
    ('<svg ', True)
    """
    with house_style():
        matplotlib.rcParams["mathtext.fontset"] = "cm"
        # Mathtext would shrink the bars to the height of the letters between them.
        source = _SMALL_NORM.sub(r"\\|\1\\|", equation)
        path = TextPath((0.0, 0.0), f"${source}$", size=_EM)
    box = path.get_extents()
    margin = 0.05 * _EM
    left, top = box.x0 - margin, -box.y1 - margin  # y points down in SVG
    width, height = box.width + 2 * margin, box.height + 2 * margin
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(equation)}" '
        f'viewBox="{left:.2f} {top:.2f} {width:.2f} {height:.2f}" '
        f'style="width:{width / _EM:.2f}em;height:{height / _EM:.2f}em">'
        f'<path fill="currentColor" d="{_path_data(path)}"/></svg>'
    )


def _path_data(path: Path) -> str:
    """A path as SVG writes it."""
    words = []
    for vertices, code in path.iter_segments(curves=True, simplify=False):
        if code == Path.CLOSEPOLY:
            words.append("Z")
            continue
        points = numpy.reshape(vertices, (-1, 2)) * (1, -1)
        words.append(_COMMANDS[code] + " ".join(f"{x:.1f} {y:.1f}" for x, y in points))
    return "".join(words)
