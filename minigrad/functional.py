"""The functions of minigrad under their public names, which are PyTorch's.

Each stands with its operation, and the derivation of its gradient, in ``minigrad/ops/``.
"""

from .ops.arithmetic import add, div, log, mul, neg, pow, sub
from .ops.conv import conv2d, conv_transpose2d
from .ops.elementwise import (
    abs,
    cos,
    exp,
    leaky_relu,
    relu,
    sigmoid,
    sin,
    softplus,
    sqrt,
    tanh,
)
from .ops.linalg import linear, matmul
from .ops.loss import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    l1_loss,
    layer_norm,
    mse_loss,
)
from .ops.pool import avg_pool2d, interpolate, max_pool2d
from .ops.reduce import amax, amin, log_softmax, logsumexp, mean, softmax, std, sum, var
from .ops.select import clamp, eq, ge, gt, le, lt, maximum, minimum, ne, where
from .ops.shape import (
    cat,
    expand,
    flatten,
    pad,
    permute,
    reshape,
    squeeze,
    stack,
    transpose,
    unsqueeze,
)

__all__ = [
    "abs",
    "add",
    "amax",
    "amin",
    "avg_pool2d",
    "binary_cross_entropy_with_logits",
    "cat",
    "clamp",
    "conv2d",
    "conv_transpose2d",
    "cos",
    "cross_entropy",
    "div",
    "eq",
    "exp",
    "expand",
    "flatten",
    "ge",
    "gt",
    "interpolate",
    "l1_loss",
    "layer_norm",
    "le",
    "leaky_relu",
    "linear",
    "log",
    "log_softmax",
    "logsumexp",
    "lt",
    "matmul",
    "max_pool2d",
    "maximum",
    "mean",
    "minimum",
    "mse_loss",
    "mul",
    "ne",
    "neg",
    "pad",
    "permute",
    "pow",
    "relu",
    "reshape",
    "sigmoid",
    "sin",
    "softmax",
    "softplus",
    "sqrt",
    "squeeze",
    "stack",
    "std",
    "sub",
    "sum",
    "tanh",
    "transpose",
    "unsqueeze",
    "var",
    "where",
]
