"""tinygrad: the whole step captured by ``TinyJit``. On a CPU it needs clang."""

from __future__ import annotations

from typing import Any

from tinygrad import Context, Tensor, TinyJit
from tinygrad.device import Device
from tinygrad.nn.optim import Adam

from ..problems import LEARNING_RATE, Layer, Problem, Settings
from . import Task, network


def array(values: Any) -> Tensor:
    return Tensor(values).realize()


def apply(layer: Layer, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if layer.kind == "linear":
        y = x.linear(weight.T, bias)
    else:
        y = getattr(x, layer.kind)(weight, bias, stride=layer.stride)
    return y.relu() if layer.relu else y


class TinygradTask(Task):
    """Captured: a step, the network."""

    host = staticmethod(Tensor.numpy)

    def __init__(self, problem: Problem, settings: Settings) -> None:
        super().__init__(problem, array)
        self.optimizer = Adam(self.weights, lr=LEARNING_RATE)
        self.step = TinyJit(self._step)
        self.network = TinyJit(lambda: self.output().realize())

    def output(self) -> Tensor:
        return network(apply, self.problem.layers, self.weights, self.inputs)

    def loss(self) -> Tensor:
        return (self.output() - self.inputs).square().mean()

    def _step(self) -> None:
        self.optimizer.zero_grad()
        self.loss().backward()
        self.optimizer.step()

    def train(self) -> None:
        with Context(TRAINING=1):
            self.step()

    def loss_and_gradients(self) -> tuple[Tensor, list[Tensor]]:
        loss = self.loss()
        return loss, loss.gradient(*self.weights)

    def forward(self) -> None:
        self.result = self.network()

    def wait(self) -> None:
        Device[Device.DEFAULT].synchronize()


prepare = TinygradTask
