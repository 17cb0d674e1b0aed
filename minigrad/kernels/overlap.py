"""The transposed map: gather along the height, add shifted images along the width.

Input row h is made of the output rows p whose windows hold it. These follow each other, and so, in
y ordered (n, q), p, o, they are one run of memory: a single product sums over i and o at once.
Along the width that would waste work at the edges, where windows are cut. There each kernel column
j gives an image of its own, and the images are added, each shifted by its j. Stride 1, kw = 3:

    j = 0     t t t t t          t  a term (h, q) of kernel column j, all channels
    j = 1       t t t t t
    j = 2         t t t t t
              -------------
    input     x x x x x x x      in memory H, W, N, C: a shift by whole pixels is a run
"""

from __future__ import annotations

from typing import Any

from minigrad.backend import array_module, strided_view
from minigrad.kernels.geometry import Geometry
from minigrad.kernels.product import product_rows
from minigrad.kernels.width import ELEMENTS_AT_ONCE, few_channels

Array = Any  # a numpy.ndarray or a cupy.ndarray


def conv_transpose2d(y: Array, weight: Array, geometry: Geometry, bias: Array) -> Array:
    """``conv_transpose2d`` of ``conv.py``, of checked arrays, without dilation."""
    xp, groups = array_module(y, weight), geometry.groups
    out_channels, in_group, kernel_height, kernel_width = weight.shape
    out_group, images = out_channels // groups, y.shape[0]
    (height, width), (out_height, out_width) = geometry.input_size, geometry.output_size

    kernel = weight.reshape(groups, out_group, *weight.shape[1:])
    if few_channels(in_group, out_width):  # all kernel columns in one product, or it is too thin
        kernel = kernel.transpose(0, 3, 1, 4, 2)  # (G, kh, O / G, kw, C / G)
        kernel = kernel.reshape(groups, 1, kernel_height, out_group, kernel_width * in_group)
    else:
        kernel = kernel.transpose(0, 4, 3, 1, 2)  # (G, kw, kh, O / G, C / G)
    parts, columns = kernel.shape[1], kernel.shape[4]
    kernels = [_reversed_rows(kernel, phase, geometry) for phase in range(geometry.stride[0])]

    pixels = out_width * images
    cut = product_rows(pixels, kernel_height * out_group * columns)
    rows = y.reshape(images, groups, out_group, out_height, out_width).transpose(1, 4, 0, 3, 2)
    rows = xp.ascontiguousarray(rows)  # (G, Q, N, P, O / G)
    rows = rows.reshape(groups, 1, pixels // cut, cut, out_height * out_group)

    x = xp.empty((height, images, width, groups, in_group), dtype=y.dtype)
    high = max(ELEMENTS_AT_ONCE // max(pixels * kernel_width * in_group * groups, 1), 1)
    for top in range(0, height, high):
        count = min(high, height - top)
        terms = xp.empty((count, groups, parts, pixels // cut, cut, columns), dtype=y.dtype)
        for phase, kernel in enumerate(kernels):
            _gather_rows(rows, kernel, geometry, phase, top, terms)
        if parts == 1:
            terms = terms.reshape(count, groups, out_width, images, kernel_width, in_group)
            terms = terms.transpose(4, 0, 2, 3, 1, 5)
        else:
            terms = terms.reshape(count, groups, kernel_width, out_width, images, in_group)
            terms = terms.transpose(2, 0, 3, 4, 1, 5)
        band = xp.empty((count, width, images, groups, in_group), dtype=y.dtype)
        band[...] = 0 if bias is None else bias.reshape(groups, in_group)
        _add_columns(terms, geometry, band)
        x[top : top + count] = band.swapaxes(1, 2)
    return x.reshape(height, images, width, groups * in_group).transpose(1, 3, 0, 2)


def _reversed_rows(kernel: Array, phase: int, geometry: Geometry) -> Array:
    """The kernel rows ``phase``, ``phase`` + stride, ..., from last to first, below each other."""
    kernel = kernel[:, :, phase :: geometry.stride[0]][:, :, ::-1]
    groups, parts, reach, out_group, columns = kernel.shape
    return kernel.reshape(groups, parts, 1, reach * out_group, columns)


def _gather_rows(
    rows: Array, kernel: Array, geometry: Geometry, phase: int, top: int, terms: Array
) -> None:
    """Write the terms of those input rows, from ``top`` on, that are ``phase`` modulo the stride.

    Counted from the padding, row ``s u + phase`` meets the kernel rows phase, phase + s, ... at
    the output rows u, u - 1, ...: with the kernel rows reversed, a run of output rows up to u.
    """
    xp, stride, out_height = array_module(rows), geometry.stride[0], geometry.output_size[0]
    out_group = rows.shape[-1] // max(out_height, 1)
    reach = kernel.shape[3] // max(out_group, 1)  # kernel rows of this phase
    offset = geometry.padding[0] + top - phase
    first, stop = -(-offset // stride), -(-(offset + len(terms)) // stride)
    results = terms[stride * first - offset :: stride]  # of u = first, ..., stop - 1

    begin, end = max(first, reach - 1), min(stop, out_height)
    if not reach or begin >= end:
        begin = end = stop
    else:  # rows with a whole run: all in one call
        runs = strided_view(
            rows,
            (end - begin, *rows.shape[:-1], reach * out_group),
            (out_group * rows.itemsize, *rows.strides),
            first=(begin - reach + 1) * out_group,
        )
        xp.matmul(runs, kernel, out=results[begin - first : end - first])
    for u in (*range(first, begin), *range(end, stop)):
        low, high = max(u - reach + 1, 0), min(u + 1, out_height)
        if low >= high:
            results[u - first] = 0
        else:  # near an edge: part of a run
            skipped = (low - (u - reach + 1)) * out_group
            xp.matmul(
                rows[..., low * out_group : high * out_group],
                kernel[..., skipped : skipped + (high - low) * out_group, :],
                out=results[u - first],
            )


def _add_columns(terms: Array, geometry: Geometry, band: Array) -> None:
    """Add the terms (kw, rows, Q, N, G, C / G) to a band of x (rows, W, N, G, C / G).

    Column q of kernel column j belongs at ``v = s q + j - padding``, if that lies in x.
    """
    stride, padding, width = geometry.stride[1], geometry.padding[1], geometry.input_size[1]
    for j, term in enumerate(terms):
        first = max(-((j - padding) // stride), 0)
        stop = min(-((j - padding - width) // stride), geometry.output_size[1])
        if first < stop:
            start = stride * first + j - padding
            target = band[:, start : start + stride * (stop - first - 1) + 1 : stride]
            target += term[:, first:stop]
