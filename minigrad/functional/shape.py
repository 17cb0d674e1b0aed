"""Changing shape: reshape, flatten, squeeze, unsqueeze, expand, permute, transpose.

None of them changes a value, so a gradient only finds its way back to where the value came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigrad.backend import Array
from minigrad.engine import Expand, Operation, Reshape, Tensor
from minigrad.functional.arguments import as_tensor, is_whole
from minigrad.functional.reduce import normal_dims, one_dim


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


def one_tuple(values: tuple, name: str) -> tuple[int, ...]:
    """``f(x, 2, 3)`` and ``f(x, (2, 3))`` as the same tuple."""
    if len(values) == 1 and isinstance(values[0], (tuple, list)):
        values = tuple(values[0])
    for value in values:
        if not is_whole(value):
            raise TypeError(f"{name}: expected whole numbers, got {values!r:.80}")
    return tuple(int(value) for value in values)


def reshape(x: Any, *shape: int | Sequence[int]) -> Tensor:
    """The same elements, in order, in another ``shape``; one length may be -1, which is worked out.

    The result shares memory with ``x`` where possible, and is ``x`` if it has that shape. A
    ValueError says that the number of elements differs.

    Examples
    --------
    >>> reshape(Tensor([1.0, 2.0, 3.0, 4.0]), 2, -1).shape
    (2, 2)
    """
    x = as_tensor("reshape", x)
    wanted = one_tuple(shape, "reshape")
    known = 1
    for length in wanted:
        known *= length if length != -1 else 1
    fits = known == x.size
    if wanted.count(-1) == 1:
        fits = known > 0 and x.size % known == 0
        wanted = tuple(x.size // max(known, 1) if n == -1 else n for n in wanted)
    if not fits or any(length < 0 for length in wanted):
        raise ValueError(
            f"reshape: shape {x.shape} has {x.size} elements and cannot become "
            f"{one_tuple(shape, 'reshape')}"
        )
    return x if wanted == x.shape else Reshape(wanted)(x)


def flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Merge the dimensions from ``start_dim`` to ``end_dim`` into one.

    Negative ones count from the end. A ValueError says that ``start_dim`` comes after ``end_dim``.

    Examples
    --------
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
    merged = 1
    for length in x.shape[start : end + 1]:
        merged *= length
    return Reshape((*x.shape[:start], merged, *x.shape[end + 1 :]))(x)


def permute(x: Any, *dims: int | Sequence[int]) -> Tensor:
    """The dimensions in another order, without copying: ``dims`` are where each comes from.

    A ValueError says that a dimension is missing or named twice.

    Examples
    --------
    >>> permute(Tensor([[1.0, 2.0, 3.0]]), 1, 0).shape
    (3, 1)
    """
    x = as_tensor("permute", x)
    order = one_tuple(dims, "permute")
    if len(order) != x.ndim:
        raise ValueError(f"permute: {len(order)} dimensions given for shape {x.shape}")
    normal_dims("permute", order, x.ndim)
    return Permute(tuple(dim % x.ndim for dim in order))(x)


def transpose(x: Any, dim0: int, dim1: int) -> Tensor:
    """Swap the dimensions ``dim0`` and ``dim1``, without copying.

    Examples
    --------
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

    Examples
    --------
    >>> squeeze(Tensor([[1.0], [2.0]])).shape
    (2,)
    """
    x = as_tensor("squeeze", x)
    dims = normal_dims("squeeze", dim, x.ndim)
    return Reshape(tuple(n for axis, n in enumerate(x.shape) if axis not in dims or n != 1))(x)


def unsqueeze(x: Any, dim: int) -> Tensor:
    """Insert a dimension of length 1 at position ``dim``, counted in the result.

    The result shares memory with ``x``.

    Examples
    --------
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

    Examples
    --------
    >>> expand(Tensor([[1.0], [2.0]]), 2, 3).shape
    (2, 3)
    """
    x = as_tensor("expand", x)
    wanted = one_tuple(shape, "expand")
    extra = len(wanted) - x.ndim
    old = (1,) * extra + x.shape
    reached = tuple(
        length if n == -1 and k >= extra else n for k, (n, length) in enumerate(zip(wanted, old))
    )
    if extra < 0 or any(n < 0 or length not in (1, n) for n, length in zip(reached, old)):
        raise ValueError(f"expand: shape {x.shape} cannot be repeated to {wanted}")
    return Expand(reached)(x)
