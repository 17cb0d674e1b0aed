"""Sets of small images: MNIST, which comes with the package, its relatives, and your own.

>>> digits = load("mnist")
>>> digits.train_images.shape, digits.train_images.dtype
((60000, 28, 28), dtype('uint8'))
>>> x = digits.images("test")
>>> x.shape, x.dtype, float(x.min()), float(x.max())
((10000, 1, 28, 28), dtype('float32'), 0.0, 1.0)
"""

from __future__ import annotations

import dataclasses
import errno
import functools
import os
from pathlib import Path
from typing import Any

import numpy

from autoencoder.data.array_files import as_images, as_labels, numbered, read_npy, read_npz
from autoencoder.data.arrays import DataError
from autoencoder.data.download import fetch
from autoencoder.data.idx import IdxError, read_idx
from autoencoder.data.image_files import SUFFIXES, class_names, find_images, read_images, resize
from autoencoder.data.published import FILES, SOURCES, Source, find_source, read_published
from autoencoder.storage.checkpoint import digest_of
from autoencoder.storage.files import open_regular
from minigrad.backend import require_number, shown, whole_number

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

    def labels(self, split: str) -> numpy.ndarray:
        """Give the labels of a split ("train" or "test"): integers (N,); DataError without any."""
        labels = self._of(split, self.train_labels, self.test_labels)
        if labels is None:
            raise DataError(f"{self.name}: the {split} images have no labels")
        return labels

    @property
    def has_labels(self) -> bool:
        """Whether training and test images have labels."""
        return self.train_labels is not None and self.test_labels is not None

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
    data: str | os.PathLike[str] = "mnist",
    folder: str | os.PathLike[str] | None = None,
    *,
    size: int | None = None,
    test_share: float = 0.1,
    seed: int = 0,
    offline: bool | None = None,
) -> Dataset:
    """Load a published set, or images of your own.

    Parameters
    ----------
    data : {"mnist", "fashion-mnist", "kmnist"} or path-like
        MNIST comes with the package. The others are downloaded at first use and kept; their files'
        digests are checked every time. See `autoencoder.data.download`.

        A folder holds images in files that Pillow reads (PNG, JPEG, ...), or MNIST's four IDX files
        (plain or with ``.gz``; labels and test images may be missing). The names of sub-folders are
        labels; sub-folders ``train`` and ``test`` are the two splits.

        A file is an ``.npy`` or ``.npz`` of (N, H, W), (N, H, W, C) or (N, C, H, W), uint8 or
        floats in [0, 1], or an IDX file. In an ``.npz`` the arrays are called ``images`` and
        ``labels``, or ``train_images``, ``train_labels``, ``test_images``, ``test_labels``; for
        other names that are understood see `autoencoder.data.array_files`.
    folder : path-like, optional
        Where the four files of a published set are; nothing is downloaded then. KMNIST needs the
        published ``.gz`` files, since only their digests are known.
    size : int, optional
        Crop each image to its middle square, and scale it to this many pixels a side. Without it,
        images in files must all have one size.
    test_share : float
        The share of the images, drawn at random, kept for testing where the data do not say.
    seed : int
        Of that draw, and of the order of images in files.
    offline : bool, optional
        Do not download; by default what the environment variable ``MINIGRAD_OFFLINE`` says.

    Raises
    ------
    DataError
        If the data are unknown (with a suggestion), or a file is damaged, not what it should be, or
        does not fit the others; it is named. It is a ValueError.
    FileNotFoundError
        If a file is missing from `folder`.
    DownloadError
        If a file is missing and cannot be downloaded; says how to place it by hand.

    Examples
    --------
    >>> load("mnist")
    Dataset('mnist', 60000 training and 10000 test images of 28 x 28)
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "colours.npy"
    >>> numpy.save(path, numpy.zeros((20, 40, 30, 3)))
    >>> load(path, size=32)
    Dataset('colours', 18 training and 2 test images of 32 x 32 x 3)
    """
    if size is not None:
        whole_number("load", "size", size)
    require_number("load", "test_share", test_share, finite=True)
    if not 0 < test_share < 1:
        raise ValueError(f"load: test_share must lie between 0 and 1, not {test_share}")
    is_name = isinstance(data, str) and data in SOURCES
    if isinstance(data, os.PathLike):
        data = os.fspath(data)
    elif not isinstance(data, str):
        find_source(data)  # says so
    if is_name or folder is not None or not os.path.lexists(data):
        source = find_source(data)
        if folder is None:
            packaged = _PACKAGED / source.name
            folder = packaged if packaged.is_dir() else fetch(source.name, offline=offline)
        dataset = _load_idx(Path(folder), _Split(source.name, test_share, seed), source)
    else:
        path = Path(data)
        name = path.resolve().name if path.is_dir() else path.name.partition(".")[0]
        try:
            dataset = _load_path(path, size, _Split(name, test_share, seed))
        except OSError as error:
            raise DataError(f"{error.filename or path}: {error.strerror or error}") from None
    if size is not None and dataset.image_shape[1:] != (size, size):
        train, test = (resize(each, size) for each in (dataset.train_images, dataset.test_images))
        dataset = dataclasses.replace(dataset, train_images=train, test_images=test)
    return dataset


