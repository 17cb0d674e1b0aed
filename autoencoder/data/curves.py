"""Two-dimensional data: noisy curves, and Gaussian mixtures whose posteriors are known exactly."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy

from autoencoder.data.arrays import check_sampling
from autoencoder.densities import GaussianMixture
from minigrad.backend import require_number, whole_number

_TABLE_SIZE = 4097


@dataclass(frozen=True)
class Curve:
    """A curve in the plane that points are drawn along; call it to draw them.

    Points are uniform in arc length, so that the data are equally dense all along the curve. The
    position of a point is the share of the length before it, in [0, 1]: the one-dimensional
    coordinate an autoencoder with one latent should find. The ``equation`` takes parameters t (n,)
    in [0, 1] to points (n, 2); each of the curve's separate pieces has an equal share of t.

    >>> points = circle(5, numpy.random.default_rng(0))
    >>> points.shape, points.dtype
    ((5, 2), dtype('float32'))
    >>> numpy.allclose((points**2).sum(axis=1), 1.0)
    True
    """

    name: str
    equation: Callable[[numpy.ndarray], numpy.ndarray]
    pieces: int = 1
    closed: bool = False  # the end meets the start

    def __call__(
        self, n: int, rng: numpy.random.Generator, noise_std: float = 0.0
    ) -> numpy.ndarray:
        """Draw n points (n, 2), float32, on the curve, plus Gaussian noise in each coordinate."""
        return self.sample_with_positions(n, rng, noise_std)[0]

    def sample_with_positions(
        self, n: int, rng: numpy.random.Generator, noise_std: float = 0.0
    ) -> tuple[numpy.ndarray, numpy.ndarray]:
        """Draw n points as calling the curve does, and say where on the curve each belongs.

        A position, (n,) in [0, 1), is the share of the arc length before the point, noise aside.
        """
        check_sampling(n, rng, self.name)
        require_number(self.name, "noise_std", noise_std, minimum=0.0)
        positions = rng.random(n)
        noise = noise_std * rng.standard_normal((n, 2))
        return (self.at(positions) + noise).astype("float32"), positions

    def at(self, positions: numpy.ndarray) -> numpy.ndarray:
        """The points (n, 2), float64, of the curve at positions (n,) in [0, 1], without noise."""
        t = numpy.linspace(0.0, 1.0, _TABLE_SIZE)
        steps = numpy.linalg.norm(numpy.diff(self.equation(t), axis=0), axis=1)
        if self.pieces > 1:  # the jump from one piece to the next is no part of the length
            piece = _piece(t, self.pieces)
            steps[piece[1:] != piece[:-1]] = 0.0
        length = numpy.concatenate([[0.0], numpy.cumsum(steps)])
        return self.equation(numpy.interp(positions, length / length[-1], t))

    def lines(self, n: int = 400) -> list[numpy.ndarray]:
        """The curve to be drawn: for each piece, about n / pieces points (m, 2) in order."""
        share = n // self.pieces
        edges = numpy.linspace(0.0, 1.0, self.pieces + 1)
        # The end of a piece belongs to the next one, so stop just short of it.
        return [
            self.equation(numpy.linspace(start, numpy.nextafter(stop, 0.0), share))
            for start, stop in itertools.pairwise(edges)
        ]


def _piece(t: numpy.ndarray, pieces: int) -> numpy.ndarray:
    return numpy.minimum((t * pieces).astype(int), pieces - 1)


def _circle(t: numpy.ndarray) -> numpy.ndarray:
    angle = 2 * numpy.pi * t
    return numpy.stack([numpy.cos(angle), numpy.sin(angle)], axis=1)


def _spiral(t: numpy.ndarray) -> numpy.ndarray:
    angle = 0.5 * numpy.pi + 3.5 * numpy.pi * t  # one turn and three quarters
    radius = (angle / (4 * numpy.pi))[:, None] * 1.4
    return radius * numpy.stack([numpy.cos(angle), numpy.sin(angle)], axis=1)


def _two_moons(t: numpy.ndarray) -> numpy.ndarray:
    lower = _piece(t, 2) == 1
    angle = numpy.pi * (2 * t - lower)
    x = numpy.where(lower, 1.0 - numpy.cos(angle), numpy.cos(angle))
    y = numpy.where(lower, 0.5 - numpy.sin(angle), numpy.sin(angle))
    return numpy.stack([x - 0.5, y - 0.25], axis=1)


def _s_curve(t: numpy.ndarray) -> numpy.ndarray:
    angle = 3 * numpy.pi * (t - 0.5)  # two three-quarter circles, joined
    return numpy.stack(
        [0.7 * numpy.sin(angle), 0.7 * numpy.sign(angle) * (1 - numpy.cos(angle))], axis=1
    )


circle = Curve("circle", _circle, closed=True)
"""The unit circle: closed, so one latent on a line must cut it somewhere."""

spiral = Curve("spiral", _spiral)
"""An Archimedean spiral of one and three quarter turns, 1.4 at its widest."""

two_moons = Curve("two_moons", _two_moons, pieces=2)
"""Two interleaved half circles of radius 1, centred on the origin: two separate pieces."""

s_curve = Curve("s_curve", _s_curve)
"""An S of two three-quarter circles of radius 0.7: the manifold of the lecture's first picture."""

CURVES = {curve.name: curve for curve in (circle, spiral, two_moons, s_curve)}


def mixture_ring(components: int = 8, radius: float = 1.0, std: float = 0.1) -> GaussianMixture:
    """Equal round Gaussians, of one std in both directions, evenly on a circle about the origin.

    >>> mixture_ring(4).means.round(6)[1]
    array([0., 1.])
    """
    whole_number("mixture_ring", "components", components)
    means = radius * _circle(numpy.arange(components) / components)
    return GaussianMixture(numpy.full(components, 1 / components), means, std**2)


def mixture_along(curve: Curve, components: int = 60, std: float = 0.05) -> GaussianMixture:
    """Equal round Gaussians along a curve: nearly the noisy curve, with a posterior known exactly.

    Smooth along the curve if they stand no further apart than about `std`.

    >>> mixture_along(spiral, 60).means.shape
    (60, 2)
    """
    whole_number("mixture_along", "components", components)
    means = curve.at((numpy.arange(components) + 0.5) / components)
    return GaussianMixture(numpy.full(components, 1 / components), means, std**2)


def two_modes(distance: float = 2.0, std: float = 0.15) -> GaussianMixture:
    """Two equal round Gaussians, their means apart along the first axis.

    A noisy point between them may have come from either.

    >>> two_modes().posterior_mean(numpy.array([[0.0, 0.0]]), std=0.5)
    array([[0., 0.]])
    """
    means = [[-distance / 2, 0.0], [distance / 2, 0.0]]
    return GaussianMixture([0.5, 0.5], means, std**2)
