"""The process of one library: both ends, and the environment all such processes share.

The child runs as ``python -m benchmarking.process`` and imports one library. It reads the name of a
method of :class:`Worker` and its arguments, calls it, and writes what it gives.
"""

from __future__ import annotations

import importlib
import os
import pickle
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .problems import Problem, Settings

TIME_LIMIT = 900.0  # seconds for one answer: compiling takes some libraries minutes
_DEMOS = Path(__file__).parents[1]


class ProcessError(Exception):
    """A library could not do what it was asked: it raised, died, or did not answer in time."""


def child_environment(threads: int, bytecode: str | os.PathLike[str]) -> dict[str, str]:
    """The variables of a library's process.

    ``threads`` is told to every library that reads it from the environment. Compiled modules are
    kept in the folder ``bytecode``, whatever the caller's settings say.
    """
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": os.fspath(bytecode)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    path = filter(None, [str(_DEMOS), environment.get("PYTHONPATH")])
    environment["PYTHONPATH"] = os.pathsep.join(path)
    blas = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    told = (*blas, "NPROC", "NUM_CPU_THREADS")  # the last two: JAX, tinygrad
    return {**environment, **dict.fromkeys(told, str(threads)), "JAX_PLATFORMS": "cpu"}


def last_line(words: str) -> str:
    """What a process said last: of a traceback, the error."""
    return words.strip().rpartition("\n")[2].strip() or "the process ended without a word"


class Process:
    """A process that waits for requests to one library."""

    def __init__(self, label: str, threads: int, bytecode: str | os.PathLike[str]) -> None:
        self.label = label
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
        self._child: Any = subprocess.Popen(
            [sys.executable, "-m", "benchmarking.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=child_environment(threads, bytecode),
        )

    def call(self, method: str, *arguments: Any) -> Any:
        """What a method of :class:`Worker` gives, or a ProcessError."""
        deadline = time.monotonic() + TIME_LIMIT
        late = threading.Timer(TIME_LIMIT, self._child.kill)
        late.start()
        try:
            pickle.dump((method, arguments), self._child.stdin)
            self._child.stdin.flush()
            is_error, answer = pickle.load(self._child.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            is_error, answer = True, f"no answer in {TIME_LIMIT:g} seconds"
            if time.monotonic() < deadline:
                self._errors.seek(0)
                answer = last_line(self._errors.read().decode("utf-8", "replace"))
        finally:
            late.cancel()
        if is_error:
            raise ProcessError(f"{self.label}: {answer}")
        return answer

    def close(self) -> None:
        """End the process: it ends by itself when its standard input does."""
        try:
            self._child.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.communicate()
        self._errors.close()


def run_side_by_side(processes: Sequence[Any], key: str, calls: int) -> float:
    """Seconds until all processes have done a call, all at the same time, divided among them."""
    with ThreadPoolExecutor(len(processes)) as pool:
        seconds = pool.map(lambda process: process.call("run", key, calls), processes)
    return max(seconds) / len(processes)


class Worker:
    """The other end."""

    def __init__(self) -> None:
        self.tasks: dict[str, Any] = {}

    def prepare(self, key: str, module: str, problem: Problem, settings: Settings) -> None:
        """Make a problem ready, under a name, in the words of a library's module."""
        self.tasks[key] = importlib.import_module(module).prepare(problem, settings)

    def check(self, key: str) -> dict[str, Any]:
        """The results that are compared: arrays by name."""
        return self.tasks[key].check()

    def run(self, key: str, calls: int) -> float:
        """Seconds a call, over some calls."""
        task = self.tasks[key]
        task.wait()
        started = time.perf_counter()
        for _ in range(calls):
            task.call()
        task.wait()
        return (time.perf_counter() - started) / calls

    def forget(self) -> None:
        """Free all problems."""
        self.tasks.clear()

    def memory(self, module: str, problem: Problem, settings: Settings) -> int:
        """The most memory that a few calls take, model and optimiser included, in bytes.

        Above the process as it is now: everything imported, and the batch made.
        """
        importlib.import_module(module)
        _ = problem.inputs, problem.weights
        Path("/proc/self/clear_refs").write_text("5")  # the peak is what is resident now: proc(5)
        before = memory_status("VmRSS")
        self.prepare("memory", module, problem, settings)
        self.run("memory", 3)
        return memory_status("VmHWM") - before


def memory_status(name: str) -> int:
    """Bytes of this process that are resident (``VmRSS``) or have been (``VmHWM``), on Linux."""
    (kilobytes,) = re.findall(rf"{name}:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return int(kilobytes) * 1024


def _answer_requests() -> None:
    """Answer until the other end closes the pipe."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    worker = Worker()
    while True:
        try:
            method, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = False, getattr(worker, method)(*arguments)
        except Exception as error:
            answer = True, f"{type(error).__name__}: {error}"
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    _answer_requests()
