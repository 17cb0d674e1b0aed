"""What an editor is told about the things a user holds, and that it is so.

This file is run like any test, and read by pyright (``.ci/run``), which fails where it infers
another type than the one written here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args, get_origin

import numpy

from autoencoder.models import AutoEncoder
from minigrad import Tensor, functional, grad, nn

if TYPE_CHECKING:
    from typing_extensions import assert_type
else:

    def assert_type(value, kind):
        """At run time: the value is of that type."""
        assert isinstance(value, get_origin(kind) or kind)
        if get_origin(kind) is tuple:
            assert all(isinstance(one, get_args(kind)[0]) for one in value)
        return value


def test_tensors():
    x = Tensor([[3.0, 4.0]], requires_grad=True)
    assert_type(x.data, numpy.ndarray)
    assert_type(x + 1, Tensor)
    assert_type(1 - x, Tensor)
    assert_type(2 / x, Tensor)
    assert_type(x @ x.T, Tensor)
    assert_type(x[0], Tensor)
    assert_type(x == 3, Tensor)
    assert_type(x != x, Tensor)
    assert_type(x < 4, Tensor)
    assert_type(x.exp().sum(), Tensor)
    assert_type(x.reshape(2, 1), Tensor)
    assert_type(functional.relu(x), Tensor)


def test_gradients():
    x = Tensor([3.0, 4.0], requires_grad=True)
    assert_type(grad((x * x).sum(), x), tuple[Tensor, ...])
    (x * x).sum().backward()
    found: Tensor = x.grad
    assert found.shape == (2,)


def test_models():
    x = Tensor(numpy.zeros((2, 1, 28, 28), "float32"))
    assert_type(nn.Sequential(nn.Flatten(), nn.Linear(784, 3))(x), Tensor)
    model = AutoEncoder(8)
    assert_type(model(x), Tensor)
    assert_type(model.encode(x), Tensor)
