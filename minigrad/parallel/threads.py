"""Numbered pieces of work on several threads, their results used in order.

Ctrl-C may interrupt the thread that offers work at any moment. So that thread never holds a lock
that a helper needs: what the two share is changed by single operations of the interpreter (of a
deque, a dictionary, a queue), and each may be done twice. Helpers are never interrupted: Python
runs the handlers of signals in the main thread.
"""

from __future__ import annotations

import _thread
import contextlib
import contextvars
import itertools
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import wraps
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from minigrad.backend import CPU, Device, keep_memory

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Piece = TypeVar("_Piece")
_Result = TypeVar("_Result")

_helpers: dict[int, Helpers] = {}
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_helpers.clear)  # a forked child has none of the threads


def usable_cores() -> int:
    """How many of the machine's cores this process may use."""
    told = getattr(os, "process_cpu_count", None)
    if told is not None:  # Python 3.13, which can be told another number
        return told() or 1
    if hasattr(os, "sched_getaffinity"):  # Linux; not macOS, not Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def contained(function: _Function) -> _Function:
    """A function that leaves no mode behind, whatever moment Ctrl-C comes at."""

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        return contextvars.copy_context().run(function, *arguments, **options)

    return call  # type: ignore[return-value]


def helpers(threads: int) -> Helpers:
    """So many threads, started at the first call and the same ones ever after."""
    return _helpers.get(threads) or _helpers.setdefault(threads, Helpers(threads))


class Offer:
    """A piece of work, which must not raise, in the context of whoever offers it."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._context = contextvars.copy_context()
        self._taker: dict[None, str] = {}
        self._is_over = False
        self._over = threading.Lock()
        self._over.acquire()

    def do(self) -> None:
        """Do the work, unless it was withdrawn."""
        if self._taker.setdefault(None, "helper") != "helper":
            return
        try:
            self._context.run(self._work)
        finally:
            self._is_over = True
            self._over.release()

    def withdraw(self) -> bool:
        """See to it that the work is not begun; say whether that came in time."""
        return self._taker.setdefault(None, "owner") == "owner"

    def wait(self) -> None:
        """Wait until the work is done."""
        while not self._is_over:
            self._over.acquire()


class Helpers:
    """Threads that do what is offered, in the order of the offers.

    Not a ``ThreadPoolExecutor``: that one keeps what was cancelled, and all it refers to, until
    one of its threads comes to it. A thread that asks for the interpreter lock while another keeps
    letting go of it for microseconds only is woken too late each time: it may miss thousands of
    short training steps, and as many cancelled offers would wait for it.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._started = 0
        self._starting = threading.Lock()  # for the threads that start the others alone
        self._offers: deque[Offer] = deque()
        self._calls: SimpleQueue[None] = SimpleQueue()  # one an offer, or more

    def offer(self, offer: Offer) -> None:
        """Have a thread do the work, as soon as one is free."""
        if self._started < self._threads:  # by a thread, where Ctrl-C does not come
            _thread.start_new_thread(self._start_missing, ())
        self._offers.append(offer)
        self._calls.put(None)

    def take_back(self, offer: Offer) -> bool:
        """Withdraw an offer, unless a thread has begun it; say whether it was withdrawn."""
        if not offer.withdraw():
            return False
        with contextlib.suppress(ValueError, Empty):  # a thread has found it, and let it be
            self._offers.remove(offer)
            self._calls.get_nowait()
        return True

    def _start_missing(self) -> None:
        # Where there is no thread to be had, whoever offers does the work.
        with self._starting, contextlib.suppress(RuntimeError):
            while self._started < self._threads:
                name = f"minigrad-helper-{self._started}"
                threading.Thread(target=self._serve, name=name, daemon=True).start()
                self._started += 1

    def _serve(self) -> None:
        keep_memory()
        while True:
            self._calls.get()
            while self._offers:  # also one whose call was lost to Ctrl-C
                try:
                    offer = self._offers.popleft()
                except IndexError:  # another helper was faster
                    break
                offer.do()
                del offer  # or its gradients would stay until the next one comes


def run_in_order(
    run: Callable[[int], _Result], count: int, workers: int, use: Callable[[_Result], None]
) -> None:
    """Run ``run(0)``, ``run(1)``, ... on several threads; ``use`` their results in this order.

    Each worker takes the next index, runs it, and uses what has become usable: result k waits in
    ``ready`` until those before it have been used. Workers do not run far ahead, so that few
    results wait.

    Ctrl-C ends the call as soon as the work that helpers are at is done, whatever moment it comes
    at. A second one ends it at once; the helpers then stop by themselves.
    """
    state = _InOrder(count, use, ahead=4 * workers)

    def work() -> None:
        while (index := state.take()) is not None:
            try:
                state.put(index, run(index))
            except BaseException as error:
                state.failed.append((index, error))

    offers = [Offer(work) for _ in range(workers - 1)]

    def end() -> None:
        for offer in offers:
            if not helpers(workers - 1).take_back(offer):
                offer.wait()

    try:
        for offer in offers:
            helpers(workers - 1).offer(offer)
        work()  # the caller's thread is the first worker
        end()
    except BaseException as interrupt:  # Ctrl-C between two pieces of work
        state.failed.append((count, interrupt))
        end()
    if state.failed:
        # What a user pressed outranks what a worker raised; else the first piece's error.
        interrupts = [error for _, error in state.failed if not isinstance(error, Exception)]
        raise interrupts[0] if interrupts else min(state.failed, key=lambda pair: pair[0])[1]
    state.use_ready()  # what nobody came to while another was at it


def on_all_cores(
    function: Callable[[_Piece], _Result], pieces: Sequence[_Piece], device: Device = CPU
) -> list[_Result]:
    """What a function gives for each piece, in order, from as many threads as cores.

    Work on a GPU is offered by one.

    >>> on_all_cores(lambda number: number**2, [3, 1, 2])
    [9, 1, 4]
    """
    results: list[_Result] = []
    workers = min(usable_cores(), len(pieces)) if device == CPU else 1
    run_in_order(lambda i: function(pieces[i]), len(pieces), workers, results.append)
    return results


class _InOrder:
    """How far the work has got: taken by a worker, ready, used.

    No worker waits for a lock: the one it would wait for may be held by a caller whom Ctrl-C has
    thrown out. Whoever finds another using results leaves its own to it, or to the end.
    """

    def __init__(self, count: int, use: Callable[[Any], None], ahead: int) -> None:
        self.count = count
        self.use = use
        self.ahead = ahead
        self.indices = itertools.count()
        self.using = threading.Lock()
        self.used = 0
        self.ready: dict[int, Any] = {}
        self.failed: list[tuple[int, BaseException]] = []

    def take(self) -> int | None:
        """The next index, once those used have come near enough; None if nothing is to do."""
        index = next(self.indices)
        while not self.failed and index < self.count and index - self.used >= self.ahead:
            time.sleep(0.001)  # rare: another worker has been at one index for as long as four
        return None if self.failed or index >= self.count else index

    def put(self, index: int, result: Any) -> None:
        """Put down a result, and use what can be used."""
        self.ready[index] = result
        while self.used in self.ready and self.using.acquire(blocking=False):
            try:
                self.use_ready()
            finally:
                self.using.release()

    def use_ready(self) -> None:
        """Use what can be used; by one thread at a time."""
        while self.used in self.ready:
            self.use(self.ready.pop(self.used))
            self.used += 1
