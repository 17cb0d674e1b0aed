"""A network as a picture: what goes from layer to layer, and the layers between."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from autoencoder.figures.style import COLOURS, in_house_style, new_figure

# Inches.
_COLUMN = 2.1  # from a box to the next
_ROW = 1.1  # from the middle of the latents to the middle of the encoder's and decoder's boxes
_HIGHEST, _LOWEST = 1.25, 0.3  # of a box
_WIDEST, _NARROWEST = 0.6, 0.16
_LEFT, _RIGHT = 1.25, 0.75  # beside the boxes
_LINE = 0.27
_GAP = 0.1


@in_house_style
def network_diagram(layers: Sequence[Mapping[str, Any]]) -> Figure:
    """An autoencoder: the encoder from left to right, the latents, and below them the way back.

    Each layer is a mapping: ``part`` is "input", "encoder" or "decoder", ``shape`` that of what
    comes out of it for one sample, ``brief`` a name of a few lines. A box is as high as an image
    is, or as a vector is long, and as wide as there are channels; both on a scale of roots.

    >>> layers = [
    ...     {"part": "input", "shape": [2], "brief": ""},
    ...     {"part": "encoder", "shape": [1], "brief": "Linear"},
    ...     {"part": "decoder", "shape": [2], "brief": "Linear"},
    ... ]
    >>> figure = network_diagram(layers)
    """
    down = [layer for layer in layers if layer["part"] != "decoder"]
    back = [layer for layer in layers if layer["part"] == "decoder"]
    if len(down) < 2 or not back:
        parts = [layer["part"] for layer in layers]
        raise ValueError(f"network_diagram: expected an input, an encoder, a decoder, got {parts}")
    last = max(len(down) - 1, len(back))  # the latents' column
    lines = max(len(layer["brief"].split("\n")) for layer in layers)
    edge = _ROW + _HIGHEST / 2 + _GAP + _LINE * lines + 0.4
    across = _COLUMN * last + _LEFT + _RIGHT
    figure, ((axes,),) = new_figure(width=across + 0.2, height=2 * edge + 0.3)
    axes.set(xlim=(-_LEFT, _COLUMN * last + _RIGHT), ylim=(-edge, edge), aspect="equal")
    axes.set_axis_off()
    axes.set_label(_in_words(down, back))
    write = functools.partial(axes.text, ha="center", va="center", fontsize=15)
    largest = [max(sizes) for sizes in zip(*(_high_and_wide(each["shape"]) for each in layers))]
    latents = (_COLUMN * last, 0.0)
    forth = [(_COLUMN * (last - len(down) + 1 + i), _ROW) for i in range(len(down) - 1)]
    home = [(_COLUMN * (last - 1 - i), -_ROW) for i in range(len(back))]
    ways = (
        (1, "blue", "encoder $f$", [*forth, latents], down),
        (-1, "vermilion", "decoder $g$", [latents, *home], [down[-1], *back]),
    )
    for side, colour, name, places, steps in ways:
        boxes = [_draw_box(axes, at, each["shape"], largest) for at, each in zip(places, steps)]
        for i, (place, box, layer) in enumerate(zip(places, boxes, steps)):
            box.set_facecolor(COLOURS["green" if place is latents else colour])
            if place is not latents:
                y = side * (_ROW - box.get_height() / 2 - 0.17)
                write(place[0], y, _spelled(layer["shape"]))
            if i == 0:
                continue
            _draw_arrow(axes, boxes[i - 1], box, side)
            middle = (places[i - 1][0] + place[0]) / 2
            brief = layer["brief"].split("\n")
            for k, line in enumerate(brief):
                number = len(brief) - 1 - k if side > 0 else k
                y = side * (_ROW + _HIGHEST / 2 + _GAP + _LINE * (number + 0.5))
                write(middle, y, line, fontsize=14.5)
        middle = (places[0][0] + places[-1][0]) / 2
        write(middle, side * (edge - 0.15), name, color=COLOURS[colour], weight="bold")
        end, label = (boxes[0], "$x$") if side > 0 else (boxes[-1], "$g(f(x))$")
        write(end.get_x() - 0.12, end.get_center()[1], label, ha="right", fontsize=18)
    beside = boxes[0].get_x() + boxes[0].get_width() + 0.1
    write(beside, 0.0, f"$z$: {math.prod(down[-1]['shape'])}", ha="left")
    return figure


def _in_words(down: Sequence[Mapping[str, Any]], back: Sequence[Mapping[str, Any]]) -> str:
    """The picture as a sentence, for whoever cannot see it."""

    def way(layers: Sequence[Mapping[str, Any]]) -> str:
        return ", ".join(
            f"by {layer['brief'].replace(chr(10), ' ')} to {_spelled(layer['shape'])}"
            for layer in layers
        )

    latents = math.prod(down[-1]["shape"])
    return (
        f"a diagram of the network: the encoder f takes x, {_spelled(down[0]['shape'])}, "
        f"{way(down[1:])}, the latents z, {latents} in number; the decoder g takes z {way(back)}, "
        "g(f(x))"
    )


def _high_and_wide(shape: Sequence[int]) -> tuple[float, float]:
    """Roots of an image's height and of its channels; of a vector's length, and 1."""
    channels, height = (shape[0], shape[1]) if len(shape) == 3 else (1, math.prod(shape))
    return math.sqrt(height), math.sqrt(channels)


def _spelled(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))


def _draw_box(
    axes: Axes, place: tuple[float, float], shape: Sequence[int], largest: Sequence[float]
) -> Rectangle:
    shares = [size / most for size, most in zip(_high_and_wide(shape), largest, strict=True)]
    height, width = max(_LOWEST, _HIGHEST * shares[0]), max(_NARROWEST, _WIDEST * shares[1])
    corner = place[0] - width / 2, place[1] - height / 2
    box = Rectangle(corner, width, height, edgecolor="black", linewidth=1.2, zorder=3)
    axes.add_patch(box)
    return box


def _draw_arrow(axes: Axes, start: Rectangle, end: Rectangle, side: int) -> None:
    """From a box to the next; it turns once on the way to the latents and from them."""
    (a, b), (c, d) = start.get_center(), end.get_center()
    if b > d and side > 0:  # down to the latents
        ends, turn = ((a + start.get_width() / 2, b), (c, d + end.get_height() / 2)), "angle"
    elif b > d:  # down from them
        ends, turn = ((a, b - start.get_height() / 2), (c + end.get_width() / 2, d)), "angle"
    else:
        ends = (a + side * start.get_width() / 2, b), (c - side * end.get_width() / 2, d)
        turn = "arc3"
    style = {"angle": f"angle,angleA={0 if side > 0 else 90},angleB={90 if side > 0 else 0}"}
    arrow = FancyArrowPatch(
        *ends,
        arrowstyle="-|>,head_length=6,head_width=3",
        connectionstyle=style.get(turn, turn),
        shrinkA=1,
        shrinkB=1,
        linewidth=1.8,
        color="#555555",
        zorder=2,
    )
    axes.add_patch(arrow)
