"""The Gaussian: with independent coordinates, the lecture's over the latents, and with any."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy
from numpy.typing import ArrayLike, DTypeLike

from autoencoder.data.arrays import array_of_numbers, check_sampling
from autoencoder.densities.checks import (
    as_indices,
    as_points,
    points_to_fit,
    rounding,
    singular,
    spans_all,
)
from minigrad.backend import Array, array_module, to_numpy, with_one_blas_thread


class _Gaussian:
    """What both have, by a factor L of the covariance C = L L'."""

    mean: numpy.ndarray | Any = None

    def __init__(self, mean: ArrayLike | None, spread: ArrayLike | None, what: str) -> None:
        name = type(self).__name__
        if (mean is None) != (spread is None):
            raise ValueError(f"{name}: give mean and {what}, or neither")
        if mean is not None and spread is not None:
            self._set(array_of_numbers(name, "mean", mean), array_of_numbers(name, what, spread))

    def _set(self, mean: numpy.ndarray, spread: numpy.ndarray) -> None:
        """Take the parameters, or refuse them."""
        raise NotImplementedError

    def _colour(self, noise: numpy.ndarray) -> numpy.ndarray:
        """L times each row of standard normal noise."""
        raise NotImplementedError

    def _whiten(self, offset: Array) -> Array:
        """L^(-1) times each row."""
        raise NotImplementedError

    def _lengths(self) -> numpy.ndarray:
        """The diagonal of L."""
        raise NotImplementedError

    def _require_parameters(self, method: str) -> str:
        """The name of a method that needs parameters, once they are there."""
        name = f"{type(self).__name__}.{method}"
        if self.mean is None:
            raise RuntimeError(f"{name}: give parameters or call fit first")
        return name

    @with_one_blas_thread
    def sample(self, n: int, rng: numpy.random.Generator, dtype: DTypeLike = "float32") -> Array:
        """Draw n points (n, d): mean + L * standard normal noise."""
        check_sampling(n, rng, self._require_parameters("sample"))
        return (self.mean + self._colour(rng.standard_normal((n, len(self.mean))))).astype(dtype)

    @with_one_blas_thread
    def log_prob(self, x: Array) -> Array:
        """The log density in nats of points x (N, d): (N,), float64."""
        caller = self._require_parameters("log_prob")
        d = len(self.mean)
        whitened = self._whiten(as_points(x, d, caller) - array_module(x).asarray(self.mean))
        normaliser = float(numpy.log(self._lengths()).sum()) + 0.5 * d * math.log(2 * math.pi)
        return -0.5 * (whitened**2).sum(axis=1) - normaliser


class DiagonalGaussian(_Gaussian):
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

    std: numpy.ndarray | Any = None

    def __init__(self, mean: ArrayLike | None = None, std: ArrayLike | None = None) -> None:
        super().__init__(mean, std, "std")

    def _set(self, mean: numpy.ndarray, spread: numpy.ndarray) -> None:
        if mean.ndim != 1 or mean.shape != spread.shape:
            raise ValueError(
                f"DiagonalGaussian: mean {mean.shape} and std {spread.shape} must both be (d,)"
            )
        bad = numpy.flatnonzero(~(numpy.isfinite(mean) & numpy.isfinite(spread) & (spread > 0)))
        if bad.size:
            raise ValueError(
                "DiagonalGaussian: means must be finite and standard deviations positive; "
                f"coordinates {bad[:8].tolist()}{' and more' if len(bad) > 8 else ''} have mean "
                f"{mean[bad[:8]]} and std {spread[bad[:8]]}"
            )
        self.mean, self.std = mean, spread

    def _colour(self, noise: numpy.ndarray) -> numpy.ndarray:
        return self.std * noise

    def _whiten(self, offset: Array) -> Array:
        return offset / array_module(offset).asarray(self.std)

    def _lengths(self) -> numpy.ndarray:
        return self.std

    def fit(self, x: Array, *, jitter: float = 0.0) -> DiagonalGaussian:
        """Fit by maximum likelihood: mean and variance of each coordinate, divided by N.

        ``jitter`` is added to each variance; it is needed where a coordinate is constant.

        Raises
        ------
        ValueError
            If x has another shape, no rows, values that are not finite or a coordinate that is
            constant up to rounding.
        """
        points, mean = points_to_fit(x, jitter, "DiagonalGaussian.fit")
        variance = to_numpy(((points - mean) ** 2).mean(axis=0))
        variance[numpy.sqrt(variance) <= rounding(x)] = 0.0
        self._set(to_numpy(mean), numpy.sqrt(variance + jitter))
        return self

    def marginal(self, indices: Sequence[int]) -> DiagonalGaussian:
        """The density of some of the coordinates, in the order given."""
        kept = as_indices(indices, self.mean, self._require_parameters("marginal"))
        return DiagonalGaussian(self.mean[kept], self.std[kept])


