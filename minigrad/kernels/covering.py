"""A kernel as large as the image: there is one window, and the three maps are a linear layer's."""

from __future__ import annotations

from typing import Any

from minigrad.backend import array_module
from minigrad.kernels.geometry import Geometry

Array = Any  # a numpy.ndarray or a cupy.ndarray


def is_covered(geometry: Geometry) -> bool:
    """Whether the kernel covers the image, pixel by pixel."""
    return (
        geometry.input_size == geometry.kernel_size
        and geometry.output_size == geometry.dilation == (1, 1)
        and geometry.padding == (0, 0)
        and geometry.groups == 1
    )


def conv2d(x: Array, weight: Array, bias: Array) -> Array:
    """``conv2d`` of ``conv.py``, of checked arrays: x w^T."""
    y = array_module(x, weight).matmul(_rows(x), _rows(weight).T)  # (N, O)
    if bias is not None:
        y += bias
    return y[:, :, None, None]


def conv_transpose2d(y: Array, weight: Array, bias: Array) -> Array:
    """``conv_transpose2d`` of ``conv.py``, likewise: y w."""
    xp, (channels, height, width) = array_module(y, weight), weight.shape[1:]
    x = xp.matmul(y[:, :, 0, 0], _rows(weight)).reshape(len(y), height, width, channels)
    if bias is not None:
        x += bias
    return xp.ascontiguousarray(x.swapaxes(0, 1)).transpose(1, 3, 0, 2)


def conv2d_weight_grad(x: Array, y: Array) -> Array:
    """``conv2d_weight_grad`` of ``conv.py``, likewise: y^T x."""
    channels, height, width = x.shape[1:]
    weight = array_module(x, y).matmul(y[:, :, 0, 0].T, _rows(x))
    return weight.reshape(y.shape[1], height, width, channels).transpose(0, 3, 1, 2)


def _rows(x: Array) -> Array:
    """Images (N, C, H, W) as the rows of a matrix, ordered (h, w, c)."""
    images, channels, height, width = x.shape
    return x.transpose(0, 2, 3, 1).reshape(images, height * width * channels)
