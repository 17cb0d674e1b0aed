"""minigrad."""

from __future__ import annotations

import numpy

from minigrad import Operation, Tensor, detect_anomaly, grad
from minigrad import functional as F
from minigrad.gradcheck import GradcheckError, gradcheck
from minigrad.parallel import shard_gradients

from .data import DEPTH, FAULT, chain, digest, images, kernel


def deep_chain() -> bool:
    x = Tensor(1.0, requires_grad=True)
    chain(x).backward()
    return x.grad.item() == DEPTH + 1


def second_derivative() -> bool:
    x, weight = Tensor(images()), Tensor(kernel(), requires_grad=True)
    (first,) = grad((F.conv2d(x, weight, stride=2) ** 3).sum(), weight, create_graph=True)
    (second,) = grad((first * first).sum(), weight)
    return bool(numpy.isfinite(second.data).all())


def transposed_convolution() -> bool:
    x, weight = Tensor(images()), Tensor(kernel()[:3], requires_grad=True)
    (gradient,) = grad(F.conv_transpose2d(x, weight, stride=2).sum(), weight)
    return gradient.shape == weight.shape


def change_in_place() -> bool:
    x, weight = Tensor([2.0]), Tensor([3.0], requires_grad=True)
    y = x * weight
    x.copy_(Tensor([5.0]))
    try:
        y.backward()
    except RuntimeError:
        return True
    return weight.grad.item() == 2


def first_nan() -> bool:
    try:
        with detect_anomaly(), numpy.errstate(all="ignore"):
            (Tensor([-1.0]).log() * 2).exp()
    except FloatingPointError as error:
        return "log" in str(error)
    return False


class _Wrong(Operation):
    def forward(self, x):
        return x * x

    def backward(self, gradient):
        (x,) = self.saved
        return gradient * x * (2 * FAULT)


def gradient_check() -> bool:
    x = Tensor(numpy.array([1.0, 2.0]), requires_grad=True)
    try:
        gradcheck(lambda x: _Wrong()(x), [x])
    except GradcheckError:
        return gradcheck(lambda x: x * x, [x])
    return False


def gradient_bits() -> str:
    weight = Tensor(kernel(), requires_grad=True)
    _, (gradient,) = shard_gradients(
        lambda x: (F.conv2d(x, weight) ** 2).mean(),
        [weight],
        [images()],
    )
    return digest(gradient.data)
