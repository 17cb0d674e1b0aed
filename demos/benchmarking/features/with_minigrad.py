"""minigrad's words for the features."""

from __future__ import annotations

from collections.abc import Callable

import numpy

from minigrad import Operation, Tensor, detect_anomaly, grad
from minigrad.functional import conv2d, conv_transpose2d
from minigrad.gradcheck import GradcheckError, gradcheck
from minigrad.parallel import shard_gradients

from ..peers.with_minigrad import host
from . import FAULT, IMAGES, KERNEL

__all__ = ["CheckError", "array", "conv2d", "conv_transpose2d", "host"]

array = Tensor
CheckError = GradcheckError
NAN_MAKER = "log"


def gradient(f: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda x: grad(f(x.requires_grad_()), x, create_graph=True)[0]


def gradient_bits() -> numpy.ndarray:
    """In shards, as in training."""
    weight = Tensor(KERNEL, requires_grad=True)
    _, (found,) = shard_gradients(lambda x: (conv2d(x, weight) ** 2).mean(), [weight], [IMAGES])
    return found.numpy()


def make_nan() -> None:
    with detect_anomaly(), numpy.errstate(all="ignore"):
        (Tensor([-1.0]).log() * 2).exp()


class _Wrong(Operation):
    def forward(self, x):
        return x * x

    def backward(self, gradient):
        (x,) = self.saved
        return gradient * x * (2 * FAULT)


def wrong_square(x: Tensor) -> Tensor:
    return _Wrong()(x)


def check_gradient(f: Callable[[Tensor], Tensor]) -> None:
    gradcheck(f, [Tensor(numpy.array([1.0, 2.0]), requires_grad=True)])
