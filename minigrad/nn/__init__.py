"""Layers, and the modules made of them. Names, arguments, weights and ``repr`` are PyTorch's.

Reading order: ``parameter.py``, ``module.py``, ``init.py``, then any layer.
"""

from minigrad.nn.activation import LeakyReLU, ReLU, Sigmoid, Tanh
from minigrad.nn.container import Sequential
from minigrad.nn.convolution import Conv2d, ConvTranspose2d
from minigrad.nn.linear import Linear
from minigrad.nn.module import Module
from minigrad.nn.normalization import LayerNorm
from minigrad.nn.parameter import Parameter
from minigrad.nn.resampling import MaxPool2d, Upsample
from minigrad.nn.shape import Flatten, Unflatten
from minigrad.nn.state import IncompatibleKeys

__all__ = [
    "Conv2d",
    "ConvTranspose2d",
    "Flatten",
    "IncompatibleKeys",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "MaxPool2d",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "Unflatten",
    "Upsample",
]
