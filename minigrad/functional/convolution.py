"""Convolution: three operations that are each other's gradients.

All three come from one trilinear form (see ``minigrad.kernels``),

    T(x, w, y) = sum over n,o,p,q,c,i,j of
                 x[n, c, s p + d i - pad, s q + d j - pad] w[o, c, i, j] y[n, o, p, q]

- conv2d(x, w) = dT/dy, conv_transpose2d(y, w) = dT/dx, conv2d_weight_grad(x, y) = dT/dw.

T is linear in each argument. So for ``y = conv2d(x, w)`` and a gradient g arriving at y, the
scalar ``<g, y>`` is T(x, w, g), and its derivatives are dT/dx = conv_transpose2d(g, w) and
dT/dw = conv2d_weight_grad(x, g); likewise for the other two. Since each gradient is again one of
the three, any order of derivative exists.

A convolution's arguments are checked once for each combination of shapes and options, where its
sizes are worked out: by :func:`conv2d_geometry` and :func:`conv_transpose2d_geometry`. The three
operations and their kernels trust the Geometry that these give.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from minigrad.backend import Array, pair, shown, whole_number
from minigrad.engine import Operation, Reshape, Tensor
from minigrad.functional.arguments import layer_tensors
from minigrad.functional.reduce import ChannelSum
from minigrad.kernels import Geometry
from minigrad.kernels.convolution import correlate, spread, weight_gradient

Pair = int | tuple[int, int]
Two = tuple[int, int]
Shape = tuple[int, ...]


def _check_shapes(
    name: str, x: Shape, weight: Shape, bias: Shape | None, groups: Any, is_transposed: bool
) -> None:
    """Refuse what conv2d and conv_transpose2d refuse alike."""
    if len(x) not in (3, 4):
        raise ValueError(f"{name}: input must be (N, C, H, W) or (C, H, W), got shape {x}")
    if len(weight) != 4:
        raise ValueError(f"{name}: weight must have 4 dimensions, got shape {weight}")
    if 0 in weight:
        raise ValueError(f"{name}: weight {weight} has a dimension of length 0")
    groups = whole_number(name, "groups", groups)
    if weight[0] % groups:
        raise ValueError(
            f"{name}: {groups} groups do not divide the {weight[0]} channels of weight {weight}"
        )
    channels, out_channels = weight[1] * groups, weight[0]
    if is_transposed:
        channels, out_channels = out_channels, channels
    if x[-3] != channels:
        raise ValueError(
            f"{name}: input has {x[-3]} channels, weight {weight} expects {channels}"
            + (f" ({groups} groups)" if groups > 1 else "")
        )
    if bias not in (None, (out_channels,)):
        raise ValueError(
            f"{name}: bias has shape {bias}, {out_channels} output channels expect "
            f"({out_channels},)"
        )


def check_named_padding(name: str, padding: str, stride: Two) -> None:
    """Refuse a word for the padding that conv2d does not know, or not at this stride."""
    if padding not in ("same", "valid"):
        raise ValueError(
            f"{name}: padding must be numbers, 'same' or 'valid', got {shown(padding)}"
        )
    if padding == "same" and stride != (1, 1):
        raise ValueError(f"{name}: padding 'same' needs stride 1, got {stride}")


def check_output_padding(name: str, output_padding: Two, stride: Two, dilation: Two) -> None:
    """Refuse more rows or columns at the end than leave conv2d's result as it is."""
    if any(e >= max(s, d) for e, s, d in zip(output_padding, stride, dilation)):
        raise ValueError(
            f"{name}: output_padding {output_padding} must be less than the stride {stride} or "
            f"the dilation {dilation}"
        )


