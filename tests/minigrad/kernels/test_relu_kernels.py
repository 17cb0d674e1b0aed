"""ReLU and its gradient against the element-by-element definition and PyTorch."""

from __future__ import annotations

import numpy
import pytest

from minigrad.kernels import relu, relu_grad, relu_grad_reference, relu_reference

SHAPES = [(), (1,), (0,), (3, 0, 2), (7,), (4, 5), (2, 3, 4, 5), (1, 8, 1, 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_relu_and_its_gradient_equal_the_definition(shape, dtype):
    rng = numpy.random.default_rng(0)
    x, gradient = (numpy.asarray(rng.standard_normal(shape)).astype(dtype) for _ in range(2))
    y = relu(x)
    assert (y.dtype, y.shape) == (dtype, shape)
    numpy.testing.assert_array_equal(y, relu_reference(x))
    result = relu_grad(y, gradient)
    assert (result.dtype, result.shape) == (dtype, shape)
    numpy.testing.assert_array_equal(result, relu_grad_reference(y, gradient))


@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (2, 0, 3, 1), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_relu_and_its_gradient_keep_the_memory_order(axes):
    rng = numpy.random.default_rng(1)
    back = numpy.argsort(axes)
    x, gradient = (rng.standard_normal((2, 3, 4, 5)).transpose(back) for _ in range(2))
    y = relu(x)
    assert y.strides == x.strides
    numpy.testing.assert_array_equal(y, relu_reference(x))
    result = relu_grad(y, gradient)
    assert result.strides == x.strides
    numpy.testing.assert_array_equal(result, relu_grad_reference(y, gradient))


def test_views_of_any_kind_are_accepted():
    rng = numpy.random.default_rng(2)
    wide = rng.standard_normal((6, 9))
    for view in (wide[::2, 1::3], wide[::-1, ::-1], numpy.broadcast_to(wide[0], (4, 9)), wide.T):
        y = relu(view)
        numpy.testing.assert_array_equal(y, relu_reference(view))
        numpy.testing.assert_array_equal(relu_grad(y, view), relu_grad_reference(y, view))


def test_special_values():
    x = numpy.array([-0.0, 0.0, numpy.inf, -numpy.inf, numpy.nan])
    numpy.testing.assert_array_equal(relu(x), [0.0, 0.0, numpy.inf, 0.0, numpy.nan])
    gradient = numpy.array([numpy.inf, numpy.nan, numpy.inf, -numpy.inf, 1.0])
    numpy.testing.assert_array_equal(
        relu_grad(numpy.array([0.0, 0.0, 1.0, 2.0, 0.0]), gradient),
        [0.0, 0.0, numpy.inf, -numpy.inf, 0.0],
    )


def test_inputs_are_never_written():
    x = numpy.array([-1.0, 2.0])
    x.flags.writeable = False
    y = relu(x)
    y.flags.writeable = False
    relu_grad(y, x)
    numpy.testing.assert_array_equal(x, [-1.0, 2.0])


def test_relu_equals_pytorch():
    torch = pytest.importorskip("torch")
    rng = numpy.random.default_rng(3)
    x = torch.from_numpy(rng.standard_normal((3, 4, 5))).requires_grad_()
    gradient = torch.from_numpy(rng.standard_normal((3, 4, 5)))
    y = torch.relu(x)
    (expected,) = torch.autograd.grad(y, x, gradient)
    numpy.testing.assert_array_equal(relu(x.detach().numpy()), y.detach().numpy())
    numpy.testing.assert_array_equal(relu_grad(y.detach().numpy(), gradient.numpy()), expected)
