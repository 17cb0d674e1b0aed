"""Layers for images: convolution, the layer that runs it backwards, pooling, resizing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from minigrad import functional
from minigrad.backend import Device, pair, shown, whole_number
from minigrad.engine import Tensor
from minigrad.functional.convolution import (
    Pair,
    check_named_padding,
    check_output_padding,
    least_transposed_size,
)
from minigrad.functional.pool import Windows, resizing
from minigrad.nn.module import Module
from minigrad.nn.parameter import fan_in_uniform

if TYPE_CHECKING:
    from numpy.random import Generator


class _Convolution(Module):
    """What both layers share: checking options, drawing weights, and ``repr``."""

    is_transposed: ClassVar[bool]
    weight: Any
    bias: Any

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair | str = 0,
        output_padding: Pair = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Pair = 1,
        padding_mode: str = "zeros",
        device: str | Device | None = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        layer = type(self).__name__
        self.in_channels = whole_number(layer, "in_channels", in_channels)
        self.out_channels = whole_number(layer, "out_channels", out_channels)
        self.kernel_size = pair(layer, "kernel_size", kernel_size)
        self.stride = pair(layer, "stride", stride)
        self.dilation = pair(layer, "dilation", dilation)
        self.groups = whole_number(layer, "groups", groups)
        for name in ("in_channels", "out_channels"):
            channels = getattr(self, name)
            if channels % self.groups:
                raise ValueError(f"{layer}: {name} {channels} is no multiple of groups {groups}")
        if padding_mode != "zeros":
            raise ValueError(f"{layer}: padding_mode must be 'zeros', got {shown(padding_mode)}")
        self.padding: Any = padding
        if isinstance(padding, str) and not self.is_transposed:
            check_named_padding(layer, padding, self.stride)
        else:
            self.padding = pair(layer, "padding", padding, minimum=0)
        self.output_padding = pair(layer, "output_padding", output_padding, minimum=0)
        check_output_padding(layer, self.output_padding, self.stride, self.dilation)
        first, second = self.out_channels, self.in_channels
        if self.is_transposed:
            first, second = second, first
        shape = (first, second // self.groups, *self.kernel_size)
        fan_in = math.prod(shape[1:])  # PyTorch takes these dimensions, transposed or not
        self.weight = fan_in_uniform(shape, fan_in, generator, dtype, device)
        self.bias = None
        if bias:
            self.bias = fan_in_uniform((self.out_channels,), fan_in, generator, dtype, device)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        text += f", stride={self.stride}"
        defaults = {"padding": (0, 0), "dilation": (1, 1), "output_padding": (0, 0), "groups": 1}
        for name, default in defaults.items():
            value = getattr(self, name)
            text += f", {name}={value}" if value != default else ""
        return text if self.bias is not None else text + ", bias=False"


class Conv2d(_Convolution):
    """Slide a bank of kernels over images: :func:`minigrad.functional.conv2d` with learnt weights.

    ``stride``, ``padding``, ``dilation`` and ``groups`` are those of that function; the only
    ``padding_mode`` is ``"zeros"``. ``weight`` (out_channels, in_channels / groups, *kernel_size)
    and, unless ``bias`` is False, ``bias`` (out_channels,) are drawn from U(-b, b) with
    ``b = 1 / sqrt(in_channels / groups * kernel height * kernel width)``, by the ``generator`` if
    one is given. ``device`` and ``dtype`` are those of the parameters, float32 by default. A
    TypeError or ValueError says that an option is no whole number, out of its range, or does not
    go with another.

    >>> from minigrad import Tensor, nn
    >>> layer = nn.Conv2d(1, 32, kernel_size=5)
    >>> layer
    Conv2d(1, 32, kernel_size=(5, 5), stride=(1, 1))
    >>> layer(Tensor([[[[0.0] * 28] * 28]])).shape
    (1, 32, 24, 24)
    """

    is_transposed = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair | str = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: str | Device | None = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        sizes = in_channels, out_channels, kernel_size, stride, padding
        options = groups, bias, dilation, padding_mode, device, dtype
        no_output_padding = 0
        super().__init__(*sizes, no_output_padding, *options, generator=generator)

    def forward(self, input: Tensor) -> Tensor:
        """(N, in_channels, H, W), or one image without N, to (N, out_channels, P, Q)."""
        return functional.conv2d(
            input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )


class ConvTranspose2d(_Convolution):
    """The transpose of a convolution: what :class:`Conv2d` does to gradients, with learnt weights.

    With the same options it turns a size that a ``Conv2d`` makes back into the smallest that it is
    made from; ``output_padding`` says which other. Parameters and errors are those of
    :class:`Conv2d`, but that ``padding`` and ``output_padding`` are those of
    :func:`minigrad.functional.conv_transpose2d`, and ``weight`` is (in_channels, out_channels /
    groups, *kernel_size), with ``b = 1 / sqrt(out_channels / groups * kernel height * width)``.

    >>> from minigrad import Tensor, nn
    >>> layer = nn.ConvTranspose2d(8, 32, kernel_size=4, stride=2)
    >>> layer
    ConvTranspose2d(8, 32, kernel_size=(4, 4), stride=(2, 2))
    >>> layer(Tensor([[[[0.0] * 9] * 9] * 8])).shape
    (1, 32, 20, 20)
    """

    is_transposed = True

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """(N, in_channels, H, W), or one image without N, to (N, out_channels, P, Q).

        ``output_size`` is the P and Q wanted, one of those this stride allows, in place of
        ``output_padding``.
        """
        extra = self.output_padding
        if output_size is not None:
            size, wanted = input.shape[-2:], tuple(output_size)[-2:]
            windows = self.kernel_size, self.stride, self.padding, self.dilation
            smallest = least_transposed_size(size, *windows)
            largest = tuple(least + stride - 1 for least, stride in zip(smallest, self.stride))
            fits = [least <= n <= most for least, n, most in zip(smallest, wanted, largest)]
            if fits != [True, True]:
                raise ValueError(
                    f"ConvTranspose2d: output_size {wanted} for an input of {size} must lie "
                    f"between {smallest} and {largest}"
                )
            extra = wanted[0] - smallest[0], wanted[1] - smallest[1]
        options = self.stride, self.padding, extra, self.groups, self.dilation
        return functional.conv_transpose2d(input, self.weight, self.bias, *options)


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
