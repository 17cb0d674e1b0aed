"""The Gaussian with independent coordinates: the lecture's density over the latents."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy
from numpy.typing import ArrayLike, DTypeLike

from autoencoder.data.arrays import array_of_numbers
from autoencoder.densities.checks import (
    as_indices,
    as_points,
    check_jitter,
    check_sampling,
    finite_mean,
    rounding,
)
from minigrad.backend import Array, array_module, to_numpy

__all__ = ["DiagonalGaussian"]


class DiagonalGaussian:
    """A Gaussian with diagonal covariance.

        log p(x) = -1/2 sum_i [ ((x_i - mean_i) / std_i)^2 + log(2 pi std_i^2) ]

    Parameters
    ----------
    mean : array_like (d,), optional
    std : array_like (d,), optional
        Standard deviations, positive. Give both parameters, or none and call `fit`.

    Attributes
    ----------
    mean, std : numpy.ndarray (d,), float64

    Examples
    --------
    >>> density = DiagonalGaussian([0.0, 0.0], [1.0, 2.0])
    >>> density.log_prob(numpy.zeros((1, 2))).round(4)
    array([-2.531])
    """

    def __init__(self, mean: ArrayLike | None = None, std: ArrayLike | None = None) -> None:
        self.mean: numpy.ndarray | Any = None
        self.std: numpy.ndarray | Any = None
        if (mean is None) != (std is None):
            raise ValueError("DiagonalGaussian: give mean and std, or neither")
        if mean is not None and std is not None:
            self._set(
                array_of_numbers("DiagonalGaussian", "mean", mean),
                array_of_numbers("DiagonalGaussian", "std", std),
            )

    def _set(self, mean: numpy.ndarray, std: numpy.ndarray) -> None:
        if mean.ndim != 1 or mean.shape != std.shape:
            raise ValueError(
                f"DiagonalGaussian: mean {mean.shape} and std {std.shape} must both be (d,)"
            )
        if not (numpy.isfinite(mean).all() and numpy.isfinite(std).all() and (std > 0).all()):
            bad = numpy.flatnonzero(~(numpy.isfinite(mean) & numpy.isfinite(std) & (std > 0)))
            raise ValueError(
                "DiagonalGaussian: means must be finite and standard deviations positive; "
                f"coordinates {bad[:8].tolist()}{' and more' if len(bad) > 8 else ''} have mean "
                f"{mean[bad[:8]]} and std {std[bad[:8]]}"
            )
        self.mean, self.std = mean, std

    def _parameters(self, caller: str) -> tuple[numpy.ndarray, numpy.ndarray]:
        if self.mean is None or self.std is None:
            raise RuntimeError(f"DiagonalGaussian.{caller}: give parameters or call fit first")
        return self.mean, self.std

    def fit(self, x: Array, *, jitter: float = 0.0) -> DiagonalGaussian:
        """Fit by maximum likelihood: mean and variance of each coordinate, divided by N.

        ``jitter`` is added to each variance; it is needed where a coordinate is constant.

        Raises
        ------
        ValueError
            If x has another shape, no rows, values that are not finite or a coordinate that is
            constant up to rounding.
        """
        points = as_points(x, None, "DiagonalGaussian.fit")
        check_jitter(jitter, "DiagonalGaussian.fit")
        mean = finite_mean(points, "DiagonalGaussian.fit")
        variance = to_numpy(((points - mean) ** 2).mean(axis=0))
        variance[numpy.sqrt(variance) <= rounding(x)] = 0.0
        self._set(to_numpy(mean), numpy.sqrt(variance + jitter))
        return self

    def sample(self, n: int, rng: numpy.random.Generator, dtype: DTypeLike = "float32") -> Array:
        """Draw n points (n, d): mean + std * standard normal noise."""
        mean, std = self._parameters("sample")
        check_sampling(n, rng, "DiagonalGaussian.sample")
        return (mean + std * rng.standard_normal((n, len(mean)))).astype(dtype)

    def log_prob(self, x: Array) -> Array:
        """The log density in nats of points x (N, d): (N,), float64."""
        mean, std = self._parameters("log_prob")
        xp = array_module(x)
        x = as_points(x, len(mean), "DiagonalGaussian.log_prob")
        standardised = (x - xp.asarray(mean)) / xp.asarray(std)
        normaliser = float(numpy.log(std).sum()) + 0.5 * len(mean) * math.log(2 * math.pi)
        return -0.5 * (standardised**2).sum(axis=1) - normaliser

    def marginal(self, indices: Sequence[int]) -> DiagonalGaussian:
        """The density of some of the coordinates, in the order given."""
        mean, std = self._parameters("marginal")
        kept = as_indices(indices, len(mean), "DiagonalGaussian.marginal")
        return DiagonalGaussian(mean[kept], std[kept])
