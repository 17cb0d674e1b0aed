"""NPY, NumPy's file of one array, read from anybody."""

from __future__ import annotations

import math
import tokenize
from typing import IO

import numpy
from numpy.lib import format as npy_format

from minigrad.backend import shown

_LARGEST_HEADER = 10_000
# NumPy evaluates a header as Python's tokenizer and parser leave it.
_FROM_A_DAMAGED_HEADER = (
    *(ValueError, TypeError, LookupError, ArithmeticError, SyntaxError, RecursionError),
    tokenize.TokenError,
)
_HEADERS = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}


def read_npy(file: IO[bytes], available: int) -> numpy.ndarray:
    """The array of an NPY file of so many bytes; a ValueError says what is wrong with it.

    Nothing is unpickled, and no memory is asked for before the header's claim agrees with the bytes
    that are there.
    """
    try:
        version = npy_format.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"version {version[0]}.{version[1]}")
        shape, _, dtype = _HEADERS[version](file, max_header_size=_LARGEST_HEADER)
    except _FROM_A_DAMAGED_HEADER as error:
        problem = shown(str(error) or type(error).__name__, 80)
        raise ValueError(f"is no NumPy array: {problem}") from None
    if dtype.hasobject:
        raise ValueError("holds Python objects, which could run any code: not read")
    # A size of 0 would hide a product beyond what NumPy can index.
    if any(side < 0 for side in shape) or math.prod(max(side, 1) for side in shape) > 2**56:
        raise ValueError(f"claims the shape {shown(shape)}")
    claimed, held = math.prod(shape) * dtype.itemsize, available - file.tell()
    if claimed != held:
        raise ValueError(f"{dtype} {shown(shape)} takes {claimed:,} bytes, but {held:,} are there")
    file.seek(0)
    return npy_format.read_array(file, allow_pickle=False, max_header_size=_LARGEST_HEADER)
