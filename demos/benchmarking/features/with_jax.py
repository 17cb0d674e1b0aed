"""JAX."""

from __future__ import annotations

import jax
import numpy
from jax import lax
from jax import numpy as jnp
from jax.test_util import check_grads

from .data import DEPTH, FAULT, chain, digest, images, kernel


def deep_chain() -> bool:
    return float(jax.grad(chain)(1.0)) == DEPTH + 1


def second_derivative() -> bool:
    def loss(weight):
        return (lax.conv(images(), weight, (2, 2), "VALID") ** 3).sum()

    def square(weight):
        return (jax.grad(loss)(weight) ** 2).sum()

    return bool(jnp.isfinite(jax.grad(square)(kernel())).all())


def transposed_convolution() -> bool:
    layout = ("NCHW", "OIHW", "NCHW")

    def loss(weight):
        y = lax.conv_transpose(
            images(), weight, (2, 2), "VALID", dimension_numbers=layout, transpose_kernel=True
        )
        return y.sum()

    weight = kernel()[:3]
    return jax.grad(loss)(weight).shape == weight.shape


def change_in_place() -> bool:
    x = jnp.array([2.0])
    try:
        x[0] = 5.0
    except TypeError:  # arrays cannot be changed
        return True
    return False


def first_nan() -> bool:
    try:
        with jax.debug_nans(True):
            jnp.exp(jnp.log(jnp.array([-1.0])) * 2)
    except FloatingPointError as error:
        return "log" in str(error)
    return False


@jax.custom_vjp
def _wrong(x):
    return x * x


_wrong.defvjp(lambda x: (x * x, x), lambda x, gradient: (gradient * x * (2 * FAULT),))


def gradient_check() -> bool:
    with jax.enable_x64(True):
        x = jnp.array([1.0, 2.0])
        try:
            check_grads(_wrong, (x,), order=1, modes=["rev"])
        except AssertionError:
            check_grads(lambda x: x * x, (x,), order=1, modes=["rev"])
            return True
    return False


def gradient_bits() -> str:
    def loss(weight):
        return (lax.conv(images(), weight, (1, 1), "VALID") ** 2).mean()

    return digest(numpy.asarray(jax.grad(loss)(kernel())))
