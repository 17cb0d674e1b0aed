"""The CUDA kernels, compiled for the CPU and run there, against the definition in loops."""

from __future__ import annotations

import emulation
import numpy
import pytest
from emulated import Emulated
from geometries import CASES, definition, make, maps
from planted_faults import adam_formula, adam_steps

from minigrad import kernels
from minigrad.kernels import (
    Geometry,
    conv2d_reference,
    conv_transpose2d_reference,
    cuda,
    relu_grad_reference,
    relu_reference,
)

pytestmark = pytest.mark.skipif(emulation.missing() is not None, reason=str(emulation.missing()))

TOLERANCE = {"float64": 1e-12, "float32": 2e-5}
each_precision = pytest.mark.parametrize("dtype", TOLERANCE)


def on_card(case, dtype="float64", **options):
    """What the three kernels make of a case."""
    *arrays, geometry = make(case, dtype)
    return maps(Emulated(**options).maps, arrays, geometry)


def close(found, expected, dtype="float64"):
    for result, value in zip(found, expected, strict=True):
        assert (result.dtype, result.shape) == (dtype, value.shape)
        tolerance = TOLERANCE[dtype]
        numpy.testing.assert_allclose(result, value, rtol=tolerance, atol=10 * tolerance)


def tiles(case):
    """The tiles that the three kernels take for a case."""
    images, in_group, out_group, options = case
    geometry = Geometry(**options)
    sizes = geometry, images, in_group * geometry.groups, out_group * geometry.groups
    return [
        cuda.conv2d_launch(*sizes).macros,
        cuda.conv_transpose2d_launch(*sizes).macros,
        cuda.conv2d_weight_grad_launch(*sizes)[0].macros,
    ]


@pytest.fixture
def blocks_enough(monkeypatch):
    """Say how many blocks are enough; if it is 1, small layers take the tiles of large ones."""
    caches = [thing.cache_clear for name, thing in vars(cuda).items() if "_launch" in name]

    def choose(number):
        monkeypatch.setattr(cuda, "BLOCKS_ENOUGH", number)
        for clear in caches:
            clear()

    usual = cuda.BLOCKS_ENOUGH
    yield choose
    choose(usual)


@pytest.mark.parametrize("name", CASES)
def test_each_map_equals_its_definition_in_loops(name):
    close(on_card(CASES[name]), definition(name))


@pytest.mark.parametrize("name", CASES)
def test_large_tiles_in_single_precision_give_the_definition_too(name, blocks_enough):
    blocks_enough(1)
    close(on_card(CASES[name], "float32"), definition(name), "float32")


def test_both_tests_together_take_every_tile(blocks_enough):
    taken = {}
    for number in (1, 256):
        blocks_enough(number)
        taken[number] = {tile for case in CASES.values() for tile in tiles(case)[:2]}
    assert len(taken[256]) == len(taken[1] - taken[256]) == 2


def test_indices_of_64_bits_give_the_same_bits():
    for name in ("groups, many channels", "asymmetric same padding", "random 3"):
        for found, wide in zip(on_card(CASES[name]), on_card(CASES[name], least_bits=64)):
            numpy.testing.assert_array_equal(found, wide)


def test_results_do_not_depend_on_the_order_in_which_threads_and_blocks_run():
    """Nor on the tile: a sum runs over the depth in order, whoever adds it up."""
    case = (9, 5, 9, dict(input_size=(9, 9), kernel_size=(3, 3), output_size=(9, 9)))
    case[3].update(padding=(1, 1), groups=2)
    first = on_card(case)
    for seed in (1, 2, 3):
        for found, again in zip(first, on_card(case, seed=seed)):
            numpy.testing.assert_array_equal(found, again)
    y = numpy.random.default_rng(0).standard_normal((40, 3, 9, 9)).astype("float32")
    sums = {Emulated(seed=seed).channel_sum(y).tobytes() for seed in range(5)}
    assert len(sums) == 1


def test_a_result_has_the_bits_of_any_tile(blocks_enough):
    case = (9, 5, 9, dict(input_size=(9, 9), kernel_size=(3, 3), output_size=(7, 7)))
    found = []
    for number in (1, 256):
        blocks_enough(number)
        found.append(on_card(case)[:2])
    for large, small in zip(*found):
        numpy.testing.assert_array_equal(large, small)


