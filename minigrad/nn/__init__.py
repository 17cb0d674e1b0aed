"""Layers, and the modules made of them. Names, arguments, weights and ``repr`` are PyTorch's.

Reading order: ``module.py``, ``parameter.py``, then any layer.
"""

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
from minigrad.nn.mixture_density import MixtureDensity
from minigrad.nn.module import IncompatibleKeys, Module, Sequential
from minigrad.nn.parameter import Parameter

__all__ = [
    "Conv2d", "ConvTranspose2d", "Flatten", "IncompatibleKeys", "LayerNorm", "LeakyReLU",
    "Linear", "MaxPool2d", "MixtureDensity", "Module", "Parameter", "ReLU", "Sequential",
    "Sigmoid", "Tanh", "Unflatten", "Upsample",
]  # fmt: skip
