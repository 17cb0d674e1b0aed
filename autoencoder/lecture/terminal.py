"""A command's process: Ctrl-C while it starts, and standard streams that stop nothing.

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
from typing import ParamSpec

from autoencoder.lecture.sections import load_demo
from autoencoder.storage.streams import Unbreakable

__all__ = ["command", "start"]

STOPPED = 128 + signal.SIGINT
_P = ParamSpec("_P")


def command(main: Callable[_P, int]) -> Callable[_P, int]:
    """Decorate a command's main function: its output cannot stop it, nor Ctrl-C show a traceback.

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
    """Import a demo, by the path of its file or the name of a module, run it, give its exit status.

    It has ``main``, or a ``section`` for :func:`autoencoder.lecture.section.main`.
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
