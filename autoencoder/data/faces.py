"""Small colour faces drawn from named factors: images whose degrees of freedom are known.

The lecture's face example: a face image has many pixels and few degrees of freedom. Every factor
moves the picture continuously, and shapes are drawn by signed distance with soft edges one pixel
wide, so a small change of a factor is a small change of pixels. NumPy, on the host.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy

from autoencoder.data.arrays import check_sampling
from minigrad.backend import whole_number

FACTORS = (
    "skull_width",
    "skull_height",
    "skin_tone",
    "eye_colour",
    "eye_spacing",
    "nose_length",
    "lip_curve",
    "lip_width",
)
"""The factors, in the order they are switched on: K = 3 varies the first three."""

_CHUNK = 512  # images drawn at once, to bound the temporary arrays
_NEUTRAL = 0.5  # the value of a factor that does not vary

# Colours (red, green, blue) in [0, 1]; those of skin and iris are stops on a path.
_BACKGROUND = (0.42, 0.62, 0.80)
_SKIN_STOPS = ((0.97, 0.82, 0.70), (0.78, 0.57, 0.41), (0.52, 0.34, 0.23))
_IRIS_STOPS = ((0.45, 0.16, 0.02), (0.10, 0.62, 0.16), (0.16, 0.30, 1.00))
_WHITE_OF_EYE = (0.98, 0.98, 0.96)
_PUPIL = (0.03, 0.03, 0.05)
_NOSE_SHADE = (0.52, 0.36, 0.36)  # multiplies the skin's colour
_LIPS = (0.72, 0.12, 0.18)


def sample_faces(
    n: int, rng: numpy.random.Generator, factors: int | Sequence[str] = 6, size: int = 32
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Draw faces (n, 3, size, size), float32 in [0, 1], and the factors (n, K) they are drawn from.

    ``factors`` says how many of `FACTORS` vary, from the first on, or which: uniform in [0, 1],
    independently. The others stay at 0.5. Errors are as for :func:`render_faces`.

    >>> images, values = sample_faces(10, numpy.random.default_rng(0), factors=3)
    >>> images.shape, values.shape
    ((10, 3, 32, 32), (10, 3))
    """
    check_sampling(n, rng, "sample_faces")
    names = _names(factors)
    values = rng.random((n, len(names))).astype("float32")
    return render_faces(values, names, size), values


def render_faces(
    values: numpy.ndarray, factors: int | Sequence[str] | None = None, size: int = 32
) -> numpy.ndarray:
    """Draw the faces (N, 3, size, size), float32 in [0, 1], of given factors (N, K) in [0, 1].

    ``factors`` says what the columns are, by default the first K of `FACTORS`. ValueError if a
    factor is unknown or named twice, the columns do not match, a value is outside [0, 1], or the
    size is below 8 pixels.

    >>> smile = render_faces(numpy.array([[0.0], [1.0]]), ["lip_curve"])
    >>> smile.shape
    (2, 3, 32, 32)
    """
    values = numpy.asarray(values, dtype="float32")
    if values.ndim != 2:
        raise ValueError(f"render_faces: expected values (N, K), got {values.shape}")
    names = _names(values.shape[1] if factors is None else factors)
    if values.shape[1] != len(names):
        raise ValueError(f"render_faces: {len(names)} factors need as many columns, {values.shape}")
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        raise ValueError("render_faces: factors must lie in [0, 1]")
    whole_number("render_faces", "size", size, minimum=8)
    every = numpy.full((len(values), len(FACTORS)), _NEUTRAL, dtype="float32")
    every[:, [FACTORS.index(name) for name in names]] = values
    images = numpy.empty((len(values), 3, size, size), dtype="float32")
    for start in range(0, len(values), _CHUNK):
        images[start : start + _CHUNK] = _draw(every[start : start + _CHUNK], size)
    return images


def _names(factors: int | Sequence[str]) -> tuple[str, ...]:
    if isinstance(factors, int):
        if not 1 <= factors <= len(FACTORS):
            raise ValueError(f"faces: between 1 and {len(FACTORS)} factors, got {factors}")
        return FACTORS[:factors]
    names = (factors,) if isinstance(factors, str) else tuple(factors)
    unknown = sorted(set(names) - set(FACTORS))
    if unknown or not names or len(set(names)) != len(names):
        raise ValueError(f"faces: expected distinct names out of {FACTORS}, got {names}")
    return names


