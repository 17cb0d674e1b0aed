"""How far reconstructions, samples, distributions and subspaces are from what they should be.

Everything runs on NumPy and on CuPy arrays, but `principal_angles`, which is scipy's and copies its
arguments to the host. Distances visit all pairs of samples, a bounded number at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy

from autoencoder.data.arrays import require_positive
from minigrad.backend import (
    Array,
    array_module,
    device_of,
    to_numpy,
    whole_number,
    with_one_blas_thread,
)
from minigrad.parallel.threads import on_all_cores

_CHUNK_VALUES = 2**20  # float64 distances that a thread holds at once: 8 MiB


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
    TypeError, ValueError
        If the mask is not boolean, the shapes differ, or there is nothing to average.

    Examples
    --------
    >>> mse_per_pixel(numpy.zeros((2, 4)), numpy.full((2, 4), 0.5))
    0.25
    """
    xp = array_module(estimate, target)
    if estimate.shape != target.shape:
        raise ValueError(f"mse_per_pixel: shapes differ, {estimate.shape} and {target.shape}")
    if estimate.dtype.kind != "f" or target.dtype.kind != "f":  # unsigned bytes would wrap
        estimate, target = estimate.astype("float64"), target.astype("float64")
    squares = (estimate - target) ** 2
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
    Parameters, result and errors as for :func:`mse_per_pixel`.

    >>> sum_per_sample(numpy.zeros((2, 4)), numpy.full((2, 4), 0.5))
    1.0
    """
    return mse_per_pixel(estimate, target) * math.prod(target.shape[1:])


def psnr(estimate: Array, target: Array, *, mask: Array | None = None, peak: float = 1.0) -> float:
    """Peak signal-to-noise ratio in decibels, 10 log10(peak^2 / mean squared error).

    The error is averaged over all pixels of all samples *before* the logarithm, and nothing is
    clipped. (The mean of the ratios of single images is another, higher number.) Errors are as for
    `mse_per_pixel`.

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

    Examples
    --------
    >>> round(psnr(numpy.full((1, 4), 0.5), numpy.zeros((1, 4))), 3)
    6.021
    """
    require_positive("psnr", "peak", peak)
    error = mse_per_pixel(estimate, target, mask=mask)
    return 10 * math.log10(peak**2 / error) if error > 0 else math.inf


@with_one_blas_thread
def energy_distance(x: Array, y: Array) -> float:
    """The energy distance between two samples: 0 if and only if they come from one distribution.

        2 E||X - Y|| - E||X - X'|| - E||Y - Y'||        (Szekely and Rizzo, 2013)

    Estimated without bias: within a sample, a point is never paired with itself (the U-statistic).
    So numbers from samples of different sizes can be compared; the price is that the estimate may
    come out slightly below 0 when the distributions agree. Work grows with (N + M)^2, memory does
    not.

    Parameters
    ----------
    x : array (N, ...)
        Two samples at least; flattened to vectors.
    y : array (M, ...)

    Returns
    -------
    float
        In the unit of the data (it is not squared, and no root is taken).

    Raises
    ------
    ValueError
        If a sample has fewer than two points, or the shapes do not match.

    Examples
    --------
    >>> energy_distance(numpy.array([[0.0], [1.0]]), numpy.array([[3.0], [4.0]]))
    4.0
    """
    x, y = _vectors(x, y, "energy_distance")
    if min(len(x), len(y)) < 2:
        raise ValueError(f"energy_distance: two points at least, got {len(x)} and {len(y)}")
    between = _distance_sum(x, y) / (len(x) * len(y))
    within_x = _distance_sum(x, None) / (len(x) * (len(x) - 1))
    within_y = _distance_sum(y, None) / (len(y) * (len(y) - 1))
    return 2 * between - within_x - within_y


def energy_distance_noise(
    sample: Callable[[int], Array], points: int, pairs: int = 20
) -> tuple[float, float]:
    """How far from 0 the energy distance of two samples of one distribution is, by chance.

    The mean and the deviation over so many pairs of samples; ``sample`` draws as many points.

    >>> rng = numpy.random.default_rng(0)
    >>> mean, deviation = energy_distance_noise(lambda n: rng.normal(size=(n, 2)), 100)
    >>> abs(mean) < deviation < 0.03
    True
    """
    distances = [energy_distance(sample(points), sample(points)) for _ in range(pairs)]
    return float(numpy.mean(distances)), float(numpy.std(distances, ddof=1))


@with_one_blas_thread
def nearest_neighbours(queries: Array, references: Array, k: int = 1) -> tuple[Array, Array]:
    """The k nearest references of each query, in Euclidean distance.

    Parameters
    ----------
    queries : array (N, ...)
        Flattened to vectors.
    references : array (M, ...)
    k : int
        In [1, M]. Found by k passes, so meant to be small.

    Returns
    -------
    indices : int array (N, k)
        Nearest first; of equally near references the first.
    distances : array (N, k), float64

    Raises
    ------
    ValueError
        If the shapes do not match or k is out of range.

    Examples
    --------
    >>> nearest_neighbours(numpy.array([[0.0]]), numpy.array([[3.0], [-1.0]]))
    (array([[1]]), array([[1.]]))
    """
    xp = array_module(queries, references)
    queries, references = _vectors(queries, references, "nearest_neighbours")
    if not 1 <= whole_number("nearest_neighbours", "k", k, minimum=None) <= len(references):
        raise ValueError(f"nearest_neighbours: k must be in [1, {len(references)}], got {k}")
    indices = xp.empty((len(queries), k), dtype="int64")
    distances = xp.empty((len(queries), k), dtype="float64")
    lengths = (references**2).sum(axis=1)

    def search(chunk: slice) -> None:
        block = queries[chunk]
        squared = _squared_distances(block, references, lengths)
        rows = xp.arange(len(block))
        for rank in range(k):
            nearest = squared.argmin(axis=1)
            squared[rows, nearest] = math.inf
            indices[chunk, rank] = nearest
            # Again from the difference: the expanded square loses the digits of a small one.
            distances[chunk, rank] = xp.sqrt(((block - references[nearest]) ** 2).sum(axis=1))

    _each_chunk(search, queries, len(references))
    return indices, distances


@with_one_blas_thread
def frechet_distance(x: Array, y: Array) -> float:
    """The squared Fréchet distance between the Gaussians fitted to two samples.

        ||m_x - m_y||^2 + tr C_x + tr C_y - 2 tr (C_x^(1/2) C_y C_x^(1/2))^(1/2)

    It is the squared Wasserstein distance of these Gaussians (Dowson and Landau, 1982), and on
    features of a classifier the usual score of generated images (Heusel et al., 2017). With
    roots R'R = C, the last trace is the sum of the singular values of R_x R_y': no root of a matrix
    is needed, and a singular covariance does no harm. Parameters and errors are as for
    :func:`energy_distance`.

    Returns
    -------
    float
        In squared units of the data; 0 if and only if means and covariances are equal. Of finite
        samples of one distribution it is positive: state what two such samples give beside it.

    Examples
    --------
    >>> frechet_distance(numpy.array([[0.0], [2.0]]), numpy.array([[3.0], [9.0]]))
    33.0
    """
    x, y = _vectors(x, y, "frechet_distance")
    if min(len(x), len(y)) < 2:
        raise ValueError(f"frechet_distance: two points at least, got {len(x)} and {len(y)}")
    linalg = array_module(x).linalg
    means, roots = [], []
    for points in (x, y):
        means.append(points.mean(axis=0))
        roots.append(linalg.qr(points - means[-1], mode="r") / math.sqrt(len(points) - 1))
    apart = ((means[0] - means[1]) ** 2).sum()
    traces = (roots[0] ** 2).sum() + (roots[1] ** 2).sum()
    common = linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    return max(0.0, float(apart + traces - 2 * common))


@with_one_blas_thread
def precision_recall(samples: Array, data: Array, k: int = 3) -> tuple[float, float]:
    """How many samples look like data, and how much of the data the samples reach.

    A set of points is given a volume: the balls around each point that reach to its k-th nearest
    neighbour in the set. Precision is the share of the samples in the volume of the data, recall
    the share of the data in the volume of the samples (Kynkaanniemi et al., 2019).

    Parameters
    ----------
    samples : array (N, ...)
        More than k; flattened to vectors, usually features of a classifier.
    data : array (M, ...)
        More than k.
    k : int
        From 1. Found by k passes, so meant to be small.

    Returns
    -------
    precision, recall : float
        In [0, 1].

    Raises
    ------
    ValueError
        If the shapes do not match or a set has no k-th neighbour.

    Examples
    --------
    >>> data = numpy.arange(10.0)[:, None]
    >>> precision_recall(data[:5] + 0.1, data, k=1)
    (1.0, 0.6)
    """
    samples, data = _vectors(samples, data, "precision_recall")
    whole_number("precision_recall", "k", k)
    if min(len(samples), len(data)) <= k:
        raise ValueError(
            f"precision_recall: more than k = {k} points in each set are needed, "
            f"got {len(samples)} and {len(data)}"
        )
    return _share_within(samples, data, k), _share_within(data, samples, k)


def _share_within(points: Array, others: Array, k: int) -> float:
    """The share of the points that lie in a ball of the others, each as wide as k neighbours."""
    xp = array_module(points, others)
    lengths = (others**2).sum(axis=1)
    widths = xp.empty(len(others))  # squared

    def measure(chunk: slice) -> None:
        squared = _squared_distances(others[chunk], others, lengths)
        rows = xp.arange(len(squared))
        squared[rows, rows + chunk.start] = math.inf  # a point is no neighbour of its own
        for _ in range(k - 1):
            squared[rows, squared.argmin(axis=1)] = math.inf
        widths[chunk] = squared.min(axis=1)

    def count(chunk: slice) -> int:
        squared = _squared_distances(points[chunk], others, lengths)
        return int((squared <= widths).any(axis=1).sum())

    _each_chunk(measure, others, len(others))
    return sum(_each_chunk(count, points, len(others))) / len(points)


def _vectors(x: Array, y: Array, caller: str) -> tuple[Array, Array]:
    """Both as float64 rows, shifted to x's mean: the expanded square below is then exact enough."""
    array_module(x, y)  # raises where they live on different devices
    if x.ndim < 2 or x.shape[1:] != y.shape[1:]:
        raise ValueError(f"{caller}: expected (N, ...) and (M, ...), got {x.shape} and {y.shape}")
    if not len(x) or not len(y):
        raise ValueError(f"{caller}: no points in {x.shape} or {y.shape}")
    centre = x.reshape(len(x), -1).mean(axis=0, dtype="float64")
    return x.reshape(len(x), -1) - centre, y.reshape(len(y), -1) - centre


