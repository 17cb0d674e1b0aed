"""Kernels in CUDA C, one subject a file, and how each is launched: blocks, threads and sizes.

A kernel's parameters are arrays first, then sizes (all of the type ``INDEX``), then numbers (all
``double``). Its source is ``<file>.cu`` beside this file, compiled for each precision (``REAL``),
type of sizes (``INDEX``) and tile (``THREAD_ROWS``, ``THREAD_COLUMNS``) that is asked for.

A :class:`Launch` depends on sizes only, and is kept: a training step asks for the same ones again.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minigrad.backend import array_module, as_dtype, as_host_array
from minigrad.kernels.geometry import Geometry

Array = Any  # a cupy.ndarray

FILES = {  # kernel: the file of its source
    "conv2d": "conv2d.cu",
    "conv_transpose2d": "conv_transpose2d.cu",
    "conv2d_weight_grad": "conv2d_weight_grad.cu",
    "product": "product.cu",
    "relu": "relu.cu",
    "relu_grad": "relu.cu",
    "channel_sum": "sums.cu",
    "sum_parts": "sums.cu",
    "adam": "adam.cu",
    "join": "join.cu",
}
INDEX_TYPES = {16: "short", 32: "int", 64: "long long"}  # 16 bits for the tests only
REAL_TYPES = {"float32": "float", "float64": "double"}
MOST_BLOCKS = 65535  # along the grid's second and third axes

THREADS = 128  # of a block that multiplies tiles, as in the sources
DEPTH = 16
PIECES = 64  # as many addresses go with a launch of join
BLOCKS_ENOUGH = 256  # about two a multiprocessor, on a large card: with fewer, tiles are smaller


@dataclass(frozen=True)
class Launch:
    """One launch of a kernel, but for its arrays."""

    kernel: str  # its name: see ``FILES``
    largest: int  # what no index exceeds, nor any number on the way to one
    grid: tuple[int, int, int]  # blocks: none (0) where there is nothing to compute
    block: tuple[int, int, int]  # threads
    sizes: tuple[int, ...]  # the whole numbers among the kernel's parameters, in their order
    macros: tuple[str, ...] = ()  # what specialises the source, but for ``REAL`` and ``INDEX``
    least_bits: int = 32  # fewer for the tests only

    @functools.cached_property
    def index_bits(self) -> int:
        """Of the type of sizes and indices: 32, or 64 where an array is too large."""
        wide = (bits for bits in INDEX_TYPES if self.largest < 2 ** (bits - 1))
        return next(bits for bits in wide if bits >= self.least_bits)

    @functools.cached_property
    def typed_sizes(self) -> tuple[Any, ...]:
        """The sizes as numbers of the type that the kernel reads."""
        kind = as_dtype(self.kernel, f"int{self.index_bits}").type
        return tuple(kind(size) for size in self.sizes)

    @functools.cached_property
    def fits(self) -> bool:
        """Whether a GPU can run so large a grid."""
        return max(self.grid[1:]) <= MOST_BLOCKS

    @functools.cached_property
    def _functions(self) -> dict[Any, Any]:
        """The kernel as CuPy runs it, for each precision asked for so far."""
        return {}

    def options(self, dtype: Any) -> tuple[str, ...]:
        """The compiler's options: ``REAL``, ``INDEX`` and the tile."""
        real, index = REAL_TYPES[str(dtype)], INDEX_TYPES[self.index_bits]
        return (f"-DREAL={real}", f"-DINDEX={index}", *self.macros)

    def __call__(self, first: Array, *others: Array | None, numbers: Sequence[float] = ()) -> None:
        """Run the kernel on arrays of the current GPU, all of one precision but a step number.

        They are given in the order of its parameters, None for a bias that is not there. Arrays
        must be contiguous in the memory order that the kernel's source names.
        """
        if 0 in self.grid:
            return
        asked = type(first), first.dtype
        function = self._functions.get(asked)
        if function is None:
            function = kernel(array_module(first), self.kernel, self.options(first.dtype))
            self._functions[asked] = function
        function(self.grid, self.block, (first, *others, *self.typed_sizes, *numbers))


@functools.cache
def source(name: str) -> str:
    """The text of the file in which a kernel stands."""
    return Path(__file__).with_name(FILES[name]).read_text(encoding="utf-8")


@functools.cache
def kernel(cupy: Any, name: str, options: tuple[str, ...]) -> Any:
    """A kernel as CuPy runs it; compiled at its first launch on a GPU, and kept on the disk."""
    return cupy.RawModule(code=source(name), options=options).get_function(name)


