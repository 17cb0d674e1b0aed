"""Does a checkpoint hold what the program is about to use? Names, shapes, dtypes, finite values."""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.backend import cut, shown

__all__ = [
    "ANYTHING",
    "COUNT",
    "FINITE",
    "NOT_NEGATIVE",
    "NUMBER",
    "POSITIVE",
    "TEXT",
    "CheckpointError",
    "Kind",
    "check_arrays",
    "check_metadata",
    "check_value",
    "is_number",
]

_LARGEST = 1e60  # no sum of float32 losses comes near it, and its square is finite


class CheckpointError(ValueError):
    """A checkpoint was refused.

    Parameters
    ----------
    path : str
        The file.
    field : str
        The part of it that is wrong: the name of an array, or for example ``"checksum"``.
    problem : str
        What is wrong with it.

    Examples
    --------
    >>> error = CheckpointError("run/checkpoint.npz", "checksum", "does not match")
    >>> str(error), error.field
    ('run/checkpoint.npz: checksum: does not match', 'checksum')
    """

    def __init__(self, path: str, field: str, problem: str) -> None:
        self.path, self.field = path, cut(field)
        super().__init__(f"{path}: {self.field}: {cut(problem, 500)}")


def check_arrays(
    arrays: Mapping[str, np.ndarray],
    expected: Mapping[str, Any] | None,
    path: str | os.PathLike[str],
    *,
    require_finite: bool = False,
) -> None:
    """Compare the arrays of a checkpoint, or some of them, with what a program needs.

    Parameters
    ----------
    arrays : mapping of str to numpy.ndarray
        What was read.
    expected : mapping of str to array, or None
        Exactly these names, with these shapes and dtypes. None asks for nothing.
    path : path-like
        The file, for the message.
    require_finite : bool
        Refuse NaN and infinity.

    Raises
    ------
    CheckpointError
        Naming the first array that is wrong.

    Examples
    --------
    >>> check_arrays({"weight": np.ones(2)}, {"weight": np.ones(3)}, "c.npz")
    Traceback (most recent call last):
        ...
    autoencoder.storage.spec.CheckpointError: c.npz: weight: has shape (2,), expected (3,)
    """
    path = os.fspath(path)
    if expected is not None:
        missing = [name for name in expected if name not in arrays]
        unexpected = [name for name in arrays if name not in expected]
        if missing:
            raise CheckpointError(path, missing[0], f"is missing{_others(missing)}")
        if unexpected:
            raise CheckpointError(path, unexpected[0], f"is unexpected{_others(unexpected)}")
        for name, want in expected.items():
            array, shape, dtype = arrays[name], tuple(want.shape), np.dtype(want.dtype)
            if array.shape != shape:
                raise CheckpointError(path, name, f"has shape {array.shape}, expected {shape}")
            if array.dtype != dtype:
                raise CheckpointError(path, name, f"has dtype {array.dtype}, expected {dtype}")
    if require_finite:
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
                raise CheckpointError(path, name, f"holds {array[index]} at index {index}")


def check_metadata(
    metadata: Mapping[str, Any],
    expected: Mapping[str, Any],
    path: str | os.PathLike[str],
) -> None:
    """Compare some entries of a checkpoint's metadata with the values a program needs.

    Raises
    ------
    CheckpointError
        Naming the first entry that is missing or different.
    """
    for key, value in expected.items():
        if key not in metadata:
            raise CheckpointError(os.fspath(path), f"metadata {key!r}", "is missing")
        stored = json.loads(json.dumps(value))  # a tuple is stored as a list
        check_value(metadata[key], stored, path, f"metadata {key!r}")


def is_number(value: Any) -> bool:
    """Tell whether a value is an int or a float (NaN and infinity too) that is not beyond reason.

    Examples
    --------
    >>> is_number(3), is_number(float("nan")), is_number(10**400), is_number(True)
    (True, True, False, False)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return not _LARGEST < abs(value) < math.inf


@dataclass(frozen=True)
class Kind:
    """What a value read from a file has to be.

    Parameters
    ----------
    words : str
        For the message: ``"a finite number"``.
    accepts : callable
        Tells whether a value is one.

    Examples
    --------
    >>> Kind("an even number", lambda value: value % 2 == 0).accepts(3)
    False
    """

    words: str
    accepts: Callable[[Any], bool]


ANYTHING = Kind("anything", lambda value: True)
NUMBER = Kind("a number", is_number)
FINITE = Kind("a finite number", lambda value: is_number(value) and math.isfinite(value))
NOT_NEGATIVE = Kind("a finite number from 0", lambda v: FINITE.accepts(v) and v >= 0)
POSITIVE = Kind("a positive number", lambda value: FINITE.accepts(value) and value > 0)
COUNT = Kind("a whole number from 0", lambda v: NOT_NEGATIVE.accepts(v) and isinstance(v, int))
# Without a dollar: the figures would read it as mathematics.
TEXT = Kind("a short text", lambda v: isinstance(v, str) and len(v) <= 200 and "$" not in v)


def check_value(value: Any, expected: Any, path: str | os.PathLike[str], field: str) -> None:
    """Compare a value of a file, and all that is in it, with what a program needs.

    Parameters
    ----------
    value : object
        What was read: anything JSON can hold.
    expected : Kind, dict, list or any other value
        A dict asks for exactly its keys, a list for as many values as it has, ``[one, ...]`` for
        any number of them from 1; each is compared in turn. Any other value asks for itself.
    path : path-like
        The file, for the message.
    field : str
        What the value is called in it.

    Raises
    ------
    CheckpointError
        Naming the first field that is wrong.

    Examples
    --------
    >>> check_value({"loss": [0.5, None]}, {"loss": [FINITE, ...]}, "c.npz", "numbers")
    Traceback (most recent call last):
        ...
    autoencoder.storage.spec.CheckpointError: c.npz: numbers['loss'][1]: is None, expected a \
finite number
    """

    def refuse(problem: str, place: str = field) -> CheckpointError:
        return CheckpointError(os.fspath(path), place, problem)

    if isinstance(expected, Kind):
        if not expected.accepts(value):
            raise refuse(f"is {shown(value)}, expected {expected.words}")
    elif isinstance(expected, Mapping):
        if not isinstance(value, dict):
            raise refuse(f"is {shown(value)}, expected named values")
        for key in [*expected, *value]:
            if key not in value:
                raise refuse("is missing", f"{field}[{shown(key)}]")
            if key not in expected:
                raise refuse("is unexpected", f"{field}[{shown(key)}]")
            check_value(value[key], expected[key], path, f"{field}[{shown(key)}]")
    elif isinstance(expected, list):
        if not isinstance(value, list) or (not value and expected):
            raise refuse(f"is {shown(value)}, expected a list")
        if expected[-1:] == [...]:
            expected = [expected[0]] * len(value)
        for i, (one, want) in enumerate(itertools.zip_longest(value, expected, fillvalue=...)):
            if one is ... or want is ...:
                raise refuse("is missing" if one is ... else "is unexpected", f"{field}[{i}]")
            check_value(one, want, path, f"{field}[{i}]")
    elif isinstance(value, bool) != isinstance(expected, bool) or value != expected:
        raise refuse(f"is {shown(value)}, expected {shown(expected)}")


def _others(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""
