"""Threads that wait for work, and work that can be taken back while nobody has begun it."""

from __future__ import annotations

import contextvars
import os
import threading
from collections import deque
from collections.abc import Callable

from .memory import keep_memory

_helpers: dict[int, Helpers] = {}
_helpers_lock = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_helpers.clear)  # a forked child has none of the threads


def helpers(threads: int) -> Helpers:
    """So many threads, started at the first call and the same ones ever after."""
    with _helpers_lock:
        if threads not in _helpers:
            _helpers[threads] = Helpers(threads)
        return _helpers[threads]


class Offer:
    """A piece of work, in the context of whoever offers it.

    Parameters
    ----------
    work : callable
        Without arguments. Must not raise.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._context = contextvars.copy_context()
        self._finished = threading.Event()

    def do(self) -> None:
        """Do the work."""
        try:
            self._context.run(self._work)
        finally:
            self._finished.set()

    def wait(self) -> None:
        """Wait until the work is done."""
        self._finished.wait()


class Helpers:
    """Threads that do what is offered, in the order of the offers.

    Not a ``ThreadPoolExecutor``: that one keeps what was cancelled, and all it refers to, until
    one of its threads comes to it. A thread that asks for the interpreter lock while another keeps
    letting go of it for microseconds only is woken too late each time: it may miss thousands of
    short training steps, and as many cancelled offers would wait for it.

    Parameters
    ----------
    threads : int

    Examples
    --------
    >>> done = []
    >>> offer = Helpers(1).offer(lambda: done.append(1))
    >>> offer.wait()
    >>> done
    [1]
    """

    def __init__(self, threads: int) -> None:
        self._offers: deque[Offer] = deque()
        self._offered = threading.Condition()
        for number in range(threads):
            name = f"minigrad-helper-{number}"
            threading.Thread(target=self._serve, name=name, daemon=True).start()

    def offer(self, work: Callable[[], None]) -> Offer:
        """Have a thread do the work, as soon as one is free."""
        offer = Offer(work)
        with self._offered:
            self._offers.append(offer)
            self._offered.notify()
        return offer

    def take_back(self, offer: Offer) -> bool:
        """Withdraw an offer, unless a thread has begun it; say whether it was withdrawn."""
        with self._offered:
            if offer not in self._offers:
                return False
            self._offers.remove(offer)
            return True

    def _serve(self) -> None:
        keep_memory()
        while True:
            with self._offered:
                while not self._offers:
                    self._offered.wait()
                offer = self._offers.popleft()
            offer.do()
            del offer  # or its gradients would stay until the next one comes
