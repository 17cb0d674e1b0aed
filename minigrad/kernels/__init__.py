"""Convolution, ReLU and sums as functions on arrays: the definition in loops, and a fast form."""

from minigrad.kernels.arithmetic import (
    channel_sum,
    keep_where,
    product,
    products,
    relu,
    relu_grad,
    sum_of_squares,
)
from minigrad.kernels.convolution import conv2d, conv2d_weight_grad, conv_transpose2d
from minigrad.kernels.geometry import Geometry
from minigrad.kernels.reference import (
    conv2d_reference,
    conv2d_weight_grad_reference,
    conv_transpose2d_reference,
    relu_grad_reference,
    relu_reference,
)

__all__ = [
    "Geometry", "channel_sum", "conv2d", "conv2d_reference", "conv2d_weight_grad",
    "conv2d_weight_grad_reference", "conv_transpose2d", "conv_transpose2d_reference",
    "keep_where", "product", "products", "relu", "relu_grad", "relu_grad_reference",
    "relu_reference", "sum_of_squares",
]  # fmt: skip
