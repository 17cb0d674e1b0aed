"""The product of two matrices, cut into products that BLAS multiplies where they are.

OpenBLAS copies both matrices into another order before it multiplies them. That pays for large
ones; where one side is short, as the latent's in a dense autoencoder, it is a quarter of the time.
On processors with AVX-512 small products are spared it, and NumPy's matmul computes any number of
them in one call. Elsewhere pieces would take up to a third longer, and products stay whole.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from minigrad.backend import array_module, device_of, multiplies_small_in_place

Array = Any  # a numpy.ndarray or a cupy.ndarray

# Below how many multiply-adds: many such products run at the speed of a large square one.
SMALL_PRODUCT = 1_000_000

# Larger ones stay whole: outside of shards, BLAS may share them among its threads.
LARGEST_CUT = 16 * SMALL_PRODUCT

# Up to how many rows: then they cannot be cut, but b's columns can.
FEW_ROWS = 64


def product(a: Array, b: Array) -> Array:
    """The matrix product of a (M, K) and b (K, N): ``a @ b``, in row-major order.

    Examples
    --------
    >>> import numpy
    >>> product(numpy.ones((256, 784)), numpy.ones((784, 32)))[0, :3]
    array([784., 784., 784.])
    """
    (rows, inner), columns = a.shape, b.shape[1]
    whole = rows * inner * columns
    on_cpu = device_of(a).type == "cpu"
    if not (SMALL_PRODUCT < whole <= LARGEST_CUT and on_cpu and multiplies_small_in_place()):
        return a @ b
    cut = product_rows(rows, inner * columns)
    if cut < rows:
        xp = array_module(a, b)
        if inner <= columns:  # each product reads all of b: quicker in order
            b = xp.ascontiguousarray(b)
        return (a.reshape(rows // cut, cut, inner) @ b).reshape(rows, columns)
    cut = product_rows(columns, inner * rows)
    if rows > FEW_ROWS or cut == columns or not b.flags.c_contiguous:
        return a @ b
    xp = array_module(a, b)
    result = xp.empty((rows, columns), dtype=xp.result_type(a, b))
    target = result.reshape(rows, columns // cut, cut).swapaxes(0, 1)
    xp.matmul(a, b.reshape(inner, columns // cut, cut).swapaxes(0, 1), out=target)
    return result


@lru_cache(maxsize=1024)
def product_rows(rows: int, multiply_adds: int) -> int:
    """Into how many rows to cut a product of so many rows, each costing so many multiply-adds.

    It is the largest divisor of ``rows`` that makes a small product, if that is not too thin.

    Examples
    --------
    >>> product_rows(160, 800 * 32)
    32
    """
    most = min(SMALL_PRODUCT // max(multiply_adds, 1), rows)
    return next((n for n in range(most, 15, -1) if rows % n == 0), max(rows, 1))
