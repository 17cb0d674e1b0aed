"""tinygrad: the whole step captured by ``TinyJit``. On a CPU it needs clang."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
from tinygrad import Tensor, TinyJit
from tinygrad.device import Device

from ..problems import Layer, Problem, Settings
from .task import Arrays, Task, adam_step, first_state, network

__all__ = ["prepare"]


def array(values: Any) -> Tensor:
    return Tensor(values).realize()


def apply(layer: Layer, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if layer.kind == "linear":
        y = x.linear(weight.T, bias)
    else:
        y = getattr(x, layer.kind)(weight, bias, stride=layer.stride)
    return y.relu() if layer.relu else y


def host(value: Tensor) -> numpy.ndarray:
    return value.numpy()


class TinygradTask(Task):
    """Captured: a step that writes its state in place, the network."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        super().__init__(problem)
        self.inputs = array(problem.inputs)
        self.state = first_state(array, problem, array(numpy.zeros(1, "float32")))
        self.weights = self.state[0]
        self.step = TinyJit(self._step)
        self.network = TinyJit(self._network)

    def loss(self) -> Tensor:
        """The mean squared error."""
        output = network(apply, self, self.weights, self.inputs)
        return (output - self.inputs).square().mean()

    def _network(self) -> Tensor:
        return network(apply, self, self.weights, self.inputs).realize()

    def _step(self) -> None:
        gradients = self.loss().gradient(*self.weights.values())
        new = adam_step(Tensor.sqrt, self.state, dict(zip(self.weights, gradients)))
        written = [self.state[3].assign(new[3])]
        for i in range(3):
            written += [self.state[i][name].assign(new[i][name]) for name in self.weights]
        Tensor.realize(*written)

    def train(self) -> None:
        self.step()

    def loss_and_gradients(self) -> tuple[Any, Arrays]:
        loss = self.loss()
        return loss, dict(zip(self.weights, loss.gradient(*self.weights.values())))

    def forward(self) -> None:
        self.result = self.network()

    def wait(self) -> None:
        Device[Device.DEFAULT].synchronize()

    host = staticmethod(host)


prepare = TinygradTask

conv2d = Tensor.conv2d
conv_transpose2d = Tensor.conv_transpose2d


def gradient(f: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda x: f(x).gradient(x)[0]


def change_in_place() -> bool:
    x, weight = array([2.0]), array([3.0])
    y = (x * weight).sum().realize()
    x.assign(Tensor([5.0])).realize()
    try:
        (found,) = y.gradient(weight)
    except RuntimeError:
        return True
    return found.item() == 2
