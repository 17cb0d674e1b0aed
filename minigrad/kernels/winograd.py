"""The three maps at stride 1 with 2.5 times fewer multiplications, for a kernel of 5 rows.

A convolution along the height is a product of polynomials. With the rows of a column as
coefficients, ``y(z) = sum of y_p z^p`` and ``w(z) = sum of w_i z^i``, the result of
``conv_transpose2d``, ``x_h = sum of w_i y_(h - i)``, has the coefficients of ``x(z) = w(z) y(z)``.
A polynomial of degree 7 is known by its values at 8 points, and at a point z_k the product is one
of two numbers, w(z_k) y(z_k). So, where 4 rows of y meet 5 of a kernel,

    evaluate      (A y)_k = y(z_k)  and  (G w)_k = w(z_k)     4 and 5 coefficients to 8 values
    multiply      value by value                              8 products, in place of 20
    interpolate   x = B ...                                   8 values to 8 coefficients

A and G are made by :func:`evaluation`, B by :func:`interpolation`. What ``reference.py`` calls T is

    T = sum over k of  (B^T x)_k (G w)_k (A y)_k

It is linear in each of the three as before, so its derivatives, the other two maps among them, are

    conv2d              dT/dy = A^T ((B^T x) * (G w))
    conv2d_weight_grad  dT/dw = G^T ((B^T x) * (A y))
    conv_transpose2d    dT/dx = B   ((G w) * (A y))

An image is cut along its height into tiles, 8 rows of x each. They begin m = 9 - kh rows apart, so
neighbours share kh - 1 rows, and each belongs to m rows of y. Rows are the outermost axis in
memory, so a tile is a matrix of 8 very long rows. To evaluate it is one product with 8 x 8 numbers,
little next to the rest.

This is done along the height only. Transforming the width too means one small product for each
column, and BLAS's set-up, which threads cannot share, would eat the gain. Channels and the kernel's
width take part as in ``unfold.py``: a "product of two numbers" is a matrix product over (j, c), of
windows of kw columns at one point, which overlap in memory.

The price is rounding: relative to its result conv2d errs twice as much as the plain sum,
conv_transpose2d 5 times and conv2d_weight_grad 10 times, which in float32 is 1 to 2 millionths. And
a value that is not finite spoils its tile.

References: Toom 1963 and Cook 1966, for the polynomials; Winograd, "Arithmetic complexity of
computations", 1980, for turning them round; Lavin and Gray, "Fast algorithms for convolutional
neural networks", 2016.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from types import ModuleType
from typing import Any

from minigrad.backend import Array, array_module, strided_view
from minigrad.kernels.arithmetic import product_rows
from minigrad.kernels.geometry import Geometry, padded
from minigrad.kernels.unfold import some_images

Matrix = tuple[tuple[float, ...], ...]

# Where polynomials are evaluated; beyond these, "at infinity", which is their highest coefficient.
# Small powers of two, of both signs: their powers are exact and stay near 1.
POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5)
COUNT = len(POINTS) + 1

# Fewer channels leave products too small to pay for the evaluations.
LEAST_CHANNELS = 16

# How many values to compute before they are multiplied: beyond a core's level-2 cache, for products
# with more rows, and fewer of them.
VALUES_AT_ONCE = 1 << 19


@lru_cache(maxsize=64)
def evaluation(coefficients: int) -> Matrix:
    """From a polynomial's 1 to 8 coefficients, the constant one first, to its values: A and G.

    There are 8 rows, one a point, of so many columns.

    >>> evaluation(3)[3]  # at 2
    (1.0, 2.0, 4.0)
    """
    powers = (tuple(point**k for k in range(coefficients)) for point in POINTS)
    return (*powers, (0.0,) * (coefficients - 1) + (1.0,))


@lru_cache(maxsize=1)
def interpolation() -> Matrix:
    """From the values of a polynomial to its 8 coefficients: B, the inverse of ``evaluation(8)``.

    Let L(z) be the product of ``z - z_i`` over the 7 points, and l_k(z) that of
    ``(z - z_i) / (z_k - z_i)`` over all but z_k, which is 1 at z_k and 0 at the others. Taking
    x_7 L(z) from x(z) changes no value at the points and leaves degree 6, so (Lagrange)

        x(z) = sum over k of  x(z_k) l_k(z)  +  x_7 L(z)

    There are 8 rows, one a coefficient, the constant one first, of 8 columns.

    >>> values = [sum(row[:2]) for row in evaluation(8)]  # of 1 + z
    >>> [round(sum(b * value for b, value in zip(row, values)), 9) + 0.0 for row in interpolation()]
    [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    columns = []
    for k, point in enumerate(POINTS):
        others = POINTS[:k] + POINTS[k + 1 :]
        scale = math.prod(point - other for other in others)
        columns.append([c / scale for c in _with_roots(others)] + [0.0])
    columns.append(_with_roots(POINTS))
    return tuple(zip(*columns))


def _with_roots(roots: tuple[float, ...]) -> list[float]:
    """Coefficients of the product of ``z - root``, the constant one first."""
    product = [1.0]
    for root in roots:
        product = [a - root * b for a, b in zip([0.0, *product], [*product, 0.0])]
    return product


def fits(geometry: Geometry) -> bool:
    """Whether a convolution can be computed in this way."""
    return (
        geometry.stride == geometry.dilation == (1, 1)
        and geometry.groups == 1
        and 1 < geometry.kernel_size[0] < COUNT
        and geometry.padding[1] < geometry.kernel_size[1]
        and min(geometry.input_size + geometry.output_size) > 0
    )


@lru_cache(maxsize=1024)
def pays(geometry: Geometry, channels: int, out_channels: int) -> bool:
    """Whether that is also faster: two fifths of the multiplications saved, channels enough."""
    if not fits(geometry) or min(channels, out_channels) < LEAST_CHANNELS:
        return False
    multiplications = COUNT * _tiles(geometry)
    plain = geometry.kernel_size[0] * geometry.output_size[0]
    return multiplications <= 0.6 * plain


def correlate_at_points(x: Array, weight: Array, geometry: Geometry, bias: Array | None) -> Array:
    """conv2d, where it :func:`pays`: A^T ((B^T x) * (G w))."""
    xp = array_module(x, weight)
    step = _step(geometry)
    tiles = _tiles(geometry)
    height, width = geometry.output_size
    A = _matrix(evaluation(step), x)
    B = _matrix(interpolation(), x)
    kernel = _at_points(weight)
    x = padded(x, _whole_tiles(geometry)).transpose(2, 0, 3, 1)
    x = xp.ascontiguousarray(x)  # (H, N, W, C)
    images, columns, channels = x.shape[1:]
    y = xp.empty((tiles * step, images, width, len(weight)), dtype=x.dtype)
    for part, bands in _blocks(images, tiles, columns * channels):
        for band in bands:
            values = _values(B.T, x[:, part], step, band)
            rows = _rows(A.T, _correlate_columns(values, kernel))  # (t, m, Q, n, O)
            rows = rows.reshape(len(rows) * step, *rows.shape[2:])
            _write(rows, y[:, part], band.start * step, bias)
    return y[:height].transpose(1, 3, 0, 2)


def spread_at_points(y: Array, weight: Array, geometry: Geometry, bias: Array | None) -> Array:
    """conv_transpose2d, likewise: B ((G w) * (A y)).

    Along the width: a convolution with the kernel from right to left, of y between columns of
    zeros. Along the height: what a tile of x shares with the next is carried over and added.
    """
    xp = array_module(y, weight)
    channels, kernel_width = weight.shape[1], weight.shape[3]
    height, width = geometry.input_size
    above, left = geometry.padding
    step = _step(geometry)
    tiles = _tiles(geometry)
    A = _matrix(evaluation(step), y)
    B = _matrix(interpolation(), y)
    kernel = xp.ascontiguousarray(_at_points(weight)[:, ::-1].swapaxes(2, 3))  # (8, kw, O, C)
    y = _whole(y[..., : width + left].transpose(2, 0, 3, 1), tiles * step)  # (P, N, Q, O)
    images, columns, out_channels = y.shape[1:]
    zeros = (kernel_width - 1 - left, width + left - columns)
    x = xp.empty((height, images, width, channels), dtype=y.dtype)
    for part, bands in _blocks(images, tiles, (width + kernel_width - 1) * out_channels):
        carried: Any = None
        for band in bands:
            values = _values(A, y[:, part], step, band, zeros)
            rows = _rows(B, _correlate_columns(values, kernel))  # (t, 8, W, n, C)
            for tile, new in enumerate(rows, band.start):
                if carried is not None:
                    new[: COUNT - step] += carried
                _write(new[:step], x[:, part], step * tile - above, bias)
                carried = new[step:]
        _write(carried, x[:, part], step * tiles - above, bias)
    beyond = x[max(step * tiles + COUNT - step - above, 0) :]  # no window reaches there
    beyond[...] = 0 if bias is None else bias
    return x.transpose(1, 3, 0, 2)


def weight_gradient_at_points(x: Array, y: Array, geometry: Geometry) -> Array:
    """conv2d_weight_grad, likewise: G^T ((B^T x) * (A y)).

    A kernel column j meets all of y, and of x the columns from j on, Q of them. At each point these
    are two matrices with a row a pixel (q, n): one product or, to keep it small, some of them.
    """
    xp = array_module(x, y)
    step = _step(geometry)
    tiles = _tiles(geometry)
    kernel_height, kernel_width = geometry.kernel_size
    A = _matrix(evaluation(step), x)
    B = _matrix(interpolation(), x)
    G = _matrix(evaluation(kernel_height), x)
    x = padded(x, _whole_tiles(geometry)).transpose(2, 3, 0, 1)  # (H, W, N, C)
    y = y.transpose(2, 3, 0, 1)  # (P, Q, N, O)
    columns, images, channels = x.shape[1:]
    width, out_channels = y.shape[1], y.shape[3]
    matrix = xp.zeros((COUNT, kernel_width, channels, out_channels), dtype=x.dtype)
    for part, bands in _blocks(images, tiles, columns * channels):
        some_x = xp.ascontiguousarray(x[:, :, part])  # (H, W, n, C)
        some_y = _whole(y[:, :, part], tiles * step)  # (P, Q, n, O)
        count = part.stop - part.start
        rows = product_rows(width * count, channels * out_channels)
        cut = width * count // rows
        for band in bands:
            values = _values(B.T, some_x, step, band)
            gradient = _values(A, some_y, step, band)
            some = values.shape[1]
            pixels = columns * count
            # axes: point, kernel column j, tile, part, row of it, channel
            shape = (COUNT, kernel_width, some, cut, rows, channels)
            steps = [channels * n for n in (some * pixels, count, pixels, rows, 1)]
            runs = strided_view(values, shape, [x.itemsize * n for n in (*steps, 1)])
            gradient = gradient.reshape(COUNT, 1, some, cut, rows, out_channels)
            products = xp.matmul(runs.swapaxes(4, 5), gradient)
            products = products.reshape(*matrix.shape[:2], some * cut, channels, out_channels)
            for k in range(some * cut):
                matrix += products[:, :, k]
    weight = G.T @ matrix.reshape(COUNT, -1)
    weight = weight.reshape(kernel_height, kernel_width, channels, out_channels)
    return xp.ascontiguousarray(weight.transpose(3, 2, 0, 1))


def _step(geometry: Geometry) -> int:
    """Rows of y in a tile, m; tiles of x begin as many rows apart."""
    return COUNT + 1 - geometry.kernel_size[0]


def _tiles(geometry: Geometry) -> int:
    """Tiles an image is cut into, T; the last may reach beyond it."""
    return -(-geometry.output_size[0] // _step(geometry))


@lru_cache(maxsize=1024)
def _whole_tiles(geometry: Geometry) -> Geometry:
    """The geometry with as many output rows as whole tiles have."""
    size = (_tiles(geometry) * _step(geometry), geometry.output_size[1])
    return replace(geometry, output_size=size)


def _whole(y: Array, height: int) -> Array:
    """Rows of y, contiguous, with rows of zeros up to a height."""
    xp = array_module(y)
    if len(y) == height:
        return xp.ascontiguousarray(y)
    filled = xp.zeros((height, *y.shape[1:]), dtype=y.dtype)
    filled[: len(y)] = y
    return filled


def _matrix(rows: Matrix, like: Array) -> Array:
    return _made_once(rows, array_module(like), like.dtype)


@lru_cache(maxsize=64)
def _made_once(rows: Matrix, xp: ModuleType, dtype: Any) -> Array:
    return xp.asarray(rows, dtype=dtype)


def _at_points(weight: Array) -> Array:
    """G w: the values (8, kw, C, O) of a weight (O, C, kh, kw)."""
    out_channels, channels, kernel_height, kernel_width = weight.shape
    rows = weight.transpose(2, 3, 1, 0).reshape(kernel_height, -1)
    G = _matrix(evaluation(kernel_height), weight)
    return (G @ rows).reshape(COUNT, kernel_width, channels, out_channels)


def _blocks(images: int, tiles: int, row: int) -> Iterator[tuple[slice, list[slice]]]:
    """Some images at a time, and for these some tiles at a time, whose values stay in the cache.

    ``row``: how many elements a row of pixels of one image has.
    """
    for part in some_images(images, COUNT * images * row, VALUES_AT_ONCE):
        count = part.stop - part.start
        yield part, some_images(tiles, COUNT * tiles * count * row, VALUES_AT_ONCE)


def _values(
    matrix: Array, x: Array, step: int, band: slice, zeros: tuple[int, int] = (0, 0)
) -> Array:
    """A matrix (8, l) times tiles of x (H, N, W, C), l rows each: values (8, t, N, W, C).

    ``zeros`` says how many columns of zeros come before and after those of each row.
    """
    xp = array_module(x)
    length = matrix.shape[1]
    tiles = band.stop - band.start
    images, width, channels = x.shape[1:]
    start, stop = zeros[0], zeros[0] + width
    values = xp.empty((COUNT, tiles, images, stop + zeros[1], channels), dtype=x.dtype)
    target = values[:, :, :, start:stop].reshape(COUNT, tiles, images, width * channels)
    x = x[band.start * step :]
    row, run = x.strides[:2]
    overlapping = strided_view(  # (t, N, l, W * C)
        x, (tiles, images, length, width * channels), (step * row, run, row, x.itemsize)
    )
    xp.matmul(matrix, overlapping, out=target.transpose(1, 2, 0, 3))
    if any(zeros):
        values[:, :, :, :start] = 0
        values[:, :, :, stop:] = 0
    return values


def _correlate_columns(values: Array, kernel: Array) -> Array:
    """Values (8, t, N, W, C) with kernels (8, kw, C, O): (8, W - kw + 1, t, N, O)."""
    xp = array_module(values)
    tiles, images, width, channels = values.shape[1:]
    kernel_width, out_channels = kernel.shape[1], kernel.shape[3]
    pixels = tiles * images
    window = kernel_width * channels
    rows = product_rows(pixels, window * out_channels)
    # axes: point, output column, part, row of it, window
    shape = (COUNT, width - kernel_width + 1, pixels // rows, rows, window)
    steps = [channels * n for n in (pixels * width, 1, rows * width, width)]
    windows = strided_view(values, shape, [values.itemsize * n for n in (*steps, 1)])
    products = xp.matmul(windows, kernel.reshape(COUNT, 1, 1, window, out_channels))
    return products.reshape(COUNT, shape[1], tiles, images, out_channels)


def _rows(matrix: Array, products: Array) -> Array:
    """A matrix (l, 8) times products (8, W, t, N, C): rows of pixels (t, l, W, N, C)."""
    xp = array_module(products)
    width, tiles, images, channels = products.shape[1:]
    rows = xp.empty((tiles, len(matrix), width, images, channels), dtype=products.dtype)
    products = products.reshape(COUNT, width, tiles, images * channels).transpose(2, 1, 0, 3)
    target = rows.reshape(*rows.shape[:3], images * channels).swapaxes(1, 2)
    xp.matmul(matrix, products, out=target)
    return rows


def _write(rows: Array, x: Array, first: int, bias: Array | None) -> None:
    """Write rows (h, W, N, C), plus a bias, to those of x (H, N, W, C) from ``first`` on."""
    low = max(first, 0)
    high = min(first + len(rows), len(x))
    if low < high:
        rows = rows[low - first : high - first].swapaxes(1, 2)
        if bias is None:  # twice as fast as adding zeros: runs are only C long
            x[low:high] = rows
        else:
            array_module(x).add(rows, bias, out=x[low:high])
