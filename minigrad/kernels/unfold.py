"""Unfolding: the windows a convolution reads, laid side by side as the rows of a matrix."""

from __future__ import annotations

from typing import Any

from ..backend import array_module
from .geometry import Geometry

Array = Any  # a numpy.ndarray or a cupy.ndarray


def pad(x: Array, geometry: Geometry) -> Array:
    """The part of x that the windows read, with zeros where they reach beyond it.

    Parameters
    ----------
    x : array (N, C, H, W)

    Returns
    -------
    array (N, C, *geometry.read_size())
        A view of x where no zero is needed.
    """
    (top, left), read = geometry.padding, geometry.read_size()
    inside = x[:, :, : max(read[0] - top, 0), : max(read[1] - left, 0)]
    if inside.shape[2:] == read:
        return inside
    padded = _zeros(x, read)
    padded[:, :, top : top + inside.shape[2], left : left + inside.shape[3]] = inside
    return padded


def spread(y: Array, geometry: Geometry) -> Array:
    """y's pixels ``stride`` apart with zeros between and around, as the transposed map reads them.

    Correlating the result with the flipped kernel, at stride 1, gives ``conv_transpose2d``: input
    row h sums ``y[p] * w[i]`` over ``stride * p = h + padding - dilation * i``.

    Parameters
    ----------
    y : array (N, O, P, Q)

    Returns
    -------
    array (N, O, H + dilation * (kh - 1), W + dilation * (kw - 1))
        Row ``stride * p + dilation * (kh - 1) - padding`` is y's row p.
    """
    everything = (slice(None), slice(None))
    target, source, size = everything, everything, geometry.transposed().read_size()
    for axis in (0, 1):
        stride = geometry.stride[axis]
        reach = geometry.dilation[axis] * (geometry.kernel_size[axis] - 1)
        first = reach - geometry.padding[axis]  # where y's row 0 belongs
        skipped = max(-(first // stride), 0)  # rows that meet the kernel in the padding only
        first += stride * skipped
        count = max(-((first - size[axis]) // stride), 0)  # rows that fit before the end
        count = min(count, max(geometry.output_size[axis] - skipped, 0))
        source += (slice(skipped, skipped + count),)
        target += (slice(first, first + stride * count, stride),)
    result = _zeros(y, size)
    result[target] = y[source]
    return result


def unfold(x: Array, geometry: Geometry, fully: bool) -> Array:
    """The windows of a padded x as matrix rows, one matrix for each group and output row.

    Parameters
    ----------
    x : array (N, C, *geometry.read_size())
    fully : bool
        Copy whole windows, kh * kw times the input; else unfold the width only, kw times the
        input, and let the windows of neighbouring output rows overlap in memory.

    Returns
    -------
    array (G, P, N * Q, kh * kw * C / G)
        Columns are ordered (i, j, c). Not to be written to.
    """
    xp, groups = array_module(x), geometry.groups
    images, channels = x.shape[0], x.shape[1] // groups
    (kernel_height, kernel_width), (height, width) = geometry.kernel_size, geometry.output_size
    read_height = x.shape[2]
    (stride, across), (down, along) = geometry.stride, geometry.dilation
    image, channel, row, column = x.strides
    as_strided = xp.lib.stride_tricks.as_strided
    window = kernel_height * kernel_width * channels
    if fully:
        windows = as_strided(
            x,
            (groups, height, images, width, kernel_height, kernel_width, channels),
            (channels * channel, stride * row, image, across * column)
            + (down * row, along * column, channel),
        )
        return xp.ascontiguousarray(windows).reshape(groups, height, images * width, window)
    unfolded = xp.ascontiguousarray(
        as_strided(
            x,
            (groups, images, width, read_height, kernel_width, channels),
            (channels * channel, image, across * column, row, along * column, channel),
        )
    )
    group, _, line, step, _, item = unfolded.strides
    return as_strided(
        unfolded,
        (groups, height, images * width, window),
        (group, stride * step, line, item),
    )


def _zeros(like: Array, size: tuple[int, int]) -> Array:
    """Zeros (N, C, *size), in memory H, N, W, C."""
    images, channels = like.shape[:2]
    zeros = array_module(like).zeros((size[0], images, size[1], channels), dtype=like.dtype)
    return zeros.transpose(1, 3, 0, 2)
