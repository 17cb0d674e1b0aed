"""Where the data sets come from, and the digests that tell whether a file is the right one."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import os
from collections.abc import Mapping

import numpy

from autoencoder.data.arrays import DataError
from autoencoder.data.idx import IdxError, read_idx
from autoencoder.storage.files import open_regular
from minigrad.backend import shown

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_MAX_BYTES = 2**26  # of an array; the largest, 60,000 images of 28 x 28, takes 47 million


@dataclasses.dataclass(frozen=True)
class Source:
    """A published set of the four IDX files: what it is, its terms, where it is to be had."""

    name: str  # `datasets.load` knows it by
    title: str
    licence: str
    homepage: str
    mirrors: tuple[str, ...]  # HTTPS addresses of folders with the files, ``.gz`` appended
    # By the names of FILES. The SHA-256 is of the decompressed bytes; where none is known, the MD5
    # is of the published archive: it tells a damaged file, but hardly a deliberate forgery.
    sha256: Mapping[str, str] = dataclasses.field(default_factory=dict)
    archive_md5: Mapping[str, str] = dataclasses.field(default_factory=dict)


def _by_file(*digests: str) -> dict[str, str]:
    return dict(zip(FILES, digests, strict=True))


MNIST = Source(
    name="mnist",
    title="MNIST, handwritten digits (LeCun, Cortes, Burges)",
    licence="CC BY-SA 3.0",
    homepage="http://yann.lecun.com/exdb/mnist/",
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",  # torchvision's
        "https://storage.googleapis.com/cvdf-datasets/mnist/",  # TensorFlow Datasets'
    ),
    sha256=_by_file(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)

FASHION_MNIST = Source(
    name="fashion-mnist",
    title="Fashion-MNIST, articles of clothing (Xiao, Rasul, Vollgraf)",
    licence="MIT",
    homepage="https://github.com/zalandoresearch/fashion-mnist",
    # The authors' own repository. Their other address, an S3 website, speaks plain HTTP only.
    mirrors=(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    sha256=_by_file(
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
)

KMNIST = Source(
    name="kmnist",
    title="Kuzushiji-MNIST, cursive Japanese characters (Clanuwat and others)",
    licence="CC BY-SA 4.0",
    homepage="https://github.com/rois-codh/kmnist",
    mirrors=("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",),  # the publisher's
    # As listed by torchvision: github.com/pytorch/vision, torchvision/datasets/mnist.py, KMNIST.
    archive_md5=_by_file(
        "bdb82020997e1d708af4cf47b453dcf7",
        "e144d726b3acfaa3e44228e80efcd344",
        "5c965bf0a639b31b8f53240b1b52f4d7",
        "7320c461ea6c1c855c0b718fb2a4b134",
    ),
)

SOURCES = {source.name: source for source in (MNIST, FASHION_MNIST, KMNIST)}


def find_source(name: object) -> Source:
    """Look a data set up by its name; DataError suggests the nearest one.

    >>> find_source("fashon_mnist")
    Traceback (most recent call last):
        ...
    autoencoder.data.arrays.DataError: unknown data set 'fashon_mnist': did you mean
    'fashion-mnist'? Known: mnist, fashion-mnist, kmnist
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a data set must be a str, not {type(name).__name__}")
    if name in SOURCES:
        return SOURCES[name]
    near = difflib.get_close_matches(name[:100].lower().replace("_", "-"), SOURCES, n=1)
    suggestion = f" did you mean {near[0]!r}?" if near else " no file or folder has that name."
    raise DataError(f"unknown data set {shown(name)}:{suggestion} Known: {', '.join(SOURCES)}")


def read_published(path: str | os.PathLike[str], file: str, source: Source) -> numpy.ndarray:
    """Read an IDX file; IdxError if it is none, or not this file (one of `FILES`) of the source."""
    expected = source.archive_md5.get(file)
    if expected is not None:
        digest = hashlib.md5(usedforsecurity=False)
        with open_regular(path) as archive:
            while chunk := archive.read(1 << 20):
                digest.update(chunk)
        if digest.hexdigest() != expected:
            raise IdxError(
                f"{os.fspath(path)}: content: the MD5 of the file is {digest.hexdigest()}, "
                f"expected {expected}"
            )
    return read_idx(path, sha256=source.sha256.get(file), max_bytes=_MAX_BYTES)
