"""The array switch: which library an array belongs to, and moving arrays between devices.

Dispatch is per array, never per process, so CPU and GPU results can stand side by side. NumPy
arrays live on ``cpu``; CuPy arrays live on ``cuda:0``, ``cuda:1``, ... CuPy is imported only when
a CUDA device is asked for, so a machine without it loses nothing.

What else depends on the library stands here too: how memory is kept, how numbers and lists become
arrays, and views of memory with strides of their own.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any, TypeAlias

import numpy

from minigrad.backend.cuda import current, import_cupy, require_device
from minigrad.backend.numbers import shown


def keep_memory() -> None:
    """Have the memory this thread frees stay with the process, in large pages.

    The GNU C library returns freed memory to the system above a threshold, and the next use pays
    for fresh pages: up to half the time of an operation. The threshold grows with the largest block
    ever freed (see mallopt(3)), so freeing one large block, never touched, is enough.

    The second block lies where this thread's memory will always lie. For one so large NumPy asks
    for pages of 2 MiB, whose addresses the processor finds faster. They remain, and hold the arrays
    to come: a training step takes 2 to 6 % less time. Elsewhere neither does anything.
    """
    numpy.empty(31 << 20, "uint8")
    numpy.empty(28 << 20, "uint8")


Array: TypeAlias = numpy.ndarray  # or a cupy.ndarray, which has the same methods
HostArray = numpy.ndarray
HostScalar = numpy.generic
as_host_array = numpy.asarray  # from a Python value (number, nested list) or a NumPy scalar

keep_memory()


@dataclass(frozen=True)
class Device:
    """Where arrays live: ``Device("cpu", None)`` or ``Device("cuda", 0)``.

    Made by :func:`device`, which also checks that the device works.

    Attributes
    ----------
    type : str
        ``"cpu"`` or ``"cuda"``.
    index : int or None
        Which GPU; ``None`` for the CPU.

    Examples
    --------
    >>> str(Device("cuda", 1)), str(Device("cpu"))
    ('cuda:1', 'cpu')
    """

    type: str
    index: int | None = None

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"


CPU = Device("cpu")
_ON_THE_HOST = contextlib.nullcontext()


@lru_cache(maxsize=64)  # asked for with every array
def _gpu(index: int) -> Device:
    return Device("cuda", index)


def device(spec: str | Device) -> Device:
    """Name a device, as ``"cpu"``, ``"cuda"`` (the first GPU) or ``"cuda:1"``; make sure it works.

    A ValueError says that ``spec`` names no device, a RuntimeError what a CUDA device lacks that
    cannot be used: there is no silent falling back to the CPU.

    >>> str(device("cpu"))
    'cpu'
    """
    if isinstance(spec, Device):
        spec = str(spec)
    kind, _, index = spec.partition(":") if isinstance(spec, str) else ("", "", "")
    if kind == "cpu" and index in ("", "0"):
        return CPU
    if kind == "cuda" and (spec == "cuda" or index.isdecimal()):
        number = int(index or 0)
        require_device(number)
        return _gpu(number)
    raise ValueError(f"device: expected 'cpu', 'cuda' or 'cuda:N', got {shown(spec)}")


def named_device(target: Any) -> Device | None:
    """The device that a target of ``to`` names, once it works; None if it names none."""
    is_name = isinstance(target, str) and target.partition(":")[0] in ("cpu", "cuda")
    return device(target) if is_name or isinstance(target, Device) else None


def is_array(value: object) -> bool:
    """Tell whether a value is a NumPy or a CuPy array."""
    return isinstance(value, numpy.ndarray) or _is_cupy(value)


def _is_cupy(value: object) -> bool:
    cupy = sys.modules.get("cupy")  # if nobody imported CuPy, nothing can be a CuPy array
    return cupy is not None and isinstance(value, cupy.ndarray)


def device_of(array: Array) -> Device:
    """The device an array lives on; a TypeError if it is no array."""
    if isinstance(array, (numpy.ndarray, numpy.generic)):
        return CPU
    if _is_cupy(array):
        return _gpu(array.data.device_id)  # CuPy makes a new Device of its own for array.device
    raise TypeError(f"expected a NumPy or CuPy array, got {type(array).__name__}")


def common_device(*arrays: Array, name: str = "operation") -> Device:
    """The one device all arrays live on; where there are several, a TypeError lists them."""
    devices = [device_of(array) for array in arrays]
    if len(set(devices)) > 1:
        places = ", ".join(f"argument {i} on {place}" for i, place in enumerate(devices))
        raise TypeError(f"{name}: all arguments must be on one device, got {places}")
    return devices[0] if devices else CPU


def array_module(*arrays: Array) -> ModuleType:
    """The library the arrays belong to: the ``numpy`` or the ``cupy`` module."""
    for array in arrays:  # no generator: this is asked several times an operation
        if type(array) is not numpy.ndarray:
            break
    else:
        return numpy
    cupy: Any = sys.modules.get("cupy")
    if len(arrays) == 1 and cupy is not None and type(array) is cupy.ndarray:
        return cupy
    return numpy if common_device(*arrays).type == "cpu" else sys.modules["cupy"]


def as_dtype(name: str, dtype: Any, expected: str = "a dtype") -> Any:
    """A dtype that tensors have, from its name, type or itself, in the machine's byte order."""
    try:
        found = None if dtype is None else numpy.dtype(dtype)  # NumPy takes None for float64
    except (TypeError, ValueError):
        found = None
    if found is None:
        raise TypeError(f"{name}: expected {expected}, got {shown(dtype)}")
    if found.kind not in "iub" and (found.kind != "f" or found.itemsize not in (4, 8)):
        raise TypeError(
            f"{name}: expected numbers (float32, float64, whole or bool), got {found!s:.80}"
        )
    return numpy.dtype(found.char)  # the machine's byte order


