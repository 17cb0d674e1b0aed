"""IDX, the file format of MNIST and its relatives: a short header, then one array.

    bytes 0, 1     zero
    byte 2         element type: 0x08 uint8, 0x09 int8, 0x0B int16, 0x0C int32, 0x0D float32,
                   0x0E float64
    byte 3         number of dimensions
    4 bytes each   the dimensions, big-endian uint32
    the rest       the elements, big-endian, last dimension fastest

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section
"The IDX file format".

A file may come from anywhere, so nothing it claims is believed before it is checked: a header of
16 bytes can promise 10^19 of them, and a gzip file of a megabyte can unfold to a gigabyte.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import zlib
from typing import BinaryIO

import numpy

from autoencoder.data.arrays import DataError
from autoencoder.storage.files import atomic_writer, open_regular

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: "i2", 0x0C: "i4", 0x0D: "f4", 0x0E: "f8"}
_MAX_DIMENSIONS = 32
_GZIP_MAGIC = b"\x1f\x8b"
# No deflate stream unfolds to more than 1032 times its size (zlib's technical notes).
_MAX_EXPANSION = 1032
_CHUNK = 1 << 20


class IdxError(DataError):
    """An IDX file is not what it should be; the message names the file and the field.

    >>> read_idx(__file__)
    Traceback (most recent call last):
        ...
    autoencoder.data.idx.IdxError: ...
    """


def read_idx(
    path: str | os.PathLike[str], *, sha256: str | None = None, max_bytes: int = 2**31
) -> numpy.ndarray:
    """Read an IDX file, plain or compressed with gzip (told by its first bytes, not its name).

    The array is in the machine's byte order, C-contiguous and writeable. Its header is checked
    against the size of the file, and against ``max_bytes``, before any memory is asked for;
    ``sha256`` is the hexadecimal digest that the decompressed content, header included, must have.
    IdxError if something is wrong with it, OSError if the file cannot be read at all or is none.
    """
    path = os.fspath(path)
    with open_regular(path) as file:
        file_size = os.fstat(file.fileno()).st_size
        compressed = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        if not compressed:
            return _read(file, path, file_size, sha256, max_bytes)
        try:
            with gzip.GzipFile(fileobj=file, mode="rb") as stream:
                limit = file_size * _MAX_EXPANSION
                return _read(stream, path, limit, sha256, max_bytes)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise IdxError(f"{path}: gzip stream: {error}") from error


def _read(
    stream: BinaryIO | gzip.GzipFile, path: str, available: int, sha256: str | None, max_bytes: int
) -> numpy.ndarray:
    """Read header and elements; `available` is the most the stream can hold."""
    digest = hashlib.sha256()

    def read_header(size: int, field: str) -> bytes:
        data = stream.read(size)
        if len(data) < size:
            raise IdxError(f"{path}: {field}: the file ends after {len(data)} of {size} bytes")
        digest.update(data)
        return data

    magic = read_header(4, "magic number")
    if magic[:2] != b"\0\0":
        raise IdxError(
            f"{path}: magic number: starts with {magic[:2].hex()}, an IDX file with 0000"
        )
    if magic[2] not in _TYPES:
        known = ", ".join(f"0x{code:02x}" for code in _TYPES)
        raise IdxError(f"{path}: element type: 0x{magic[2]:02x} is none of {known}")
    if not 1 <= magic[3] <= _MAX_DIMENSIONS:
        raise IdxError(
            f"{path}: number of dimensions: {magic[3]} is not between 1 and {_MAX_DIMENSIONS}"
        )
    dimensions = read_header(4 * magic[3], "dimensions")
    shape = tuple(int(size) for size in numpy.frombuffer(dimensions, ">u4"))
    dtype = numpy.dtype(_TYPES[magic[2]])
    # A dimension of 0 makes the array empty but must not hide a product NumPy cannot index.
    if math.prod(max(size, 1) for size in shape) * dtype.itemsize > max_bytes:
        raise IdxError(f"{path}: dimensions: {shape} is more than the limit of {max_bytes} bytes")
    size = math.prod(shape) * dtype.itemsize
    if size > available - 4 - 4 * magic[3]:
        raise IdxError(f"{path}: dimensions: {shape} needs {size} bytes, more than the file holds")

    elements = bytearray()  # grows with what arrives: a claim alone takes no memory
    while len(elements) < size:
        chunk = stream.read(min(_CHUNK, size - len(elements)))
        if not chunk:
            raise IdxError(f"{path}: elements: {len(elements)} bytes, but {shape} needs {size}")
        elements += chunk
        digest.update(chunk)
    # Reading on also makes gzip compare its checksum.
    if stream.read(1):
        raise IdxError(f"{path}: elements: the file goes on after the {size} bytes {shape} needs")
    if sha256 is not None and digest.hexdigest() != sha256.lower():
        raise IdxError(
            f"{path}: content: its SHA-256 is {digest.hexdigest()}, expected {sha256.lower()}"
        )
    array = numpy.frombuffer(elements, dtype).reshape(shape)
    return array.byteswap(inplace=True) if numpy.little_endian else array


def write_idx(path: str | os.PathLike[str], array: numpy.ndarray) -> None:
    """Write an array as IDX, compressed with gzip if the name ends in ``.gz``.

    The same array always gives the same bytes. The file is replaced whole or not at all. IdxError
    if the array's type or shape has no place in the format.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "labels-idx1-ubyte.gz"
    >>> write_idx(path, numpy.array([5, 0, 4], dtype=numpy.uint8))
    >>> read_idx(path)
    array([5, 0, 4], dtype=uint8)
    """
    path = os.fspath(path)
    array = numpy.asarray(array)
    codes = {numpy.dtype(kind): code for code, kind in _TYPES.items()}
    code = codes.get(array.dtype.newbyteorder("="))
    if code is None:
        known = ", ".join(str(dtype) for dtype in codes)
        raise IdxError(f"{path}: element type: {array.dtype} is none of {known}")
    if not 1 <= array.ndim <= _MAX_DIMENSIONS:
        raise IdxError(f"{path}: number of dimensions: {array.ndim} is not between 1 and 32")
    if max(array.shape) >= 2**32:
        raise IdxError(f"{path}: dimensions: {array.shape} does not fit in 32 bits each")
    header = bytes([0, 0, code, array.ndim]) + numpy.array(array.shape, ">u4").tobytes()
    elements = numpy.ascontiguousarray(array, array.dtype.newbyteorder(">"))
    content = header + elements.tobytes()
    with atomic_writer(path) as file:
        if path.endswith(".gz"):
            # Neither name nor time in the header: the bytes depend on the array alone.
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as stream:
                stream.write(content)
        else:
            file.write(content)
