"""HIPS autograd. It has ``scipy.signal.convolve``: no stride, no transposed convolution."""

from __future__ import annotations

import autograd
import numpy
from autograd import numpy as anp
from autograd.extend import defvjp, primitive
from autograd.scipy.signal import convolve
from autograd.test_util import check_grads

from .data import DEPTH, FAULT, chain, digest, images, kernel


def deep_chain() -> bool:
    return bool(autograd.grad(chain)(1.0) == DEPTH + 1)


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


_wrong = primitive(lambda x: x * x)
defvjp(_wrong, lambda y, x: lambda gradient: gradient * x * (2 * FAULT))


def gradient_check() -> bool:
    x = numpy.array([1.0, 2.0])
    try:
        check_grads(_wrong, modes=["rev"], order=1)(x)
    except AssertionError:
        check_grads(lambda x: x * x, modes=["rev"], order=1)(x)
        return True
    return False


def gradient_bits() -> str:
    x = images()

    def loss(weight):
        axes = ([2, 3], [2, 3])
        y = convolve(x, weight, axes=axes, dot_axes=([1], [1]), mode="valid")
        return anp.mean(y**2)

    return digest(autograd.grad(loss)(kernel()))
