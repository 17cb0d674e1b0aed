"""Adding up the results of numbered pieces of work in their order, whoever finishes first."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence

from minigrad.engine import Tensor
from minigrad.parallel.helper_threads import Offer, helpers


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
