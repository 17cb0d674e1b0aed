"""Slopes from function values: the numerical half of :mod:`minigrad.gradcheck`.

Everything here happens on host arrays in float64; only evaluating the function may run elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy

from minigrad.backend import HostArray

Evaluate = Callable[[HostArray], Sequence[HostArray]]


class Slope(NamedTuple):
    """The slope along one direction, from the gradient and from function values."""

    gradient: float
    difference: float

    def excess(self, options: Options) -> float:
        """The disagreement in units of what is allowed: above 1 it is too much."""
        allowed = options.atol + options.rtol * abs(self.difference)
        ratio = abs(self.gradient - self.difference) / allowed
        return ratio if numpy.isfinite(ratio) else numpy.inf


class Options(NamedTuple):
    """How to compare; see :func:`minigrad.gradcheck.gradcheck`."""

    step: float
    atol: float
    rtol: float
    seed: int
    max_elements: int
    directions: int


class Comparison(NamedTuple):
    """A gradient beside the function it should belong to."""

    evaluate: Evaluate  # from values of the input under test to the list of outputs
    values: HostArray  # where to check
    gradient: HostArray  # what to check, of the same shape
    cotangents: Sequence[HostArray]  # one an output
    options: Options

    def slope(self, direction: HostArray) -> Slope:
        """Both slopes along a direction d: ``<g, d>`` and ``<v, f(x + hd) - f(x - hd)> / 2h``."""
        ahead, behind, width = self._around(direction)
        # Subtract before summing over the outputs: less is lost to rounding.
        change = sum(
            float(numpy.vdot(v, a - b))
            for v, a, b in zip(self.cotangents, self.evaluate(ahead), self.evaluate(behind))
        )
        return Slope(float(numpy.vdot(self.gradient, ahead - behind)) / width, change / width)

    def failure(self, seed: int) -> str | None:
        """Describe the worst disagreement, or ``None`` if there is none."""
        if self.values.size <= self.options.max_elements:
            slopes = [self.slope(self._unit(index)) for index in range(self.values.size)]
            excesses = [slope.excess(self.options) for slope in slopes]
            if all(excess <= 1 for excess in excesses):
                return None
            worst = int(numpy.argmax(excesses))
            return self._describe(worst, slopes[worst])
        generator = numpy.random.default_rng(seed)
        for _ in range(self.options.directions):
            direction = generator.standard_normal(self.values.shape)
            if self.slope(direction).excess(self.options) > 1:
                index = self._culprit(direction)
                return self._describe(index, self.slope(self._unit(index)))
        return None

    def _around(self, direction: HostArray) -> tuple[HostArray, HostArray, float]:
        size = numpy.abs(self.values[direction != 0]).max(initial=1.0)
        h = self.options.step * float(size)
        return self.values + h * direction, self.values - h * direction, 2 * h

    def _unit(self, index: int) -> HostArray:
        unit = numpy.zeros(self.values.shape)
        unit.flat[index] = 1
        return unit

    def _culprit(self, direction: HostArray) -> int:
        """Bisect: the half of the direction that disagrees more holds the worst element."""
        indices = numpy.arange(self.values.size)

        def excess_of(half: HostArray) -> float:
            part = numpy.zeros(self.values.shape)
            part.flat[half] = direction.flat[half]
            return self.slope(part).excess(self.options)

        while len(indices) > 1:
            indices = max(numpy.array_split(indices, 2), key=excess_of)
        return int(indices[0])

    def _describe(self, flat: int, slope: Slope) -> str:
        index = tuple(int(i) for i in numpy.unravel_index(flat, self.values.shape))
        text = (
            f"index {index}: gradient {slope.gradient:.9g}, central difference "
            f"{slope.difference:.9g} (atol={self.options.atol}, rtol={self.options.rtol})"
        )
        right, left = self._one_sided(self._unit(flat))
        if abs(right - left) > 0.01 * max(abs(right), abs(left)) + 100 * self.options.atol:
            text += (
                f"; the one-sided differences {left:.4g} and {right:.4g} disagree: is there a "
                f"kink? See away_from and distinct"
            )
        return text

    def _one_sided(self, direction: HostArray) -> tuple[float, float]:
        ahead, behind, width = self._around(direction)
        totals = []
        for values in (ahead, self.values, behind):
            outputs = self.evaluate(values)
            totals.append(sum(float(numpy.vdot(v, y)) for v, y in zip(self.cotangents, outputs)))
        return (totals[0] - totals[1]) * 2 / width, (totals[1] - totals[2]) * 2 / width


def away_from(
    values: HostArray, points: Sequence[float] = (0.0,), margin: float = 0.1
) -> HostArray:
    """Move values that are close to a kink out to ``margin`` from it; returns a new array.

    Parameters
    ----------
    values : numpy.ndarray
    points : sequence of float
        Where the kinks are: 0 for relu and abs, both ends for clamp. At least twice ``margin``
        apart.
    margin : float
        The distance to keep; far above the step of the difference.

    Returns
    -------
    numpy.ndarray

    Examples
    --------
    >>> away_from(numpy.array([-2.0, -0.01, 0.0, 0.5]))
    array([-2. , -0.1,  0.1,  0.5])
    """
    values = numpy.array(values)
    for point in points:
        side = numpy.where(values < point, -1.0, 1.0)
        values = numpy.where(numpy.abs(values - point) < margin, point + side * margin, values)
    return values


def distinct(shape: int | tuple[int, ...], seed: int = 0) -> HostArray:
    """Values in [-1, 1] in random order, evenly apart: no two are near a tie.

    Parameters
    ----------
    shape : int or tuple of int
    seed : int

    Returns
    -------
    numpy.ndarray
        float64.

    Examples
    --------
    >>> sorted(distinct(3).tolist())
    [-1.0, 0.0, 1.0]
    """
    evenly = numpy.linspace(-1, 1, int(numpy.prod(shape)))
    return numpy.random.default_rng(seed).permutation(evenly).reshape(shape)
