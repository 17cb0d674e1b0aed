"""The bias gradient's sum, against NumPy's; the sum of squares, against exactly rounded sums."""

import math

import numpy
import pytest

from minigrad.kernels import channel_sum, sum_of_squares


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 0, 3, 1)], ids=["as given", "H, N, W, C"])
@pytest.mark.parametrize("shape", [(3, 4, 5, 6), (0, 2, 3, 3), (1, 1, 1, 1), (2, 3, 0, 4)])
def test_channel_sum_is_the_sum_over_images_and_pixels(shape, order):
    y = numpy.random.default_rng(0).normal(size=shape)
    laid_out = numpy.ascontiguousarray(y.transpose(order)).transpose(numpy.argsort(order))
    numpy.testing.assert_allclose(channel_sum(laid_out), y.sum(axis=(0, 2, 3)), atol=1e-12)
    assert channel_sum(laid_out.astype("float32")).dtype == "float32"


@pytest.mark.parametrize("shape", [(7, 5), (0, 5), (7, 0), (1, 600)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_channel_sum_of_samples_is_the_sum_over_them(shape, order):
    y = numpy.asarray(numpy.random.default_rng(0).normal(size=shape), order=order)
    numpy.testing.assert_allclose(channel_sum(y), y.sum(axis=0), atol=1e-12)


NORMAL = numpy.random.default_rng(0).normal(size=(12, 9, 8, 7))  # several blocks and a rest
LAYOUTS = {
    "rows": NORMAL,
    "columns": numpy.asfortranarray(NORMAL),
    "axes in another order": numpy.ascontiguousarray(NORMAL.transpose(2, 0, 3, 1)).transpose(
        1, 3, 0, 2
    ),
    "every second": NORMAL[::2, :, 1:],
    "backwards": NORMAL[::-1, :, ::-1],
    "repeated": numpy.broadcast_to(NORMAL[:1], NORMAL.shape),
    "one number": NORMAL[0, 0, 0, 0, ...],
    "nothing": NORMAL[:0],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sum_of_squares_is_right_in_every_memory_layout(layout):
    x = LAYOUTS[layout]
    expected = math.fsum(value * value for value in x.ravel().tolist())
    result = sum_of_squares(x)
    assert (result.shape, result.dtype) == ((), "float64")
    assert float(result) == pytest.approx(expected, rel=1e-14)


def test_sum_of_squares_of_many_small_numbers_keeps_single_precision():
    x = numpy.full(5_000_000, 0.1, dtype="float32")
    x[0] = 1000.0  # one running float32 sum from here would round every following square to 0.03
    result = sum_of_squares(x)
    assert result.dtype == "float32"
    exact = 1e6 + (x.size - 1) * float(x[1]) ** 2
    assert float(result) == pytest.approx(exact, rel=2e-6)


def test_sum_of_squares_lets_infinity_and_not_a_number_through():
    assert sum_of_squares(numpy.array([1.0, -numpy.inf])) == numpy.inf
    assert numpy.isnan(sum_of_squares(numpy.array([1.0, numpy.nan])))
