"""Checks of arguments: names (with a suggestion), numbers, generators, the shape of a batch."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy
from numpy.typing import ArrayLike

from minigrad.backend import require_number, shown, whole_number


class DataError(ValueError):
    """A file or folder of data is not what it should be; the message names it, and what is wrong.

    >>> from autoencoder import load
    >>> load("no/such/folder")
    Traceback (most recent call last):
        ...
    autoencoder.data.arrays.DataError: unknown data set 'no/such/folder': ...
    """


def require_memory(what: str, shape: Sequence[int], itemsize: int = 1) -> None:
    """Raise DataError if an array needs more memory than the machine has."""
    needed = math.prod(shape) * itemsize
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows
        there = 2**36
    if needed > there:
        raise DataError(
            f"{what}: {needed / 2**30:,.1f} GiB, and the machine has {there / 2**30:,.1f}"
        )


def known_name(caller: str, name: str, value: Any, known: Iterable[str]) -> str:
    """Give the value back if it is a known name; else a ValueError suggests the nearest.

    >>> known_name("EraseHalf", "side", "rihgt", ["left", "right"])
    Traceback (most recent call last):
        ...
    ValueError: EraseHalf: side must be one of left, right, not 'rihgt'; did you mean 'right'?
    """
    names = list(known)
    if value in names:
        return value
    message = f"{caller}: {name} must be one of {', '.join(names)}, not {shown(value)}"
    near = difflib.get_close_matches(value[:100], names, n=1) if isinstance(value, str) else []
    raise ValueError(message + (f"; did you mean {near[0]!r}?" if near else ""))


def array_of_numbers(caller: str, name: str, given: ArrayLike) -> numpy.ndarray:
    """The argument as a new float64 array; TypeError if it holds anything but real numbers."""
    try:
        array = numpy.array(given)
    except ValueError:  # lists of different lengths
        array = numpy.array(None)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{caller}: {name} must be numbers, got {given!r:.60}")
    return array.astype("float64")


def require_generator(caller: str, rng: Any) -> None:
    """Raise TypeError for anything but a seeded generator of random numbers."""
    if not isinstance(rng, numpy.random.Generator):
        raise TypeError(f"{caller}: rng must be a numpy.random.Generator, got {type(rng).__name__}")


def check_sampling(n: int, rng: Any, caller: str) -> None:
    """Raise ValueError for a negative count, TypeError for anything but a seeded Generator."""
    require_generator(caller, rng)
    whole_number(caller, "n", n, minimum=0)


def require_positive(caller: str, name: str, value: float) -> None:
    """Raise unless a value is a positive, finite number."""
    require_number(caller, name, value)
    if not 0 < value < math.inf:
        raise ValueError(f"{caller}: {name} must be positive and finite, got {shown(value)}")


def require_shape(caller: str, batch: Any, expected: Sequence[int]) -> None:
    """Raise ValueError, with both shapes, unless a batch (N, ...) is of samples of that shape.

    >>> require_shape("encode", numpy.zeros((3, 1, 32, 32)), (1, 28, 28))
    Traceback (most recent call last):
        ...
    ValueError: encode: expected (N, 1, 28, 28), got (3, 1, 32, 32)
    """
    given = tuple(batch.shape) if hasattr(batch, "shape") else numpy.shape(batch)
    if given[1:] != tuple(expected):
        wanted = ", ".join(["N", *map(str, expected)])
        raise ValueError(f"{caller}: expected ({wanted}), got {given}")
