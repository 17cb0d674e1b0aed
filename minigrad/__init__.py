"""minigrad: a small reverse-mode automatic differentiation engine on NumPy and CuPy."""

from . import gradcheck
from .autograd import grad
from .backend import Device, device
from .modes import (
    detect_anomaly,
    enable_grad,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from .operation import Operation
from .tensor import Tensor

__version__ = "0.1.0"

__all__ = [
    "Device",
    "Operation",
    "Tensor",
    "detect_anomaly",
    "device",
    "enable_grad",
    "grad",
    "gradcheck",
    "is_grad_enabled",
    "no_grad",
    "set_grad_enabled",
]