class FullGaussian(_Gaussian):
    """A Gaussian with full covariance.

    With the Cholesky factor L of the covariance, L L' = covariance, and u = L^(-1) (x - mean):

        log p(x) = -1/2 u'u - sum_i log L_ii - d/2 log(2 pi)

    Parameters
    ----------
    mean : array_like (d,), optional
    covariance : array_like (d, d), optional
        Symmetric and positive definite. Give both parameters, or none and call `fit`.

    Attributes
    ----------
    mean : numpy.ndarray (d,), float64
    covariance : numpy.ndarray (d, d), float64

    Examples
    --------
    >>> density = FullGaussian([0.0, 0.0], [[1.0, 0.0], [0.0, 4.0]])
    >>> density.log_prob(numpy.zeros((1, 2))).round(4)
    array([-2.531])
    """

    covariance: numpy.ndarray | Any = None

    def __init__(self, mean: ArrayLike | None = None, covariance: ArrayLike | None = None) -> None:
        super().__init__(mean, covariance, "covariance")

    @with_one_blas_thread
    def _set(
        self, mean: numpy.ndarray, spread: numpy.ndarray, root: numpy.ndarray | None = None
    ) -> None:
        """Take the parameters; ``root' root`` is the covariance, if a root is known."""
        if mean.ndim != 1 or spread.shape != (len(mean), len(mean)):
            raise ValueError(
                f"FullGaussian: expected mean (d,) and covariance (d, d), "
                f"got {mean.shape} and {spread.shape}"
            )
        if not (numpy.isfinite(mean).all() and numpy.isfinite(spread).all()):
            raise ValueError("FullGaussian: mean and covariance must be finite")
        if not numpy.allclose(spread, spread.T):
            raise ValueError("FullGaussian: the covariance is not symmetric")
        if root is not None:  # loses less than the covariance, whose entries are squares
            triangle = cast(numpy.ndarray, numpy.linalg.qr(root, mode="r"))
            factor = triangle.T * numpy.where(numpy.diag(triangle) < 0, -1.0, 1.0)
        elif not singular(spread):
            factor = numpy.linalg.cholesky(spread)
        else:
            smallest = numpy.linalg.eigvalsh(spread)[0]
            raise ValueError(
                f"FullGaussian: the covariance {spread.shape} is not positive definite, its "
                f"smallest eigenvalue is {smallest:.3g}"
            )
        self.mean, self.covariance = mean, spread
        self._factor = factor
        self._whitening = numpy.linalg.inv(factor).T  # (x - mean) @ whitening = u

    def _colour(self, noise: numpy.ndarray) -> numpy.ndarray:
        return noise @ self._factor.T

    def _whiten(self, offset: Array) -> Array:
        return offset @ array_module(offset).asarray(self._whitening)

    def _lengths(self) -> numpy.ndarray:
        return numpy.diag(self._factor)

    @with_one_blas_thread
    def fit(self, x: Array, *, jitter: float = 0.0) -> FullGaussian:
        """Fit by maximum likelihood: mean and covariance of points (N, d), divided by N.

        ``jitter`` is added to the diagonal; it is needed where the points do not span all of it.

        Raises
        ------
        ValueError
            If x has another shape, no rows or values that are not finite, the jitter is negative,
            or the points do not spread in all directions by more than their values are rounded.
        """
        points, mean = points_to_fit(x, jitter, "FullGaussian.fit")
        centred = points - mean
        ridge = jitter * numpy.eye(len(mean))
        covariance = to_numpy(centred.T @ centred) / len(x) + ridge
        root = to_numpy(array_module(x).linalg.qr(centred, mode="r")) / math.sqrt(len(x))
        rounded = rounding(x)
        if jitter > 0:
            root, rounded = numpy.concatenate([root, numpy.sqrt(ridge)]), 0.0 * rounded
        elif len(x) <= len(mean):  # the mean takes one direction
            root = root[:-1]
        if not spans_all(root, rounded, len(x)):
            raise ValueError(
                f"FullGaussian.fit: the covariance of the points {x.shape} is not positive "
                f"definite: up to rounding they do not spread in all directions; more points or "
                f"fit(x, jitter=1e-6) help"
            )
        self._set(to_numpy(mean), covariance, root)
        return self

    def marginal(self, indices: Sequence[int]) -> FullGaussian:
        """The density of some of the coordinates, in the order given."""
        kept = as_indices(indices, self.mean, self._require_parameters("marginal"))
        density = FullGaussian()
        density._set(self.mean[kept], self.covariance[numpy.ix_(kept, kept)], self._factor[kept].T)
        return density
