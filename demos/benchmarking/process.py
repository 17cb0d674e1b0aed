"""The process of one library: both ends, and the environment all such processes share.

The child runs as ``python -m benchmarking.process`` and has one library imported. It reads the name
of a method of :class:`Worker` and its arguments, calls it, and writes what it gives.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .cases import Peer
from .problems import Problem, Settings

TIME_LIMIT = 900.0  # seconds for one answer: compiling takes some libraries minutes
_DEMOS = Path(__file__).parents[1]
_STATUS = Path("/proc/self/status")


class ProcessError(Exception):
    """A library could not do what it was asked."""


def child_environment(threads: int, bytecode: str | os.PathLike[str]) -> dict[str, str]:
    """The variables of a library's process.

    ``threads`` is told to every library that reads it from the environment. Compiled modules are
    kept in the folder ``bytecode``, whatever the caller's settings say.
    """
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPYCACHEPREFIX"] = os.fspath(bytecode)
    path = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = os.pathsep.join([str(_DEMOS), *([path] if path else [])])
    for library in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        environment[library] = str(threads)
    environment["NPROC"] = environment["NUM_CPU_THREADS"] = str(threads)  # JAX, tinygrad
    environment["JAX_PLATFORMS"] = "cpu"
    return environment


class Process:
    """A process that has one library imported and waits for requests.

    Raises
    ------
    ProcessError
        If the library raised, the process died, or no answer came in time.
    """

    def __init__(self, peer: Peer, settings: Settings, bytecode: str | os.PathLike[str]) -> None:
        self.label = peer.label
        self._is_late = False
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
        self._child: Any = subprocess.Popen(
            [sys.executable, "-m", "benchmarking.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=child_environment(settings.threads, bytecode),
        )
        try:
            self.call("start", peer.module, settings)
        except BaseException:
            self.close()
            raise

    def call(self, method: str, *arguments: Any) -> Any:
        """What a method of :class:`Worker` gives."""
        late = threading.Timer(TIME_LIMIT, self._give_up)
        late.start()
        try:
            pickle.dump((method, arguments), self._child.stdin)
            self._child.stdin.flush()
            is_error, answer = pickle.load(self._child.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            raise ProcessError(f"{self.label}: {self._last_words()}") from None
        finally:
            late.cancel()
        if is_error:
            raise ProcessError(f"{self.label}: {answer}")
        return answer

    def _give_up(self) -> None:
        self._is_late = True
        self._child.kill()

    def _last_words(self) -> str:
        if self._is_late:
            return f"no answer in {TIME_LIMIT:g} seconds"
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").split("\n")
        lines = [line.strip() for line in lines if line.strip()]
        return lines[-1] if lines else "the process ended without a word"

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._child.stdin.close()
        try:
            self._child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child.stdout.close()
        self._errors.close()


def run_side_by_side(processes: Sequence[Any], key: str, calls: int) -> float:
    """Seconds until all processes have done a call, all at the same time, divided among them."""
    with ThreadPoolExecutor(len(processes)) as pool:
        seconds = pool.map(lambda process: process.call("run", key, calls), processes)
    return max(seconds) / len(processes)


class Worker:
    """The other end."""

    def start(self, module: str, settings: Settings) -> None:
        """Import the library."""
        self.library = importlib.import_module(module)
        self.settings = settings
        self.tasks: dict[str, Any] = {}

    def prepare(self, key: str, problem: Problem) -> None:
        """Make a problem ready, under a name."""
        self.tasks[key] = self.library.prepare(problem, self.settings)

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

    def memory(self, problem: Problem, calls: int = 3) -> int:
        """The most memory that a few calls take, model and optimiser included, in bytes.

        Above the process as it is now: everything imported, and the batch made.
        """
        _ = problem.inputs, problem.weights
        Path("/proc/self/clear_refs").write_text("5")  # the peak is what is resident now: proc(5)
        before = memory_status("VmRSS")
        task = self.library.prepare(problem, self.settings)
        for _ in range(calls):
            task.call()
        task.wait()
        return memory_status("VmHWM") - before


def memory_status(name: str) -> int:
    """Bytes of this process that are resident (``VmRSS``) or have been (``VmHWM``), on Linux."""
    for line in _STATUS.read_text().splitlines():
        found, _, value = line.partition(":")
        if found == name:
            return int(value.split()[0]) * 1024
    raise RuntimeError(f"{_STATUS} has no {name}")


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
