"""The networks compared, described in no library's words: layers, initial weights, arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy

__all__ = [
    "NETWORKS",
    "Layer",
    "forward_multiply_adds",
    "initial_weights",
    "training_multiply_adds",
]


@dataclass(frozen=True)
class Layer:
    """A layer with weights, and whether a ReLU follows.

    Parameters
    ----------
    name : str
        The prefix of its ``weight`` and ``bias`` in a state dict.
    kind : str
        ``"conv2d"``, ``"conv_transpose2d"`` or ``"linear"``.
    inputs, outputs : int
        Channels or features.
    kernel, stride : int
        Of a convolution, the same in both directions.
    relu : bool
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
    for half, kind in (("encoder", "conv2d"), ("decoder", "conv_transpose2d")):
        for i, (narrow, wide, kernel, stride) in enumerate(
            down if half == "encoder" else down[::-1]
        ):
            pair = (narrow, wide) if half == "encoder" else (wide, narrow)
            layers.append(Layer(f"{half}.{2 * i}", kind, *pair, kernel, stride, relu=i < 4))
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


def initial_weights(network: str, rng: numpy.random.Generator) -> dict[str, numpy.ndarray]:
    """Weights by their names in a state dict, drawn as PyTorch draws them."""
    weights = {}
    for layer in NETWORKS[network]:
        bound = 1 / math.sqrt(math.prod(layer.weight_shape[1:]))
        for name, shape in (("weight", layer.weight_shape), ("bias", (layer.outputs,))):
            weights[f"{layer.name}.{name}"] = rng.uniform(-bound, bound, shape).astype("float32")
    return weights


def forward_multiply_adds(network: str, size: int) -> int:
    """Multiply-adds of the forward pass of one sample."""
    return sum(_by_layer(network, size))


def training_multiply_adds(network: str, size: int) -> int:
    """Multiply-adds of forward and backward of one sample.

    Each layer's work is done three times: for the output, the weight's gradient and the input's
    gradient; but nobody needs the gradient of the first layer's input.
    """
    work = _by_layer(network, size)
    return 3 * sum(work) - work[0]


def _by_layer(network: str, size: int) -> list[int]:
    work = []
    for layer in NETWORKS[network]:
        work.append(layer.multiply_adds(size))
        size = layer.output_size(size)
    return work
