"""Checkpoints: named arrays and metadata in one file that is whole, checked and harmless.

The file is a zip archive of NPY files, stored uncompressed, so ``numpy.load(path,
allow_pickle=False)`` reads it too, and ``metadata.json`` beside them. The archive's comment, the
last bytes of the file, seals it:

    minigrad checkpoint, format 1, sha256 <64 hexadecimal digits>

The digest covers every byte before it and is compared before anything else is read. That catches
accidents. A file made on purpose can carry a right digest over wrong content, so all sizes, names
and types inside are checked as well, and nothing inside is ever run or unpickled.

Whether a file holds what the program is about to use (names, shapes, dtypes, values) is asked by
:func:`check_arrays` and :func:`check_value`.
"""

from __future__ import annotations

import errno
import hashlib
import io
import itertools
import json
import math
import os
import re
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy

from autoencoder.storage.files import atomic_writer, open_regular
from autoencoder.storage.npy import read_npy
from minigrad.backend import cut, shown

FORMAT_VERSION = 1
_METADATA = "metadata.json"
_DIGEST_SIZE = 64
_SEAL = re.compile(rb"minigrad checkpoint, format (\d{1,4}), sha256 ([0-9a-f]{64})")
# Letters, digits, "_", "-", "." and single "/"; no part of dots alone: such a name is a path.
_NAME = re.compile(r"(?!\.+(?:/|$))[\w.-]{1,200}(?:/(?!\.+(?:/|$))[\w.-]{1,200}){0,20}", re.ASCII)
_CHUNK = 1 << 20
_MAX_MEMBERS = 2**16
_MAX_METADATA_BYTES = 2**24
_MAX_METADATA_COMMAS = 2**20  # "[],[],[],": three bytes of text become 64 of memory
_LARGEST = 1e60  # no sum of float32 losses comes near it, and its square is finite
# All that the zip reader raises when an archive contradicts itself.
ZIP_ERRORS = (
    *(zipfile.BadZipFile, struct.error, NotImplementedError, RuntimeError, OSError),
    *(EOFError, ValueError, OverflowError, IndexError),
)
# Numbers and truth values of sizes every platform has; byte order is little-endian always.
_DTYPES = {
    numpy.dtype(code).newbyteorder("<").str: numpy.dtype(code)
    for code in ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]
}


class CheckpointError(ValueError):
    """A checkpoint was refused: the file, the field of it that is wrong, and what is wrong with it.

    The field is the name of an array, or for example ``"checksum"``.

    >>> error = CheckpointError("run/checkpoint.npz", "checksum", "does not match")
    >>> str(error), error.field
    ('run/checkpoint.npz: checksum: does not match', 'checksum')
    """

    def __init__(self, path: str | os.PathLike[str], field: str, problem: str) -> None:
        self.path, self.field = os.fspath(path), cut(field)
        super().__init__(f"{self.path}: {self.field}: {cut(problem, 500)}")


def save_checkpoint(
    path: str | os.PathLike[str], arrays: Mapping[str, numpy.ndarray], metadata: Mapping[str, Any]
) -> None:
    """Write a checkpoint, whole or not at all; the same content always gives the same bytes.

    The file's name ends in ``.npz`` by custom; its folder must exist. Arrays hold booleans,
    integers, real or complex numbers; their names are of letters, digits, ``_ - .`` and ``/``
    between parts, such as ``"model/encoder.0.weight"``. Metadata is anything JSON can hold, with
    integers of any size, NaN and infinity; tuples come back as lists. What cannot be stored is a
    TypeError or ValueError, a file that cannot be written a WriteError; an earlier file is
    unchanged then.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "checkpoint.npz"
    >>> save_checkpoint(path, {"model/weight": numpy.ones(2, numpy.float32)}, {"epoch": 3})
    >>> load_checkpoint(path)
    ({'model/weight': array([1., 1.], dtype=float32)}, {'epoch': 3})
    >>> numpy.load(path, allow_pickle=False)["model/weight"]
    array([1., 1.], dtype=float32)
    """
    members = {_METADATA: _encode_metadata(metadata)}
    for name, array in arrays.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name == _METADATA:
            raise ValueError(f"save_checkpoint: {shown(name)} cannot be the name of an array")
        if not isinstance(array, numpy.ndarray | numpy.generic):
            raise TypeError(
                f"save_checkpoint: {shown(name)} must be a numpy.ndarray, "
                f"not {type(array).__name__}"
            )
        try:
            members[f"{name}.npy"] = encode_npy(numpy.asarray(array))
        except TypeError as error:
            raise TypeError(f"save_checkpoint: {shown(name)}: {error}") from None
    with atomic_writer(path) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, content in members.items():
                member = zipfile.ZipInfo(name)  # dated 1980: the bytes depend on the content alone
                member.create_system = 3
                archive.writestr(member, content)
            seal = f"minigrad checkpoint, format {FORMAT_VERSION}, sha256 {'0' * _DIGEST_SIZE}"
            archive.comment = seal.encode()
        digest = _digest(file, file.tell() - _DIGEST_SIZE)
        file.seek(-_DIGEST_SIZE, os.SEEK_END)
        file.write(digest.encode())


