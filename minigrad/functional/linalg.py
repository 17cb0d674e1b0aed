"""Matrix products: matmul and linear."""

from __future__ import annotations

import math
from typing import Any

from minigrad.backend import Array
from minigrad.engine import Operation, Reshape, Tensor
from minigrad.functional.arguments import as_tensor, broadcast_shape, layer_tensors, same_precision
from minigrad.functional.rearrange import Permute
from minigrad.functional.reduce import ChannelSum
from minigrad.kernels import product, products


def _turned(x: Tensor) -> Tensor:
    """The matrices in the last two dimensions, transposed."""
    return Permute((*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))(x)


class Matmul(Operation):
    """``Y = A B`` for matrices in the last two dimensions: dA = G B^T, dB = A^T G.

    From ``y_ij = sum_k a_ik b_kj``: the gradient of a_ik is ``sum_j g_ij b_kj`` and that of b_kj
    ``sum_i a_ik g_ij``.
    """

    def forward(self, a: Array, b: Array) -> Array:
        return product(a, b) if a.ndim == b.ndim == 2 else products(a, b)

    def backward(self, gradient: Tensor) -> tuple[Tensor | None, ...]:
        a, b = self.saved
        needs_a, needs_b = self.needs_input_grad
        by_a = Matmul()(gradient, _turned(b)) if needs_a else None
        by_b = Matmul()(_turned(a), gradient) if needs_b else None
        return by_a, by_b


class TransposedMatmul(Operation):
    """``Y = A^T B`` for matrices A (n, i) and B (n, j): dA = B G^T, dB = A G.

    From ``y_ij = sum_n a_ni b_nj``, as for Matmul.
    """

    def forward(self, a: Array, b: Array) -> Array:
        return product(a.T, b)

    def backward(self, gradient: Tensor) -> tuple[Tensor | None, ...]:
        a, b = self.saved
        needs_a, needs_b = self.needs_input_grad
        by_a = Matmul()(b, _turned(gradient)) if needs_a else None
        by_b = Matmul()(a, gradient) if needs_b else None
        return by_a, by_b


class Linear(Operation):
    """``Y = X W^T + b`` for X (N, in), W (out, in), b (out): dX = G W, dW = G^T X, db = sum_n g_n.

    From ``y_no = sum_i x_ni w_oi + b_o``, as for Matmul.
    """

    def forward(self, x: Array, weight: Array, bias: Array | None = None) -> Array:
        y = product(x, weight.T)
        if bias is not None:
            y += bias
        return y

    def backward(self, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = self.saved[:2]
        needs = self.needs_input_grad
        by_x = Matmul()(gradient, weight) if needs[0] else None
        by_weight = TransposedMatmul()(gradient, x) if needs[1] else None
        by_bias = [ChannelSum()(gradient) if need else None for need in needs[2:]]
        return by_x, by_weight, *by_bias


def matmul(a: Any, b: Any) -> Tensor:
    """The matrix product; ``a @ b``.

    Matrices stand in the last two dimensions, and the dimensions before them broadcast:
    (..., n, k) and (..., k, m) give (..., n, m). A vector is taken as a row on the left and as a
    column on the right, and that dimension is dropped again. A ValueError says that the inner
    lengths differ, that the rest does not broadcast, or that an argument is a number.

    >>> matmul(Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([1.0, 1.0]))
    Tensor([3., 7.])
    """
    a, b = as_tensor("matmul", a, 0), as_tensor("matmul", b, 1)
    a, b = same_precision("matmul", a, b)
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(f"matmul: shapes {a.shape} and {b.shape}: a number is no matrix; use *")
    inner = b.shape[-2] if b.ndim > 1 else b.shape[0]
    if a.shape[-1] != inner:
        raise ValueError(
            f"matmul: shapes {a.shape} and {b.shape}: the inner lengths {a.shape[-1]} and "
            f"{inner} differ"
        )
    broadcast_shape("matmul", a.shape[:-2], b.shape[:-2])
    left = a if a.ndim > 1 else Reshape((1, *a.shape))(a)
    right = b if b.ndim > 1 else Reshape((*b.shape, 1))(b)
    y = Matmul()(left, right)
    if a.ndim > 1 and b.ndim > 1:
        return y
    shape = y.shape[:-2] + y.shape[-2:-1] * (a.ndim > 1) + y.shape[-1:] * (b.ndim > 1)
    return Reshape(shape)(y)


def linear(x: Any, weight: Any, bias: Any = None) -> Tensor:
    """A fully connected layer, ``x W^T + b``: (..., in) to (..., out).

    ``weight`` is (out, in), ``bias`` (out,) or None. A ValueError says which shape does not fit.

    >>> linear(Tensor([[1.0, 2.0]]), Tensor([[3.0, 4.0]]), Tensor([0.5]))
    Tensor([[11.5]])
    """
    x, weight, *biases = layer_tensors("linear", x, weight, bias)
    if weight.ndim != 2:
        raise ValueError(f"linear: weight must be (out, in), got shape {weight.shape}")
    if x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        raise ValueError(
            f"linear: input {x.shape} does not end in the {weight.shape[1]} features that weight "
            f"{weight.shape} expects"
        )
    if biases and biases[0].shape != weight.shape[:1]:
        raise ValueError(f"linear: bias {biases[0].shape} does not fit weight {weight.shape}")
    if x.ndim == 2:
        return Linear()(x, weight, *biases)
    rows = math.prod(x.shape[:-1])
    y = Linear()(Reshape((rows, x.shape[-1]))(x), weight, *biases)
    return Reshape((*x.shape[:-1], weight.shape[0]))(y)
