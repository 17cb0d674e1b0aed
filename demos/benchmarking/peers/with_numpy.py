"""One large matrix product: what the arithmetic of the others could run at."""

from __future__ import annotations

import numpy

from minigrad.backend import array_module, to_device

from ..problems import Problem, Settings
from .task import Task

__all__ = ["prepare"]


class NumpyTask(Task):
    """``a @ b``, float32, with BLAS's own threads (or on the GPU)."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        super().__init__(problem)
        shape = (2, problem.size, problem.size)
        values = numpy.random.default_rng(0).random(shape, dtype="float32")
        self.a, self.b = to_device(values, settings.device)
        self.xp = array_module(self.a)
        self.out = self.xp.empty_like(self.a)

    def matmul(self) -> None:
        self.xp.matmul(self.a, self.b, out=self.out)

    def wait(self) -> None:
        if self.xp is not numpy:
            self.xp.cuda.Device().synchronize()


prepare = NumpyTask
