"""CuPy's other functions, by table: arguments checked against CuPy's, work done by NumPy's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from . import tables
from .core import check_devices, device_array, is_scalar, launch, ndarray, write
from .counters import counters
from .memory import check_toolkit, refuse_capture
from .names import bind, signature


class Arguments:
    """The arguments of one call, their device arrays replaced by what plays their memory."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.arrays: list[ndarray] = []

    def strip(self, parameter: str, value: Any) -> Any:
        """The NumPy side of one argument; refuses what CuPy refuses."""
        if isinstance(value, ndarray):
            self.arrays.append(value)
            return value._host
        if isinstance(value, numpy.ndarray):
            raise TypeError(f"{self.name}: argument {parameter}: Unsupported type {type(value)}")
        if parameter in tables.ARRAYS:
            numbers = tables.NUMBERS_ALLOWED.get(self.name, ())
            accepted = parameter in numbers and is_scalar(value)
            if not accepted and value is not None:
                raise TypeError(
                    f"{self.name}: argument {parameter} must be a cupy.ndarray, got {type(value)}"
                )
        if parameter in tables.SEQUENCES_OF_ARRAYS:
            if not isinstance(value, (list, tuple)):
                raise TypeError(
                    f"{self.name}: argument {parameter}: Unsupported type {type(value)}"
                )
            return type(value)(self.strip("a", part) for part in value)
        if isinstance(value, (list, tuple)):
            return type(value)(self.strip("", part) for part in value)
        if isinstance(value, dict):
            return {key: self.strip(key, part) for key, part in value.items()}
        return value


