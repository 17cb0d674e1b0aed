"""The four operations that backward itself needs: add, sum, reshape, expand."""

from __future__ import annotations

from minigrad.backend import Array, array_module
from minigrad.engine.operation import Operation
from minigrad.engine.tensor import Tensor


class Add(Operation):
    """``y = a + b``. Both partial derivatives are 1: the gradient goes through to both."""

    def forward(self, a: Array, b: Array) -> Array:
        return a + b

    def backward(self, gradient: Tensor) -> tuple[Tensor, Tensor]:
        return gradient, gradient


class Sum(Operation):
    """``y = sum of x over axes``. Each summed x has derivative 1: spread the gradient over them.

    Parameters
    ----------
    axes : tuple of int
        The dimensions to sum over, not negative.
    keepdim : bool
        Keep them with length 1.
    """

    def __init__(self, axes: tuple[int, ...], keepdim: bool = False) -> None:
        self.axes = axes
        self.keepdim = keepdim

    def forward(self, x: Array) -> Array:
        return x.sum(axis=self.axes, keepdims=self.keepdim, dtype=x.dtype)

    def backward(self, gradient: Tensor) -> Tensor:
        shape = self.inputs[0].shape
        kept = tuple(1 if axis in self.axes else n for axis, n in enumerate(shape))
        return Expand(shape)(Reshape(kept)(gradient))


class Reshape(Operation):
    """``y = x`` with its elements, in order, in another shape; so does the gradient."""

    is_view = True

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, x: Array) -> Array:
        return x.reshape(self.shape)

    def backward(self, gradient: Tensor) -> Tensor:
        return Reshape(self.inputs[0].shape)(gradient)


class Expand(Operation):
    """``y = x`` repeated along new or length-1 dimensions, without copying.

    Each element of x appears several times, so its gradient is the sum over its appearances:
    exactly how the engine undoes broadcasting, so there is nothing left to do here.
    """

    is_view = True

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, x: Array) -> Array:
        return array_module(x).broadcast_to(x, self.shape)

    def backward(self, gradient: Tensor) -> Tensor:
        return gradient
