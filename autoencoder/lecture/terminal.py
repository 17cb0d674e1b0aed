"""A command's process: Ctrl-C while it starts, and output that nobody reads any more.

Imports nothing that takes long: from :func:`start` on, Ctrl-C ends a demo without a traceback.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TextIO

from autoencoder.lecture.sections import load_demo

__all__ = ["Unbreakable", "command", "start"]

STOPPED = 128 + signal.SIGINT
_P = ParamSpec("_P")


class Unbreakable:
    """A text stream that drops what cannot be written: what is computed matters more.

    A pipe's reader may be gone, the disk behind a redirection full, the stream closed or None.

    Parameters
    ----------
    stream : text stream or None

    Examples
    --------
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


def command(main: Callable[_P, int]) -> Callable[_P, int]:
    """Decorate a command's main function: its output cannot stop it, nor Ctrl-C show a traceback.

    Examples
    --------
    >>> @command
    ... def main():
    ...     raise KeyboardInterrupt
    >>> main()
    130
    """

    @functools.wraps(main)
    def wrapped(*args: _P.args, **kwargs: _P.kwargs) -> int:
        output, errors = Unbreakable.of(sys.stdout), Unbreakable.of(sys.stderr)
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            try:
                return main(*args, **kwargs)
            except KeyboardInterrupt:
                return STOPPED
            finally:
                output.settle()
                errors.settle()

    return wrapped


def start(demo: str) -> int:
    """Import a demo and run its command.

    Parameters
    ----------
    demo : str
        The path of its file (``__file__`` in a demo), or the name of a module. It has ``main``, or
        a ``section`` for :func:`autoencoder.lecture.section.main`.

    Returns
    -------
    int
        Exit status.
    """
    # A file opened while a standard stream is closed would get its number, and what C code prints.
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    usual = signal.getsignal(signal.SIGINT)
    is_heard = usual is signal.default_int_handler  # not in the background of a shell's script
    if is_heard:
        # Not an exception: C code that is being imported would print it, or make it another.
        signal.signal(signal.SIGINT, _quit)
    try:
        if demo.endswith(".py"):
            code = load_demo(Path(demo).stem, Path(demo).parent)
        else:
            code = importlib.import_module(demo)
        if hasattr(code, "section"):
            main = functools.partial(
                importlib.import_module("autoencoder.lecture.section").main, code.section
            )
        else:
            main = code.main
        if is_heard:
            signal.signal(signal.SIGINT, usual)
        return main()
    except KeyboardInterrupt:
        return STOPPED
    finally:
        if is_heard:
            signal.signal(signal.SIGINT, _quit)


def _quit(number: int, frame: object) -> None:
    os._exit(STOPPED)
