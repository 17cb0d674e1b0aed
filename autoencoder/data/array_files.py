"""Images in NumPy's files, ``.npy`` and ``.npz``, which may come from anybody.

Nothing is unpickled, and no memory is asked for before a header's claim agrees with the bytes that
are there.
"""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy
from numpy.lib import format as npy_format

from autoencoder.data.arrays import DataError, require_memory
from autoencoder.storage.files import open_regular
from minigrad.backend import shown

__all__ = ["as_images", "as_labels", "read_npy", "read_npz"]

_CHUNK = 1 << 24
_LARGEST_HEADER = 10_000
_READERS = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}
# What people call the arrays of an .npz: images and labels, of the training and of the test set.
IMAGES = ("images", "x", "X", "data", "arr_0")
LABELS = ("labels", "label", "y", "target", "targets")
TRAIN_IMAGES = ("train_images", "x_train", "X_train")
TRAIN_LABELS = ("train_labels", "y_train")
TEST_IMAGES = ("test_images", "x_test", "X_test")
TEST_LABELS = ("test_labels", "y_test")


def read_npy(path: Path) -> numpy.ndarray:
    """The array of an ``.npy`` file."""
    with open_regular(path) as file:
        return _read_array(file, str(path), os.fstat(file.fileno()).st_size)


def read_npz(path: Path) -> dict[str, numpy.ndarray]:
    """Arrays by what they are: ``images`` or ``train_images``, ``labels`` and so on.

    Only these are read; others may be there.
    """
    known = {
        "images": IMAGES,
        "labels": LABELS,
        "train_images": TRAIN_IMAGES,
        "train_labels": TRAIN_LABELS,
        "test_images": TEST_IMAGES,
        "test_labels": TEST_LABELS,
    }
    arrays = {}
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            members = {
                member.filename.removesuffix(".npy"): member for member in archive.infolist()
            }
            for kind, names in known.items():
                found = [name for name in names if name in members]
                if found:
                    member = members[found[0]]
                    with archive.open(member) as stream:
                        where = f"{path}: {found[0]}"
                        arrays[kind] = _read_array(stream, where, member.file_size)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise DataError(f"{path}: is a damaged archive: {error}") from None
    if "images" not in arrays and "train_images" not in arrays:
        there = ", ".join(shown(name) for name in list(members)[:5]) or "nothing"
        raise DataError(
            f"{path}: holds {there}; the images must be called {', '.join(IMAGES)} or "
            f"{', '.join(TRAIN_IMAGES)}"
        )
    return arrays


def _read_array(file: IO[bytes], where: str, available: int) -> numpy.ndarray:
    """An array out of a stream of so many bytes."""
    try:
        version = npy_format.read_magic(file)
        if version not in _READERS:
            raise ValueError(f"version {version[0]}.{version[1]}")
        shape, is_fortran, dtype = _READERS[version](file, max_header_size=_LARGEST_HEADER)
    except (ValueError, TypeError, SyntaxError, OverflowError, RecursionError) as error:
        raise DataError(f"{where}: is no NumPy array: {error}") from None
    if dtype.hasobject:
        raise DataError(f"{where}: holds Python objects, which could run any code: not read")
    if dtype.kind not in "biufU":
        raise DataError(f"{where}: {dtype} is no kind of numbers that an image has")
    if any(side < 0 for side in shape):
        raise DataError(f"{where}: claims the shape {shown(shape)}")
    size = math.prod(shape) * dtype.itemsize
    if size != available - file.tell():
        raise DataError(
            f"{where}: {dtype} {shown(shape)} takes {size:,} bytes, but "
            f"{available - file.tell():,} are there"
        )
    require_memory(where, (size,))
    content = memoryview(numpy.empty(size, "uint8"))  # type: ignore[arg-type]
    done = 0
    while done < size:
        chunk = file.read(min(_CHUNK, size - done))
        if not chunk:
            raise DataError(f"{where}: ends after {done:,} of {size:,} bytes")
        content[done : done + len(chunk)] = chunk
        done += len(chunk)
    array = numpy.frombuffer(content, dtype)
    return array.reshape(shape, order="F" if is_fortran else "C")


def as_images(array: numpy.ndarray, where: str) -> numpy.ndarray:
    """Images (N, H, W), (N, H, W, C) or (N, C, H, W) as (N, H, W) or (N, 3, H, W).

    uint8, or float32 in [0, 1]; in the machine's byte order and C order.
    """
    if array.ndim == 4 and array.shape[3] in (1, 3):
        array = array.transpose(0, 3, 1, 2)
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[1] not in (1, 3)):
        raise DataError(
            f"{where}: has the shape {shown(array.shape)}; images are (N, H, W), (N, H, W, C) or "
            "(N, C, H, W) with C = 1 or 3"
        )
    if not array.size:
        raise DataError(f"{where}: holds no images, its shape is {shown(array.shape)}")
    if array.ndim == 4 and array.shape[1] == 1:
        array = array[:, 0]
    if array.dtype.kind == "b":
        return numpy.ascontiguousarray(array, "uint8") * numpy.uint8(255)
    if array.dtype == numpy.uint8:
        return numpy.ascontiguousarray(array)
    if array.dtype.kind != "f":
        raise DataError(
            f"{where}: holds {array.dtype}; pixels are uint8 from 0 to 255, or floats from 0 to 1"
        )
    images = numpy.empty(array.shape, "float32")
    for i, image in enumerate(array):
        if not (image.min() >= 0 and image.max() <= 1):  # NaN is neither
            wrong = image[~((image >= 0) & (image <= 1))][0]
            raise DataError(
                f"{where}: image {i} holds {wrong}; floats must lie between 0 and 1 (uint8 goes "
                "from 0 to 255)"
            )
        images[i] = image
    return images


def as_labels(
    array: numpy.ndarray | None, count: int, where: str
) -> tuple[numpy.ndarray | None, tuple[str, ...]]:
    """Labels (N,) as integers, and their names where they are words."""
    if array is None:
        return None, ()
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape != (count,) or array.dtype.kind not in "iuU":
        raise DataError(
            f"{where}: labels must be {count} whole numbers or words, not {array.dtype} "
            f"{shown(array.shape)}"
        )
    if array.dtype.kind == "U":
        return numbered(array.tolist())
    return numpy.ascontiguousarray(array, array.dtype.newbyteorder("=")), ()


def numbered(names: Sequence[Any]) -> tuple[numpy.ndarray, tuple[str, ...]]:
    """Words as the numbers of the different ones in their order, and these.

    >>> numbered(["cat", "dog", "cat"])
    (array([0, 1, 0]), ('cat', 'dog'))
    """
    classes, labels = numpy.unique(numpy.array(names), return_inverse=True)
    return labels, tuple(map(str, classes))
