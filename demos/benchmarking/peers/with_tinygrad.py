"""tinygrad: the whole step captured by ``TinyJit``. On a CPU it needs clang."""

from __future__ import annotations

from typing import Any

import numpy
from tinygrad import Tensor, TinyJit
from tinygrad.device import Device

from ..networks import NETWORKS, Layer
from ..problems import Problem, Settings
from .adam import adam_step, first_state
from .task import Task, Training

__all__ = ["prepare"]


class _Functions:
    """What ``adam.py`` asks of an array library."""

    sqrt = staticmethod(lambda x: x.sqrt())
    zeros_like = staticmethod(lambda x: Tensor(numpy.zeros(x.shape, "float32")))


def network(layers: tuple[Layer, ...], weights: dict[str, Tensor], x: Tensor) -> Tensor:
    """All layers, one after another."""
    for layer in layers:
        weight, bias = weights[f"{layer.name}.weight"], weights[f"{layer.name}.bias"]
        if layer.kind == "linear":
            x = x.linear(weight.T, bias)
        else:
            function = x.conv2d if layer.kind == "conv2d" else x.conv_transpose2d
            x = function(weight, bias, stride=layer.stride)
        x = x.relu() if layer.relu else x
    return x


class _OnDevice(Task):
    result: Any = None

    def __init__(self, problem: Problem) -> None:
        self.inputs = Tensor(problem.inputs).realize()
        self.weights = {name: Tensor(value).realize() for name, value in problem.weights.items()}

    def wait(self) -> None:
        Device[Device.DEFAULT].synchronize()


class Train(_OnDevice, Training):
    """A captured step that writes its state in place."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.layers = NETWORKS[problem.network]
        weights, means, _, _ = first_state(_Functions, self.weights)
        squares = first_state(_Functions, self.weights)[1]
        step = Tensor(numpy.zeros(1, "float32"))
        self.state = (weights, means, squares, step)
        Tensor.realize(*means.values(), *squares.values(), step)
        self.step = TinyJit(self._step)

    def loss(self) -> Tensor:
        """The mean squared error."""
        return (network(self.layers, self.weights, self.inputs) - self.inputs).square().mean()

    def _step(self) -> None:
        gradients = self.loss().gradient(*self.weights.values())
        new = adam_step(_Functions, self.state, dict(zip(self.weights, gradients)))
        written = [self.state[3].assign(new[3])]
        for i in range(3):
            written += [self.state[i][name].assign(new[i][name]) for name in self.weights]
        Tensor.realize(*written)

    def call(self) -> None:
        """One step of training."""
        self.step()

    def loss_and_gradients(self) -> tuple[float, dict[str, numpy.ndarray]]:
        """At the weights of now."""
        loss = self.loss()
        gradients = loss.gradient(*self.weights.values())
        values = [gradient.numpy() for gradient in gradients]
        return float(loss.item()), dict(zip(self.weights, values))


class Forward(_OnDevice):
    """The captured network."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        layers = NETWORKS[problem.network]
        self.apply = TinyJit(lambda: network(layers, self.weights, self.inputs).realize())

    def call(self) -> None:
        """One batch through the model."""
        self.result = self.apply()

    def check(self) -> dict[str, numpy.ndarray]:
        """The output."""
        self.call()
        return {"output": self.result.numpy()}


def prepare(problem: Problem, settings: Settings) -> Task:
    """The problem in tinygrad."""
    return {"train": Train, "forward": Forward}[problem.task](problem)