def load_checkpoint(
    path: str | os.PathLike[str],
    *,
    expected: Mapping[str, Any] | None = None,
    expected_metadata: Mapping[str, Any] | None = None,
    require_finite: bool = False,
    max_bytes: int = 2**32,
) -> tuple[dict[str, numpy.ndarray], dict[str, Any]]:
    """Read a checkpoint's arrays and metadata, or refuse it in words.

    ``expected`` has exactly the names that the file must hold, each with an array (or anything else
    with ``shape`` and ``dtype``) as it must be; ``expected_metadata`` is metadata that it must hold
    with these values, more is allowed. With ``require_finite`` NaN and infinity are refused.
    Memory stays within a small multiple of the file's real size, which is at most ``max_bytes``.
    A CheckpointError names file and field; OSError if the file cannot be read at all.

    >>> load_checkpoint(__file__)
    Traceback (most recent call last):
        ...
    autoencoder.storage.checkpoint.CheckpointError: ...: seal: is missing: not a checkpoint, or ...
    """
    path = os.fspath(path)
    try:
        file = open_regular(path)
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.EINVAL):
            raise CheckpointError(path, "file", str(error.strerror)) from None
        raise
    with file:
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise CheckpointError(path, "file", f"{size} bytes are more than {max_bytes}")
        _check_seal(file, path, size)
        try:
            with zipfile.ZipFile(file) as archive:
                contents = _read_members(archive, path, size)
        except CheckpointError:
            raise
        except ZIP_ERRORS as error:
            raise CheckpointError(path, "archive", f"is damaged: {error}") from error
    if _METADATA not in contents:
        raise CheckpointError(path, _METADATA, "is missing")
    metadata = _decode_metadata(contents.pop(_METADATA), path)
    arrays = {}
    for member in list(contents):
        name = member.removesuffix(".npy")
        try:
            arrays[name] = decode_npy(contents.pop(member))
        except ValueError as error:
            raise CheckpointError(path, name, str(error)) from None
    # What the file is comes before what it holds: "another model" says more than "wrong shape".
    check_metadata(metadata, expected_metadata or {}, path)
    if expected is not None:
        check_arrays(arrays, expected, path)
    for name, array in arrays.items() if require_finite else ():
        if not numpy.isfinite(array).all():
            index = tuple(int(i) for i in numpy.argwhere(~numpy.isfinite(array))[0])
            raise CheckpointError(path, name, f"holds {array[index]} at index {index}")
    return arrays, metadata


def digest_of(*arrays: numpy.ndarray) -> str:
    """The SHA-256 of arrays' shapes, dtypes and elements, by which a run knows its data again.

    >>> rows, columns = numpy.zeros((2, 3)), numpy.zeros((3, 2))
    >>> digest_of(rows) == digest_of(rows.copy()), digest_of(rows) == digest_of(columns)
    (True, False)
    """
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str} {array.shape} ".encode())
        digest.update(numpy.ascontiguousarray(array).data)
    return digest.hexdigest()


def _digest(file: BinaryIO, size: int) -> str:
    """SHA-256 of the first `size` bytes."""
    digest = hashlib.sha256()
    file.seek(0)
    while size > 0 and (chunk := file.read(min(_CHUNK, size))):
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest()


