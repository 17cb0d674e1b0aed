"""Pooling and resizing of images, built from slices: max_pool2d, avg_pool2d, interpolate."""

from __future__ import annotations

import itertools
from array import array
from typing import Any, NamedTuple

from minigrad.backend import array_module, pair, require_number, shown
from minigrad.engine import Expand, Reshape, Sum, Tensor
from minigrad.functional.arguments import as_float, as_tensor, on_its_device
from minigrad.functional.convolution import Pair, Two, batched, unbatched
from minigrad.functional.elementwise import Mask
from minigrad.functional.rearrange import Index, Pad, stack


class Windows(NamedTuple):
    """Where the windows of a pooling lie, in pixels: pairs of (height, width).

    ``zip(lengths, *windows)`` gives, along the height and then the width, a length, and the kernel,
    stride, padding and dilation that belong to it.
    """

    kernel: Two
    stride: Two
    padding: Two
    dilation: Two

    @classmethod
    def checked(cls, name: str, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Windows:
        """From what a caller gives: numbers or pairs; without a stride windows touch."""
        kernel = pair(name, "kernel_size", kernel)
        stride = kernel if stride is None else pair(name, "stride", stride)
        padding = pair(name, "padding", padding, minimum=0)
        if any(2 * p > k for p, k in zip(padding, kernel)):
            raise ValueError(
                f"{name}: padding {padding} must be at most half the kernel_size {kernel}"
            )
        return cls(kernel, stride, padding, pair(name, "dilation", dilation))

    def count(self, name: str, shape: tuple[int, ...], ceil_mode: bool) -> Two:
        """How many fit into an image; with ``ceil_mode`` also one that hangs over the end."""
        output = []
        for n, k, s, p, d in zip(shape[2:], *self):
            room = n + 2 * p - d * (k - 1) - 1
            count = -(-room // s) + 1 if ceil_mode else room // s + 1
            if ceil_mode and (count - 1) * s >= n + p:
                count -= 1  # a window must start inside the image or its left padding
            if count < 1:
                raise ValueError(f"{name}: kernel {self.kernel} is larger than input {shape}")
            output.append(count)
        return output[0], output[1]

    def pixels(self, x: Tensor, output: Two, value: float) -> Tensor:
        """Every pixel of every window, (kernel_height * kernel_width, N, C, P, Q).

        That is a strided slice for each element of the kernel, of x with a value around it.
        """
        widths = [(0, 0), (0, 0)]
        for n, m, k, s, p, d in zip(x.shape[2:], output, *self):
            widths.append((p, max((m - 1) * s + d * (k - 1) + 1 - n - p, 0)))
        if any(map(any, widths)):
            x = Pad(tuple(widths), value)(x)
        slices = []
        for element in itertools.product(*map(range, self.kernel)):
            rows, columns = (
                slice(i * d, i * d + s * (m - 1) + 1, s)
                for i, d, s, m in zip(element, self.dilation, self.stride, output)
            )
            slices.append(Index((slice(None), slice(None), rows, columns))(x))
        return stack(slices)


@on_its_device
def max_pool2d(
    x: Any,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The largest pixel of each window of an image; the gradient goes to the first of equals.

    ``x`` is (N, C, H, W), or one image (C, H, W); the result is (N, C, P, Q), or (C, P, Q).
    ``kernel_size``, ``stride`` (by default windows touch), ``dilation`` and ``padding`` (with minus
    infinity, on each side) are numbers of pixels, or pairs for height and width. With ``ceil_mode``
    a last window may hang over the end. A ValueError says that the window does not fit.

    >>> max_pool2d(Tensor([[[1.0, 2.0], [3.0, 4.0]]]), 2)
    Tensor([[[4.]]])
    """
    name = "max_pool2d"
    x, is_single = batched(name, as_float(name, x))
    windows = Windows.checked(name, kernel_size, stride, padding, dilation)
    pixels = windows.pixels(x, windows.count(name, x.shape, ceil_mode), float("-inf"))
    xp = array_module(pixels.data)
    places = xp.arange(len(pixels)).reshape(-1, 1, 1, 1, 1)
    is_first_largest = places == pixels.data.argmax(axis=0)
    return unbatched(Sum((0,))(Mask(is_first_largest)(pixels)), is_single)


@on_its_device
def avg_pool2d(
    x: Any,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window; ``count_include_pad`` says whether padding counts in it.

    ``kernel_size``, ``stride``, ``padding``, ``ceil_mode``, result and errors as for
    :func:`max_pool2d`, the padding being zeros.

    >>> avg_pool2d(Tensor([[[1.0, 2.0], [3.0, 4.0]]]), 2)
    Tensor([[[2.5]]])
    """
    name = "avg_pool2d"
    x, is_single = batched(name, as_float(name, x))
    windows = Windows.checked(name, kernel_size, stride, padding, dilation=1)
    output = windows.count(name, x.shape, ceil_mode)
    total = Sum((0,))(windows.pixels(x, output, 0.0))
    counts = []  # how many pixels of each window count, along the height and the width
    for n, m, k, s, p, _ in zip(x.shape[2:], output, *windows):
        edge = p if count_include_pad else 0
        starts = range(-p, s * m - p, s)
        counts.append([min(start + k, n + edge) - max(start, -edge) for start in starts])
    if all(len(set(count)) == 1 for count in counts):
        return unbatched(total / (counts[0][0] * counts[1][0]), is_single)
    xp = array_module(x.data)
    rows, columns = (xp.asarray(count, dtype=x.dtype) for count in counts)
    return unbatched(Mask(1 / (rows[:, None] * columns))(total), is_single)


@on_its_device
def interpolate(
    x: Any,
    size: Pair | None = None,
    scale_factor: float | tuple[float, float] | None = None,
    mode: str = "nearest",
    *,
    recompute_scale_factor: bool | None = None,
) -> Tensor:
    """Resize images by repeating (or dropping) the nearest pixel.

    ``x`` is (N, C, H, W), or one image (C, H, W). Given is either ``size``, the new height and
    width in pixels, or ``scale_factor``, how many times larger they become, rounded down; each a
    number or a pair. A TypeError or ValueError says that they are not, or not positive and finite.

    The only ``mode`` is ``"nearest"``: row p of the result is row ``floor(p s)`` of the image, with
    s the step ``H / P``, or 1 / ``scale_factor`` where that is given and
    ``recompute_scale_factor`` is not. As in PyTorch s is rounded to float32, and a height kept or
    doubled has s = 1 or 1/2 whatever the factor.

    >>> interpolate(Tensor([[[1.0, 2.0]]]), scale_factor=2)
    Tensor([[[1., 1., 2., 2.],
             [1., 1., 2., 2.]]])
    """
    name = "interpolate"
    fixed, factors = resizing(name, size, scale_factor, mode)
    if recompute_scale_factor and scale_factor is None:
        raise ValueError(f"{name}: recompute_scale_factor needs a scale_factor")
    x, is_single = batched(name, as_tensor(name, x))
    old = x.shape[2:]
    new = fixed or tuple(int(n * factor) for n, factor in zip(old, factors))
    if min(new) < 1 or min(old) < 1:
        raise ValueError(f"{name}: input {x.shape} cannot be resized to {new}")
    steps = (None, None) if fixed or recompute_scale_factor else factors
    rows, columns = (_sources(*lengths) for lengths in zip(old, new, steps))
    times = tuple(m // n for n, m in zip(old, new))
    if all(
        n * t == m and source == [k // t for k in range(m)]
        for n, m, t, source in zip(old, new, times, (rows, columns))
    ):
        return unbatched(_repeated(x, times), is_single)
    xp = array_module(x.data)
    y = Index((slice(None), slice(None), xp.asarray(rows)))(x)
    y = Index((slice(None), slice(None), slice(None), xp.asarray(columns)))(y)
    return unbatched(y, is_single)


def resizing(
    name: str, size: Any, scale_factor: Any, mode: str
) -> tuple[Two | None, tuple[float, ...]]:
    """The new size, or None and two factors, from what a caller gives."""
    if mode != "nearest":
        raise ValueError(f"{name}: mode must be 'nearest', got {shown(mode)}")
    if (size is None) == (scale_factor is None):
        raise ValueError(
            f"{name}: give either size or scale_factor, and not both, "
            f"got size={size} and scale_factor={scale_factor}"
        )
    if size is not None:
        return pair(name, "size", size), ()
    is_pair = isinstance(scale_factor, (tuple, list))
    factors = tuple(scale_factor) if is_pair else (scale_factor, scale_factor)
    for factor in factors:
        require_number(name, "scale_factor", factor)
    if len(factors) != 2 or not all(0 < factor < float("inf") for factor in factors):
        raise ValueError(f"{name}: scale_factor must be positive, got {shown(scale_factor)}")
    return None, factors


def _sources(old: int, new: int, factor: float | None) -> list[int]:
    """For each row of the result, or column, the row of the image that it is taken from."""
    if new in (old, 2 * old):
        return [k // (new // old) for k in range(new)]
    (step,) = array("f", [old / new if factor is None else 1 / factor])  # rounded to float32
    return [min(int(source), old - 1) for source in array("f", [k * step for k in range(new)])]


def _repeated(x: Tensor, times: tuple[int, int]) -> Tensor:
    """Every pixel repeated, a whole number of times in each direction: no indices needed."""
    n, c, height, width = x.shape
    x = Reshape((n, c, height, 1, width, 1))(x)
    x = Expand((n, c, height, times[0], width, times[1]))(x)
    return Reshape((n, c, height * times[0], width * times[1]))(x)
