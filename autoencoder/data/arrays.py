"""Checking arguments: numbers, and names with a suggestion for a misspelt one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy
from numpy.typing import ArrayLike

from minigrad.backend import shown, whole_number, whole_numbers

__all__ = ["array_of_numbers", "known_name", "require_shape", "whole_number", "whole_numbers"]


def known_name(caller: str, name: str, value: Any, known: Iterable[str]) -> str:
    """The value, if it is one of the names known.

    Raises
    ------
    ValueError
        Listing the names, and suggesting the nearest.

    Examples
    --------
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
    """The argument as a new float64 array.

    Raises
    ------
    TypeError
        If it holds anything but real numbers.

    Examples
    --------
    >>> array_of_numbers("DiagonalGaussian", "mean", [1, 2])
    array([1., 2.])
    """
    try:
        array = numpy.array(given)
    except ValueError:  # lists of different lengths
        array = numpy.array(None)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{caller}: {name} must be numbers, got {given!r:.60}")
    return array.astype("float64")


def require_shape(caller: str, batch: Any, expected: Sequence[int]) -> None:
    """Refuse a batch that is not of samples of the shape expected.

    Parameters
    ----------
    caller : str
        The operation that is named in the error.
    batch : array or Tensor (N, ...)
    expected : sequence of int
        The shape of one sample.

    Raises
    ------
    ValueError
        With both shapes.

    Examples
    --------
    >>> require_shape("encode", numpy.zeros((3, 1, 32, 32)), (1, 28, 28))
    Traceback (most recent call last):
        ...
    ValueError: encode: expected (N, 1, 28, 28), got (3, 1, 32, 32)
    """
    given = tuple(batch.shape) if hasattr(batch, "shape") else numpy.shape(batch)
    if given[1:] != tuple(expected):
        wanted = ", ".join(["N", *map(str, expected)])
        raise ValueError(f"{caller}: expected ({wanted}), got {given}")
