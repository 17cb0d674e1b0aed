"""The sizes of one convolution, which its three maps share.

:class:`Geometry` holds them, :func:`check_arrays` refuses arrays that do not fit them, and
:func:`padded` puts zeros around an image as they say.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from minigrad.backend import Array, array_module

Pair = tuple[int, int]

LEAST = dict(input_size=0, kernel_size=1, output_size=0, stride=1, padding=0, dilation=1)


@dataclass(frozen=True)
class Geometry:
    """Which input pixel meets which kernel element at which output pixel.

    Output row ``p`` meets kernel row ``i`` at input row ``stride * p + dilation * i - padding``;
    columns likewise. Pixels outside the input count as zero. Both sizes are explicit, so nothing
    else has to say what a stride leaves over, or how far the image is padded on the far side: what
    a window reads beyond the last row is zero, and an input row that no window reaches has no
    gradient.

    "Input" and "output" are always those of ``conv2d``; ``conv_transpose2d`` goes from the output
    to the input. Each pair is (height, width). A ValueError says that a number is out of its range.

    >>> Geometry((28, 28), (5, 5), Geometry.output((28, 28), (5, 5))).output_size
    (24, 24)
    """

    input_size: Pair
    kernel_size: Pair
    output_size: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)  # zeros before the first row and before the first column
    dilation: Pair = (1, 1)
    groups: int = 1  # of channels, which do not see each other

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
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
        """Height and width of what the windows read, from ``-padding`` on (0 without output)."""
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


def check_arrays(name: str, geometry: Geometry, bias: Array | None = None, **arrays: Array) -> None:
    """Refuse arrays that do not fit the geometry or each other, or differ in dtype.

    Two of x (N, C, H, W), weight (O, C / G, kh, kw) and y (N, O, P, Q) are given; a bias is that
    of the third. The message names the kernel, and the arrays with their shapes.
    """
    groups = geometry.groups
    images, channels, out_channels = set(), set(), set()  # as each array has them
    axes = {  # the last two, and what the first two count
        "x": (geometry.input_size, images, channels),
        "weight": (geometry.kernel_size, out_channels, channels),
        "y": (geometry.output_size, images, out_channels),
    }
    for letter, array in arrays.items():
        last, first, second = axes[letter]
        if array.ndim != 4 or array.shape[2:] != last:
            wanted = f"should have 4 axes, the last two {last}"
            raise ValueError(f"{name}: {letter} {array.shape} {wanted}")
        first.add(array.shape[0])
        second.add(array.shape[1] * (groups if letter == "weight" else 1))
    if bias is not None:
        (out_channels if "x" in arrays else channels).add(len(bias) if bias.ndim == 1 else None)
        arrays["bias"] = bias
    given = ", ".join(f"{letter} {array.shape}" for letter, array in arrays.items())
    for what, found in (("images", images), ("channels", channels), ("channels", out_channels)):
        if len(found) > 1:
            raise ValueError(f"{name}: {given} in {groups} groups do not agree on their {what}")
        if what == "channels" and any(n % groups for n in found):
            raise ValueError(f"{name}: {given}: {groups} groups do not divide the channels")
    if len({array.dtype for array in arrays.values()}) > 1:
        dtypes = ", ".join(f"{letter} {array.dtype}" for letter, array in arrays.items())
        raise TypeError(f"{name}: arrays should share one dtype, got {dtypes}")


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
