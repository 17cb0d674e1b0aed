"""Taking turns: A B A B ..., so that whatever else the machine does meets all alike.

Before anything is timed, all must have computed the same.
"""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy

from .cases import Entry, Measurement
from .peers import MATMUL, MINIGRAD
from .problems import Settings
from .process import Process, ProcessError, SideBySide, child_environment
from .results import Result

__all__ = ["GRADIENT_TOLERANCE", "TOLERANCE", "Disagreement", "Rounds", "largest_difference"]

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


class Rounds:
    """Measures measurements; keeps a process for each library and number of threads.

    Parameters
    ----------
    folder : Path
        For compiled modules and results to be compared; the caller's to remove.
    rounds : int
        How often everybody has a turn.
    seconds : float
        About how long a turn is.
    device : str
    """

    def __init__(self, folder: Path, rounds: int, seconds: float, device: str) -> None:
        self.folder = folder
        self.bytecode = folder / "bytecode"
        self.rounds = rounds
        self.seconds = seconds
        self.device = device
        self._processes: dict[tuple[str, int, int], Process] = {}
        self._broken: dict[tuple[str, int, int], str] = {}

    def __enter__(self) -> Rounds:
        return self

    def __exit__(self, *exception: object) -> None:
        for process in self._processes.values():
            process.close()

    def measure(self, measurement: Measurement) -> Result:
        """All values of a measurement.

        Raises
        ------
        ProcessError
            If minigrad fails; other libraries that do are left out, and the result says why.
        """
        result = Result(measurement)
        measure = {"time": self._times, "memory": self._memory, "import": self._imports}
        measure[measurement.quantity](result)
        return result

    def _times(self, result: Result) -> None:
        with ExitStack() as prepared:
            ready = list(self._ready(result, prepared))
            for turn in range(self.rounds):
                # A B, then B A: a machine that becomes slower favours neither.
                for entry, processes, calls, rounds in ready if turn % 2 == 0 else ready[::-1]:
                    if turn < rounds:
                        time.sleep(PAUSE)
                        value = processes.run(entry.label, calls)
                        result.values.setdefault(entry.label, []).append(value)

    def _ready(
        self, result: Result, prepared: ExitStack
    ) -> Iterator[tuple[Entry, SideBySide, int, int]]:
        """Entries prepared, checked and warmed up; with calls a turn, and number of turns."""
        reference: dict = {}
        for entry in result.measurement.entries:
            try:
                processes = self._processes_of(entry)
                processes.prepare(entry.label, entry.problem)
                prepared.callback(processes.drop, entry.label)
                if entry.peer is not MATMUL:
                    self._compare(result, entry, processes, reference)
                calls, rounds = self._warm_up(entry, processes)
            except Disagreement as error:
                result.left_out[entry.label] = str(error)
                result.disagreements.append(f"{entry.label}: {error}")
            except ProcessError as error:
                if entry.peer is MINIGRAD:
                    raise
                result.left_out[entry.label] = str(error)
            else:
                yield entry, processes, calls, rounds

    def _compare(
        self, result: Result, entry: Entry, processes: SideBySide, reference: dict
    ) -> None:
        """Against the first entry of the same problem, which is minigrad's."""
        file = self.folder / "results.npz"
        processes.check(entry.label, str(file))
        with numpy.load(file, allow_pickle=False) as archive:
            values = {name: archive[name] for name in archive.files}
        if entry.problem in reference:
            difference = largest_difference(reference[entry.problem], values)
            result.differences[entry.label] = difference
        else:
            reference[entry.problem] = values

    def _warm_up(self, entry: Entry, processes: SideBySide) -> tuple[int, int]:
        """Calls that fill a turn, and the number of turns."""
        calls, total = 1, 0.0
        while True:
            seconds = processes.run(entry.label, calls)
            total += seconds * calls
            if total >= self.seconds:
                rounds = min(self.rounds, FEW) if seconds > 4 * self.seconds else self.rounds
                return max(1, round(self.seconds / seconds)), rounds
            calls = max(1, min(2 * calls, round(self.seconds / seconds)))

    def _processes_of(self, entry: Entry) -> SideBySide:
        return SideBySide([self._process(entry, number) for number in range(entry.processes)])

    def _process(self, entry: Entry, number: int) -> Process:
        key = (entry.peer.label, entry.threads, number)
        if key in self._broken:
            raise ProcessError(self._broken[key])
        if key not in self._processes:
            try:
                self._processes[key] = self._start(entry)
            except ProcessError as error:
                self._broken[key] = str(error)
                raise
        return self._processes[key]

    def _start(self, entry: Entry) -> Process:
        return Process(entry.peer, Settings(entry.threads, self.device), self.bytecode)

    def _memory(self, result: Result) -> None:
        for _ in range(min(self.rounds, FEW)):
            for entry in result.measurement.entries:
                if entry.label in result.left_out:
                    continue
                try:
                    process = self._start(entry)
                    try:
                        used = process.memory(entry.problem)
                    finally:
                        process.close()
                except ProcessError as error:
                    if entry.peer is MINIGRAD:
                        raise
                    result.left_out[entry.label] = str(error)
                else:
                    result.values.setdefault(entry.label, []).append(float(used))

    def _imports(self, result: Result) -> None:
        """Each in a fresh interpreter; the first time, not counted, compiles the modules."""
        for turn in range(-1, self.rounds):
            for entry in result.measurement.entries:
                environment = child_environment(entry.threads, self.bytecode)
                command = [sys.executable, "-c", IMPORT.format(entry.peer.package)]
                done = subprocess.run(command, env=environment, capture_output=True, text=True)
                if done.returncode != 0:
                    result.left_out[entry.label] = done.stderr.strip().rpartition("\n")[2]
                elif turn >= 0:
                    values = result.values.setdefault(entry.label, [])
                    values.append(float(done.stdout.split()[-1]))
