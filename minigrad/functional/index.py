"""Taking elements out of a tensor, joining tensors, putting constants around them.

An index is made of integers, slices, ``None``, ``...``, and integer or boolean arrays; cat and
stack join; pad puts constants around. None of them changes a value, so a gradient only finds its
way back to where the value came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigrad.backend import (
    CPU,
    Array,
    array_module,
    device_of,
    is_array,
    require_number,
    shown,
    to_device,
    use_device,
)
from minigrad.engine import Operation, Tensor
from minigrad.functional.arguments import (
    as_tensor,
    is_whole,
    same_precision,
    with_number,
)
from minigrad.functional.reduce import one_dim
from minigrad.functional.shape import one_tuple, unsqueeze


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

    A ``key`` is an integer, slice, ``None``, ``...``, an array, list or tensor of whole numbers or
    booleans, or a tuple of these. The result is a view of ``x`` unless the key holds arrays. Its
    dimensions stand in PyTorch's order: whole numbers are taken first; the dimensions of the arrays
    come where the arrays stood, or in front if something stands between them.

    An IndexError says that the key does not fit the shape, a TypeError that a part of it is no
    index. Arrays that come from the host are checked; whole numbers already on a GPU are not, since
    that would wait for it.

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
        listed = ", ".join(
            f"array of shape {part.shape}" if is_array(part) else str(part) for part in parts
        )
        raise IndexError(f"index: [{listed}] does not fit shape {x.shape}") from error


def _numbers_first(x: Tensor, parts: tuple) -> Tensor:
    """``x[parts]``, whole numbers before arrays.

    NumPy takes a whole number beside an array for an array too: where a slice stands between the
    two, it moves the array's dimensions to the front.
    """

    def is_integer(part: Any) -> bool:
        return isinstance(part, int) or (
            is_array(part) and part.ndim == 0 and part.dtype.kind != "b"
        )

    has_arrays = any(is_array(part) and not is_integer(part) for part in parts)
    if not (has_arrays and any(map(is_integer, parts))):
        return Index(parts)(x)
    numbers: list[Any] = []
    arrays: list[Any] = []
    for part in parts:
        if is_integer(part):
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


class Cat(Operation):
    """``y`` = the inputs one after the other along an axis; each gets its part of the gradient."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, *arrays: Array) -> Array:
        return array_module(*arrays).concatenate(arrays, axis=self.axis)

    def backward(self, gradient: Tensor) -> tuple[Tensor, ...]:
        parts, start = [], 0
        for tensor in self.inputs:
            end = start + tensor.shape[self.axis]
            parts.append(Index((slice(None),) * self.axis + (slice(start, end),))(gradient))
            start = end
        return tuple(parts)


class Pad(Operation):
    """``y = x`` with a constant around it; the gradient is cut out of the middle."""

    def __init__(self, widths: tuple[tuple[int, int], ...], value: float) -> None:
        self.widths = widths
        self.value = value

    def forward(self, x: Array) -> Array:
        return array_module(x).pad(x, self.widths, constant_values=self.value)

    def backward(self, gradient: Tensor) -> Tensor:
        shape = self.inputs[0].shape
        middle = tuple(slice(before, before + n) for (before, _), n in zip(self.widths, shape))
        return Index(middle)(gradient)


def _sequence(name: str, tensors: Sequence[Any]) -> tuple[Tensor, ...]:
    if isinstance(tensors, Tensor) or not isinstance(tensors, (tuple, list)) or not tensors:
        raise TypeError(f"{name}: expected a list or tuple of at least one tensor")
    return same_precision(name, *(as_tensor(name, t, i) for i, t in enumerate(tensors)))


def cat(tensors: Sequence[Any], dim: int = 0) -> Tensor:
    """Join ``tensors`` along dimension ``dim``, in which alone their lengths may differ.

    A ValueError says that others differ.

    Examples
    --------
    >>> cat([Tensor([1.0]), Tensor([2.0, 3.0])])
    Tensor([1., 2., 3.])
    """
    tensors = _sequence("cat", tensors)
    axis = one_dim("cat", dim, tensors[0].ndim)
    if tensors[0].ndim == 0:
        raise ValueError("cat: tensors without dimensions have none to be joined along; use stack")
    rest = {(*tensor.shape[:axis], *tensor.shape[axis + 1 :]) for tensor in tensors}
    if len(rest) > 1 or len({tensor.ndim for tensor in tensors}) > 1:
        shapes = ", ".join(str(tensor.shape) for tensor in tensors)
        raise ValueError(f"cat: shapes {shapes} differ in more than dimension {axis}")
    return Cat(axis)(*tensors)


def stack(tensors: Sequence[Any], dim: int = 0) -> Tensor:
    """Join ``tensors`` of one shape along a new dimension, at position ``dim`` of the result.

    A ValueError says that the shapes differ.

    Examples
    --------
    >>> stack([Tensor([1.0, 2.0]), Tensor([3.0, 4.0])])
    Tensor([[1., 2.],
            [3., 4.]])
    """
    tensors = _sequence("stack", tensors)
    if len({tensor.shape for tensor in tensors}) > 1:
        shapes = ", ".join(str(tensor.shape) for tensor in tensors)
        raise ValueError(f"stack: shapes {shapes} differ")
    axis = one_dim("stack", dim, tensors[0].ndim + 1)
    return Cat(axis)(*(unsqueeze(tensor, axis) for tensor in tensors))


def pad(x: Any, pad: Sequence[int], mode: str = "constant", value: float = 0.0) -> Tensor:
    """Put a constant ``value`` around a tensor.

    ``pad`` is pairs (before, after), from the last dimension backwards: ``(left, right, top,
    bottom)``; negative numbers cut off. The only ``mode`` is ``"constant"``. A ValueError says that
    the pairs do not fit the shape.

    Examples
    --------
    >>> pad(Tensor([1.0, 2.0]), (1, 2))
    Tensor([0., 1., 2., 0., 0.])
    """
    require_number("pad", "value", value)
    x = as_tensor("pad", x)
    if value != 0:
        x, value = with_number("pad", x, value)
    if not isinstance(pad, (tuple, list)):
        raise TypeError(f"pad: expected pairs of whole numbers, got {shown(pad)}")
    amounts = one_tuple((tuple(pad),), "pad")
    if mode != "constant":
        raise ValueError(f"pad: mode must be 'constant', got {shown(mode)}")
    if len(amounts) % 2 or len(amounts) > 2 * x.ndim:
        raise ValueError(f"pad: {amounts} is not up to {x.ndim} pairs, for shape {x.shape}")
    widths = [(0, 0)] * x.ndim
    for i in range(len(amounts) // 2):
        widths[-1 - i] = amounts[2 * i], amounts[2 * i + 1]
    if any(n + min(before, 0) + min(after, 0) < 0 for (before, after), n in zip(widths, x.shape)):
        raise ValueError(f"pad: {amounts} cuts off more than there is of shape {x.shape}")
    if min(amounts, default=0) < 0:
        cut = tuple(
            slice(max(-before, 0), n - max(-after, 0))
            for (before, after), n in zip(widths, x.shape)
        )
        x = Index(cut)(x)
        widths = [(max(before, 0), max(after, 0)) for before, after in widths]
    return Pad(tuple(widths), value)(x)
