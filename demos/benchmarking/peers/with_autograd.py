"""HIPS autograd: NumPy, differentiated. It has no strided or transposed convolution."""

from __future__ import annotations

from typing import Any

import autograd
import autograd.numpy as anp
import numpy
from autograd.extend import defvjp, primitive
from autograd.scipy.signal import convolve
from autograd.test_util import check_grads

from ..problems import Problem, Settings
from . import FAULT, Task, chain, is_caught


class AutogradTask(Task):
    """Chains only: its convolution has no stride, and it brings no optimiser to step with."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        super().__init__(problem)
        self.leaves = (problem.inputs, *problem.weights.values())
        self.sums = autograd.value_and_grad(self.sum)

    def sum(self, leaves: tuple) -> Any:
        x, a, b = leaves
        return chain(x, a, b, self.problem.operations)

    def chain(self) -> None:
        self.result = self.sums(self.leaves)


prepare = AutogradTask

host = array = numpy.asarray
gradient = autograd.grad
second_derivative = transposed_convolution = None  # its convolution has no stride


def conv2d(x: Any, weight: Any) -> Any:
    return convolve(x, weight, axes=([2, 3], [2, 3]), dot_axes=([1], [1]), mode="valid")


def change_in_place() -> bool:
    x = numpy.array([2.0])

    def product(weight):
        y = x * weight
        x[0] = 5.0
        return anp.sum(y)

    try:
        return bool(autograd.grad(product)(numpy.array([3.0]))[0] == 2)
    except (RuntimeError, ValueError):
        return True


_wrong = primitive(lambda x: x * x)
defvjp(_wrong, lambda y, x: lambda gradient: gradient * x * (2 * FAULT))


def gradient_check() -> bool:
    check = lambda f: check_grads(f, modes=["rev"], order=1)(numpy.array([1.0, 2.0]))  # noqa: E731
    return is_caught(check, _wrong, AssertionError)
