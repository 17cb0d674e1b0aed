"""Memory: its types and flags, what a fresh allocation holds, which views may be written."""

from __future__ import annotations

from typing import Any

import numpy

GARBAGE_BYTE = 0xA5


def numeric(dtype: Any) -> numpy.dtype:
    """A dtype CuPy supports."""
    dtype = numpy.dtype(dtype)
    if dtype.kind not in "biufc" or dtype.char in "gG":
        raise ValueError(f"Unsupported dtype {dtype}")
    return dtype.newbyteorder("=")


def saturate(host: numpy.ndarray, dtype: numpy.dtype) -> numpy.ndarray:
    """Floats to be cast to integers, with what does not fit moved to the nearest that does.

    NumPy leaves such casts to the processor; a GPU saturates and makes NaN zero.
    """
    if host.dtype.kind != "f" or dtype.kind not in "iu":
        return host
    limits = numpy.iinfo(dtype)
    largest = numpy.nextafter(float(limits.max) + 1, 0.0)  # the last float below 2**bits
    finite = numpy.nan_to_num(host.astype(float), nan=0.0, posinf=largest, neginf=limits.min)
    return finite.clip(limits.min, largest)


class Flags:
    """``cupy.ndarray.flags``: contiguity and ownership, nothing about writing."""

    def __init__(self, array: Any) -> None:
        self.c_contiguous = array._host.flags.c_contiguous
        self.f_contiguous = array._host.flags.f_contiguous
        self.owndata = array.base is None

    def __getitem__(self, name: str) -> bool:
        if name not in ("C_CONTIGUOUS", "F_CONTIGUOUS", "OWNDATA"):
            raise KeyError(f"{name} is not defined for cupy.ndarray.flags")
        return getattr(self, name.lower())


def fill_with_garbage(host: numpy.ndarray) -> None:
    """Fill uninitialised memory with what is noticed: NaN, or a pattern no result has."""
    if host.dtype.kind in "fc":
        host.fill(numpy.nan)
    elif host.dtype.kind == "b":
        host.flat[::2] = True
        host.flat[1::2] = False
    else:
        width = host.dtype.itemsize
        host.fill(numpy.frombuffer(bytes([GARBAGE_BYTE]) * width, host.dtype)[0])


def overlaps_itself(host: numpy.ndarray) -> bool:
    """Whether two indices of the array reach the same memory."""
    if host.size <= 1 or host.flags.c_contiguous or host.flags.f_contiguous:
        return False
    axes = sorted(
        (abs(stride), length)
        for stride, length in zip(host.strides, host.shape, strict=True)
        if length > 1
    )
    reach = host.itemsize
    for stride, length in axes:
        if stride < reach:
            return _overlaps_by_counting(host)
        reach += stride * (length - 1)
    return False


def _overlaps_by_counting(host: numpy.ndarray) -> bool:
    if 0 in (stride for stride, n in zip(host.strides, host.shape, strict=True) if n > 1):
        return True
    offsets = numpy.zeros((), numpy.int64)
    for stride, length in zip(host.strides, host.shape, strict=True):
        offsets = offsets[..., None] + stride * numpy.arange(length)
    return numpy.unique(offsets).size < host.size


def check_writable(name: str, host: numpy.ndarray) -> None:
    """Refuse to write through a view in which several elements share memory.

    CuPy lets the threads race; here the race is an error.
    """
    if not host.flags.writeable or overlaps_itself(host):
        raise ValueError(
            f"{name}: writing to a view of shape {host.shape} whose elements share memory "
            "(broadcast or overlapping windows) is a race on a GPU"
        )
