"""The three maps, with windows of an image as the rows of a matrix.

On a CPU images are unfolded along their width only, which takes kw times their memory.

For conv2d and its weight gradient, the rows of an image lie below each other in memory. So a
window of kh rows is one run of it, and windows one row apart share all but one row. A 4 x 4 image,
a 3 x 3 kernel:

    image  a b c d      unfolded    h = 0   h = 1   h = 2   h = 3
           e f g h        q = 0     a b c   e f g   i j k   m n o
           i j k l        q = 1     b c d   f g h   j k l   n o p
           m n o p                  '--- window p = 0 ---'
                                            '--- window p = 1 ---'

A letter is a pixel with its C channels. For every p the windows of all images and columns, the
rows (n, q), form a matrix whose rows stand evenly spaced in memory: matmul reads it in place.

The transposed map gathers along the height, and adds shifted images along the width.

Input row h is made of the output rows p whose windows hold it. These follow each other, and so, in
y ordered (n, q), p, o, they are one run of memory: a single product sums over i and o at once.
Along the width that would waste work at the edges, where windows are cut. There each kernel column
j gives an image of its own, and the images are added, each shifted by its j. Stride 1, kw = 3:

    j = 0     t t t t t          t  a term (h, q) of kernel column j, all channels
    j = 1       t t t t t
    j = 2         t t t t t
              -------------
    input     x x x x x x x      in memory H, W, N, C: a shift by whole pixels is a run

On a GPU, and with dilation, windows are copied whole, kh * kw times the memory, and each map is one
product. Nothing is copied where the kernel is as large as the image: there is one window, the
image, and the maps are a linear layer's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from minigrad.backend import Array, array_module, strided_view
from minigrad.kernels.arithmetic import product_rows
from minigrad.kernels.geometry import Geometry, padded, zero_images

# How many elements to unfold before they are multiplied, and of products to compute before they are
# summed: about a core's level-2 cache, so that what is made is still there when it is used.
ELEMENTS_AT_ONCE = 1 << 18


def correlate_unfolded(x: Array, weight: Array, geometry: Geometry, bias: Array | None) -> Array:
    """conv2d without dilation: unfolded windows times the weight."""
    xp = array_module(x, weight)
    groups = geometry.groups
    images = x.shape[0]
    height, width = geometry.output_size
    out_channels = weight.shape[0]
    out_group = out_channels // groups
    matrix = _kernel_matrices(weight, groups)[:, None, None]  # (G, 1, 1, K, O / G)
    y = xp.empty((height, images, width, groups, out_group), dtype=x.dtype)
    target = y.transpose(3, 0, 1, 2, 4)  # (G, P, N, Q, O / G), with (N, Q) evenly spaced
    for part, windows in _unfolded_windows(padded(x, geometry), geometry):
        pixels, window = windows.shape[2:]
        rows = product_rows(pixels, window * out_group)
        shape = (groups, height, pixels // rows, rows)
        xp.matmul(
            windows.reshape(*shape, window),
            matrix,
            out=target[:, :, part].reshape(*shape, out_group),
        )
    y = y.reshape(height, images, width, out_channels)
    if bias is not None:
        repeated = xp.empty(y.shape[1:], dtype=y.dtype)  # so that it is added in long runs
        repeated[...] = bias
        y += repeated
    return y.transpose(1, 3, 0, 2)


def weight_gradient_unfolded(x: Array, y: Array, geometry: Geometry) -> Array:
    """conv2d_weight_grad without dilation: unfolded windows, transposed, times y."""
    xp = array_module(x, y)
    groups = geometry.groups
    in_group = x.shape[1] // groups
    out_group = y.shape[1] // groups
    window = math.prod(geometry.kernel_size) * in_group
    matrix = xp.zeros((groups, window, out_group), dtype=x.dtype)
    y = y.transpose(2, 0, 3, 1)  # (P, N, Q, O)
    for part, windows in _unfolded_windows(padded(x, geometry), geometry):
        _add_products(windows, y[:, part], geometry.kernel_size[0], matrix)
    return _as_weight(matrix, geometry)


def _kernel_matrices(weight: Array, groups: int) -> Array:
    """A weight (O, C / G, kh, kw) as matrices (G, K, O / G), K ordered (i, j, c)."""
    out_group, window = len(weight) // groups, math.prod(weight.shape[1:])
    grouped = weight.reshape(groups, out_group, *weight.shape[1:])
    return grouped.transpose(0, 3, 4, 2, 1).reshape(groups, window, out_group)


def _as_weight(matrix: Array, geometry: Geometry) -> Array:
    """Undo :func:`_kernel_matrices`."""
    groups, window, out_group = matrix.shape
    in_group = window // math.prod(geometry.kernel_size)
    weight = matrix.reshape(groups, *geometry.kernel_size, in_group, out_group)
    weight = weight.transpose(0, 4, 3, 1, 2)  # (G, O / G, C / G, kh, kw)
    return weight.reshape(groups * out_group, in_group, *geometry.kernel_size)


def _add_products(windows: Array, y: Array, kernel_height: int, matrix: Array) -> None:
    """Add windows (G, P, N * Q, K), transposed, times y (P, N, Q, O) to a matrix (G, K, O / G).

    There is one product an output row. If that is too large to be multiplied in place
    (see :func:`product_rows`), there is one for each kernel row of it.
    """
    xp = array_module(y)
    groups, window, out_group = matrix.shape
    height, pixels = windows.shape[1:3]
    is_small = product_rows(pixels, window * out_group) == pixels
    parts = 1 if is_small else kernel_height
    rows = product_rows(pixels, window // parts * out_group)
    windows = windows.reshape(groups, height, pixels // rows, rows, parts, window // parts)
    windows = windows.transpose(0, 1, 2, 4, 5, 3)  # (G, P, N * Q / rows, parts, K / parts, rows)
    y = y.reshape(height, pixels // rows, 1, rows, groups, out_group)
    y = y.transpose(4, 0, 1, 2, 3, 5)  # (G, P, N * Q / rows, 1, rows, O / G)
    high = max(ELEMENTS_AT_ONCE // max(groups * pixels // rows * window * out_group, 1), 1)
    for top in range(0, max(height, 1), high):
        products = xp.matmul(windows[:, top : top + high], y[:, top : top + high])
        matrix += products.sum(axis=(1, 2)).reshape(matrix.shape)  # (G, parts, K / parts, O / G)


def _unfolded_windows(x: Array, geometry: Geometry) -> Iterator[tuple[slice, Array]]:
    """Some images of a padded x at a time, and their windows as rows of matrices.

    The windows are (G, P, n * Q, K) for n images, K ordered (i, j, c). They overlap in memory and
    are only to be read. Memory is ordered (.., pixel, window) as a rule. With few channels it is
    ordered (.., window, pixel), or the runs that are copied would be a few numbers long.
    """
    xp = array_module(x)
    groups = geometry.groups
    images, height = x.shape[0], x.shape[2]
    channels = x.shape[1] // groups
    kernel_height, kernel_width = geometry.kernel_size
    out_height, width = geometry.output_size
    down, right = geometry.stride
    image, channel, row, column = x.strides
    view = strided_view(
        x.transpose(2, 0, 3, 1),  # as activations lie in memory, mostly
        (groups, images, width, height, kernel_width, channels),
        (channels * channel, image, right * column, row, column, channel),
    )
    step = kernel_width * channels  # from one row of unfolded pixels to the next
    for part in some_images(images, view.size, ELEMENTS_AT_ONCE):
        unfolded = view[:, part]  # (G, n, Q, H, kw, C / G)
        pixels = unfolded.shape[1] * width
        if few_channels(channels, width):
            unfolded = xp.ascontiguousarray(unfolded.transpose(0, 3, 4, 5, 1, 2))
            steps = (height * step * pixels, down * step * pixels, 1, pixels)
        else:
            unfolded = xp.ascontiguousarray(unfolded)
            steps = (height * step * pixels, down * step, height * step, 1)
        shape = (groups, out_height, pixels, kernel_height * step)
        yield part, strided_view(unfolded, shape, [x.itemsize * n for n in steps])


def some_images(images: int, unfolded: int, at_once: int) -> list[slice]:
    """Nearly equal parts of the images, each of which, unfolded, stays in the cache."""
    most = max(at_once * images // max(unfolded, 1), 1)
    parts = max(-(-images // most), 1)
    ends = [images * k // parts for k in range(parts + 1)]
    return [slice(start, end) for start, end in pairwise(ends)]


def few_channels(channels: int, width: int) -> bool:
    """Whether runs of memory are longer along the pixels of a row than along the channels."""
    return channels < width


def spread_columns(y: Array, weight: Array, geometry: Geometry, bias: Array | None) -> Array:
    """conv_transpose2d without dilation: rows gathered, columns added."""
    xp = array_module(y, weight)
    groups = geometry.groups
    images = y.shape[0]
    out_channels, in_group, kernel_height, kernel_width = weight.shape
    out_group = out_channels // groups
    height, width = geometry.input_size
    out_height, out_width = geometry.output_size

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
    xp = array_module(rows)
    stride = geometry.stride[0]
    out_height = geometry.output_size[0]
    out_group = rows.shape[-1] // max(out_height, 1)
    reach = kernel.shape[3] // max(out_group, 1)  # kernel rows of this phase
    offset = geometry.padding[0] + top - phase
    first = -(-offset // stride)
    stop = -(-(offset + len(terms)) // stride)
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
        low = max(u - reach + 1, 0)
        high = min(u + 1, out_height)
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
    stride = geometry.stride[1]
    padding = geometry.padding[1]
    width = geometry.input_size[1]
    for j, term in enumerate(terms):
        first = max(-((j - padding) // stride), 0)
        stop = min(-((j - padding - width) // stride), geometry.output_size[1])
        if first < stop:
            start = stride * first + j - padding
            target = band[:, start : start + stride * (stop - first - 1) + 1 : stride]
            target += term[:, first:stop]


def correlate_windows(x: Array, weight: Array, geometry: Geometry, bias: Array | None) -> Array:
    """conv2d: the windows of x, times the weight."""
    xp = array_module(x, weight)
    height, width = geometry.output_size
    windows = _copied_windows(padded(x, geometry), geometry)  # (G, P * N * Q, K)
    y = xp.matmul(windows, _kernel_matrices(weight, geometry.groups))  # (G, P * N * Q, O / G)
    y = y.swapaxes(0, 1).reshape(height, x.shape[0], width, len(weight))
    if bias is not None:
        y += bias
    return y.transpose(1, 3, 0, 2)


def weight_gradient_of_windows(x: Array, y: Array, geometry: Geometry) -> Array:
    """conv2d_weight_grad: the windows of x, transposed, times y."""
    xp = array_module(x, y)
    groups = geometry.groups
    out_group = y.shape[1] // groups
    windows = _copied_windows(padded(x, geometry), geometry)  # (G, P * N * Q, K)
    y = y.transpose(2, 0, 3, 1).reshape(windows.shape[1], groups, out_group).swapaxes(0, 1)
    if groups == 1:  # CuPy transposes a single matrix in place, but copies a stack of them
        matrix = xp.matmul(windows[0].T, y[0])[None]
    else:
        matrix = xp.matmul(windows.swapaxes(1, 2), y)  # (G, K, O / G)
    return _as_weight(matrix, geometry)


def spread_windows(y: Array, weight: Array, geometry: Geometry, bias: Array | None) -> Array:
    """conv_transpose2d, as a conv2d of y with zeros between its pixels.

    Input row h sums ``y[p] w[i]`` over ``s p = h + padding - d i``: the rows of y, s apart with
    zeros between, correlated at stride 1 with the kernel's rows from last to first.
    """
    groups = geometry.groups
    in_group, height, width = weight.shape[1:]
    flipped = weight[:, :, ::-1, ::-1].reshape(groups, -1, in_group, height, width)
    flipped = flipped.swapaxes(1, 2).reshape(groups * in_group, -1, height, width)
    reach = [d * (k - 1) for d, k in zip(geometry.dilation, geometry.kernel_size, strict=True)]
    size = (geometry.input_size[0] + reach[0], geometry.input_size[1] + reach[1])
    plain = Geometry(
        size, (height, width), geometry.input_size, dilation=geometry.dilation, groups=groups
    )
    source, target = [slice(None)] * 2, [slice(None)] * 2
    for axis, stride in enumerate(geometry.stride):
        first = reach[axis] - geometry.padding[axis]  # where y's row 0 belongs
        skipped = max(-(first // stride), 0)  # rows of y before the first row that is read
        first += stride * skipped
        fitting = max(-((first - size[axis]) // stride), 0)
        count = min(fitting, max(geometry.output_size[axis] - skipped, 0))
        source.append(slice(skipped, skipped + count))
        target.append(slice(first, first + stride * count, stride))
    spread = zero_images(y, size)
    spread[tuple(target)] = y[tuple(source)]
    return correlate_windows(spread, flipped, plain, bias)


def _copied_windows(x: Array, geometry: Geometry) -> Array:
    """The windows of a padded x as rows of a matrix: (G, P * N * Q, K), K ordered (i, j, c)."""
    xp = array_module(x)
    groups = geometry.groups
    images = x.shape[0]
    channels = x.shape[1] // groups
    kernel_size = geometry.kernel_size
    height, width = geometry.output_size
    down, right = geometry.stride
    apart, along = geometry.dilation
    image, channel, row, column = x.strides
    windows = xp.lib.stride_tricks.as_strided(
        x,
        (groups, height, images, width, *kernel_size, channels),
        (channels * channel, down * row, image, right * column)
        + (apart * row, along * column, channel),
    )
    rows, window = height * images * width, kernel_size[0] * kernel_size[1] * channels
    return xp.ascontiguousarray(windows).reshape(groups, rows, window)


def multiply_image(x: Array, weight: Array, bias: Array | None) -> Array:
    """conv2d with a kernel as large as the image: x w^T."""
    y = array_module(x, weight).matmul(_flat_images(x), _flat_images(weight).T)  # (N, O)
    if bias is not None:
        y += bias
    return y[:, :, None, None]


def spread_image(y: Array, weight: Array, bias: Array | None) -> Array:
    """conv_transpose2d with a kernel as large as the image: y w."""
    xp = array_module(y, weight)
    channels, height, width = weight.shape[1:]
    x = xp.matmul(y[:, :, 0, 0], _flat_images(weight)).reshape(len(y), height, width, channels)
    if bias is not None:
        x += bias
    return xp.ascontiguousarray(x.swapaxes(0, 1)).transpose(1, 3, 0, 2)


def weight_gradient_of_image(x: Array, y: Array) -> Array:
    """conv2d_weight_grad with a kernel as large as the image: y^T x."""
    channels, height, width = x.shape[1:]
    weight = array_module(x, y).matmul(y[:, :, 0, 0].T, _flat_images(x))
    return weight.reshape(y.shape[1], height, width, channels).transpose(0, 3, 1, 2)


def _flat_images(x: Array) -> Array:
    """Images (N, C, H, W) as the rows of a matrix, ordered (h, w, c)."""
    images, channels, height, width = x.shape
    return x.transpose(0, 2, 3, 1).reshape(images, height * width * channels)
