"""Mistakes planted in kernels, an operation and an optimiser: a training step shows each of them.

Every plant passes on the CPU, where it hides. Those in a single operation are in
``tests/standin/test_standin_planted.py``, a wait in the training loop in ``test_cuda_budget.py``.
"""

import numpy
import pytest
from cupy_standin import counters, installed

import minigrad
from minigrad import functional as F
from minigrad import nn, optim
from minigrad.backend import array_module, to_device
from minigrad.functional.elementwise import Relu
from minigrad.kernels import cuda, gpu, unfold
from minigrad.kernels import geometry as padding
from minigrad.parallel import shard_gradients

IMAGES = numpy.random.default_rng(0).standard_normal((4, 2, 6, 7)).astype("float32")


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


def check(place, expected):
    for name, value in trained(place).items():
        numpy.testing.assert_allclose(value, expected[name], rtol=1e-3, atol=1e-5, err_msg=name)


def host_zeros(like, size):
    zeros = numpy.zeros((size[0], like.shape[0], size[1], like.shape[1]), like.dtype)
    return zeros.transpose(1, 3, 0, 2)


def without_kernels(patch):
    patch.setattr(gpu, "by_hand", lambda *arrays, launch=None: None)


def stray_numpy_call_in_array_code(patch):
    without_kernels(patch)
    patch.setattr(padding, "zero_images", host_zeros)
    patch.setattr(unfold, "zero_images", host_zeros)


def stray_numpy_call_in_an_operation(patch):
    def forward(self, x):
        self.y = numpy.maximum(x, x.dtype.type(0))
        return self.y

    patch.setattr(Relu, "forward", forward)


def stray_numpy_call_in_an_optimiser(patch):
    update = optim.Adam.update

    def clipped(self, group, step, values, gradient, memory):
        update(self, group, step, values, gradient, memory)
        numpy.clip(values, -100, 100, out=values)

    patch.setattr(optim.Adam, "update", clipped)


def host_wait_in_array_code(patch):
    without_kernels(patch)
    weight_gradient = unfold.weight_gradient_of_windows

    def careful(x, y, geometry):
        if not bool(array_module(y).isfinite(y).all()):
            raise FloatingPointError
        return weight_gradient(x, y, geometry)

    patch.setattr(unfold, "weight_gradient_of_windows", careful)


def host_wait_in_an_optimiser(patch):
    update = optim.Adam.update

    def careful(self, group, step, values, gradient, memory):
        if float(array_module(gradient).abs(gradient).max()) < 1e6:
            update(self, group, step, values, gradient, memory)

    patch.setattr(optim.Adam, "update", careful)


def layout_taken_for_granted(patch):
    def forward(self, x):
        xp = array_module(x)
        y = xp.maximum(x, x.dtype.type(0))  # in NumPy it has the strides of x
        self.y = xp.lib.stride_tricks.as_strided(y, x.shape, x.strides)
        return self.y

    patch.setattr(Relu, "forward", forward)


def uninitialised_memory(patch):
    without_kernels(patch)

    def images(like, size):
        xp = array_module(like)
        make = xp.zeros if xp is numpy else xp.empty  # NumPy's fresh memory is mostly zeros
        return make((size[0], like.shape[0], size[1], like.shape[1]), like.dtype).transpose(
            1, 3, 0, 2
        )

    patch.setattr(padding, "zero_images", images)
    patch.setattr(unfold, "zero_images", images)


def host_memory_for_a_kernel(patch):
    def on_the_host(cupy, parts):
        result = numpy.empty(parts.shape[1:], parts.dtype)
        cuda.sum_parts_launch(len(parts), result.size)(parts, result)
        return result

    patch.setattr(gpu, "_sum_of_parts", on_the_host)


def memory_order_taken_for_granted_by_a_kernel(patch):
    patch.setattr(gpu, "_channels_last", lambda cupy, x: x)


def numbers_of_a_kernel_in_another_order(patch):
    adam = gpu.adam

    def swapped(*arguments):
        *others, (lr, beta1, beta2, eps, decay), decoupled = arguments
        return adam(*others, (lr, beta2, beta1, eps, decay), decoupled)

    patch.setattr(gpu, "adam", swapped)


def sizes_of_another_type_for_a_kernel(patch):
    patch.setattr(cuda.Launch, "typed_sizes", property(lambda self: self.sizes))


def a_launch_left_out(patch):
    patch.setattr(gpu, "_sum_of_parts", lambda cupy, parts: cupy.empty_like(parts[0]))


def host_wait_before_a_kernel(patch):
    by_hand = gpu.by_hand

    def careful(*arrays, launch=None):
        is_small = float(arrays[0].ravel()[0]) < 1e6
        return by_hand(*arrays, launch=launch) if is_small else None

    patch.setattr(gpu, "by_hand", careful)


PLANTS = {
    host_memory_for_a_kernel: (TypeError, "should be a cupy.ndarray of float32, got a numpy"),
    memory_order_taken_for_granted_by_a_kernel: (AssertionError, "Not equal"),
    numbers_of_a_kernel_in_another_order: (AssertionError, "Not equal"),
    sizes_of_another_type_for_a_kernel: (TypeError, "should be a number of int32, got int"),
    a_launch_left_out: (AssertionError, "nan location mismatch"),
    host_wait_before_a_kernel: (AssertionError, "the host waits for the device"),
    stray_numpy_call_in_array_code: (TypeError, "Implicit conversion|must be on one device|numpy"),
    stray_numpy_call_in_an_operation: (TypeError, r"numpy\.maximum was called on an array"),
    stray_numpy_call_in_an_optimiser: (TypeError, r"numpy\.clip was called on an array"),
    host_wait_in_array_code: (AssertionError, "the host waits for the device at test_cuda_planted"),
    host_wait_in_an_optimiser: (AssertionError, "the host waits for the device"),
    layout_taken_for_granted: ((AssertionError, ValueError), "Not equal|reach outside the memory"),
    uninitialised_memory: (AssertionError, "nan location mismatch"),
}


def test_the_step_itself_passes_on_every_device(expected):
    check("cpu", expected)
    with installed():
        check("cuda", expected)
        check("cuda:1", expected)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_mistake_hides_on_the_cpu_and_fails_on_the_stand_in(plant, monkeypatch, expected):
    plant(monkeypatch)
    check("cpu", expected)
    error, message = PLANTS[plant]
    with installed(), pytest.raises(error, match=message):
        check("cuda", expected)
