"""Indexing with integers, slices, ``None``, ``...``, and integer or boolean arrays."""

from __future__ import annotations

from typing import Any

from minigrad.backend import CPU, Array, array_module, device_of, is_array, to_device, use_device
from minigrad.engine import Operation, Tensor
from minigrad.functional.operands import as_tensor, is_whole


class Index(Operation):
    """``y = x[key]``. Each element taken sends its gradient back to where it stood.

    An element taken twice receives two gradients: they are added.
    """

    def __init__(self, key: tuple) -> None:
        self.is_view = not any(is_array(part) for part in key)
        # With "..." a single element is a view too, not a NumPy scalar.
        self.key = (*key, ...) if self.is_view and Ellipsis not in key else key

    def forward(self, x: Array) -> Array:
        return x[self.key]

    def backward(self, gradient: Tensor) -> Tensor:
        return Unindex(self.inputs[0].shape, self.key)(gradient)


class Unindex(Operation):
    """``y`` = zeros, with g added at ``y[key]``: what Index does, turned round, and linear in g."""

    def __init__(self, shape: tuple[int, ...], key: tuple) -> None:
        self.shape = shape
        self.key = key

    def forward(self, gradient: Array) -> Array:
        xp = array_module(gradient)
        y = xp.zeros(self.shape, dtype=gradient.dtype)
        if any(is_array(part) and part.dtype.kind != "b" for part in self.key):
            xp.add.at(y, self.key, gradient)  # the same place may be named twice
        else:
            y[self.key] = gradient
        return y

    def backward(self, gradient: Tensor) -> Tensor:
        return Index(self.key)(gradient)


def getitem(x: Any, key: Any) -> Tensor:
    """Elements of a tensor; ``x[key]``.

    Parameters
    ----------
    x : Tensor
    key : int, slice, None, ..., array or tuple of these
        Arrays and lists of whole numbers or booleans, or such tensors. Arrays that come from the
        host are checked; whole numbers already on a GPU are not, since that would wait for it.

    Returns
    -------
    Tensor
        A view of ``x`` unless the key holds arrays. The dimensions stand in PyTorch's order: whole
        numbers are taken first; those of the arrays come where the arrays stood, or in front if
        something stands between them.

    Raises
    ------
    IndexError
        If the key does not fit the shape.
    TypeError
        If a part of it is no index.

    Examples
    --------
    >>> x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> x[:, 0], x[[0, 0, 1], [1, 1, 0]]
    (Tensor([1., 3.]), Tensor([2., 2., 3.]))
    """
    x = as_tensor("index", x)
    parts = key if isinstance(key, tuple) else (key,)
    parts = tuple(_part(part, x) for part in parts)
    try:
        return _numbers_first(x, parts)
    except IndexError as error:
        shown = ", ".join(
            f"array of shape {part.shape}" if is_array(part) else str(part) for part in parts
        )
        raise IndexError(f"index: [{shown}] does not fit shape {x.shape}") from error


def _numbers_first(x: Tensor, parts: tuple) -> Tensor:
    """``x[parts]``, whole numbers before arrays.

    NumPy takes a whole number beside an array for an array too: where a slice stands between the
    two, it moves the array's dimensions to the front.
    """

    def is_number(part: Any) -> bool:
        return isinstance(part, int) or (
            is_array(part) and part.ndim == 0 and part.dtype.kind != "b"
        )

    has_arrays = any(is_array(part) and not is_number(part) for part in parts)
    if not (has_arrays and any(map(is_number, parts))):
        return Index(parts)(x)
    numbers: list[Any] = []
    arrays: list[Any] = []
    for part in parts:
        if is_number(part):
            numbers.append(part)
        elif is_array(part):
            numbers += [slice(None)] * (part.ndim if part.dtype.kind == "b" else 1)
            arrays.append(part)
        else:
            numbers.append(part)
            arrays.append(part if part is Ellipsis else slice(None))
    return Index(tuple(arrays))(Index(tuple(numbers))(x))


def _part(part: Any, x: Tensor) -> Any:
    """One part of a key: arrays moved to the tensor's device."""
    if isinstance(part, slice):
        for bound in (part.start, part.stop, part.step):
            if bound is not None and not is_whole(bound):
                raise TypeError(f"index: slices must have whole numbers, got {part}")
        if part.step == 0:
            raise ValueError(f"index: the step of a slice cannot be 0, got {part}")
        return part
    if part is None or part is Ellipsis:
        return part
    if is_whole(part) and not is_array(part):
        return int(part)
    array = as_tensor("index", part).data
    if is_array(part) or isinstance(part, Tensor):
        with use_device(device_of(array)):
            array = array.copy()  # backward needs it as it is now, whatever the caller does
    if array.dtype.kind == "f" and array.size == 0:
        array = array.astype("int64")  # an empty list
    if array.dtype.kind not in "iub":
        raise TypeError(f"index: indices must be whole numbers or booleans, got {array.dtype}")
    if x.device != CPU and array.dtype.kind in "iu" and array.size and not _is_on_gpu(array):
        # CuPy wraps indices that are out of range: look while they are still on the host.
        longest = max(x.shape, default=0)
        if int(array.max()) >= longest or int(array.min()) < -longest:
            raise IndexError(f"index: array reaches to {array.max()}, outside shape {x.shape}")
    return to_device(array, x.device)


def _is_on_gpu(array: Array) -> bool:
    return array_module(array).__name__ == "cupy"
