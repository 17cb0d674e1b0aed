"""The process of one library: both ends, and the environment all such processes share.

The child runs as ``python -m benchmarking.process MODULE SETTINGS``. It reads requests, a line of
JSON each, and answers them in the same way.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy

from .peers import Peer
from .problems import Problem, Settings

__all__ = ["Process", "ProcessError", "SideBySide", "child_environment", "memory_status"]

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
    for name in ("OMP", "OPENBLAS", "MKL"):
        environment[f"{name}_NUM_THREADS"] = str(threads)
    environment["NUM_CPU_THREADS"] = str(threads)  # tinygrad
    environment["JAX_PLATFORMS"] = "cpu"
    return environment


class Process:
    """A process that has one library imported and waits for requests.

    Raises
    ------
    ProcessError
        From any method: if the library raised, the process died, or no answer came in time.
    """

    def __init__(self, peer: Peer, settings: Settings, bytecode: str | os.PathLike[str]) -> None:
        self.label = peer.label
        settings = dataclasses.replace(settings, variant=peer.variant)
        arguments = [peer.module, json.dumps(dataclasses.asdict(settings))]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
        self._child: Any = subprocess.Popen(
            [sys.executable, "-m", "benchmarking.process", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=child_environment(settings.threads, bytecode),
            text=True,
            encoding="utf-8",
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    def prepare(self, key: str, problem: Problem) -> None:
        """Make a problem ready, under a name."""
        self._ask(do="prepare", key=key, problem=dataclasses.asdict(problem))

    def check(self, key: str, file: str) -> None:
        """Write the results that are compared to an npz file."""
        self._ask(do="check", key=key, file=file)

    def run(self, key: str, calls: int) -> float:
        """Seconds a call, over some calls."""
        return self._ask(do="run", key=key, calls=calls)["seconds"]

    def drop(self, key: str) -> None:
        """Forget a problem."""
        self._ask(do="drop", key=key)

    def memory(self, problem: Problem, calls: int = 3) -> int:
        """Peak bytes of a few calls."""
        return self._ask(do="memory", problem=dataclasses.asdict(problem), calls=calls)["bytes"]

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._child.stdin.close()
        try:
            self._child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._errors.close()

    def _ask(self, **request: Any) -> dict[str, Any]:
        try:
            self._child.stdin.write(json.dumps(request) + "\n")
            self._child.stdin.flush()
        except OSError:
            raise ProcessError(f"{self.label}: {self._last_words()}") from None
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=TIME_LIMIT)
        except queue.Empty:
            self._child.kill()
            raise ProcessError(f"{self.label}: no answer in {TIME_LIMIT:.0f} seconds") from None
        if not line:
            raise ProcessError(f"{self.label}: {self._last_words()}")
        answer = json.loads(line)
        if "error" in answer:
            raise ProcessError(f"{self.label}: {answer['error']}")
        return answer

    def _read(self) -> None:
        for line in self._child.stdout:
            self._lines.put(line)
        self._lines.put("")  # the process has ended

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").split("\n")
        lines = [line.strip() for line in lines if line.strip()]
        return lines[-1] if lines else "the process ended without a word"


class SideBySide:
    """One process or several of a library, all computing the same problem at the same time.

    They share nothing but the machine: what it has to give. Methods are those of one process.
    """

    def __init__(self, processes: Sequence[Process]) -> None:
        self.processes = processes

    def prepare(self, key: str, problem: Problem) -> None:
        for process in self.processes:
            process.prepare(key, problem)

    def check(self, key: str, file: str) -> None:
        self.processes[0].check(key, file)

    def run(self, key: str, calls: int) -> float:
        """Seconds until all have done a call, divided among these calls."""
        with ThreadPoolExecutor(len(self.processes)) as pool:
            seconds = pool.map(lambda process: process.run(key, calls), self.processes)
        return max(seconds) / len(self.processes)

    def drop(self, key: str) -> None:
        for process in self.processes:
            process.drop(key)


class _Child:
    """The other end: a method for each request."""

    def __init__(self, library: ModuleType, settings: Settings) -> None:
        self.library = library
        self.settings = settings
        self.tasks: dict[str, Any] = {}

    def prepare(self, key: str, problem: dict[str, Any]) -> dict[str, Any]:
        self.tasks[key] = self.library.prepare(Problem(**problem), self.settings)
        return {}

    def check(self, key: str, file: str) -> dict[str, Any]:
        numpy.savez(file, **self.tasks[key].check())
        return {}

    def run(self, key: str, calls: int) -> dict[str, Any]:
        task = self.tasks[key]
        task.wait()
        started = time.perf_counter()
        for _ in range(calls):
            task.call()
        task.wait()
        return {"seconds": (time.perf_counter() - started) / calls}

    def drop(self, key: str) -> dict[str, Any]:
        self.tasks.pop(key, None)
        return {}

    def memory(self, problem: dict[str, Any], calls: int) -> dict[str, Any]:
        """The most memory that a few calls take, model and optimiser included.

        Above the process as it is now: everything imported, and the batch made.
        """
        work = Problem(**problem)
        _ = work.inputs, work.weights
        Path("/proc/self/clear_refs").write_text("5")  # the peak is what is resident now: proc(5)
        before = memory_status("VmRSS")
        task = self.library.prepare(work, self.settings)
        for _ in range(calls):
            task.call()
        task.wait()
        return {"bytes": memory_status("VmHWM") - before}


def memory_status(field: str) -> int:
    """Bytes of this process that are resident (``VmRSS``) or have been (``VmHWM``), on Linux."""
    for line in _STATUS.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise RuntimeError(f"{_STATUS} has no {field}")


def _answer_requests() -> None:
    """Answer until the other end closes the pipe."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    child = _Child(importlib.import_module(sys.argv[1]), Settings(**json.loads(sys.argv[2])))
    answers.write("{}\n")
    answers.flush()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(child, request.pop("do"))(**request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    _answer_requests()
