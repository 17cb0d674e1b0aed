"""A lock between processes: one file, held by one holder at a time, freed even if it is killed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
    import msvcrt

__all__ = ["file_lock"]

_POLL_SECONDS = 0.05


@contextlib.contextmanager
def file_lock(path: str | os.PathLike[str], timeout: float) -> Iterator[None]:
    """Hold the lock file `path` for the length of the block; threads exclude each other too.

    Parameters
    ----------
    path : path-like
        Created if missing, and left in place: to remove it would let two holders in.
    timeout : float
        Seconds to wait for another holder.

    Raises
    ------
    TimeoutError
        If the other holder did not finish in time.
    OSError
        If the file cannot be opened or the file system knows no locks.

    Examples
    --------
    >>> import tempfile
    >>> with file_lock(os.path.join(tempfile.mkdtemp(), "lock"), timeout=1):
    ...     pass
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
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError):
        return False
    return True
