"""What is said when a program on several ranks is killed: by a process of its own.

``mpiexec`` kills all ranks at once when one of them dies, so none of them can say how to go on.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

__all__ = ["last_words"]

_WAIT = "import sys; words = sys.stdin.read(); words and print(words, file=sys.stderr, flush=True)"


@contextlib.contextmanager
def last_words(words: str) -> Iterator[None]:
    """Have a line printed on standard error if this process is killed inside the block.

    The other process reads it when this one's end of the pipe closes: until then nothing is sent
    but the words, and at the end of the block the pipe's reader is stopped.
    """
    try:
        waiting = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", _WAIT], stdin=subprocess.PIPE, start_new_session=True
        )
    except OSError:  # no process to be had: nothing is said then
        yield
        return
    try:
        with contextlib.suppress(OSError):
            waiting.stdin.write(words.encode())  # type: ignore[union-attr]
            waiting.stdin.flush()  # type: ignore[union-attr]
        yield
    finally:
        waiting.kill()
        waiting.communicate()
