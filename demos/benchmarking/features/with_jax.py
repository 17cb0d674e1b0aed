"""JAX's words for the features."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.test_util import check_grads

from ..peers.with_jax import conv2d, conv_transpose2d, host
from . import FAULT

__all__ = ["CheckError", "array", "conv2d", "conv_transpose2d", "gradient", "host"]

array = jnp.asarray
gradient = jax.grad
CheckError = AssertionError
NAN_MAKER = "log"


def change_in_place() -> bool:
    x = jnp.array([2.0])
    try:
        x[0] = 5.0
    except TypeError:  # arrays cannot be changed
        return True
    return False


def make_nan() -> None:
    with jax.debug_nans(True):
        jnp.exp(jnp.log(jnp.array([-1.0])) * 2)


@jax.custom_vjp
def wrong_square(x):
    return x * x


wrong_square.defvjp(lambda x: (x * x, x), lambda x, gradient: (gradient * x * (2 * FAULT),))


def check_gradient(f: Any) -> None:
    with jax.enable_x64(True):
        check_grads(f, (jnp.array([1.0, 2.0]),), order=1, modes=["rev"])
