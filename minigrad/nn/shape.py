"""Layers that only rearrange dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from minigrad import functional
from minigrad.backend import shown
from minigrad.engine import Tensor
from minigrad.nn.arguments import whole_number, whole_numbers
from minigrad.nn.module import Module


class Flatten(Module):
    """Merge the dimensions from ``start_dim`` to ``end_dim`` into one; by default all but N.

    Parameters
    ----------
    start_dim, end_dim : int
        The first and last dimension merged; negative ones count from the end.

    Examples
    --------
    >>> from minigrad import Tensor, nn
    >>> nn.Flatten()(Tensor([[[1.0, 2.0], [3.0, 4.0]]])).shape
    (1, 4)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = whole_number("Flatten", "start_dim", start_dim, minimum=None)
        self.end_dim = whole_number("Flatten", "end_dim", end_dim, minimum=None)

    def forward(self, input: Tensor) -> Tensor:
        """(N, A, B, ...) to (N, A * B * ...), by default."""
        return functional.flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Split one dimension into several.

    Parameters
    ----------
    dim : int
        The dimension to split; negative ones count from the end.
    unflattened_size : sequence of int
        What it becomes; one may be -1, to be worked out.

    Examples
    --------
    >>> from minigrad import Tensor, nn
    >>> nn.Unflatten(1, (2, 2))(Tensor([[1.0, 2.0, 3.0, 4.0]])).shape
    (1, 2, 2)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        if not isinstance(unflattened_size, (tuple, list)):
            raise TypeError(
                f"Unflatten: unflattened_size must be a tuple or list, "
                f"got {shown(unflattened_size)}"
            )
        self.dim = whole_number("Unflatten", "dim", dim, minimum=None)
        self.unflattened_size = unflattened_size
        sizes = whole_numbers("Unflatten", "unflattened_size", unflattened_size, minimum=-1)
        if not sizes or sizes.count(-1) > 1:
            raise ValueError(
                f"Unflatten: unflattened_size needs a number, and at most one -1, got {sizes}"
            )

    def forward(self, input: Tensor) -> Tensor:
        """(N, A * B * ...) to (N, A, B, ...), for ``dim`` 1."""
        shape, sizes = input.shape, list(self.unflattened_size)
        if not -len(shape) <= self.dim < len(shape):
            raise ValueError(f"Unflatten: dim {self.dim} is out of range for shape {shape}")
        dim = self.dim % len(shape)
        if -1 in sizes:
            known = math.prod(size for size in sizes if size != -1)
            sizes[sizes.index(-1)] = shape[dim] // known if known else 0
        if math.prod(sizes) != shape[dim]:
            raise ValueError(
                f"Unflatten: dimension {dim} of shape {shape} cannot be split into "
                f"{tuple(self.unflattened_size)}"
            )
        return functional.reshape(input, (*shape[:dim], *sizes, *shape[dim + 1 :]))

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
