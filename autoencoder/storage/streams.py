"""A text stream to which writing stops nothing, though nobody may be reading."""

from __future__ import annotations

import contextlib
import os
from typing import Any, TextIO


class Unbreakable:
    """A text stream, or none, that drops what cannot be written: what is computed matters more.

    A pipe's reader may be gone, the disk behind a redirection full, the stream closed or None.

    >>> stream = Unbreakable(None)
    >>> print("said to nobody", file=stream)
    >>> stream.isatty()
    False
    """

    @classmethod
    def of(cls, stream: TextIO | None) -> Unbreakable:
        """The stream itself if it is one already: by being the same, tqdm finds its bars."""
        return stream if isinstance(stream, cls) else cls(stream)

    def __init__(self, stream: TextIO | None) -> None:
        self.stream = stream
        self.is_broken = stream is None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write the text if that is possible; characters the stream cannot encode are escaped."""
        try:
            self._attempt("write", text)
        except UnicodeEncodeError as error:
            escaped = text.encode(error.encoding, "backslashreplace").decode(error.encoding)
            self._attempt("write", escaped)
        return len(text)

    def flush(self) -> None:
        """Flush if that is possible."""
        self._attempt("flush")

    def isatty(self) -> bool:
        """Whether somebody may be looking."""
        return bool(self._attempt("isatty"))

    def settle(self) -> None:
        """Flush for the last time, so that the interpreter's own flush at exit cannot fail."""
        self.flush()
        if self.is_broken and self.stream is not None:
            with contextlib.suppress(OSError, ValueError):  # no file, or closed
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())

    def _attempt(self, method: str, *arguments: str) -> Any:
        if self.is_broken:
            return None
        try:
            return getattr(self.stream, method)(*arguments)
        except UnicodeEncodeError:
            raise
        except (OSError, ValueError):  # ValueError: the stream was closed
            self.is_broken = True
            return None
