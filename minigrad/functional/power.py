"""Powers, element by element: ``x ** n`` for a number n, and ``a ** b`` for two tensors."""

from __future__ import annotations

from typing import Any

from minigrad.backend import Array, array_module, use_device
from minigrad.engine import Operation, Tensor
from minigrad.functional.arithmetic import Mul, Scale, Shift
from minigrad.functional.elementwise import Log
from minigrad.functional.operands import as_float, is_number, operands, python_number, with_number
from minigrad.functional.select import Mask, Where


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
        slope = Scale(n)(x if n == 2 else Power(n - 1)(x))
        return Mul()(gradient, slope)


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
        one = Tensor(array_module(a.data).ones_like(a.data, shape=()))
        by_a = by_b = None
        if needs_a:
            flat = b.data == 0
            power = Pow()(Where(flat)(one, a), Where(flat)(one, Shift(-1)(b)))
            by_a = Mul()(Mask(~flat)(gradient), Mul()(b, power))
        if needs_b:
            flat = (a.data == 0) & (b.data >= 0)
            logarithm = Log()(Where(flat)(one, a))
            by_b = Mul()(Mask(~flat)(gradient), Mul()(self.output, logarithm))
        return by_a, by_b


def pow(a: Any, b: Any) -> Tensor:
    """Raise to a power, element by element, with broadcasting; ``a ** b``.

    Parameters, results and errors as for :func:`add`.

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
