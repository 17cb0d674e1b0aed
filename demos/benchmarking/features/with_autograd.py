"""HIPS autograd's words for the features. It has no strided or transposed convolution."""

from __future__ import annotations

from typing import Any

import autograd
import autograd.numpy as anp
import numpy
from autograd.extend import defvjp, primitive
from autograd.scipy.signal import convolve
from autograd.test_util import check_grads

from . import FAULT

host = array = numpy.asarray
gradient = autograd.grad
CheckError = AssertionError
second_derivative = transposed_convolution = first_nan = None


def conv2d(x: Any, weight: Any) -> Any:
    return convolve(x, weight, axes=([2, 3], [2, 3]), dot_axes=([1], [1]), mode="valid")


def change_in_place() -> bool:
    x = numpy.array([2.0])

    def product(weight):
        y = x * weight
        x[0] = 5.0
        return anp.sum(y)

    try:
        return bool(autograd.grad(product)(numpy.array([3.0]))[0] == 2)
    except (RuntimeError, ValueError):
        return True


wrong_square = primitive(lambda x: x * x)
defvjp(wrong_square, lambda y, x: lambda gradient: gradient * x * (2 * FAULT))


def check_gradient(f: Any) -> None:
    check_grads(f, modes=["rev"], order=1)(numpy.array([1.0, 2.0]))
