"""How far reconstructions, samples and subspaces are from what they should be.

Everything here runs on NumPy and on CuPy arrays, but `principal_angles`, which is scipy's and
copies its arguments to the host.
"""

from __future__ import annotations

import math

import numpy

from autoencoder.distances import energy_distance, nearest_neighbours
from minigrad.backend import Array, array_module, to_numpy, with_one_blas_thread

__all__ = [
    "energy_distance",
    "mse_per_pixel",
    "nearest_neighbours",
    "principal_angles",
    "psnr",
    "sum_per_sample",
]


def mse_per_pixel(estimate: Array, target: Array, *, mask: Array | None = None) -> float:
    """The mean squared error a pixel: squared differences averaged over samples and pixels.

    Parameters
    ----------
    estimate, target : array (N, ...)
        Of one shape, on one device.
    mask : bool array, optional
        Average only where it is True; of the same shape, or broadcast to it.

    Returns
    -------
    float
        In squared units of the pixel.

    Raises
    ------
    TypeError
        If the mask is not boolean.
    ValueError
        If the shapes differ, or there is nothing to average.

    Examples
    --------
    >>> mse_per_pixel(numpy.zeros((2, 4)), numpy.full((2, 4), 0.5))
    0.25
    """
    xp = array_module(estimate, target)
    squares = _squares(estimate, target, "mse_per_pixel")
    if mask is None:
        total, count = float(squares.sum(dtype="float64")), squares.size
    else:
        if mask.dtype != "bool":
            raise TypeError(f"mse_per_pixel: the mask must be boolean, got {mask.dtype}")
        try:
            chosen = xp.broadcast_to(mask, squares.shape)
        except ValueError:
            raise ValueError(
                f"mse_per_pixel: a mask {mask.shape} does not broadcast to {squares.shape}"
            ) from None
        total = float(xp.where(chosen, squares, 0.0).sum(dtype="float64"))
        count = int(chosen.sum())
    if not count:
        raise ValueError(f"mse_per_pixel: nothing to average in {squares.shape}")
    return total / count


def sum_per_sample(estimate: Array, target: Array) -> float:
    """The lecture's loss, (1/N) sum_n ||x_n - g(f(x_n))||^2: summed over pixels, not averaged.

    The mean squared error a pixel, times the number of pixels: published numbers mix the two.

    Parameters
    ----------
    estimate, target : array (N, ...)

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the shapes differ, or there is no sample.

    Examples
    --------
    >>> sum_per_sample(numpy.zeros((2, 4)), numpy.full((2, 4), 0.5))
    1.0
    """
    return mse_per_pixel(estimate, target) * math.prod(target.shape[1:])


def psnr(estimate: Array, target: Array, *, mask: Array | None = None, peak: float = 1.0) -> float:
    """Peak signal-to-noise ratio in decibels, 10 log10(peak^2 / mean squared error).

    The error is averaged over all pixels of all samples *before* the logarithm, and nothing is
    clipped. (The mean of the ratios of single images is another, higher number.)

    Parameters
    ----------
    estimate, target : array (N, ...)
    mask : bool array, optional
        Count only pixels where it is True, the erased ones for example.
    peak : float
        The largest value a pixel can have.

    Returns
    -------
    float
        Infinite if there is no error.

    Raises
    ------
    TypeError, ValueError
        As :func:`mse_per_pixel`.

    Examples
    --------
    >>> round(psnr(numpy.full((1, 4), 0.5), numpy.zeros((1, 4))), 3)
    6.021
    """
    if not 0 < peak < math.inf:
        raise ValueError(f"psnr: peak must be positive and finite, got {peak}")
    error = mse_per_pixel(estimate, target, mask=mask)
    return 10 * math.log10(peak**2 / error) if error > 0 else math.inf


def principal_angles(a: Array, b: Array) -> numpy.ndarray:
    """The principal angles between the spans of two bases. On the host, by scipy.

    Parameters
    ----------
    a, b : array (features, d)
        Bases in columns, independent but not necessarily orthonormal: ``pca.components_.T``, a
        linear decoder's weight.

    Returns
    -------
    numpy.ndarray (d,)
        Radians, largest first; all 0 if and only if the subspaces are the same.

    Raises
    ------
    ValueError
        If the arrays are not matrices of equally many rows, or a value is not finite.

    References
    ----------
    Knyazev and Argentati, 2002, as ``scipy.linalg.subspace_angles``.

    Examples
    --------
    >>> angles = principal_angles(numpy.array([[1.0], [0.0]]), numpy.array([[1.0], [1.0]]))
    >>> numpy.rad2deg(angles).round(6)
    array([45.])
    """
    from scipy.linalg import (
        subspace_angles,
    )  # costs half a second to import; few need it

    if a.ndim != 2 or b.ndim != 2 or len(a) != len(b):
        raise ValueError(
            f"principal_angles: expected bases (features, d) in columns, got {a.shape}, {b.shape}"
        )
    bases = [to_numpy(basis).astype("float64") for basis in (a, b)]
    if not all(numpy.isfinite(basis).all() for basis in bases):
        raise ValueError(f"principal_angles: the bases {a.shape}, {b.shape} are not all finite")
    return with_one_blas_thread(subspace_angles)(*bases)  # SciPy has a BLAS of its own, here by now


def _squares(estimate: Array, target: Array, caller: str) -> Array:
    if estimate.shape != target.shape:
        raise ValueError(f"{caller}: shapes differ, {estimate.shape} and {target.shape}")
    if estimate.dtype.kind != "f" or target.dtype.kind != "f":  # unsigned bytes would wrap
        estimate, target = estimate.astype("float64"), target.astype("float64")
    return (estimate - target) ** 2
