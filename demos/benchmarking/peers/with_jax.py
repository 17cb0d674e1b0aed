"""JAX: the whole step compiled by ``jax.jit``."""

from __future__ import annotations

import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy
from jax import lax

from ..networks import NETWORKS, Layer
from ..problems import Problem, Settings
from .adam import adam_step, first_state
from .task import Task, Training

__all__ = ["prepare"]

AXES = ("NCHW", "OIHW", "NCHW")


def apply(layer: Layer, weight: Any, x: Any) -> Any:
    """One layer without its bias."""
    if layer.kind == "linear":
        return x @ weight.T
    if layer.kind == "conv2d":
        stride = (layer.stride,) * 2
        return lax.conv_general_dilated(x, weight, stride, "VALID", dimension_numbers=AXES)
    # The input gradient of conv2d: rows spread by the stride, the kernel turned round.
    border = [(layer.kernel - 1, layer.kernel - 1)] * 2
    weight = jnp.flip(weight, (2, 3)).swapaxes(0, 1)
    spread = (layer.stride,) * 2
    return lax.conv_general_dilated(
        x, weight, (1, 1), border, lhs_dilation=spread, dimension_numbers=AXES
    )


def network(layers: tuple[Layer, ...], weights: dict[str, Any], x: Any) -> Any:
    """All layers, one after another."""
    for layer in layers:
        bias = weights[f"{layer.name}.bias"]
        bias = bias if layer.kind == "linear" else bias[:, None, None]
        x = apply(layer, weights[f"{layer.name}.weight"], x) + bias
        x = jax.nn.relu(x) if layer.relu else x
    return x


class _OnDevice(Task):
    result: Any = None

    def __init__(self, problem: Problem) -> None:
        self.inputs = jnp.asarray(problem.inputs)
        self.weights = {name: jnp.asarray(value) for name, value in problem.weights.items()}

    def wait(self) -> None:
        jax.block_until_ready(self.result)


class Train(_OnDevice, Training):
    """A compiled step from state to state."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        layers = NETWORKS[problem.network]

        def loss(weights: Any, x: Any) -> Any:
            return jnp.mean((network(layers, weights, x) - x) ** 2)

        self.loss_and_grad = jax.jit(jax.value_and_grad(loss))
        self.step = jax.jit(lambda state, x: adam_step(jnp, state, jax.grad(loss)(state[0], x)))
        self.result = first_state(jnp, self.weights)

    def call(self) -> None:
        """One step of training."""
        self.result = self.step(self.result, self.inputs)

    def loss_and_gradients(self) -> tuple[float, dict[str, numpy.ndarray]]:
        """At the weights of now."""
        loss, gradients = self.loss_and_grad(self.result[0], self.inputs)
        return float(loss), {name: numpy.asarray(value) for name, value in gradients.items()}


class Forward(_OnDevice):
    """The compiled network."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        layers = NETWORKS[problem.network]
        self.apply = jax.jit(lambda weights, x: network(layers, weights, x))

    def call(self) -> None:
        """One batch through the model."""
        self.result = self.apply(self.weights, self.inputs)

    def check(self) -> dict[str, numpy.ndarray]:
        """The output."""
        self.call()
        return {"output": numpy.asarray(self.result)}


class Chain(_OnDevice):
    """One small operation after another, compiled together."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)

        def loss(x: Any, a: Any, b: Any) -> Any:
            for _ in range(problem.operations // 2):
                x = x * a
                x = x + b
            return x.sum()

        self.loss_and_grad = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2)))

    def call(self) -> None:
        """Forward and backward."""
        self.result = self.loss_and_grad(self.inputs, self.weights["a"], self.weights["b"])

    def check(self) -> dict[str, numpy.ndarray]:
        """The last value's sum and the three gradients."""
        self.call()
        results = {"loss": numpy.asarray(self.result[0])}
        for name, gradient in zip("xab", self.result[1]):
            results[f"gradient of {name}"] = numpy.asarray(gradient)
        return results


def prepare(problem: Problem, settings: Settings) -> Task:
    """The problem in JAX, which takes as many threads as the process may use cores."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[: settings.threads])
    return {"train": Train, "forward": Forward, "chain": Chain}[problem.task](problem)
