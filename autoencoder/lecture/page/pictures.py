"""A figure as the page holds it: in few colours, with words for who cannot see it, by night too."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path

import numpy
from PIL import Image

from autoencoder.figures.style import IMAGE_BOXES

_COLOURS = 128


def picture_html(path: Path) -> str:
    """A PNG that :func:`autoencoder.figures.save` wrote, as an element that holds all of it.

    By night its paper turns dark, and its small images stay as they are: a digit is bright on
    black.
    """
    with Image.open(path) as picture:
        picture.load()
        words = str(picture.info.get("Description", path.stem.replace("_", " ")))
        boxes = str(picture.info.get(IMAGE_BOXES, ""))
        width, height = picture.size
        content = base64.b64encode(in_few_colours(picture)).decode("ascii")
    kind = "images" if boxes else "drawn"
    image = (
        f'<img class="{kind}" alt="{escape(words)}" width="{width}" height="{height}" '
        f'src="data:image/png;base64,{content}"/>'
    )
    night = _night(boxes, width, height) if boxes else ""
    return f'<div class="picture" tabindex="0"><div class="sheet">{image}{night}</div></div>'


def _night(boxes: str, width: int, height: int) -> str:
    """What turns a picture dark around its grids of images, and the paper between them.

    A shape covers all but the grids, and whatever is behind it is inverted. Inside a grid there is
    only paper beside the images: it is painted over, and so is the line where they meet, whose
    pixels are neither's.
    """
    around = [(0, 0), (width, 0), (width, height), (0, height), (0, 0)]
    paper = []
    for grid in boxes.split():
        corners = [
            [round(float(share) * side) for share, side in zip(box.split(","), (width, height) * 2)]
            for box in grid.split(";")
        ]
        left, top = (min(box[i] for box in corners) for i in (0, 1))
        right, bottom = (max(box[i] for box in corners) for i in (2, 3))
        around += [(left, top), (right, top), (right, bottom), (left, bottom), (left, top), (0, 0)]
        for x0, y0, x1, y1 in [(left, top, right, bottom), *corners]:
            paper.append(f"M{x0} {y0}h{x1 - x0}v{y1 - y0}h{x0 - x1}z")
    shape = ",".join(f"{100 * x / width:.3f}% {100 * y / height:.3f}%" for x, y in around)
    return (
        f'<span class="night" style="clip-path:polygon(evenodd,{shape})"></span>'
        f'<svg xmlns="http://www.w3.org/2000/svg" class="paper" viewBox="0 0 {width} {height}" '
        f'preserveAspectRatio="none" aria-hidden="true"><path d="{"".join(paper)}"/></svg>'
    )


def in_few_colours(picture: Image.Image) -> bytes:
    """The picture as a PNG with a palette: exact where 128 colours are enough.

    >>> grey = Image.fromarray(numpy.arange(128, dtype="uint8").reshape(8, 16))
    >>> again = Image.open(io.BytesIO(in_few_colours(grey)))
    >>> again.mode, bool((numpy.asarray(again.convert("L")) == numpy.asarray(grey)).all())
    ('P', True)
    """
    colours = picture.convert("RGB")
    weights = numpy.array([65536, 256, 1], "uint32")
    found, few = numpy.unique(numpy.asarray(colours) @ weights, return_inverse=True)
    if len(found) <= _COLOURS:
        reduced = Image.fromarray(few.reshape(picture.height, picture.width).astype("uint8"), "P")
        palette = found[:, None] // weights % 256
        reduced.putpalette(palette.astype("uint8").tobytes())
    else:
        reduced = colours.quantize(
            _COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
    content = io.BytesIO()
    reduced.save(content, "png", optimize=True)
    return content.getvalue()
