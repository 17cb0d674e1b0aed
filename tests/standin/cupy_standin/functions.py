"""CuPy's other functions, by table: arguments checked against CuPy's, work done by NumPy's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from . import tables
from .core import check_devices, device_array, is_scalar, ndarray, write
from .counters import counters
from .memory import check_toolkit, refuse_capture
from .names import bind, signature


def strip(name: str, parameter: str, value: Any, arrays: list[ndarray]) -> Any:
    """The NumPy side of one argument; refuses what CuPy refuses, and lists device arrays."""
    if isinstance(value, ndarray):
        arrays.append(value)
        return value._host
    is_sequence = isinstance(value, (list, tuple))
    wants = parameter in tables.ARRAYS and value is not None
    if parameter in tables.NUMBERS_ALLOWED.get(name, ()) and is_scalar(value):
        wants = False
    if (
        isinstance(value, numpy.ndarray)
        or wants
        or (parameter in tables.SEQUENCES_OF_ARRAYS and not is_sequence)
    ):
        raise TypeError(f"{name}: argument {parameter}: Unsupported type {type(value)}")
    if is_sequence:
        each = "a" if parameter in tables.SEQUENCES_OF_ARRAYS else ""
        return type(value)(strip(name, each, part, arrays) for part in value)
    return value


def call(owner: str, name: str, function: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Run one of CuPy's functions, ``owner.name``, by NumPy's function of the same meaning."""
    given = bind(owner, name, args, kwargs)
    arrays: list[ndarray] = []
    stripped = {key: strip(name, key, value, arrays) for key, value in given.items()}
    positional, named = bind_order(owner, name, stripped)
    out = given.get("out")
    if out is not None and not isinstance(out, ndarray):
        raise TypeError(f"{name}: Output arguments type must be cupy.ndarray")
    if not arrays and name not in tables.NEED_NO_ARRAY:
        raise TypeError(f"{name}: no argument is a cupy.ndarray")
    if name not in tables.VIEWS:
        check_devices(name, arrays)
        check_toolkit()
    if name in tables.OF_CUBLAS or owner == "cupy.linalg":
        refuse_capture("cuSOLVER" if owner == "cupy.linalg" else "cuBLAS")
    if name in tables.JOINING:
        _copy_tables(arrays)
    if name in tables.WAITING or (name == "where" and "x" not in given):
        counters.wait()
    if out is not None:
        write(name, out)
    with numpy.errstate(all="ignore"):
        result = function(*positional, **named)
    return deliver(name, result, arrays) if out is None else out


def _copy_tables(arrays: list[ndarray]) -> None:
    """Count what ``concatenate`` copies to the device before its one kernel can read many arrays.

    ``_routines_manipulation.pyx``, ``_concatenate``: of more than 8 arrays of one type, of less
    than 2 MiB each on average, a table of addresses; and, unless they are contiguous and of equal
    shape, one of sizes and one of strides.
    """
    count, size = len(arrays), sum(array.nbytes for array in arrays)
    if count <= 8 or len({array.dtype for array in arrays}) > 1 or size >= count * 2**21:
        return
    counters.copy_to_device(8 * count)
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1 or not all(array.flags.c_contiguous for array in arrays):
        counters.copy_to_device(8 * count)
        counters.copy_to_device(8 * count * arrays[0].ndim)


def bind_order(owner: str, name: str, values: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    """Positional and named arguments for NumPy's function from CuPy's parameters by name."""
    positional: list[Any] = []
    named: dict[str, Any] = {}
    leading = True
    for key, parameter in signature(owner, name).parameters.items():
        if key not in values or (values[key] is None and parameter.default is None):
            leading = False
        elif parameter.kind is parameter.VAR_POSITIONAL:
            positional.extend(values[key])
        elif parameter.kind is parameter.VAR_KEYWORD:
            named.update(values[key])
        elif key in tables.DROPPED.get(name, ()):
            leading = False
        elif parameter.kind is parameter.KEYWORD_ONLY or not leading:
            named[key] = values[key]
        else:
            positional.append(values[key])
    return tuple(positional), named


def deliver(name: str, result: Any, inputs: list[ndarray]) -> Any:
    """Bring results of NumPy's onto the device: views of an input, or fresh and C-contiguous."""
    parts = list(result) if isinstance(result, tuple) else [result]
    parts = [deliver_one(name, part, inputs) for part in parts]
    if any(part.base is None and not any(part is array for array in inputs) for part in parts):
        counters.launch(name)
    return tuple(parts) if isinstance(result, tuple) else parts[0]


def deliver_one(name: str, result: Any, inputs: list[ndarray]) -> ndarray:
    """One array of a result."""
    if not isinstance(result, (int, numpy.generic, numpy.ndarray)):
        raise NotImplementedError(f"the stand-in does not model what {name} returns")
    for array in inputs:
        if result is array._host:
            return array
        if isinstance(result, numpy.ndarray) and numpy.may_share_memory(result, array._host):
            return array._view(result)
    order = tables.LAYOUTS.get(name, "C")
    return device_array(numpy.array(result, order=order, copy=None))


def _take_along_axis(a: numpy.ndarray, indices: numpy.ndarray, axis: int) -> numpy.ndarray:
    return numpy.take_along_axis(a, indices % a.shape[axis], axis)


def _in_another_order(name: str) -> Callable:
    """A reduction that adds in another order than NumPy, so that equal bits are no accident."""
    reduction = getattr(numpy, name)

    def reduce(a: numpy.ndarray, axis: Any = None, *rest: Any, **options: Any) -> Any:
        axes = range(a.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        reduced = {i % a.ndim for i in axes if a.ndim and -a.ndim <= i < a.ndim}
        backwards = (slice(None, None, -1) if i in reduced else slice(None) for i in range(a.ndim))
        return reduction(a[tuple(backwards)], axis, *rest, **options)

    return reduce


ADAPTED = {"take_along_axis": _take_along_axis}
ADAPTED |= {name: _in_another_order(name) for name in ("sum", "mean", "var", "std")}


def make(owner: str, name: str, function: Callable) -> Callable:
    """A function of CuPy's namespace, or a method of its arrays, from NumPy's."""

    def cupy_function(*args: Any, **kwargs: Any) -> Any:
        return call(owner, name, function, args, kwargs)

    cupy_function.__name__ = cupy_function.__qualname__ = name
    cupy_function.__module__ = owner
    return cupy_function


def host_function(name: str) -> Callable:
    """A function that answers without the device, such as ``cupy.ndim`` or ``cupy.can_cast``."""

    def cupy_function(*args: Any, **kwargs: Any) -> Any:
        bind("cupy", name, args, kwargs)
        stand_ins = [numpy.empty_like(a._host) if isinstance(a, ndarray) else a for a in args]
        return getattr(numpy, name)(*stand_ins, **kwargs)

    return cupy_function


for _name in tables.METHODS:
    setattr(
        ndarray, _name, make("ndarray", _name, ADAPTED.get(_name) or getattr(numpy.ndarray, _name))
    )


FUNCTIONS: dict[str, Callable] = {
    name: make("cupy", name, ADAPTED.get(name) or getattr(numpy, name)) for name in tables.FUNCTIONS
}
FUNCTIONS |= {name: host_function(name) for name in tables.ON_HOST}
LINALG: dict[str, Callable] = {
    name: make("cupy.linalg", name, getattr(numpy.linalg, name)) for name in tables.LINALG
}
