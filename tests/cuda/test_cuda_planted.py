"""Mistakes planted in operations, kernels and an optimiser: each fails a check on the stand-in.

Every plant passes on the CPU, where it hides. A wait in the training loop is planted in
``test_cuda_budget.py``.
"""

import numpy
import pytest
from cupy_standin import counters, installed

import minigrad
from minigrad import Tensor, nn, optim
from minigrad import functional as F
from minigrad.backend import array_module, to_device, to_numpy, use_device
from minigrad.functional.elementwise import Exp, Relu
from minigrad.kernels import cuda, gpu, unfold
from minigrad.kernels import geometry as padding
from minigrad.parallel import shard_gradients

IMAGES = numpy.random.default_rng(0).standard_normal((4, 2, 6, 7)).astype("float32")
VALUES = numpy.random.default_rng(0).normal(size=(4, 3)).astype("float32")


def trained(place):
    """The weights after two steps, made without a look at a value."""
    minigrad.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(4, 4, 2, stride=2, dilation=2),
        nn.ReLU(),
        nn.Conv2d(4, 2, 3, stride=2),
    ).to(place)
    parameters = list(model.parameters())
    optimizer = optim.Adam(parameters, lr=0.01)
    x = to_device(IMAGES, place)

    def loss(x):
        return F.mse_loss(model(x), x[:, :, :6, :7])

    with counters.no_waits():
        for _ in range(2):
            _, gradients = shard_gradients(loss, parameters, [x], shard_size=len(IMAGES))
            optimizer.step(gradients)
    return model.state_dict()


@pytest.fixture(scope="module")
def expected():
    return trained("cpu")


def check_step(place, expected):
    for name, value in trained(place).items():
        numpy.testing.assert_allclose(value, expected[name], rtol=1e-3, atol=1e-5, err_msg=name)


def check_exponential(place, expected):
    """``exp`` of a transposed array and the gradient of its sum, without a look at a value."""
    with use_device(minigrad.device(place)):
        x = Tensor(to_device(VALUES, place).T, requires_grad=True)
        with counters.no_waits():
            result = F.exp(x)
            result.sum().backward()
        for array in (result.data, x.grad.data):
            numpy.testing.assert_allclose(to_numpy(array), numpy.exp(VALUES.T), rtol=1e-6)


PLANTS = {}


def plant(*places, error, words, has_kernels=True):
    """Register what takes the place of functions: each an owner and a name.

    Unless the step ``has_kernels``, array code computes convolutions.
    """

    def register(function):
        PLANTS[function.__name__] = function, places, error, words, has_kernels
        return function

    return register


EXP, RELU = (Exp, "forward"), (Relu, "forward")
ADAM, ZEROS = (optim.Adam, "update"), ((padding, "zero_images"), (unfold, "zero_images"))
WAITS = dict(error=AssertionError, words="the host waits for the device")
WRONG = dict(error=AssertionError, words="Not equal to tolerance")
GARBAGE = dict(error=AssertionError, words="nan location mismatch")
update, by_hand, by_gpu = optim.Adam.update, gpu.by_hand, gpu.adam
weight_gradient = unfold.weight_gradient_of_windows


@plant(EXP, error=TypeError, words=r"numpy\.exp was called on an array of the device")
def stray_numpy_call(self, x):
    return numpy.exp(x)


@plant(EXP, error=TypeError, words="Implicit conversion to a NumPy array")
def stray_host_array(self, x):
    result = numpy.zeros(x.shape, x.dtype)
    result[...] = array_module(x).exp(x)
    return result


@plant(EXP, error=TypeError, words="unsupported operand")
def list_as_operand(self, x):
    result = array_module(x).exp(x)
    result *= [1.0]
    return result


@plant(EXP, **WAITS)
def host_wait(self, x):
    xp = array_module(x)
    return xp.exp(x) if float(xp.abs(x).max()) < 80 else xp.minimum(xp.exp(x), 1e30)


@plant(EXP, **WAITS)
def wait_hidden_in_a_mask(self, x):
    result = array_module(x).exp(x)
    result[x > 80] = 1e30
    return result


@plant(EXP, **WRONG)
def layout_taken_for_granted(self, x):
    xp = array_module(x)
    result = xp.exp(x)  # in NumPy it has the strides of x
    return xp.lib.stride_tricks.as_strided(result, x.shape, x.strides)


@plant(EXP, **GARBAGE)
def uninitialised_memory(self, x):
    xp = array_module(x)
    result = xp.zeros(x.shape, x.dtype) if xp is numpy else xp.empty(x.shape, x.dtype)
    result += xp.exp(x)
    return result


@plant(EXP, error=ValueError, words="race")
def write_through_a_broadcast_view(self, x):
    xp = array_module(x)
    result = xp.zeros((1, *x.shape), x.dtype)
    view = xp.lib.stride_tricks.as_strided(result, (2, *x.shape), (0, *result.strides[1:]))
    view[...] = xp.exp(x)
    return result[0]


