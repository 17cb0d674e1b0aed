"""The Gaussian with any covariance matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

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
    singular,
    spans_all,
)
from minigrad.backend import Array, array_module, to_numpy, with_one_blas_thread

__all__ = ["FullGaussian"]


class FullGaussian:
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

    def __init__(self, mean: ArrayLike | None = None, covariance: ArrayLike | None = None) -> None:
        self.mean: numpy.ndarray | None = None
        self.covariance: numpy.ndarray | None = None
        if (mean is None) != (covariance is None):
            raise ValueError("FullGaussian: give mean and covariance, or neither")
        if mean is not None and covariance is not None:
            self._set(
                array_of_numbers("FullGaussian", "mean", mean),
                array_of_numbers("FullGaussian", "covariance", covariance),
            )

    @with_one_blas_thread
    def _set(
        self, mean: numpy.ndarray, covariance: numpy.ndarray, root: numpy.ndarray | None = None
    ) -> None:
        """Take the parameters; ``root' root`` is the covariance, if a root is known."""
        if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
            raise ValueError(
                f"FullGaussian: expected mean (d,) and covariance (d, d), "
                f"got {mean.shape} and {covariance.shape}"
            )
        if not (numpy.isfinite(mean).all() and numpy.isfinite(covariance).all()):
            raise ValueError("FullGaussian: mean and covariance must be finite")
        if not numpy.allclose(covariance, covariance.T):
            raise ValueError("FullGaussian: the covariance is not symmetric")
        if root is not None:  # loses less than the covariance, whose entries are squares
            triangle = cast(numpy.ndarray, numpy.linalg.qr(root, mode="r"))
            factor = triangle.T * numpy.where(numpy.diag(triangle) < 0, -1.0, 1.0)
        elif not singular(covariance):
            factor = numpy.linalg.cholesky(covariance)
        else:
            smallest = numpy.linalg.eigvalsh(covariance)[0]
            raise ValueError(
                f"FullGaussian: the covariance {covariance.shape} is not positive definite, its "
                f"smallest eigenvalue is {smallest:.3g}"
            )
        self.mean = mean
        self.covariance = covariance
        self._factor = factor
        self._whitening = numpy.linalg.inv(factor).T  # (x - mean) @ whitening = u

    def _mean(self, caller: str) -> numpy.ndarray:
        if self.mean is None:
            raise RuntimeError(f"FullGaussian.{caller}: give parameters or call fit first")
        return self.mean

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
        points = as_points(x, None, "FullGaussian.fit")
        check_jitter(jitter, "FullGaussian.fit")
        mean = finite_mean(points, "FullGaussian.fit")
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

    @with_one_blas_thread
    def sample(self, n: int, rng: numpy.random.Generator, dtype: DTypeLike = "float32") -> Array:
        """Draw n points (n, d): mean + L * standard normal noise."""
        mean = self._mean("sample")
        check_sampling(n, rng, "FullGaussian.sample")
        return (mean + rng.standard_normal((n, len(mean))) @ self._factor.T).astype(dtype)

    @with_one_blas_thread
    def log_prob(self, x: Array) -> Array:
        """The log density in nats of points x (N, d): (N,), float64."""
        mean = self._mean("log_prob")
        xp = array_module(x)
        x = as_points(x, len(mean), "FullGaussian.log_prob")
        whitened = (x - xp.asarray(mean)) @ xp.asarray(self._whitening)
        log_determinant = float(numpy.log(numpy.diag(self._factor)).sum())
        normaliser = log_determinant + 0.5 * len(mean) * math.log(2 * math.pi)
        return -0.5 * (whitened**2).sum(axis=1) - normaliser

    def marginal(self, indices: Sequence[int]) -> FullGaussian:
        """The density of some of the coordinates, in the order given."""
        mean = self._mean("marginal")
        kept = as_indices(indices, len(mean), "FullGaussian.marginal")
        assert self.covariance is not None
        density = FullGaussian()
        density._set(mean[kept], self.covariance[numpy.ix_(kept, kept)], self._factor[kept].T)
        return density
