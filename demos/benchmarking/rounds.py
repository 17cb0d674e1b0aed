"""Taking turns: A B A B ..., so that whatever else the machine does meets all alike.

Before anything is timed, all must have computed the same.
"""

from __future__ import annotations

import contextlib
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy

from .cases import MATMUL, MINIGRAD, Entry, Measurement
from .problems import Settings
from .process import Process, ProcessError, child_environment, run_side_by_side

PAUSE = 0.02  # seconds between turns: idle threads of the last library stop spinning
FEW = 3  # rounds of an entry whose single call takes several turns
IMPORT = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"

TOLERANCE = 1e-4
"""Of a result's largest element: float32 sums of some million terms, in different orders."""

GRADIENT_TOLERANCE = 5e-3
"""The same for gradients, which jump: a ReLU whose input is rounded to the other side of 0 lets its
gradient through or not. One such unit among 2 million (batch 128) has been seen to change a
gradient by 1.3e-3 of its largest element; without one, libraries agree within 1e-5."""


class Disagreement(Exception):
    """Two libraries do not compute the same thing, so their times cannot be compared."""


def largest_difference(
    ours: Mapping[str, numpy.ndarray], theirs: Mapping[str, numpy.ndarray]
) -> float:
    """The largest difference of any result, as a share of that result's largest element.

    Raises
    ------
    Disagreement
        If it is above the tolerance, something is not finite, or names or shapes differ.
    """
    if set(ours) != set(theirs):
        different = ", ".join(sorted(set(ours) ^ set(theirs)))
        raise Disagreement(f"only one of the two computes {different}")
    largest = 0.0
    for name, mine in ours.items():
        other = theirs[name]
        if mine.shape != other.shape:
            raise Disagreement(f"the {name} has shape {mine.shape} and {other.shape}")
        mine, other = mine.astype("float64"), other.astype("float64")
        difference = float(numpy.max(numpy.abs(mine - other), initial=0.0))
        scale = float(numpy.max(numpy.abs(mine), initial=0.0))
        share = difference / scale if scale else difference
        limit = GRADIENT_TOLERANCE if name.startswith("gradient") else TOLERANCE
        if not math.isfinite(share) or share > limit:
            raise Disagreement(
                f"the {name} differs by {share:.2g} of its largest element (tolerance {limit:g})"
            )
        largest = max(largest, share)
    return largest


@contextlib.contextmanager
def _left_out_if_it_fails(entry: Entry, measurement: Measurement) -> Iterator[None]:
    """But minigrad must not fail."""
    try:
        yield
    except (Disagreement, ProcessError) as error:
        if entry.peer == MINIGRAD:
            raise
        measurement.left_out[entry.label] = str(error)
        if isinstance(error, Disagreement):
            measurement.disagreements.append(f"{entry.label}: {error}")


class Rounds:
    """Measures measurements; keeps a process for each library and number of threads.

    Compiled modules go to ``folder``; everybody has ``rounds`` turns of about ``seconds``.
    """

    def __init__(self, folder: Path, rounds: int, seconds: float, device: str) -> None:
        self.bytecode = folder / "bytecode"
        self.rounds = rounds
        self.seconds = seconds
        self.device = device
        self._processes: dict[tuple[str, int, int], Process] = {}

    def __enter__(self) -> Rounds:
        return self

    def __exit__(self, *exception: object) -> None:
        for process in self._processes.values():
            process.close()

    def measure(self, measurement: Measurement) -> Measurement:
        """Fill in what a measurement gives.

        Raises
        ------
        ProcessError
            If minigrad fails; other libraries that do are left out.
        """
        if measurement.case.quantity == "time":
            self._take_turns(measurement)
        elif measurement.case.quantity == "memory":
            self._in_fresh_processes(measurement, range(min(self.rounds, FEW)), self._memory)
        else:  # the first time, not counted, compiles the modules
            self._in_fresh_processes(measurement, range(-1, self.rounds), self._import)
        return measurement

    def _take_turns(self, measurement: Measurement) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessError):
                process.call("forget")
        reference: dict = {}
        ready = []
        for entry in measurement.entries:
            with _left_out_if_it_fails(entry, measurement):
                processes = [self._process(entry, number) for number in range(entry.processes)]
                for process in processes:
                    process.call("prepare", entry.label, entry.problem)
                if entry.peer != MATMUL:  # against minigrad's, the first of the same problem
                    values = processes[0].call("check", entry.label)
                    if entry.problem in reference:
                        difference = largest_difference(reference[entry.problem], values)
                        measurement.differences[entry.label] = difference
                    reference.setdefault(entry.problem, values)
                ready.append((entry, processes, *self._warm_up(entry.label, processes)))
        for turn in range(self.rounds):
            # A B, then B A: a machine that becomes slower favours neither.
            for entry, processes, calls, rounds in ready if turn % 2 == 0 else ready[::-1]:
                if turn < rounds and entry.label not in measurement.left_out:
                    time.sleep(PAUSE)
                    with _left_out_if_it_fails(entry, measurement):
                        seconds = run_side_by_side(processes, entry.label, calls)
                        measurement.values.setdefault(entry.label, []).append(seconds)

    def _warm_up(self, label: str, processes: list[Process]) -> tuple[int, int]:
        """Calls that fill a turn, and the number of turns."""
        calls, total = 1, 0.0
        while True:
            seconds = run_side_by_side(processes, label, calls)
            total += seconds * calls
            if total >= self.seconds:
                rounds = min(self.rounds, FEW) if seconds > 4 * self.seconds else self.rounds
                return max(1, round(self.seconds / seconds)), rounds
            calls = max(1, min(2 * calls, round(self.seconds / seconds)))

    def _process(self, entry: Entry, number: int) -> Process:
        key = (entry.peer.label, entry.threads, number)
        if key not in self._processes:
            self._processes[key] = self._start(entry)
        return self._processes[key]

    def _start(self, entry: Entry) -> Process:
        settings = Settings(entry.threads, self.device, entry.peer.variant)
        return Process(entry.peer, settings, self.bytecode)

    def _in_fresh_processes(
        self, measurement: Measurement, turns: range, value: Callable[[Entry], float]
    ) -> None:
        for turn in turns:
            for entry in measurement.entries:
                if entry.label not in measurement.left_out:
                    with _left_out_if_it_fails(entry, measurement):
                        found = float(value(entry))
                        if turn >= 0:
                            measurement.values.setdefault(entry.label, []).append(found)

    def _memory(self, entry: Entry) -> float:
        process = self._start(entry)
        try:
            return process.call("memory", entry.problem)
        finally:
            process.close()

    def _import(self, entry: Entry) -> float:
        command = [sys.executable, "-c", IMPORT.format(entry.peer.package)]
        environment = child_environment(entry.threads, self.bytecode)
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise ProcessError(done.stderr.strip().rpartition("\n")[2])
        return float(done.stdout.split()[-1])