def _draw(values: numpy.ndarray, size: int) -> numpy.ndarray:
    """Paint one chunk, back to front. x and y run from -1 to 1, y downwards."""
    factor = {name: values[:, i, None, None] for i, name in enumerate(FACTORS)}  # (N, 1, 1)
    centres = ((numpy.arange(size, dtype="float32") + 0.5) / size) * 2 - 1
    y, x = centres[:, None], centres[None, :]
    canvas = _Canvas(len(values), size)

    skin = _path(_SKIN_STOPS, values[:, FACTORS.index("skin_tone")])
    skull_width = 0.62 + 0.26 * factor["skull_width"]
    skull_height = 0.70 + 0.24 * factor["skull_height"]
    skull = _ellipse(x, y, skull_width, skull_height)
    canvas.paint(skull, skin)

    eye_x = numpy.abs(x) - (0.25 + 0.14 * factor["eye_spacing"])  # both eyes by symmetry
    eye_y = y + 0.22
    iris = _path(_IRIS_STOPS, values[:, FACTORS.index("eye_colour")])
    canvas.paint(_ellipse(eye_x, eye_y, 0.23, 0.20), _WHITE_OF_EYE)
    canvas.paint(_ellipse(eye_x, eye_y, 0.165, 0.165), iris)
    canvas.paint(_ellipse(eye_x, eye_y, 0.05, 0.05), _PUPIL)

    nose_end = -0.12 + 0.44 * factor["nose_length"]
    along = numpy.clip(y, -0.14, nose_end)
    canvas.paint(numpy.hypot(x, y - along) - 0.11, skin * numpy.array(_NOSE_SHADE, dtype="float32"))

    # A parabola's stroke: the ends go up for a smile, the middle goes down.
    half_width = 0.14 + 0.20 * factor["lip_width"]
    drop = 0.8 * half_width * (1 - 2 * factor["lip_curve"])  # of the ends below the middle
    inside = numpy.clip(x / half_width, -1, 1)
    lip_y = 0.56 + drop * (inside**2 - 0.5)
    slope = 2 * drop * inside / half_width
    distance = numpy.hypot((y - lip_y) / numpy.sqrt(1 + slope**2), x - inside * half_width) - 0.07
    canvas.paint(numpy.maximum(distance, skull), _LIPS)  # a mouth ends where the face does
    return canvas.image


class _Canvas:
    """Images under construction, (N, 3, size, size), and one soft brush."""

    def __init__(self, n: int, size: int) -> None:
        background = numpy.array(_BACKGROUND, dtype="float32")[:, None, None]
        self.image = numpy.tile(background, (n, 1, size, size))
        self.pixel = 2 / size

    def paint(self, distance: numpy.ndarray, colour: object) -> None:
        """Cover where the signed distance is negative, fading over a pixel on either side."""
        t = numpy.clip(0.5 - distance / (2 * self.pixel), 0.0, 1.0)
        cover = (t * t * (3 - 2 * t)).astype("float32")[:, None]  # smoothstep, (N, 1, H, W)
        colours = numpy.asarray(colour, dtype="float32").reshape(-1, 3, 1, 1)
        self.image += cover * (colours - self.image)


def _ellipse(
    x: numpy.ndarray, y: numpy.ndarray, width: numpy.ndarray | float, height: numpy.ndarray | float
) -> numpy.ndarray:
    """The distance to an ellipse with these half axes, to first order exact at its edge.

    With f = |(x / width, y / height)|, whose level 1 is the ellipse, it is f (f - 1) / |grad|
    for the gradient's length |(x / width^2, y / height^2)| (Quilez, "distance to an ellipse").
    """
    level = numpy.hypot(x / width, y / height)
    gradient = numpy.hypot(x / width**2, y / height**2)
    return level * (level - 1) / numpy.maximum(gradient, 1e-6)


def _path(stops: Sequence[tuple[float, float, float]], t: numpy.ndarray) -> numpy.ndarray:
    """Colours (N, 3) at position t in [0, 1] of a piecewise linear path through the stops."""
    knots = numpy.linspace(0.0, 1.0, len(stops))
    channels = [numpy.interp(t, knots, channel) for channel in numpy.transpose(stops)]
    return numpy.stack(channels, axis=1).astype("float32")
