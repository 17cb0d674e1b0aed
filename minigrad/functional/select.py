"""Comparing (eq, ne, lt, le, gt, ge) and choosing (where, maximum, minimum, clamp).

Comparisons give booleans, which have no gradient, so there is no operation to record.

A choice itself has no derivative: the gradient goes to whichever value was taken. Where two are
equal, maximum and minimum give half to each, as PyTorch does.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from minigrad.backend import Array, array_module, common_device, require_number, use_device
from minigrad.engine import Operation, Tensor
from minigrad.functional.arguments import (
    as_tensor,
    broadcast_shape,
    is_number,
    on_its_device,
    operands,
    python_number,
    require_in_range,
    with_number,
)
from minigrad.kernels import keep_where


def _comparable(name: str, number: Any, dtype: Any) -> float | int:
    """A number to compare with: infinite where it is beyond all that the tensor can hold."""
    number = python_number(name, number)
    try:
        require_in_range(name, number, dtype)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")
    return number


def _compare(name: str, function: Callable[[Any, Any], Array], a: Any, b: Any) -> Tensor:
    """A comparison of two tensors, or of one and a number, which is not rounded to its kind."""
    if isinstance(a, Tensor) and is_number(b):
        a, b = a.data, _comparable(name, b, a.dtype)
        place = common_device(a)
    elif isinstance(b, Tensor) and is_number(a):
        a, b = _comparable(name, a, b.dtype), b.data
        place = common_device(b)
    else:
        a, b = (tensor.data for tensor in operands(name, a, b))
        place = common_device(a, b, name=name)
    with use_device(place):
        return Tensor(function(a, b))


def eq(a: Any, b: Any) -> Tensor:
    """``a == b`` as a tensor of booleans, with broadcasting; one of the two may be a number.

    Examples
    --------
    >>> eq(Tensor([1.0, 2.0]), 2)
    Tensor([False,  True])
    """
    return _compare("eq", operator.eq, a, b)


def ne(a: Any, b: Any) -> Tensor:
    """``a != b``: see :func:`eq`.

    Examples
    --------
    >>> ne(Tensor([1.0, 2.0]), 2)
    Tensor([ True, False])
    """
    return _compare("ne", operator.ne, a, b)


def lt(a: Any, b: Any) -> Tensor:
    """``a < b``: see :func:`eq`.

    Examples
    --------
    >>> lt(Tensor([1.0, 2.0]), 2)
    Tensor([ True, False])
    """
    return _compare("lt", operator.lt, a, b)


def le(a: Any, b: Any) -> Tensor:
    """``a <= b``: see :func:`eq`.

    Examples
    --------
    >>> le(Tensor([1.0, 2.0]), 1)
    Tensor([ True, False])
    """
    return _compare("le", operator.le, a, b)


def gt(a: Any, b: Any) -> Tensor:
    """``a > b``: see :func:`eq`.

    Examples
    --------
    >>> gt(Tensor([1.0, 2.0]), 1)
    Tensor([False,  True])
    """
    return _compare("gt", operator.gt, a, b)


def ge(a: Any, b: Any) -> Tensor:
    """``a >= b``: see :func:`eq`.

    Examples
    --------
    >>> ge(Tensor([1.0, 2.0]), 2)
    Tensor([False,  True])
    """
    return _compare("ge", operator.ge, a, b)


class Where(Operation):
    """``y = a where condition else b``: the gradient goes to a there, to b elsewhere."""

    def __init__(self, condition: Array) -> None:
        self.condition = condition

    def forward(self, a: Array, b: Array) -> Array:
        return array_module(a, b).where(self.condition, a, b)

    def backward(self, gradient: Tensor) -> tuple[Tensor, Tensor]:
        zero = Tensor(array_module(gradient.data).zeros((), gradient.dtype))
        return Where(self.condition)(gradient, zero), Where(self.condition)(zero, gradient)


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

    Examples
    --------
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

    Examples
    --------
    >>> maximum(Tensor([1.0, 5.0]), Tensor([3.0, 4.0]))
    Tensor([3., 5.])
    """
    return Maximum()(*operands("maximum", a, b))


def minimum(a: Any, b: Any) -> Tensor:
    """The smaller of ``a`` and ``b``, with broadcasting; equals each receive half the gradient.

    Examples
    --------
    >>> minimum(Tensor([1.0, 5.0]), Tensor([3.0, 4.0]))
    Tensor([1., 4.])
    """
    return Minimum()(*operands("minimum", a, b))


def clamp(x: Any, min: float | None = None, max: float | None = None) -> Tensor:
    """Limit every element to the interval from ``min`` to ``max``, of which one may be missing.

    The gradient passes where ``min <= x <= max``. A ValueError says that both ends are missing.

    Examples
    --------
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
