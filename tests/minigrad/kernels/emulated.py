"""Every CUDA kernel on NumPy arrays, launched as on a GPU, in the emulation."""

from __future__ import annotations

import dataclasses
import functools

import emulation
import numpy

from minigrad.kernels import cuda


@functools.cache
def emulated_kernel(source, name, options, flags):
    return emulation.Kernel(source, name, options, flags)


class Emulated:
    """The maps of ``minigrad.kernels`` by the CUDA sources.

    ``least_bits`` is that of the index type; ``flags`` are more options of the C++ compiler;
    ``seed`` is of the order of threads and blocks.
    """

    def __init__(self, least_bits=32, flags=(), seed=0):
        self.bits, self.flags, self.seed = least_bits, flags, seed

    def run(self, launch, *arrays, numbers=()):
        if 0 in launch.grid:
            return
        launch = dataclasses.replace(launch, least_bits=self.bits)
        dtype = next(array.dtype for array in arrays if array is not None)
        arguments = (*arrays, *launch.typed_sizes, *numbers)
        kernel = self.emulated(launch, dtype)
        kernel.launch(launch.grid, launch.block, arguments, seed=self.seed)

    def emulated(self, launch, dtype):
        source = cuda.source(launch.kernel)
        return emulated_kernel(source, launch.kernel, launch.options(dtype), self.flags)

    def conv2d(self, x, weight, geometry, bias=None):
        y = empty((len(x), *geometry.output_size, len(weight)), x.dtype)
        launch = cuda.conv2d_launch(geometry, len(x), x.shape[1], len(weight))
        self.run(launch, channels_last(x), weight, bias, y)
        return y.transpose(0, 3, 1, 2)

    def conv_transpose2d(self, y, weight, geometry, bias=None):
        channels = weight.shape[1] * geometry.groups
        x = empty((len(y), *geometry.input_size, channels), y.dtype)
        launch = cuda.conv_transpose2d_launch(geometry, len(y), channels, len(weight))
        self.run(launch, channels_last(y), weight, bias, x)
        return x.transpose(0, 3, 1, 2)

    def conv2d_weight_grad(self, x, y, geometry):
        shape = (y.shape[1], x.shape[1] // geometry.groups, *geometry.kernel_size)
        launch, parts = cuda.conv2d_weight_grad_launch(geometry, len(x), x.shape[1], y.shape[1])
        result = empty((parts, *shape), x.dtype)
        self.run(launch, channels_last(x), channels_last(y), result)
        return self.sum_parts(result)

    @property
    def maps(self):
        return self.conv2d, self.conv_transpose2d, self.conv2d_weight_grad

    def product(self, a, b, bias=None):
        strides = [tuple(s // m.itemsize for s in m.strides) for m in (a, b)]
        launch = cuda.product_launch(*a.shape, b.shape[1], *strides)
        c = empty((a.shape[0], b.shape[1]), a.dtype)
        self.run(launch, a, b, bias, c)
        return c

    def relu(self, x):
        y = empty(x.shape, x.dtype)
        self.run(cuda.relu_launch(x.size), x, y)
        return y

    def relu_grad(self, y, gradient):
        result = empty(y.shape, y.dtype)
        self.run(cuda.relu_grad_launch(y.size), y, gradient, result)
        return result

    def channel_sum(self, y):
        rows = y.size // y.shape[1]
        launch, parts = cuda.channel_sum_launch(rows, y.shape[1])
        result = empty((parts, y.shape[1]), y.dtype)
        self.run(launch, channels_last(y), result)
        return self.sum_parts(result)

    def sum_parts(self, parts):
        if len(parts) == 1:
            return parts[0]
        result = empty(parts.shape[1:], parts.dtype)
        self.run(cuda.sum_parts_launch(len(parts), result.size), parts, result)
        return result

    def join(self, *arrays):
        whole = empty((sum(array.size for array in arrays),), arrays[0].dtype)
        places = [(array.ctypes.data, array.size) for array in arrays]
        launch = cuda.join_launch(tuple(array.size for array in arrays))
        self.run(launch, whole, cuda.pieces(places))
        return whole

    def adam(self, values, gradient, mean, mean_square, step, numbers, decoupled=False):
        launch = cuda.adam_launch(values.size, decoupled)
        count = numpy.array([step], "int64")
        self.run(launch, values, gradient, mean, mean_square, count, numbers=numbers)


def empty(shape, dtype):
    """Memory as it comes: what a kernel does not write is seen."""
    return numpy.full(shape, numpy.nan, dtype)


def channels_last(x):
    """An array (N, C, H, W), in memory N, H, W, C; or (N, C) as it is."""
    return numpy.ascontiguousarray(x if x.ndim == 2 else x.transpose(0, 2, 3, 1))
