"""Arrays as NPY bytes, read back with every claim of the header checked against the bytes.

`numpy.load` evaluates the header as a Python literal and allocates what it asks for. Here the
header must match one fixed pattern, so nothing is evaluated, and the size it claims must be
exactly the size of what follows. Source: numpy.lib.format, "Format Version 1.0".
"""

from __future__ import annotations

import io
import math
import re
import struct

import numpy as np

from minigrad.backend import shown

__all__ = ["decode_npy", "encode_npy"]

# Numbers and truth values of sizes every platform has; byte order is little-endian always.
_DTYPES = {
    np.dtype(code).newbyteorder("<").str: np.dtype(code)
    for code in (
        "?",
        "i1",
        "i2",
        "i4",
        "i8",
        "u1",
        "u2",
        "u4",
        "u8",
        "f2",
        "f4",
        "f8",
        "c8",
        "c16",
    )
}
_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(
    rb"\{'descr': '([<|][a-z]\d{1,2})', 'fortran_order': False, "
    rb"'shape': \(((?:\d{1,19}, )*\d{1,19},?)?\), \} *\n"
)
_MAX_DIMENSIONS = 32


def encode_npy(array: np.ndarray) -> bytes:
    """Give the bytes of an NPY file that holds `array`, little-endian and C-contiguous.

    Parameters
    ----------
    array : numpy.ndarray
        Boolean, integer (8 to 64 bits), real (16 to 64) or complex (64, 128).

    Raises
    ------
    TypeError
        If the dtype is another, for example Python objects.

    Examples
    --------
    >>> decode_npy(encode_npy(np.arange(3.0)))
    array([0., 1., 2.])
    """
    code = array.dtype.newbyteorder("<").str
    if code not in _DTYPES:
        raise TypeError(f"dtype {array.dtype} cannot be stored")
    # Not ascontiguousarray, which turns a single number into an array of one.
    array = np.array(array, dtype=code, order="C", copy=None, ndmin=0)
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=(1, 0), allow_pickle=False)
    return file.getvalue()


def decode_npy(content: bytes) -> np.ndarray:
    """Read what `encode_npy` wrote, into a new array in the machine's byte order.

    Raises
    ------
    ValueError
        If anything is not as it should be; the message says what.
    """
    if content[:8] != _MAGIC:
        raise ValueError(f"NPY header: starts with {content[:8]!r}, expected {_MAGIC!r}")
    if len(content) < 10:
        raise ValueError("NPY header: cut short")
    start = 10 + struct.unpack("<H", content[8:10])[0]
    match = _HEADER.fullmatch(content[10:start])
    if match is None or len(content) < start:
        raise ValueError(f"NPY header: {content[10:start][:100]!r} is not understood")
    dtype = _DTYPES.get(match[1].decode())
    if dtype is None:
        raise ValueError(f"NPY header: dtype {match[1].decode()!r} is not allowed")
    shape = tuple(int(size) for size in (match[2] or b"").split(b",") if size)
    # Sizes of 0 would hide a product beyond what NumPy can index.
    if len(shape) > _MAX_DIMENSIONS or math.prod(max(n, 1) for n in shape) > 2**56:
        raise ValueError(f"NPY header: shape {shown(shape)} is too large")
    claimed, held = math.prod(shape) * dtype.itemsize, len(content) - start
    if claimed != held:
        raise ValueError(f"NPY header: {dtype} {shape} needs {claimed} bytes, but {held} follow")
    if dtype.kind == "b" and np.frombuffer(content, np.uint8, offset=start).max(initial=0) > 1:
        raise ValueError("elements: a truth value is neither 0 nor 1")
    stored = np.frombuffer(content, dtype.newbyteorder("<"), offset=start)
    return stored.reshape(shape).astype(dtype)
