"""A command's process: Ctrl-C while it starts, standard streams that stop nothing, last words.

Imports nothing that takes long: from :func:`start` on, Ctrl-C ends a demo without a traceback.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ParamSpec

from autoencoder.lecture.sections import load_demo
from autoencoder.storage.streams import Unbreakable

STOPPED = 128 + signal.SIGINT
_WAIT = "import sys; words = sys.stdin.read(); words and print(words, file=sys.stderr, flush=True)"
_P = ParamSpec("_P")


def command(main: Callable[_P, int]) -> Callable[_P, int]:
    """Decorate a command's main function: its output cannot stop it, nor Ctrl-C show a traceback.

    On several ranks only what rank 0 prints is seen, and all leave together, with its status.

    >>> @command
    ... def main():
    ...     raise KeyboardInterrupt
    >>> main()
    130
    """

    @functools.wraps(main)
    def wrapped(*args: _P.args, **kwargs: _P.kwargs) -> int:
        from minigrad.parallel.ranks import MpiCommunicator, find_ranks  # imports NumPy

        try:
            ranks = find_ranks()
        except RuntimeError as error:
            print(error, file=Unbreakable.of(sys.stderr))
            return 2
        is_heard = ranks.rank == 0
        output = Unbreakable.of(sys.stdout if is_heard else None)
        errors = Unbreakable.of(sys.stderr if is_heard else None)
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            try:
                status = main(*args, **kwargs)
            except KeyboardInterrupt:
                status = STOPPED
            except SystemExit as refusal:
                if not isinstance(ranks, MpiCommunicator) or not isinstance(refusal.code, int):
                    raise
                status = refusal.code
            except BaseException:
                time.sleep(0 if is_heard else 1)  # the same on rank 0 is shown once, and ends all
                raise
            finally:
                output.settle()
                errors.settle()
        return ranks.leave(status)

    return wrapped


@contextlib.contextmanager
def last_words(words: str) -> Iterator[None]:
    """Have a line printed on standard error if this process is killed inside the block.

    ``mpiexec`` kills all ranks at once when one of them dies, so none of them can say how to go on.
    Another process says the words when this one's end of the pipe closes; at the end of the block
    it is stopped.
    """
    try:
        waiting: Any = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", _WAIT], stdin=subprocess.PIPE, start_new_session=True
        )
    except OSError:  # no process to be had: nothing is said then
        yield
        return
    try:
        with contextlib.suppress(OSError):
            waiting.stdin.write(words.encode())
            waiting.stdin.flush()
        yield
    finally:
        waiting.kill()
        waiting.communicate()


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
    if "mpi4py.run" in sys.modules:  # mpiexec ends the other ranks if one is killed by a signal
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(STOPPED)
