"""Rearranging: new shapes, other orders, elements taken out, tensors joined, constants around.

None of this changes a value, so a gradient only finds its way back to where the value came from.
An index is made of integers, slices, ``None``, ``...``, and integer or boolean arrays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from minigrad.backend import (
    CPU,
    Array,
    array_module,
    device_of,
    is_array,
    is_whole,
    require_number,
    shown,
    to_device,
    use_device,
    whole_numbers,
)
from minigrad.engine import Expand, Operation, Reshape, Tensor
from minigrad.functional.arguments import (
    as_tensor,
    normal_dims,
    one_dim,
    one_tuple,
    same_precision,
    with_number,
)


class Permute(Operation):
    """``y = x`` with its dimensions in another order; the gradient takes the inverse order."""

    is_view = True

    def __init__(self, order: tuple[int, ...]) -> None:
        self.order = order

    def forward(self, x: Array) -> Array:
        return x.transpose(self.order)

    def backward(self, gradient: Tensor) -> Tensor:
        inverse = sorted(range(len(self.order)), key=self.order.__getitem__)
        return Permute(tuple(inverse))(gradient)


def reshape(x: Any, *shape: int | Sequence[int]) -> Tensor:
    """The same elements, in order, in another ``shape``; one length may be -1, which is worked out.

    The result shares memory with ``x`` where possible, and is ``x`` if it has that shape. A
    ValueError says that the number of elements differs.

    >>> reshape(Tensor([1.0, 2.0, 3.0, 4.0]), 2, -1).shape
    (2, 2)
    """
    x = as_tensor("reshape", x)
    given = wanted = one_tuple("reshape", "a length", shape)
    known = math.prod(length for length in given if length != -1)
    fits = known == x.size
    if given.count(-1) == 1:
        fits = known > 0 and x.size % known == 0
        wanted = tuple(x.size // max(known, 1) if n == -1 else n for n in given)
    if not fits or any(length < 0 for length in wanted):
        raise ValueError(
            f"reshape: shape {x.shape} has {x.size} elements and cannot become {given}"
        )
    return x if wanted == x.shape else Reshape(wanted)(x)


def flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Merge the dimensions from ``start_dim`` to ``end_dim`` into one.

    Negative ones count from the end. A ValueError says that ``start_dim`` comes after ``end_dim``.

    >>> flatten(Tensor([[[1.0], [2.0]]]), 1).shape
    (1, 2)
    """
    x = as_tensor("flatten", x)
    start, end = (one_dim("flatten", dim, x.ndim) for dim in (start_dim, end_dim))
    if x.ndim == 0:
        return Reshape((1,))(x)
    if start > end:
        raise ValueError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    if start == end:
        return x
    merged = math.prod(x.shape[start : end + 1])
    return Reshape((*x.shape[:start], merged, *x.shape[end + 1 :]))(x)


def permute(x: Any, *dims: int | Sequence[int]) -> Tensor:
    """The dimensions in another order, without copying: ``dims`` are where each comes from.

    A ValueError says that a dimension is missing or named twice.

    >>> permute(Tensor([[1.0, 2.0, 3.0]]), 1, 0).shape
    (3, 1)
    """
    x = as_tensor("permute", x)
    order = one_tuple("permute", "a dimension", dims)
    if len(order) != x.ndim:
        raise ValueError(f"permute: {len(order)} dimensions given for shape {x.shape}")
    normal_dims("permute", order, x.ndim)
    return Permute(tuple(dim % x.ndim for dim in order))(x)


def transpose(x: Any, dim0: int, dim1: int) -> Tensor:
    """Swap the dimensions ``dim0`` and ``dim1``, without copying.

    >>> transpose(Tensor([[1.0, 2.0]]), 0, 1)
    Tensor([[1.],
            [2.]])
    """
    x = as_tensor("transpose", x)
    first, second = (one_dim("transpose", dim, x.ndim) for dim in (dim0, dim1))
    if x.ndim == 0:
        return x
    order = list(range(x.ndim))
    order[first], order[second] = second, first
    return Permute(tuple(order))(x)


