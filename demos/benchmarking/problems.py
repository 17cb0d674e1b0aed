"""Problems: a piece of work to be timed, with its data, the same in every process."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy

__all__ = ["LEARNING_RATE", "NETWORKS", "Layer", "Problem", "Settings"]

LEARNING_RATE = 1e-3  # Adam's, in every library
SEED = 4


@dataclass(frozen=True)
class Settings:
    """How a library is to work; ``variant`` is what only it knows, such as a memory layout."""

    threads: int = 2
    device: str = "cpu"
    variant: str = ""


@dataclass(frozen=True)
class Layer:
    """A layer with weights, and whether a ReLU follows.

    ``kind`` is ``"conv2d"``, ``"conv_transpose2d"`` or ``"linear"``; ``inputs`` and ``outputs``
    count channels or features; ``name`` is the prefix of its weight and bias in a state dict.
    """

    name: str
    kind: str
    inputs: int
    outputs: int
    kernel: int = 1
    stride: int = 1
    relu: bool = True

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """PyTorch's: outputs first, but inputs first where transposed."""
        if self.kind == "linear":
            return (self.outputs, self.inputs)
        pair = (self.inputs, self.outputs)
        first, second = pair if self.kind == "conv_transpose2d" else pair[::-1]
        return (first, second, self.kernel, self.kernel)

    def output_size(self, size: int) -> int:
        """Pixels a side of the output, from those of the input."""
        if self.kind == "conv2d":
            return (size - self.kernel) // self.stride + 1
        return (size - 1) * self.stride + self.kernel if self.kind == "conv_transpose2d" else size

    def multiply_adds(self, size: int) -> int:
        """Of the forward pass of one sample of ``size`` pixels a side."""
        smaller = min(size, self.output_size(size)) if self.kind != "linear" else 1
        return smaller**2 * math.prod(self.weight_shape)


def _autoencoder(latent_size: int = 8) -> tuple[Layer, ...]:
    """The lecture's deep convolutional autoencoder, as in ``autoencoder.models``."""
    down = [(1, 32, 5, 1), (32, 32, 5, 1), (32, 32, 4, 2), (32, 32, 3, 2), (32, latent_size, 4, 1)]
    layers = []
    for i, (narrow, wide, kernel, stride) in enumerate(down):
        layers.append(Layer(f"encoder.{2 * i}", "conv2d", narrow, wide, kernel, stride, i < 4))
    for i, (narrow, wide, kernel, stride) in enumerate(reversed(down)):
        name = f"decoder.{2 * i}"
        layers.append(Layer(name, "conv_transpose2d", wide, narrow, kernel, stride, i < 4))
    return tuple(layers)


NETWORKS: dict[str, tuple[Layer, ...]] = {
    "autoencoder": _autoencoder(),
    "dense": (
        Layer("encoder", "linear", 784, 32, relu=False),
        Layer("decoder", "linear", 32, 784, relu=False),
    ),
    "mlp": (
        Layer("0", "linear", 2, 100),
        Layer("2", "linear", 100, 100),
        Layer("4", "linear", 100, 2, relu=False),
    ),
}


@dataclass(frozen=True)
class Problem:
    """What one call computes.

    Parameters
    ----------
    task : str
        ``"train"``: forward, backward and Adam; ``"forward"``; ``"chain"``: forward and backward
        of ``x a + b``, again and again; ``"matmul"``: one square matrix product.
    network : str
        A key of ``NETWORKS``, for train and forward.
    batch : int
        Samples in a call.
    size : int
        Pixels a side of an image; rows of a matrix.
    operations, elements : int
        Length of a chain, and elements of its arrays: 0 for scalars.
    """

    task: str
    network: str = ""
    batch: int = 1
    size: int = 28
    operations: int = 0
    elements: int = 0

    @property
    def items(self) -> int:
        """Samples, or operations, in a call."""
        return self.operations or self.batch

    @property
    def is_convolutional(self) -> bool:
        """Whether it needs convolutions."""
        return self.network == "autoencoder"

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
        for layer in NETWORKS[self.network]:
            work.append(layer.multiply_adds(size))
            size = layer.output_size(size)
        multiply_adds = sum(work) if self.task == "forward" else 3 * sum(work) - work[0]
        return 2.0 * self.batch * multiply_adds

    @functools.cached_property
    def weights(self) -> dict[str, numpy.ndarray]:
        """Initial weights by state dict name, drawn as PyTorch's are; of a chain ``a``, ``b``."""
        rng = numpy.random.default_rng([SEED, 0])
        weights = {}
        if self.task == "chain":  # close to 1 and to 0, so that values stay in range
            for name, middle in (("a", 1.0), ("b", 0.0)):
                value = middle + rng.uniform(-1e-3, 1e-3, self._chain_shape)
                weights[name] = numpy.asarray(value, dtype="float32")
            return weights
        for layer in NETWORKS[self.network]:
            bound = 1 / math.sqrt(math.prod(layer.weight_shape[1:]))
            for name, shape in (("weight", layer.weight_shape), ("bias", (layer.outputs,))):
                value = rng.uniform(-bound, bound, shape)
                weights[f"{layer.name}.{name}"] = value.astype("float32")
        return weights

    @functools.cached_property
    def inputs(self) -> numpy.ndarray:
        """The batch, between 0 and 1, float32; it is its own target."""
        if self.task == "chain":
            shape = self._chain_shape
        elif self.is_convolutional:
            shape = (self.batch, 1, self.size, self.size)
        else:
            shape = (self.batch, NETWORKS[self.network][0].inputs)
        return numpy.asarray(numpy.random.default_rng([SEED, 1]).random(shape, dtype="float32"))

    @property
    def _chain_shape(self) -> tuple[int, ...]:
        return (self.elements,) if self.elements else ()
