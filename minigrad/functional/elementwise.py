"""Functions of one tensor, element by element: exp, log, sqrt, abs, sin, cos.

With ``y = f(x)`` and g the gradient arriving at y, the gradient of x is ``g f'(x)``. Where f' is
cheaper in terms of y, backward reads the output.
"""

from __future__ import annotations

from typing import Any

from minigrad.backend import Array, array_module
from minigrad.engine import Operation, Tensor
from minigrad.functional.arithmetic import Div, Mul, Neg, ScaleDown, Shift
from minigrad.functional.operands import as_float, as_tensor
from minigrad.functional.select import Mask


class Exp(Operation):
    """``y = e^x``: dy/dx = y."""

    saves_output = forgets_inputs = True

    def forward(self, x: Array) -> Array:
        return array_module(x).exp(x)

    def backward(self, gradient: Tensor) -> Tensor:
        return Mul()(gradient, self.output)


class Expm1(Operation):
    """``y = e^x - 1``, without losing small values: dy/dx = y + 1."""

    saves_output = forgets_inputs = True

    def forward(self, x: Array) -> Array:
        return array_module(x).expm1(x)

    def backward(self, gradient: Tensor) -> Tensor:
        return Mul()(gradient, Shift(1)(self.output))


class Log(Operation):
    """``y = ln x``: dy/dx = 1 / x."""

    def forward(self, x: Array) -> Array:
        return array_module(x).log(x)

    def backward(self, gradient: Tensor) -> Tensor:
        (x,) = self.saved
        return Div()(gradient, x)


class Sqrt(Operation):
    """``y = x^(1/2)``: dy/dx = 1 / (2 y)."""

    saves_output = forgets_inputs = True

    def forward(self, x: Array) -> Array:
        return array_module(x).sqrt(x)

    def backward(self, gradient: Tensor) -> Tensor:
        return Div()(ScaleDown(2)(gradient), self.output)


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
        return Mul()(gradient, Cos()(x))


class Cos(Operation):
    """``y = cos x``: dy/dx = -sin x."""

    def forward(self, x: Array) -> Array:
        return array_module(x).cos(x)

    def backward(self, gradient: Tensor) -> Tensor:
        (x,) = self.saved
        return Neg()(Mul()(gradient, Sin()(x)))


def exp(x: Any) -> Tensor:
    """The exponential, element by element.

    Parameters
    ----------
    x : Tensor
        Of any shape.

    Returns
    -------
    Tensor
        Of the same shape.

    Examples
    --------
    >>> exp(Tensor([0.0]))
    Tensor([1.])
    """
    return Exp()(as_float("exp", x))


def log(x: Any) -> Tensor:
    """The natural logarithm, element by element.

    Parameters
    ----------
    x : Tensor
        Of any shape; positive for a finite result.

    Returns
    -------
    Tensor
        Of the same shape.

    Examples
    --------
    >>> log(Tensor([1.0, 2.0]))
    Tensor([0.       , 0.6931472])
    """
    return Log()(as_float("log", x))


def sqrt(x: Any) -> Tensor:
    """The square root, element by element; its gradient at 0 is infinite.

    Parameters and result as for :func:`exp`.

    Examples
    --------
    >>> sqrt(Tensor([4.0, 9.0]))
    Tensor([2., 3.])
    """
    return Sqrt()(as_float("sqrt", x))


def abs(x: Any) -> Tensor:
    """The absolute value, element by element; its gradient at 0 is taken as 0.

    Parameters and result as for :func:`exp`, but whole numbers stay whole.

    Examples
    --------
    >>> abs(Tensor([-1.5, 2.0]))
    Tensor([1.5, 2. ])
    """
    return Abs()(as_tensor("abs", x))


def sin(x: Any) -> Tensor:
    """The sine of an angle in radians, element by element.

    Parameters and result as for :func:`exp`.

    Examples
    --------
    >>> sin(Tensor([0.0]))
    Tensor([0.])
    """
    return Sin()(as_float("sin", x))


def cos(x: Any) -> Tensor:
    """The cosine of an angle in radians, element by element.

    Parameters and result as for :func:`exp`.

    Examples
    --------
    >>> cos(Tensor([0.0]))
    Tensor([1.])
    """
    return Cos()(as_float("cos", x))
