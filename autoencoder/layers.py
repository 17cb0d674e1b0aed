"""What a network is made of: each layer, the shape it gives, and its number of parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy

from minigrad import Tensor, nn, no_grad

__all__ = ["Layer", "count_parameters", "list_layers"]


@dataclass(frozen=True)
class Layer:
    """One layer of a network.

    Parameters
    ----------
    description : str
        As PyTorch prints it.
    shape : tuple of int
        Of its output for one sample, without the batch.
    parameters : int
        Numbers it learns.
    """

    description: str
    shape: tuple[int, ...]
    parameters: int


def count_parameters(module: nn.Module) -> int:
    """How many numbers a module learns.

    Examples
    --------
    >>> count_parameters(nn.Linear(784, 32))
    25120
    """
    return sum(math.prod(parameter.shape) for parameter in module.parameters())


def list_layers(network: nn.Sequential, shape: tuple[int, ...]) -> list[Layer]:
    """The layers of a network, found by passing one sample of zeros through it.

    Parameters
    ----------
    network : nn.Sequential
    shape : tuple of int
        Of one sample, without the batch.

    Returns
    -------
    list of Layer

    Examples
    --------
    >>> list_layers(nn.Sequential(nn.Conv2d(1, 32, kernel_size=5), nn.ReLU()), (1, 28, 28))[1]
    Layer(description='ReLU()', shape=(32, 24, 24), parameters=0)
    """
    x = Tensor(numpy.zeros((1, *shape), dtype="float32"))
    layers = []
    with no_grad():
        for layer in network:
            x = layer(x)
            layers.append(Layer(repr(layer), tuple(x.shape[1:]), count_parameters(layer)))
    return layers
