"""tinygrad."""

from __future__ import annotations

import math

from tinygrad import Tensor

from .data import DEPTH, chain, digest, images, kernel


def deep_chain() -> bool:
    x = Tensor([1.0]).realize()
    (gradient,) = chain(x).sum().gradient(x)
    return gradient.item() == DEPTH + 1


def second_derivative() -> bool:
    x, weight = Tensor(images()), Tensor(kernel())
    (first,) = (x.conv2d(weight, stride=2) ** 3).sum().gradient(weight)
    (second,) = (first * first).sum().gradient(weight)
    return math.isfinite(second.square().sum().item())


def transposed_convolution() -> bool:
    x, weight = Tensor(images()), Tensor(kernel()[:3])
    (gradient,) = x.conv_transpose2d(weight, stride=2).sum().gradient(weight)
    return gradient.numpy().shape == weight.shape


def change_in_place() -> bool:
    x, weight = Tensor([2.0]).realize(), Tensor([3.0]).realize()
    y = (x * weight).sum().realize()
    x.assign(Tensor([5.0])).realize()
    try:
        (gradient,) = y.gradient(weight)
    except RuntimeError:
        return True
    return gradient.item() == 2


def gradient_bits() -> str:
    weight = Tensor(kernel())
    (gradient,) = (Tensor(images()).conv2d(weight) ** 2).mean().gradient(weight)
    return digest(gradient.numpy())
