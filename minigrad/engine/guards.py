"""Where an operation's call leaves the plain way: on a GPU, and inside ``detect_anomaly``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from minigrad.backend import Array, HostScalar, as_host_array, common_device, is_array, use_device
from minigrad.engine.anomaly import require_finite, user_line
from minigrad.engine.tensor import Tensor

if TYPE_CHECKING:
    from minigrad.engine.operation import Operation


def forward_elsewhere(
    operation: Operation, inputs: Sequence[Tensor], arrays: Sequence[Array]
) -> Array:
    """Forward on a GPU, or say which input does not belong."""
    for i, tensor in enumerate(inputs):
        if not isinstance(tensor, Tensor):
            kind = type(tensor).__name__
            raise TypeError(f"{operation.name}: input {i} is a {kind}, no Tensor")
    with use_device(common_device(*arrays, name=operation.name)):
        return an_array(operation, operation.forward(*arrays))


def an_array(operation: Operation, data: Any) -> Array:
    """What forward gave, if it is an array."""
    if isinstance(data, HostScalar):
        return as_host_array(data)
    if not is_array(data):
        raise TypeError(f"{operation.name}: forward gave a {type(data).__name__}, no array")
    return data


def remember_line_and_check(operation: Operation, data: Array) -> None:
    """Inside ``detect_anomaly``: the result must be finite; backward will want to know the line."""
    operation._created = user_line()
    require_finite(data, f"{operation.name}: the result", operation._created)
