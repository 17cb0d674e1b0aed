"""What each CUDA kernel of minigrad computes, in array code: for launches too large to emulate.

Arguments are those of the launch. As a kernel does, these functions look at the memory of an array
and not at its shape. A test holds them and the emulation together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy

from minigrad import kernels

Array = numpy.ndarray


def _memory(array: Array, *shape: int) -> Array:
    """The memory that begins at an array's first element, as an array of that shape."""
    return _at(array.__array_interface__["data"][0], array.dtype, *shape)


def _at(address: int, dtype: Any, *shape: int) -> Array:
    interface = {"data": (address, False), "shape": shape, "typestr": dtype.str, "version": 3}
    holder = type("Memory", (), {"__array_interface__": interface})()
    return numpy.asarray(holder)


class _Sizes:
    """The whole numbers that the three maps take, in their order."""

    def __init__(self, N, H, W, C, O, P, Q, kh, kw, sh, sw, ph, pw, dh, dw, G, *rest) -> None:  # noqa: E741
        numbers = (int(n) for n in (N, H, W, C, O, P, Q, kh, kw, sh, sw, ph, pw, dh, dw, G))
        self.N, self.H, self.W, self.C, self.O, self.P, self.Q, *others = numbers
        kh, kw, sh, sw, ph, pw, dh, dw, self.G = others
        self.kernel, self.rest = (kh, kw), [int(n) for n in rest]
        self.geometry = kernels.Geometry(
            (self.H, self.W), (kh, kw), (self.P, self.Q), (sh, sw), (ph, pw), (dh, dw), self.G
        )

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return (self.O, self.C // self.G, *self.kernel)

    def x(self, array: Array) -> Array:
        return _memory(array, self.N, self.H, self.W, self.C).transpose(0, 3, 1, 2)

    def y(self, array: Array) -> Array:
        return _memory(array, self.N, self.P, self.Q, self.O).transpose(0, 3, 1, 2)

    def weight(self, array: Array) -> Array:
        return _memory(array, *self.weight_shape)

    @property
    def multiply_adds(self) -> int:
        return self.N * self.P * self.Q * math.prod(self.weight_shape)


def _conv2d(x: Array, weight: Array, bias: Array | None, y: Array, *numbers: Any) -> None:
    sizes = _Sizes(*numbers)
    bias = None if bias is None else _memory(bias, sizes.O)
    given = sizes.x(x), sizes.weight(weight), sizes.geometry, bias
    sizes.y(y)[...] = kernels.conv2d(*given)


def _conv_transpose2d(y: Array, weight: Array, bias: Array | None, x: Array, *numbers: Any) -> None:
    sizes = _Sizes(*numbers)
    bias = None if bias is None else _memory(bias, sizes.C)
    given = sizes.y(y), sizes.weight(weight), sizes.geometry, bias
    sizes.x(x)[...] = kernels.conv_transpose2d(*given)


def _conv2d_weight_grad(x: Array, y: Array, result: Array, *numbers: Any) -> None:
    """Each part is the gradient of its own output pixels, of which some images hold all."""
    sizes = _Sizes(*numbers)
    parts, pixels_each = sizes.rest
    target = _memory(result, parts, *sizes.weight_shape)
    own_x, own_y = sizes.x(x), sizes.y(y)
    an_image = max(sizes.P * sizes.Q, 1)
    for part in range(parts):
        begin = part * pixels_each
        end = min(begin + pixels_each, sizes.N * sizes.P * sizes.Q)
        first, last = begin // an_image, -(-end // an_image)
        some = numpy.zeros((max(last - first, 0), sizes.P, sizes.Q, sizes.O), own_y.dtype)
        there = own_y[first:last].transpose(0, 2, 3, 1)
        where = slice(begin - first * an_image, end - first * an_image)
        some.reshape(-1, sizes.O)[where] = there.reshape(-1, sizes.O)[where]
        some = some.transpose(0, 3, 1, 2)
        target[part] = kernels.conv2d_weight_grad(own_x[first:last], some, sizes.geometry)


def _product(a: Array, b: Array, bias: Array | None, c: Array, *numbers: Any) -> None:
    rows, depth, columns, *strides = (int(n) for n in numbers)
    steps = [stride * a.itemsize for stride in strides]
    strided = numpy.lib.stride_tricks.as_strided
    left = strided(_memory(a, 1), (rows, depth), steps[:2])
    right = strided(_memory(b, 1), (depth, columns), steps[2:])
    result = left @ right
    _memory(c, rows, columns)[...] = result if bias is None else result + _memory(bias, columns)


def _relu(x: Array, y: Array, count: Any) -> None:
    numpy.maximum(_memory(x, int(count)), 0, out=_memory(y, int(count)))


def _relu_grad(y: Array, gradient: Array, result: Array, count: Any) -> None:
    own, given = _memory(y, int(count)), _memory(gradient, int(count))
    _memory(result, int(count))[...] = numpy.where(own > 0, given, 0)


def _channel_sum(y: Array, parts: Array, rows: Any, channels: Any, width: Any, each: Any) -> None:
    rows, channels, each = int(rows), int(channels), int(each)
    matrix = _memory(y, rows, channels)
    target = _memory(parts, -(-rows // each), channels)
    for part in range(len(target)):
        target[part] = matrix[part * each : (part + 1) * each].sum(axis=0)


def _sum_parts(parts: Array, result: Array, count: Any, size: Any) -> None:
    _memory(parts, int(count), int(size)).sum(axis=0, out=_memory(result, int(size)))


def _adam(*arguments: Any) -> None:
    *arrays, step, count, decoupled, lr, beta1, beta2, eps, decay = arguments
    p, g, m, v = (_memory(array, int(count)) for array in arrays)
    t = int(_memory(step, 1)[0])
    if decoupled:
        p *= 1 - lr * decay
    else:
        g = g + decay * p
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + (1 - beta2) * g * g
    p -= lr * (m / (1 - beta1**t)) / (numpy.sqrt(v / (1 - beta2**t)) + eps)


def _join(whole: Array, pieces: Array) -> None:
    """The structure holds 64 addresses and the 65 ends of pieces, the first 0."""
    numbers = pieces.view("u8").tolist()
    addresses, ends = numbers[:64], numbers[64:]
    for address, begin, end in zip(addresses, ends, ends[1:]):
        if end > begin:
            target = _memory(whole, end)
            target[begin:] = _at(address, whole.dtype, end - begin)


ARRAY_CODE: dict[str, Callable[..., None]] = {
    "conv2d": _conv2d,
    "conv_transpose2d": _conv_transpose2d,
    "conv2d_weight_grad": _conv2d_weight_grad,
    "product": _product,
    "relu": _relu,
    "relu_grad": _relu_grad,
    "channel_sum": _channel_sum,
    "sum_parts": _sum_parts,
    "adam": _adam,
    "join": _join,
}


def products(name: str, arguments: list[Any]) -> int:
    """The multiply-adds of a launch, if it sums up products; else 0."""
    numbers = [int(value) for value in arguments if isinstance(value, numpy.integer)]
    if name in ("conv2d", "conv_transpose2d", "conv2d_weight_grad"):
        return _Sizes(*numbers).multiply_adds
    return math.prod(numbers[:3]) if name == "product" else 0


def work(name: str, arguments: list[Any]) -> int:
    """The multiply-adds of a launch, or how many elements it reads."""
    sizes = [value.size for value in arguments if isinstance(value, numpy.ndarray)]
    return products(name, arguments) or max(sizes)
