"""The sum of squares of all elements, in one pass over memory."""

from __future__ import annotations

from typing import Any

from minigrad.backend import array_module, device_of

Array = Any  # a numpy.ndarray or a cupy.ndarray

BLOCK = 1024


def sum_of_squares(x: Array) -> Array:
    """Add up the squares of all elements.

    Scalar products of x with itself, whatever the order of its elements in memory: BLAS reads x
    once, where squares would be written first and read again, four times as slow. A product for
    each block, since a single one over millions of numbers would round away the small ones.

    Parameters
    ----------
    x : array of floats, any shape

    Returns
    -------
    array ()
        Of x's dtype.

    Examples
    --------
    >>> import numpy
    >>> float(sum_of_squares(numpy.array([[3.0], [4.0]])))
    25.0
    """
    if device_of(x).type != "cpu":
        return (x * x).sum()
    run = x.ravel(order="K")  # a view, of whatever is contiguous in any order of its axes
    whole = run.size - run.size % BLOCK
    blocks, rest = run[:whole].reshape(-1, 1, BLOCK), run[whole:]
    return array_module(x).asarray((blocks @ blocks.swapaxes(1, 2)).sum() + rest.dot(rest))