def squeeze(x: Any, dim: int | tuple[int, ...] | None = None) -> Tensor:
    """Drop dimensions of length 1: all, or those of ``dim`` (others are left alone).

    The result shares memory with ``x``.

    >>> squeeze(Tensor([[1.0], [2.0]])).shape
    (2,)
    """
    x = as_tensor("squeeze", x)
    dims = normal_dims("squeeze", dim, x.ndim)
    return Reshape(tuple(n for axis, n in enumerate(x.shape) if axis not in dims or n != 1))(x)


def unsqueeze(x: Any, dim: int) -> Tensor:
    """Insert a dimension of length 1 at position ``dim``, counted in the result.

    The result shares memory with ``x``.

    >>> unsqueeze(Tensor([1.0, 2.0]), -1).shape
    (2, 1)
    """
    x = as_tensor("unsqueeze", x)
    axis = one_dim("unsqueeze", dim, x.ndim + 1)
    return Reshape((*x.shape[:axis], 1, *x.shape[axis:]))(x)


def expand(x: Any, *shape: int | Sequence[int]) -> Tensor:
    """Repeat along new leading dimensions and those of length 1, without copying.

    In the new ``shape`` -1 keeps a length. The result is a read-only view. A ValueError says that
    the shape cannot be reached.

    >>> expand(Tensor([[1.0], [2.0]]), 2, 3).shape
    (2, 3)
    """
    x = as_tensor("expand", x)
    wanted = one_tuple("expand", "a length", shape)
    extra = len(wanted) - x.ndim
    old = (1,) * extra + x.shape
    reached = tuple(
        length if n == -1 and k >= extra else n for k, (n, length) in enumerate(zip(wanted, old))
    )
    if extra < 0 or any(n < 0 or length not in (1, n) for n, length in zip(reached, old)):
        raise ValueError(f"expand: shape {x.shape} cannot be repeated to {wanted}")
    return Expand(reached)(x)


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
    if x.device != CPU and array.dtype.kind in "iu" and array.size and device_of(array) == CPU:
        # CuPy wraps indices that are out of range: look while they are still on the host.
        longest = max(x.shape, default=0)
        if int(array.max()) >= longest or int(array.min()) < -longest:
            raise IndexError(f"index: array reaches to {array.max()}, outside shape {x.shape}")
    return to_device(array, x.device)


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

    >>> cat([Tensor([1.0]), Tensor([2.0, 3.0])])
    Tensor([1., 2., 3.])
    """
    tensors = _sequence("cat", tensors)
    axis = one_dim("cat", dim, tensors[0].ndim)
    if tensors[0].ndim == 0:
        raise ValueError("cat: tensors without dimensions have none to be joined along; use stack")
    rest = {(tensor.ndim, tensor.shape[:axis], tensor.shape[axis + 1 :]) for tensor in tensors}
    if len(rest) > 1:
        shapes = ", ".join(str(tensor.shape) for tensor in tensors)
        raise ValueError(f"cat: shapes {shapes} differ in more than dimension {axis}")
    return Cat(axis)(*tensors)


def stack(tensors: Sequence[Any], dim: int = 0) -> Tensor:
    """Join ``tensors`` of one shape along a new dimension, at position ``dim`` of the result.

    A ValueError says that the shapes differ.

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

    >>> pad(Tensor([1.0, 2.0]), (1, 2))
    Tensor([0., 1., 2., 0., 0.])
    """
    require_number("pad", "value", value)
    x = as_tensor("pad", x)
    if value != 0:
        x, value = with_number("pad", x, value)
    if not isinstance(pad, (tuple, list)):
        raise TypeError(f"pad: expected pairs of whole numbers, got {shown(pad)}")
    amounts = whole_numbers("pad", "an amount", pad, minimum=None)
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
