"""Layers, and the modules made of them. Names, arguments, weights and ``repr`` are PyTorch's.

Reading order: ``module.py``, ``parameter.py``, then any layer.
"""

from typing import Any

from minigrad.backend import unknown_name
from minigrad.nn.images import Conv2d, ConvTranspose2d, MaxPool2d, Upsample
from minigrad.nn.layers import (
    GELU,
    CrossEntropyLoss,
    Dropout,
    Embedding,
    Flatten,
    GroupNorm,
    Identity,
    LayerNorm,
    LeakyReLU,
    Linear,
    MSELoss,
    ReLU,
    Sigmoid,
    Tanh,
    Unflatten,
)
from minigrad.nn.mixture_density import MixtureDensity
from minigrad.nn.module import IncompatibleKeys, Module, ModuleList, Sequential
from minigrad.nn.parameter import Parameter

__all__ = [
    "Conv2d", "ConvTranspose2d", "CrossEntropyLoss", "Dropout", "Embedding", "Flatten", "GELU",
    "GroupNorm", "Identity", "IncompatibleKeys", "LayerNorm", "LeakyReLU", "Linear", "MSELoss",
    "MaxPool2d", "MixtureDensity", "Module", "ModuleList", "Parameter", "ReLU", "Sequential",
    "Sigmoid", "Tanh", "Unflatten", "Upsample",
]  # fmt: skip

# What people look for, and what serves instead.
_INSTEAD: dict[str, str] = dict.fromkeys(
    ("BatchNorm1d", "BatchNorm2d"),
    "GroupNorm: the statistics of a batch would depend on how it is cut into shards",
)


def __getattr__(name: str) -> Any:
    raise unknown_name("minigrad.nn", name, __all__, _INSTEAD.get(name))
