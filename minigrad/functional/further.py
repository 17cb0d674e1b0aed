"""What the lecture does without: erf and gelu, dropout, group_norm, embedding, argmax and max.

All but erf are made of other operations, and their gradients with them.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from minigrad.backend import (
    Array,
    array_module,
    default_generator,
    require_number,
    shown,
    to_device,
    whole_number,
)
from minigrad.engine import Operation, Tensor
from minigrad.functional.arguments import as_float, as_tensor, on_its_device, one_dim
from minigrad.functional.elementwise import Mask, exp, tanh
from minigrad.functional.loss import layer_norm
from minigrad.functional.rearrange import Index, getitem, reshape, squeeze
from minigrad.functional.reduce import amax, amin

# Chebyshev coefficients of ln(erfc(x) e^(x^2) / t) in t = 2 / (2 + x), for x from 0 on.
_ERFC = (
    *(-1.3026537197817094, 6.4196979235649026e-1, 1.9476473204185836e-2, -9.561514786808631e-3),
    *(-9.46595344482036e-4, 3.66839497852761e-4, 4.2523324806907e-5, -2.0278578112534e-5),
    *(-1.624290004647e-6, 1.303655835580e-6, 1.5626441722e-8, -8.5238095915e-8),
    *(6.529054439e-9, 5.059343495e-9, -9.91364156e-10, -2.27365122e-10),
    *(9.6467911e-11, 2.394038e-12, -6.886027e-12, 8.94487e-13),
    *(3.13092e-13, -1.12708e-13, 3.81e-16, 7.106e-15),
    *(-1.523e-15, -9.4e-17, 1.21e-16, -2.8e-17),
)


class Erf(Operation):
    """``y = erf x``, the integral of ``2 / sqrt(pi) e^(-t^2)`` from 0 to x: dy/dx = 2 / sqrt(pi)
    e^(-x^2).

    Of the Chebyshev polynomial of erfc, by Clenshaw's rule. Near 0, where ``1 - erfc x`` would
    cancel, of the first terms of the power series.

    Source: Press, Teukolsky, Vetterling and Flannery, "Numerical Recipes", 3rd edition, section
    6.2.2.
    """

    def forward(self, x: Array) -> Array:
        xp = array_module(x)
        size = xp.abs(x)
        t = 2 / (2 + size)
        u = 4 * t - 2
        d = dd = xp.zeros_like(x)
        for coefficient in _ERFC[:0:-1]:
            d, dd = u * d - dd + coefficient, d
        away = 1 - t * xp.exp(-size * size + 0.5 * (_ERFC[0] + u * d) - dd)
        squared = x * x
        near = sum(
            (-1) ** n * squared**n / (math.factorial(n) * (2 * n + 1)) for n in range(10)
        ) * (2 / math.sqrt(math.pi))
        return xp.where(size < 0.5, x * near, xp.sign(x) * away).astype(x.dtype)

    def backward(self, gradient: Tensor) -> Tensor:
        (x,) = self.saved
        return gradient * (exp(-(x * x)) * (2 / math.sqrt(math.pi)))


def erf(x: Any) -> Tensor:
    """The error function of each element.

    >>> erf(Tensor([0.0, 1.0]))
    Tensor([0.       , 0.8427008])
    """
    return Erf()(as_float("erf", x))


def gelu(x: Any, approximate: str = "none") -> Tensor:
    """``x`` times the share of the standard normal distribution below ``x``.

    ``approximate`` is ``"none"`` or ``"tanh"``: ``x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) /
    2``; else a ValueError says so.

    Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.

    >>> gelu(Tensor([-1.0, 0.0, 1.0]))
    Tensor([-0.15865526,  0.        ,  0.8413447 ])
    """
    x = as_float("gelu", x)
    if approximate == "none":
        return x * (0.5 * (1 + erf(x * math.sqrt(0.5))))
    if approximate == "tanh":
        return 0.5 * x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    raise ValueError(f"gelu: approximate must be 'none' or 'tanh', got {shown(approximate)}")


def dropout(x: Any, p: float = 0.5, training: bool = True) -> Tensor:
    """Each element 0 with probability ``p``, the others divided by ``1 - p``: the mean stays.

    Drawn from what :func:`minigrad.manual_seed` seeds; within a shard from the shard's own, so that
    any number of workers draws the same. Without ``training`` nothing is done. A ValueError says
    that ``p`` is no probability.

    Source: Srivastava and others, "Dropout", 2014.

    >>> dropout(Tensor([1.0, 2.0]), training=False)
    Tensor([1., 2.])
    """
    x = as_float("dropout", x)
    require_number("dropout", "p", p)
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p must lie between 0 and 1, got {p}")
    if not training or p == 0:
        return x
    is_kept = default_generator().random(x.shape, dtype="float32") >= p
    factors = is_kept.astype(x.dtype) * x.dtype.type(1 / (1 - p) if p < 1 else 0)
    return Mask(to_device(factors, x.device))(x)


def group_norm(
    x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """Give each sample's groups of channels mean 0 and variance 1, then apply weight and bias.

    ``x`` is (N, C, ...); ``weight`` and ``bias``, where given, are (C,). There is no batch
    normalisation: its statistics would depend on how a batch is cut into shards. ``eps`` is added
    to the variance. A ValueError says that ``num_groups`` does not divide the channels.

    Source: Wu and He, "Group Normalization", 2018.

    >>> group_norm(Tensor([[[1.0], [3.0]]]), 1, eps=0.0)
    Tensor([[[-1.],
            [ 1.]]])
    """
    x = as_float("group_norm", x)
    whole_number("group_norm", "num_groups", num_groups)
    if x.ndim < 2 or x.shape[1] % num_groups:
        raise ValueError(f"group_norm: {num_groups} groups do not divide the channels of {x.shape}")
    size = math.prod(x.shape[1:]) // num_groups
    grouped = reshape(x, (x.shape[0], num_groups, size))
    y = reshape(layer_norm(grouped, (size,), eps=eps), x.shape)
    y = y if weight is None else y * _per_channel("weight", weight, x)
    return y if bias is None else y + _per_channel("bias", bias, x)


def _per_channel(what: str, given: Any, x: Tensor) -> Tensor:
    given = as_tensor("group_norm", given)
    if given.shape != x.shape[1:2]:
        raise ValueError(f"group_norm: {what} has shape {given.shape}, expected {x.shape[1:2]}")
    return reshape(given, (-1,) + (1,) * (x.ndim - 2))


def embedding(indices: Any, weight: Any) -> Tensor:
    """The rows of ``weight`` (K, D) that whole numbers ``indices`` (...) name: (..., D).

    A TypeError or ValueError says that the indices are no whole numbers, the weight no matrix.

    >>> embedding(Tensor([1, 0, 1]), Tensor([[1.0, 2.0], [3.0, 4.0]]))[:, 0]
    Tensor([3., 1., 3.])
    """
    indices, weight = as_tensor("embedding", indices), as_float("embedding", weight)
    if indices.dtype.kind not in "iu":
        raise TypeError(f"embedding: indices must be whole numbers, got {indices.dtype}")
    if weight.ndim != 2:
        raise ValueError(f"embedding: weight must be a matrix, got shape {weight.shape}")
    return getitem(weight, indices)


class Extrema(NamedTuple):
    """What :func:`max` and :func:`min` find along a dimension, and where."""

    values: Tensor
    indices: Tensor


@on_its_device
def _places(x: Any, name: str, dim: int | None, keepdim: bool) -> Tensor:
    """The place of the first extremum, in the whole or along a dimension."""
    if not x.size:
        raise ValueError(f"{name}: nothing to compare in shape {x.shape}")
    axis = None if dim is None else one_dim(name, dim, x.ndim)
    return Tensor(getattr(x.data, name)(axis=axis, keepdims=keepdim))


def argmax(x: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the largest element is, through the whole or along ``dim``; the first of equals.

    With ``keepdim`` reduced dimensions stay, with length 1.

    >>> argmax(Tensor([[1.0, 2.0], [4.0, 3.0]]), dim=1)
    Tensor([1, 0])
    """
    return _places(as_tensor("argmax", x), "argmax", dim, keepdim)


