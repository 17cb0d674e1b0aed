"""minigrad: a small reverse-mode automatic differentiation engine on NumPy and CuPy."""

from . import functional, gradcheck, nn, optim
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
from .random import manual_seed
from .tensor import Tensor
from .version import __version__

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
    "is_grad_enabled",
    "manual_seed",
    "nn",
    "no_grad",
    "optim",
    "set_grad_enabled",
]
