"""Does a checkpoint hold what the program is about to use? Names, shapes, dtypes, finite values."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["CheckpointError", "check_arrays", "check_metadata"]


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
        super().__init__(f"{path}: {field}: {problem}")
        self.path = path
        self.field = field


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
    autoencoder.checkpoint_spec.CheckpointError: c.npz: weight: has shape (2,), expected (3,)
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
        if metadata[key] != stored:
            raise CheckpointError(
                os.fspath(path),
                f"metadata {key!r}",
                f"is {metadata[key]!r}, expected {stored!r}",
            )


def _others(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""
