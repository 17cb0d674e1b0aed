"""What every density checks about its arguments."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy
from numpy.typing import ArrayLike

from autoencoder.data.arrays import array_of_numbers
from minigrad.backend import Array, is_array, require_number, to_numpy


def as_points(x: Array, dimension: int | None, caller: str) -> Array:
    """The points (N, dimension) as float64, or an error; None stands for any dimension."""
    if not is_array(x):
        raise TypeError(f"{caller}: expected an array of points, got {type(x).__name__}")
    if x.ndim != 2 or (dimension is not None and x.shape[1] != dimension):
        expected = "d" if dimension is None else dimension
        raise ValueError(f"{caller}: expected points (N, {expected}), got {x.shape}")
    return x.astype("float64", copy=False)


def finite_mean(x: Array, caller: str) -> Array:
    """The mean point (d,); ValueError if there is no point or one is not finite."""
    if not len(x):
        raise ValueError(f"{caller}: no points in {x.shape}")
    with numpy.errstate(invalid="ignore"):  # said in words below
        mean = x[0] + (x - x[0]).mean(axis=0)  # exact where a coordinate is constant
    if not numpy.isfinite(to_numpy(mean)).all():
        raise ValueError(f"{caller}: the points {x.shape} are not all finite")
    return mean


def points_to_fit(x: Array, jitter: float, caller: str) -> tuple[Array, Array]:
    """Points (N, d) as float64 and their mean (d,), or an error; the jitter is checked too."""
    points = as_points(x, None, caller)
    require_number(caller, "jitter", jitter, minimum=0.0, finite=True)
    return points, finite_mean(points, caller)


def rounding(x: Array) -> numpy.ndarray:
    """How far off each coordinate of points may be by its own rounding, (d,).

    Two units in the last place of its largest value, in the precision the points are given in: a
    spread that is not larger says nothing about the points.
    """
    epsilon = numpy.finfo(x.dtype if x.dtype.kind == "f" else "float64").eps
    return 2.0 * float(epsilon) * to_numpy(abs(x).max(axis=0)).astype("float64")


def spans_all(root: numpy.ndarray, rounding: numpy.ndarray, samples: int) -> bool:
    """Whether points spread in every direction by more than their coordinates are rounded (d,).

    Their covariance is ``root' root``, root (M, d), decomposed from so many samples: it is rounded
    itself.

    >>> root = numpy.array([[1e-6, 1e6], [0.0, 1e6]])
    >>> [spans_all(root, numpy.array([1e-21, r]), samples=2) for r in (1e-9, 1e7)]
    [True, False]
    """
    spread = numpy.linalg.norm(root, axis=0)
    if len(root) < len(spread) or (spread <= rounding).any():
        return False
    # Each coordinate in units of its own spread: the scales of the coordinates do not matter.
    _, along, directions = numpy.linalg.svd(root / spread, full_matrices=False)
    rounded = numpy.linalg.norm(directions * (rounding / spread), axis=1)
    return bool((along > rounded + _smallest(len(spread), samples) * along[0]).all())


def singular(covariances: numpy.ndarray) -> numpy.ndarray:
    """Which of the covariance matrices (..., d, d) are singular up to rounding, (...).

    The correlations decide, so that the scales of the coordinates do not matter.

    >>> singular(numpy.array([[[1.0, 0.1], [0.1, 0.01]], [[1e-12, 0.0], [0.0, 1e12]]]))
    array([ True, False])
    """
    variances = numpy.diagonal(covariances, axis1=-2, axis2=-1)
    scales = numpy.sqrt(numpy.where(variances > 0, variances, 1.0))
    correlations = covariances / scales[..., :, None] / scales[..., None, :]
    eigenvalues = numpy.linalg.eigvalsh(correlations)
    smallest = _smallest(covariances.shape[-1]) * eigenvalues[..., -1]
    return (variances <= 0).any(axis=-1) | (eigenvalues[..., 0] <= smallest)


def _smallest(d: int, rows: int = 0) -> float:
    """What decomposing d columns of that many rows may make of a zero, beside the largest."""
    return (8 * d + math.sqrt(rows)) * float(numpy.finfo("float64").eps)


def as_indices(indices: Sequence[int], mean: numpy.ndarray, caller: str) -> numpy.ndarray:
    """Coordinates of a mean to keep; ValueError if there is none, one twice, or one unknown."""
    kept = numpy.asarray(indices, dtype=numpy.intp).reshape(-1)
    in_range = kept.size and kept.min() >= 0 and kept.max() < len(mean)
    if not in_range or len(set(kept.tolist())) != kept.size:
        raise ValueError(f"{caller}: expected distinct coordinates in [0, {len(mean)}), got {kept}")
    return kept


def full_covariances(given: ArrayLike, components: int, d: int) -> numpy.ndarray:
    """Covariances given as (), (K,) or (K, d, d), checked and written out: (K, d, d).

    >>> full_covariances([4.0], 1, 2)
    array([[[4., 0.],
            [0., 4.]]])
    """
    values = array_of_numbers("GaussianMixture", "covariances", given)
    if values.shape in ((), (components,)):
        variances = numpy.broadcast_to(values, (components,))
        values = variances[:, None, None] * numpy.eye(d)
    if values.shape != (components, d, d):
        raise ValueError(
            f"GaussianMixture: covariances must be a number, ({components},) or "
            f"({components}, {d}, {d}), got {values.shape}"
        )
    if not numpy.isfinite(values).all():
        raise ValueError("GaussianMixture: the covariances must be finite")
    if not numpy.allclose(values, values.transpose(0, 2, 1)):
        raise ValueError("GaussianMixture: a covariance is not symmetric")
    return values
