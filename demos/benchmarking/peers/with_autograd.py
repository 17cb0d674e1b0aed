"""HIPS autograd: NumPy, differentiated. It has no strided or transposed convolution."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy
from autograd import value_and_grad

from ..networks import NETWORKS, Layer
from ..problems import Problem, Settings
from .adam import adam_step, first_state
from .task import Task, Training

__all__ = ["prepare"]


def network(layers: tuple[Layer, ...], weights: dict[str, Any], x: Any) -> Any:
    """All layers, one after another."""
    for layer in layers:
        x = anp.dot(x, weights[f"{layer.name}.weight"].T) + weights[f"{layer.name}.bias"]
        x = anp.maximum(x, 0) if layer.relu else x
    return x


class Train(Training):
    """``value_and_grad`` and Adam."""

    def __init__(self, problem: Problem) -> None:
        layers, self.inputs = NETWORKS[problem.network], problem.inputs

        def loss(weights: Any) -> Any:
            return anp.mean((network(layers, weights, self.inputs) - self.inputs) ** 2)

        self.loss_and_grad = value_and_grad(loss)
        self.state = first_state(numpy, dict(problem.weights))

    def call(self) -> None:
        """One step of training."""
        _, gradients = self.loss_and_grad(self.state[0])
        self.state = adam_step(numpy, self.state, gradients)

    def loss_and_gradients(self) -> tuple[float, dict[str, numpy.ndarray]]:
        """At the weights of now."""
        loss, gradients = self.loss_and_grad(self.state[0])
        return float(loss), gradients


class Chain(Task):
    """One small operation after another."""

    def __init__(self, problem: Problem) -> None:
        self.arguments = (problem.inputs, problem.weights["a"], problem.weights["b"])

        def loss(arguments: Any) -> Any:
            x, a, b = arguments
            for _ in range(problem.operations // 2):
                x = x * a
                x = x + b
            return anp.sum(x)

        self.loss_and_grad = value_and_grad(loss)

    def call(self) -> None:
        """Forward and backward."""
        self.result = self.loss_and_grad(self.arguments)

    def check(self) -> dict[str, numpy.ndarray]:
        """The last value's sum and the three gradients."""
        self.call()
        results = {"loss": numpy.asarray(self.result[0])}
        for name, gradient in zip("xab", self.result[1]):
            results[f"gradient of {name}"] = numpy.asarray(gradient)
        return results


def prepare(problem: Problem, settings: Settings) -> Task:
    """The problem in autograd."""
    return {"train": Train, "chain": Chain}[problem.task](problem)
