"""The functions of minigrad under their public names, which are PyTorch's.

Each stands with its operation, and the derivation of its gradient, in ``minigrad/functional/``.
"""

from typing import Any

from minigrad.backend import unknown_name
from minigrad.functional.arithmetic import add, div, eq, ge, gt, le, lt, mul, ne, neg, pow, sub
from minigrad.functional.convolution import conv2d, conv_transpose2d
from minigrad.functional.elementwise import (
    abs,
    clamp,
    cos,
    exp,
    leaky_relu,
    log,
    maximum,
    minimum,
    relu,
    sigmoid,
    sin,
    softplus,
    sqrt,
    tanh,
    where,
)
from minigrad.functional.further import (
    argmax,
    argmin,
    clone,
    dropout,
    embedding,
    erf,
    gelu,
    group_norm,
    max,
    min,
)
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
from minigrad.functional.rearrange import (
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
from minigrad.functional.reduce import (
    amax,
    amin,
    log_softmax,
    logsumexp,
    mean,
    softmax,
    std,
    sum,
    var,
)

__all__ = [
    "abs", "add", "amax", "amin", "argmax", "argmin", "avg_pool2d",
    "binary_cross_entropy_with_logits", "cat", "clamp", "clone", "conv2d", "conv_transpose2d",
    "cos", "cross_entropy", "div", "dropout", "embedding", "eq", "erf", "exp", "expand",
    "flatten", "ge", "gelu", "group_norm", "gt", "interpolate", "l1_loss", "layer_norm", "le",
    "leaky_relu", "linear", "log", "log_softmax", "logsumexp", "lt", "matmul", "max",
    "max_pool2d", "maximum", "mean", "min", "minimum", "mse_loss", "mul", "ne", "neg", "pad",
    "permute", "pow", "relu", "reshape", "sigmoid", "sin", "softmax", "softplus", "sqrt",
    "squeeze", "stack", "std", "sub", "sum", "tanh", "transpose", "unsqueeze", "var", "where",
]  # fmt: skip

attach()  # Tensor's operators and methods


def __getattr__(name: str) -> Any:
    raise unknown_name("minigrad.functional", name, __all__)
