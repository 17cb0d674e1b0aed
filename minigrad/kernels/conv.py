"""Convolution, fast: a window of the input is a row of a matrix, and matmul does the work."""

from __future__ import annotations

from typing import Any

from ..backend import array_module, device_of
from .geometry import Geometry
from .shapes import check_shapes
from .unfold import pad, spread, unfold

Array = Any  # a numpy.ndarray or a cupy.ndarray


def conv2d(x: Array, weight: Array, geometry: Geometry, bias: Array = None) -> Array:
    """Correlate images with kernels: dT/dy."""
    check_shapes("conv2d", geometry, x, weight, bias=bias, bias_channels=weight.shape[0])
    matrix = _kernel_matrix(weight, geometry.groups)  # (G, K, O / G)
    return _correlate(pad(x, geometry), matrix, geometry, bias)


def conv_transpose2d(y: Array, weight: Array, geometry: Geometry, bias: Array = None) -> Array:
    """Spread images through kernels: dT/dx."""
    channels = geometry.groups * weight.shape[1]
    check_shapes("conv_transpose2d", geometry, None, weight, y, bias, channels)
    groups, (channels, height, width) = geometry.groups, weight.shape[1:]
    flipped = weight[:, :, ::-1, ::-1].reshape(groups, -1, channels, height, width)
    flipped = flipped.swapaxes(1, 2).reshape(groups * channels, -1, height, width)
    matrix = _kernel_matrix(flipped, groups)
    return _correlate(spread(y, geometry), matrix, geometry.transposed(), bias)


def conv2d_weight_grad(x: Array, y: Array, geometry: Geometry) -> Array:
    """Correlate images with images: dT/dw."""
    check_shapes("conv2d_weight_grad", geometry, x, y=y)
    xp, groups = array_module(x, y), geometry.groups
    out_channels, in_channels = y.shape[1], x.shape[1] // groups
    (height, width), (rows, columns) = geometry.kernel_size, geometry.output_size
    windows = unfold(pad(x, geometry), geometry, _unfolds_fully(x, geometry))  # (G, P, N * Q, K)
    y = y.transpose(2, 0, 3, 1).reshape(rows, len(x) * columns, groups, out_channels // groups)
    y = y.transpose(2, 0, 1, 3)  # (G, P, N * Q, O / G)
    matrix = xp.matmul(windows.swapaxes(2, 3), y).sum(axis=1)  # (G, K, O / G)
    kernel = matrix.reshape(groups, height, width, in_channels, out_channels // groups)
    return kernel.transpose(0, 4, 3, 1, 2).reshape(out_channels, in_channels, height, width)


def _correlate(x: Array, matrix: Array, geometry: Geometry, bias: Array) -> Array:
    """The windows of a padded x times the kernel matrix (G, K, O / G): (N, O, P, Q)."""
    height, width = geometry.output_size
    channels = matrix.shape[0] * matrix.shape[2]
    y = array_module(x, matrix).matmul(
        unfold(x, geometry, _unfolds_fully(x, geometry)), matrix[:, None]
    )  # (G, P, N * Q, O / G)
    y = y.transpose(1, 2, 0, 3).reshape(height, x.shape[0], width, channels)
    if bias is not None:
        y += bias
    return y.transpose(1, 3, 0, 2)


def _kernel_matrix(weight: Array, groups: int) -> Array:
    """The weight (O, C / G, kh, kw) as matrices (G, K, O / G) with rows ordered (i, j, c)."""
    out_channels, in_channels, height, width = weight.shape
    matrix = weight.reshape(groups, out_channels // groups, in_channels, height, width)
    return matrix.transpose(0, 3, 4, 2, 1).reshape(groups, -1, out_channels // groups)


def _unfolds_fully(x: Array, geometry: Geometry) -> bool:
    """Whether to copy whole windows: few channels, dilated rows, or a GPU."""
    few = x.shape[1] // geometry.groups * geometry.kernel_size[1] < 32
    return few or geometry.dilation[0] > 1 or device_of(x).type != "cpu"
