"""The bias gradient's sum, against NumPy's sum over three axes."""

import numpy
import pytest

from minigrad.kernels import channel_sum


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
