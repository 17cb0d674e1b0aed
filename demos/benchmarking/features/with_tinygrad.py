"""tinygrad's words for the features."""

from __future__ import annotations

from collections.abc import Callable

from tinygrad import Tensor

from ..peers.with_tinygrad import array

__all__ = ["array"]

host = Tensor.numpy
conv2d = Tensor.conv2d
conv_transpose2d = Tensor.conv_transpose2d
first_nan = gradient_check = None


def gradient(f: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda x: f(x).gradient(x)[0]


def change_in_place() -> bool:
    x, weight = array([2.0]), array([3.0])
    y = (x * weight).sum().realize()
    x.assign(Tensor([5.0])).realize()
    try:
        (found,) = y.gradient(weight)
    except RuntimeError:
        return True
    return found.item() == 2
