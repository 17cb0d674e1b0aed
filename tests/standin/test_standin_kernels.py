"""The kernels on the stand-in: the CPU's results, float32 kept, few launches, no waits."""

import numpy
import pytest
from cupy_standin import counters

from minigrad import kernels
from minigrad.backend import device_of, to_device, to_numpy

GEOMETRIES = {
    "plain": kernels.Geometry((6, 7), (3, 2), (4, 6)),
    "padded and strided": kernels.Geometry((6, 7), (3, 2), (4, 4), (2, 2), (2, 1)),
    "dilated groups": kernels.Geometry((6, 7), (3, 2), (2, 4), dilation=(2, 3), groups=2),
    "padding beyond the kernel": kernels.Geometry((6, 7), (3, 2), (9, 9), padding=(4, 4)),
    "no output": kernels.Geometry((6, 7), (3, 2), (0, 6)),
}
LAUNCHES = {"conv2d": 2, "conv_transpose2d": 2, "conv2d_weight_grad": 4}  # x and y to (N, H, W, C)


@pytest.mark.parametrize("images", [0, 2])
@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES.keys())
def test_convolutions_give_the_cpu_results_in_few_launches(cupy, geometry, images):
    rng = numpy.random.default_rng(0)
    x, weight, y, in_bias, out_bias = (
        rng.standard_normal(shape).astype("f")
        for shape in (
            (images, 4, *geometry.input_size),
            (6, 4 // geometry.groups, *geometry.kernel_size),
            (images, 6, *geometry.output_size),
            (4,),
            (6,),
        )
    )
    calls = {
        "conv2d": (x, weight, geometry, out_bias),
        "conv_transpose2d": (y, weight, geometry, in_bias),
        "conv2d_weight_grad": (x, y, geometry),
    }
    for name, arguments in calls.items():
        kernel = getattr(kernels, name)
        moved = [to_device(a, "cuda") if isinstance(a, numpy.ndarray) else a for a in arguments]
        with counters.measure() as used:
            result = kernel(*moved)
        assert device_of(result).type == "cuda"
        assert result.dtype == numpy.float32
        assert used.launches <= LAUNCHES[name], name
        assert used.waits == 0
        numpy.testing.assert_allclose(to_numpy(result), kernel(*arguments), rtol=1e-4, atol=1e-5)


def test_relu_gives_the_cpu_result_in_few_launches(cupy):
    rng = numpy.random.default_rng(0)
    x, gradient = rng.standard_normal((2, 3, 4, 5)).astype("f")
    x_moved, gradient_moved = to_device(x, "cuda"), to_device(gradient, "cuda")
    with counters.measure() as used:
        y = kernels.relu(x_moved)
        result = kernels.relu_grad(y, gradient_moved)
    assert (used.launches, used.waits) == (2, 0)
    assert result.dtype == numpy.float32
    numpy.testing.assert_array_equal(to_numpy(y), kernels.relu(x))
    numpy.testing.assert_array_equal(to_numpy(result), kernels.relu_grad(kernels.relu(x), gradient))
