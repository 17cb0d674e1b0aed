"""Indexing as CuPy does it: views, wrapping integer arrays, masks that wait, scrambled writes."""

from __future__ import annotations

from typing import Any

import numpy

from .core import check_devices, is_scalar, launch, ndarray, write
from .counters import counters


def get_item(array: ndarray, index: Any) -> ndarray:
    """``array[index]``: a view for basic indices, a new array for integer arrays and masks."""
    index, kinds = _prepare(array, index)
    if not kinds:
        return array._view(array._host[_with_ellipsis(index)])
    check_devices("getitem", [array])
    if "b" in kinds:
        counters.wait()
    return launch("getitem", numpy.asarray(array._host[index], order="C"))


def set_item(array: ndarray, index: Any, value: Any) -> None:
    """``array[index] = value``; the value is an array of the device or a number."""
    if not isinstance(value, ndarray) and not is_scalar(value):
        raise TypeError(f"setitem: Unsupported type {type(value)}; move it to the device first")
    index, kinds = _prepare(array, index)
    if isinstance(value, ndarray):
        check_devices("setitem", [array, value])
        source = _without_leading_ones(value._host)
    else:
        check_devices("setitem", [array])
        source = value
    if not kinds:
        target = array._view(array._host[_with_ellipsis(index)])
        _assign(target, value, source)
        return
    if is_scalar(value):
        counters.copy_to_device(array.itemsize)  # CuPy makes a device array of the number
    write("setitem", array)
    if "b" in kinds:
        counters.wait()
        array._host[index] = source
    else:
        positions, values = _scatter(array._host, index, source)
        array._host.flat[positions] = values  # in reverse: not the last duplicate wins


def scatter(array: ndarray, index: Any, value: Any, name: str, function: Any) -> None:
    """``cupy.add.at`` and its relatives: every duplicate counts, in no fixed order."""
    if not isinstance(value, ndarray) and not is_scalar(value):
        raise TypeError(f"{name}.at: Unsupported type {type(value)}; move it to the device first")
    if array.dtype.char not in "iefdIQL":
        raise TypeError(
            f"{name}.at only supports int32, float16, float32, float64, uint32, uint64, got "
            f"{array.dtype}"
        )
    index, _ = _prepare(array, index)
    check_devices(name, [array] + ([value] if isinstance(value, ndarray) else []))
    write(f"{name}.at", array)
    source = value._host if isinstance(value, ndarray) else value
    positions, values = _scatter(array._host, index, numpy.asarray(source, array.dtype))
    flat = array._host.reshape(-1) if array._host.flags.c_contiguous else array._host.ravel()
    function.at(flat, positions, values)
    array._host[...] = flat.reshape(array.shape)


def _with_ellipsis(index: tuple) -> tuple:
    """With an ellipsis NumPy gives a view where it would give a scalar."""
    return index if any(part is Ellipsis for part in index) else (*index, Ellipsis)


def _without_leading_ones(host: numpy.ndarray) -> numpy.ndarray:
    while host.ndim and host.shape[0] == 1:
        host = host[0]
    return host


def _prepare(array: ndarray, index: Any) -> tuple[tuple, set[str]]:
    """The index as NumPy takes it, out-of-range entries of integer arrays wrapped."""
    parts = list(index) if isinstance(index, tuple) else [index]
    prepared: list[Any] = []
    kinds: set[str] = set()
    axis = 0
    taken = sum(_axes_of(part) for part in parts)
    for part in parts:
        if part is Ellipsis:
            axis += array.ndim - taken
        elif isinstance(part, (list, numpy.ndarray, bool, numpy.bool_)):
            host = numpy.asarray(part)
            if isinstance(part, list) and host.size == 0:
                host = host.astype(numpy.int32)
            counters.copy_to_device(host.nbytes)
            part = host
        elif isinstance(part, ndarray):
            check_devices("getitem", [array, part])
            part = part._host
        elif not (part is None or isinstance(part, slice) or is_scalar(part)):
            raise IndexError(
                "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and "
                f"integer or boolean arrays are valid indices, got {type(part)}"
            )
        if isinstance(part, numpy.ndarray):
            if part.dtype.kind not in "biu":
                raise IndexError(
                    "arrays used as indices must be of integer or boolean type. "
                    f"(actual: {part.dtype.type})"
                )
            kinds.add("b" if part.dtype.kind == "b" else "i")
            if part.dtype.kind != "b" and axis < array.ndim and array.shape[axis]:
                part = part % array.shape[axis]
        axis += _axes_of(part)
        prepared.append(part)
    return tuple(prepared), kinds


def _axes_of(part: Any) -> int:
    """How many axes of the array one part of an index uses up."""
    if part is None or part is Ellipsis:
        return 0
    host = getattr(part, "_host", part)
    if isinstance(host, (bool, numpy.bool_)):
        return 0
    if isinstance(host, list):
        host = numpy.asarray(host)
    if isinstance(host, numpy.ndarray) and host.dtype.kind == "b":
        return host.ndim
    return 1


def _assign(target: ndarray, value: Any, source: Any) -> None:
    """Assign to a view; a plain copy between overlapping memory is undefined on the device."""
    if isinstance(value, ndarray):
        host = target._host
        same_layout = host.shape == source.shape and host.strides == source.strides
        if same_layout and target.data.ptr == value.data.ptr:
            return
        if numpy.may_share_memory(host, source):
            if same_layout and host.flags.c_contiguous and host.dtype == source.dtype:
                raise ValueError("setitem: copying between overlapping memory is undefined in CuPy")
            counters.add(hidden_copies=1)
    write("setitem", target)
    with numpy.errstate(all="ignore"):
        target._host[...] = source


def _scatter(host: numpy.ndarray, index: tuple, source: Any) -> tuple[Any, Any]:
    """Flat positions an advanced index reaches and the values for them, in reverse order."""
    positions = numpy.arange(host.size).reshape(host.shape)[index]
    values = numpy.broadcast_to(source, positions.shape)
    return positions.ravel()[::-1], values.ravel()[::-1]


ndarray.__getitem__, ndarray.__setitem__ = get_item, set_item
