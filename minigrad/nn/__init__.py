"""Layers, and the modules made of them. Names, arguments, weights and ``repr`` are PyTorch's.

Reading order: ``parameter.py``, ``module.py``, ``init.py``, then any layer.
"""

from .activation import LeakyReLU, ReLU, Sigmoid, Tanh
from .container import Sequential
from .convolution import Conv2d, ConvTranspose2d
from .linear import Linear
from .module import Module
from .normalization import LayerNorm
from .parameter import Parameter
from .resampling import MaxPool2d, Upsample
from .shape import Flatten, Unflatten
from .state import IncompatibleKeys

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
