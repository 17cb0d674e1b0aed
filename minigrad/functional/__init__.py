"""The functions of minigrad under their public names, which are PyTorch's.

Each stands with its operation, and the derivation of its gradient, in ``minigrad/functional/``.
"""

from minigrad.functional.activation import (
    leaky_relu,
    log_softmax,
    logsumexp,
    relu,
    sigmoid,
    softmax,
    softplus,
    tanh,
)
from minigrad.functional.arithmetic import add, div, mul, neg, sub
from minigrad.functional.convolution import conv2d, conv_transpose2d
from minigrad.functional.elementwise import abs, cos, exp, log, pow, sin, sqrt
from minigrad.functional.index import cat, pad, stack
from minigrad.functional.linalg import linear, matmul
from minigrad.functional.loss import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    l1_loss,
    layer_norm,
    mse_loss,
)
from minigrad.functional.methods import attach
from minigrad.functional.pool import avg_pool2d, interpolate, max_pool2d
from minigrad.functional.reduce import amax, amin, mean, std, sum, var
from minigrad.functional.select import clamp, eq, ge, gt, le, lt, maximum, minimum, ne, where
from minigrad.functional.shape import (
    expand,
    flatten,
    permute,
    reshape,
    squeeze,
    transpose,
    unsqueeze,
)

__all__ = [
    "abs", "add", "amax", "amin", "avg_pool2d", "binary_cross_entropy_with_logits", "cat",
    "clamp", "conv2d", "conv_transpose2d", "cos", "cross_entropy", "div", "eq", "exp", "expand",
    "flatten", "ge", "gt", "interpolate", "l1_loss", "layer_norm", "le", "leaky_relu", "linear",
    "log", "log_softmax", "logsumexp", "lt", "matmul", "max_pool2d", "maximum", "mean",
    "minimum", "mse_loss", "mul", "ne", "neg", "pad", "permute", "pow", "relu", "reshape",
    "sigmoid", "sin", "softmax", "softplus", "sqrt", "squeeze", "stack", "std", "sub", "sum",
    "tanh", "transpose", "unsqueeze", "var", "where",
]  # fmt: skip

attach()  # Tensor's operators and methods
