"""The gradient of a bias: what is added to every pixel, or sample, gathers all their gradients."""

from __future__ import annotations

from minigrad.backend import Array
from minigrad.engine import Expand, Operation, Reshape, Tensor
from minigrad.kernels import channel_sum


class ChannelSum(Operation):
    """``b_c = sum over n, p, q of y[n, c, p, q]``, or over n of y[n, c]: the gradient is spread."""

    def forward(self, y: Array) -> Array:
        return channel_sum(y)

    def backward(self, gradient: Tensor) -> Tensor:
        shape = self.inputs[0].shape
        return Expand(shape)(Reshape((1, shape[1], *(1 for _ in shape[2:])))(gradient))
