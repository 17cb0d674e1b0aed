"""Activation functions: tanh, sigmoid, softplus, relu, leaky_relu; softmax and its like.

With ``y = f(x)``, element by element, and g the gradient arriving at y, the gradient of x is
``g f'(x)``. Where f' is cheaper in terms of y, backward reads the output.

logsumexp, softmax and log_softmax are computed so that nothing overflows or is swallowed. The
largest x is taken out first, ``ln sum e^x = m + ln sum e^(x - m)``, and its own 1 out of that sum:
where one x dominates, the logarithm is of 1 and the little that the others add to it.
"""

from __future__ import annotations

from typing import Any

from minigrad.backend import Array, array_module, require_number
from minigrad.engine import Operation, Sum, Tensor
from minigrad.functional.arguments import as_float, with_number
from minigrad.functional.elementwise import Expm1, exp
from minigrad.functional.reduce import Dims, kept, normal_dims, not_empty, one_dim
from minigrad.functional.select import Mask
from minigrad.kernels import relu as relu_kernel
from minigrad.kernels import relu_grad


class Tanh(Operation):
    """``y = tanh x``: dy/dx = 1 - y^2."""

    saves_output = forgets_inputs = True

    def forward(self, x: Array) -> Array:
        return array_module(x).tanh(x)

    def backward(self, gradient: Tensor) -> Tensor:
        y = self.output
        return gradient * (1 - y * y)


class Sigmoid(Operation):
    """``y = 1 / (1 + e^-x)``: dy/dx = y (1 - y).

    Computed as ``e^min(x, 0) / (1 + e^-|x|)``, which neither overflows nor loses small values.
    """

    saves_output = forgets_inputs = True

    def forward(self, x: Array) -> Array:
        xp = array_module(x)
        return xp.exp(xp.minimum(x, 0)) / (1 + xp.exp(-xp.abs(x)))

    def backward(self, gradient: Tensor) -> Tensor:
        y = self.output
        return gradient * (y * (1 - y))


class Softplus(Operation):
    """``y = ln(1 + e^x)``: dy/dx = sigmoid x. Computed as ``max(x, 0) + ln(1 + e^-|x|)``."""

    def forward(self, x: Array) -> Array:
        xp = array_module(x)
        return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))

    def backward(self, gradient: Tensor) -> Tensor:
        (x,) = self.saved
        return gradient * sigmoid(x)


class Relu(Operation):
    """``y = max(x, 0)``: dy/dx = 1 where y > 0, else 0 (0 at 0)."""

    saves_output = forgets_inputs = True

    def forward(self, x: Array) -> Array:
        return relu_kernel(x)

    def backward(self, gradient: Tensor) -> Tensor:
        return ReluGrad(self.output.data)(gradient)


class ReluGrad(Operation):
    """``g' = g where y > 0 else 0``: linear in g, so its gradient is the same map."""

    def __init__(self, y: Array) -> None:
        self.y = y

    def forward(self, gradient: Array) -> Array:
        return relu_grad(self.y, gradient)

    def backward(self, gradient: Tensor) -> Tensor:
        return ReluGrad(self.y)(gradient)


class LeakyRelu(Operation):
    """``y = x where x > 0 else s x``: dy/dx = 1 or the slope s."""

    def __init__(self, negative_slope: float) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Array) -> Array:
        return array_module(x).where(x > 0, x, x * self.negative_slope)

    def backward(self, gradient: Tensor) -> Tensor:
        (x,) = self.saved
        one, slope = x.dtype.type(1), x.dtype.type(self.negative_slope)
        return Mask(array_module(x.data).where(x.data > 0, one, slope))(gradient)


def tanh(x: Any) -> Tensor:
    """The hyperbolic tangent, element by element: between -1 and 1.

    The gradient is computed from the result: where that rounds to 1, it is 0, as in PyTorch.
    Examples
    --------
    >>> tanh(Tensor([0.0]))
    Tensor([0.])
    """
    return Tanh()(as_float("tanh", x))


def sigmoid(x: Any) -> Tensor:
    """The logistic function ``1 / (1 + exp(-x))``, element by element: between 0 and 1.

    The gradient is computed from the result: where that rounds to 1, it is 0, as in PyTorch.
    Examples
    --------
    >>> sigmoid(Tensor([0.0]))
    Tensor([0.5])
    """
    return Sigmoid()(as_float("sigmoid", x))


def softplus(x: Any, beta: float = 1.0) -> Tensor:
    """A smooth relu: ``ln(1 + exp(beta x)) / beta``; a larger ``beta`` is closer to relu.

    A ValueError says that ``beta`` is not positive.

    Examples
    --------
    >>> softplus(Tensor([0.0]))
    Tensor([0.6931472])
    """
    require_number("softplus", "beta", beta)
    if beta <= 0:
        raise ValueError(f"softplus: beta must be positive, got {beta}")
    x = as_float("softplus", x)
    return Softplus()(x) if beta == 1 else Softplus()(x * beta) / beta


def relu(x: Any) -> Tensor:
    """``max(x, 0)``, element by element; its gradient at 0 is taken as 0.

    Examples
    --------
    >>> relu(Tensor([-1.0, 2.0]))
    Tensor([0., 2.])
    """
    return Relu()(as_float("relu", x))


def leaky_relu(x: Any, negative_slope: float = 0.01) -> Tensor:
    """``x`` where positive, ``negative_slope * x`` elsewhere.

    Examples
    --------
    >>> leaky_relu(Tensor([-1.0, 2.0]), 0.5)
    Tensor([-0.5,  2. ])
    """
    require_number("leaky_relu", "negative_slope", negative_slope)
    x, slope = with_number("leaky_relu", as_float("leaky_relu", x), negative_slope)
    return LeakyRelu(slope)(x)


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
        others = Sum(self.axes, keepdim=True)(gradient) - gradient
        return -(gradient * Expm1()(y) + others * exp(y))


def logsumexp(x: Any, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """``ln sum exp(x)``, without overflow; ``dim`` and ``keepdim`` as for :func:`sum`.

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
    """``exp(x) / sum exp(x)`` along dimension ``dim``: positive, and summing to 1.

    Examples
    --------
    >>> softmax(Tensor([0.0, 0.0]), dim=0)
    Tensor([0.5, 0.5])
    """
    x = as_float("softmax", x)
    axes = (one_dim("softmax", dim, x.ndim),)[: x.ndim]
    return Softmax(axes)(x) if x.size else x


def log_softmax(x: Any, dim: int) -> Tensor:
    """The logarithm of :func:`softmax` along ``dim``, computed without under- or overflow.

    Examples
    --------
    >>> log_softmax(Tensor([0.0, 0.0]), dim=0)
    Tensor([-0.6931472, -0.6931472])
    """
    x = as_float("log_softmax", x)
    axes = (one_dim("log_softmax", dim, x.ndim),)[: x.ndim]
    return LogSoftmax(axes)(x) if x.size else x
