"""Functions element by element: exp and its like, activations, choosing between values.

With ``y = f(x)`` and g the gradient arriving at y, the gradient of x is ``g f'(x)``. Where f' is
cheaper in terms of y, backward reads the output.

A choice (where, maximum, minimum, clamp) has no derivative of its own: the gradient goes to
whichever value was taken. Where two are equal, maximum and minimum give half to each, as PyTorch
does.
"""

from __future__ import annotations

from typing import Any

from minigrad.backend import Array, array_module, require_number
from minigrad.engine import Operation, Tensor
from minigrad.functional.arguments import (
    as_float,
    as_tensor,
    broadcast_shape,
    on_its_device,
    operands,
    with_number,
)
from minigrad.kernels import keep_where, relu_grad
from minigrad.kernels import relu as relu_kernel


class Mask(Operation):
    """``y = x m`` for an array m of weights (or booleans) that is not differentiated: dy/dx = m.

    Where m is 0 so is y, whatever x is. A gradient that arrives at an element not taken may well
    be infinite, as that of a square root at 0: times 0 it would be NaN.
    """

    def __init__(self, weights: Array) -> None:
        self.weights = weights

    def forward(self, x: Array) -> Array:
        if self.weights.dtype.kind == "b":
            return keep_where(self.weights, x)
        return keep_where(self.weights != 0, x) * self.weights

    def backward(self, gradient: Tensor) -> Tensor:
        return Mask(self.weights)(gradient)


class Exp(Operation):
    """``y = e^x``: dy/dx = y."""

    saves_output = forgets_inputs = True

    def forward(self, x: Array) -> Array:
        return array_module(x).exp(x)

    def backward(self, gradient: Tensor) -> Tensor:
        return gradient * self.output


class Expm1(Operation):
    """``y = e^x - 1``, without losing small values: dy/dx = y + 1."""

    saves_output = forgets_inputs = True

    def forward(self, x: Array) -> Array:
        return array_module(x).expm1(x)

    def backward(self, gradient: Tensor) -> Tensor:
        return gradient * (self.output + 1)


class Log(Operation):
    """``y = ln x``: dy/dx = 1 / x."""

    def forward(self, x: Array) -> Array:
        return array_module(x).log(x)

    def backward(self, gradient: Tensor) -> Tensor:
        (x,) = self.saved
        return gradient / x


class Sqrt(Operation):
    """``y = x^(1/2)``: dy/dx = 1 / (2 y)."""

    saves_output = forgets_inputs = True

    def forward(self, x: Array) -> Array:
        return array_module(x).sqrt(x)

    def backward(self, gradient: Tensor) -> Tensor:
        return gradient / 2 / self.output


class Abs(Operation):
    """``y = |x|``: dy/dx = sign x (0 at 0)."""

    def forward(self, x: Array) -> Array:
        return array_module(x).abs(x)

    def backward(self, gradient: Tensor) -> Tensor:
        (x,) = self.saved
        return Mask(array_module(x.data).sign(x.data))(gradient)


class Sin(Operation):
    """``y = sin x``: dy/dx = cos x."""

    def forward(self, x: Array) -> Array:
        return array_module(x).sin(x)

    def backward(self, gradient: Tensor) -> Tensor:
        (x,) = self.saved
        return gradient * cos(x)


class Cos(Operation):
    """``y = cos x``: dy/dx = -sin x."""

    def forward(self, x: Array) -> Array:
        return array_module(x).cos(x)

    def backward(self, gradient: Tensor) -> Tensor:
        (x,) = self.saved
        return -(gradient * sin(x))


def exp(x: Any) -> Tensor:
    """The exponential, element by element.

    >>> exp(Tensor([0.0]))
    Tensor([1.])
    """
    return Exp()(as_float("exp", x))


def log(x: Any) -> Tensor:
    """The natural logarithm, element by element.

    >>> log(Tensor([1.0, 2.0]))
    Tensor([0.       , 0.6931472])
    """
    return Log()(as_float("log", x))


def sqrt(x: Any) -> Tensor:
    """The square root, element by element; its gradient at 0 is infinite.

    >>> sqrt(Tensor([4.0, 9.0]))
    Tensor([2., 3.])
    """
    return Sqrt()(as_float("sqrt", x))


def abs(x: Any) -> Tensor:
    """The absolute value, element by element; its gradient at 0 is taken as 0.

    >>> abs(Tensor([-1.5, 2.0]))
    Tensor([1.5, 2. ])
    """
    return Abs()(as_tensor("abs", x))


def sin(x: Any) -> Tensor:
    """The sine of an angle in radians, element by element.

    >>> sin(Tensor([0.0]))
    Tensor([0.])
    """
    return Sin()(as_float("sin", x))


