"""Comparisons, element by element: eq, ne, lt, le, gt, ge.

Their results are booleans, which have no gradient, so there is no operation to record.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from minigrad.backend import Array, common_device, use_device
from minigrad.engine import Tensor
from minigrad.functional.operands import is_number, operands, python_number, require_in_range


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
    """``a == b``, element by element, with broadcasting.

    Parameters
    ----------
    a, b : Tensor or number
        Of shapes that broadcast together. At least one a tensor.

    Returns
    -------
    Tensor
        Of booleans, without gradient.

    Examples
    --------
    >>> eq(Tensor([1.0, 2.0]), 2)
    Tensor([False,  True])
    """
    return _compare("eq", operator.eq, a, b)


def ne(a: Any, b: Any) -> Tensor:
    """``a != b``, element by element. Parameters and result are those of :func:`eq`.

    Examples
    --------
    >>> ne(Tensor([1.0, 2.0]), 2)
    Tensor([ True, False])
    """
    return _compare("ne", operator.ne, a, b)


def lt(a: Any, b: Any) -> Tensor:
    """``a < b``, element by element. Parameters and result are those of :func:`eq`.

    Examples
    --------
    >>> lt(Tensor([1.0, 2.0]), 2)
    Tensor([ True, False])
    """
    return _compare("lt", operator.lt, a, b)


def le(a: Any, b: Any) -> Tensor:
    """``a <= b``, element by element. Parameters and result are those of :func:`eq`.

    Examples
    --------
    >>> le(Tensor([1.0, 2.0]), 1)
    Tensor([ True, False])
    """
    return _compare("le", operator.le, a, b)


def gt(a: Any, b: Any) -> Tensor:
    """``a > b``, element by element. Parameters and result are those of :func:`eq`.

    Examples
    --------
    >>> gt(Tensor([1.0, 2.0]), 1)
    Tensor([False,  True])
    """
    return _compare("gt", operator.gt, a, b)


def ge(a: Any, b: Any) -> Tensor:
    """``a >= b``, element by element. Parameters and result are those of :func:`eq`.

    Examples
    --------
    >>> ge(Tensor([1.0, 2.0]), 2)
    Tensor([False,  True])
    """
    return _compare("ge", operator.ge, a, b)
