"""The parent's end of a library's process, and the environment all processes share."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .peers import Peer
from .problems import Problem, Settings

__all__ = ["Process", "ProcessError", "SideBySide", "child_environment"]

TIME_LIMIT = 900.0  # seconds for one answer: compiling takes some libraries minutes
_DEMOS = Path(__file__).parents[1]


class ProcessError(Exception):
    """A library could not do what it was asked."""


def child_environment(threads: int, bytecode: str | os.PathLike[str]) -> dict[str, str]:
    """The variables of a library's process.

    Parameters
    ----------
    threads : int
        Told to every library that reads it from the environment.
    bytecode : path-like
        A folder where compiled modules are kept, whatever the caller's settings say.
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
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benchmarking.worker", *arguments],
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
