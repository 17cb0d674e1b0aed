"""Unfolding: the windows a convolution reads, laid side by side as the rows of a matrix."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ..backend import array_module, device_of
from .geometry import Geometry

Array = Any  # a numpy.ndarray or a cupy.ndarray

# OpenBLAS multiplies small matrices where they are, larger ones after repacking both: many small
# products run at the speed of one large square product. The bound, in multiply-adds, is lower
# where both matrices are stored transposed.
SMALL_PRODUCT = 1_000_000
SMALL_TRANSPOSED_PRODUCT = 200_000

# How many products' elements to compute before they are summed: they stay in the cache.
PRODUCTS_AT_ONCE = 1 << 20


def pad(x: Array, geometry: Geometry) -> Array:
    """The part of x that the windows read, with zeros where they reach beyond it.

    Parameters
    ----------
    x : array (N, C, H, W)

    Returns
    -------
    array (N, C, *geometry.read_size())
        A view of x where no zero is needed.
    """
    (top, left), read = geometry.padding, geometry.read_size()
    inside = x[:, :, : max(read[0] - top, 0), : max(read[1] - left, 0)]
    if inside.shape[2:] == read:
        return inside
    padded = zero_images(x, read)
    padded[:, :, top : top + inside.shape[2], left : left + inside.shape[3]] = inside
    return padded


def zero_images(like: Array, size: tuple[int, int]) -> Array:
    """Zeros (N, C, *size), N, C and dtype those of ``like``, in memory H, N, W, C."""
    images, channels = like.shape[:2]
    zeros = array_module(like).zeros((size[0], images, size[1], channels), dtype=like.dtype)
    return zeros.transpose(1, 3, 0, 2)


def unfolds_fully(x: Array, geometry: Geometry) -> bool:
    """Whether whole windows are copied (kh * kw times the input) or their width only (kw times).

    Fully on a GPU, where few launches count for more than memory, and where dilation keeps the
    rows of a window apart.
    """
    return geometry.dilation[0] > 1 or device_of(x).type != "cpu"


def few_channels(channels: int, width: int) -> bool:
    """Whether runs of memory are longer along the pixels of a row than along the channels."""
    return channels < width


def unfold(x: Array, geometry: Geometry) -> Array:
    """The windows of a padded x as rows of matrices.

    Unfolding by width only, a window of kh rows is one run of memory, since the rows of an image
    lie below each other; windows one row apart share all but a row of it. Three columns of a 4 x 4
    image, a 3 x 3 kernel::

        image a b c d     unfolded   h = 0   h = 1   h = 2   h = 3
              e f g h       q = 0    a b c   e f g   i j k   m n o
              i j k l       q = 1    b c d   f g h   j k l   n o p
              m n o p                \\___ window p = 0 ____/
                                             \\___ window p = 1 ____/

    Each letter stands for the C channels of a pixel. With few channels those runs are short: then
    the pixels (n, q) go last in memory, and each matrix is stored transposed.

    Parameters
    ----------
    x : array (N, C, *geometry.read_size())

    Returns
    -------
    array (G, P, N * Q, K), or (G, 1, P * N * Q, K) where :func:`unfolds_fully`
        K = kh * kw * C / G, ordered (i, j, c). Rows may overlap in memory: only to be read.
    """
    xp, groups = array_module(x), geometry.groups
    images, channels = x.shape[0], x.shape[1] // groups
    (rows, columns), (height, width) = geometry.kernel_size, geometry.output_size
    image, channel, row, column = x.strides  # in bytes, as are all steps below
    (down, right), (apart, along) = geometry.stride, geometry.dilation
    steps = dict(
        n=image, h=row, q=right * column, j=along * column, c=channel, g=channels * channel
    )
    sizes = dict(n=images, h=x.shape[2], q=width, j=columns, c=channels, g=groups)
    pixels, window = images * width, rows * columns * channels

    def copy(order: str) -> Array:
        view = xp.lib.stride_tricks.as_strided(
            x, [sizes[axis] for axis in order], [steps[axis] for axis in order]
        )
        return xp.ascontiguousarray(view)

    if unfolds_fully(x, geometry):
        steps |= dict(p=down * row, i=apart * row)
        sizes |= dict(p=height, i=rows)
        return copy("gpnqijc").reshape(groups, 1, height * pixels, window)
    if few_channels(channels, width):
        unfolded = copy("ghjcnq")
        group, line, _, item, _, pixel = unfolded.strides
    else:
        unfolded = copy("gnqhjc")
        group, _, pixel, line, _, item = unfolded.strides
    return xp.lib.stride_tricks.as_strided(
        unfolded, (groups, height, pixels, window), (group, down * line, pixel, item)
    )


@lru_cache(maxsize=1024)
def product_rows(rows: int, multiply_adds: int, bound: int = SMALL_PRODUCT) -> int:
    """Into how many rows to cut a product of so many rows, each costing so many multiply-adds.

    Returns
    -------
    int
        The largest divisor of ``rows`` that makes a small product, if that is not too thin.

    Examples
    --------
    >>> product_rows(160, 800 * 32)
    32
    """
    most = min(bound // max(multiply_adds, 1), rows)
    return next((n for n in range(most, 15, -1) if rows % n == 0), max(rows, 1))
