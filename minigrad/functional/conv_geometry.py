"""What a convolution's arguments come to: pairs checked, sizes worked out, once for each shape."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from minigrad.backend import shown
from minigrad.functional.operands import is_whole
from minigrad.kernels import Geometry

Pair = tuple[int, int]
Shape = tuple[int, ...]


def pair(operation: str, name: str, value: Any, least: int) -> Pair:
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
        if not is_whole(one):
            raise TypeError(f"{operation}: {name} must be an int or a pair, got {shown(value)}")
    if len(values) != 2:
        raise ValueError(f"{operation}: {name} must be an int or a pair, got {shown(value)}")
    if min(values) < least:
        raise ValueError(f"{operation}: {name} must be at least {least}, got {shown(value)}")
    return int(values[0]), int(values[1])


def check_shapes(name: str, x: Shape, weight: Shape, groups: Any) -> None:
    """Refuse what conv2d and conv_transpose2d refuse alike."""
    if len(x) not in (3, 4):
        raise ValueError(f"{name}: input must be (N, C, H, W) or (C, H, W), got shape {x}")
    if len(weight) != 4:
        raise ValueError(f"{name}: weight must have 4 dimensions, got shape {weight}")
    if 0 in weight:
        raise ValueError(f"{name}: weight {weight} has a dimension of length 0")
    if not is_whole(groups) or groups < 1:
        raise ValueError(f"{name}: groups must be a whole number from 1, got {shown(groups)}")
    if weight[0] % groups:
        raise ValueError(
            f"{name}: {groups} groups do not divide the {weight[0]} channels of weight {weight}"
        )


@lru_cache(maxsize=1024, typed=True)
def conv2d_geometry(
    x: Shape, weight: Shape, stride: Pair, padding: Pair | str, dilation: Pair, groups: int
) -> Geometry:
    """The geometry of :func:`minigrad.functional.conv2d`, from the shapes of its tensors.

    Raises
    ------
    ValueError
        If shapes or arguments do not fit; the message names them.
    """
    name = "conv2d"
    check_shapes(name, x, weight, groups)
    kernel, size = weight[2:], x[-2:]
    if x[-3] != weight[1] * groups:
        raise ValueError(
            f"{name}: input has {x[-3]} channels, weight {weight} expects "
            f"{weight[1] * groups}" + (f" ({groups} groups)" if groups > 1 else "")
        )
    reach = tuple(d * (k - 1) for d, k in zip(dilation, kernel))
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ValueError(
                f"{name}: padding must be numbers, 'same' or 'valid', got {shown(padding)}"
            )
        if padding == "same" and stride != (1, 1):
            raise ValueError(f"{name}: padding 'same' needs stride 1, got {stride}")
        total = reach if padding == "same" else (0, 0)
        before = tuple(extra // 2 for extra in total)  # what is odd goes after, as in PyTorch
    else:
        before = padding
        total = tuple(2 * width for width in before)
    room = [n + extra - r for n, extra, r in zip(size, total, reach)]
    if min(room) < 1:
        raise ValueError(
            f"{name}: kernel {kernel} with dilation {dilation} is larger than input "
            f"{x} with padding {padding}"
        )
    output = tuple((n - 1) // s + 1 for n, s in zip(room, stride))
    return Geometry(size, kernel, output, stride, before, dilation, int(groups))


@lru_cache(maxsize=1024, typed=True)
def conv_transpose2d_geometry(
    x: Shape,
    weight: Shape,
    stride: Pair,
    padding: Pair,
    output_padding: Pair,
    dilation: Pair,
    groups: int,
) -> Geometry:
    """Of :func:`minigrad.functional.conv_transpose2d`, likewise. Its input is y, its result x.

    Raises
    ------
    ValueError
        If shapes or arguments do not fit; the message names them.
    """
    name = "conv_transpose2d"
    check_shapes(name, x, weight, groups)
    kernel, size = weight[2:], x[-2:]
    if x[-3] != weight[0]:
        raise ValueError(f"{name}: input has {x[-3]} channels, weight {weight} expects {weight[0]}")
    if any(e >= max(s, d) for e, s, d in zip(output_padding, stride, dilation)):
        raise ValueError(
            f"{name}: output_padding {output_padding} must be less than stride {stride} or "
            f"dilation {dilation}"
        )
    result = tuple(
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, s, p, d, k, e in zip(size, stride, padding, dilation, kernel, output_padding)
    )
    if min(result) < 1 or min(size) < 1:
        raise ValueError(
            f"{name}: input {x} with kernel {kernel} and padding {padding} leaves a result "
            f"of size {result}"
        )
    return Geometry(result, kernel, size, stride, padding, dilation, int(groups))
