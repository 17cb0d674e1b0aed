"""What happens when a NumPy function is handed an array of the device.

CuPy dispatches such calls to its own functions (NEP 13 and NEP 18), so a stray ``numpy.`` in the
source works there and shows only where it meets a function without dispatch. The strict mode
refuses them all.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

import numpy

from .core import is_scalar, ndarray
from .options import state


def from_numpy_ufunc(function: Any, method: str, inputs: tuple, kwargs: dict[str, Any]) -> Any:
    """``numpy.tanh(array)``, and ``numpy.float32(2) * array``, which arrives the same way."""
    name = function.__name__
    for value in inputs:
        if isinstance(value, numpy.ndarray):
            raise TypeError(f"{name}: Unsupported type {type(value)}")
    # an operator with a NumPy scalar on the left is no stray call: Python gives NumPy no choice
    operator = len(inputs) == 2 and isinstance(inputs[0], numpy.generic) and not kwargs
    if state.options.strict_numpy and not operator:
        raise TypeError(
            f"numpy.{name} was called on an array of the device; call it on the array's own module"
        )
    cupy_function = getattr(sys.modules["cupy"], name, None)
    if method != "__call__" or cupy_function is None:
        return NotImplemented
    out = kwargs.pop("out", None)
    if out is not None:
        (kwargs["out"],) = out
    if not all(isinstance(value, ndarray) or is_scalar(value) for value in inputs):
        return NotImplemented
    return cupy_function(*inputs, **kwargs)


def from_numpy_function(function: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """``numpy.concatenate([array, array])`` and all others that NumPy lets be overridden."""
    name = function.__name__
    if state.options.strict_numpy:
        raise TypeError(
            f"numpy.{name} was called on an array of the device; call it on the array's own module"
        )
    try:
        path = function.__module__.split(".")[1:]
        owner = functools.reduce(getattr, path, sys.modules["cupy"])
        cupy_function = getattr(owner, name)
    except AttributeError:
        return NotImplemented
    return cupy_function(*args, **kwargs)
