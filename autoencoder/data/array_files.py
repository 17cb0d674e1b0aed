"""Images in NumPy's files, ``.npy`` and ``.npz``, which may come from anybody."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy

from autoencoder.data.arrays import DataError, require_memory
from autoencoder.storage import npy
from autoencoder.storage.checkpoint import ZIP_ERRORS
from autoencoder.storage.files import open_regular
from minigrad.backend import shown

# What people call the arrays of an .npz, by what they are.
NAMES = {
    "images": ("images", "x", "X", "data", "arr_0"),
    "labels": ("labels", "label", "y", "target", "targets"),
    "train_images": ("train_images", "x_train", "X_train"),
    "train_labels": ("train_labels", "y_train"),
    "test_images": ("test_images", "x_test", "X_test"),
    "test_labels": ("test_labels", "y_test"),
}


def read_npy(path: Path) -> numpy.ndarray:
    """The array of an ``.npy`` file."""
    with open_regular(path) as file:
        return _read_array(file, str(path), os.fstat(file.fileno()).st_size)


def read_npz(path: Path) -> dict[str, numpy.ndarray]:
    """The arrays of an ``.npz`` file by what they are, as in `NAMES`; others may be there."""
    arrays = {}
    with open_regular(path) as file:
        try:
            archive = zipfile.ZipFile(file)
            members = {member.filename.removesuffix(".npy"): member for member in archive.filelist}
            for kind, names in NAMES.items():
                name = next((name for name in names if name in members), None)
                if name is not None:
                    with archive.open(members[name]) as stream:
                        size = members[name].file_size
                        arrays[kind] = _read_array(stream, f"{path}: {name}", size)
        except DataError:
            raise
        except (*ZIP_ERRORS, zlib.error) as error:
            raise DataError(f"{path}: is a damaged archive: {error}") from None
    if "images" not in arrays and "train_images" not in arrays:
        there = ", ".join(shown(name) for name in list(members)[:5]) or "nothing"
        raise DataError(
            f"{path}: holds {there}; the images must be called "
            f"{', '.join(NAMES['images'] + NAMES['train_images'])}"
        )
    return arrays


def _read_array(file: IO[bytes], where: str, available: int) -> numpy.ndarray:
    """An array out of a stream of so many bytes."""
    require_memory(where, (available,))
    try:
        return npy.read_npy(file, available)
    except ValueError as error:
        raise DataError(f"{where}: {error}") from None


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
