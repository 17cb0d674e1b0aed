"""The engine: tensors, the operations that made them, the backward pass.

Reading order: ``tensor.py``, ``operation.py`` (the node of the graph), ``backward.py`` (the pass
that walks it). ``modes.py`` (``no_grad`` and its like) can wait.
"""

from minigrad.engine.backward import (
    Node,
    borrowed_gradients,
    grad,
    land_on_leaves,
    operations_behind,
    starting_gradient,
    walk,
)
from minigrad.engine.modes import (
    ModeBlock,
    detect_anomaly,
    enable_grad,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from minigrad.engine.operation import Add, Expand, NotKept, Operation, Reshape, Sum
from minigrad.engine.tensor import Tensor, mark_written

__all__ = [
    "Add", "Expand", "ModeBlock", "Node", "NotKept", "Operation", "Reshape", "Sum", "Tensor",
    "borrowed_gradients", "detect_anomaly", "enable_grad", "starting_gradient", "grad",
    "is_grad_enabled", "land_on_leaves", "mark_written", "no_grad", "operations_behind",
    "set_grad_enabled", "walk",
]  # fmt: skip
