"""The transposed map by overlap-add: each output pixel leaves a tile, and tiles are summed."""

from __future__ import annotations

from typing import Any

from ..backend import array_module
from .geometry import Geometry
from .unfold import product_rows

Array = Any  # a numpy.ndarray or a cupy.ndarray

ROWS_AT_ONCE = 6  # input rows whose tiles are summed while they are still in the cache


def overlap_add(y: Array, weight: Array, geometry: Geometry, bias: Array) -> Array:
    """conv_transpose2d without dilation: see there for the parameters.

    Input row h gathers from the output rows whose windows hold it, one run of memory if y's rows
    lie below each other; so a product of y's rows with the kernel's sums over i and o at once.
    Along the width each output pixel q leaves a tile of kw input pixels, from stride * q on.
    Tiles ``sets`` pixels apart do not overlap, and lie side by side in memory exactly as the
    input's pixels do; so each set of tiles is added in one go. Stride 1, kernel width 3::

        set 0     q = 0 0 0 3 3 3 6 6 6
        set 1           1 1 1 4 4 4 7 7 7
        set 2             2 2 2 5 5 5 8 8 8
                  -------------------------
        input     v = 0 1 2 3 4 5 6 7 8 ...
    """
    xp = array_module(y, weight)
    (height, width), stride, padding = geometry.input_size, geometry.stride, geometry.padding
    groups, channels, kernel_height, kernel_width = geometry.groups, *weight.shape[1:]
    images, tall = y.shape[0], geometry.output_size[0]
    sets = -(-kernel_width // stride[1])
    tile = sets * stride[1]
    tiles = -(-geometry.output_size[1] // sets)

    rows = _interleave(y, groups, sets, tiles)  # (G, sets * N * tiles, P * O / G)
    deep = weight.shape[0] // groups
    kernel = _tile_kernel(weight, groups, tile)  # (G, kh, O / G, tile * C / G)
    cut = product_rows(rows.shape[1], kernel_height * deep * tile * channels)
    rows = rows.reshape(groups, rows.shape[1] // cut, cut, tall * deep)

    x = xp.empty((height, images, width, groups * channels), dtype=y.dtype)
    x[...] = 0 if bias is None else bias
    summed = xp.empty(
        (min(ROWS_AT_ONCE, height), groups, rows.shape[1], cut, tile * channels), dtype=y.dtype
    )
    for top in range(0, height, ROWS_AT_ONCE):
        bottom = min(top + ROWS_AT_ONCE, height)
        block = summed[: bottom - top]
        for phase in range(stride[0]):
            _gather_rows(rows, kernel, geometry, phase, top, block)
        tiled = block.reshape(bottom - top, groups, sets, images, tiles * tile, channels)
        target = x[top:bottom].reshape(bottom - top, images, width, groups, channels)
        for first in range(sets):
            left = first * stride[1] - padding[1]
            begin, end = max(left, 0), min(left + tiles * tile, width)
            if begin < end:
                target[:, :, begin:end] += tiled[:, :, first, :, begin - left : end - left].transpose(
                    0, 2, 3, 1, 4
                )
    return x.transpose(1, 3, 0, 2)


def _gather_rows(
    rows: Array, kernel: Array, geometry: Geometry, phase: int, top: int, block: Array
) -> None:
    """Fill the input rows of a block that are ``phase`` modulo the stride (padding counted).

    Row ``stride * u + phase`` meets kernel rows phase, phase + stride, ... at output rows u,
    u - 1, ...: with the kernel's rows reversed, a run of ``reach`` output rows that ends in u.
    """
    xp, stride, padding = array_module(rows), geometry.stride[0], geometry.padding[0]
    groups, _, deep, columns = kernel.shape
    tall = geometry.output_size[0]
    kernel = kernel[:, phase::stride][:, ::-1]
    reach = kernel.shape[1]
    kernel = kernel.reshape(groups, 1, reach * deep, columns)
    offset = padding + top - phase
    first, stop = -(-offset // stride), -(-(offset + len(block)) // stride)
    results = block[stride * first - offset :: stride]  # of u = first, ..., stop - 1
    begin, end = max(first, reach - 1), min(stop, tall)
    if reach and begin < end:  # whole runs
        group, blocks, row, item = rows.strides
        runs = xp.lib.stride_tricks.as_strided(
            rows[..., (begin - reach + 1) * deep :],
            (end - begin, *rows.shape[:3], reach * deep),
            (deep * item, group, blocks, row, item),
        )
        xp.matmul(runs, kernel, out=results[begin - first : end - first])
    for u in range(first, stop):
        low, high = max(u - reach + 1, 0), min(u + 1, tall)
        if low >= high:  # no run
            results[u - first] = 0
        elif high - low < reach:  # part of a run
            skipped = (low - (u - reach + 1)) * deep
            xp.matmul(
                rows[..., low * deep : high * deep],
                kernel[:, :, skipped : skipped + (high - low) * deep],
                out=results[u - first],
            )


def _interleave(y: Array, groups: int, sets: int, tiles: int) -> Array:
    """y (N, O, P, Q) as rows of pixels, every ``sets``-th pixel together, P and O last."""
    xp = array_module(y)
    images, channels, tall, wide = y.shape
    deep = channels // groups
    make = xp.empty if wide == sets * tiles else xp.zeros
    rows = make((groups, sets, images, tiles, tall, deep), dtype=y.dtype)
    y = y.reshape(images, groups, deep, tall, wide)
    for first in range(min(sets, wide)):
        part = y[..., first::sets].transpose(1, 0, 4, 3, 2)  # (G, N, tiles, P, O / G)
        rows[:, first, :, : part.shape[2]] = part
    return rows.reshape(groups, sets * images * tiles, tall * deep)


def _tile_kernel(weight: Array, groups: int, tile: int) -> Array:
    """The weight (O, C / G, kh, kw) as (G, kh, O / G, tile * C / G), zeros where a tile is wider."""
    channels, height, width = weight.shape[1:]
    deep = weight.shape[0] // groups
    kernel = array_module(weight).zeros((groups, height, deep, tile, channels), dtype=weight.dtype)
    parts = weight.reshape(groups, deep, channels, height, width)
    kernel[:, :, :, :width] = parts.transpose(0, 3, 1, 4, 2)
    return kernel.reshape(groups, height, deep, tile * channels)
