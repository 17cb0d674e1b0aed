"""Convolution, fast: a window of the input is a row of a matrix, and matmul does the work."""

from __future__ import annotations

from typing import Any

from ..backend import array_module, device_of
from .geometry import Geometry
from .overlap import overlap_add
from .shapes import check_shapes
from .unfold import PRODUCTS_AT_ONCE, pad, product_rows, unfold, unfolds_fully, zero_images

Array = Any  # a numpy.ndarray or a cupy.ndarray


def conv2d(x: Array, weight: Array, geometry: Geometry, bias: Array = None) -> Array:
    """Correlate images with kernels: dT/dy."""
    check_shapes("conv2d", geometry, x, weight, bias=bias, bias_channels=weight.shape[0])
    return _correlate(pad(x, geometry), weight, geometry, bias)


def conv_transpose2d(y: Array, weight: Array, geometry: Geometry, bias: Array = None) -> Array:
    """Spread images through kernels: dT/dx."""
    channels = geometry.groups * weight.shape[1]
    check_shapes("conv_transpose2d", geometry, None, weight, y, bias, channels)
    if not unfolds_fully(y, geometry) and geometry.dilation[1] == 1:
        return overlap_add(y, weight, geometry, bias)
    groups, (channels, height, width) = geometry.groups, weight.shape[1:]
    flipped = weight[:, :, ::-1, ::-1].reshape(groups, -1, channels, height, width)
    flipped = flipped.swapaxes(1, 2).reshape(groups * channels, -1, height, width)
    return _correlate(_spread(y, geometry), flipped, geometry.transposed(), bias)


def conv2d_weight_grad(x: Array, y: Array, geometry: Geometry) -> Array:
    """Correlate images with images: dT/dw."""
    check_shapes("conv2d_weight_grad", geometry, x, y=y)
    xp, groups, (height, width) = array_module(x, y), geometry.groups, geometry.kernel_size
    channels, deep = x.shape[1] // groups, y.shape[1] // groups
    windows = unfold(pad(x, geometry), geometry)  # (G, P, N * Q, K)
    _, blocks, pixels, window = windows.shape
    y = y.transpose(2, 0, 3, 1).reshape(blocks, pixels, groups, deep).transpose(2, 0, 1, 3)
    # Small products, one for each kernel row and output row, if one for each output row is not.
    parts = 1 if product_rows(pixels, window * deep) == pixels or blocks == 1 else height
    rows = pixels or 1 if blocks == 1 else product_rows(pixels, window // parts * deep)
    windows = windows.reshape(groups, blocks, pixels // rows, rows, parts, window // parts)
    windows = windows.transpose(0, 1, 2, 4, 5, 3)  # (G, P, N * Q / rows, parts, K / parts, rows)
    y = y.reshape(groups, blocks, pixels // rows, 1, rows, deep)
    at_once = max(PRODUCTS_AT_ONCE // max(groups * pixels // rows * window * deep, 1), 1)
    matrix = None
    for top in range(0, max(blocks, 1), at_once):
        band = slice(top, top + at_once)
        products = xp.matmul(windows[:, band], y[:, band])
        summed = products.sum(axis=(1, 2)) if products.shape[1:3] != (1, 1) else products[:, 0, 0]
        matrix = summed if matrix is None else xp.add(matrix, summed, out=matrix)
    kernel = matrix.reshape(groups, height, width, channels, deep)
    return kernel.transpose(0, 4, 3, 1, 2).reshape(groups * deep, channels, height, width)


def _correlate(x: Array, weight: Array, geometry: Geometry, bias: Array) -> Array:
    """conv2d of an x that is padded."""
    xp, groups = array_module(x, weight), geometry.groups
    (height, width), images, channels = geometry.output_size, x.shape[0], weight.shape[0]
    deep = channels // groups
    windows = unfold(x, geometry)  # (G, P, N * Q, K)
    _, blocks, pixels, window = windows.shape
    matrix = weight.reshape(groups, deep, *weight.shape[1:]).transpose(0, 3, 4, 2, 1)
    matrix = matrix.reshape(groups, 1, 1, window, deep)  # rows ordered (i, j, c)
    rows = pixels or 1 if blocks == 1 else product_rows(pixels, window * deep)
    windows = windows.reshape(groups, blocks, pixels // rows, rows, window)
    y = xp.matmul(windows, matrix)  # (G, P, N * Q / rows, rows, O / G)
    y = y.reshape(groups, height, images, width, deep).transpose(1, 2, 3, 0, 4)
    y = y.reshape(height, images, width, channels)
    if bias is not None:
        y += _bias_row(bias, y)
    return y.transpose(1, 3, 0, 2)


def _bias_row(bias: Array, y: Array) -> Array:
    """The bias repeated along the pixels of a row, to be added in long runs."""
    if device_of(y).type != "cpu":
        return bias
    row = array_module(bias).empty(y.shape[1:], dtype=y.dtype)
    row[...] = bias
    return row


def _spread(y: Array, geometry: Geometry) -> Array:
    """y's pixels ``stride`` apart with zeros between and around, as the transposed map reads them.

    Correlating the result with the flipped kernel, at stride 1, gives ``conv_transpose2d``: input
    row h sums ``y[p] * w[i]`` over ``stride * p = h + padding - dilation * i``.

    Parameters
    ----------
    y : array (N, O, P, Q)

    Returns
    -------
    array (N, O, H + dilation * (kh - 1), W + dilation * (kw - 1))
        Row ``stride * p + dilation * (kh - 1) - padding`` is y's row p.
    """
    everything = (slice(None), slice(None))
    target, source, size = everything, everything, geometry.transposed().read_size()
    for axis in (0, 1):
        stride = geometry.stride[axis]
        reach = geometry.dilation[axis] * (geometry.kernel_size[axis] - 1)
        first = reach - geometry.padding[axis]  # where y's row 0 belongs
        skipped = max(-(first // stride), 0)  # rows that meet the kernel in the padding only
        first += stride * skipped
        count = max(-((first - size[axis]) // stride), 0)  # rows that fit before the end
        count = min(count, max(geometry.output_size[axis] - skipped, 0))
        source += (slice(skipped, skipped + count),)
        target += (slice(first, first + stride * count, stride),)
    result = zero_images(y, size)
    result[target] = y[source]
    return result
