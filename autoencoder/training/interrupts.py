"""Ctrl-C, SIGTERM and SIGHUP as a wish to stop after the current step, with everything saved."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

__all__ = ["Interrupted", "StopRequest", "stop_request"]


class Interrupted(Exception):
    """Training stopped because the user asked for it; its state is saved.

    Parameters
    ----------
    signal_number : int
        The signal that asked: SIGINT, SIGTERM or SIGHUP.
    place : str
        Where training stood.

    Examples
    --------
    >>> str(Interrupted(signal.SIGINT, "epoch 2, step 10 of 600"))
    'stopped at epoch 2, step 10 of 600'
    """

    def __init__(self, signal_number: int, place: str) -> None:
        super().__init__(f"stopped at {place}")
        self.signal_number = signal_number
        self.place = place


class StopRequest:
    """Whether somebody asked to stop, and by which signal."""

    def __init__(self) -> None:
        self.signal_number: int | None = None

    def __bool__(self) -> bool:
        return self.signal_number is not None


@contextlib.contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Collect SIGINT, SIGTERM and SIGHUP inside the block; a second one ends the program at once.

    SIGHUP, of a terminal that was closed, is left alone where it is ignored, as under ``nohup``.

    Outside the main thread Python delivers no signals, and the block changes nothing.

    Yields
    ------
    StopRequest
        True once somebody has asked.

    Examples
    --------
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

    def first(number: int, frame: FrameType | None) -> None:
        stop.signal_number = number
        for each in signals:
            signal.signal(each, signal.SIG_DFL)

    for number in signals:
        signal.signal(number, first)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
