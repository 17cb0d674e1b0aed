"""What the modules of the libraries share. Each offers ``prepare(problem, settings)``: a Task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from ..problems import Layer, Problem


class Task:
    """A problem, ready to be computed again and again.

    A library writes a method for each task it can do: ``train`` (one step) with
    ``loss_and_gradients`` (at the weights of now, changing nothing), ``forward`` and ``chain``;
    what the last two give (the output; a loss and its gradients) is kept in ``result``. ``array``
    makes the library's of NumPy's, and ``host`` NumPy's of the library's.
    """

    loss_and_gradients: Callable[[], tuple[Any, Sequence[Any]]]
    result: Any = None
    host: Callable[[Any], numpy.ndarray] = staticmethod(numpy.asarray)

    def __init__(self, problem: Problem, array: Callable[[numpy.ndarray], Any]) -> None:
        self.problem = problem
        self.inputs = array(problem.inputs)
        self.weights = [array(value) for value in problem.weights.values()]
        self.leaves = [self.inputs, *self.weights]  # of a chain

    def call(self) -> None:
        """Compute it once; the result may still be on its way."""
        getattr(self, self.problem.task)()

    def wait(self) -> None:
        """Return when everything called is computed."""

    def check(self) -> dict[str, numpy.ndarray]:
        """Results by name, from the initial weights, to be compared between libraries.

        Of training the loss, each gradient, and the loss after three steps: so Adam is compared
        as well.
        """
        is_training = self.problem.task == "train"
        names = list(self.problem.weights)
        if is_training:
            loss, gradients = self.loss_and_gradients()
        else:
            self.call()
            if self.problem.task == "forward":
                return {"output": self.host(self.result)}
            loss, gradients = self.result
            names = ["x", *names]
        results = {"loss": self.host(loss)}
        for name, gradient in zip(names, gradients):
            results[f"gradient of {name}"] = numpy.array(self.host(gradient))  # a copy
        if is_training:
            for _ in range(3):
                self.call()
            results["loss after 3 steps"] = self.host(self.loss_and_gradients()[0])
        return results


def chain(leaves: Sequence[Any], operations: int) -> Any:
    """``x a + b``, again and again: one small operation after another."""
    x, a, b = leaves
    for _ in range(operations // 2):
        x = x * a
        x = x + b
    return x.sum()


def network(apply: Callable[..., Any], layers: Sequence[Layer], weights: Any, x: Any) -> Any:
    """All layers, one after another: ``apply(layer, x, weight, bias)``."""
    for layer, weight, bias in zip(layers, weights[::2], weights[1::2]):
        x = apply(layer, x, weight, bias)
    return x


def sequential(nn: Any, layers: Sequence[Layer]) -> Any:
    """The same of modules, for a library whose ``nn`` has PyTorch's names."""
    modules = []
    for layer in layers:
        if layer.kind == "linear":
            modules.append(nn.Linear(*layer.channels))
        else:
            convolution = nn.Conv2d if layer.kind == "conv2d" else nn.ConvTranspose2d
            modules.append(convolution(*layer.channels, layer.shape[2:], layer.stride))
        if layer.relu:
            modules.append(nn.ReLU())
    return nn.Sequential(*modules)
