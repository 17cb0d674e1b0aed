"""Problems: a piece of work to be timed, with its data, the same in every process."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy

LEARNING_RATE = 1e-3  # Adam's, in every library
SEED = 4


class Layer(NamedTuple):
    """A layer with weights, and whether a ReLU follows."""

    name: str  # the prefix of its weight and bias in a state dict
    kind: str  # "conv2d", "conv_transpose2d" or "linear"
    shape: tuple[int, ...]  # of its weight, as PyTorch has it
    stride: int = 1
    relu: bool = True

    @property
    def channels(self) -> tuple[int, int]:
        """The numbers of input and output channels, or features."""
        first, second = self.shape[:2]
        return (first, second) if self.kind == "conv_transpose2d" else (second, first)

    def output_size(self, size: int) -> int:
        """Pixels a side of the output, from those of the input."""
        if self.kind == "linear":
            return 1
        if self.kind == "conv2d":
            return (size - self.shape[2]) // self.stride + 1
        return (size - 1) * self.stride + self.shape[2]


NETWORKS = {  # those of autoencoder.models
    "autoencoder": (
        Layer("encoder.0", "conv2d", (32, 1, 5, 5)),
        Layer("encoder.2", "conv2d", (32, 32, 5, 5)),
        Layer("encoder.4", "conv2d", (32, 32, 4, 4), stride=2),
        Layer("encoder.6", "conv2d", (32, 32, 3, 3), stride=2),
        Layer("encoder.8", "conv2d", (8, 32, 4, 4), relu=False),
        Layer("decoder.0", "conv_transpose2d", (8, 32, 4, 4)),
        Layer("decoder.2", "conv_transpose2d", (32, 32, 3, 3), stride=2),
        Layer("decoder.4", "conv_transpose2d", (32, 32, 4, 4), stride=2),
        Layer("decoder.6", "conv_transpose2d", (32, 32, 5, 5)),
        Layer("decoder.8", "conv_transpose2d", (32, 1, 5, 5), relu=False),
    ),
    "dense": (
        Layer("encoder", "linear", (32, 784), relu=False),
        Layer("decoder", "linear", (784, 32), relu=False),
    ),
    "mlp": (
        Layer("0", "linear", (100, 2)),
        Layer("2", "linear", (100, 100)),
        Layer("4", "linear", (2, 100), relu=False),
    ),
}


@dataclass(frozen=True)
class Settings:
    """How a library is to work; ``variant`` is what only it knows, such as a memory layout."""

    threads: int = 2
    device: str = "cpu"
    variant: str = ""


@dataclass(frozen=True)
class Problem:
    """What one call computes.

    The task is ``"train"`` (forward, backward and Adam), ``"forward"``, ``"chain"`` (forward and
    backward of ``x a + b``, again and again), ``"matmul"`` (a square matrix product) or
    ``"import"``.
    """

    task: str
    network: str = ""  # of train and forward
    batch: int = 1
    size: int = 28  # pixels a side of an image; rows of a matrix
    operations: int = 0  # the length of a chain
    shape: tuple[int, ...] = ()  # of its arrays

    @property
    def layers(self) -> tuple[Layer, ...]:
        return NETWORKS.get(self.network, ())

    @property
    def items(self) -> int:
        """Samples, or operations, in a call."""
        return self.operations or self.batch

    @property
    def needs(self) -> set[str]:
        """What a library must be able to do: "chain", "dense", "convolution"; and "large" ones."""
        if self.task == "chain":
            return {"chain"}
        if self.network != "autoencoder":
            return {"dense"}
        is_large = self.batch * self.size**2 > 128 * 28**2
        return {"convolution", "large"} if is_large else {"convolution"}

    @property
    def flops(self) -> float | None:
        """Floating point operations of a call, or None where they say nothing about it.

        Training does each layer's work three times: for the output, for the weight's gradient and
        for the input's gradient; but nobody needs the gradient of the first layer's input.
        """
        if self.task == "matmul":
            return 2.0 * self.size**3
        if self.task not in ("train", "forward"):
            return None
        work, size = [], self.size
        for layer in self.layers:
            smaller = min(size, layer.output_size(size))
            work.append(smaller**2 * math.prod(layer.shape))
            size = layer.output_size(size)
        multiply_adds = sum(work) if self.task == "forward" else 3 * sum(work) - work[0]
        return 2.0 * self.batch * multiply_adds

    @functools.cached_property
    def weights(self) -> dict[str, numpy.ndarray]:
        """Initial weights by state dict name, drawn as PyTorch's are; of a chain ``a``, ``b``."""
        rng = numpy.random.default_rng([SEED, 0])
        drawn: dict[str, numpy.ndarray] = {}
        if self.task == "chain":  # close to 1 and to 0, so that values stay in range
            a, b = rng.uniform(-1e-3, 1e-3, (2, *self.shape))
            drawn = {"a": 1 + a, "b": b}
        for layer in self.layers:
            bound = 1 / math.sqrt(math.prod(layer.shape[1:]))
            drawn[f"{layer.name}.weight"] = rng.uniform(-bound, bound, layer.shape)
            drawn[f"{layer.name}.bias"] = rng.uniform(-bound, bound, layer.channels[1])
        return {name: numpy.asarray(value, dtype="float32") for name, value in drawn.items()}

    @functools.cached_property
    def inputs(self) -> numpy.ndarray:
        """The batch, between 0 and 1, float32; it is its own target. Of matmul both matrices."""
        shape = (self.batch, self.layers[0].channels[0]) if self.layers else self.shape
        if self.network == "autoencoder":
            shape = (self.batch, 1, self.size, self.size)
        elif self.task == "matmul":
            shape = (2, self.size, self.size)
        return numpy.asarray(numpy.random.default_rng([SEED, 1]).random(shape, dtype="float32"))
