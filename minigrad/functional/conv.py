"""The convolution functions: tensors and arguments made ready, one operation applied."""

from __future__ import annotations

from typing import Any

from minigrad.engine import Reshape, Tensor
from minigrad.functional.conv_geometry import conv2d_geometry, conv_transpose2d_geometry, pair
from minigrad.functional.convolution import Conv2d, ConvTranspose2d
from minigrad.functional.operands import as_float, same_precision

Pair = int | tuple[int, int]


def batched(name: str, x: Tensor) -> tuple[Tensor, bool]:
    """Images as a batch (N, C, H, W), and whether there was only one (C, H, W)."""
    if x.ndim not in (3, 4):
        raise ValueError(f"{name}: input must be (N, C, H, W) or (C, H, W), got shape {x.shape}")
    return (x, False) if x.ndim == 4 else (Reshape((1, *x.shape))(x), True)


def unbatched(y: Tensor, is_single: bool) -> Tensor:
    """Undo :func:`batched`."""
    return Reshape(y.shape[1:])(y) if is_single else y


def _tensors(name: str, x: Any, weight: Any, bias: Any) -> tuple[Tensor, ...]:
    """Input, weight and, if there is one, bias, of one precision."""
    x, weight = as_float(name, x, 0), as_float(name, weight, 1)
    if bias is None:
        return same_precision(name, x, weight)
    return same_precision(name, x, weight, as_float(name, bias, 2))


def _check_bias(name: str, bias: list[Tensor], channels: int) -> None:
    if bias and bias[0].shape != (channels,):
        raise ValueError(
            f"{name}: bias has shape {bias[0].shape}, {channels} output channels expect "
            f"({channels},)"
        )


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

    Parameters
    ----------
    x : Tensor
        (N, C, H, W), or one image (C, H, W).
    weight : Tensor
        (O, C / groups, kernel_height, kernel_width).
    bias : Tensor, optional
        (O,).
    stride : int or pair
        How far the kernel moves, in pixels (height, width).
    padding : int, pair, "same" or "valid"
        Rows and columns of zeros on each side; ``"same"`` (stride 1 only) keeps the size.
    dilation : int or pair
        Distance between the kernel's taps, in pixels.
    groups : int
        Split the channels into groups that do not see each other.

    Returns
    -------
    Tensor
        (N, O, P, Q) with ``P = (H + 2 padding - dilation (kernel_height - 1) - 1) // stride + 1``.

    Raises
    ------
    ValueError
        If shapes or arguments do not fit; the message names them.

    Notes
    -----
    The gradients are derived in ``minigrad/functional/convolution.py``.

    Examples
    --------
    >>> image = Tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])
    >>> conv2d(image, Tensor([[[[1.0, -1.0]]]]))
    Tensor([[[-1., -1.],
             [-1., -1.]]])
    """
    name = "conv2d"
    x, weight, *biases = _tensors(name, x, weight, bias)
    stride = pair(name, "stride", stride, 1)
    dilation = pair(name, "dilation", dilation, 1)
    if not isinstance(padding, str):
        padding = pair(name, "padding", padding, 0)
    geometry = conv2d_geometry(x.shape, weight.shape, stride, padding, dilation, groups)
    _check_bias(name, biases, weight.shape[0])
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

    Parameters
    ----------
    x : Tensor
        (N, C, H, W), or one image (C, H, W).
    weight : Tensor
        (C, O / groups, kernel_height, kernel_width).
    bias : Tensor, optional
        (O,).
    stride : int or pair
        Distance between the kernel's places in the result, in pixels.
    padding : int or pair
        Rows and columns cut off each side of the result.
    output_padding : int or pair
        Rows and columns added at its end, less than stride or dilation: of the sizes that conv2d
        maps to this input, which one.
    groups : int
        Split the channels into groups that do not see each other.
    dilation : int or pair
        Distance between the kernel's taps, in pixels.

    Returns
    -------
    Tensor
        (N, O, P, Q) with ``P = (H - 1) stride - 2 padding + dilation (kernel_height - 1)
        + output_padding + 1``.

    Raises
    ------
    ValueError
        If shapes or arguments do not fit; the message names them.

    Examples
    --------
    >>> conv_transpose2d(Tensor([[[1.0, 2.0]]]), Tensor([[[[1.0, 1.0]]]]), stride=2)
    Tensor([[[1., 1., 2., 2.]]])
    """
    name = "conv_transpose2d"
    x, weight, *biases = _tensors(name, x, weight, bias)
    stride = pair(name, "stride", stride, 1)
    padding = pair(name, "padding", padding, 0)
    dilation = pair(name, "dilation", dilation, 1)
    extra = pair(name, "output_padding", output_padding, 0)
    geometry = conv_transpose2d_geometry(
        x.shape, weight.shape, stride, padding, extra, dilation, groups
    )
    _check_bias(name, biases, weight.shape[1] * geometry.groups)
    x, is_single = batched(name, x)
    return unbatched(ConvTranspose2d(geometry)(x, weight, *biases), is_single)
