"""The engine: tensors, the operations that made them, the backward pass."""

from minigrad.engine.arrivals import first_gradient, land_on_leaves
from minigrad.engine.autograd import walk
from minigrad.engine.basic import Add, Expand, Reshape, Sum
from minigrad.engine.gradients import borrowed_gradients, grad
from minigrad.engine.modes import (
    ModeBlock,
    detect_anomaly,
    enable_grad,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from minigrad.engine.operation import Operation
from minigrad.engine.order import Node, operations_behind
from minigrad.engine.saved import NotKept
from minigrad.engine.tensor import Tensor
from minigrad.engine.values import mark_written

__all__ = [
    "Add",
    "Expand",
    "ModeBlock",
    "Node",
    "NotKept",
    "Operation",
    "Reshape",
    "Sum",
    "Tensor",
    "borrowed_gradients",
    "detect_anomaly",
    "enable_grad",
    "first_gradient",
    "grad",
    "is_grad_enabled",
    "land_on_leaves",
    "mark_written",
    "no_grad",
    "operations_behind",
    "set_grad_enabled",
    "walk",
]
