"""Where an operation's call leaves the plain way: on a GPU, and inside ``detect_anomaly``."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minigrad.backend import (
    Array,
    HostScalar,
    as_host_array,
    common_device,
    is_array,
    use_device,
    where_not_finite,
)
from minigrad.engine.tensor import Tensor

if TYPE_CHECKING:
    from minigrad.engine.operation import Operation

_PACKAGE = str(Path(__file__).parents[1]) + os.sep


def forward_elsewhere(
    operation: Operation, inputs: Sequence[Tensor], arrays: Sequence[Array]
) -> Array:
    """Refuse an input that is no Tensor; otherwise run forward on the GPU of the arrays."""
    for i, tensor in enumerate(inputs):
        if not isinstance(tensor, Tensor):
            kind = type(tensor).__name__
            raise TypeError(f"{operation.name}: input {i} is a {kind}, no Tensor")
    with use_device(common_device(*arrays, name=operation.name)):
        return an_array(operation, operation.forward(*arrays))


def an_array(operation: Operation, data: Any) -> Array:
    """What forward gave, if it is an array; NumPy gives a scalar for one without dimensions."""
    if isinstance(data, HostScalar):
        return as_host_array(data)
    if not is_array(data):
        raise TypeError(f"{operation.name}: forward gave a {type(data).__name__}, no array")
    return data


def remember_line_and_check(operation: Operation, data: Array) -> None:
    """Inside ``detect_anomaly``: the result must be finite; backward will want to know the line."""
    operation._created = user_line()
    require_finite(data, f"{operation.name}: the result", operation._created)


def user_line() -> str:
    """The innermost line of code outside this package, as ``file:line, in name: source``."""
    for frame in reversed(traceback.extract_stack()):
        if not os.path.abspath(frame.filename).startswith(_PACKAGE):
            return f"{frame.filename}:{frame.lineno}, in {frame.name}: {frame.line}"
    return "an unknown line"


def require_finite(array: Array, what: str, created: str) -> None:
    """Raise a FloatingPointError if an array holds NaN or infinity. Waits for the device."""
    problem = where_not_finite(array)
    if problem:
        raise FloatingPointError(f"{what} is not finite ({problem}), created at {created}")