def cos(x: Any) -> Tensor:
    """The cosine of an angle in radians, element by element.

    >>> cos(Tensor([0.0]))
    Tensor([1.])
    """
    return Cos()(as_float("cos", x))


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

    >>> tanh(Tensor([0.0]))
    Tensor([0.])
    """
    return Tanh()(as_float("tanh", x))


def sigmoid(x: Any) -> Tensor:
    """The logistic function ``1 / (1 + exp(-x))``, element by element: between 0 and 1.

    The gradient is computed from the result: where that rounds to 1, it is 0, as in PyTorch.

    >>> sigmoid(Tensor([0.0]))
    Tensor([0.5])
    """
    return Sigmoid()(as_float("sigmoid", x))


def softplus(x: Any, beta: float = 1.0) -> Tensor:
    """A smooth relu: ``ln(1 + exp(beta x)) / beta``; a larger ``beta`` is closer to relu.

    A ValueError says that ``beta`` is not positive.

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

    >>> relu(Tensor([-1.0, 2.0]))
    Tensor([0., 2.])
    """
    return Relu()(as_float("relu", x))


def leaky_relu(x: Any, negative_slope: float = 0.01) -> Tensor:
    """``x`` where positive, ``negative_slope * x`` elsewhere.

    >>> leaky_relu(Tensor([-1.0, 2.0]), 0.5)
    Tensor([-0.5,  2. ])
    """
    require_number("leaky_relu", "negative_slope", negative_slope)
    x, slope = with_number("leaky_relu", as_float("leaky_relu", x), negative_slope)
    return LeakyRelu(slope)(x)


class Where(Operation):
    """``y = a where condition else b``: the gradient goes to a there, to b elsewhere."""

    def __init__(self, condition: Array) -> None:
        self.condition = condition

    def forward(self, a: Array, b: Array) -> Array:
        return array_module(a, b).where(self.condition, a, b)

    def backward(self, gradient: Tensor) -> tuple[Tensor, Tensor]:
        return Mask(self.condition)(gradient), Mask(~self.condition)(gradient)


class Maximum(Operation):
    """``y = max(a, b)``: dy/da = 1 where a > b, 1/2 where a = b, else 0; dy/db = 1 - dy/da."""

    def forward(self, a: Array, b: Array) -> Array:
        return array_module(a, b).maximum(a, b)

    def backward(self, gradient: Tensor) -> tuple[Tensor, Tensor]:
        a, b = self.saved
        return _to_larger(gradient, a, b), _to_larger(gradient, b, a)


class Minimum(Operation):
    """``y = min(a, b)``: dy/da = 1 where a < b, 1/2 where a = b, else 0; dy/db = 1 - dy/da."""

    def forward(self, a: Array, b: Array) -> Array:
        return array_module(a, b).minimum(a, b)

    def backward(self, gradient: Tensor) -> tuple[Tensor, Tensor]:
        a, b = self.saved
        return _to_larger(gradient, b, a), _to_larger(gradient, a, b)


def _to_larger(gradient: Tensor, x: Tensor, other: Tensor) -> Tensor:
    """The share of the gradient for x in max(x, other): all of it where either is NaN."""
    half = gradient.dtype.type(0.5)
    return Mask(~(x.data < other.data) - half * (x.data == other.data))(gradient)


class Clamp(Operation):
    """``y = min(max(x, low), high)``: dy/dx = 1 where low <= x <= high, else 0."""

    def __init__(self, low: float | None, high: float | None) -> None:
        self.low = low
        self.high = high

    def forward(self, x: Array) -> Array:
        return array_module(x).clip(x, self.low, self.high)

    def backward(self, gradient: Tensor) -> Tensor:
        (x,) = self.saved
        inside = array_module(x.data).ones_like(x.data, dtype=bool)
        if self.low is not None:
            inside &= x.data >= self.low
        if self.high is not None:
            inside &= x.data <= self.high
        return Mask(inside)(gradient)


@on_its_device
def where(condition: Any, a: Any, b: Any) -> Tensor:
    """Take from ``a`` where the ``condition`` holds, from ``b`` elsewhere, with broadcasting.

    A TypeError says that the condition is not boolean, a ValueError that shapes do not fit.

    >>> x = Tensor([-1.0, 2.0])
    >>> where(x > 0, x, 0.0)
    Tensor([0., 2.])
    """
    condition = as_tensor("where", condition)
    if condition.dtype.kind != "b":
        raise TypeError(f"where: the condition must be boolean, got {condition.dtype}")
    a, b = operands("where", a, b)
    broadcast_shape("where", condition.shape, a.shape, b.shape)
    if condition.device != a.device:
        raise TypeError(f"where: the condition is on {condition.device}, a on {a.device}")
    # A copy: backward needs the condition as it is now, whatever the caller does with it.
    return Where(condition.data.copy())(a, b)


def maximum(a: Any, b: Any) -> Tensor:
    """The larger of ``a`` and ``b``, with broadcasting; equals each receive half the gradient.

    >>> maximum(Tensor([1.0, 5.0]), Tensor([3.0, 4.0]))
    Tensor([3., 5.])
    """
    return Maximum()(*operands("maximum", a, b))


def minimum(a: Any, b: Any) -> Tensor:
    """The smaller of ``a`` and ``b``, with broadcasting; equals each receive half the gradient.

    >>> minimum(Tensor([1.0, 5.0]), Tensor([3.0, 4.0]))
    Tensor([1., 4.])
    """
    return Minimum()(*operands("minimum", a, b))


def clamp(x: Any, min: float | None = None, max: float | None = None) -> Tensor:
    """Limit every element to the interval from ``min`` to ``max``, of which one may be missing.

    The gradient passes where ``min <= x <= max``. A ValueError says that both ends are missing.

    >>> clamp(Tensor([-1.0, 0.5, 2.0]), 0, 1)
    Tensor([0. , 0.5, 1. ])
    """
    if min is None and max is None:
        raise ValueError("clamp: give at least one of min and max")
    x = as_tensor("clamp", x)
    ends: list[float | int | None] = []
    for end in (min, max):
        if end is not None:
            require_number("clamp", "min and max", end)
            x, end = with_number("clamp", x, end)
        ends.append(end)
    return Clamp(*ends)(x)
