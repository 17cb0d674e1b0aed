"""The three maps by copying whole windows: kh * kw times the input, and one product a map."""

from __future__ import annotations

from typing import Any

from minigrad.backend import array_module
from minigrad.kernels.geometry import Geometry, pad, zero_images

Array = Any  # a numpy.ndarray or a cupy.ndarray


def conv2d(x: Array, weight: Array, geometry: Geometry, bias: Array) -> Array:
    """``conv2d`` of ``conv.py``, of checked arrays."""
    return _correlate(pad(x, geometry), weight, geometry, bias)


def conv2d_weight_grad(x: Array, y: Array, geometry: Geometry) -> Array:
    """``conv2d_weight_grad`` of ``conv.py``, likewise."""
    xp, groups = array_module(x, y), geometry.groups
    in_group, out_group = x.shape[1] // groups, y.shape[1] // groups
    windows = _windows(pad(x, geometry), geometry)  # (G, P * N * Q, K)
    y = y.transpose(2, 0, 3, 1).reshape(windows.shape[1], groups, out_group).swapaxes(0, 1)
    if groups == 1:  # CuPy transposes a single matrix in place, but copies a stack of them
        matrix = xp.matmul(windows[0].T, y[0])
    else:
        matrix = xp.matmul(windows.swapaxes(1, 2), y)  # (G, K, O / G)
    weight = matrix.reshape(groups, *geometry.kernel_size, in_group, out_group)
    weight = weight.transpose(0, 4, 3, 1, 2)  # (G, O / G, C / G, kh, kw)
    return weight.reshape(groups * out_group, in_group, *geometry.kernel_size)


def conv_transpose2d(y: Array, weight: Array, geometry: Geometry, bias: Array) -> Array:
    """``conv_transpose2d`` of ``conv.py``, likewise.

    Input row h sums ``y[p] w[i]`` over ``s p = h + padding - d i``: the rows of y, s apart with
    zeros between, correlated at stride 1 with the kernel's rows from last to first.
    """
    groups, (in_group, height, width) = geometry.groups, weight.shape[1:]
    flipped = weight[:, :, ::-1, ::-1].reshape(groups, -1, in_group, height, width)
    flipped = flipped.swapaxes(1, 2).reshape(groups * in_group, -1, height, width)
    reach = [d * (k - 1) for d, k in zip(geometry.dilation, geometry.kernel_size, strict=True)]
    size = (geometry.input_size[0] + reach[0], geometry.input_size[1] + reach[1])
    plain = Geometry(
        size, (height, width), geometry.input_size, dilation=geometry.dilation, groups=groups
    )
    source, target = [slice(None)] * 2, [slice(None)] * 2
    for axis, stride in enumerate(geometry.stride):
        first = reach[axis] - geometry.padding[axis]  # where y's row 0 belongs
        skipped = max(-(first // stride), 0)  # rows of y before the first row that is read
        first += stride * skipped
        fitting = max(-((first - size[axis]) // stride), 0)
        count = min(fitting, max(geometry.output_size[axis] - skipped, 0))
        source.append(slice(skipped, skipped + count))
        target.append(slice(first, first + stride * count, stride))
    spread = zero_images(y, size)
    spread[tuple(target)] = y[tuple(source)]
    return _correlate(spread, flipped, plain, bias)


def _correlate(x: Array, weight: Array, geometry: Geometry, bias: Array) -> Array:
    """conv2d of an x that is padded already."""
    xp, groups, out_channels = array_module(x, weight), geometry.groups, weight.shape[0]
    height, width = geometry.output_size
    windows = _windows(x, geometry)  # (G, P * N * Q, K)
    matrix = weight.reshape(groups, out_channels // groups, *weight.shape[1:])
    matrix = matrix.transpose(0, 3, 4, 2, 1)  # (G, kh, kw, C / G, O / G)
    y = xp.matmul(windows, matrix.reshape(groups, windows.shape[2], -1))  # (G, P * N * Q, O / G)
    y = y.swapaxes(0, 1).reshape(height, x.shape[0], width, out_channels)
    if bias is not None:
        y += bias
    return y.transpose(1, 3, 0, 2)


def _windows(x: Array, geometry: Geometry) -> Array:
    """The windows of a padded x as rows of a matrix: (G, P * N * Q, K), K ordered (i, j, c)."""
    xp, groups = array_module(x), geometry.groups
    images, channels = x.shape[0], x.shape[1] // groups
    (height, width), kernel_size = geometry.output_size, geometry.kernel_size
    (down, right), (apart, along) = geometry.stride, geometry.dilation
    image, channel, row, column = x.strides
    windows = xp.lib.stride_tricks.as_strided(
        x,
        (groups, height, images, width, *kernel_size, channels),
        (channels * channel, down * row, image, right * column)
        + (apart * row, along * column, channel),
    )
    rows, window = height * images * width, kernel_size[0] * kernel_size[1] * channels
    return xp.ascontiguousarray(windows).reshape(groups, rows, window)
