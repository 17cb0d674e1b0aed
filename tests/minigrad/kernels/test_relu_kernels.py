"""ReLU and its gradient against the element-by-element definition and PyTorch."""

import numpy
import pytest

from minigrad.backend import array_module, device_of, to_device, to_numpy, use_device
from minigrad.kernels import relu, relu_grad, relu_grad_reference, relu_reference

SHAPES = [(), (1,), (0,), (3, 0, 2), (7,), (4, 5), (2, 3, 4, 5), (1, 8, 1, 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_relu_and_its_gradient_equal_the_definition(shape, dtype, device):
    rng = numpy.random.default_rng(0)
    x, gradient = (numpy.asarray(rng.standard_normal(shape)).astype(dtype) for _ in range(2))
    with use_device(device):
        y = relu(to_device(x, device))
        result = relu_grad(y, to_device(gradient, device))
    for found, expected in (
        (y, relu_reference(x)),
        (result, relu_grad_reference(relu_reference(x), gradient)),
    ):
        assert (found.dtype, found.shape, device_of(found)) == (dtype, shape, device)
        numpy.testing.assert_array_equal(to_numpy(found), expected)


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


def test_views_of_any_kind_are_accepted(device):
    wide = numpy.random.default_rng(2).standard_normal((6, 9))
    moved = to_device(wide, device)
    views = [
        lambda a: a[::2, 1::3],
        lambda a: a[::-1, ::-1],
        lambda a: array_module(a).broadcast_to(a[0], (4, 9)),
        lambda a: a.T,
    ]
    with use_device(device):
        for view in views:
            host, y = view(wide), relu(view(moved))
            numpy.testing.assert_array_equal(to_numpy(y), relu_reference(host))
            numpy.testing.assert_array_equal(
                to_numpy(relu_grad(y, view(moved))), relu_grad_reference(relu(host), host)
            )


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
