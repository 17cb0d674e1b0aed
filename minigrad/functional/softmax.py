"""logsumexp, softmax and log_softmax: each computed so that nothing overflows or is swallowed.

The largest x is taken out first, ``ln sum e^x = m + ln sum e^(x - m)``, and its own 1 out of that
sum: where one x dominates, the logarithm is of 1 and the little that the others add to it.
"""

from __future__ import annotations

from typing import Any

from minigrad.backend import Array, array_module
from minigrad.engine import Add, Operation, Sum, Tensor
from minigrad.functional.arithmetic import Mul, Neg, Sub
from minigrad.functional.elementwise import Exp, Expm1
from minigrad.functional.operands import as_float
from minigrad.functional.reduce import Dims, kept, normal_dims, not_empty, one_dim


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
        return Mul()(kept(x, gradient, self.axes), Softmax(self.axes)(x))


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
        mean = Sum(self.axes, keepdim=True)(Mul()(gradient, y))
        return Mul()(y, Sub()(gradient, mean))


class LogSoftmax(Operation):
    """``y_i = x_i - ln sum_j e^(x_j)``: dy_i/dx_k = [i = k] - e^(y_k).

    So the gradient of x_k is ``g_k - e^(y_k) sum_i g_i``. Of g_k that leaves ``1 - e^(y_k)``, which
    is computed as such: a difference would lose it where k dominates.
    """

    saves_output = forgets_inputs = True

    def __init__(self, axes: tuple[int, ...]) -> None:
        self.axes = axes

    def forward(self, x: Array) -> Array:
        shifted = x - x.max(axis=self.axes, keepdims=True)
        return shifted - _log_of_sum(shifted, self.axes)

    def backward(self, gradient: Tensor) -> Tensor:
        y = self.output
        others = Sub()(Sum(self.axes, keepdim=True)(gradient), gradient)
        return Neg()(Add()(Mul()(gradient, Expm1()(y)), Mul()(others, Exp()(y))))


def logsumexp(x: Any, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """``ln sum exp(x)``, without overflow.

    Parameters, result and errors as for :func:`amax`.

    Examples
    --------
    >>> logsumexp(Tensor([1000.0, 1000.0]), dim=0).item() > 1000.69
    True
    """
    x = as_float("logsumexp", x)
    axes = normal_dims("logsumexp", dim, x.ndim)
    not_empty("logsumexp", x, axes)
    return Logsumexp(axes, keepdim)(x)


def softmax(x: Any, dim: int) -> Tensor:
    """``exp(x) / sum exp(x)`` along a dimension: positive, and summing to 1.

    Parameters
    ----------
    x : Tensor
    dim : int
        Along which the result sums to 1.

    Returns
    -------
    Tensor
        Of the same shape.

    Raises
    ------
    IndexError
        If the dimension is out of range.

    Examples
    --------
    >>> softmax(Tensor([0.0, 0.0]), dim=0)
    Tensor([0.5, 0.5])
    """
    x = as_float("softmax", x)
    axes = (one_dim("softmax", dim, x.ndim),)[: x.ndim]
    return Softmax(axes)(x) if x.size else x


def log_softmax(x: Any, dim: int) -> Tensor:
    """The logarithm of :func:`softmax`, computed without under- or overflow.

    Parameters, result and errors as for :func:`softmax`.

    Examples
    --------
    >>> log_softmax(Tensor([0.0, 0.0]), dim=0)
    Tensor([-0.6931472, -0.6931472])
    """
    x = as_float("log_softmax", x)
    axes = (one_dim("log_softmax", dim, x.ndim),)[: x.ndim]
    return LogSoftmax(axes)(x) if x.size else x
