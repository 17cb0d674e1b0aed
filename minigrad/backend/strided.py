"""Views with strides of their own: how overlapping windows become the rows of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from minigrad.backend.array_switch import array_module

Array = Any  # a numpy.ndarray or a cupy.ndarray


def strided_view(x: Array, shape: Sequence[int], strides: Sequence[int], first: int = 0) -> Array:
    """See the memory of an array in another shape, elements more than once if need be.

    Parameters
    ----------
    x : array
    shape : sequence of int
    strides : sequence of int
        In bytes.
    first : int
        Which element of x, counted in memory, is the first of the view. Only for a contiguous x.

    Returns
    -------
    array
        To be read only.

    Raises
    ------
    ValueError
        With NumPy and a contiguous x, if the view would reach beyond x; if ``first`` is given for
        an x that is not contiguous.

    Examples
    --------
    >>> strided_view(numpy.arange(5.0), (2, 3), (8, 8), first=1)
    array([[1., 2., 3.],
           [2., 3., 4.]])
    """
    xp = array_module(x)
    if 0 in shape:
        return xp.empty(shape, dtype=x.dtype)
    contiguous = x.flags.c_contiguous
    if contiguous and xp is numpy:  # whose as_strided takes seven times as long, and checks nothing
        return numpy.ndarray(shape, x.dtype, x, first * x.itemsize, strides)
    if contiguous:
        x = x.reshape(-1)[first:]
    elif first:
        raise ValueError(f"strided_view: first={first} needs a contiguous array, got {x.strides}")
    return xp.lib.stride_tricks.as_strided(x, shape, strides)
