"""Joining tensors and putting constants around them: cat, stack, pad.

None changes a value, so a gradient only finds its way back to where the value came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigrad.backend import Array, array_module, shown
from minigrad.engine import Operation, Tensor
from minigrad.functional.index import Index
from minigrad.functional.operands import as_tensor, require_number, same_precision, with_number
from minigrad.functional.reduce import one_dim
from minigrad.functional.shape import unsqueeze, whole_numbers


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
    """Join tensors along a dimension they have.

    Parameters
    ----------
    tensors : sequence of Tensor
        Of equal shape except along ``dim``.
    dim : int

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError
        If other lengths differ.

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
    """Join tensors of one shape along a new dimension.

    Parameters
    ----------
    tensors : sequence of Tensor
    dim : int
        Where the new dimension stands in the result.

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError
        If the shapes differ.

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
    """Put a constant around a tensor.

    Parameters
    ----------
    x : Tensor
    pad : sequence of int
        Pairs (before, after), from the last dimension backwards: ``(left, right, top, bottom)``.
        Negative numbers cut off.
    mode : str
        Only ``"constant"``.
    value : float
        What to pad with.

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError
        If the pairs do not fit the shape, or the mode is unknown.

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
    amounts = whole_numbers((tuple(pad),), "pad")
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
