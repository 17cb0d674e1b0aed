"""The three maps with 8 products where 4 columns of y meet 5 of a kernel, in place of 20.

A row of ``conv_transpose2d`` multiplies polynomials: with columns as coefficients,
``y(z) = sum of y_q z^q`` and ``w(z) = sum of w_j z^j``, the result ``x_v = sum of w_j y_(v - j)``
has the coefficients of ``x(z) = w(z) y(z)``. A polynomial of degree 7 is known by its values at 8
points, and at a point z_k the product is one of two numbers, w(z_k) y(z_k). So

    evaluate      (A y)_k = y(z_k)  and  (G w)_k = w(z_k)     4 and 5 coefficients to 8 values
    multiply      value by value                              8 products
    interpolate   x = B ...                                   8 values to 8 coefficients

(matrices: ``polynomial.py``), and what ``conv.py`` calls T is

    T = sum over k of  (B^T x)_k (G w)_k (A y)_k

linear in each of the three as before, so its derivatives, the other two maps among them, are

    conv2d              dT/dy = A^T ((B^T x) * (G w))
    conv2d_weight_grad  dT/dw = G^T ((B^T x) * (A y))
    conv_transpose2d    dT/dx = B   ((G w) * (A y))

An image is cut along its width into tiles, 8 columns of x each: they begin m = 9 - kw columns
apart, so neighbours share kw - 1, and belong to m columns of y. Channels and the kernel's height
take part as everywhere: a "product of two numbers" is a matrix product over (i, c), of windows of
kh rows at one point, which overlap in memory as in ``width.py``. Evaluating costs a short product
a tile, which is little next to these.

The price is rounding: relative to its result conv2d errs twice as much as the plain sum,
conv_transpose2d 5 times and conv2d_weight_grad 10 times, which in float32 is 1 to 2 millionths. And
a value that is not finite spoils its tile.

References: Toom 1963 and Cook 1966, for the polynomials; Winograd, "Arithmetic complexity of
computations", 1980, for turning them round; Lavin and Gray, "Fast algorithms for convolutional
neural networks", 2016.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from ..backend import array_module
from ..strided import strided_view
from .channels import add_to_channels
from .geometry import Geometry
from .padding import pad
from .polynomial import COUNT, evaluation, interpolation
from .product import product_rows
from .width import some_images

Array = Any  # a numpy.ndarray or a cupy.ndarray

# Fewer channels leave products too small to pay for the evaluations.
LEAST_CHANNELS = 16


def fits(geometry: Geometry) -> bool:
    """Whether a convolution can be computed in this way.

    Examples
    --------
    >>> fits(Geometry((20, 20), (4, 4), (9, 9), stride=(2, 2)))
    False
    """
    return (
        geometry.stride == geometry.dilation == (1, 1)
        and geometry.groups == 1
        and 1 < geometry.kernel_size[1] < COUNT
        and geometry.padding[0] < geometry.kernel_size[0]
        and min(geometry.input_size + geometry.output_size) > 0
    )


def pays(geometry: Geometry, channels: int, out_channels: int) -> bool:
    """Whether that is also faster: two fifths of the products saved, and channels enough.

    Examples
    --------
    >>> pays(Geometry((24, 24), (5, 5), (20, 20)), 32, 32)
    True
    """
    plain = geometry.kernel_size[1] * geometry.output_size[1]
    return (
        fits(geometry)
        and min(channels, out_channels) >= LEAST_CHANNELS
        and 5 * COUNT * _tiles(geometry) <= 3 * plain
    )


def conv2d(x: Array, weight: Array, geometry: Geometry, bias: Array) -> Array:
    """``conv2d`` of ``conv.py``, of checked arrays, where it :func:`pays`."""
    xp, out_channels, step = array_module(x, weight), len(weight), _step(geometry)
    (height, width), tiles = geometry.output_size, _tiles_of_x(x, geometry)
    kernel = _at_points(weight)
    interpolate, evaluate = _matrix(interpolation(), x), _matrix(evaluation(step), x)
    y = xp.empty((height, *tiles.shape[1:3], step, out_channels), dtype=x.dtype)
    for part in some_images(tiles.shape[1], tiles.size):
        values = _values(interpolate.T, tiles[:, part])
        values = _correlate_rows(values, kernel)
        xp.matmul(evaluate.T, values.transpose(1, 2, 3, 0, 4), out=y[:, part])
    y = y.reshape(*y.shape[:2], y.shape[2] * step, out_channels)
    y = xp.ascontiguousarray(y[:, :, :width])
    if bias is not None:
        add_to_channels(y, bias)
    return y.transpose(1, 3, 0, 2)


def conv_transpose2d(y: Array, weight: Array, geometry: Geometry, bias: Array) -> Array:
    """``conv_transpose2d`` of ``conv.py``, likewise.

    Along the height: a convolution with the kernel upside down, of y between rows of zeros.
    """
    xp, (_, channels, kernel_height, _) = array_module(y, weight), weight.shape
    (height, width), tiles = geometry.input_size, _tiles_of_y(y, geometry)
    above = kernel_height - 1 - geometry.padding[0]
    tiles = tiles[: height + geometry.padding[0]]
    below = height + geometry.padding[0] - len(tiles)
    kernel = xp.ascontiguousarray(_at_points(weight)[:, ::-1].swapaxes(2, 3))
    evaluate = _matrix(evaluation(_step(geometry)), y)
    x = xp.empty((height, tiles.shape[1], width, channels), dtype=y.dtype)
    for part in some_images(tiles.shape[1], COUNT * tiles.size // _step(geometry)):
        values = _values(evaluate, tiles[:, part], above, below)
        values = _correlate_rows(values, kernel)
        _interpolate(values.transpose(1, 2, 3, 0, 4), geometry, x[:, part])
    if bias is not None:
        add_to_channels(x, bias)
    return x.transpose(1, 3, 0, 2)


def conv2d_weight_grad(x: Array, y: Array, geometry: Geometry) -> Array:
    """``conv2d_weight_grad`` of ``conv.py``, likewise.

    A kernel row i meets all of y, and of x the rows from i on, P of them: at each point two
    matrices with a row a pixel (p, n, t), one product or, to keep it small, some of them.
    """
    xp, (kernel_height, kernel_width) = array_module(x, y), geometry.kernel_size
    channels, (out_channels, out_height), size = x.shape[1], y.shape[1:3], x.itemsize
    matrix = xp.zeros((COUNT, kernel_height, channels, out_channels), dtype=x.dtype)
    evaluate, interpolate = _matrix(evaluation(_step(geometry)), x), _matrix(interpolation(), x)
    tiles_of_x, tiles_of_y = _tiles_of_x(x, geometry), _tiles_of_y(y, geometry)
    height, images, tiles = tiles_of_x.shape[:3]
    for part in some_images(images, COUNT * height * images * tiles * channels):
        count = part.stop - part.start
        values = xp.empty((COUNT, height, count, tiles, channels), dtype=x.dtype)
        xp.matmul(interpolate.T, tiles_of_x[:, part], out=values.transpose(1, 2, 3, 0, 4))
        gradient = xp.empty((COUNT, out_height, count, tiles, out_channels), dtype=x.dtype)
        xp.matmul(evaluate, tiles_of_y[:, part], out=gradient.transpose(1, 2, 3, 0, 4))
        pixels = out_height * count * tiles
        rows = product_rows(pixels, channels * out_channels)
        shape = (COUNT, kernel_height, pixels // rows, rows, channels)
        steps = [channels * n for n in (height * count * tiles, count * tiles, rows, 1)]
        runs = strided_view(values, shape, [size * n for n in steps] + [size])
        gradient = gradient.reshape(COUNT, 1, pixels // rows, rows, out_channels)
        matrix += xp.matmul(runs.swapaxes(3, 4), gradient).sum(axis=2)
    weight = _matrix(evaluation(kernel_width), x).T @ matrix.reshape(COUNT, -1)
    weight = weight.reshape(kernel_width, kernel_height, channels, out_channels)
    return xp.ascontiguousarray(weight.transpose(3, 2, 1, 0))


def _step(geometry: Geometry) -> int:
    """Columns of y in a tile, m: from one tile of x to the next."""
    return COUNT + 1 - geometry.kernel_size[1]


def _tiles(geometry: Geometry) -> int:
    """Tiles an image is cut into, T; the last may reach beyond it."""
    return -(-geometry.output_size[1] // _step(geometry))


@lru_cache(maxsize=1024)
def _widened(geometry: Geometry) -> Geometry:
    """With an output of whole tiles."""
    size = (geometry.output_size[0], _tiles(geometry) * _step(geometry))
    return replace(geometry, output_size=size)


def _matrix(rows: list[list[float]], like: Array) -> Array:
    return array_module(like).asarray(rows, dtype=like.dtype)


def _at_points(weight: Array) -> Array:
    """G w: the values (8, kh, C, O) of a weight (O, C, kh, kw)."""
    out_channels, channels, kernel_height, kernel_width = weight.shape
    columns = weight.transpose(3, 2, 1, 0).reshape(kernel_width, -1)
    values = _matrix(evaluation(kernel_width), weight) @ columns
    return values.reshape(COUNT, kernel_height, channels, out_channels)


def _values(matrix: Array, tiles: Array, above: int = 0, below: int = 0) -> Array:
    """A matrix times tiles (H, N, T, l, C): values (8, N, T, H, C), rows of zeros around them."""
    xp, (height, images, count, _, channels) = array_module(tiles), tiles.shape
    values = xp.empty((COUNT, images, count, above + height + below, channels), dtype=tiles.dtype)
    inside = values[:, :, :, above : above + height]
    xp.matmul(matrix, tiles, out=inside.transpose(3, 1, 2, 0, 4))
    values[:, :, :, :above] = 0
    values[:, :, :, above + height :] = 0
    return values


def _correlate_rows(values: Array, kernel: Array) -> Array:
    """Values (8, N, T, H, C) with kernels (8, kh, C, O): (8, H - kh + 1, N, T, O)."""
    xp, (_, images, tiles, height, channels) = array_module(values), values.shape
    kernel_height, out_channels = kernel.shape[1], kernel.shape[3]
    pixels, window = images * tiles, kernel_height * channels
    rows = product_rows(pixels, window * out_channels)
    shape = (COUNT, height - kernel_height + 1, pixels // rows, rows, window)
    steps = [channels * n for n in (pixels * height, 1, rows * height, height)]
    windows = strided_view(values, shape, [values.itemsize * n for n in steps] + [values.itemsize])
    products = xp.matmul(windows, kernel.reshape(COUNT, 1, 1, window, out_channels))
    return products.reshape(COUNT, shape[1], images, tiles, out_channels)


def _tiles_of_x(x: Array, geometry: Geometry) -> Array:
    """x as overlapping tiles (H, N, T, 8, C), padded so that the last is whole."""
    xp, step, tiles = array_module(x), _step(geometry), _tiles(geometry)
    x = xp.ascontiguousarray(pad(x, _widened(geometry)).transpose(2, 0, 3, 1))  # (H, N, W, C)
    (height, images, _, channels), (row, image, column, channel) = x.shape, x.strides
    shape = (height, images, tiles, COUNT, channels)
    return strided_view(x, shape, (row, image, step * column, column, channel))


def _tiles_of_y(y: Array, geometry: Geometry) -> Array:
    """y as tiles (P, N, T, m, O), the last filled up with zeros."""
    xp, step, tiles = array_module(y), _step(geometry), _tiles(geometry)
    images, out_channels, height, width = y.shape
    y = y.transpose(2, 0, 3, 1)
    if width == tiles * step:
        y = xp.ascontiguousarray(y)
    else:
        filled = xp.zeros((height, images, tiles * step, out_channels), dtype=y.dtype)
        filled[:, :, :width] = y
        y = filled
    return y.reshape(height, images, tiles, step, out_channels)


def _interpolate(values: Array, geometry: Geometry, band: Array) -> None:
    """Write B times the values (rows, N, T, 8, C), overlapping tiles, to a band of x."""
    xp, step, left, width = array_module(band), _step(geometry), geometry.padding[1], band.shape[2]
    rows, images, tiles, _, channels = values.shape
    places = max(tiles + (COUNT - 1) // step, -(-(left + width) // step))
    shape = (rows, images, places, step, channels)
    fits = left == 0 and places * step == width
    columns = band.reshape(shape) if fits else xp.empty(shape, dtype=band.dtype)
    matrix = _matrix(interpolation(), values)
    xp.matmul(matrix[:step], values, out=columns[:, :, :tiles])
    columns[:, :, tiles:] = 0
    for k in range(1, (COUNT - 1) // step + 1):  # what reaches into the next tiles
        part = xp.matmul(matrix[k * step : (k + 1) * step], values)
        columns[:, :, k : k + tiles, : part.shape[3]] += part
    if not fits:
        columns = columns.reshape(rows, images, places * step, channels)
        band[...] = columns[:, :, left : left + width]
