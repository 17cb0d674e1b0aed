"""Numbers get into tensors as they are."""

from __future__ import annotations

import numpy
import pytest

from minigrad import Tensor


@pytest.mark.parametrize("data", [0.1, [0.1, 1 / 3], [[1e300]]])
def test_python_numbers_asked_for_in_float64_lose_no_digit_on_the_way(data):
    assert numpy.array_equal(Tensor(data, dtype="float64").data, numpy.array(data))


def test_python_numbers_become_float32_unless_asked_otherwise():
    assert Tensor(0.1).dtype == numpy.float32
    assert Tensor([1, 2]).dtype == numpy.int64
    assert Tensor(numpy.array(0.1)).dtype == numpy.float64


def test_copy_takes_numbers_in_the_tensors_own_precision():
    x = Tensor(numpy.zeros(2))
    x.copy_([0.1, 1 / 3])
    assert x.data.tolist() == [0.1, 1 / 3]
