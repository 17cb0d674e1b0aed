"""conv2d and its weight gradient by unfolding the width only, kw times the input.

The rows of an image lie below each other in memory, so a window of kh rows is one run of it, and
windows one row apart share all but one row. A 4 x 4 image, a 3 x 3 kernel:

    image  a b c d      unfolded    h = 0   h = 1   h = 2   h = 3
           e f g h        q = 0     a b c   e f g   i j k   m n o
           i j k l        q = 1     b c d   f g h   j k l   n o p
           m n o p                  '--- window p = 0 ---'
                                            '--- window p = 1 ---'

A letter is a pixel with its C channels. For every p the windows of all images and columns, the
rows (n, q), form a matrix whose rows stand evenly spaced in memory: matmul reads it in place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from minigrad.backend import array_module, strided_view
from minigrad.kernels.channels import add_to_channels
from minigrad.kernels.geometry import Geometry
from minigrad.kernels.padding import pad
from minigrad.kernels.product import product_rows

Array = Any  # a numpy.ndarray or a cupy.ndarray

# How many elements to unfold before they are multiplied, and of products to compute before they are
# summed: about a core's level-2 cache, so that what is made is still there when it is used.
ELEMENTS_AT_ONCE = 1 << 18


def conv2d(x: Array, weight: Array, geometry: Geometry, bias: Array) -> Array:
    """``conv2d`` of ``conv.py``, of checked arrays, without dilation."""
    xp, groups = array_module(x, weight), geometry.groups
    (height, width), images, out_channels = geometry.output_size, x.shape[0], weight.shape[0]
    out_group = out_channels // groups
    matrix = weight.reshape(groups, out_group, *weight.shape[1:]).transpose(0, 3, 4, 2, 1)
    matrix = matrix.reshape(groups, 1, 1, -1, out_group)  # (G, 1, 1, K, O / G)
    y = xp.empty((height, images, width, groups, out_group), dtype=x.dtype)
    target = y.transpose(3, 0, 1, 2, 4)  # (G, P, N, Q, O / G), with (N, Q) evenly spaced
    for part, windows in _windows(pad(x, geometry), geometry):
        pixels, window = windows.shape[2:]
        rows = product_rows(pixels, window * out_group)
        shape = (groups, height, pixels // rows, rows)
        xp.matmul(
            windows.reshape(*shape, window),
            matrix,
            out=target[:, :, part].reshape(*shape, out_group),
        )
    y = y.reshape(height, images, width, out_channels)
    if bias is not None:
        add_to_channels(y, bias)
    return y.transpose(1, 3, 0, 2)


def conv2d_weight_grad(x: Array, y: Array, geometry: Geometry) -> Array:
    """``conv2d_weight_grad`` of ``conv.py``, likewise."""
    xp, groups = array_module(x, y), geometry.groups
    in_group, out_group = x.shape[1] // groups, y.shape[1] // groups
    window = math.prod(geometry.kernel_size) * in_group
    matrix = xp.zeros((groups, window, out_group), dtype=x.dtype)
    y = y.transpose(2, 0, 3, 1)  # (P, N, Q, O)
    for part, windows in _windows(pad(x, geometry), geometry):
        _add_products(windows, y[:, part], geometry.kernel_size[0], matrix)
    weight = matrix.reshape(groups, *geometry.kernel_size, in_group, out_group)
    weight = weight.transpose(0, 4, 3, 1, 2)  # (G, O / G, C / G, kh, kw)
    return weight.reshape(groups * out_group, in_group, *geometry.kernel_size)


def _add_products(windows: Array, y: Array, kernel_height: int, matrix: Array) -> None:
    """Add windows (G, P, N * Q, K), transposed, times y (P, N, Q, O) to a matrix (G, K, O / G).

    One product for each output row or, where that is not small, for each kernel row in it.
    """
    xp, (groups, window, out_group) = array_module(y), matrix.shape
    height, pixels = windows.shape[1:3]
    whole = product_rows(pixels, window * out_group) == pixels
    parts = 1 if whole else kernel_height
    rows = product_rows(pixels, window // parts * out_group)
    windows = windows.reshape(groups, height, pixels // rows, rows, parts, window // parts)
    windows = windows.transpose(0, 1, 2, 4, 5, 3)  # (G, P, N * Q / rows, parts, K / parts, rows)
    y = y.reshape(height, pixels // rows, 1, rows, groups, out_group)
    y = y.transpose(4, 0, 1, 2, 3, 5)  # (G, P, N * Q / rows, 1, rows, O / G)
    high = max(ELEMENTS_AT_ONCE // max(groups * pixels // rows * window * out_group, 1), 1)
    for top in range(0, max(height, 1), high):
        products = xp.matmul(windows[:, top : top + high], y[:, top : top + high])
        matrix += products.sum(axis=(1, 2)).reshape(matrix.shape)  # (G, parts, K / parts, O / G)


def _windows(x: Array, geometry: Geometry) -> Iterator[tuple[slice, Array]]:
    """Some images of a padded x at a time, and their windows as rows of matrices.

    The windows are (G, P, n * Q, K) for n images, K ordered (i, j, c); they overlap in memory and
    are only to be read. With few channels the runs copied would be short: the pixels (n, q) then
    go last in memory, so that each matrix is stored transposed.
    """
    xp, groups = array_module(x), geometry.groups
    images, channels, height = x.shape[0], x.shape[1] // groups, x.shape[2]
    (kernel_height, kernel_width), (out_height, width) = geometry.kernel_size, geometry.output_size
    (down, right), (image, channel, row, column) = geometry.stride, x.strides
    view = strided_view(
        x.transpose(2, 0, 3, 1),  # as activations lie in memory, mostly
        (groups, images, width, height, kernel_width, channels),
        (channels * channel, image, right * column, row, column, channel),
    )
    step = kernel_width * channels  # from one row of unfolded pixels to the next
    for part in some_images(images, view.size, ELEMENTS_AT_ONCE):
        unfolded = view[:, part]  # (G, n, Q, H, kw, C / G)
        pixels = unfolded.shape[1] * width
        if few_channels(channels, width):
            unfolded = xp.ascontiguousarray(unfolded.transpose(0, 3, 4, 5, 1, 2))
            steps = (height * step * pixels, down * step * pixels, 1, pixels)
        else:
            unfolded = xp.ascontiguousarray(unfolded)
            steps = (height * step * pixels, down * step, height * step, 1)
        shape = (groups, out_height, pixels, kernel_height * step)
        yield part, strided_view(unfolded, shape, [x.itemsize * n for n in steps])


def some_images(images: int, unfolded: int, at_once: int) -> list[slice]:
    """Nearly equal parts of the images, each of which, unfolded, stays in the cache."""
    most = max(at_once * images // max(unfolded, 1), 1)
    parts = max(-(-images // most), 1)
    ends = [images * k // parts for k in range(parts + 1)]
    return [slice(start, end) for start, end in pairwise(ends)]


def few_channels(channels: int, width: int) -> bool:
    """Whether runs of memory are longer along the pixels of a row than along the channels."""
    return channels < width
