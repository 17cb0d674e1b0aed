"""Functions element by element: exp, log, sqrt, abs, sin, cos, and powers.

With ``y = f(x)`` and g the gradient arriving at y, the gradient of x is ``g f'(x)``. Where f' is
cheaper in terms of y, backward reads the output.
"""

from __future__ import annotations

from typing import Any

from minigrad.backend import Array, array_module, use_device
from minigrad.engine import Operation, Tensor
from minigrad.functional.arguments import (
    as_float,
    as_tensor,
    is_number,
    operands,
    python_number,
    with_number,
)
from minigrad.functional.select import Mask, Where


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

    Examples
    --------
    >>> exp(Tensor([0.0]))
    Tensor([1.])
    """
    return Exp()(as_float("exp", x))


def log(x: Any) -> Tensor:
    """The natural logarithm, element by element.

    Examples
    --------
    >>> log(Tensor([1.0, 2.0]))
    Tensor([0.       , 0.6931472])
    """
    return Log()(as_float("log", x))


def sqrt(x: Any) -> Tensor:
    """The square root, element by element; its gradient at 0 is infinite.

    Examples
    --------
    >>> sqrt(Tensor([4.0, 9.0]))
    Tensor([2., 3.])
    """
    return Sqrt()(as_float("sqrt", x))


def abs(x: Any) -> Tensor:
    """The absolute value, element by element; its gradient at 0 is taken as 0.

    Examples
    --------
    >>> abs(Tensor([-1.5, 2.0]))
    Tensor([1.5, 2. ])
    """
    return Abs()(as_tensor("abs", x))


def sin(x: Any) -> Tensor:
    """The sine of an angle in radians, element by element.

    Examples
    --------
    >>> sin(Tensor([0.0]))
    Tensor([0.])
    """
    return Sin()(as_float("sin", x))


def cos(x: Any) -> Tensor:
    """The cosine of an angle in radians, element by element.

    Examples
    --------
    >>> cos(Tensor([0.0]))
    Tensor([1.])
    """
    return Cos()(as_float("cos", x))


class Power(Operation):
    """``y = x^n`` for a number n: dy/dx = n x^(n-1), and 0 where n = 0."""

    def __init__(self, exponent: float) -> None:
        self.exponent = exponent

    def forward(self, x: Array) -> Array:
        return x * x if self.exponent == 2 else x**self.exponent

    def backward(self, gradient: Tensor) -> Tensor:
        (x,) = self.saved
        n = self.exponent
        if n == 0:
            return Mask(array_module(x.data).zeros_like(x.data, dtype=bool))(gradient)
        return gradient * (n * (x if n == 2 else x ** (n - 1)))


class Pow(Operation):
    """``y = a^b``: dy/da = b a^(b-1) (0 where b = 0), dy/db = y ln a (0 where a = 0 and b >= 0).

    The exceptions are where the plain formulas are 0 times infinity: there the gradient is masked,
    and numbers are put in that keep its own derivatives finite.
    """

    saves_output = True

    def forward(self, a: Array, b: Array) -> Array:
        return a**b

    def backward(self, gradient: Tensor) -> tuple[Tensor | None, ...]:
        a, b = self.saved
        needs_a, needs_b = self.needs_input_grad
        one = Tensor(array_module(a.data).ones((), a.dtype))
        by_a = by_b = None
        if needs_a:
            flat = b.data == 0
            power = Where(flat)(one, a) ** Where(flat)(one, b - 1)
            by_a = Mask(~flat)(gradient) * (b * power)
        if needs_b:
            flat = (a.data == 0) & (b.data >= 0)
            by_b = Mask(~flat)(gradient) * (self.output * log(Where(flat)(one, a)))
        return by_a, by_b


def pow(a: Any, b: Any) -> Tensor:
    """Raise ``a`` to the power ``b``, tensors or numbers, with broadcasting; ``a ** b``.

    A ValueError says that whole numbers have no negative powers.

    Examples
    --------
    >>> pow(Tensor([1.0, 2.0]), 3)
    Tensor([1., 8.])
    >>> 2 ** Tensor([1.0, 3.0])
    Tensor([2., 8.])
    """
    if is_number(b):
        number = python_number("pow", b)
        x, number = with_number("pow", a if number >= 0 else as_float("pow", a), number)
        return Power(number)(x)
    a, b = operands("pow", a, b)
    if b.data.dtype.kind == "i":
        with use_device(b.device):
            if (b.data < 0).any():
                raise ValueError("pow: whole numbers have no negative powers; use to('float32')")
    return Pow()(a, b)