def _over(a: int, b: int) -> int:
    """How many pieces of b cover a."""
    return -(-a // b)


def _tile(rows: int, columns: int, others: int) -> tuple[int, int]:
    """THREAD_ROWS and THREAD_COLUMNS for a matrix cut into tiles, and ``others`` like it."""
    thread_columns = 1 if columns <= 8 else 4
    blocks = _over(rows, 16 * 8) * _over(columns, 8 * thread_columns) * others
    return (8 if blocks >= BLOCKS_ENOUGH else 2), thread_columns


def _tiled(
    name: str,
    rows: int,
    columns: int,
    others: int,
    sizes: tuple[int, ...],
    largest: int,
    tile: tuple[int, int] | None = None,
) -> Launch:
    """A launch with a block for each tile of a matrix (rows, columns), and others like it."""
    thread_rows, thread_columns = tile or _tile(rows, columns, others)
    grid = (_over(rows, 16 * thread_rows), _over(columns, 8 * thread_columns), others)
    macros = (f"-DTHREAD_ROWS={thread_rows}", f"-DTHREAD_COLUMNS={thread_columns}")
    return Launch(name, largest, grid, (THREADS, 1, 1), sizes, macros)


def _sizes_of(geometry: Geometry, images: int, channels: int, out_channels: int) -> tuple[int, ...]:
    """The whole numbers that the three maps take, in the order in which they take them."""
    of_arrays = (images, *geometry.input_size, channels, out_channels, *geometry.output_size)
    windows = (*geometry.kernel_size, *geometry.stride, *geometry.padding, *geometry.dilation)
    return (*of_arrays, *windows, geometry.groups)


def _largest(geometry: Geometry, images: int, channels: int, out_channels: int) -> int:
    """What no index in the three maps exceeds, nor any number on the way to one.

    Offsets are also counted where nothing is read: of a window's part in front of the image or
    behind it, and of the kernel rows that a tile's edge counts beyond the last.
    """
    (height, width), (kernel_height, kernel_width) = geometry.input_size, geometry.kernel_size
    (out_height, out_width), (pad_h, pad_w) = geometry.output_size, geometry.padding
    (stride_h, stride_w), (dilation_h, dilation_w) = geometry.stride, geometry.dilation
    in_group = max(channels // geometry.groups, 1)
    out_group = max(out_channels // geometry.groups, 1)
    before = max(images, 1) - 1  # images in front of the last

    last_h = max(height, geometry.read_size[0] - pad_h)
    last_v = max(width, geometry.read_size[1] - pad_w)
    rows = kernel_height + _over(16 * 8, in_group * kernel_width)
    last_p = max(out_height, (height + pad_h) // stride_h + 1)
    last_q = max(out_width, (width + pad_w) // stride_w + 1)
    steps = kernel_height + _over(DEPTH, out_group) + 1
    elements = (
        ((before * height + last_h) * width + last_v) * channels,
        ((dilation_h * rows + pad_h) * width + dilation_w * kernel_width + pad_w) * channels,
        ((before * out_height + last_p) * out_width + last_q) * out_channels,
        (dilation_h * steps * out_width + dilation_w * kernel_width) * out_channels,
        out_channels * in_group * kernel_height * kernel_width,
    )
    return max(elements) + max(channels, out_channels) + 256


@functools.lru_cache(maxsize=1024)
def conv2d_launch(geometry: Geometry, images: int, channels: int, out_channels: int) -> Launch:
    """Of ``conv2d(x, weight, bias or None, y)``.

    Memory: x (N, H, W, C), weight (O, C / G, kh, kw), y (N, P, Q, O).
    """
    rows = images * geometry.output_size[0] * geometry.output_size[1]
    columns, others = out_channels // geometry.groups, geometry.groups
    sizes = _sizes_of(geometry, images, channels, out_channels)
    largest = _largest(geometry, images, channels, out_channels)
    return _tiled("conv2d", rows, columns, others, sizes, largest)


@functools.lru_cache(maxsize=1024)
def conv_transpose2d_launch(
    geometry: Geometry, images: int, channels: int, out_channels: int
) -> Launch:
    """Of ``conv_transpose2d(y, weight, bias or None, x)``; memory as for :func:`conv2d_launch`."""
    stride_h, stride_w = geometry.stride
    height, width = geometry.input_size
    rows = images * _over(height, stride_h) * _over(width, stride_w)  # of one phase
    columns, others = channels // geometry.groups, stride_h * stride_w * geometry.groups
    sizes = _sizes_of(geometry, images, channels, out_channels)
    largest = _largest(geometry, images, channels, out_channels)
    return _tiled("conv_transpose2d", rows, columns, others, sizes, largest)


@functools.lru_cache(maxsize=1024)
def conv2d_weight_grad_launch(
    geometry: Geometry, images: int, channels: int, out_channels: int
) -> tuple[Launch, int]:
    """Of ``conv2d_weight_grad(x, y, parts)``, and the number of parts.

    Memory: x and y as for :func:`conv2d_launch`, parts (number of parts, O, C / G, kh, kw). One
    part is the gradient itself; of several, :func:`sum_parts_launch` makes it.
    """
    pixels = images * geometry.output_size[0] * geometry.output_size[1]
    columns = out_channels // geometry.groups
    rows = channels // geometry.groups * geometry.kernel_size[0] * geometry.kernel_size[1]
    tile = 8 if rows > 64 else 2, 1 if columns <= 8 else 4
    tiles = _over(rows, 16 * tile[0]) * _over(columns, 8 * tile[1]) * geometry.groups
    parts, pixels_each = _split(pixels, _over(2 * BLOCKS_ENOUGH, max(tiles, 1)), 8 * DEPTH)
    sizes = (*_sizes_of(geometry, images, channels, out_channels), parts, pixels_each)
    largest = _largest(geometry, images, channels, out_channels)
    largest = max(largest, parts * out_channels * rows, pixels + pixels_each + DEPTH)
    others = geometry.groups * parts
    return _tiled("conv2d_weight_grad", rows, columns, others, sizes, largest, tile), parts


def _split(count: int, wanted: int, least: int) -> tuple[int, int]:
    """Cut a sum into about as many parts as wanted, each a multiple of DEPTH and not too short.

    Returns the number of parts, and the terms of each (of the last, at most).
    """
    parts = max(min(wanted, count // least, MOST_BLOCKS), 1)
    each = max(_over(_over(count, parts), DEPTH) * DEPTH, DEPTH)
    return max(_over(count, each), 1), each


@functools.lru_cache(maxsize=1024)
def product_launch(
    rows: int, depth: int, columns: int, a_strides: tuple[int, int], b_strides: tuple[int, int]
) -> Launch:
    """Of ``product(a, b, bias or None, c)``: c = a b + bias.

    a is (rows, depth), b (depth, columns); their strides are counted in elements, so either may be
    a transposed view. c is in C order, and the bias has an element a column.
    """
    sizes = (rows, depth, columns, *a_strides, *b_strides)
    reach = [(n + 128) * s for n, s in zip((rows, depth, depth, columns), (*a_strides, *b_strides))]
    largest = max(reach[0] + reach[1], reach[2] + reach[3], (rows + 128) * (columns + 32))
    return _tiled("product", rows, columns, 1, sizes, largest)


@functools.lru_cache(maxsize=1024)
def relu_launch(count: int) -> Launch:
    """Of ``relu(x, y)``, arrays of so many elements in one memory order."""
    return _elementwise("relu", count)


@functools.lru_cache(maxsize=1024)
def relu_grad_launch(count: int) -> Launch:
    """Of ``relu_grad(y, gradient, result)``, arrays of so many elements in one memory order."""
    return _elementwise("relu_grad", count)


def _elementwise(name: str, count: int, *sizes: int) -> Launch:
    return Launch(name, count + 256, (_over(count, 256), 1, 1), (256, 1, 1), (count, *sizes))


@functools.lru_cache(maxsize=1024)
def channel_sum_launch(rows: int, channels: int) -> tuple[Launch, int]:
    """Of ``channel_sum(y, parts)``, and the number of parts.

    y is a matrix (rows, channels), its rows the pixels of all images; parts (number of parts,
    channels). One part is the sum itself; of several, :func:`sum_parts_launch` makes it.
    """
    width = 1
    while width < min(channels, 32):
        width *= 2
    tiles = max(_over(channels, width), 1)
    parts, rows_each = _split(rows, _over(2 * BLOCKS_ENOUGH, tiles), 8 * (256 // width))
    sizes = (rows, channels, width, rows_each)
    largest = (rows + rows_each + 256) * (channels + 32)
    grid = (_over(channels, width), parts, 1)
    return Launch("channel_sum", largest, grid, (256, 1, 1), sizes), parts


@functools.lru_cache(maxsize=1024)
def sum_parts_launch(parts: int, count: int) -> Launch:
    """Of ``sum_parts(parts, result)``: the sum over the first axis of a matrix (parts, count)."""
    largest = (parts + 8) * (count + 32)
    return Launch("sum_parts", largest, (_over(count, 32), 1, 1), (256, 1, 1), (parts, count))


@functools.lru_cache(maxsize=1024)
def adam_launch(count: int, decoupled: bool) -> Launch:
    """Of ``adam(values, gradient, mean, mean_square, step, numbers=...)``, flat arrays.

    ``step`` holds one int64 on the GPU, the number of this step (1 is the first); the numbers are
    lr, beta1, beta2, eps and weight_decay. ``decoupled`` is AdamW's weight decay.
    """
    return _elementwise("adam", count, int(decoupled))


@functools.lru_cache(maxsize=1024)
def join_launch(lengths: tuple[int, ...]) -> Launch:
    """Of ``join(whole, pieces)``, at most ``PIECES`` arrays of so many elements: see that."""
    grid = (_over(max(lengths), 256), len(lengths), 1)
    return Launch("join", sum(lengths) + 256, grid, (256, 1, 1), (), (f"-DPIECES={PIECES}",))


def pieces(places: Sequence[tuple[int, int]]) -> Any:
    """The addresses and lengths of arrays as the kernel's structure, which goes with the launch.

    CuPy hands over a NumPy array of one element by value.
    """
    unused = [0] * (PIECES - len(places))
    ends = itertools.accumulate(length for _, length in places)
    numbers = [*(address for address, _ in places), *unused, 0, *ends, *unused]
    return as_host_array(numbers, "uint64").view(f"V{8 * len(numbers)}")
