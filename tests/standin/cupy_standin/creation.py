"""Making arrays: on the device, and from the host, which is a copy that is counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from .core import NO_CONVERSION, check_devices, device_array, is_scalar, launch, ndarray
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
        return _from_sequence(obj, dtype)
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


def _from_sequence(obj: Any, dtype: Any) -> ndarray:
    """A sequence of equal arrays is stacked; a mixture CuPy hands to NumPy, which is refused."""
    arrays = [part for part in obj if isinstance(part, ndarray)]
    if len(arrays) < len(obj) or len({part.shape for part in arrays}) > 1:
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
    if not isinstance(a, ndarray):
        return array(a, dtype, order="C")
    host = numpy.array(a._host, dtype=dtype, order="C", copy=None)
    return a if host is a._host else launch("ascontiguousarray", host)


def asnumpy(
    a: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True
) -> numpy.ndarray:
    """``cupy.asnumpy``: a copy on the host; the host waits."""
    if isinstance(a, ndarray):
        return a.get(stream, order, out, blocking)
    return numpy.asarray(a, order=order)


def _maker(name: str) -> Callable:
    """A function that makes an array on the current device: ``zeros``, ``empty_like``."""

    def make(*args: Any, **kwargs: Any) -> Any:
        given = bind("cupy", name, args, kwargs)
        for key, value in given.items():
            is_array = isinstance(value, ndarray)
            if (
                isinstance(value, numpy.ndarray)
                or (key in ("a", "prototype") and not is_array)
                or (key == "fill_value" and not (is_scalar(value) or is_array))
            ):
                raise TypeError(f"{name}: argument {key}: Unsupported type {type(value)}")
        if given.get("dtype") not in (None, ...):
            given["dtype"] = numeric(given["dtype"])
        if name.endswith("_like") and not given.get("shape"):
            given.pop("shape", None)  # CuPy: ``shape if shape else a.shape``, also for ``()``
        hosts = {k: v._host if isinstance(v, ndarray) else v for k, v in given.items()}
        check_driver()
        host = numpy.array(getattr(numpy, name)(**hosts), copy=None)
        if name.startswith("empty"):
            fill_with_garbage(host)
            return device_array(host)
        return launch(name, host)

    make.__name__ = make.__qualname__ = name
    make.__module__ = "cupy"
    return make


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> ndarray:
    for value in (start, stop, step):
        if value is not None and not is_scalar(value):
            raise TypeError(f"arange: expected a number, got {type(value)}")
    bounds = (0, start) if stop is None else (start, stop)
    return launch("arange", numpy.arange(*bounds, step, dtype))


MADE = ("zeros", "ones", "full", "eye", "empty")
LIKE = ("zeros_like", "ones_like", "full_like", "empty_like")
CREATION: dict[str, Callable] = {name: _maker(name) for name in (*MADE, *LIKE)}
_BY_HAND = (arange, array, asarray, ascontiguousarray, asnumpy)
CREATION |= {function.__name__: function for function in _BY_HAND}
