"""The convolution functions: arguments checked, sizes worked out, one operation applied."""

from __future__ import annotations

from typing import Any

from ..basic import Reshape
from ..kernels import Geometry
from ..tensor import Tensor
from .convolution import Conv2d, ConvTranspose2d
from .operands import as_float, same_precision

Pair = int | tuple[int, int]


def pair(operation: str, name: str, value: Any, least: int) -> tuple[int, int]:
    """A number or a pair as a pair (height, width).

    Raises
    ------
    TypeError, ValueError
        Naming the operation and the argument, if it is neither or too small.

    Examples
    --------
    >>> pair("conv2d", "stride", 2, least=1)
    (2, 2)
    """
    values = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    for one in values:
        if isinstance(one, bool) or not hasattr(one, "__index__"):
            raise TypeError(f"{operation}: {name} must be an int or a pair, got {value!r}")
    if len(values) != 2:
        raise ValueError(f"{operation}: {name} must be an int or a pair, got {value!r}")
    if min(values) < least:
        raise ValueError(f"{operation}: {name} must be at least {least}, got {value!r}")
    return int(values[0]), int(values[1])


def batched(name: str, x: Tensor) -> tuple[Tensor, bool]:
    """Images as a batch (N, C, H, W), and whether there was only one (C, H, W)."""
    if x.ndim not in (3, 4):
        raise ValueError(f"{name}: input must be (N, C, H, W) or (C, H, W), got shape {x.shape}")
    return (x, False) if x.ndim == 4 else (Reshape((1, *x.shape))(x), True)


def unbatched(y: Tensor, is_single: bool) -> Tensor:
    """Undo :func:`batched`."""
    return Reshape(y.shape[1:])(y) if is_single else y


def _arguments(
    name: str, x: Any, weight: Any, bias: Any, groups: Any
) -> tuple[Tensor, Tensor, tuple[Tensor, ...], bool]:
    """What conv2d and conv_transpose2d check alike."""
    x, weight = as_float(name, x, 0), as_float(name, weight, 1)
    x, is_single = batched(name, x)
    if weight.ndim != 4:
        raise ValueError(f"{name}: weight must have 4 dimensions, got shape {weight.shape}")
    if 0 in weight.shape:
        raise ValueError(f"{name}: weight {weight.shape} has a dimension of length 0")
    if isinstance(groups, bool) or not hasattr(groups, "__index__") or groups < 1:
        raise ValueError(f"{name}: groups must be a whole number from 1, got {groups!r}")
    if weight.shape[0] % groups:
        raise ValueError(
            f"{name}: {groups} groups do not divide the {weight.shape[0]} channels of weight "
            f"{weight.shape}"
        )
    if bias is None:
        x, weight = same_precision(name, x, weight)
        return x, weight, (), is_single
    x, weight, bias = same_precision(name, x, weight, as_float(name, bias, 2))
    return x, weight, (bias,), is_single


def _check_bias(name: str, bias: tuple[Tensor, ...], channels: int) -> None:
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
    The gradients are derived in ``minigrad/ops/convolution.py``.

    Examples
    --------
    >>> image = Tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])
    >>> conv2d(image, Tensor([[[[1.0, -1.0]]]]))
    Tensor([[[-1., -1.],
             [-1., -1.]]])
    """
    name = "conv2d"
    x, weight, biases, is_single = _arguments(name, x, weight, bias, groups)
    stride = pair(name, "stride", stride, 1)
    dilation = pair(name, "dilation", dilation, 1)
    kernel, size = weight.shape[2:], x.shape[2:]
    if x.shape[1] != weight.shape[1] * groups:
        raise ValueError(
            f"{name}: input has {x.shape[1]} channels, weight {weight.shape} expects "
            f"{weight.shape[1] * groups}" + (f" ({groups} groups)" if groups > 1 else "")
        )
    _check_bias(name, biases, weight.shape[0])
    reach = tuple(d * (k - 1) for d, k in zip(dilation, kernel))
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ValueError(f"{name}: padding must be numbers, 'same' or 'valid', got {padding!r}")
        if padding == "same" and stride != (1, 1):
            raise ValueError(f"{name}: padding 'same' needs stride 1, got {stride}")
        total = reach if padding == "same" else (0, 0)
        before = tuple(extra // 2 for extra in total)  # what is odd goes after, as in PyTorch
    else:
        before = pair(name, "padding", padding, 0)
        total = tuple(2 * width for width in before)
    room = [n + extra - r for n, extra, r in zip(size, total, reach)]
    if min(room) < 1:
        raise ValueError(
            f"{name}: kernel {kernel} with dilation {dilation} is larger than input "
            f"{x.shape} with padding {padding}"
        )
    output = tuple((n - 1) // s + 1 for n, s in zip(room, stride))
    geometry = Geometry(size, kernel, output, stride, before, dilation, groups)
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
    x, weight, biases, is_single = _arguments(name, x, weight, bias, groups)
    stride = pair(name, "stride", stride, 1)
    padding = pair(name, "padding", padding, 0)
    dilation = pair(name, "dilation", dilation, 1)
    extra = pair(name, "output_padding", output_padding, 0)
    kernel, size = weight.shape[2:], x.shape[2:]
    if x.shape[1] != weight.shape[0]:
        raise ValueError(
            f"{name}: input has {x.shape[1]} channels, weight {weight.shape} expects "
            f"{weight.shape[0]}"
        )
    _check_bias(name, biases, weight.shape[1] * groups)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation)):
        raise ValueError(
            f"{name}: output_padding {extra} must be less than stride {stride} or dilation "
            f"{dilation}"
        )
    result = tuple(
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, s, p, d, k, e in zip(size, stride, padding, dilation, kernel, extra)
    )
    if min(result) < 1 or min(size) < 1:
        raise ValueError(
            f"{name}: input {x.shape} with kernel {kernel} and padding {padding} leaves a result "
            f"of size {result}"
        )
    geometry = Geometry(result, kernel, size, stride, padding, dilation, groups)
    return unbatched(ConvTranspose2d(geometry)(x, weight, *biases), is_single)
