"""HIPS autograd: NumPy, differentiated."""

from __future__ import annotations

from functools import partial

import autograd
import numpy

from ..problems import Problem, Settings
from . import Task, chain


class AutogradTask(Task):
    """Chains only: its convolution has no stride, and it brings no optimiser to step with."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        super().__init__(problem, numpy.asarray)
        self.sums = autograd.value_and_grad(partial(chain, operations=problem.operations))

    def chain(self) -> None:
        self.result = self.sums(self.leaves)


prepare = AutogradTask
