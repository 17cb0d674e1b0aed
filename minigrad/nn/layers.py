"""All layers but convolutions: dense, activations, normalisation, resizing, rearranging."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy

from minigrad import functional
from minigrad.backend import Device, require_number, shown, whole_number, whole_numbers
from minigrad.engine import Tensor
from minigrad.functional.convolution import Pair
from minigrad.functional.pool import Windows, resizing
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


class ReLU(Module):
    """``max(x, 0)``.

    >>> from minigrad import Tensor, nn
    >>> nn.ReLU()(Tensor([-1.0, 2.0]))
    Tensor([0., 2.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Any shape to the same shape."""
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
        """Any shape to the same shape."""
        return functional.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class Sigmoid(Module):
    """``1 / (1 + exp(-x))``.

    >>> from minigrad import Tensor, nn
    >>> nn.Sigmoid()(Tensor([0.0]))
    Tensor([0.5])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return functional.sigmoid(input)


class Tanh(Module):
    """The hyperbolic tangent.

    >>> from minigrad import Tensor, nn
    >>> nn.Tanh()(Tensor([0.0]))
    Tensor([0.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return functional.tanh(input)


class LayerNorm(Module):
    """Give each sample mean 0 and variance 1 over its last dimensions, then a learnt scale.

    ``y = (x - mean) / sqrt(variance + eps) * weight + bias``, the variance not corrected.

    ``normalized_shape`` is the length of the last dimension, or those of several, which are
    normalised together. ``weight`` (ones at first) and ``bias`` (zeros) have this shape. With
    ``elementwise_affine`` False there is neither, with ``bias`` False no bias. ``device`` and
    ``dtype`` are those of the parameters, float32 by default. A TypeError or ValueError says that a
    length is no whole number from 1, or that there is none.

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


class MaxPool2d(Module):
    """The largest value in each window of an image.

    Parameters and errors are those of :func:`minigrad.functional.max_pool2d`; the errors are raised
    when the layer is made, where they can be.

    >>> from minigrad import Tensor, nn
    >>> nn.MaxPool2d(2)(Tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    Tensor([[[4.]]])
    """

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        dilation: Pair = 1,
        *,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.ceil_mode = bool(ceil_mode)
        Windows.checked("MaxPool2d", kernel_size, stride, padding, dilation)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W), or one image without N, to (N, C, P, Q)."""
        windows = self.kernel_size, self.stride, self.padding, self.dilation
        return functional.max_pool2d(input, *windows, self.ceil_mode)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class Upsample(Module):
    """Enlarge images by repeating the nearest pixel.

    Parameters and errors are those of :func:`minigrad.functional.interpolate`; the errors are
    raised when the layer is made, where they can be.

    >>> from minigrad import Tensor, nn
    >>> nn.Upsample(scale_factor=2)(Tensor([[[[1.0, 2.0]]]]))
    Tensor([[[[1., 1., 2., 2.],
              [1., 1., 2., 2.]]]])
    """

    def __init__(
        self,
        size: Pair | None = None,
        scale_factor: float | tuple[float, float] | None = None,
        mode: str = "nearest",
        *,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        _, factors = resizing("Upsample", size, scale_factor, mode)
        self.size = size
        is_pair = isinstance(scale_factor, (tuple, list))
        self.scale_factor: Any = None
        if scale_factor is not None:  # as floats, which repr shows
            self.scale_factor = tuple(map(float, factors)) if is_pair else float(scale_factor)
        self.mode = mode
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, P, Q)."""
        options = self.size, self.scale_factor, self.mode
        recompute = self.recompute_scale_factor
        return functional.interpolate(input, *options, recompute_scale_factor=recompute)

    def extra_repr(self) -> str:
        if self.scale_factor is not None:
            return f"scale_factor={self.scale_factor}, mode={self.mode!r}"
        return f"size={self.size}, mode={self.mode!r}"


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
