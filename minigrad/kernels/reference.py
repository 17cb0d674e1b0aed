"""Convolution and ReLU from their definitions, in plain loops: where a reader starts.

Convolution is one trilinear form, a number made of an input x, a weight w and an output y:

    T(x, w, y) = sum of  x[n, g * C / G + c, h, v] * w[o, c, i, j] * y[n, o, p, q]
                 over n, o, p, q, c, i, j

    h = stride * p + dilation * i - padding     (v likewise from q and j; x is zero outside)

    n     image                   (p, q)  output pixel     o  output channel, g its group of G
    i, j  kernel row and column   (h, v)  input pixel      c  input channel inside the group

T is linear in each of the three, so its derivative by one is a map of the other two:

    conv2d(x, w)              = dT/dy    what a convolution layer computes
    conv_transpose2d(y, w)    = dT/dx    what a transposed layer computes; conv2d's gradient by x
    conv2d_weight_grad(x, y)  = dT/dw    the weight gradient of both layers

The gradient of each map is made of the other two, to any order. Each function below walks the
same sum over the same terms; only what it collects differs.

These are slow on purpose. The fast forms begin in ``convolution.py`` and are tested against these.
"""

from __future__ import annotations

from collections.abc import Iterator

from minigrad.backend import Array, array_module
from minigrad.kernels.geometry import Geometry


def _meetings(size: int, geometry: Geometry, axis: int) -> Iterator[tuple[int, int, int]]:
    """Every (output, kernel, input) index along an axis that meet inside the input."""
    stride, dilation = geometry.stride[axis], geometry.dilation[axis]
    for p in range(geometry.output_size[axis]):
        for i in range(geometry.kernel_size[axis]):
            h = stride * p + dilation * i - geometry.padding[axis]
            if 0 <= h < size:
                yield p, i, h


def _terms(
    geometry: Geometry, in_channels: int, out_channels: int
) -> Iterator[tuple[tuple[int, int, int], tuple[int, int, int, int], tuple[int, int, int]]]:
    """The index triples of T, one image: into x[:, c, h, v], w[o, c, i, j] and y[:, o, p, q]."""
    height, width = geometry.input_size
    in_group, out_group = in_channels // geometry.groups, out_channels // geometry.groups
    for o in range(out_channels):
        first = (o // out_group) * in_group
        for c in range(in_group):
            for p, i, h in _meetings(height, geometry, 0):
                for q, j, v in _meetings(width, geometry, 1):
                    yield (first + c, h, v), (o, c, i, j), (o, p, q)


def conv2d_reference(
    x: Array, weight: Array, geometry: Geometry, bias: Array | None = None
) -> Array:
    """dT/dy: see :func:`minigrad.kernels.conv2d`.

    >>> import numpy
    >>> x, weight = numpy.arange(4.0).reshape(1, 1, 1, 4), numpy.array([[[[1.0, 10.0]]]])
    >>> conv2d_reference(x, weight, Geometry((1, 4), (1, 2), (1, 3)))
    array([[[[10., 21., 32.]]]])
    """
    y = array_module(x, weight).zeros(
        (x.shape[0], weight.shape[0], *geometry.output_size), dtype=x.dtype
    )
    for (c, h, v), kernel, (o, p, q) in _terms(geometry, x.shape[1], weight.shape[0]):
        y[:, o, p, q] += x[:, c, h, v] * weight[kernel]
    return y if bias is None else y + bias[:, None, None]


def conv_transpose2d_reference(
    y: Array, weight: Array, geometry: Geometry, bias: Array | None = None
) -> Array:
    """dT/dx: see :func:`minigrad.kernels.conv_transpose2d`.

    >>> import numpy
    >>> y, weight = numpy.array([[[[1.0, 2.0]]]]), numpy.array([[[[1.0, 10.0]]]])
    >>> conv_transpose2d_reference(y, weight, Geometry((1, 3), (1, 2), (1, 2)))
    array([[[[ 1., 12., 20.]]]])
    """
    channels = weight.shape[1] * geometry.groups
    x = array_module(y, weight).zeros((y.shape[0], channels, *geometry.input_size), dtype=y.dtype)
    for (c, h, v), kernel, (o, p, q) in _terms(geometry, channels, weight.shape[0]):
        x[:, c, h, v] += y[:, o, p, q] * weight[kernel]
    return x if bias is None else x + bias[:, None, None]


def conv2d_weight_grad_reference(x: Array, y: Array, geometry: Geometry) -> Array:
    """dT/dw: see :func:`minigrad.kernels.conv2d_weight_grad`.

    >>> import numpy
    >>> x, y = numpy.arange(4.0).reshape(1, 1, 1, 4), numpy.array([[[[1.0, 0.0, 10.0]]]])
    >>> conv2d_weight_grad_reference(x, y, Geometry((1, 4), (1, 2), (1, 3)))
    array([[[[20., 31.]]]])
    """
    shape = (y.shape[1], x.shape[1] // geometry.groups, *geometry.kernel_size)
    weight = array_module(x, y).zeros(shape, dtype=x.dtype)
    for (c, h, v), kernel, (o, p, q) in _terms(geometry, x.shape[1], y.shape[1]):
        weight[kernel] += (x[:, c, h, v] * y[:, o, p, q]).sum()
    return weight


def relu_reference(x: Array) -> Array:
    """max(x, 0), element by element: see :func:`minigrad.kernels.elementwise`.

    >>> import numpy
    >>> relu_reference(numpy.array([-1.0, 2.0]))
    array([0., 2.])
    """
    y = x.copy()
    for index in array_module(x).ndindex(x.shape):
        if x[index] < 0:
            y[index] = 0
    return y


def relu_grad_reference(y: Array, gradient: Array) -> Array:
    """The gradient where y > 0, else 0: see :func:`minigrad.kernels.relu_grad`.

    >>> import numpy
    >>> relu_grad_reference(numpy.array([0.0, 2.0]), numpy.array([5.0, 6.0]))
    array([0., 6.])
    """
    result = gradient.copy()
    for index in array_module(y, gradient).ndindex(y.shape):
        if not y[index] > 0:
            result[index] = 0
    return result