def as_array(
    data: Any, dtype: Any = None, place: str | Device | None = None, name: str = "Tensor"
) -> Array:
    """An array, a number or a nested list as an array that a tensor can have.

    Arrays are not copied without need and keep their precision; Python floats become float32.
    """
    wanted = None if dtype is None else as_dtype(name, dtype)
    if isinstance(data, HostArray):
        data = as_host_array(data)  # a memory map as well, or a matrix, whose * is another
    elif not is_array(data):
        data = _from_python(data, wanted, name)
    if wanted is None or data.dtype.kind not in "fiub":
        wanted = as_dtype(name, data.dtype)
    if data.dtype != wanted:
        with use_device(device_of(data)):
            data = data.astype(wanted)
    return data if place is None else to_device(data, place)


def _from_python(data: Any, wanted: Any, name: str) -> Array:
    """Numbers and lists of them as an array: of float32 where nothing says another precision."""
    first = data
    while isinstance(first, (list, tuple)) and first:
        first = first[0]
    is_foreign = hasattr(first, "__array__") and not isinstance(first, (HostArray, HostScalar))
    is_plain = not (hasattr(data, "dtype") or is_foreign)
    try:
        array = as_host_array(data)
        if is_plain and wanted is None and array.dtype.kind == "f":
            array = array.astype("float32")
        elif is_plain and wanted is not None and array.dtype.kind in "fiub":
            given, array = array, as_host_array(data, wanted)  # notices Python's out of range
            if given.dtype.kind in "iu" and wanted.kind in "iu" and (array != given).any():
                raise OverflowError  # NumPy's own numbers wrap
    except OverflowError as error:
        raise OverflowError(f"{name}: a number is out of the range of {wanted}") from error
    except ValueError as error:
        raise TypeError(f"{name}: the data is no regular array: {error}") from error
    return array


def where_not_finite(array: Array) -> str:
    """The first index and value that is NaN or infinite, in words; empty if there is none."""
    xp = array_module(array)
    with use_device(device_of(array)):
        finite = xp.isfinite(array)
        if bool(finite.all()):
            return ""
        flat = int(xp.argmin(finite))  # False sorts first
        index = tuple(int(i) for i in xp.unravel_index(xp.asarray(flat), array.shape))
        return f"first at index {index}: {to_numpy(array[index])}"


def to_device(array: Array, target: str | Device) -> Array:
    """Copy an array to a device; an array already there is returned as it is."""
    target = target if isinstance(target, Device) else device(target)
    if device_of(array) == target:
        return array
    if target.type == "cpu":
        return to_numpy(array)
    with use_device(target):
        return import_cupy().asarray(array)


def to_numpy(array: Array) -> numpy.ndarray:
    """Copy an array to the host; a NumPy array is returned as it is. Waits for the device."""
    if device_of(array) == CPU:
        return numpy.asarray(array)
    return sys.modules["cupy"].asnumpy(array)


def use_device(place: Device) -> contextlib.AbstractContextManager:
    """Make a device the current one, so that new arrays and launches go there."""
    if place.type == "cpu":
        return _ON_THE_HOST
    return current(import_cupy(), place.index or 0)


def strided_view(x: Array, shape: Sequence[int], strides: Sequence[int], first: int = 0) -> Array:
    """See the memory of an array in another shape, elements more than once if need be.

    The view is to be read only. ``strides`` are in bytes; ``first`` is the element of a contiguous
    x, counted in memory, that the view starts at. NumPy refuses a view that reaches beyond such an
    x.

    >>> strided_view(numpy.arange(5.0), (2, 3), (8, 8), first=1)
    array([[1., 2., 3.],
           [2., 3., 4.]])
    """
    xp = array_module(x)
    if 0 in shape:
        return xp.empty(shape, dtype=x.dtype)
    contiguous = x.flags.c_contiguous
    if contiguous and xp is numpy:  # its as_strided takes seven times as long and checks nothing
        return numpy.ndarray(shape, x.dtype, x, first * x.itemsize, strides)
    if contiguous:
        x = x.reshape(-1)[first:]
    elif first:
        raise ValueError(f"strided_view: first={first} needs a contiguous array, got {x.strides}")
    return xp.lib.stride_tricks.as_strided(x, shape, strides)
