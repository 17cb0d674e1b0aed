"""HIPS autograd: NumPy, differentiated. It has no strided or transposed convolution."""

from __future__ import annotations

from typing import Any

import autograd
import autograd.numpy as anp
import numpy
from autograd.extend import defvjp, primitive
from autograd.scipy.signal import convolve
from autograd.test_util import check_grads

from ..problems import Layer, Problem, Settings
from . import FAULT, Arrays, Task, adam_step, chain, first_state, is_caught, network


def apply(layer: Layer, x: Any, weight: Any, bias: Any) -> Any:
    y = anp.dot(x, weight.T) + bias
    return anp.maximum(y, 0) if layer.relu else y


class AutogradTask(Task):
    """``value_and_grad`` and Adam."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        super().__init__(problem)

        def loss(weights: Arrays) -> Any:
            output = network(apply, problem, weights, problem.inputs)
            return anp.mean((output - problem.inputs) ** 2)

        def sums(leaves: tuple) -> Any:
            x, a, b = leaves
            return chain(x, a, b, problem.operations)

        self.loss_and_grad = autograd.value_and_grad(loss)
        self.sums = autograd.value_and_grad(sums)
        self.leaves = (problem.inputs, *problem.weights.values())
        self.state = first_state(numpy.asarray, problem)

    def train(self) -> None:
        _, gradients = self.loss_and_grad(self.state[0])
        self.state = adam_step(numpy.sqrt, self.state, gradients)

    def loss_and_gradients(self) -> tuple[Any, Arrays]:
        return self.loss_and_grad(self.state[0])

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
    return is_caught(check, _wrong, lambda x: x * x, AssertionError)