def test_a_missing_bias_adds_nothing_and_a_bias_reaches_pixels_that_no_window_does():
    x, weight, y, in_bias, _, geometry = make(CASES["inputs no output touches"])
    card = Emulated()
    for bias in (None, in_bias):
        expected = conv_transpose2d_reference(y, weight, geometry, bias)
        numpy.testing.assert_allclose(
            card.conv_transpose2d(y, weight, geometry, bias), expected, atol=1e-12
        )
    numpy.testing.assert_allclose(
        card.conv2d(x, weight, geometry), conv2d_reference(x, weight, geometry), atol=1e-12
    )


@pytest.mark.parametrize(
    "options",
    [
        dict(input_size=(28, 28), kernel_size=(5, 5), output_size=(24, 24)),
        dict(input_size=(20, 20), kernel_size=(4, 4), output_size=(9, 9), stride=(2, 2)),
        dict(input_size=(9, 9), kernel_size=(3, 3), output_size=(4, 4), stride=(2, 2)),
        dict(input_size=(4, 4), kernel_size=(4, 4), output_size=(1, 1)),
    ],
)
@pytest.mark.parametrize("channels", [(1, 32), (32, 32), (32, 8), (8, 32)])
def test_layers_of_the_lecture_equal_the_fast_form_in_double_precision(options, channels):
    """The loops would take minutes; other tests hold the fast form against them."""
    case = (2, *channels, options)
    *arrays, geometry = make(case)
    fast = (kernels.conv2d, kernels.conv_transpose2d, kernels.conv2d_weight_grad)
    for found, value in zip(on_card(case, "float32"), maps(fast, arrays, geometry)):
        error = numpy.sqrt(numpy.mean((found - value) ** 2) / numpy.mean(value**2))
        assert error < 1e-6


@each_precision
@pytest.mark.parametrize("sizes", [(1, 1, 1), (128, 784, 32), (5, 17, 9), (130, 16, 33), (3, 0, 2)])
def test_product_takes_either_operand_transposed(sizes, dtype):
    rows, depth, columns = sizes
    rng = numpy.random.default_rng(0)
    a, b = rng.standard_normal((rows, depth)), rng.standard_normal((depth, columns))
    bias = rng.standard_normal(columns)
    expected = numpy.einsum("mk,kn->mn", a, b)
    a, b, bias = (array.astype(dtype) for array in (a, b, bias))
    tolerance = TOLERANCE[dtype]
    for left in (a, numpy.asfortranarray(a)):
        for right in (b, numpy.asfortranarray(b)):
            for added in (None, bias):
                found = Emulated().product(left, right, added)
                value = expected if added is None else expected + bias
                numpy.testing.assert_allclose(
                    found, value, rtol=tolerance, atol=10 * tolerance * max(depth, 1) ** 0.5
                )


@each_precision
def test_relu_and_its_gradient_equal_the_definition_also_where_not_finite(dtype):
    rng = numpy.random.default_rng(0)
    x, gradient = rng.standard_normal((2, 3, 100)).astype(dtype)
    x[0, :3], gradient[:, 5] = (numpy.nan, numpy.inf, -numpy.inf), numpy.inf
    y = relu_reference(x)
    numpy.testing.assert_array_equal(Emulated().relu(x), y)
    numpy.testing.assert_array_equal(
        Emulated().relu_grad(y, gradient), relu_grad_reference(y, gradient)
    )


@each_precision
def test_channel_sums_equal_exact_sums_for_any_number_of_channels(dtype):
    rng = numpy.random.default_rng(0)
    for shape in (
        *((1, 1, 1, 1), (20, 1, 28, 28), (2, 3, 4, 5), (7, 33, 9, 9), (64, 16, 10, 10)),
        *((300, 32), (5, 70), (3000, 5)),
    ):
        y = rng.standard_normal(shape).astype(dtype)
        found = Emulated().channel_sum(y)
        axes = (0, 2, 3) if y.ndim == 4 else (0,)
        exact = y.astype("longdouble").sum(axis=axes)
        spread = numpy.sqrt((y.astype("float64") ** 2).sum(axis=axes)).max()
        eps = numpy.finfo(dtype).eps
        assert numpy.abs(found - exact).max() <= 20 * eps * spread


@each_precision
@pytest.mark.parametrize("decoupled", [False, True])
def test_adam_takes_the_papers_steps(dtype, decoupled):
    expected = adam_steps(adam_formula, decoupled=decoupled)
    found = adam_steps(Emulated().adam, dtype=dtype, decoupled=decoupled)
    assert found.dtype == dtype
    tolerance = {"float64": 1e-13, "float32": 2e-6}[dtype]
    numpy.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
