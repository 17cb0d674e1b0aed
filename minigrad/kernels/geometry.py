"""The sizes of one convolution, which its three maps share.

:class:`Geometry` holds them, :func:`check_arrays` refuses arrays that do not fit them, and
:func:`padded` puts zeros around an image as they say.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from minigrad.backend import array_module

Array = Any  # a numpy.ndarray or a cupy.ndarray
Pair = tuple[int, int]


@dataclass(frozen=True)
class Geometry:
    """Which input pixel meets which kernel element at which output pixel.

    Output row ``p`` meets kernel row ``i`` at input row ``stride * p + dilation * i - padding``;
    columns likewise. Pixels outside the input count as zero. Both sizes are explicit, so neither
    the remainder of a stride nor padding on the far side needs a word: what a window reads beyond
    the last row is zero, and an input row that no window reaches has no gradient.

    "Input" and "output" are always those of ``conv2d``; ``conv_transpose2d`` goes from the output
    to the input.

    Parameters
    ----------
    input_size, kernel_size, output_size : (int, int)
        Height and width. Input and output may be empty (0), the kernel may not.
    stride, dilation : (int, int), default (1, 1)
        At least 1.
    padding : (int, int), default (0, 0)
        Zeros before the first row and before the first column, at least 0.
    groups : int, default 1
        Channels are cut into this many groups that do not see each other.

    Raises
    ------
    ValueError
        If a number is out of its range.

    Examples
    --------
    >>> Geometry((28, 28), (5, 5), Geometry.output((28, 28), (5, 5))).output_size
    (24, 24)
    """

    input_size: Pair
    kernel_size: Pair
    output_size: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    def __post_init__(self) -> None:
        for name, least in (
            ("input_size", 0),
            ("kernel_size", 1),
            ("output_size", 0),
            ("stride", 1),
            ("padding", 0),
            ("dilation", 1),
        ):
            pair = getattr(self, name)
            whole = isinstance(pair, tuple) and [type(n) for n in pair] == [int, int]
            if not whole or min(pair) < least:
                raise ValueError(
                    f"Geometry: {name} must be a tuple of two integers >= {least}, got {pair}"
                )
        if self.groups < 1:
            raise ValueError(f"Geometry: groups must be at least 1, got {self.groups}")

    @staticmethod
    def output(
        input_size: Pair,
        kernel_size: Pair,
        stride: Pair = (1, 1),
        padding: Pair = (0, 0),
        dilation: Pair = (1, 1),
    ) -> Pair:
        """The output size when both sides are padded alike: every window that fits whole.

        It is below 1 where the kernel is larger than the padded input.

        >>> Geometry.output((20, 9), (4, 3), stride=(2, 2))
        (9, 4)
        """
        sizes = zip(input_size, kernel_size, stride, padding, dilation, strict=True)
        height, width = ((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sizes)
        return height, width

    @cached_property
    def read_size(self) -> Pair:
        """Height and width of what the windows read, from ``-padding`` on (0 without output).

        >>> Geometry((9, 9), (3, 3), (4, 4), stride=(2, 2)).read_size
        (9, 9)
        """
        sizes = zip(self.output_size, self.kernel_size, self.stride, self.dilation, strict=True)
        height, width = (s * (n - 1) + d * (k - 1) + 1 if n else 0 for n, k, s, d in sizes)
        return height, width

    @cached_property
    def is_covered(self) -> bool:
        """Whether the kernel is as large as the image: there is one window, the image."""
        return (
            self.input_size == self.kernel_size
            and self.output_size == self.dilation == (1, 1)
            and self.padding == (0, 0)
            and self.groups == 1
        )


def check_arrays(
    name: str,
    geometry: Geometry,
    x: Array = None,
    weight: Array = None,
    y: Array = None,
    bias: Array = None,
) -> None:
    """Refuse arrays that do not fit the geometry or each other, or differ in dtype.

    Two of x (N, C, H, W), weight (O, C / G, kh, kw) and y (N, O, P, Q) are given; a bias is that
    of the third. The message names the kernel, the array and what was expected.
    """
    groups = geometry.groups
    for letter, array, size, axis in (
        ("x", x, geometry.input_size, 1),
        ("weight", weight, geometry.kernel_size, 0),
        ("y", y, geometry.output_size, 1),
    ):
        if array is None:
            continue
        shape = array.shape
        if len(shape) != 4 or shape[2:] != size:
            raise ValueError(f"{name}: {letter} {shape} should have 4 axes, the last two {size}")
        if shape[axis] % groups:
            raise ValueError(
                f"{name}: {shape[axis]} channels of {letter} {shape} "
                f"do not divide into {groups} groups"
            )
    if x is None:
        expected = groups * weight.shape[1]
        if y.shape[1] != weight.shape[0]:
            raise ValueError(
                f"{name}: y {y.shape} has {y.shape[1]} channels, "
                f"weight {weight.shape} expects {weight.shape[0]}"
            )
    elif y is None:
        expected = weight.shape[0]
        if x.shape[1] != groups * weight.shape[1]:
            raise ValueError(
                f"{name}: x {x.shape} has {x.shape[1]} channels, "
                f"weight {weight.shape} in {groups} groups expects {groups * weight.shape[1]}"
            )
    elif x.shape[0] != y.shape[0]:
        raise ValueError(f"{name}: x {x.shape} and y {y.shape} differ in the number of images")
    if bias is not None and bias.shape != (expected,):
        raise ValueError(f"{name}: bias {bias.shape} should have shape ({expected},)")
    named = {"x": x, "weight": weight, "y": y, "bias": bias}
    dtypes = {letter: array.dtype for letter, array in named.items() if array is not None}
    if len(set(dtypes.values())) > 1:
        given = ", ".join(f"{letter} {dtype}" for letter, dtype in dtypes.items())
        raise TypeError(f"{name}: arrays should share one dtype, got {given}")


def padded(x: Array, geometry: Geometry) -> Array:
    """The part of x (N, C, H, W) that the windows read, with zeros where they reach beyond it.

    The result is (N, C, *geometry.read_size): a view of x where no zero is needed.
    """
    read = geometry.read_size
    top, left = geometry.padding
    if not top and not left and x.shape[2:] == read:
        return x
    inside = x[:, :, : max(read[0] - top, 0), : max(read[1] - left, 0)]
    if inside.shape[2:] == read:
        return inside
    result = zero_images(x, read)
    result[:, :, top : top + inside.shape[2], left : left + inside.shape[3]] = inside
    return result


def zero_images(like: Array, size: tuple[int, int]) -> Array:
    """Zeros (N, C, *size), in memory H, N, W, C; N, C and dtype are those of ``like``."""
    images, channels = like.shape[:2]
    zeros = array_module(like).zeros((size[0], images, size[1], channels), dtype=like.dtype)
    return zeros.transpose(1, 3, 0, 2)
