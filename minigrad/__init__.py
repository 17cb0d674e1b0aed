"""minigrad: a small reverse-mode automatic differentiation engine on NumPy and CuPy."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy  # noqa: F401 (first: imported from deeper down it takes 70 % longer)

from minigrad import functional
from minigrad.backend import Device, batches, device, manual_seed, unknown_name
from minigrad.engine import (
    Operation,
    Tensor,
    detect_anomaly,
    enable_grad,
    grad,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)

if TYPE_CHECKING:
    from minigrad import gradcheck, graph, nn, optim, parallel
    from minigrad.graph.trace import trace_backward

__version__ = "0.1.0"

__all__ = [
    "Device", "Operation", "Tensor", "__version__", "batches", "detect_anomaly", "device",
    "enable_grad", "functional", "grad", "gradcheck", "graph", "is_grad_enabled", "manual_seed",
    "nn", "no_grad", "optim", "parallel", "set_grad_enabled", "trace_backward",
]  # fmt: skip

_MODULES = ("gradcheck", "graph", "nn", "optim", "parallel")  # imported when first named


def __getattr__(name: str) -> Any:
    if name == "trace_backward":
        return import_module("minigrad.graph.trace").trace_backward
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    raise unknown_name("minigrad", name, __all__)


def __dir__() -> list[str]:
    return sorted(__all__)
