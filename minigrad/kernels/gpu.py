"""What a GPU computes by kernels in CUDA C, which are in ``cuda/``.

The functions of this folder first ask those of the same name here when an array is not NumPy's.
These give None where no kernel fits: then array code computes. :func:`by_hand` is the one switch
between the two ways. Arrays are brought into the memory order that the kernels read, images as
(N, H, W, C), and results are fresh arrays.

A training step comes here some eighty times, and a GPU waits for the host between launches. So what
follows from sizes alone is computed once and kept.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any

from minigrad.backend import array_module, common_device, device_of, use_device
from minigrad.kernels import cuda
from minigrad.kernels.geometry import Geometry

Array = Any  # a cupy.ndarray

# Up to how many multiply-adds a product is ours: cuBLAS is better at large ones.
LARGEST_PRODUCT = 1 << 28


def by_hand(
    first: Array, *others: Array | None, launch: cuda.Launch | None = None
) -> ModuleType | None:
    """The switch: CuPy, if kernels of our own compute with these arrays, else None.

    They know float32 and float64, one of them at a time, and grids that a GPU can run. All else is
    array code, with which the tests compare the kernels. Others than the first may be None.
    """
    kind, dtype, place = type(first), first.dtype, getattr(first.data, "device_id", None)
    for array in others:
        if array is None:
            continue
        if type(array) is not kind or getattr(array.data, "device_id", None) != place:
            common_device(first, array)  # says what is wrong
            return None
        if array.dtype != dtype:
            return None
    if place is None or dtype.char not in "fd" or (launch is not None and not launch.fits):
        return None
    return array_module(first)


def correlate(x: Array, weight: Array, geometry: Geometry, bias: Array | None) -> Array | None:
    """conv2d: dT/dy."""
    images, channels, out_channels = len(x), x.shape[1], len(weight)
    launch = cuda.conv2d_launch(geometry, images, channels, out_channels)
    cupy = by_hand(x, weight, bias, launch=launch)
    if cupy is None:
        return None
    y = cupy.empty((images, *geometry.output_size, out_channels), x.dtype)
    launch(_channels_last(cupy, x), *_contiguous(cupy, weight, bias), y)
    return y.transpose(0, 3, 1, 2)


def spread(y: Array, weight: Array, geometry: Geometry, bias: Array | None) -> Array | None:
    """conv_transpose2d: dT/dx."""
    images, out_channels, channels = len(y), len(weight), weight.shape[1] * geometry.groups
    launch = cuda.conv_transpose2d_launch(geometry, images, channels, out_channels)
    cupy = by_hand(y, weight, bias, launch=launch)
    if cupy is None:
        return None
    x = cupy.empty((images, *geometry.input_size, channels), y.dtype)
    launch(_channels_last(cupy, y), *_contiguous(cupy, weight, bias), x)
    return x.transpose(0, 3, 1, 2)


def weight_gradient(x: Array, y: Array, geometry: Geometry) -> Array | None:
    """conv2d_weight_grad: dT/dw."""
    images, channels, out_channels = len(x), x.shape[1], y.shape[1]
    launch, parts = cuda.conv2d_weight_grad_launch(geometry, images, channels, out_channels)
    cupy = by_hand(x, y, launch=launch)
    if cupy is None:
        return None
    shape = (parts, out_channels, channels // geometry.groups, *geometry.kernel_size)
    result = cupy.empty(shape, x.dtype)
    launch(_channels_last(cupy, x), _channels_last(cupy, y), result)
    return _sum_of_parts(cupy, result)


def channel_sum(y: Array) -> Array | None:
    """The sum of y (N, C, H, W), or (N, C), over all but its channels."""
    cupy = by_hand(y)
    if cupy is None or not y.size:
        return None
    channels = y.shape[1]
    launch, parts = cuda.channel_sum_launch(y.size // channels, channels)
    result = cupy.empty((parts, channels), y.dtype)
    launch(_channels_last(cupy, y) if y.ndim == 4 else cupy.ascontiguousarray(y), result)
    return _sum_of_parts(cupy, result)


def _sum_of_parts(cupy: ModuleType, parts: Array) -> Array:
    """The sum over the first axis, of which there may be one element only: then that."""
    if len(parts) == 1:
        return parts[0]
    result = cupy.empty(parts.shape[1:], parts.dtype)
    cuda.sum_parts_launch(len(parts), result.size)(parts, result)
    return result


def product(a: Array, b: Array, bias: Array | None) -> Array | None:
    """The matrix product of a (M, K) and b (K, N), and a bias (N,) added to each row."""
    rows, depth, columns = *a.shape, b.shape[1]
    a_strides = a.strides[0] // a.itemsize, a.strides[1] // a.itemsize
    b_strides = b.strides[0] // b.itemsize, b.strides[1] // b.itemsize
    if rows * depth * columns > LARGEST_PRODUCT or min(*a_strides, *b_strides) < 0:
        return None
    launch = cuda.product_launch(rows, depth, columns, a_strides, b_strides)
    cupy = by_hand(a, b, bias, launch=launch)
    if cupy is None:
        return None
    c = cupy.empty((rows, columns), a.dtype)
    launch(a, b, *_contiguous(cupy, bias), c)
    return c


def relu(x: Array) -> Array | None:
    """The positive part of every element; not-a-number stays."""
    cupy = by_hand(x)
    if cupy is None or _order(x.shape, x.strides, x.itemsize) is None:
        return None
    y = cupy.empty_like(x)  # with the order of x
    cuda.relu_launch(x.size)(x, y)
    return y


def relu_grad(y: Array, gradient: Array) -> Array | None:
    """The gradient where y > 0, else 0."""
    cupy, order = by_hand(y, gradient), _order(y.shape, y.strides, y.itemsize)
    if cupy is None or order is None:
        return None
    if _order(gradient.shape, gradient.strides, gradient.itemsize) != order:
        gradient, given = cupy.empty_like(y), gradient
        gradient[...] = given
    result = cupy.empty_like(y)
    cuda.relu_grad_launch(y.size)(y, gradient, result)
    return result


def adam(
    values: Array,
    gradient: Array,
    mean: Array,
    mean_square: Array,
    step: int,
    numbers: Sequence[float],
    decoupled: bool,
) -> bool:
    """One step of Adam in place, of flat arrays; False, and nothing done, if no kernel fits them.

    The numbers are lr, beta1, beta2, eps and the weight decay; ``decoupled`` is AdamW's.
    """
    arrays = (values, gradient, mean, mean_square)
    cupy = by_hand(*arrays)
    if cupy is None or not all(array.flags.c_contiguous for array in arrays):
        return False
    count = cupy.full(1, step, "int64")  # the kernel reads it from the GPU's memory
    cuda.adam_launch(values.size, decoupled)(*arrays, count, numbers=numbers)
    return True


def join(arrays: Sequence[Array], target: Array) -> bool:
    """Copy arrays, each in row-major order, one after the other into a flat one that they fill.

    False, and nothing done, if no kernel fits. ``cupy.concatenate`` copies to the GPU first where
    the arrays lie; here that goes with the launch.
    """
    cupy = by_hand(target, *arrays)
    if cupy is None or not target.flags.c_contiguous:
        return False
    end = 0
    for i in range(0, len(arrays), cuda.PIECES):
        some = _contiguous(cupy, *arrays[i : i + cuda.PIECES])
        begin, end = end, end + sum(array.size for array in some)
        launch = cuda.join_launch(tuple(array.size for array in some))
        launch(target[begin:end], cuda.pieces([(array.data.ptr, array.size) for array in some]))
    return True


def copies(arrays: Sequence[Array]) -> list[Array]:
    """Copies of arrays, each in row-major order: views of one array, if a kernel makes it."""
    if len({(array.dtype, device_of(array)) for array in arrays}) == 1:
        sizes = [array.size for array in arrays]
        target = array_module(arrays[0]).empty(sum(sizes), arrays[0].dtype)
        if join(arrays, target):
            places = itertools.pairwise(itertools.accumulate(sizes, initial=0))
            return [target[b:e].reshape(array.shape) for (b, e), array in zip(places, arrays)]
    copied = []
    for array in arrays:
        with use_device(device_of(array)):
            copied.append(array.copy())
    return copied


def _contiguous(cupy: ModuleType, *arrays: Array | None) -> list[Array]:
    """The arrays, None as it is, in row-major order without gaps; as a rule they are so already."""
    return [None if array is None else cupy.ascontiguousarray(array) for array in arrays]


def _channels_last(cupy: ModuleType, x: Array) -> Array:
    """Images (N, C, H, W) as an array (N, H, W, C) without gaps; as a rule they are one already."""
    return cupy.ascontiguousarray(x.transpose(0, 2, 3, 1))


@lru_cache(maxsize=1024)
def _order(
    shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int
) -> tuple[int, ...] | None:
    """The axes of an array without gaps, outermost in memory first, but for those of length 1.

    None for any other array.
    """
    axes = [axis for axis, length in enumerate(shape) if length != 1]
    axes.sort(key=lambda axis: -strides[axis])
    step = itemsize
    for axis in reversed(axes):
        if strides[axis] != step:
            return None
        step *= shape[axis]
    return tuple(axes)
