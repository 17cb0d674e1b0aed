"""Threads that wait for work, and work that can be taken back while nobody has begun it.

Ctrl-C may interrupt the thread that offers at any moment, so that thread never holds a lock that a
helper needs: what the two share is changed by single operations of the interpreter (of a deque, a
dictionary, a queue), and each may be done twice. Helpers are never interrupted: Python runs the
handlers of signals in the main thread.

Adding up the results of numbered pieces of work in their order, whoever finishes first.
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
from queue import Empty, SimpleQueue

from minigrad.backend import keep_memory
from minigrad.engine import Tensor

_helpers: dict[int, Helpers] = {}
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_helpers.clear)  # a forked child has none of the threads


def usable_cores() -> int:
    """How many of the machine's cores this process may use.

    Examples
    --------
    >>> usable_cores() >= 1
    True
    """
    if hasattr(os, "process_cpu_count"):  # Python 3.13, which can be told another number
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # Linux; not macOS, not Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def helpers(threads: int) -> Helpers:
    """So many threads, started at the first call and the same ones ever after."""
    return _helpers.get(threads) or _helpers.setdefault(threads, Helpers(threads))


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

    Parameters
    ----------
    threads : int

    Examples
    --------
    >>> done = []
    >>> offer = Offer(lambda: done.append(1))
    >>> Helpers(1).offer(offer)
    >>> offer.wait()
    >>> done
    [1]
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


def sum_in_order(
    run: Callable[[int], tuple[Tensor, ...]], count: int, workers: int
) -> list[Tensor]:
    """``run(0) + run(1) + ...``, element by element, added in this order by several threads.

    Each worker takes the next shard, runs it, and adds what has become addable: the result of
    shard k waits in ``ready`` until 0 to k - 1 have been added. Workers do not run far ahead of
    the sum, so that few results wait.

    Ctrl-C ends the call as soon as the shards that helpers are at are done, whatever moment it
    comes at. A second one ends it at once; the helpers then stop by themselves.
    """
    state = _Sum(count, ahead=4 * workers)

    def work() -> None:
        while (index := state.take()) is not None:
            try:
                state.add(index, run(index))
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
    except BaseException as interrupt:  # Ctrl-C between shards
        state.failed.append((count, interrupt))
        end()
    if state.failed:
        # What a user pressed outranks what a worker raised; else the first shard's error.
        interrupts = [error for _, error in state.failed if not isinstance(error, Exception)]
        raise interrupts[0] if interrupts else min(state.failed, key=lambda pair: pair[0])[1]
    state.add_ready()  # what nobody came to while another was adding
    return state.total


class _Sum:
    """How far the shards have got: taken by a worker, ready, added.

    No worker waits for a lock: the one it would wait for may be held by a caller whom Ctrl-C has
    thrown out. Whoever finds another adding leaves its result to it, or to the end.
    """

    def __init__(self, count: int, ahead: int) -> None:
        self.count = count
        self.ahead = ahead
        self.indices = itertools.count()
        self.adding = threading.Lock()
        self.added = 0
        self.ready: dict[int, tuple[Tensor, ...]] = {}
        self.total: Sequence[Tensor] = ()
        self.failed: list[tuple[int, BaseException]] = []

    def take(self) -> int | None:
        """The next shard, once the sum has come near enough; None if there is none to do."""
        index = next(self.indices)
        while not self.failed and index < self.count and index - self.added >= self.ahead:
            time.sleep(0.001)  # rare: another worker has been at one shard for as long as four
        return None if self.failed or index >= self.count else index

    def add(self, index: int, result: tuple[Tensor, ...]) -> None:
        """Put down a result, and add what can be added."""
        self.ready[index] = result
        while self.added in self.ready and self.adding.acquire(blocking=False):
            try:
                self.add_ready()
            finally:
                self.adding.release()

    def add_ready(self) -> None:
        """Add what can be added; by one thread at a time."""
        while self.added in self.ready:
            result = self.ready.pop(self.added)
            if self.added == 0:
                self.total = result
            elif self.added == 1:  # a new sum, since the results' memory may be others'
                self.total = [Tensor(a.data + b.data) for a, b in zip(self.total, result)]
            else:
                for total, part in zip(self.total, result):
                    total.data += part.data
            self.added += 1
