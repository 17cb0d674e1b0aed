"""Files that are written whole or not at all.

A crash, a full disk or a killed process in the middle of a write must not cost the file that was
there before. So the new content goes to a temporary file in the same folder (a rename is atomic
only inside one file system), is flushed to the disk, and takes the old file's name in one step.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Iterator
from typing import BinaryIO

__all__ = ["WriteError", "atomic_write", "atomic_writer"]

_LEFTOVER_SECONDS = 600.0
# What file systems answer that cannot flush a folder; the rename itself is done by then.
_FOLDER_FLUSH_UNSUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES, errno.EPERM}


class WriteError(OSError):
    """A file could not be written; what stood there before is unchanged.

    Attributes
    ----------
    errno : int or None
        The operating system's error number, for example ``errno.ENOSPC``.
    filename : str
        The file that was to be written.
    """

    def __str__(self) -> str:
        return f"cannot write {self.filename!r}: {self.strerror}"


@contextlib.contextmanager
def atomic_writer(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a binary file that replaces `path` when the block ends without an exception.

    Parameters
    ----------
    path : path-like
        The file to write. Its folder must exist. A symbolic link is followed: the file it points
        to is replaced, the link stays.

    Yields
    ------
    BinaryIO
        A seekable file, open for writing and reading.

    Raises
    ------
    WriteError
        If the folder is missing or read-only, the disk is full, or any other system error occurs.
        The earlier file, if there was one, is untouched, and the temporary file is removed.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> with atomic_writer(folder / "numbers.bin") as file:
    ...     _ = file.write(b"123")
    >>> [entry.name for entry in folder.iterdir()]
    ['numbers.bin']
    """
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name}.{secrets.token_hex(8)}.tmp")
    try:
        if os.path.isdir(target):
            raise IsADirectoryError(errno.EISDIR, "a folder has that name")
        # O_EXCL: never follow or truncate something that is already there.
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        descriptor = os.open(temporary, flags, 0o666)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        _flush_folder(folder)
    except OSError as error:
        raise WriteError(error.errno, _reason(error, folder), os.fspath(path)) from error
    _remove_leftovers(folder, name)


def atomic_write(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Write `content` to `path`, whole or not at all.

    Parameters
    ----------
    path : path-like
        The file to write, replaced if it exists. Its folder must exist.
    content : bytes or str
        Text is encoded as UTF-8, its line ends as they are.

    Raises
    ------
    TypeError
        If `content` is neither bytes nor text.
    WriteError
        If the file cannot be written; the earlier file is unchanged.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "config.json"
    >>> atomic_write(path, '{"seed": 0}')
    >>> path.read_text()
    '{"seed": 0}'
    """
    if isinstance(content, str):
        content = content.encode("utf-8")
    if not isinstance(content, bytes | bytearray | memoryview):
        raise TypeError(f"atomic_write: content must be bytes or str, not {type(content).__name__}")
    with atomic_writer(path) as file:
        file.write(content)


def _reason(error: OSError, folder: str) -> str:
    if error.errno in (errno.ENOENT, errno.ENOTDIR) and not os.path.isdir(folder):
        return f"the folder {folder!r} does not exist"
    return error.strerror or str(error) or type(error).__name__


def _flush_folder(folder: str) -> None:
    """Make the rename itself survive a power cut (Windows has no such call)."""
    if os.name == "nt":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _FOLDER_FLUSH_UNSUPPORTED:
            raise


def _remove_leftovers(folder: str, name: str) -> None:
    """Remove what killed writers of this file left; a live one has touched its file recently."""
    newest = time.time() - _LEFTOVER_SECONDS
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not (entry.name.startswith(f".{name}.") and entry.name.endswith(".tmp")):
                continue
            with contextlib.suppress(OSError):
                if entry.stat(follow_symlinks=False).st_mtime < newest:
                    os.unlink(entry.path)