@plant(EXP, **WRONG)
def last_duplicate_wins(self, x):
    xp = array_module(x)
    result = xp.zeros_like(x)
    result[xp.asarray([0, 1, 2, 0, 1, 2])] = xp.concatenate((-x, xp.exp(x)))
    return result


@plant(EXP, error=TypeError, words="Wrong arguments where")
def argument_of_numpy_only(self, x):
    return array_module(x).exp(x, where=True)


@plant(EXP, error=AttributeError, words="'cupy' has no attribute 'errstate'")
def name_of_numpy_only(self, x):
    with array_module(x).errstate(over="ignore"):
        return array_module(x).exp(x)


@plant(
    *ZEROS,
    error=TypeError,
    words="Implicit conversion|must be on one device|numpy",
    has_kernels=False,
)
def stray_numpy_call_in_array_code(like, size):
    zeros = numpy.zeros((size[0], like.shape[0], size[1], like.shape[1]), like.dtype)
    return zeros.transpose(1, 3, 0, 2)


@plant(*ZEROS, **GARBAGE, has_kernels=False)
def uninitialised_memory_in_array_code(like, size):
    xp = array_module(like)
    make = xp.zeros if xp is numpy else xp.empty  # NumPy's fresh memory is mostly zeros
    images = make((size[0], like.shape[0], size[1], like.shape[1]), like.dtype)
    return images.transpose(1, 3, 0, 2)


@plant(
    (unfold, "weight_gradient_of_windows"),
    error=AssertionError,
    words="the host waits for the device at test_cuda_planted",
    has_kernels=False,
)
def host_wait_in_array_code(x, y, geometry):
    if not bool(array_module(y).isfinite(y).all()):
        raise FloatingPointError
    return weight_gradient(x, y, geometry)


@plant(RELU, error=TypeError, words=r"numpy\.maximum was called on an array")
def stray_numpy_call_in_a_step(self, x):
    self.y = numpy.maximum(x, x.dtype.type(0))
    return self.y


@plant(RELU, error=(AssertionError, ValueError), words="Not equal|reach outside the memory")
def layout_taken_for_granted_in_a_step(self, x):
    xp = array_module(x)
    y = xp.maximum(x, x.dtype.type(0))  # in NumPy it has the strides of x
    self.y = xp.lib.stride_tricks.as_strided(y, x.shape, x.strides)
    return self.y


@plant(ADAM, error=TypeError, words=r"numpy\.clip was called on an array")
def stray_numpy_call_in_an_optimiser(self, group, step, values, gradient, memory):
    update(self, group, step, values, gradient, memory)
    numpy.clip(values, -100, 100, out=values)


@plant(ADAM, **WAITS)
def host_wait_in_an_optimiser(self, group, step, values, gradient, memory):
    if float(array_module(gradient).abs(gradient).max()) < 1e6:
        update(self, group, step, values, gradient, memory)


@plant(
    (gpu, "_sum_of_parts"),
    error=TypeError,
    words="should be a cupy.ndarray of float32, got a numpy",
)
def host_memory_for_a_kernel(cupy, parts):
    result = numpy.empty(parts.shape[1:], parts.dtype)
    cuda.sum_parts_launch(len(parts), result.size)(parts, result)
    return result


@plant((gpu, "_channels_last"), **WRONG)
def memory_order_taken_for_granted_by_a_kernel(cupy, x):
    return x


@plant((gpu, "adam"), **WRONG)
def numbers_of_a_kernel_in_another_order(*arguments):
    *others, (lr, beta1, beta2, eps, decay), decoupled = arguments
    return by_gpu(*others, (lr, beta2, beta1, eps, decay), decoupled)


@plant((cuda.Launch, "typed_sizes"), error=TypeError, words="should be a number of int32, got int")
def sizes_of_another_type_for_a_kernel(self):
    return self.sizes


@plant((gpu, "_sum_of_parts"), **GARBAGE)
def a_launch_left_out(cupy, parts):
    return cupy.empty_like(parts[0])


@plant((gpu, "by_hand"), **WAITS)
def host_wait_before_a_kernel(*arrays, launch=None):
    is_small = float(arrays[0].ravel()[0]) < 1e6
    return by_hand(*arrays, launch=launch) if is_small else None


@pytest.mark.parametrize("check", [check_step, check_exponential])
def test_what_is_checked_passes_on_every_device(check, expected):
    check("cpu", expected)
    with installed():
        check("cuda", expected)
        check("cuda:1", expected)


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_mistake_hides_on_the_cpu_and_fails_on_the_stand_in(name, monkeypatch, expected):
    function, places, error, words, has_kernels = PLANTS[name]
    check = check_exponential if EXP in places else check_step
    for owner, attribute in places:
        is_method = callable(getattr(owner, attribute))
        monkeypatch.setattr(owner, attribute, function if is_method else property(function))
    if not has_kernels:
        monkeypatch.setattr(gpu, "by_hand", lambda *arrays, launch=None: None)
    check("cpu", expected)
    with installed(), pytest.raises(error, match=words):
        check("cuda", expected)