def argmin(x: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the least element is; ``dim`` and ``keepdim`` as for :func:`argmax`.

    >>> argmin(Tensor([[1.0, 2.0], [4.0, 3.0]]))
    Tensor(0)
    """
    return _places(as_tensor("argmin", x), "argmin", dim, keepdim)


@on_its_device
def _extrema(x: Tensor, name: str, dim: int, keepdim: bool) -> Any:
    """The elements at the places along a dimension, whose gradients go to these alone."""
    axis = one_dim(name, dim, x.ndim)
    places = _places(x, f"arg{name}", axis, keepdim=True)
    if not x.ndim:
        return Extrema(amax(x), places)
    xp = array_module(places.data)
    key = [xp.arange(n).reshape((n,) + (1,) * (x.ndim - 1 - i)) for i, n in enumerate(x.shape)]
    key[axis] = places.data
    values = Index(tuple(key))(x)
    if keepdim:
        return Extrema(values, places)
    return Extrema(squeeze(values, axis), squeeze(places, axis))


def max(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The largest element; along ``dim``, ``values`` and the ``indices`` where they are.

    Without ``dim`` equals share the gradient, as of :func:`amax`; along one the first gets it.
    With ``keepdim`` it stays, with length 1.

    >>> max(Tensor([[1.0, 2.0], [4.0, 3.0]]), dim=1).indices
    Tensor([1, 0])
    """
    x = as_tensor("max", x)
    return amax(x) if dim is None else _extrema(x, "max", dim, keepdim)


def min(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The least element; along ``dim``, which ``keepdim`` keeps, as :func:`max`.

    >>> min(Tensor([[1.0, 2.0], [4.0, 3.0]]))
    Tensor(1.)
    """
    x = as_tensor("min", x)
    return amin(x) if dim is None else _extrema(x, "min", dim, keepdim)


class Clone(Operation):
    """``y = x`` in memory of its own: dy/dx = 1."""

    def forward(self, x: Array) -> Array:
        return x.copy()

    def backward(self, gradient: Tensor) -> Tensor:
        return gradient


def clone(x: Any) -> Tensor:
    """A copy, through which gradients flow; ``detach().clone()`` is one through which they do not.

    >>> x = Tensor([1.0])
    >>> clone(x).data is x.data
    False
    """
    return Clone()(as_tensor("clone", x))
