"""Arithmetic, element by element: add, sub, mul, div, neg, pow; and comparisons.

With ``y = f(a, b)`` and g the gradient arriving at y, the gradients are ``g * df/da`` and
``g * df/db``. A plain number is an option of the operation, not an input: it has no gradient, and
on a GPU it is an argument of the kernel and no array. Comparisons give booleans, which have no
gradient: there is no operation to record.

Backward passes are written with operators, ``gradient * b``. Those of add, sub, mul, div and neg
are the exception, since most of a backward pass comes here: ``Mul()(gradient, b)`` does the same
without looking at its arguments again, which saves half a microsecond.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from minigrad.backend import Array, array_module, common_device, is_array, use_device
from minigrad.engine import Add, Operation, Tensor
from minigrad.functional.arguments import (
    as_float,
    as_tensor,
    is_number,
    number_like,
    number_or_pair,
    operands,
    python_number,
    require_in_range,
    with_number,
)
from minigrad.functional.elementwise import Mask, Where, log


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

    >>> sub(Tensor([1.0, 2.0]), Tensor([1.0, 1.0]))
    Tensor([0., 1.])
    """
    a, b = number_or_pair("sub", a, b)
    if not isinstance(a, Tensor):  # b is cast already: -x of a uint8 would be 256 - x
        return Shift(a)(Neg()(_not_boolean("sub", b)))
    if not isinstance(b, Tensor):
        if a.data.dtype.kind == "f":
            return Shift(-b)(a)
        b = number_like(b, a)  # whole numbers without sign have no -number
    return Sub()(_not_boolean("sub", a), b)


def _not_boolean(name: str, x: Tensor) -> Tensor:
    """Two booleans have no difference."""
    if x.data.dtype.kind == "b":
        raise TypeError(f"{name}: not defined for {x.dtype}, of shape {x.shape}; use to('int64')")
    return x


def mul(a: Any, b: Any) -> Tensor:
    """Multiply two tensors, or a tensor and a number, with broadcasting; ``a * b``.

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

    >>> neg(Tensor([1.0, -2.0]))
    Tensor([-1.,  2.])
    """
    return Neg()(_not_boolean("neg", as_tensor("neg", x)))


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

    The exceptions are where the plain formulas give 0 times infinity. There the gradient is masked,
    and 1 stands in for the base, which keeps further derivatives finite.
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


def _comparable(name: str, number: Any, dtype: Any) -> float | int:
    """A number to compare with: infinite where it is beyond all that the tensor can hold."""
    number = python_number(name, number)
    try:
        if isinstance(number, int):
            require_in_range(name, number, dtype)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")
    return number


def _compare(name: str, function: Callable[[Any, Any], Array], a: Any, b: Any) -> Tensor:
    """Compare two tensors, or one and a number, which is not rounded to the tensor's dtype."""
    if isinstance(a, Tensor) and is_number(b):
        a, b = a.data, _comparable(name, b, a.dtype)
    elif isinstance(b, Tensor) and is_number(a):
        a, b = _comparable(name, a, b.dtype), b.data
    else:
        a, b = (tensor.data for tensor in operands(name, a, b))
    arrays = [one for one in (a, b) if is_array(one)]
    with use_device(common_device(*arrays, name=name)):
        return Tensor(function(a, b))


def eq(a: Any, b: Any) -> Tensor:
    """``a == b`` as a tensor of booleans, with broadcasting; one of the two may be a number.

    >>> eq(Tensor([1.0, 2.0]), 2)
    Tensor([False,  True])
    """
    return _compare("eq", operator.eq, a, b)


def ne(a: Any, b: Any) -> Tensor:
    """``a != b``: see :func:`eq`.

    >>> ne(Tensor([1.0, 2.0]), 2)
    Tensor([ True, False])
    """
    return _compare("ne", operator.ne, a, b)


def lt(a: Any, b: Any) -> Tensor:
    """``a < b``: see :func:`eq`.

    >>> lt(Tensor([1.0, 2.0]), 2)
    Tensor([ True, False])
    """
    return _compare("lt", operator.lt, a, b)


def le(a: Any, b: Any) -> Tensor:
    """``a <= b``: see :func:`eq`.

    >>> le(Tensor([1.0, 2.0]), 1)
    Tensor([ True, False])
    """
    return _compare("le", operator.le, a, b)


def gt(a: Any, b: Any) -> Tensor:
    """``a > b``: see :func:`eq`.

    >>> gt(Tensor([1.0, 2.0]), 1)
    Tensor([False,  True])
    """
    return _compare("gt", operator.gt, a, b)


def ge(a: Any, b: Any) -> Tensor:
    """``a >= b``: see :func:`eq`.

    >>> ge(Tensor([1.0, 2.0]), 2)
    Tensor([False,  True])
    """
    return _compare("ge", operator.ge, a, b)
