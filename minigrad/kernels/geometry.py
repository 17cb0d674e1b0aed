"""The sizes one convolution is made of, shared by its three maps.

Checks of the convolution kernels' arguments, so that no wrong call reaches an array library.

Padded images, in the memory order all kernels read and write.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from minigrad.backend import array_module

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

        Returns
        -------
        (int, int)
            Below 1 where the kernel is larger than the padded input.

        Examples
        --------
        >>> Geometry.output((20, 9), (4, 3), stride=(2, 2))
        (9, 4)
        """
        sizes = zip(input_size, kernel_size, stride, padding, dilation, strict=True)
        height, width = ((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sizes)
        return height, width

    @cached_property
    def read_size(self) -> Pair:
        """Height and width of what the windows read, from ``-padding`` on (0 without output).

        Examples
        --------
        >>> Geometry((9, 9), (3, 3), (4, 4), stride=(2, 2)).read_size
        (9, 9)
        """
        sizes = zip(self.output_size, self.kernel_size, self.stride, self.dilation, strict=True)
        height, width = (s * (n - 1) + d * (k - 1) + 1 if n else 0 for n, k, s, d in sizes)
        return height, width


Array = Any  # a numpy.ndarray or a cupy.ndarray
Shape = tuple[int, ...] | None


def check_arrays(
    name: str,
    geometry: Geometry,
    x: Array = None,
    weight: Array = None,
    y: Array = None,
    bias: Array = None,
    bias_channels: int = 0,
) -> None:
    """Refuse arrays that do not fit the geometry or each other.

    Parameters
    ----------
    name : str
        The kernel, for the message.
    geometry : Geometry
    x, weight, y : array, optional
        Two of (N, C, H, W), (O, C / G, kh, kw) and (N, O, P, Q).
    bias : array, optional
    bias_channels : int
        How many numbers the bias must hold.

    Raises
    ------
    ValueError
        Where shapes do not fit; names the kernel, the array and what was expected.
    TypeError
        Where dtypes differ.
    """
    arrays = (x, weight, y, bias)
    shapes = [None if array is None else array.shape for array in arrays]
    _check_shapes(name, geometry, *shapes, bias_channels)
    if len({array.dtype for array in arrays if array is not None}) > 1:
        letters = ("x", "weight", "y", "bias")
        given = [pair for pair in zip(letters, arrays, strict=True) if pair[1] is not None]
        dtypes = ", ".join(f"{letter} {array.dtype}" for letter, array in given)
        raise TypeError(f"{name}: arrays should share one dtype, got {dtypes}")


@lru_cache(maxsize=1024)  # a network's shapes come again and again
def _check_shapes(
    name: str,
    geometry: Geometry,
    x: Shape,
    weight: Shape,
    y: Shape,
    bias: Shape,
    bias_channels: int,
) -> None:
    groups = geometry.groups
    for letter, shape, size, axis in (
        ("x", x, geometry.input_size, 1),
        ("weight", weight, geometry.kernel_size, 0),
        ("y", y, geometry.output_size, 1),
    ):
        if shape is None:
            continue
        if len(shape) != 4 or shape[2:] != tuple(size):
            raise ValueError(f"{name}: {letter} {shape} should have 4 axes, the last two {size}")
        if shape[axis] % groups:
            raise ValueError(
                f"{name}: {shape[axis]} channels of {letter} {shape} "
                f"do not divide into {groups} groups"
            )
    if x is not None and weight is not None and x[1] != groups * weight[1]:
        raise ValueError(
            f"{name}: x {x} has {x[1]} channels, "
            f"weight {weight} in {groups} groups expects {groups * weight[1]}"
        )
    if y is not None and weight is not None and y[1] != weight[0]:
        raise ValueError(f"{name}: y {y} has {y[1]} channels, weight {weight} expects {weight[0]}")
    if x is not None and y is not None and x[0] != y[0]:
        raise ValueError(f"{name}: x {x} and y {y} differ in the number of images")
    if bias is not None and bias != (bias_channels,):
        raise ValueError(f"{name}: bias {bias} should have shape ({bias_channels},)")


Array = Any  # a numpy.ndarray or a cupy.ndarray


def pad(x: Array, geometry: Geometry) -> Array:
    """The part of x that the windows read, with zeros where they reach beyond it.

    Parameters
    ----------
    x : array (N, C, H, W)

    Returns
    -------
    array (N, C, *geometry.read_size)
        A view of x where no zero is needed.
    """
    (top, left), read = geometry.padding, geometry.read_size
    if not top and not left and x.shape[2:] == read:
        return x
    inside = x[:, :, : max(read[0] - top, 0), : max(read[1] - left, 0)]
    if inside.shape[2:] == read:
        return inside
    padded = zero_images(x, read)
    padded[:, :, top : top + inside.shape[2], left : left + inside.shape[3]] = inside
    return padded


def zero_images(like: Array, size: tuple[int, int]) -> Array:
    """Zeros (N, C, *size), in memory H, N, W, C; N, C and dtype are those of ``like``."""
    images, channels = like.shape[:2]
    zeros = array_module(like).zeros((size[0], images, size[1], channels), dtype=like.dtype)
    return zeros.transpose(1, 3, 0, 2)