def call(owner: str, name: str, function: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Run one of CuPy's functions.

    Parameters
    ----------
    owner, name : str
        Where CuPy has it, for its signature.
    function : callable
        NumPy's function of the same meaning.
    args, kwargs
        As the caller gave them.
    """
    given = bind(owner, name, args, kwargs)
    arguments = Arguments(name)
    stripped = {key: arguments.strip(key, value) for key, value in given.items()}
    positional, named = bind_order(owner, name, stripped)
    out = given.get("out")
    if out is not None and not isinstance(out, ndarray):
        raise TypeError(f"{name}: Output arguments type must be cupy.ndarray")
    if not arguments.arrays and name not in tables.NEED_NO_ARRAY:
        raise TypeError(f"{name}: no argument is a cupy.ndarray")
    if name not in tables.VIEWS:
        check_devices(name, arguments.arrays)
        check_toolkit()
    if name in tables.OF_CUBLAS or owner == "cupy.linalg":
        refuse_capture("cuSOLVER" if owner == "cupy.linalg" else "cuBLAS")
    if name in tables.JOINING:
        _copy_tables(arguments.arrays)
    if name in tables.WAITING or (name == "where" and "x" not in given):
        counters.wait()
    if out is not None:
        write(name, out)
    elif name in tables.IN_PLACE:
        write(name, arguments.arrays[0])
    with numpy.errstate(all="ignore"):
        result = function(*positional, **named)
    if out is not None:
        return out
    return deliver(name, result, arguments.arrays)


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
    renamed = tables.RENAMED.get(name, {})
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
            named[renamed.get(key, key)] = values[key]
        else:
            positional.append(values[key])
    return tuple(positional), named


def deliver(name: str, result: Any, inputs: list[ndarray]) -> Any:
    """Bring a result of NumPy's onto the device: a view of an input, or fresh and C-contiguous."""
    if isinstance(result, (tuple, list)):
        parts = [deliver_one(name, part, inputs) for part in result]
        fresh = any(isinstance(part, ndarray) and part.base is None for part in parts)
        if fresh and parts and not any(part is array for part in parts for array in inputs):
            counters.launch(name)
        return list(parts) if isinstance(result, list) else tuple(parts)
    delivered = deliver_one(name, result, inputs)
    if (
        isinstance(delivered, ndarray)
        and delivered.base is None
        and not any(delivered is array for array in inputs)
    ):
        counters.launch(name)
    return delivered


def deliver_one(name: str, result: Any, inputs: list[ndarray]) -> Any:
    """One array of a result."""
    if result is None or isinstance(result, str):
        return result
    if isinstance(result, (bool, int, float, complex, numpy.generic)):
        return device_array(numpy.array(result))
    if not isinstance(result, numpy.ndarray):
        raise NotImplementedError(f"the stand-in does not model what {name} returns")
    for array in inputs:
        if result is array._host:
            return array
        if numpy.may_share_memory(result, array._host):
            return array._view(result)
    order = "F" if name in tables.OTHER_LAYOUT else "K" if name in tables.KEEPS_LAYOUT else "C"
    return device_array(numpy.array(result, order=order, copy=None))


def _take(a: numpy.ndarray, indices: Any, axis: int | None = None, out: Any = None) -> Any:
    """Out-of-range indices wrap; a list of indices is copied to the device first."""
    if isinstance(indices, (list, tuple)):
        indices = numpy.asarray(indices, dtype=int)
        counters.copy_to_device(indices.nbytes)
    return numpy.take(a, indices, axis, out, mode="wrap")


def _take_along_axis(a: numpy.ndarray, indices: numpy.ndarray, axis: int) -> numpy.ndarray:
    return numpy.take_along_axis(a, indices % a.shape[axis], axis)


def _repeat(a: numpy.ndarray, repeats: Any, axis: int | None = None) -> numpy.ndarray:
    if isinstance(repeats, numpy.ndarray):
        raise ValueError("cupy.ndarray cannot be specified as `repeats` argument.")
    return numpy.repeat(a, repeats, axis)


def _in_another_order(name: str) -> Callable:
    """A reduction that adds in another order than NumPy, so that equal bits are no accident."""
    reduction = getattr(numpy, name)

    def reduce(a: numpy.ndarray, axis: Any = None, *rest: Any, **options: Any) -> Any:
        axes = range(a.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        reduced = {i % a.ndim for i in axes if a.ndim and -a.ndim <= i < a.ndim}
        backwards = (slice(None, None, -1) if i in reduced else slice(None) for i in range(a.ndim))
        return reduction(a[tuple(backwards)], axis, *rest, **options)

    return reduce


ADAPTED = {"take": _take, "take_along_axis": _take_along_axis, "repeat": _repeat}
ADAPTED |= {name: _in_another_order(name) for name in ("sum", "mean", "var", "std")}


def make(owner: str, name: str, function: Callable) -> Callable:
    """A function of CuPy's namespace from NumPy's."""

    def cupy_function(*args: Any, **kwargs: Any) -> Any:
        return call(owner, name, function, args, kwargs)

    cupy_function.__name__ = cupy_function.__qualname__ = name
    cupy_function.__module__ = owner
    return cupy_function


def host_function(owner: str, name: str, function: Callable) -> Callable:
    """A function that answers without the device, such as ``cupy.ndim`` or ``cupy.can_cast``."""

    def cupy_function(*args: Any, **kwargs: Any) -> Any:
        bind(owner, name, args, kwargs)
        stand_ins = [numpy.empty_like(a._host) if isinstance(a, ndarray) else a for a in args]
        return function(*stand_ins, **kwargs)

    cupy_function.__name__ = cupy_function.__qualname__ = name
    cupy_function.__module__ = owner
    return cupy_function


def _method(name: str, function: Callable) -> Callable:
    def method(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        return call("ndarray", name, function, (self, *args), kwargs)

    method.__name__ = method.__qualname__ = name
    return method


def _add_methods() -> None:
    for name in tables.METHODS:
        function = ADAPTED.get(name) or getattr(numpy.ndarray, name)
        setattr(ndarray, name, _method(name, function))
    ndarray.ptp = _method("ptp", numpy.ptp)

    def flatten(self: ndarray, order: str = "C") -> ndarray:
        return launch("flatten", self._host.flatten(order))

    def sort(self: ndarray, axis: int = -1, kind: Any = None) -> None:
        check_devices("sort", [self])
        write("sort", self)
        self._host.sort(axis)

    def reduced_view(self: ndarray, dtype: Any = None) -> ndarray:
        return self._view(self._host.reshape(-1)) if self.flags.c_contiguous else self

    ndarray.flatten, ndarray.sort, ndarray.reduced_view = flatten, sort, reduced_view


_add_methods()

FUNCTIONS: dict[str, Callable] = {
    name: make("cupy", name, ADAPTED.get(name) or getattr(numpy, name)) for name in tables.FUNCTIONS
}
FUNCTIONS |= {name: host_function("cupy", name, getattr(numpy, name)) for name in tables.ON_HOST}
LINALG: dict[str, Callable] = {
    name: make("cupy.linalg", name, getattr(numpy.linalg, name)) for name in tables.LINALG
}
