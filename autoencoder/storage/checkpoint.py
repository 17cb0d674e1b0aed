"""Checkpoints: named arrays and metadata in one file that is whole, checked and harmless.

The file is a zip archive of NPY files, stored uncompressed, so ``numpy.load(path,
allow_pickle=False)`` reads it too, and ``metadata.json`` beside them. The archive's comment, the
last bytes of the file, seals it:

    minigrad checkpoint, format 1, sha256 <64 hexadecimal digits>

The digest covers every byte before it and is compared before anything else is read. That catches
accidents. A file made on purpose can carry a right digest over wrong content, so all sizes, names
and types inside are checked as well, and nothing inside is ever evaluated or unpickled.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import struct
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from autoencoder.storage.atomic import atomic_writer
from autoencoder.storage.reading import open_regular
from autoencoder.storage.spec import CheckpointError, check_arrays, check_metadata
from autoencoder.storage.strict_npy import decode_npy, encode_npy
from minigrad.backend import shown

__all__ = [
    "FORMAT_VERSION",
    "CheckpointError",
    "check_arrays",
    "digest_of",
    "load_checkpoint",
    "save_checkpoint",
]

FORMAT_VERSION = 1

_METADATA = "metadata.json"
_MAX_METADATA_BYTES = 2**24
_MAX_METADATA_COMMAS = 2**20  # "[],[],[],": three bytes of text become 64 of memory
_MAX_MEMBERS = 2**16
_DIGEST_SIZE = 64
_SEAL = re.compile(rb"minigrad checkpoint, format (\d{1,4}), sha256 ([0-9a-f]{64})")
# Letters, digits, "_", "-", "." and single "/"; no part of dots alone: such a name is a path.
_NAME = re.compile(r"(?!\.+(?:/|$))[\w.-]{1,200}(?:/(?!\.+(?:/|$))[\w.-]{1,200}){0,20}", re.ASCII)
# All that the zip reader raises when an archive contradicts itself.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    OSError,  # seeking to a negative offset
    EOFError,
    ValueError,
    OverflowError,
    IndexError,
    struct.error,
)
_CHUNK = 1 << 20


def save_checkpoint(
    path: str | os.PathLike[str],
    arrays: Mapping[str, np.ndarray],
    metadata: Mapping[str, Any],
) -> None:
    """Write a checkpoint, whole or not at all; the same content always gives the same bytes.

    Parameters
    ----------
    path : path-like
        The file, by custom ending in ``.npz``. Its folder must exist. A file already there is
        kept until the new one is whole and on the disk.
    arrays : mapping of str to numpy.ndarray
        Names of letters, digits, ``_ - .`` and ``/`` between parts, such as
        ``"model/encoder.0.weight"``. Booleans, integers, real or complex numbers of any shape.
    metadata : mapping
        Anything JSON can hold: None, bool, int of any size, float (NaN and infinity too), str,
        list, dict with str keys. Tuples come back as lists.

    Raises
    ------
    TypeError, ValueError
        If a name, an array or the metadata cannot be stored; nothing is written.
    WriteError
        If the file cannot be written; the earlier one is unchanged.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "checkpoint.npz"
    >>> save_checkpoint(path, {"model/weight": np.ones(2, np.float32)}, {"epoch": 3})
    >>> load_checkpoint(path)
    ({'model/weight': array([1., 1.], dtype=float32)}, {'epoch': 3})
    >>> np.load(path, allow_pickle=False)["model/weight"]
    array([1., 1.], dtype=float32)
    """
    members = {_METADATA: _encode_metadata(metadata)}
    for name, array in arrays.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name == _METADATA:
            raise ValueError(f"save_checkpoint: {shown(name)} cannot be the name of an array")
        if not isinstance(array, np.ndarray | np.generic):
            raise TypeError(
                f"save_checkpoint: {shown(name)} must be a numpy.ndarray, "
                f"not {type(array).__name__}"
            )
        try:
            members[f"{name}.npy"] = encode_npy(np.asarray(array))
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
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a checkpoint, or refuse it in words.

    Parameters
    ----------
    path : path-like
        The file.
    expected : mapping of str to array, optional
        The names the file must hold, no fewer and no more, each with the shape and dtype of the
        given array (or of anything else with ``shape`` and ``dtype``).
    expected_metadata : mapping, optional
        Metadata the file must hold with these values, for example ``{"model": "..."}`` to refuse
        the file of another model of the same shapes. Further metadata is allowed.
    require_finite : bool
        Refuse arrays that hold NaN or infinity.
    max_bytes : int
        Refuse a larger file. Memory stays within a small multiple of the file's real size.

    Returns
    -------
    arrays : dict of str to numpy.ndarray
        New, writeable arrays.
    metadata : dict

    Raises
    ------
    CheckpointError
        If the file is damaged, of another version, or not what was expected; it names the file
        and the field.
    OSError
        If the file cannot be read at all (for example FileNotFoundError).

    Examples
    --------
    >>> load_checkpoint(__file__)
    Traceback (most recent call last):
        ...
    autoencoder.storage.spec.CheckpointError: ...: seal: is missing: not a checkpoint, or ...
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
        except _ZIP_ERRORS as error:
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
    check_arrays(arrays, expected, path, require_finite=require_finite)
    return arrays, metadata


def _check_seal(file: BinaryIO, path: str, size: int) -> None:
    tail_size = min(size, 128)
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    seal = _SEAL.fullmatch(tail[tail.rfind(b"minigrad checkpoint") :]) if tail else None
    if seal is None:
        raise CheckpointError(path, "seal", "is missing: not a checkpoint, or cut short")
    version = int(seal[1])
    if version != FORMAT_VERSION:
        raise CheckpointError(
            path,
            "format version",
            f"is {version}; this program reads version {FORMAT_VERSION}",
        )
    digest = _digest(file, size - _DIGEST_SIZE)
    if digest != seal[2].decode():
        raise CheckpointError(
            path,
            "checksum",
            "does not match: the file was damaged after it was written",
        )


def digest_of(*arrays: np.ndarray) -> str:
    """The SHA-256 of arrays' shapes, dtypes and elements, by which a run knows its data again.

    Parameters
    ----------
    *arrays : numpy.ndarray

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> rows, columns = np.zeros((2, 3)), np.zeros((3, 2))
    >>> digest_of(rows) == digest_of(rows.copy()), digest_of(rows) == digest_of(columns)
    (True, False)
    """
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def _digest(file: BinaryIO, size: int) -> str:
    """SHA-256 of the first `size` bytes."""
    digest = hashlib.sha256()
    file.seek(0)
    while size > 0 and (chunk := file.read(min(_CHUNK, size))):
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest()


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
