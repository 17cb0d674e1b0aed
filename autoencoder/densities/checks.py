"""What every density checks about its arguments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy
from numpy.typing import ArrayLike

from autoencoder.arguments import array_of_numbers, whole_number
from minigrad.backend import Array, is_array, to_numpy

__all__ = ["as_indices", "as_points", "check_sampling", "finite_mean", "full_covariances"]


def as_points(x: Array, dimension: int | None, caller: str) -> Array:
    """The points as float64, or an error that names the caller.

    Parameters
    ----------
    x : array (N, d)
    dimension : int or None
        The d expected; None accepts any.
    caller : str
        Stands at the head of the message.

    Returns
    -------
    array (N, d), float64

    Raises
    ------
    TypeError
        If x is no array.
    ValueError
        If x has another shape.

    Examples
    --------
    >>> as_points(numpy.zeros((3, 2), dtype="float32"), 2, "log_prob").dtype
    dtype('float64')
    """
    if not is_array(x):
        raise TypeError(f"{caller}: expected an array of points, got {type(x).__name__}")
    if x.ndim != 2 or (dimension is not None and x.shape[1] != dimension):
        expected = "d" if dimension is None else dimension
        raise ValueError(f"{caller}: expected points (N, {expected}), got {x.shape}")
    return x.astype("float64", copy=False)


def finite_mean(x: Array, caller: str) -> Array:
    """The mean point (d,), or an error if there is no point or one is not finite.

    Raises
    ------
    ValueError

    Examples
    --------
    >>> finite_mean(numpy.array([[0.0, 2.0], [1.0, 4.0]]), "fit")
    array([0.5, 3. ])
    """
    if not len(x):
        raise ValueError(f"{caller}: no points in {x.shape}")
    mean = x.mean(axis=0)
    if not numpy.isfinite(to_numpy(mean)).all():
        raise ValueError(f"{caller}: the points {x.shape} are not all finite")
    return mean


def as_indices(indices: Sequence[int], dimension: int, caller: str) -> numpy.ndarray:
    """Coordinates to keep in a marginal, checked.

    Raises
    ------
    ValueError
        If there is none, one twice, or one out of range.

    Examples
    --------
    >>> as_indices([1, 0], 2, "marginal")
    array([1, 0])
    """
    kept = numpy.asarray(indices, dtype=numpy.intp).reshape(-1)
    in_range = kept.size and kept.min() >= 0 and kept.max() < dimension
    if not in_range or len(set(kept.tolist())) != kept.size:
        raise ValueError(f"{caller}: expected distinct coordinates in [0, {dimension}), got {kept}")
    return kept


def check_sampling(n: int, rng: numpy.random.Generator, caller: str) -> None:
    """Refuse a negative count and anything but a seeded Generator.

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> check_sampling(3, numpy.random.default_rng(0), "sample")
    """
    if not isinstance(rng, numpy.random.Generator):
        raise TypeError(f"{caller}: rng must be a numpy.random.Generator, got {type(rng).__name__}")
    if whole_number(caller, "n", n, minimum=None) < 0:
        raise ValueError(f"{caller}: n must not be negative, got {n}")


def full_covariances(given: ArrayLike, components: int, d: int) -> numpy.ndarray:
    """Covariances given in short form, written out: (K, d, d).

    Parameters
    ----------
    given : array_like () or (K,) or (K, d, d)
        Variances of round Gaussians, or covariance matrices.
    components, d : int

    Raises
    ------
    ValueError
        If the shape is another, a value is not finite or a matrix is not symmetric.

    Examples
    --------
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
