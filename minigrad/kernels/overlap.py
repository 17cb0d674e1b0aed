"""The transposed map by overlap-add: gather along the height, add shifted images along the width."""

from __future__ import annotations

from typing import Any

from ..backend import array_module
from .geometry import Geometry
from .unfold import (
    PRODUCTS_AT_ONCE,
    SMALL_PRODUCT,
    SMALL_TRANSPOSED_PRODUCT,
    few_channels,
    product_rows,
)

Array = Any  # a numpy.ndarray or a cupy.ndarray


def overlap_add(y: Array, weight: Array, geometry: Geometry, bias: Array) -> Array:
    """conv_transpose2d without dilation: see there for the parameters."""
    xp = array_module(y, weight)
    (height, width), right, left = geometry.input_size, geometry.stride[1], geometry.padding[1]
    groups, channels, kernel_width = geometry.groups, weight.shape[1], weight.shape[3]
    images, tall, wide = y.shape[0], *geometry.output_size
    deep, pixels = weight.shape[0] // groups, wide * images

    rows = y.reshape(images, groups, deep, tall, wide).transpose(1, 4, 0, 3, 2)
    rows = xp.ascontiguousarray(rows)  # (G, Q, N, P, O / G)
    kernel = weight.reshape(groups, deep, *weight.shape[1:])
    few = few_channels(channels, wide)
    if few:
        parts, columns = 1, kernel_width * channels
        kernel = kernel.transpose(0, 3, 1, 4, 2)  # (G, kh, O / G, kw, C / G)
    else:
        parts, columns = kernel_width, channels
        kernel = kernel.transpose(0, 4, 3, 1, 2)  # (G, kw, kh, O / G, C / G)
    kernel = kernel.reshape(groups, parts, -1, deep, columns)
    bound = SMALL_TRANSPOSED_PRODUCT if few else SMALL_PRODUCT
    cut = product_rows(pixels, kernel.shape[2] * deep * columns, bound)
    rows = rows.reshape(groups, 1, pixels // cut, cut, tall * deep)

    x = xp.empty((height, images, width, groups, channels), dtype=y.dtype)
    high = max(PRODUCTS_AT_ONCE // max(pixels * kernel_width * channels * groups, 1), 1)
    for top in range(0, height, high):
        band = xp.empty((min(high, height - top), width, images, groups, channels), dtype=y.dtype)
        band[...] = 0 if bias is None else bias.reshape(groups, channels)
        if few:
            shape = (len(band), groups, parts, columns, pixels // cut, cut)
            products = xp.empty(shape, dtype=y.dtype)
            terms = products.reshape(len(band), groups, kernel_width, channels, wide, images)
            terms = terms.transpose(2, 0, 4, 5, 1, 3)
            products = products.transpose(0, 1, 2, 4, 5, 3)
        else:
            shape = (len(band), groups, parts, pixels // cut, cut, columns)
            products = xp.empty(shape, dtype=y.dtype)
            terms = products.reshape(len(band), groups, kernel_width, wide, images, channels)
            terms = terms.transpose(2, 0, 3, 4, 1, 5)
        for phase in range(geometry.stride[0]):
            _gather_rows(rows, kernel, geometry, phase, top, products, few)
        for j, term in enumerate(terms):  # (rows, Q, N, G, C / G)
            first = max(-((j - left) // right), 0)
            stop = min(-((j - left - width) // right), wide)
            if first < stop:
                v = right * first + j - left
                target = band[:, v : v + right * (stop - first - 1) + 1 : right]
                xp.add(target, term[:, first:stop], out=target)
        x[top : top + high] = band.swapaxes(1, 2)
    return x.reshape(height, images, width, groups * channels).transpose(1, 3, 0, 2)


def _gather_rows(
    rows: Array, kernel: Array, geometry: Geometry, phase: int, top: int, band: Array, few: bool
) -> None:
    """Fill the input rows of a band that are ``phase`` modulo the stride (padding counted).

    Row ``stride * u + phase`` meets kernel rows phase, phase + stride, ... at output rows u,
    u - 1, ...: with the kernel's rows reversed, a run of ``reach`` output rows that ends in u.
    """
    xp, stride, padding = array_module(rows), geometry.stride[0], geometry.padding[0]
    groups, parts, _, deep, columns = kernel.shape
    tall = geometry.output_size[0]
    kernel = kernel[:, :, phase::stride][:, :, ::-1]
    reach = kernel.shape[2]
    kernel = kernel.reshape(groups, parts, 1, reach * deep, columns)
    if few:
        kernel = xp.ascontiguousarray(kernel.swapaxes(3, 4)).swapaxes(3, 4)
    offset = padding + top - phase
    first, stop = -(-offset // stride), -(-(offset + len(band)) // stride)
    results = band[stride * first - offset :: stride]  # of u = first, ..., stop - 1
    begin, end = max(first, reach - 1), min(stop, tall)
    if reach and begin < end:  # whole runs
        *steps, item = rows.strides
        runs = xp.lib.stride_tricks.as_strided(
            rows[..., (begin - reach + 1) * deep :],
            (end - begin, *rows.shape[:-1], reach * deep),
            (deep * item, *steps, item),
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
                kernel[..., skipped : skipped + (high - low) * deep, :],
                out=results[u - first],
            )
