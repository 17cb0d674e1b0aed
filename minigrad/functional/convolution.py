"""Convolution: three operations that are each other's gradients.

All three come from one trilinear form (see ``minigrad.kernels``),

    T(x, w, y) = sum over n,o,p,q,c,i,j of
                 x[n, c, s p + d i - pad, s q + d j - pad] w[o, c, i, j] y[n, o, p, q]

- conv2d(x, w) = dT/dy, conv_transpose2d(y, w) = dT/dx, conv2d_weight_grad(x, y) = dT/dw.

T is linear in each argument. So for ``y = conv2d(x, w)`` and a gradient g arriving at y, the
scalar ``<g, y>`` is T(x, w, g), and its derivatives are dT/dx = conv_transpose2d(g, w) and
dT/dw = conv2d_weight_grad(x, g); likewise for the other two. Since each gradient is again one of
the three, any order of derivative exists.
"""

from __future__ import annotations

from minigrad.backend import Array
from minigrad.engine import Operation, Tensor
from minigrad.functional.channel_sum import ChannelSum
from minigrad.kernels import Geometry
from minigrad.kernels import conv2d as conv2d_kernel
from minigrad.kernels import conv2d_weight_grad as conv2d_weight_grad_kernel
from minigrad.kernels import conv_transpose2d as conv_transpose2d_kernel


class Conv2d(Operation):
    """``y = conv2d(x, w) + b`` = dT/dy: dx = conv_transpose2d(g, w), dw = weight_grad(x, g)."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry

    def forward(self, x: Array, weight: Array, bias: Array | None = None) -> Array:
        return conv2d_kernel(x, weight, self.geometry, bias)

    def backward(self, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, *bias = self.saved
        needs = self.needs_input_grad
        by_x = ConvTranspose2d(self.geometry)(gradient, weight) if needs[0] else None
        by_weight = Conv2dWeightGrad(self.geometry)(x, gradient) if needs[1] else None
        return by_x, by_weight, *(ChannelSum()(gradient) if needs[2] else None for _ in bias)


class ConvTranspose2d(Operation):
    """``x = conv_transpose2d(y, w) + b`` = dT/dx: dy = conv2d(g, w), dw = weight_grad(g, y)."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry

    def forward(self, y: Array, weight: Array, bias: Array | None = None) -> Array:
        return conv_transpose2d_kernel(y, weight, self.geometry, bias)

    def backward(self, gradient: Tensor) -> tuple[Tensor | None, ...]:
        y, weight, *bias = self.saved
        needs = self.needs_input_grad
        by_y = Conv2d(self.geometry)(gradient, weight) if needs[0] else None
        by_weight = Conv2dWeightGrad(self.geometry)(gradient, y) if needs[1] else None
        return by_y, by_weight, *(ChannelSum()(gradient) if needs[2] else None for _ in bias)


class Conv2dWeightGrad(Operation):
    """``w = conv2d_weight_grad(x, y)`` = dT/dw: dx = conv_transpose2d(y, g), dy = conv2d(x, g)."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry

    def forward(self, x: Array, y: Array) -> Array:
        return conv2d_weight_grad_kernel(x, y, self.geometry)

    def backward(self, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, y = self.saved
        needs = self.needs_input_grad
        by_x = ConvTranspose2d(self.geometry)(y, gradient) if needs[0] else None
        by_y = Conv2d(self.geometry)(x, gradient) if needs[1] else None
        return by_x, by_y
