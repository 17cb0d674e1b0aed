"""Files that anybody may have left in the place of ours: opened only if they are files."""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO

__all__ = ["open_regular", "read_text"]

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path: str | os.PathLike[str], flags: int = os.O_RDONLY) -> BinaryIO:
    """Open a file for reading, or with other flags, without ever waiting for it.

    To open a named pipe waits for a writer, and to read a device may never end.

    Raises
    ------
    OSError
        If it is not a regular file (for a folder an IsADirectoryError), or cannot be opened.

    Examples
    --------
    >>> open_regular(os.curdir)
    Traceback (most recent call last):
        ...
    IsADirectoryError: [Errno 21] is a folder, not a regular file: '.'
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
    """The text of a file, in UTF-8, of no more bytes than ``most``.

    Raises
    ------
    OSError
        As for :func:`open_regular`, and if it is larger.
    UnicodeDecodeError
        If it is no text.

    Examples
    --------
    >>> "def read_text(" in read_text(__file__)
    True
    """
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"is larger than {most} bytes", os.fspath(path))
    return content.decode("utf-8")
