"""ReLU, masks, sums and the product of two matrices, fast under NumPy; for a GPU see ``gpu.py``."""

from __future__ import annotations

import math
from functools import lru_cache

from minigrad.backend import (
    Array,
    HostArray,
    array_module,
    has_one_blas_thread,
    multiplies_small_in_place,
    with_one_blas_thread,
)
from minigrad.kernels import gpu

# How many numbers a scalar product adds up: over more, the small ones would be rounded away.
BLOCK = 1024

# Below how many multiply-adds: many such products run at the speed of a large square one.
SMALL_PRODUCT = 1_000_000

# Larger ones stay whole: outside of shards, BLAS may share them among its threads.
LARGEST_CUT = 16 * SMALL_PRODUCT

# Above how many multiply-adds OpenBLAS uses several threads: of two matrices, of one and a vector.
SHARED, SHARED_BY_VECTOR = 2**18, 9216

# Up to how many rows: then they cannot be cut, but b's columns can.
FEW_ROWS = 64


def relu(x: Array) -> Array:
    """The positive part of every element: max(x, 0); not-a-number stays what it is.

    >>> import numpy
    >>> relu(numpy.array([-1.0, 2.0]))
    array([0., 2.])
    """
    xp = array_module(x)
    if type(x) is not HostArray:
        y = gpu.relu(x)
        return xp.maximum(x, 0) if y is None else y
    return xp.asarray(xp.maximum(x, _zero_slab(x)))


def relu_grad(y: Array, gradient: Array) -> Array:
    """The gradient of ``y = relu(x)`` by x: the output's gradient where y > 0, else 0.

    Zero exactly, whatever the gradient holds there, infinities included.

    >>> import numpy
    >>> relu_grad(numpy.array([0.0, 2.0]), numpy.array([5.0, 6.0]))
    array([0., 6.])
    """
    if type(y) is not HostArray and (x := gpu.relu_grad(y, gradient)) is not None:
        return x
    return keep_where(y > 0, gradient)


def keep_where(mask: Array, x: Array) -> Array:
    """The elements of x where a mask of booleans holds, else 0, whatever x holds there.

    >>> import numpy
    >>> keep_where(numpy.array([False, True]), numpy.array([numpy.inf, 6.0]))
    array([0., 6.])
    """
    xp = array_module(x)
    if type(x) is not HostArray:
        return xp.where(mask, x, x.dtype.type(0))
    # The bits of x, taken for a whole number, times 1 or 0: of what is not finite nothing remains
    # either. Two vector loops; NumPy's where branches on every element, and takes 15 times as long.
    bits = x.view(f"i{x.dtype.itemsize}")
    return xp.asarray(xp.multiply(xp.asarray(mask).view("i1"), bits)).view(x.dtype)


def _zero_slab(x: Array) -> Array:
    """Zeros that broadcast against x: one slice of it along the axis outermost in memory.

    NumPy's maximum of two arrays is a vector loop, that of an array and a number is not: three
    times the time. A slice is large enough to stay in that loop, and small enough to be free.
    """
    if x.ndim == 0:
        return array_module(x).zeros_like(x)
    outermost = x.strides.index(max(x.strides))
    first = (slice(None),) * outermost + (slice(0, 1),)
    return array_module(x).zeros_like(x[first])


def sum_of_squares(x: Array) -> Array:
    """Add up the squares of all elements, in one pass over memory.

    Scalar products of x with itself, whatever the order of its elements in memory: BLAS reads x
    once. Squares would be written first and read again, which is four times as slow.

    >>> import numpy
    >>> float(sum_of_squares(numpy.array([[3.0], [4.0]])))
    25.0
    """
    if type(x) is not HostArray:
        return (x * x).sum()
    run = x.ravel(order="K")  # a view, of whatever is contiguous in any order of its axes
    whole = run.size - run.size % BLOCK
    blocks, rest = run[:whole].reshape(-1, 1, BLOCK), run[whole:]
    return array_module(x).asarray((blocks @ blocks.swapaxes(1, 2)).sum() + rest.dot(rest))