@dataclasses.dataclass(frozen=True)
class _Split:
    """Makes training and test images of what was read; the rest of it divides them at random."""

    name: str
    test_share: float
    seed: int

    def order(self, count: int) -> tuple[numpy.ndarray, int]:
        """A random order of so many images, and how many of them, the first, are for testing."""
        if count < 2:
            raise DataError(
                f"{self.name}: there is {count} image; at least 2 are needed, one of them for "
                "testing"
            )
        tested = min(max(1, round(self.test_share * count)), count - 1)
        return numpy.random.default_rng([self.seed, count]).permutation(count), tested

    def divide(
        self, images: numpy.ndarray, labels: numpy.ndarray | None, classes: tuple[str, ...] = ()
    ) -> Dataset:
        """Training and test images at random."""
        order, tested = self.order(len(images))
        return self.cut(images[order], None if labels is None else labels[order], classes, tested)

    def cut(
        self,
        images: numpy.ndarray,
        labels: numpy.ndarray | None,
        classes: tuple[str, ...],
        tested: int,
    ) -> Dataset:
        """The first images are for testing."""
        few, many = (None, None) if labels is None else (labels[:tested], labels[tested:])
        return Dataset(self.name, images[tested:], many, images[:tested], few, classes)

    def divided(
        self,
        where: str,
        train: tuple[numpy.ndarray, numpy.ndarray | None],
        test: tuple[numpy.ndarray, numpy.ndarray | None],
        classes: tuple[str, ...] = (),
    ) -> Dataset:
        """Images and labels as somebody else divided them."""
        shapes = [images.shape[1:] for images, _ in (train, test)]
        if shapes[0] != shapes[1]:
            raise DataError(
                f"{where}: training images are {shown(shapes[0])}, test images {shown(shapes[1])}"
            )
        return Dataset(self.name, *train, *test, classes)


def _load_path(path: Path, size: int | None, split: _Split) -> Dataset:
    """Whatever it is that a path leads to."""
    if path.is_dir():
        if {each.name.removesuffix(".gz") for each in path.iterdir()} & set(FILES):
            return _load_idx(path, split)
        return _load_images(path, size, split)
    with open_regular(path) as file:
        start = file.read(4)
    if start == b"\x93NUM":
        return split.divide(as_images(read_npy(path), str(path)), None)
    if start == b"PK\x03\x04":
        return _load_npz(path, split)
    if start[:2] in (b"\0\0", b"\x1f\x8b"):
        return split.divide(_read_idx(path, "images"), None)
    one = "is one image; give the folder it lies in" if path.suffix.lower() in SUFFIXES else ""
    raise DataError(f"{path}: {one or 'is neither a folder nor an .npy, .npz or IDX file'}")