def _check_seal(file: BinaryIO, path: str, size: int) -> None:
    tail_size = min(size, 128)
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    seal = _SEAL.fullmatch(tail[tail.rfind(b"minigrad checkpoint") :]) if tail else None
    if seal is None:
        raise CheckpointError(path, "seal", "is missing: not a checkpoint, or cut short")
    version = int(seal[1])
    if version != FORMAT_VERSION:
        problem = f"is {version}; this program reads version {FORMAT_VERSION}"
        raise CheckpointError(path, "format version", problem)
    digest = _digest(file, size - _DIGEST_SIZE)
    if digest != seal[2].decode():
        problem = "does not match: the file was damaged after it was written"
        raise CheckpointError(path, "checksum", problem)


def _read_members(archive: zipfile.ZipFile, path: str, size: int) -> dict[str, bytes]:
    members = archive.infolist()
    if len(members) > _MAX_MEMBERS:
        raise CheckpointError(path, "archive", f"has {len(members)} members")
    # Overlapping members could together claim far more than the file holds.
    if sum(member.file_size for member in members) > size:
        raise CheckpointError(path, "archive", "claims more bytes than the file holds")
    contents: dict[str, bytes] = {}
    for member in members:
        # Not `filename`: the zip reader cuts that off at a zero byte.
        name = member.orig_filename
        if name in contents:
            raise CheckpointError(path, name, "is there twice")
        stem = name.removesuffix(".npy")
        if name != _METADATA and (stem in (name, _METADATA) or not _NAME.fullmatch(stem)):
            raise CheckpointError(path, ascii(name), "is not the name of an array")
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits:
            raise CheckpointError(path, name, "is compressed or encrypted")
        if member.compress_size != member.file_size:
            raise CheckpointError(path, name, "has two different sizes")
        if name == _METADATA and member.file_size > _MAX_METADATA_BYTES:
            raise CheckpointError(path, name, f"is larger than {_MAX_METADATA_BYTES} bytes")
        contents[name] = archive.read(member)
        if len(contents[name]) != member.file_size:
            raise CheckpointError(path, name, "is cut short")
    return contents


def _encode_metadata(metadata: Mapping[str, Any]) -> bytes:
    if not isinstance(metadata, Mapping):
        raise TypeError(f"save_checkpoint: metadata must be a dict, not {type(metadata).__name__}")

    def check_keys(value: Any) -> None:
        if isinstance(value, dict):
            for key in value:
                if not isinstance(key, str):  # json would turn it into text without a word
                    raise TypeError(f"the key {shown(key)} is not a str")
        if isinstance(value, dict | list | tuple):
            for item in value.values() if isinstance(value, dict) else value:
                check_keys(item)

    try:
        content = json.dumps(dict(metadata), indent=1).encode("utf-8")
        check_keys(dict(metadata))
    except (TypeError, ValueError, RecursionError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"save_checkpoint: metadata: {error}") from None
    if len(content) > _MAX_METADATA_BYTES:
        raise ValueError(f"save_checkpoint: metadata takes more than {_MAX_METADATA_BYTES} bytes")
    if content.count(b",") > _MAX_METADATA_COMMAS:
        raise ValueError(f"save_checkpoint: metadata holds more than {_MAX_METADATA_COMMAS} values")
    return content


def _decode_metadata(content: bytes, path: str) -> dict[str, Any]:
    if content.count(b",") > _MAX_METADATA_COMMAS:
        problem = f"holds more than {_MAX_METADATA_COMMAS} values"
        raise CheckpointError(path, _METADATA, problem)
    try:
        metadata = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(path, _METADATA, f"is not JSON: {error}") from None
    if not isinstance(metadata, dict):
        raise CheckpointError(path, _METADATA, "is not an object with named values")
    return metadata


def encode_npy(array: numpy.ndarray) -> bytes:
    """The array as an NPY file, little-endian, in C order; TypeError for Python objects."""
    code = array.dtype.newbyteorder("<").str
    if code not in _DTYPES:
        raise TypeError(f"dtype {array.dtype} cannot be stored")
    # Not ascontiguousarray, which turns a single number into an array of one.
    array = numpy.array(array, dtype=code, order="C", copy=None, ndmin=0)
    file = io.BytesIO()
    numpy.lib.format.write_array(file, array, version=(1, 0), allow_pickle=False)
    return file.getvalue()


