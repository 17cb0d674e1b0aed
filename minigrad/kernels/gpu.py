"""What a GPU computes by kernels in CUDA C, which are in ``cuda/``.

The functions of this folder first ask those of the same name here when an array is not NumPy's.
These give None where no kernel fits: then array code computes. :func:`by_hand` is the one switch
between the two ways. Arrays are brought into the memory order that the kernels read, images as
(N, H, W, C), and results are fresh arrays.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from minigrad.backend import CPU, array_module, common_device, device_of, use_device
from minigrad.kernels import cuda
from minigrad.kernels.geometry import Geometry

Array = Any  # a cupy.ndarray

# Up to how many multiply-adds a product is ours: cuBLAS is better at large ones.
LARGEST_PRODUCT = 1 << 28


def by_hand(*arrays: Array | None, launch: cuda.Launch | None = None) -> bool:
    """The switch: whether kernels of our own compute with these arrays, None left out.

    They know float32 and float64, one of them at a time, and grids that a GPU can run. All else is
    array code, with which the tests compare the kernels.
    """
    given = [array for array in arrays if array is not None]
    on_gpu = common_device(*given) != CPU  # refuses arrays of several devices
    dtype = given[0].dtype
    is_one_precision = dtype.char in "fd" and all(array.dtype == dtype for array in given)
    return on_gpu and is_one_precision and (launch is None or cuda.fits_grid(*launch.grid[1:]))


def correlate(x: Array, weight: Array, geometry: Geometry, bias: Array | None) -> Array | None:
    """conv2d: dT/dy."""
    images, channels, out_channels = len(x), x.shape[1], len(weight)
    launch = cuda.conv2d_launch(geometry, images, channels, out_channels)
    if by_hand(x, weight, bias, launch=launch):
        y = _empty(x, (images, *geometry.output_size, out_channels))
        launch(_channels_last(x), _contiguous(weight), _contiguous(bias), y)
        return y.transpose(0, 3, 1, 2)
    return None


def spread(y: Array, weight: Array, geometry: Geometry, bias: Array | None) -> Array | None:
    """conv_transpose2d: dT/dx."""
    images, out_channels, channels = len(y), len(weight), weight.shape[1] * geometry.groups
    launch = cuda.conv_transpose2d_launch(geometry, images, channels, out_channels)
    if by_hand(y, weight, bias, launch=launch):
        x = _empty(y, (images, *geometry.input_size, channels))
        launch(_channels_last(y), _contiguous(weight), _contiguous(bias), x)
        return x.transpose(0, 3, 1, 2)
    return None


def weight_gradient(x: Array, y: Array, geometry: Geometry) -> Array | None:
    """conv2d_weight_grad: dT/dw."""
    images, channels, out_channels = len(x), x.shape[1], y.shape[1]
    launch, parts = cuda.conv2d_weight_grad_launch(geometry, images, channels, out_channels)
    if by_hand(x, y, launch=launch):
        shape = (out_channels, channels // geometry.groups, *geometry.kernel_size)
        result = _empty(x, (parts, *shape))
        launch(_channels_last(x), _channels_last(y), result)
        return _sum_of_parts(result)
    return None


def channel_sum(y: Array) -> Array | None:
    """The sum of y (N, C, H, W), or (N, C), over all but its channels."""
    if y.size and by_hand(y):
        launch, parts = cuda.channel_sum_launch(y.size // y.shape[1], y.shape[1])
        result = _empty(y, (parts, y.shape[1]))
        launch(_channels_last(y) if y.ndim == 4 else _contiguous(y), result)
        return _sum_of_parts(result)
    return None


def _sum_of_parts(parts: Array) -> Array:
    """The sum over the first axis, of which there may be one element only: then that."""
    if len(parts) == 1:
        return parts[0]
    result = _empty(parts, parts.shape[1:])
    cuda.sum_parts_launch(len(parts), result.size)(parts, result)
    return result


def product(a: Array, b: Array, bias: Array | None) -> Array | None:
    """The matrix product of a (M, K) and b (K, N), and a bias (N,) added to each row."""
    rows, depth, columns = *a.shape, b.shape[1]
    strides = [tuple(stride // matrix.itemsize for stride in matrix.strides) for matrix in (a, b)]
    launch = cuda.product_launch(rows, depth, columns, *strides)
    is_forward = min(*strides[0], *strides[1]) >= 0
    if (
        is_forward
        and rows * depth * columns <= LARGEST_PRODUCT
        and by_hand(a, b, bias, launch=launch)
    ):
        c = _empty(a, (rows, columns))
        launch(a, b, _contiguous(bias), c)
        return c
    return None


def relu(x: Array) -> Array | None:
    """The positive part of every element; not-a-number stays."""
    if by_hand(x) and _order(x) is not None:
        y = array_module(x).empty_like(x)  # with the order of x
        cuda.relu_launch(x.size)(x, y)
        return y
    return None


def relu_grad(y: Array, gradient: Array) -> Array | None:
    """The gradient where y > 0, else 0."""
    xp, order = array_module(y, gradient), _order(y)
    if by_hand(y, gradient) and order is not None:
        result = xp.empty_like(y)
        if _order(gradient) != order:
            gradient, given = xp.empty_like(y), gradient
            gradient[...] = given
        cuda.relu_grad_launch(y.size)(y, gradient, result)
        return result
    return None


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
    if not by_hand(*arrays) or not all(array.flags.c_contiguous for array in arrays):
        return False
    count = array_module(values).full(1, step, "int64")  # the kernel reads it from the GPU's memory
    cuda.adam_launch(values.size, decoupled)(*arrays, count, numbers=numbers)
    return True


def join(arrays: Sequence[Array], target: Array) -> bool:
    """Copy arrays, each in row-major order, one after the other into a flat one that they fill.

    False, and nothing done, if no kernel fits. ``cupy.concatenate`` copies to the GPU first where
    the arrays lie; here that goes with the launch.
    """
    if not by_hand(target, *arrays) or not target.flags.c_contiguous:
        return False
    end = 0
    for i in range(0, len(arrays), cuda.PIECES):
        some = [_contiguous(array) for array in arrays[i : i + cuda.PIECES]]
        begin, end = end, end + sum(array.size for array in some)
        launch = cuda.join_launch(tuple(array.size for array in some))
        launch(target[begin:end], cuda.pieces([(array.data.ptr, array.size) for array in some]))
    return True


def copies(arrays: Sequence[Array]) -> list[Array]:
    """Copies of arrays, each in row-major order: views of one array, if a kernel makes it."""
    if len({(array.dtype, device_of(array)) for array in arrays}) == 1:
        target = _empty(arrays[0], (sum(array.size for array in arrays),))
        if join(arrays, target):
            begins = itertools.accumulate((array.size for array in arrays), initial=0)
            places = [slice(begin, begin + array.size) for begin, array in zip(begins, arrays)]
            return [target[place].reshape(a.shape) for place, a in zip(places, arrays)]
    copied = []
    for array in arrays:
        with use_device(device_of(array)):
            copied.append(array.copy())
    return copied


def _empty(like: Array, shape: tuple[int, ...]) -> Array:
    return array_module(like).empty(shape, like.dtype)


def _contiguous(array: Array) -> Array:
    """The array, or None as it is, in row-major order without gaps."""
    return None if array is None else array_module(array).ascontiguousarray(array)


def _channels_last(x: Array) -> Array:
    """Images (N, C, H, W) as an array (N, H, W, C) without gaps; as a rule they are one already."""
    return array_module(x).ascontiguousarray(x.transpose(0, 2, 3, 1))


def _order(x: Array) -> tuple[int, ...] | None:
    """The axes of an array without gaps, outermost in memory first, but for those of length 1.

    None for any other array.
    """
    if x.flags.c_contiguous:
        return tuple(axis for axis, length in enumerate(x.shape) if length != 1)
    axes = [axis for axis, length in enumerate(x.shape) if length != 1]
    axes.sort(key=lambda axis: -x.strides[axis])
    others = [axis for axis, length in enumerate(x.shape) if length == 1]
    return tuple(axes) if x.transpose(*others, *axes).flags.c_contiguous else None
