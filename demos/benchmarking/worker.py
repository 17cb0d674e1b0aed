"""The process of one library: reads requests, a line of JSON each, and answers them.

Run as ``python -m benchmarking.worker MODULE SETTINGS``; see ``process.py`` for the other end.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from types import ModuleType
from typing import Any

import numpy

from .peers.task import Task
from .problems import Problem, Settings
from .resident import peak_resident, reset_peak, resident

__all__ = ["main"]


class _Worker:
    def __init__(self, peer: ModuleType, settings: Settings) -> None:
        self.peer = peer
        self.settings = settings
        self.tasks: dict[str, Task] = {}

    def prepare(self, key: str, problem: dict[str, Any]) -> dict[str, Any]:
        """Make a problem ready, under a name."""
        self.tasks[key] = self.peer.prepare(Problem(**problem), self.settings)
        return {}

    def check(self, key: str, file: str) -> dict[str, Any]:
        """Write the results that are compared."""
        numpy.savez(file, **self.tasks[key].check())
        return {}

    def run(self, key: str, calls: int) -> dict[str, Any]:
        """Compute it some times; the seconds of one."""
        task = self.tasks[key]
        task.wait()
        started = time.perf_counter()
        for _ in range(calls):
            task.call()
        task.wait()
        return {"seconds": (time.perf_counter() - started) / calls}

    def drop(self, key: str) -> dict[str, Any]:
        """Forget a problem."""
        self.tasks.pop(key, None)
        return {}

    def memory(self, problem: dict[str, Any], calls: int) -> dict[str, Any]:
        """The most memory that a few calls take, model and optimiser included.

        Above the process as it is now: everything imported, and the batch made.
        """
        work = Problem(**problem)
        _ = work.inputs, work.weights
        reset_peak()
        before = resident()
        task = self.peer.prepare(work, self.settings)
        for _ in range(calls):
            task.call()
        task.wait()
        return {"bytes": peak_resident() - before}


def main() -> None:
    """Answer until the other end closes the pipe."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    worker = _Worker(importlib.import_module(sys.argv[1]), Settings(**json.loads(sys.argv[2])))
    answers.write("{}\n")
    answers.flush()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(worker, request.pop("do"))(**request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
