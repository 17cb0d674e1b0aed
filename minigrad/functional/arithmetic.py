"""Arithmetic, element by element: add, sub, mul, div, neg.

With ``y = f(a, b)`` and g the gradient arriving at y, the gradients are ``g * df/da`` and
``g * df/db``. A plain number is an option of the operation, not an input: it has no gradient, and
on a GPU it travels with the launch instead of as an array.

Backward passes are written with operators, ``gradient * b``. Those of this file are the exception:
``Mul()(gradient, b)`` is the same without looking at its arguments again, half a microsecond less,
and most of a backward pass comes here.
"""

from __future__ import annotations

from typing import Any

from minigrad.backend import Array
from minigrad.engine import Add, Operation, Tensor
from minigrad.functional.arguments import as_float, as_tensor, number_like, number_or_pair


class Shift(Operation):
    """``y = x + c`` for a number c: dy/dx = 1."""

    def __init__(self, constant: float) -> None:
        self.constant = constant

    def forward(self, x: Array) -> Array:
        return x + self.constant

    def backward(self, gradient: Tensor) -> Tensor:
        return gradient


class Scale(Operation):
    """``y = c x`` for a number c: dy/dx = c."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def forward(self, x: Array) -> Array:
        return x * self.factor

    def backward(self, gradient: Tensor) -> Tensor:
        return Scale(self.factor)(gradient)


class ScaleDown(Operation):
    """``y = x / c`` for a number c: dy/dx = 1 / c."""

    def __init__(self, divisor: float) -> None:
        self.divisor = divisor

    def forward(self, x: Array) -> Array:
        return x / self.divisor

    def backward(self, gradient: Tensor) -> Tensor:
        return ScaleDown(self.divisor)(gradient)


class Sub(Operation):
    """``y = a - b``: dy/da = 1, dy/db = -1."""

    def forward(self, a: Array, b: Array) -> Array:
        return a - b

    def backward(self, gradient: Tensor) -> tuple[Tensor | None, ...]:
        by_b = Neg()(gradient) if self.needs_input_grad[1] else None
        return gradient, by_b


class Mul(Operation):
    """``y = a b``: dy/da = b, dy/db = a."""

    def forward(self, a: Array, b: Array) -> Array:
        return a * b

    def backward(self, gradient: Tensor) -> tuple[Tensor | None, ...]:
        a, b = self.saved
        needs_a, needs_b = self.needs_input_grad
        by_a = Mul()(gradient, b) if needs_a else None
        by_b = Mul()(gradient, a) if needs_b else None
        return by_a, by_b


class Div(Operation):
    """``y = a / b``: dy/da = 1 / b, dy/db = -a / b^2 = -(dy/da) a / b."""

    def forward(self, a: Array, b: Array) -> Array:
        return a / b

    def backward(self, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        a, b = self.saved
        by_a = Div()(gradient, b)
        by_b = Neg()(Div()(Mul()(by_a, a), b)) if self.needs_input_grad[1] else None
        return by_a, by_b


class Reciprocal(Operation):
    """``y = c / x`` for a number c: dy/dx = -c / x^2 = -y / x."""

    saves_output = True

    def __init__(self, constant: float) -> None:
        self.constant = constant

    def forward(self, x: Array) -> Array:
        return self.constant / x

    def backward(self, gradient: Tensor) -> Tensor:
        (x,) = self.saved
        return -(gradient * self.output / x)


class Neg(Operation):
    """``y = -x``: dy/dx = -1."""

    def forward(self, x: Array) -> Array:
        return -x

    def backward(self, gradient: Tensor) -> Tensor:
        return Neg()(gradient)


def add(a: Any, b: Any) -> Tensor:
    """Add two tensors, or a tensor and a number, with broadcasting; ``a + b``.

    A TypeError says that an argument is no tensor or number, or that devices differ; a ValueError,
    that shapes do not broadcast together; an OverflowError, that a tensor of whole numbers is of
    too small a kind for the number. All that is said here holds for sub, mul, div and pow too.

    Examples
    --------
    >>> add(Tensor([1.0, 2.0]), 10)
    Tensor([11., 12.])
    """
    a, b = number_or_pair("add", a, b)
    if not isinstance(b, Tensor):
        return Shift(b)(a)
    if not isinstance(a, Tensor):
        return Shift(a)(b)
    return Add()(a, b)


def sub(a: Any, b: Any) -> Tensor:
    """Subtract two tensors, or a tensor and a number, with broadcasting; ``a - b``.

    Examples
    --------
    >>> sub(Tensor([1.0, 2.0]), Tensor([1.0, 1.0]))
    Tensor([0., 1.])
    """
    a, b = number_or_pair("sub", a, b)
    if not isinstance(a, Tensor):  # b is cast already: -x of a uint8 would be 256 - x
        return Shift(a)(Neg()(_not_boolean("sub", b)))
    if not isinstance(b, Tensor):
        if a.data.dtype.kind == "f":
            return Shift(-b)(a)
        b = number_like("sub", b, a)  # whole numbers without sign have no -number
    return Sub()(_not_boolean("sub", a), b)


def _not_boolean(name: str, x: Tensor) -> Tensor:
    """Two booleans have no difference."""
    if x.data.dtype.kind == "b":
        raise TypeError(f"{name}: not defined for {x.dtype}, of shape {x.shape}; use to('int64')")
    return x


def mul(a: Any, b: Any) -> Tensor:
    """Multiply two tensors, or a tensor and a number, with broadcasting; ``a * b``.

    Examples
    --------
    >>> mul(Tensor([1.0, 2.0]), Tensor([[3.0], [4.0]]))
    Tensor([[3., 6.],
            [4., 8.]])
    """
    a, b = number_or_pair("mul", a, b)
    if not isinstance(b, Tensor):
        return Scale(b)(a)
    if not isinstance(a, Tensor):
        return Scale(a)(b)
    return Mul()(a, b)


def div(a: Any, b: Any) -> Tensor:
    """Divide two tensors, or a tensor and a number, with broadcasting; ``a / b``.

    Whole numbers give float32.

    Examples
    --------
    >>> div(Tensor([1.0, 2.0]), 4)
    Tensor([0.25, 0.5 ])
    >>> 1 / Tensor([4])
    Tensor([0.25])
    """
    a, b = number_or_pair("div", a, b, as_float)
    if not isinstance(b, Tensor):
        return ScaleDown(b)(a)
    if not isinstance(a, Tensor):
        return Reciprocal(a)(b)
    return Div()(a, b)


def neg(x: Any) -> Tensor:
    """Change the sign; ``-x``.

    Examples
    --------
    >>> neg(Tensor([1.0, -2.0]))
    Tensor([-1.,  2.])
    """
    return Neg()(_not_boolean("neg", as_tensor("neg", x)))
