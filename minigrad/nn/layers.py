"""Layers for any data: dense, activations, normalisation, rearranging; losses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy

from minigrad import functional
from minigrad.backend import (
    Device,
    default_generator,
    require_number,
    shown,
    whole_number,
    whole_numbers,
)
from minigrad.engine import Tensor
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter, fan_in_uniform, parameter_dtype

if TYPE_CHECKING:
    from numpy.random import Generator


class Linear(Module):
    """``y = x @ weight.T + bias``, from ``in_features`` to ``out_features`` in the last dimension.

    ``weight`` (out_features, in_features) and, unless ``bias`` is False, ``bias`` (out_features,)
    are drawn from U(-b, b) with ``b = 1 / sqrt(in_features)``, by the ``generator`` if one is
    given. ``device`` and ``dtype`` are those of the parameters, float32 by default. A TypeError or
    ValueError says that a size is no whole number from 1.

    >>> from minigrad import Tensor, nn
    >>> layer = nn.Linear(3, 2)
    >>> layer
    Linear(in_features=3, out_features=2, bias=True)
    >>> layer(Tensor([[1.0, 2.0, 3.0]])).shape
    (1, 2)
    """

    bias: Any

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: str | Device | None = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        self.in_features = whole_number("Linear", "in_features", in_features)
        self.out_features = whole_number("Linear", "out_features", out_features)
        fan_in = self.in_features
        shape = (self.out_features, self.in_features)
        self.weight = fan_in_uniform(shape, fan_in, generator, dtype, device)
        self.bias = fan_in_uniform(shape[:1], fan_in, generator, dtype, device) if bias else None

    def forward(self, input: Tensor) -> Tensor:
        """(..., in_features) to (..., out_features)."""
        return functional.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Embedding(Module):
    """A learnt vector for each of ``num_embeddings`` things, by their numbers.

    ``weight`` (num_embeddings, embedding_dim) is drawn from N(0, 1), by the ``generator`` if one is
    given. ``device`` and ``dtype`` are those of the weight, float32 by default.

    >>> from minigrad import Tensor, nn
    >>> nn.Embedding(10, 3)(Tensor([[1, 2], [1, 9]])).shape
    (2, 2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        device: str | Device | None = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        self.num_embeddings = whole_number("Embedding", "num_embeddings", num_embeddings)
        self.embedding_dim = whole_number("Embedding", "embedding_dim", embedding_dim)
        drawn = (generator or default_generator()).standard_normal((num_embeddings, embedding_dim))
        dtype = parameter_dtype("Embedding", dtype)
        # Rounded in every dtype: so a seed gives the same weights in both precisions.
        self.weight = Parameter(drawn.astype("float32"), dtype=dtype, device=device)

    def forward(self, input: Any) -> Tensor:
        """Whole numbers (...) to (..., embedding_dim)."""
        return functional.embedding(input, self.weight)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}"