def _load_images(folder: Path, size: int | None, split: _Split) -> Dataset:
    """A folder of image files, whose sub-folders are classes, or training and test images."""
    paths = find_images(folder)
    tops = {path.relative_to(folder).parts[0] for path in paths}
    tests = tops & {"test", "val", "valid", "validation"}
    if len(tops) == 2 and "train" in tops and tests:
        tested = sum(path.relative_to(folder).parts[0] in tests for path in paths)
        paths.sort(key=lambda path: path.relative_to(folder).parts[0] == "train")
        order = numpy.arange(len(paths))
        few = class_names(paths[:tested], folder / tests.pop())
        many = class_names(paths[tested:], folder / "train")
        names = None if few is None or many is None else few + many
    else:
        order, tested = split.order(len(paths))
        names = class_names(paths, folder)
    # Read into place: the images need no second memory.
    images = read_images(paths, size, numpy.argsort(order))
    labels, classes = (None, ()) if names is None else numbered(names)
    return split.cut(images, None if labels is None else labels[order], classes, tested)


def _load_npz(path: Path, split: _Split) -> Dataset:
    arrays = read_npz(path)

    def labelled(kind: str) -> tuple[numpy.ndarray, numpy.ndarray | None, tuple[str, ...]]:
        images = as_images(arrays[f"{kind}images"], f"{path}: {kind}images")
        found = as_labels(arrays.get(f"{kind}labels"), len(images), f"{path}: {kind}labels")
        return images, *found

    if "images" in arrays:
        return split.divide(*labelled(""))
    if "test_images" not in arrays:
        return split.divide(*labelled("train_"))
    train, labels, classes = labelled("train_")
    test, test_labels, test_classes = labelled("test_")
    dataset = split.divided(str(path), (train, labels), (test, test_labels), classes)
    if classes != test_classes:
        raise DataError(f"{path}: training and test labels name different classes")
    return dataset


def _load_idx(folder: Path, split: _Split, source: Source | None = None) -> Dataset:
    """The four IDX files of a folder; all but the first may be missing, if it is not published."""
    if not folder.is_dir():
        raise FileNotFoundError(f"the folder {str(folder)!r} with the IDX files does not exist")
    arrays: dict[str, numpy.ndarray] = {}
    paths: dict[str, Path] = {}
    for file in FILES:
        candidates = [f"{file}.gz", file]
        if source is not None and source.archive_md5:
            candidates.pop()
        there = [folder / each for each in candidates if (folder / each).exists()]
        if there:
            paths[file] = there[0]  # what is no file is refused when it is read
            what = "images" if "images" in file else "labels"
            arrays[file] = _read_idx(paths[file], what, source, file)
        elif source is not None or file == FILES[0]:
            problem = f"holds no {' or '.join(candidates)}"
            raise FileNotFoundError(errno.ENOENT, problem, str(folder))
    for images, labels in (FILES[:2], FILES[2:]):
        if {images, labels} <= arrays.keys() and len(arrays[images]) != len(arrays[labels]):
            problem = f"{len(arrays[labels])} labels for {len(arrays[images])} images"
            raise IdxError(f"{paths[labels]}: dimensions: {problem}")
    train = arrays[FILES[0]], arrays.get(FILES[1])
    if FILES[2] not in arrays:
        return split.divide(*train)
    test = arrays[FILES[2]], arrays.get(FILES[3])
    return split.divided(f"{paths[FILES[2]]}: dimensions", train, test)


def _read_idx(path: Path, what: str, source: Source | None = None, file: str = "") -> numpy.ndarray:
    """The images or labels of an IDX file, which is one of a source if one is given."""
    array = read_idx(path) if source is None else read_published(path, file, source)
    if what == "images" and (array.ndim != 3 or array.dtype != numpy.uint8):
        raise IdxError(
            f"{path}: images must be uint8 of three dimensions, not {array.dtype} {array.shape}"
        )
    if what == "labels" and (array.ndim != 1 or array.dtype.kind not in "iu"):
        raise IdxError(
            f"{path}: labels must be integers of one dimension, not {array.dtype} {array.shape}"
        )
    return array
