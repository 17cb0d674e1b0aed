"""The three maps with whole windows as the rows of one matrix, and one product a map.

The windows are copied, which takes kh * kw times the memory of the input. Nothing is copied where
the kernel is as large as the image: there is one window, the image, and the maps are a linear
layer's.
"""

from __future__ import annotations

from typing import Any

from minigrad.backend import array_module
from minigrad.kernels.geometry import Geometry, padded, zero_images

Array = Any  # a numpy.ndarray or a cupy.ndarray


def correlate_windows(x: Array, weight: Array, geometry: Geometry, bias: Array) -> Array:
    """conv2d: the windows of x, times the weight."""
    return _correlate(padded(x, geometry), weight, geometry, bias)


def weight_gradient_of_windows(x: Array, y: Array, geometry: Geometry) -> Array:
    """conv2d_weight_grad: the windows of x, transposed, times y."""
    xp = array_module(x, y)
    groups = geometry.groups
    in_group = x.shape[1] // groups
    out_group = y.shape[1] // groups
    windows = _copied_windows(padded(x, geometry), geometry)  # (G, P * N * Q, K)
    y = y.transpose(2, 0, 3, 1).reshape(windows.shape[1], groups, out_group).swapaxes(0, 1)
    if groups == 1:  # CuPy transposes a single matrix in place, but copies a stack of them
        matrix = xp.matmul(windows[0].T, y[0])
    else:
        matrix = xp.matmul(windows.swapaxes(1, 2), y)  # (G, K, O / G)
    weight = matrix.reshape(groups, *geometry.kernel_size, in_group, out_group)
    weight = weight.transpose(0, 4, 3, 1, 2)  # (G, O / G, C / G, kh, kw)
    return weight.reshape(groups * out_group, in_group, *geometry.kernel_size)


def spread_windows(y: Array, weight: Array, geometry: Geometry, bias: Array) -> Array:
    """conv_transpose2d, as a conv2d of y with zeros between its pixels.

    Input row h sums ``y[p] w[i]`` over ``s p = h + padding - d i``: the rows of y, s apart with
    zeros between, correlated at stride 1 with the kernel's rows from last to first.
    """
    groups = geometry.groups
    in_group, height, width = weight.shape[1:]
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
    xp = array_module(x, weight)
    groups = geometry.groups
    out_channels = weight.shape[0]
    height, width = geometry.output_size
    windows = _copied_windows(x, geometry)  # (G, P * N * Q, K)
    matrix = weight.reshape(groups, out_channels // groups, *weight.shape[1:])
    matrix = matrix.transpose(0, 3, 4, 2, 1)  # (G, kh, kw, C / G, O / G)
    y = xp.matmul(windows, matrix.reshape(groups, windows.shape[2], -1))  # (G, P * N * Q, O / G)
    y = y.swapaxes(0, 1).reshape(height, x.shape[0], width, out_channels)
    if bias is not None:
        y += bias
    return y.transpose(1, 3, 0, 2)


def _copied_windows(x: Array, geometry: Geometry) -> Array:
    """The windows of a padded x as rows of a matrix: (G, P * N * Q, K), K ordered (i, j, c)."""
    xp = array_module(x)
    groups = geometry.groups
    images = x.shape[0]
    channels = x.shape[1] // groups
    kernel_size = geometry.kernel_size
    height, width = geometry.output_size
    down, right = geometry.stride
    apart, along = geometry.dilation
    image, channel, row, column = x.strides
    windows = xp.lib.stride_tricks.as_strided(
        x,
        (groups, height, images, width, *kernel_size, channels),
        (channels * channel, down * row, image, right * column)
        + (apart * row, along * column, channel),
    )
    rows, window = height * images * width, kernel_size[0] * kernel_size[1] * channels
    return xp.ascontiguousarray(windows).reshape(groups, rows, window)


def multiply_image(x: Array, weight: Array, bias: Array) -> Array:
    """conv2d with a kernel as large as the image: x w^T."""
    y = array_module(x, weight).matmul(_flat_images(x), _flat_images(weight).T)  # (N, O)
    if bias is not None:
        y += bias
    return y[:, :, None, None]


def spread_image(y: Array, weight: Array, bias: Array) -> Array:
    """conv_transpose2d with a kernel as large as the image: y w."""
    xp = array_module(y, weight)
    channels, height, width = weight.shape[1:]
    x = xp.matmul(y[:, :, 0, 0], _flat_images(weight)).reshape(len(y), height, width, channels)
    if bias is not None:
        x += bias
    return xp.ascontiguousarray(x.swapaxes(0, 1)).transpose(1, 3, 0, 2)


def weight_gradient_of_image(x: Array, y: Array) -> Array:
    """conv2d_weight_grad with a kernel as large as the image: y^T x."""
    channels, height, width = x.shape[1:]
    weight = array_module(x, y).matmul(y[:, :, 0, 0].T, _flat_images(x))
    return weight.reshape(y.shape[1], height, width, channels).transpose(0, 3, 1, 2)


def _flat_images(x: Array) -> Array:
    """Images (N, C, H, W) as the rows of a matrix, ordered (h, w, c)."""
    images, channels, height, width = x.shape
    return x.transpose(0, 2, 3, 1).reshape(images, height * width * channels)
