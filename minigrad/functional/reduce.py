"""Reductions: sum, mean, amax, amin, var, std; logsumexp, softmax and log_softmax.

``dim`` is a dimension, several, or ``None`` for all; negative ones count from the end. A
reduction's gradient has fewer dimensions than its input: it is reshaped to length-1 dimensions
(``kept``) and left to broadcast.

logsumexp, softmax and log_softmax are computed so that nothing overflows or is swallowed. First the
largest x, m, is taken out: ``ln sum e^x = m + ln sum e^(x - m)``. Its own term in the sum is then
1, and ``log1p`` of the others keeps them where they are small beside it.
"""

from __future__ import annotations

import math
from typing import Any

from minigrad.backend import Array, array_module
from minigrad.engine import Expand, Operation, Reshape, Sum, Tensor
from minigrad.functional.arguments import (
    Dims,
    as_float,
    as_tensor,
    cast,
    normal_dims,
    on_its_device,
    one_dim,
)
from minigrad.functional.arithmetic import Mul, Scale
from minigrad.functional.elementwise import Expm1, Mask, Where, exp, sqrt
from minigrad.kernels import channel_sum, sum_of_squares


def kept(x: Tensor, reduced: Tensor, axes: tuple[int, ...]) -> Tensor:
    """A reduced tensor with its reduced dimensions back, of length 1."""
    shape = tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))
    return reduced if reduced.shape == shape else Reshape(shape)(reduced)


class SumOfSquares(Operation):
    """``y = (sum of x^2) / n`` over all elements, for a number n: dy/dx = 2 x / n."""

    def __init__(self, divisor: int) -> None:
        self.divisor = divisor

    def forward(self, x: Array) -> Array:
        return sum_of_squares(x) / self.divisor

    def backward(self, gradient: Tensor) -> Tensor:
        (x,) = self.saved
        # Each training step comes here, so it is written as the first ones in arithmetic.py.
        return Mul()(Scale(2 / max(self.divisor, 1))(gradient), x)


class Amax(Operation):
    """``y = max of x over axes``: the gradient goes to the largest, shared evenly among equals."""

    saves_output = True

    def __init__(self, axes: tuple[int, ...], keepdim: bool) -> None:
        self.axes = axes
        self.keepdim = keepdim

    def forward(self, x: Array) -> Array:
        return x.max(axis=self.axes, keepdims=self.keepdim)

    def backward(self, gradient: Tensor) -> Tensor:
        (x,) = self.saved
        is_best = x.data == kept(x, self.output, self.axes).data
        share = is_best / is_best.sum(axis=self.axes, keepdims=True)
        spread = Expand(x.shape)(kept(x, gradient, self.axes))
        return Mask(share.astype(x.dtype))(spread)


class Amin(Amax):
    """``y = min of x over axes``: the gradient goes to the least, shared evenly among equals."""

    def forward(self, x: Array) -> Array:
        return x.min(axis=self.axes, keepdims=self.keepdim)


