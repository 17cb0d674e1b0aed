"""Taking turns: A B A B ..., so that whatever else the machine does meets all alike.

Before anything is timed, all must have computed the same.
"""

from __future__ import annotations

import contextlib
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy

from .cases import MATMUL, MINIGRAD, Entry, Measurement
from .problems import Problem, Settings
from .process import Process, ProcessError, child_environment, last_line, run_side_by_side

PAUSE = 0.02  # seconds between turns: idle threads of the last library stop spinning
FEW = 3  # rounds of an entry whose single call takes several turns
IMPORT = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"

TOLERANCE = 1e-4
"""Of a result's largest element: float32 sums of some million terms, in different orders."""

GRADIENT_TOLERANCE = 5e-3
"""The same for gradients, which jump: a ReLU whose input is rounded to the other side of 0 lets its
gradient through or not. One such unit among 2 million (batch 128) has been seen to change a
gradient by 1.3e-3 of its largest element; without one, libraries agree within 1e-5."""

_Any = TypeVar("_Any")


class Disagreement(Exception):
    """Two libraries do not compute the same thing, so their times cannot be compared."""


def largest_difference(
    ours: Mapping[str, numpy.ndarray], theirs: Mapping[str, numpy.ndarray]
) -> float:
    """The largest difference of any result, as a share of that result's largest element.

    A Disagreement if it is above the tolerance, or not finite, or if names or shapes differ.
    """
    if different := set(ours) ^ set(theirs):
        raise Disagreement(f"only one of the two computes {', '.join(sorted(different))}")
    largest = 0.0
    for name, mine in ours.items():
        other = theirs[name]
        if mine.shape != other.shape:
            raise Disagreement(f"the {name} has shape {mine.shape} and {other.shape}")
        difference = float(numpy.max(numpy.abs(mine - other.astype("float64")), initial=0.0))
        scale = float(numpy.max(numpy.abs(mine), initial=0.0))
        share = difference / scale if scale else difference
        limit = GRADIENT_TOLERANCE if name.startswith("gradient") else TOLERANCE
        if not math.isfinite(share) or share > limit:
            raise Disagreement(
                f"the {name} differs by {share:.2g} of its largest element (tolerance {limit:g})"
            )
        largest = max(largest, share)
    return largest


def in_turn(participants: Sequence[_Any], rounds: int) -> Iterator[tuple[int, _Any]]:
    """All participants, round by round: A B, then B A, so that no drift favours either."""
    for turn in range(rounds):
        for participant in participants[:: 1 if turn % 2 == 0 else -1]:
            time.sleep(PAUSE)
            yield turn, participant


@contextlib.contextmanager
def _left_out_if_it_fails(entry: Entry) -> Iterator[None]:
    """But minigrad must not fail."""
    try:
        yield
    except (Disagreement, ProcessError) as error:
        if entry.peer == MINIGRAD:
            raise
        entry.left_out = str(error)
        entry.disagrees = isinstance(error, Disagreement)


class Rounds(contextlib.ExitStack):
    """Measures measurements; keeps a process for each library and number of threads.

    Compiled modules go to ``folder``; everybody has ``rounds`` turns of about ``seconds``.
    """

    def __init__(self, folder: Path, rounds: int, seconds: float, device: str) -> None:
        super().__init__()
        self.bytecode = folder / "bytecode"
        self.rounds = rounds
        self.seconds = seconds
        self.device = device
        self._processes: dict[tuple[str, int, int], Process] = {}

    def measure(self, measurement: Measurement) -> None:
        """Fill in what came of the entries: a library that fails is left out, minigrad raises."""
        for process in self._processes.values():
            with contextlib.suppress(ProcessError):
                process.call("forget")
        ready: list[tuple[Entry, Callable[[], float], int]] = []
        reference: dict = {}
        for entry in measurement.entries:
            with _left_out_if_it_fails(entry):
                rounds = self.rounds
                if measurement.case.quantity == "time":
                    value, rounds = self._time(entry, reference)
                elif measurement.case.quantity == "memory":
                    value, rounds = partial(self._memory, entry), min(rounds, FEW)
                else:
                    value = partial(self._import, entry)
                    value()  # the first time, not counted, compiles the modules
                ready.append((entry, value, rounds))
        for turn, (entry, value, rounds) in in_turn(ready, self.rounds):
            if turn < rounds and not entry.left_out:
                with _left_out_if_it_fails(entry):
                    entry.values.append(value())

    def _time(self, entry: Entry, reference: dict) -> tuple[Callable[[], float], int]:
        """Seconds a call in a turn, and the number of turns.

        The results must be those of the first entry of the same problem, minigrad's.
        """
        processes = []
        for number in range(entry.processes):
            key = (entry.peer.label, entry.threads, number)
            if key not in self._processes:
                self._processes[key] = self._start(entry)
                self.callback(self._processes[key].close)
            processes.append(self._processes[key])
            processes[-1].call("prepare", entry.label, *self._work(entry))
        if entry.peer != MATMUL:
            values = processes[0].call("check", entry.label)
            first = reference.setdefault(entry.problem, values)
            if first is not values:
                entry.difference = largest_difference(first, values)
        calls, total = 1, 0.0
        while True:
            seconds = run_side_by_side(processes, entry.label, calls)
            total += seconds * calls
            if total >= self.seconds:
                rounds = min(self.rounds, FEW) if seconds > 4 * self.seconds else self.rounds
                calls = max(1, round(self.seconds / seconds))
                return partial(run_side_by_side, processes, entry.label, calls), rounds
            calls = max(1, min(2 * calls, round(self.seconds / seconds)))

    def _start(self, entry: Entry) -> Process:
        return Process(entry.peer.label, entry.threads, self.bytecode)

    def _work(self, entry: Entry) -> tuple[str, Problem, Settings]:
        settings = Settings(entry.threads, self.device, entry.peer.variant)
        return entry.peer.module, entry.problem, settings

    def _memory(self, entry: Entry) -> float:
        with contextlib.closing(self._start(entry)) as process:
            return process.call("memory", *self._work(entry))

    def _import(self, entry: Entry) -> float:
        command = [sys.executable, "-c", IMPORT.format(entry.peer.package)]
        environment = child_environment(entry.threads, self.bytecode)
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise ProcessError(last_line(done.stderr))
        return float(done.stdout.split()[-1])
