"""Where an operation's call leaves the plain way: on a GPU, and inside ``detect_anomaly``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from minigrad.backend import (
    Array,
    HostScalar,
    as_host_array,
    common_device,
    is_array,
    use_device,
    user_line,
    where_not_finite,
)
from minigrad.engine.tensor import Tensor

if TYPE_CHECKING:
    from minigrad.engine.operation import Operation


def forward_elsewhere(operation: Operation, inputs: Sequence[Tensor], arrays: list) -> Array:
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
    require_finite(operation, data, "the result")


def require_finite(operation: Operation, array: Array, what: str) -> None:
    """Raise a FloatingPointError if an array holds NaN or infinity. Waits for the device."""
    problem = where_not_finite(array)
    if problem:
        what = f"{operation.name}: {what} is not finite ({problem})"
        raise FloatingPointError(f"{what}, created at {getattr(operation, '_created', 'unknown')}")
