"""Files as a program needs them: written whole or not at all, read safely, locked.

A crash, a full disk or a killed process in the middle of a write must not cost the file that was
there before. So the new content goes to a temporary file in the same folder (a rename is atomic
only inside one file system), is flushed to the disk, and takes the old file's name in one step.

What is read may have been put there by anybody: it is opened only if it is a file.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
    import msvcrt

_LEFTOVER_SECONDS = 600.0
_POLL_SECONDS = 0.05
# What file systems answer that cannot flush a folder; the rename itself is done by then.
_FOLDER_FLUSH_UNSUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES, errno.EPERM}
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class WriteError(OSError):
    """A file could not be written; what stood there before is unchanged."""

    def __str__(self) -> str:
        return f"cannot write {self.filename!r}: {self.strerror}"


@contextlib.contextmanager
def atomic_writer(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a binary file, to write and read, that replaces `path` when the block ends well.

    The folder must exist. A symbolic link is followed: the file it points to is replaced, the link
    stays. Whatever the system answers is a WriteError; the earlier file is untouched then, and the
    temporary file is removed.

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
    """Write bytes, or text in UTF-8, to `path`, whole or not at all; see :func:`atomic_writer`."""
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
    for leftover in Path(folder).glob(f".{glob.escape(name)}.*.tmp"):
        with contextlib.suppress(OSError):
            if leftover.lstat().st_mtime < newest:
                leftover.unlink()


def open_regular(path: str | os.PathLike[str], flags: int = os.O_RDONLY) -> BinaryIO:
    """Open a file for reading, or with other flags, without ever waiting for it.

    To open a named pipe waits for a writer, and to read a device may never end: OSError if it is
    not a regular file (for a folder an IsADirectoryError), or cannot be opened.
    """
    flags |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)

    def opener(path: str, _flags: int) -> int:
        if not flags & os.O_CREAT or os.path.exists(path):
            _require_regular(os.stat(path), path)  # before: opening a device may do something
        descriptor = os.open(path, flags, 0o666)
        try:
            _require_regular(os.fstat(descriptor), path)  # it may be another by now
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    return open(path, "r+b" if flags & os.O_RDWR else "rb", opener=opener)


def _require_regular(status: os.stat_result, path: str | os.PathLike[str]) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        number = errno.EISDIR if kind == stat.S_IFDIR else errno.EINVAL
        what = f"is {_KINDS.get(kind, 'something else')}, not a regular file"
        raise OSError(number, what, os.fspath(path))


def read_text(path: str | os.PathLike[str], most: int = 2**24) -> str:
    """The text of a file, in UTF-8; OSError if it is longer than ``most`` bytes."""
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"is larger than {most} bytes", os.fspath(path))
    return content.decode("utf-8")


@contextlib.contextmanager
def file_lock(path: str | os.PathLike[str], timeout: float) -> Iterator[None]:
    """Hold the lock file `path` for the length of the block; threads exclude each other too.

    The file is created if missing, and left in place: to remove it would let two holders in. The
    operating system frees it when the process is gone. TimeoutError if another holder has not
    finished after `timeout` seconds; OSError if the file system knows no locks.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        end = time.monotonic() + timeout
        while not _try_lock(descriptor):
            if time.monotonic() > end:
                raise TimeoutError(f"another process has held {os.fspath(path)!r} for {timeout} s")
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)  # which also unlocks


def _try_lock(descriptor: int) -> bool:
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except (BlockingIOError, PermissionError):
        return False
    return True
