"""Signals: Ctrl-C, SIGTERM and SIGHUP ask a run to save its state and stop after the step."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Interrupted(Exception):
    """Training stopped because a signal asked for it; its state is saved.

    Parameters
    ----------
    signal_number : int
        SIGINT, SIGTERM or SIGHUP.
    position : str
        Where training stood.

    Examples
    --------
    >>> str(Interrupted(signal.SIGINT, "epoch 2, step 10 of 600"))
    'stopped at epoch 2, step 10 of 600'
    """

    def __init__(self, signal_number: int, position: str) -> None:
        super().__init__(f"stopped at {position}")
        self.signal_number = signal_number
        self.position = position


class StopRequest:
    """False until a signal asks to stop; ``signal_number`` is that signal's then."""

    signal_number: int = 0

    def __bool__(self) -> bool:
        return self.signal_number != 0


@contextlib.contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Collect SIGINT, SIGTERM and SIGHUP inside the block; a second one ends the program at once.

    SIGHUP, of a terminal that was closed, is left alone where it is ignored, as under ``nohup``.
    Outside the main thread Python delivers no signals, and the block changes nothing.

    >>> with stop_request() as stop:
    ...     bool(stop)
    False
    """
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    signals = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in signals}

    def remember(number: int, frame: FrameType | None) -> None:
        stop.signal_number = number
        for each in signals:
            signal.signal(each, signal.SIG_DFL)

    for number in signals:
        signal.signal(number, remember)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
