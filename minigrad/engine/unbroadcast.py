"""What an operation's backward gives, made to fit its inputs: broadcasting undone, all checked.

In ``y = a + b`` with a of shape (4, 3) and b of shape (3,), each element of b takes part in four
sums. Its gradient is therefore the sum of the four that arrive: over the rows, which b was repeated
along. Here that is done once, for all operations.
"""

from __future__ import annotations

from collections.abc import Iterator

from minigrad.backend import Array, HostArray, device_of
from minigrad.engine.anomaly import require_finite
from minigrad.engine.basic import Reshape, Sum
from minigrad.engine.modes import unchecked
from minigrad.engine.operation import Operation
from minigrad.engine.tensor import Tensor


def fitted(operation: Operation, index: int, theirs: Array, gradient: Tensor) -> Tensor:
    """Undo broadcasting, then make sure the gradient could be that of an input like ``theirs``.

    ``walk`` asks only where they differ at first sight.
    """
    if not isinstance(gradient, Tensor):
        kind = type(gradient).__name__
        raise TypeError(f"{operation.name}: backward gave a {kind} for input {index}, no Tensor")
    ours = gradient.data
    if ours.shape != theirs.shape:
        gradient = unbroadcast(operation, index, gradient, theirs.shape)
    if ours.dtype is not theirs.dtype and ours.dtype != theirs.dtype:
        raise TypeError(
            f"{operation.name}: the gradient of input {index} is {gradient.dtype}, "
            f"the input {theirs.dtype}"
        )
    is_same_kind = type(ours) is type(theirs)
    if not is_same_kind or (type(ours) is not HostArray and gradient.device != device_of(theirs)):
        raise TypeError(
            f"{operation.name}: the gradient of input {index} is on {gradient.device}, "
            f"the input on {device_of(theirs)}"
        )
    return gradient


def unbroadcast(
    operation: Operation, index: int, gradient: Tensor, shape: tuple[int, ...]
) -> Tensor:
    """Sum a gradient over the dimensions along which the input was repeated."""
    extra = gradient.ndim - len(shape)
    if extra < 0 or any(
        n not in (1, length) for n, length in zip(shape, gradient.shape[max(extra, 0) :])
    ):
        raise ValueError(
            f"{operation.name}: the gradient of input {index} has shape {gradient.shape}, "
            f"the input {shape}"
        )
    repeated = tuple(
        axis
        for axis, length in enumerate(gradient.shape)
        if axis < extra or (shape[axis - extra] == 1 and length != 1)
    )
    return Reshape(shape)(Sum(repeated)(gradient))


def backward_checked(operation: Operation, gradient: Tensor) -> tuple[Tensor | None, ...]:
    """``operation.backward``, and the gradients it gives must be finite."""
    with unchecked():
        found = one_each(operation, operation.backward(gradient))
    for i, one in enumerate(found):
        if isinstance(one, Tensor):
            created = getattr(operation, "_created", "unknown")
            require_finite(one.data, f"{operation.name}: the gradient of input {i}", created)
    return found


def one_each(
    operation: Operation, found: Tensor | tuple[Tensor | None, ...]
) -> tuple[Tensor | None, ...]:
    """What backward gave as a tuple; there must be one gradient an input."""
    if isinstance(found, (list, dict, Iterator)):
        kind = type(found).__name__
        raise TypeError(f"{operation.name}: backward gave a {kind}, no Tensor or tuple of them")
    found = found if isinstance(found, tuple) else (found,)
    if len(found) != len(operation.inputs):
        raise RuntimeError(
            f"{operation.name}: backward gave {len(found)} gradients for "
            f"{len(operation.inputs)} inputs"
        )
    return found


def name_whose_backward(operation: Operation, error: Exception) -> None:
    """Let an error from inside an operation's backward say whose it was.

    The error stays the same object, with its traceback; one that names the operation, or whose
    words are not its own to change, is left alone.
    """
    words = str(error)
    if error.args == (words,) and not words.startswith(f"{operation.name}:"):
        error.args = (f"{operation.name}: in its backward: {words}",)
