"""Kernels in CUDA C, one subject a file, and how they are launched."""

from minigrad.kernels.cuda.launches import (
    FILES,
    PIECES,
    Launch,
    adam_launch,
    channel_sum_launch,
    conv2d_launch,
    conv2d_weight_grad_launch,
    conv_transpose2d_launch,
    fits_grid,
    join_launch,
    kernel,
    pieces,
    product_launch,
    relu_grad_launch,
    relu_launch,
    source,
    sum_parts_launch,
)

__all__ = [
    "FILES", "Launch", "PIECES", "adam_launch", "channel_sum_launch", "conv2d_launch",
    "conv2d_weight_grad_launch", "conv_transpose2d_launch", "fits_grid", "join_launch", "kernel",
    "pieces", "product_launch", "relu_grad_launch", "relu_launch", "source", "sum_parts_launch",
]  # fmt: skip