def channel_sum(y: Array) -> Array:
    """Sum y (N, C, H, W) over images and pixels, channel by channel; or y (N, C) over samples.

    In the memory order of the convolutions (H, N, W, C) the pixels are the rows of a matrix, and
    the sum is a row of ones times this matrix. BLAS does that several times faster than NumPy sums
    over three axes, and twice as fast as over one. There is a matrix for each height: NumPy holds
    the interpreter lock during a product whose result has no more than 500 elements, and other
    threads would wait.

    >>> import numpy
    >>> channel_sum(numpy.ones((2, 3, 4, 5)))
    array([40., 40., 40.])
    """
    if type(y) is not HostArray:
        total = gpu.channel_sum(y)
        return y.sum(axis=(0, *range(2, y.ndim))) if total is None else total
    if y.ndim == 2:
        ones = array_module(y).ones(len(y), y.dtype)
        return _multiply(ones, y, y.size, SHARED_BY_VECTOR)
    rows = y.transpose(2, 0, 3, 1)  # (H, N, W, C)
    if not rows.flags.c_contiguous:
        return y.sum(axis=(0, 2, 3))
    height, images, width, channels = rows.shape
    rows = rows.reshape(height, images * width, channels)
    return (array_module(y).ones(rows.shape[1], y.dtype) @ rows).sum(axis=0)


def product(a: Array, b: Array, bias: Array | None = None) -> Array:
    """The matrix product of a (M, K) and b (K, N): ``a @ b``, in row-major order.

    A bias (N,) is added to every row. The product is cut into products that BLAS multiplies where
    they are. OpenBLAS copies both matrices into another order before it multiplies them. That pays
    for large ones; where one side is short, as the latent's in a dense autoencoder, it is a quarter
    of the time. On processors with AVX-512 small products are spared it, and NumPy's matmul
    computes any number of them in one call. Elsewhere pieces would take up to a third longer, and
    products stay whole.

    >>> import numpy
    >>> product(numpy.ones((256, 784)), numpy.ones((784, 32)))[0, :3]
    array([784., 784., 784.])
    """
    on_cpu = type(a) is HostArray
    if not on_cpu and (result := gpu.product(a, b, bias)) is not None:
        return result
    multiply_adds = len(a) * b.size
    if SMALL_PRODUCT < multiply_adds <= LARGEST_CUT and on_cpu and multiplies_small_in_place():
        result = _product_in_pieces(a, b)
    else:
        result = _multiply(a, b, multiply_adds)
    if bias is not None:
        result += bias
    return result


def products(a: Array, b: Array) -> Array:
    """``a @ b`` for stacks of matrices, or vectors.

    >>> import numpy
    >>> products(numpy.ones((5, 2, 3)), numpy.ones((3, 4))).shape
    (5, 2, 4)
    """
    # NumPy gives BLAS one pair of matrices at a time.
    multiply_adds = math.prod(a.shape[-2:]) * math.prod(b.shape[-1:] if b.ndim > 1 else ())
    return _multiply(a, b, multiply_adds, SHARED_BY_VECTOR)


def _multiply(
    a: Array, b: Array, multiply_adds: int, shared: int = SHARED, out: Array | None = None
) -> Array:
    """``a @ b``, with one BLAS thread unless it is large.

    On an idle machine a second thread saves a small product a fraction of a millisecond. On a busy
    one it is waited for, for up to a hundred times as long as the product takes.
    """
    if shared < multiply_adds <= LARGEST_CUT and type(a) is HostArray and not has_one_blas_thread():
        return _held(a, b, out)
    return a @ b if out is None else array_module(a, b).matmul(a, b, out=out)


@with_one_blas_thread
def _held(a: Array, b: Array, out: Array | None) -> Array:
    return array_module(a, b).matmul(a, b, out=out)


def _product_in_pieces(a: Array, b: Array) -> Array:
    """A product of middling size, in row-major order."""
    (rows, inner), columns = a.shape, b.shape[1]
    cut = product_rows(rows, inner * columns)
    if cut < rows:
        xp = array_module(a, b)
        if inner <= columns:  # each product reads all of b: quicker in order
            b = xp.ascontiguousarray(b)
        return _multiply(a.reshape(rows // cut, cut, inner), b, a.size * columns).reshape(
            rows, columns
        )
    cut = product_rows(columns, inner * rows)
    if rows > FEW_ROWS or cut == columns or not b.flags.c_contiguous:
        return _multiply(a, b, a.size * columns)
    xp = array_module(a, b)
    result = xp.empty((rows, columns), dtype=xp.result_type(a, b))
    target = result.reshape(rows, columns // cut, cut).swapaxes(0, 1)
    pieces = b.reshape(inner, columns // cut, cut).swapaxes(0, 1)
    _multiply(a, pieces, a.size * columns, out=target)
    return result


@lru_cache(maxsize=1024)
def product_rows(rows: int, multiply_adds: int) -> int:
    """Into how many rows to cut a product of so many rows, each costing so many multiply-adds.

    It is the largest divisor of ``rows`` that makes a small product, if that is not too thin.
    """
    most = min(SMALL_PRODUCT // max(multiply_adds, 1), rows)
    return next((n for n in range(most, 15, -1) if rows % n == 0), max(rows, 1))
