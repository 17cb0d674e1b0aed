"""Sets of small grey images with labels: MNIST, which comes with the package, and its relatives.

>>> digits = load("mnist")
>>> digits.train_images.shape, digits.train_images.dtype
((60000, 28, 28), dtype('uint8'))
>>> x = digits.images("test")
>>> x.shape, x.dtype, float(x.min()), float(x.max())
((10000, 1, 28, 28), dtype('float32'), 0.0, 1.0)
"""

from __future__ import annotations

import dataclasses
import functools
import os
from pathlib import Path
from typing import Any

import numpy

from autoencoder.data.download import fetch
from autoencoder.data.idx import IdxError, read_idx
from autoencoder.data.published import FILES, Source, find_source, read_published
from autoencoder.storage.checkpoint import digest_of
from minigrad.backend import shown

__all__ = ["Dataset", "load", "load_folder"]

_PACKAGED = Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Images and labels, split into training and test as published.

    Parameters
    ----------
    name : str
        What the set is called.
    train_images, test_images : numpy.ndarray
        (N, height, width) or (N, channels, height, width), uint8 from 0 to 255 or float32 from 0
        to 1.
    train_labels, test_labels : numpy.ndarray or None
        Integers (N,), or None where there are no labels.
    classes : sequence of str
        What the labels 0, 1, ... are called; empty where nobody said.

    Examples
    --------
    >>> blank, label = numpy.zeros((2, 28, 28), "uint8"), numpy.zeros(2, "uint8")
    >>> Dataset("blank", blank, label, blank, label).images("test").shape
    (2, 1, 28, 28)
    """

    name: str
    train_images: numpy.ndarray
    train_labels: numpy.ndarray | None
    test_images: numpy.ndarray
    test_labels: numpy.ndarray | None
    classes: tuple[str, ...] = ()

    def images(self, split: str, count: int | None = None) -> numpy.ndarray:
        """Give the images of a split ("train" or "test") as a network takes them.

        A new array (N, C, height, width), float32 in [0, 1]; with ``count`` only the first so many.
        """
        pixels = self._of(split, self.train_images, self.test_images)[:count]
        images = pixels.reshape(len(pixels), *self.image_shape).astype(numpy.float32)
        if pixels.dtype == numpy.uint8:
            images /= numpy.float32(255)
        return images

    def labels(self, split: str) -> numpy.ndarray | None:
        """Give the labels of a split ("train" or "test"): integers (N,), or None without labels."""
        return self._of(split, self.train_labels, self.test_labels)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        *channels, height, width = self.train_images.shape[1:]
        return (channels[0] if channels else 1), height, width

    @functools.cached_property
    def digest(self) -> str:
        """The SHA-256 of all images and labels: another for other data of the same shapes."""
        arrays = (self.train_images, self.train_labels, self.test_images, self.test_labels)
        return digest_of(*(array for array in arrays if array is not None))

    @staticmethod
    def _of(split: str, train: Any, test: Any) -> Any:
        if split not in ("train", "test"):
            raise ValueError(f"split must be 'train' or 'test', not {shown(split)}")
        return train if split == "train" else test

    def __repr__(self) -> str:
        channels, height, width = self.image_shape
        return (
            f"Dataset({self.name!r}, {len(self.train_images)} training and "
            f"{len(self.test_images)} test images of {height} x {width}"
            f"{'' if channels == 1 else f' x {channels}'})"
        )


def load(
    name: str = "mnist",
    folder: str | os.PathLike[str] | None = None,
    *,
    offline: bool | None = None,
) -> Dataset:
    """Load a published set; its files' digests are checked every time.

    Parameters
    ----------
    name : {"mnist", "fashion-mnist", "kmnist"}
        MNIST comes with the package. The others are downloaded at first use and kept; see
        `autoencoder.data.download`.
    folder : path-like, optional
        Where the four IDX files are, plain or with ``.gz``; nothing is downloaded then. KMNIST
        needs the published ``.gz`` files, since only their digests are known.
    offline : bool, optional
        Do not download; by default what the environment variable ``MINIGRAD_OFFLINE`` says.

    Raises
    ------
    ValueError
        If the name is unknown (with a suggestion), or a file is not the published one (IdxError).
    FileNotFoundError
        If a file is missing from `folder`.
    DownloadError
        If a file is missing and cannot be downloaded; says how to place it by hand.

    Examples
    --------
    >>> load("mnist")
    Dataset('mnist', 60000 training and 10000 test images of 28 x 28)
    """
    source = find_source(name)
    if folder is None:
        packaged = _PACKAGED / source.name
        folder = packaged if packaged.is_dir() else fetch(source.name, offline=offline)
    return _load(Path(folder), source.name, source)


def load_folder(folder: str | os.PathLike[str]) -> Dataset:
    """Load any set of four IDX files, checked for their form only, and name it after its folder.

    Parameters
    ----------
    folder : path-like
        Holds ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte``
        and ``t10k-labels-idx1-ubyte``, each plain or with ``.gz``.

    Raises
    ------
    IdxError
        If a file is damaged, is not images (uint8, three dimensions) or labels (integers, one
        dimension), or the files do not belong together.
    FileNotFoundError
        If a file is missing.

    Examples
    --------
    >>> load_folder(_PACKAGED / "mnist").name
    'mnist'
    """
    folder = Path(folder)
    return _load(folder, folder.resolve().name, None)


def _load(folder: Path, name: str, source: Source | None) -> Dataset:
    arrays, paths = [], []
    for file in FILES:
        path = _find(folder, file, archive_only=source is not None and bool(source.archive_md5))
        array = read_idx(path) if source is None else read_published(path, file, source)
        _check_form(path, array, images="images" in file)
        arrays.append(array)
        paths.append(path)
    for images, labels, path in ((0, 1, paths[1]), (2, 3, paths[3])):
        if len(arrays[images]) != len(arrays[labels]):
            raise IdxError(
                f"{path}: dimensions: {len(arrays[labels])} labels for {len(arrays[images])} images"
            )
    if arrays[0].shape[1:] != arrays[2].shape[1:]:
        raise IdxError(
            f"{paths[2]}: dimensions: test images are {arrays[2].shape[1:]}, "
            f"training images {arrays[0].shape[1:]}"
        )
    return Dataset(name, *arrays)


def _find(folder: Path, file: str, archive_only: bool) -> Path:
    if not folder.is_dir():
        raise FileNotFoundError(f"the folder {str(folder)!r} with the IDX files does not exist")
    candidates = [f"{file}.gz"] if archive_only else [f"{file}.gz", file]
    for candidate in candidates:
        if (folder / candidate).exists():  # what is no file is refused when it is read
            return folder / candidate
    raise FileNotFoundError(f"the folder {str(folder)!r} holds no {' or '.join(candidates)}")


def _check_form(path: Path, array: numpy.ndarray, images: bool) -> None:
    if images and (array.ndim != 3 or array.dtype != numpy.uint8):
        raise IdxError(
            f"{path}: images must be uint8 of three dimensions, not {array.dtype} {array.shape}"
        )
    if not images and (array.ndim != 1 or array.dtype.kind not in "iu"):
        raise IdxError(
            f"{path}: labels must be integers of one dimension, not {array.dtype} {array.shape}"
        )
