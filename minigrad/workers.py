"""Adding up the results of numbered pieces of work in their order, whoever finishes first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from .helper_threads import helpers
from .tensor import Tensor


def sum_in_order(
    run: Callable[[int], tuple[Tensor, ...]], count: int, workers: int
) -> list[Tensor]:
    """``run(0) + run(1) + ...``, element by element, added in this order by several threads.

    Each worker takes the next shard, runs it, and adds what has become addable: the result of
    shard k waits in ``ready`` until 0 to k - 1 have been added. Workers do not run far ahead of
    the sum, so that few results wait.
    """
    turn = threading.Condition()
    state = _Sum(count, ahead=4 * workers)

    def work() -> None:
        while True:
            with turn:
                turn.wait_for(state.may_take)
                if state.failed or state.taken == count:
                    return
                index = state.taken
                state.taken += 1
            try:
                result = run(index)
                with turn:
                    state.ready[index] = result
                    state.add_ready()
                    turn.notify_all()
            except BaseException as error:
                with turn:
                    state.failed.append((index, error))
                    turn.notify_all()
                return

    offers = [helpers(workers - 1).offer(work) for _ in range(workers - 1)]
    try:
        work()  # the caller's thread is the first worker
    except BaseException as interrupt:  # Ctrl-C between shards
        with turn:
            state.failed.append((count, interrupt))
            turn.notify_all()
    for offer in offers:
        if not helpers(workers - 1).take_back(offer):
            offer.wait()
    if state.failed:
        # What a user pressed outranks what a worker raised; else the first shard's error.
        interrupts = [error for _, error in state.failed if not isinstance(error, Exception)]
        raise interrupts[0] if interrupts else min(state.failed, key=lambda pair: pair[0])[1]
    return state.total


class _Sum:
    """How far the shards have got: taken by a worker, ready, added."""

    def __init__(self, count: int, ahead: int) -> None:
        self.count = count
        self.ahead = ahead
        self.taken = 0
        self.added = 0
        self.ready: dict[int, tuple[Tensor, ...]] = {}
        self.total: Sequence[Tensor] = ()
        self.failed: list[tuple[int, BaseException]] = []

    def may_take(self) -> bool:
        is_over = bool(self.failed) or self.taken == self.count
        return is_over or self.taken - self.added < self.ahead

    def add_ready(self) -> None:
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