def decode_npy(content: bytes) -> numpy.ndarray:
    """Read what `encode_npy` wrote into a new array, or raise ValueError and say what is wrong."""
    array = read_npy(io.BytesIO(content), len(content))
    dtype = _DTYPES.get(array.dtype.str)
    if dtype is None:
        raise ValueError(f"dtype {array.dtype} is not allowed")
    if dtype.kind == "b" and array.view("uint8").max(initial=0) > 1:
        raise ValueError("a truth value is neither 0 nor 1")
    return array.astype(dtype, order="C", copy=False)


def check_arrays(
    arrays: Mapping[str, numpy.ndarray],
    expected: Mapping[str, Any],
    path: str | os.PathLike[str],
) -> None:
    """Raise CheckpointError, naming the first wrong array, unless the arrays are as expected.

    `expected` has exactly their names, with anything of their shapes and dtypes.

    >>> check_arrays({"weight": numpy.ones(2)}, {"weight": numpy.ones(3)}, "c.npz")
    Traceback (most recent call last):
        ...
    autoencoder.storage.checkpoint.CheckpointError: c.npz: weight: has shape (2,), expected (3,)
    """
    missing = [name for name in expected if name not in arrays]
    unexpected = [name for name in arrays if name not in expected]
    for names, problem in ((missing, "is missing"), (unexpected, "is unexpected")):
        if names:
            others = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
            raise CheckpointError(path, names[0], problem + others)
    for name, want in expected.items():
        array, shape, dtype = arrays[name], tuple(want.shape), numpy.dtype(want.dtype)
        if array.shape != shape:
            raise CheckpointError(path, name, f"has shape {array.shape}, expected {shape}")
        if array.dtype != dtype:
            raise CheckpointError(path, name, f"has dtype {array.dtype}, expected {dtype}")


def check_metadata(
    metadata: Mapping[str, Any], expected: Mapping[str, Any], path: str | os.PathLike[str]
) -> None:
    """Raise CheckpointError unless these entries are there, with these values or of these kinds."""
    for key, value in expected.items():
        if key not in metadata:
            raise CheckpointError(path, f"metadata {key!r}", "is missing")
        if not isinstance(value, Kind):
            value = json.loads(json.dumps(value))  # a tuple is stored as a list
        check_value(metadata[key], value, path, f"metadata {key!r}")


def is_number(value: Any) -> bool:
    """Whether a value is an int or a float, NaN and infinity too, that is not beyond reason."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return not _LARGEST < abs(value) < math.inf


@dataclass(frozen=True)
class Kind:
    """What a value read from a file has to be, in words and as a test: "a finite number"."""

    words: str
    accepts: Callable[[Any], bool]


ANYTHING = Kind("anything", lambda value: True)
NUMBER = Kind("a number", is_number)
FINITE = Kind("a finite number", lambda value: is_number(value) and math.isfinite(value))
NOT_NEGATIVE = Kind("a finite number from 0", lambda v: FINITE.accepts(v) and v >= 0)
POSITIVE = Kind("a positive number", lambda value: FINITE.accepts(value) and value > 0)
COUNT = Kind("a whole number from 0", lambda v: NOT_NEGATIVE.accepts(v) and isinstance(v, int))
LIST = Kind("a list", lambda value: isinstance(value, list))
NAMED_VALUES = Kind("named values", lambda value: isinstance(value, dict))
# Without a dollar: the figures would read it as mathematics.
TEXT = Kind("a short text", lambda v: isinstance(v, str) and len(v) <= 200 and "$" not in v)


def check_value(value: Any, expected: Any, path: str | os.PathLike[str], field: str) -> None:
    """Raise CheckpointError, naming the field, unless a value and all in it is as expected.

    `expected` is a Kind; or a dict, which asks for exactly its keys; or a list, for as many values
    as it has, ``[one, ...]`` for any number of them from 1, each compared in turn. Any other value
    asks for itself.

    >>> check_value({"loss": [0.5, None]}, {"loss": [FINITE, ...]}, "c.npz", "numbers")
    Traceback (most recent call last):
        ...
    autoencoder.storage.checkpoint.CheckpointError: c.npz: numbers['loss'][1]: is None, expected a \
    finite number
    """

    def refuse(problem: str, part: str = field) -> CheckpointError:
        return CheckpointError(path, part, problem)

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
