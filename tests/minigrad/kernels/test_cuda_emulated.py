"""The CUDA kernels, compiled for the CPU and run there, against the definition in loops."""

from __future__ import annotations

import emulation
import numpy
import pytest
from emulated import Emulated
from geometries import CASES, make

from minigrad.kernels import (
    conv2d_reference,
    conv2d_weight_grad_reference,
    conv_transpose2d_reference,
    relu_grad_reference,
    relu_reference,
)

pytestmark = pytest.mark.skipif(emulation.missing() is not None, reason=str(emulation.missing()))

TOLERANCE = {"float64": 1e-12, "float32": 2e-5}


@pytest.mark.parametrize("name", CASES)
def test_each_map_equals_its_definition_in_loops(name):
    x, weight, y, in_bias, out_bias, geometry = make(CASES[name])
    expected = (
        conv2d_reference(x, weight, geometry, out_bias),
        conv_transpose2d_reference(y, weight, geometry, in_bias),
        conv2d_weight_grad_reference(x, y, geometry),
    )
    for dtype, tolerance in TOLERANCE.items():
        card = Emulated()
        arrays = (array.astype(dtype) for array in (x, weight, y, in_bias, out_bias))
        x, weight, y, in_bias, out_bias = arrays
        found = (
            card.conv2d(x, weight, geometry, out_bias),
            card.conv_transpose2d(y, weight, geometry, in_bias),
            card.conv2d_weight_grad(x, y, geometry),
        )
        for result, value in zip(found, expected, strict=True):
            numpy.testing.assert_allclose(result, value, rtol=tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_relu_and_its_gradient_equal_the_definition_also_where_not_finite(dtype):
    rng = numpy.random.default_rng(0)
    x, gradient = rng.standard_normal((2, 3, 100)).astype(dtype)
    x[0, :3], gradient[:, 5] = (numpy.nan, numpy.inf, -numpy.inf), numpy.inf
    y = relu_reference(x)
    numpy.testing.assert_array_equal(Emulated().relu(x), y)
    numpy.testing.assert_array_equal(
        Emulated().relu_grad(y, gradient), relu_grad_reference(y, gradient)
    )
