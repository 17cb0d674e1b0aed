"""Making arrays: on the device, and from the host, which is a copy that is counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from .core import check_devices, device_array, is_scalar, launch, ndarray
from .counters import counters
from .layout import fill_with_garbage, numeric
from .memory import check_driver
from .names import bind
from .options import state


def array(
    obj: Any,
    dtype: Any = None,
    copy: bool | None = True,
    order: str | None = "K",
    subok: bool = False,
    ndmin: int = 0,
    *,
    blocking: bool = False,
) -> ndarray:
    """``cupy.array``: from the host, or from an array of any device onto the current one."""
    if subok:
        raise NotImplementedError("CuPy's array does not support subok=")
    order = order or "K"
    if isinstance(obj, ndarray):
        return _from_device(obj, dtype, copy, order, ndmin)
    if isinstance(obj, (list, tuple)) and _holds_arrays(obj):
        return _from_sequence(obj, dtype, order)
    check_driver()
    host = numpy.array(obj, dtype=None if dtype is None else numeric(dtype), ndmin=ndmin)
    if host.dtype.kind not in "biufc":
        raise ValueError(f"Unsupported dtype {host.dtype}")
    if isinstance(obj, numpy.ndarray) and order in "KA" and host.flags.f_contiguous:
        order = "F"
    host = numpy.array(host, order="F" if order == "F" else "C", copy=None)
    counters.copy_to_device(host.nbytes)
    return device_array(host)


def _from_device(obj: ndarray, dtype: Any, copy: bool | None, order: str, ndmin: int) -> ndarray:
    dtype = obj.dtype if dtype is None else numeric(dtype)
    if obj._block.device_id != state.current.number:
        result = obj.copy(order=order).astype(dtype, copy=False)
    else:
        result = obj.astype(dtype, order=order, copy=bool(copy))
    missing = ndmin - result.ndim
    return result.reshape((1,) * missing + result.shape) if missing > 0 else result


def _holds_arrays(obj: Any) -> bool:
    if isinstance(obj, (list, tuple)):
        return any(_holds_arrays(part) for part in obj)
    return isinstance(obj, ndarray)


def _from_sequence(obj: Any, dtype: Any, order: str) -> ndarray:
    """A sequence of equal arrays is stacked; a mixture CuPy hands to NumPy, which is refused."""
    arrays = [part for part in obj if isinstance(part, ndarray)]
    if len(arrays) < len(obj) or len({part.shape for part in arrays}) > 1:
        from .core import NO_CONVERSION

        raise TypeError(NO_CONVERSION)
    check_devices("array", arrays)
    host = numpy.stack([part._host for part in arrays])
    return launch("array", host.astype(host.dtype if dtype is None else numeric(dtype)))


def asarray(
    a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None, blocking: bool = False
) -> ndarray:
    """``cupy.asarray``: as ``array``, without a copy where none is needed."""
    return array(a, dtype, copy, order, blocking=blocking)


def ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    """C-contiguous, itself where it is so already."""
    return _contiguous(a, dtype, "C")


def asfortranarray(a: Any, dtype: Any = None) -> ndarray:
    """Fortran-contiguous, itself where it is so already."""
    return _contiguous(a, dtype, "F")


def _contiguous(a: Any, dtype: Any, order: str) -> ndarray:
    if not isinstance(a, ndarray):
        return array(a, dtype, order=order)
    host = numpy.array(a._host, dtype=dtype, order=order, copy=None)
    return a if host is a._host else launch("ascontiguousarray", host)


def asnumpy(
    a: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True
) -> numpy.ndarray:
    """``cupy.asnumpy``: a copy on the host; the host waits."""
    if isinstance(a, ndarray):
        return a.get(stream, order, out, blocking)
    return numpy.asarray(a, order=order)


def copy(a: ndarray, order: str = "K") -> ndarray:
    """``cupy.copy``."""
    return a.copy(order=order)


def get_array_module(*args: Any) -> Any:
    """``cupy.get_array_module``: the module itself if any argument is on the device."""
    import sys

    return sys.modules["cupy"] if any(isinstance(a, ndarray) for a in args) else numpy


def size(a: ndarray, axis: int | None = None) -> int:
    """``cupy.size``: the number of elements, of a device array only."""
    if not isinstance(a, ndarray):
        raise TypeError(f"size: expected cupy.ndarray, got {type(a)}")
    return a.size if axis is None else a.shape[axis]


def _maker(name: str, garbage: bool = False) -> Callable:
    """A function that makes an array on the current device: ``zeros``, ``empty_like``."""

    def make(*args: Any, **kwargs: Any) -> Any:
        given = bind("cupy", name, args, kwargs)
        for key, value in given.items():
            if isinstance(value, numpy.ndarray):
                raise TypeError(f"{name}: argument {key}: Unsupported type {type(value)}")
            if key in ("a", "prototype") and not isinstance(value, ndarray):
                raise TypeError(f"{name}: argument {key} must be a cupy.ndarray")
            if key == "fill_value" and not (is_scalar(value) or isinstance(value, ndarray)):
                raise TypeError(f"{name}: argument {key}: Unsupported type {type(value)}")
        if given.get("dtype") not in (None, ...):
            given["dtype"] = numeric(given["dtype"])
        if name.endswith("_like") and not given.get("shape"):
            given.pop("shape", None)  # CuPy: ``shape if shape else a.shape``, also for ``()``
        hosts = {k: v._host if isinstance(v, ndarray) else v for k, v in given.items()}
        check_driver()
        positional = hosts.pop("args", ())
        host = getattr(numpy, name)(*positional, **hosts)
        if name == "arange" or name.endswith("space"):
            host = numpy.array(host, order="C", copy=None)
        if garbage:
            fill_with_garbage(host)
            return device_array(host)
        return launch(name, host)

    make.__name__ = make.__qualname__ = name
    make.__module__ = "cupy"
    return make


def _arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> ndarray:
    for value in (start, stop, step):
        if value is not None and not is_scalar(value):
            raise TypeError(f"arange: expected a number, got {type(value)}")
    bounds = (0, start) if stop is None else (start, stop)
    return launch("arange", numpy.arange(*bounds, step, dtype))


_arange.__name__ = "arange"

CREATION: dict[str, Callable] = {
    name: _maker(name)
    for name in (
        "zeros",
        "ones",
        "full",
        "eye",
        "identity",
        "tri",
        "linspace",
        "logspace",
        "zeros_like",
        "ones_like",
        "full_like",
        "indices",
    )
}
CREATION |= {name: _maker(name, garbage=True) for name in ("empty", "empty_like")}
CREATION |= {
    "arange": _arange,
    "array": array,
    "asarray": asarray,
    "asanyarray": asarray,
    "ascontiguousarray": ascontiguousarray,
    "asfortranarray": asfortranarray,
    "asnumpy": asnumpy,
    "copy": copy,
    "get_array_module": get_array_module,
    "size": size,
}