@lru_cache(maxsize=1024, typed=True)
def conv2d_geometry(
    x: Shape,
    weight: Shape,
    bias: Shape | None,
    stride: Two,
    padding: Two | str,
    dilation: Two,
    groups: int,
) -> Geometry:
    """The geometry of :func:`conv2d`, from the shapes of its tensors; refuses what does not fit."""
    name = "conv2d"
    _check_shapes(name, x, weight, bias, groups, is_transposed=False)
    kernel, size = weight[2:], x[-2:]
    before = (0, 0) if isinstance(padding, str) else padding
    output = Geometry.output(size, kernel, stride, before, dilation)  # type: ignore[arg-type]
    if isinstance(padding, str):
        check_named_padding(name, padding, stride)
        if padding == "same":  # what is odd goes after, as in PyTorch
            before = tuple(d * (k - 1) // 2 for d, k in zip(dilation, kernel))
            output = size
    if min(output) < 1:
        raise ValueError(
            f"{name}: kernel {kernel} with dilation {dilation} is larger than input "
            f"{x} with padding {padding}"
        )
    return Geometry(size, kernel, output, stride, before, dilation, int(groups))  # type: ignore


def least_transposed_size(
    size: Shape, kernel: Shape, stride: Two, padding: Two, dilation: Two
) -> tuple[int, ...]:
    """The smallest height and width that conv2d with these options turns into ``size``."""
    options = zip(size, kernel, stride, padding, dilation)
    return tuple((n - 1) * s - 2 * p + d * (k - 1) + 1 for n, k, s, p, d in options)


@lru_cache(maxsize=1024, typed=True)
def conv_transpose2d_geometry(
    x: Shape,
    weight: Shape,
    bias: Shape | None,
    stride: Two,
    padding: Two,
    output_padding: Two,
    dilation: Two,
    groups: int,
) -> Geometry:
    """The geometry of :func:`conv_transpose2d`, likewise. Its input is y, its result x."""
    name = "conv_transpose2d"
    _check_shapes(name, x, weight, bias, groups, is_transposed=True)
    kernel, size = weight[2:], x[-2:]
    check_output_padding(name, output_padding, stride, dilation)
    least = least_transposed_size(size, kernel, stride, padding, dilation)
    result = tuple(n + extra for n, extra in zip(least, output_padding))
    if min(result) < 1 or min(size) < 1:
        raise ValueError(
            f"{name}: input {x} with kernel {kernel} and padding {padding} leaves a result "
            f"of size {result}"
        )
    return Geometry(result, kernel, size, stride, padding, dilation, int(groups))  # type: ignore


class Conv2d(Operation):
    """``y = conv2d(x, w) + b`` = dT/dy: dx = conv_transpose2d(g, w), dw = weight_grad(x, g)."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry

    def forward(self, x: Array, weight: Array, bias: Array | None = None) -> Array:
        return correlate(x, weight, self.geometry, bias)

    def backward(self, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = self.saved[:2]
        needs = self.needs_input_grad
        by_x = ConvTranspose2d(self.geometry)(gradient, weight) if needs[0] else None
        by_weight = Conv2dWeightGrad(self.geometry)(x, gradient) if needs[1] else None
        by_bias = [ChannelSum()(gradient) if need else None for need in needs[2:]]
        return by_x, by_weight, *by_bias


class ConvTranspose2d(Operation):
    """``x = conv_transpose2d(y, w) + b`` = dT/dx: dy = conv2d(g, w), dw = weight_grad(g, y)."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry

    def forward(self, y: Array, weight: Array, bias: Array | None = None) -> Array:
        return spread(y, weight, self.geometry, bias)

    def backward(self, gradient: Tensor) -> tuple[Tensor | None, ...]:
        y, weight = self.saved[:2]
        needs = self.needs_input_grad
        by_y = Conv2d(self.geometry)(gradient, weight) if needs[0] else None
        by_weight = Conv2dWeightGrad(self.geometry)(gradient, y) if needs[1] else None
        by_bias = [ChannelSum()(gradient) if need else None for need in needs[2:]]
        return by_y, by_weight, *by_bias


class Conv2dWeightGrad(Operation):
    """``w = conv2d_weight_grad(x, y)`` = dT/dw: dx = conv_transpose2d(y, g), dy = conv2d(x, g)."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry

    def forward(self, x: Array, y: Array) -> Array:
        return weight_gradient(x, y, self.geometry)

    def backward(self, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, y = self.saved
        needs = self.needs_input_grad
        by_x = ConvTranspose2d(self.geometry)(y, gradient) if needs[0] else None
        by_y = Conv2d(self.geometry)(x, gradient) if needs[1] else None
        return by_x, by_y


def batched(name: str, x: Tensor) -> tuple[Tensor, bool]:
    """Images as a batch (N, C, H, W), and whether there was only one (C, H, W)."""
    if x.ndim not in (3, 4):
        raise ValueError(f"{name}: input must be (N, C, H, W) or (C, H, W), got shape {x.shape}")
    return (x, False) if x.ndim == 4 else (Reshape((1, *x.shape))(x), True)


def unbatched(y: Tensor, is_single: bool) -> Tensor:
    """Undo :func:`batched`."""
    return Reshape(y.shape[1:])(y) if is_single else y


def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Pair = 1,
    padding: Pair | str = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Tensor:
    """Slide a kernel over images and take the weighted sum of what lies under it.

    ``x`` is (N, C, H, W), or one image (C, H, W); ``weight`` is (O, C / groups, kernel_height,
    kernel_width), ``bias`` (O,) or None. The kernel moves by ``stride`` pixels, ``dilation`` apart
    are its taps, and ``padding`` rows and columns of zeros lie on each side: each a number, or a
    pair for height and width. Padding may also be ``"valid"``, which is none, or ``"same"`` (stride
    1 only), which keeps the size. Channels are split into ``groups`` that do not see each other.

    The result is (N, O, P, Q) with ``P = (H + 2 padding - dilation (kernel_height - 1) - 1) //
    stride + 1``. A ValueError names the shapes or arguments that do not fit.

    >>> image = Tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])
    >>> conv2d(image, Tensor([[[[1.0, -1.0]]]]))
    Tensor([[[-1., -1.],
             [-1., -1.]]])
    """
    name = "conv2d"
    x, weight, *biases = layer_tensors(name, x, weight, bias)
    stride = pair(name, "stride", stride)
    dilation = pair(name, "dilation", dilation)
    if not isinstance(padding, str):
        padding = pair(name, "padding", padding, minimum=0)
    bias_shape = biases[0].shape if biases else None
    options = stride, padding, dilation, groups
    geometry = conv2d_geometry(x.shape, weight.shape, bias_shape, *options)
    x, is_single = batched(name, x)
    return unbatched(Conv2d(geometry)(x, weight, *biases), is_single)


def conv_transpose2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
) -> Tensor:
    """Spread each pixel through a kernel: conv2d turned round, its gradient by the input.

    ``x``, ``bias``, ``groups`` and errors as for :func:`conv2d`; ``weight`` is (C, O / groups,
    kernel_height, kernel_width). The kernel's places in the result are ``stride`` pixels apart, its
    taps ``dilation``. ``padding`` rows and columns are cut off each side of the result.
    ``output_padding`` are added at its end: conv2d with a stride maps several sizes to one, and
    this says which is meant. It is less than the stride or the dilation.

    The result is (N, O, P, Q) with ``P = (H - 1) stride - 2 padding + dilation (kernel_height - 1)
    + output_padding + 1``.

    >>> conv_transpose2d(Tensor([[[1.0, 2.0]]]), Tensor([[[[1.0, 1.0]]]]), stride=2)
    Tensor([[[1., 1., 2., 2.]]])
    """
    name = "conv_transpose2d"
    x, weight, *biases = layer_tensors(name, x, weight, bias)
    stride = pair(name, "stride", stride)
    padding = pair(name, "padding", padding, minimum=0)
    dilation = pair(name, "dilation", dilation)
    extra = pair(name, "output_padding", output_padding, minimum=0)
    bias_shape = biases[0].shape if biases else None
    options = stride, padding, extra, dilation, groups
    geometry = conv_transpose2d_geometry(x.shape, weight.shape, bias_shape, *options)
    x, is_single = batched(name, x)
    return unbatched(ConvTranspose2d(geometry)(x, weight, *biases), is_single)
