"""Mistakes planted in an operation of the library: on the stand-in each makes the check fail.

Every plant passes on the CPU, where it hides.
"""

import numpy
import pytest
from cupy_standin import counters, installed

from minigrad import Tensor, functional
from minigrad.backend import array_module, device, to_device
from minigrad.functional.elementwise import Exp

VALUES = numpy.random.default_rng(0).normal(size=(4, 3)).astype("float32")


def exponential_and_gradient(place):
    """``exp`` of a transposed array and the gradient of its sum, without a look at a value."""
    x = Tensor(to_device(VALUES, place).T, requires_grad=True)
    with counters.no_waits():
        result = functional.exp(x)
        result.sum().backward()
    return result.data, x.grad.data


def check(place):
    """What the tests of an operation assert on any device."""
    for array in exponential_and_gradient(place):
        host = array if isinstance(array, numpy.ndarray) else array.get()
        numpy.testing.assert_allclose(host, numpy.exp(VALUES.T), rtol=1e-6)


def stray_numpy_call(self, x):
    return numpy.exp(x)


def stray_host_array(self, x):
    result = numpy.zeros(x.shape, x.dtype)
    result[...] = array_module(x).exp(x)
    return result


def list_as_operand(self, x):
    result = array_module(x).exp(x)
    result *= [1.0]
    return result


def host_wait(self, x):
    xp = array_module(x)
    return xp.exp(x) if float(xp.abs(x).max()) < 80 else xp.minimum(xp.exp(x), 1e30)


def wait_hidden_in_a_mask(self, x):
    result = array_module(x).exp(x)
    result[x > 80] = 1e30
    return result


def layout_taken_for_granted(self, x):
    xp = array_module(x)
    result = xp.exp(x)  # in NumPy it has the strides of x
    return xp.lib.stride_tricks.as_strided(result, x.shape, x.strides)


def uninitialised_memory(self, x):
    xp = array_module(x)
    result = xp.zeros(x.shape, x.dtype) if xp is numpy else xp.empty(x.shape, x.dtype)
    result += xp.exp(x)
    return result


def write_through_a_broadcast_view(self, x):
    xp = array_module(x)
    result = xp.zeros((1, *x.shape), x.dtype)
    view = xp.lib.stride_tricks.as_strided(result, (2, *x.shape), (0, *result.strides[1:]))
    view[...] = xp.exp(x)
    return result[0]


def last_duplicate_wins(self, x):
    xp = array_module(x)
    result = xp.zeros_like(x)
    result[xp.asarray([0, 1, 2, 0, 1, 2])] = xp.concatenate((-x, xp.exp(x)))
    return result


def argument_of_numpy_only(self, x):
    return array_module(x).exp(x, where=True)


def name_of_numpy_only(self, x):
    with array_module(x).errstate(over="ignore"):
        return array_module(x).exp(x)


PLANTS = {
    stray_numpy_call: (TypeError, r"numpy\.exp was called on an array of the device"),
    stray_host_array: (TypeError, "Implicit conversion to a NumPy array"),
    list_as_operand: (TypeError, "unsupported operand"),
    host_wait: (AssertionError, "the host waits for the device"),
    wait_hidden_in_a_mask: (AssertionError, "the host waits for the device"),
    layout_taken_for_granted: (AssertionError, "Not equal to tolerance"),
    uninitialised_memory: (AssertionError, "nan location mismatch"),
    write_through_a_broadcast_view: (ValueError, "race"),
    last_duplicate_wins: (AssertionError, "Not equal to tolerance"),
    argument_of_numpy_only: (TypeError, "Wrong arguments where"),
    name_of_numpy_only: (AttributeError, "'cupy' has no attribute 'errstate'"),
}


def test_the_operation_itself_passes_on_every_device():
    check(device("cpu"))
    with installed():
        check(device("cuda"))


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_mistake_hides_on_the_cpu_and_fails_on_the_stand_in(monkeypatch, plant):
    monkeypatch.setattr(Exp, "forward", plant)
    check(device("cpu"))
    error, message = PLANTS[plant]
    with installed():
        place = device("cuda")
        with pytest.raises(error, match=message):
            check(place)