def sum(x: Any, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The sum over all elements, or over ``dim``: one dimension or several.

    Negative dimensions count from the end. With ``keepdim`` they stay, with length 1. Whole numbers
    and booleans are summed, and counted, in int64.

    >>> sum(Tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    Tensor([4., 6.])
    """
    x = as_tensor("sum", x)
    if x.dtype.kind != "f":
        x = cast(x, "int64")  # so that counting booleans counts, and small integers do not wrap
    return Sum(normal_dims("sum", dim, x.ndim), keepdim)(x)


def mean(x: Any, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The mean over all elements or over ``dim``, which ``keepdim`` keeps: see :func:`sum`.

    >>> mean(Tensor([[1.0, 2.0], [3.0, 4.0]]), dim=-1)
    Tensor([1.5, 3.5])
    """
    x = as_float("mean", x)
    axes = normal_dims("mean", dim, x.ndim)
    return Sum(axes, keepdim)(x) / _count(x, axes)


def _count(x: Tensor, axes: tuple[int, ...]) -> int:
    """How many elements are reduced to one."""
    return math.prod(x.shape[axis] for axis in axes)


def axes_of_some(name: str, x: Tensor, dim: Dims) -> tuple[int, ...]:
    """The dimensions to reduce, where there must be something to reduce."""
    axes = normal_dims(name, dim, x.ndim)
    if _count(x, axes) == 0:
        raise ValueError(f"{name}: nothing to reduce in shape {x.shape} over dimensions {axes}")
    return axes


def amax(x: Any, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The largest element, of all or over ``dim``; equals share the gradient evenly.

    ``dim`` and ``keepdim`` as for :func:`sum`. A ValueError says that there is nothing to compare.

    >>> amax(Tensor([[1.0, 2.0], [3.0, 4.0]]), dim=1)
    Tensor([2., 4.])
    """
    x = as_tensor("amax", x)
    return Amax(axes_of_some("amax", x, dim), keepdim)(x)


def amin(x: Any, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The least element, of all or over ``dim``, which ``keepdim`` keeps: see :func:`amax`.

    >>> amin(Tensor([[1.0, 2.0], [3.0, 4.0]]), dim=1)
    Tensor([1., 3.])
    """
    x = as_tensor("amin", x)
    return Amin(axes_of_some("amin", x, dim), keepdim)(x)


@on_its_device
def var(x: Any, dim: Dims = None, correction: int = 1, keepdim: bool = False) -> Tensor:
    """The variance, ``sum (x - mean)^2 / (n - correction)``, of all or over ``dim``.

    With ``correction`` 1 it is the unbiased estimate, with 0 the mean squared deviation. It is NaN
    where ``n`` is not larger. ``dim`` and ``keepdim`` as for :func:`sum`.

    >>> var(Tensor([1.0, 2.0, 3.0]))
    Tensor(1.)
    """
    return _variance("var", x, dim, correction, keepdim)


def _variance(name: str, x: Any, dim: Dims, correction: int, keepdim: bool) -> Tensor:
    x = as_float(name, x)
    axes = normal_dims(name, dim, x.ndim)
    count = _count(x, axes)
    deviation = x - Sum(axes, keepdim=True)(x) / max(count, 1)
    total = Sum(axes, keepdim)(deviation * deviation)
    divisor = max(count - correction, 0)
    return total / divisor if divisor else Mask(total.data * float("nan"))(total)


@on_its_device
def std(x: Any, dim: Dims = None, correction: int = 1, keepdim: bool = False) -> Tensor:
    """The square root of :func:`var`, with its ``dim``, ``correction`` and ``keepdim``.

    Where all elements are equal the gradient, which does not exist, is taken as 0.

    >>> std(Tensor([1.0, 2.0, 3.0]))
    Tensor(1.)
    """
    variance = _variance("std", x, dim, correction, keepdim)
    is_zero = variance.data == 0
    one = Tensor(array_module(variance.data).ones((), variance.dtype))
    return Mask(~is_zero)(sqrt(Where(is_zero)(one, variance)))


class ChannelSum(Operation):
    """``b_c = sum over n, p, q of y[n, c, p, q]``, or over n of y[n, c]: the gradient is spread.

    This is the gradient of a bias, which is added to every pixel, or sample.
    """

    def forward(self, y: Array) -> Array:
        return channel_sum(y)

    def backward(self, gradient: Tensor) -> Tensor:
        shape = self.inputs[0].shape
        return Expand(shape)(Reshape((1, shape[1], *(1 for _ in shape[2:])))(gradient))


def _log_of_sum(shifted: Array, axes: tuple[int, ...]) -> Array:
    """``ln sum e^s`` over axes kept, of numbers s whose largest is 0."""
    xp = array_module(shifted)
    largest = shifted == 0
    others = (xp.exp(shifted) - largest).sum(axis=axes, keepdims=True)
    return xp.log1p(others + (largest.sum(axis=axes, keepdims=True, dtype=shifted.dtype) - 1))


class Logsumexp(Operation):
    """``y = ln sum e^x`` over axes: dy/dx = e^x / sum e^x."""

    def __init__(self, axes: tuple[int, ...], keepdim: bool) -> None:
        self.axes = axes
        self.keepdim = keepdim

    def forward(self, x: Array) -> Array:
        xp = array_module(x)
        largest = x.max(axis=self.axes, keepdims=True)
        largest = xp.where(xp.isfinite(largest), largest, xp.zeros_like(largest))
        y = _log_of_sum(x - largest, self.axes) + largest
        return y if self.keepdim else y.squeeze(self.axes)

    def backward(self, gradient: Tensor) -> Tensor:
        (x,) = self.saved
        return kept(x, gradient, self.axes) * Softmax(self.axes)(x)


class Softmax(Operation):
    """``y_i = e^(x_i) / sum_j e^(x_j)``: dy_i/dx_k = y_i ([i = k] - y_k).

    So the gradient of x_k is ``sum_i g_i y_i ([i = k] - y_k) = y_k (g_k - sum_i g_i y_i)``.
    """

    saves_output = forgets_inputs = True

    def __init__(self, axes: tuple[int, ...]) -> None:
        self.axes = axes

    def forward(self, x: Array) -> Array:
        e = array_module(x).exp(x - x.max(axis=self.axes, keepdims=True))
        return e / e.sum(axis=self.axes, keepdims=True)

    def backward(self, gradient: Tensor) -> Tensor:
        y = self.output
        return y * (gradient - Sum(self.axes, keepdim=True)(gradient * y))


class LogSoftmax(Operation):
    """``y_i = x_i - ln sum_j e^(x_j)``: dy_i/dx_k = [i = k] - e^(y_k).

    So the gradient of x_k is ``g_k - e^(y_k) sum_i g_i``. The factor of g_k in it, ``1 - e^(y_k)``,
    is computed by expm1: where k dominates, a difference would lose it.
    """

    saves_output = forgets_inputs = True

    def __init__(self, axes: tuple[int, ...]) -> None:
        self.axes = axes

    def forward(self, x: Array) -> Array:
        shifted = x - x.max(axis=self.axes, keepdims=True)
        return shifted - _log_of_sum(shifted, self.axes)

    def backward(self, gradient: Tensor) -> Tensor:
        y = self.output
        others = Sum(self.axes, keepdim=True)(gradient) - gradient
        return -(gradient * Expm1()(y) + others * exp(y))


def logsumexp(x: Any, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """``ln sum exp(x)``, without overflow; ``dim`` and ``keepdim`` as for :func:`sum`.

    >>> logsumexp(Tensor([1000.0, 1000.0]), dim=0).item() > 1000.69
    True
    """
    x = as_float("logsumexp", x)
    return Logsumexp(axes_of_some("logsumexp", x, dim), keepdim)(x)


def softmax(x: Any, dim: int) -> Tensor:
    """``exp(x) / sum exp(x)`` along dimension ``dim``: positive, and summing to 1.

    >>> softmax(Tensor([0.0, 0.0]), dim=0)
    Tensor([0.5, 0.5])
    """
    x = as_float("softmax", x)
    axes = (one_dim("softmax", dim, x.ndim),)[: x.ndim]
    return Softmax(axes)(x) if x.size else x


def log_softmax(x: Any, dim: int) -> Tensor:
    """The logarithm of :func:`softmax` along ``dim``, computed without under- or overflow.

    >>> log_softmax(Tensor([0.0, 0.0]), dim=0)
    Tensor([-0.6931472, -0.6931472])
    """
    x = as_float("log_softmax", x)
    axes = (one_dim("log_softmax", dim, x.ndim),)[: x.ndim]
    return LogSoftmax(axes)(x) if x.size else x