def _each_chunk(function: Callable[[slice], Any], rows: Array, columns: int) -> list[Any]:
    """What a function gives for each chunk of rows, in order; the CPU's cores share the chunks."""
    size = max(1, _CHUNK_VALUES // columns)
    chunks = [slice(i, min(i + size, len(rows))) for i in range(0, len(rows), size)]
    return on_all_cores(function, chunks, device_of(rows))


def _squared_distances(x: Array, y: Array, lengths: Array) -> Array:
    """||x_i||^2 + ||y_j||^2 - 2 x_i'y_j, not below 0: (N, M) by one product; lengths: ||y_j||^2."""
    xp = array_module(x)
    squared = (-2.0 * x) @ y.T
    squared += (x**2).sum(axis=1)[:, None]
    squared += lengths
    return xp.maximum(squared, 0.0, out=squared)


def _distance_sum(x: Array, y: Array | None) -> float:
    """Sum of ||x_i - y_j|| over all pairs; without y, of ||x_i - x_j|| over all i != j."""
    xp = array_module(x)
    others = x if y is None else y
    lengths = (others**2).sum(axis=1)

    def add_up(chunk: slice) -> Array:
        first = 0 if y is not None else chunk.start
        block = _squared_distances(x[chunk], others[first:], lengths[first:])
        xp.sqrt(block, out=block)
        if y is not None:
            return block.sum()
        # Distances are symmetric: this block with itself, and twice with what comes after it.
        size = chunk.stop - chunk.start
        own = block[:, :size]
        # A point is at distance 0 from itself, which the expanded square only nearly says.
        return own.sum() - xp.diagonal(own).sum() + 2 * block[:, size:].sum()

    return float(sum(_each_chunk(add_up, x, len(others)), xp.zeros((), dtype="float64")))


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

    Examples
    --------
    >>> angles = principal_angles(numpy.array([[1.0], [0.0]]), numpy.array([[1.0], [1.0]]))
    >>> numpy.rad2deg(angles).round(6)
    array([45.])
    """
    from scipy.linalg import subspace_angles  # half a second to import, and few need it

    if a.ndim != 2 or b.ndim != 2 or len(a) != len(b):
        raise ValueError(
            f"principal_angles: expected bases (features, d) in columns, got {a.shape}, {b.shape}"
        )
    bases = [to_numpy(basis).astype("float64") for basis in (a, b)]
    if not all(numpy.isfinite(basis).all() for basis in bases):
        raise ValueError(f"principal_angles: the bases {a.shape}, {b.shape} are not all finite")
    return with_one_blas_thread(subspace_angles)(*bases)  # SciPy has a BLAS of its own, here by now
