"""The sizes one convolution is made of, shared by its three maps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

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
