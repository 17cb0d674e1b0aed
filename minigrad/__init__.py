"""minigrad: a small reverse-mode automatic differentiation engine on NumPy and CuPy."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

import numpy  # noqa: F401 (first: imported from deeper down it takes 70 % longer)

from . import functional
from .backend import Device, device
from .gradients import grad
from .modes import (
    detect_anomaly,
    enable_grad,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from .operation import Operation
from .random import manual_seed
from .tensor import Tensor
from .trace import trace_backward
from .version import __version__

if TYPE_CHECKING:
    from . import gradcheck, graph, nn, optim, parallel, trace

__all__ = [
    "Device",
    "Operation",
    "Tensor",
    "__version__",
    "detect_anomaly",
    "device",
    "enable_grad",
    "functional",
    "grad",
    "gradcheck",
    "graph",
    "is_grad_enabled",
    "manual_seed",
    "nn",
    "no_grad",
    "optim",
    "parallel",
    "set_grad_enabled",
    "trace",
    "trace_backward",
]

_MODULES = ("gradcheck", "graph", "nn", "optim", "parallel")  # imported when first named


def __getattr__(name: str) -> ModuleType:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module 'minigrad' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
