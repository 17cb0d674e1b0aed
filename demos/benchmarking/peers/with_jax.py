"""JAX: the whole step compiled by ``jax.jit``."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy
from jax import lax
from jax.example_libraries.optimizers import adam

from ..problems import LEARNING_RATE, Layer, Problem, Settings
from . import Task, chain, network

AXES = ("NCHW", "OIHW", "NCHW")


def conv2d(x: Any, weight: Any, stride: int = 1) -> Any:
    return lax.conv_general_dilated(x, weight, (stride,) * 2, "VALID", dimension_numbers=AXES)


def conv_transpose2d(x: Any, weight: Any, stride: int = 1) -> Any:
    how = {"dimension_numbers": AXES, "transpose_kernel": True}  # the input gradient of conv2d
    return lax.conv_transpose(x, weight, (stride,) * 2, "VALID", **how)


def apply(layer: Layer, x: Any, weight: Any, bias: Any) -> Any:
    if layer.kind == "linear":
        y = x @ weight.T + bias
    else:
        convolution = conv2d if layer.kind == "conv2d" else conv_transpose2d
        y = convolution(x, weight, layer.stride) + bias[:, None, None]
    return jax.nn.relu(y) if layer.relu else y


class JaxTask(Task):
    """Compiled: a step from state to state, the network, the chain."""

    def __init__(self, problem: Problem, settings: Settings) -> None:
        super().__init__(problem, jnp.asarray)
        forward = functools.partial(network, apply, problem.layers)

        def loss(weights: Any, x: Any) -> Any:
            return jnp.mean((forward(weights, x) - x) ** 2)

        def step(number: int, state: Any, x: Any) -> Any:
            return update(number, jax.grad(loss)(self.weights_of(state), x), state)

        first, update, self.weights_of = adam(LEARNING_RATE)
        self.step = jax.jit(step)
        self.steps = 0
        self.loss_and_grad = jax.jit(jax.value_and_grad(loss))
        self.network = jax.jit(forward)
        sums = functools.partial(chain, operations=problem.operations)
        self.sums = jax.jit(jax.value_and_grad(sums))
        if problem.task == "train":
            self.result = first(self.weights)

    def train(self) -> None:
        self.result = self.step(self.steps, self.result, self.inputs)
        self.steps += 1

    def loss_and_gradients(self) -> tuple[Any, Any]:
        return self.loss_and_grad(self.weights_of(self.result), self.inputs)

    def forward(self) -> None:
        self.result = self.network(self.weights, self.inputs)

    def chain(self) -> None:
        self.result = self.sums(self.leaves)

    def wait(self) -> None:
        jax.block_until_ready(self.result)


prepare = JaxTask
host = numpy.asarray
