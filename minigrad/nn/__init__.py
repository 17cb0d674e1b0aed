"""Layers, and the modules made of them. Names, arguments, weights and ``repr`` are PyTorch's.

Reading order: ``module.py``, ``initialisation.py``, then any layer; ``containers.py`` chains them.
"""

from minigrad.nn.containers import Sequential
from minigrad.nn.convolution import Conv2d, ConvTranspose2d
from minigrad.nn.layers import (
    Flatten,
    LayerNorm,
    LeakyReLU,
    Linear,
    MaxPool2d,
    ReLU,
    Sigmoid,
    Tanh,
    Unflatten,
    Upsample,
)
from minigrad.nn.module import IncompatibleKeys, Module, Parameter

__all__ = [
    "Conv2d", "ConvTranspose2d", "Flatten", "IncompatibleKeys", "LayerNorm", "LeakyReLU",
    "Linear", "MaxPool2d", "Module", "Parameter", "ReLU", "Sequential", "Sigmoid", "Tanh",
    "Unflatten", "Upsample",
]  # fmt: skip