class ReLU(Module):
    """``max(x, 0)``, element by element.

    >>> from minigrad import Tensor, nn
    >>> nn.ReLU()(Tensor([-1.0, 2.0]))
    Tensor([0., 2.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.relu(input)


class LeakyReLU(Module):
    """``x`` where it is positive, ``negative_slope * x`` elsewhere.

    >>> from minigrad import Tensor, nn
    >>> nn.LeakyReLU(0.5)(Tensor([-1.0, 2.0]))
    Tensor([-0.5,  2. ])
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        require_number("LeakyReLU", "negative_slope", negative_slope)
        self.negative_slope = negative_slope

    def forward(self, input: Tensor) -> Tensor:
        return functional.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class GELU(Module):
    """``x`` times the share of the standard normal distribution below it, element by element.

    ``approximate`` is that of :func:`minigrad.functional.gelu`.

    >>> from minigrad import Tensor, nn
    >>> nn.GELU()(Tensor([0.0]))
    Tensor([0.])
    """

    def __init__(self, approximate: str = "none") -> None:
        if approximate not in ("none", "tanh"):
            raise ValueError(
                f"GELU: approximate must be 'none' or 'tanh', got {shown(approximate)}"
            )
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return functional.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class Sigmoid(Module):
    """``1 / (1 + exp(-x))``, element by element.

    >>> from minigrad import Tensor, nn
    >>> nn.Sigmoid()(Tensor([0.0]))
    Tensor([0.5])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.sigmoid(input)


class Tanh(Module):
    """The hyperbolic tangent of every element.

    >>> from minigrad import Tensor, nn
    >>> nn.Tanh()(Tensor([0.0]))
    Tensor([0.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.tanh(input)


class LayerNorm(Module):
    """Give each sample mean 0 and variance 1 over its last dimensions, then learnt scale and shift.

    ``y = (x - mean) / sqrt(variance + eps) * weight + bias``, the variance divided by the count.

    ``normalized_shape`` is the length of the last dimension, or those of several, which are
    normalised together. ``weight`` (ones at first) and ``bias`` (zeros) have this shape. With
    ``elementwise_affine`` False there is neither, with ``bias`` False no bias. ``device`` and
    ``dtype`` are those of the parameters, float32 by default. A TypeError or ValueError says that a
    length is no whole number from 1, or that no length is given.

    Source: Ba, Kiros and Hinton, "Layer Normalization", 2016.

    >>> from minigrad import Tensor, nn
    >>> nn.LayerNorm(2, elementwise_affine=False, eps=0.0)(Tensor([[1.0, 3.0]]))
    Tensor([[-1.,  1.]])
    """

    weight: Any
    bias: Any

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: str | Device | None = None,
        dtype: Any = None,
    ) -> None:
        self.normalized_shape = whole_numbers("LayerNorm", "normalized_shape", normalized_shape)
        if not self.normalized_shape:
            raise ValueError("LayerNorm: normalized_shape must name at least one dimension")
        require_number("LayerNorm", "eps", eps)
        self.eps = eps
        self.elementwise_affine = bool(elementwise_affine)
        ones = numpy.ones(self.normalized_shape, parameter_dtype("LayerNorm", dtype))
        self.weight = Parameter(ones, device=device) if elementwise_affine else None
        has_bias = elementwise_affine and bias
        self.bias = Parameter(numpy.zeros_like(ones), device=device) if has_bias else None

    def forward(self, input: Tensor) -> Tensor:
        """(..., *normalized_shape) to the same shape."""
        return functional.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class GroupNorm(Module):
    """Give each sample's groups of channels mean 0 and variance 1, then a learnt scale and shift.

    There is no BatchNorm: its statistics would depend on how a batch is cut into shards. Parameters
    are those of :func:`minigrad.functional.group_norm`; ``weight`` (ones at first) and ``bias``
    (zeros) are (num_channels,); without ``affine`` there is neither, with ``bias`` False no bias.

    >>> from minigrad import Tensor, nn
    >>> nn.GroupNorm(1, 2)(Tensor([[[1.0], [3.0]]])).shape
    (1, 2, 1)
    """

    weight: Any
    bias: Any

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: str | Device | None = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        self.num_groups = whole_number("GroupNorm", "num_groups", num_groups)
        self.num_channels = whole_number("GroupNorm", "num_channels", num_channels)
        if num_channels % num_groups:
            raise ValueError(
                f"GroupNorm: {num_groups} groups do not divide {num_channels} channels"
            )
        require_number("GroupNorm", "eps", eps)
        self.eps, self.affine = eps, bool(affine)
        ones = numpy.ones(num_channels, parameter_dtype("GroupNorm", dtype))
        self.weight = Parameter(ones, device=device) if affine else None
        has_bias = affine and bias
        self.bias = Parameter(numpy.zeros_like(ones), device=device) if has_bias else None

    def forward(self, input: Tensor) -> Tensor:
        """(N, num_channels, ...) to the same shape."""
        return functional.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class Dropout(Module):
    """While training, each element 0 with probability ``p``, the others divided by ``1 - p``.

    In shards every shard draws from a generator of its own: the same bits for any number of
    workers. After ``eval()`` nothing is done.

    >>> from minigrad import Tensor, nn
    >>> nn.Dropout(0.2).eval()(Tensor([1.0]))
    Tensor([1.])
    """

    def __init__(self, p: float = 0.5) -> None:
        require_number("Dropout", "p", p)
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p must lie between 0 and 1, got {p}")
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        return functional.dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace=False"


class Flatten(Module):
    """Merge the dimensions from ``start_dim`` to ``end_dim`` into one; by default all but N.

    Parameters are those of :func:`minigrad.functional.flatten`.

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
    """Split dimension ``dim`` into several, of the lengths ``unflattened_size``.

    A negative ``dim`` counts from the end; one of the lengths may be -1, to be worked out.

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


class Identity(Module):
    """Give back the input: a layer that can be left out. Any arguments and options are ignored.

    >>> from minigrad import Tensor, nn
    >>> nn.Identity()(Tensor([1.0]))
    Tensor([1.])
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:  # as PyTorch's: any are allowed
        pass

    def forward(self, input: Any) -> Any:
        return input


class MSELoss(Module):
    """The squared error of a prediction.

    Parameters are those of :func:`minigrad.functional.mse_loss`.

    >>> from minigrad import Tensor, nn
    >>> nn.MSELoss()(Tensor([1.0, 2.0]), Tensor([1.0, 4.0]))
    Tensor(2.)
    """

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = reduction

    def forward(self, input: Any, target: Any) -> Tensor:
        """Two tensors of one shape to a number, or with ``reduction="none"`` to that shape."""
        return functional.mse_loss(input, target, self.reduction)


class CrossEntropyLoss(Module):
    """How badly scores predict classes.

    Parameters are those of :func:`minigrad.functional.cross_entropy`.

    >>> from minigrad import Tensor, nn
    >>> nn.CrossEntropyLoss()(Tensor([[0.0, 0.0]]), Tensor([1]))
    Tensor(0.6931472)
    """

    def __init__(
        self, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
    ) -> None:
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.label_smoothing = label_smoothing

    def forward(self, input: Any, target: Any) -> Tensor:
        """Scores (N, C, ...), class numbers (N, ...) to a number, or with "none" to (N, ...)."""
        return functional.cross_entropy(
            input, target, self.reduction, self.ignore_index, self.label_smoothing
        )
