"""The fast convolution kernels against the definition, scipy, PyTorch and their own adjoints."""

import itertools
import math

import numpy
import pytest
from geometries import CASES, definition, make, maps, sizes
from scipy import signal

from minigrad import kernels
from minigrad.backend import array_module, device_of, to_device, to_numpy, use_device
from minigrad.kernels import (
    Geometry,
    conv2d,
    conv2d_weight_grad,
    conv_transpose2d,
    unfold,
    winograd,
)

TOLERANCE = {"float64": 1e-12, "float32": 2e-5}


each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


FAST = (conv2d, conv_transpose2d, conv2d_weight_grad)
WHOLE_WINDOWS = (
    unfold.correlate_windows,
    unfold.spread_windows,
    unfold.weight_gradient_of_windows,
)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_each_map_equals_its_definition_in_loops(name, dtype, device):
    *arrays, geometry = make(CASES[name], dtype)
    with use_device(device):
        fast = maps(FAST, [to_device(array, device) for array in arrays], geometry)
    for found, expected in zip(fast, definition(name), strict=True):
        assert (found.dtype, found.shape, device_of(found)) == (dtype, expected.shape, device)
        numpy.testing.assert_allclose(
            to_numpy(found), expected, rtol=TOLERANCE[dtype], atol=10 * TOLERANCE[dtype]
        )


@pytest.mark.parametrize("name", CASES)
def test_array_code_gives_a_gpu_the_definition_too(name, gpu, monkeypatch):
    monkeypatch.setattr(kernels.gpu, "by_hand", lambda *arrays, launch=None: None)
    test_each_map_equals_its_definition_in_loops(name, "float64", gpu)


TILED = [name for name, (*_, options) in CASES.items() if winograd.fits(Geometry(**options))]


@pytest.mark.parametrize("name", TILED)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_products_of_polynomials_give_the_definition_also_where_they_do_not_pay(
    name, dtype, monkeypatch
):
    monkeypatch.setattr(winograd, "pays", lambda geometry, *channels: winograd.fits(geometry))
    test_each_map_equals_its_definition_in_loops(name, dtype, device_of(numpy.ones(1)))


def test_products_of_polynomials_are_tried_where_windows_differ_and_used_where_they_pay():
    geometries = [Geometry(**CASES[name][-1]) for name in TILED]
    assert len({geometry.kernel_size[0] for geometry in geometries}) >= 4
    assert (
        max(geometry.output_size[0] // (9 - geometry.kernel_size[0]) for geometry in geometries) > 2
    )
    assert any(geometry.padding[0] for geometry in geometries)
    assert any(geometry.padding[1] for geometry in geometries)
    layer = Geometry((24, 24), (5, 5), (20, 20))
    assert winograd.pays(layer, 32, 32)
    assert not winograd.pays(layer, 1, 32)
    assert not winograd.pays(Geometry((9, 9), (3, 3), (4, 4), stride=(2, 2)), 32, 32)


def test_products_of_polynomials_in_single_precision_are_exact_to_a_few_millionths(monkeypatch):
    *arrays, geometry = make(LARGE["a 5x5 layer"])
    assert winograd.pays(geometry, 32, 32)
    errors = {}
    for pays in (True, False):
        monkeypatch.setattr(winograd, "pays", lambda *_, pays=pays: pays)
        both = (maps(FAST, [array.astype(t) for array in arrays], geometry) for t in ("f8", "f4"))
        errors[pays] = [
            numpy.sqrt(((single - exact) ** 2).mean() / (exact**2).mean())
            for exact, single in zip(*both)
        ]
    assert 0 < min(errors[False]) < max(errors[True]) < 3e-6


LARGE = {
    "a 5x5 layer": (4, 32, 32, sizes((16, 16), (5, 5), (12, 12))),
    "one input channel": (16, 1, 32, sizes((16, 16), (5, 5), (12, 12))),
    "strides and groups": (8, 16, 24, sizes((11, 30), (4, 3), (4, 14), stride=(2, 2), groups=2)),
    "rows that divide badly": (1, 40, 40, sizes((5, 61), (3, 3), (3, 59))),
}


@pytest.mark.parametrize("case", LARGE.values(), ids=LARGE.keys())
@pytest.mark.parametrize("at_once", [1, 20_000, 1 << 20])
def test_products_cut_into_pieces_and_bands_equal_one_large_product(case, at_once, monkeypatch):
    *arrays, geometry = make(case)
    monkeypatch.setattr(unfold, "ELEMENTS_AT_ONCE", at_once)
    monkeypatch.setattr(winograd, "VALUES_AT_ONCE", at_once)
    pieces = maps(FAST, arrays, geometry)
    for found, whole in zip(pieces, maps(WHOLE_WINDOWS, arrays, geometry)):
        numpy.testing.assert_allclose(found, whole, rtol=1e-11, atol=1e-11)


@each_case
def test_the_three_maps_are_adjoint_to_rounding(case):
    x, weight, y, _, _, geometry = make(case, seed=1)
    by_output = float((conv2d(x, weight, geometry) * y).sum())
    by_input = float((conv_transpose2d(y, weight, geometry) * x).sum())
    by_weight = float((conv2d_weight_grad(x, y, geometry) * weight).sum())
    terms = math.sqrt(y.size * weight[0].size)
    assert by_input == pytest.approx(by_output, rel=1e-11, abs=1e-13 * terms)
    assert by_weight == pytest.approx(by_output, rel=1e-11, abs=1e-13 * terms)


SCIPY = (2, 3, 4, sizes((9, 11), (3, 4), (7, 8)))


@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
def test_conv2d_equals_scipy_correlate(stride):
    x, weight, *_ = make(SCIPY)
    whole = numpy.array(
        [[signal.correlate(image, kernel, mode="valid")[0] for kernel in weight] for image in x]
    )
    expected = whole[:, :, :: stride[0], :: stride[1]]
    geometry = Geometry((9, 11), (3, 4), expected.shape[2:], stride=stride)
    numpy.testing.assert_allclose(conv2d(x, weight, geometry), expected, atol=1e-12)


def test_conv_transpose2d_equals_scipy_full_convolution_and_the_weights_gradient_correlation():
    x, weight, y, *_, geometry = make(SCIPY)
    images, weights = numpy.zeros(x.shape), numpy.zeros(weight.shape)
    for n, c, o in itertools.product(range(2), range(3), range(4)):
        images[n, c] += signal.convolve2d(y[n, o], weight[o, c], mode="full")
        weights[o, c] += signal.correlate2d(x[n, c], y[n, o], mode="valid")
    numpy.testing.assert_allclose(conv_transpose2d(y, weight, geometry), images, atol=1e-12)
    numpy.testing.assert_allclose(conv2d_weight_grad(x, y, geometry), weights, atol=1e-12)


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups", "output_padding"),
    [
        ((1, 1), (0, 0), (1, 1), 1, 0),
        ((2, 2), (1, 1), (1, 1), 2, 1),
        ((2, 3), (1, 2), (1, 1), 1, (0, 2)),
        ((1, 1), (2, 0), (2, 1), 2, 0),
        ((3, 3), (4, 4), (2, 2), 1, 2),
    ],
)
def test_both_layers_equal_pytorch(stride, padding, dilation, groups, output_padding):
    torch = pytest.importorskip("torch")
    options = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    shapes = ((2, 6, 9, 8), (4, 6 // groups, 3, 2), (4,), (6,), (2, 4, 5, 6))
    rng = numpy.random.default_rng(3)
    arrays = [rng.standard_normal(shape) for shape in shapes]
    x, weight, bias, other_bias, z = (torch.from_numpy(a).requires_grad_() for a in arrays)
    y = torch.nn.functional.conv2d(x, weight, bias, **options)
    gradient = rng.standard_normal(y.shape)
    dx, dw = torch.autograd.grad(y, (x, weight), torch.from_numpy(gradient))
    image = torch.nn.functional.conv_transpose2d(
        z, weight, other_bias, output_padding=output_padding, **options
    )
    layer = Geometry((9, 8), (3, 2), tuple(y.shape[2:]), **options)
    transposed = Geometry(tuple(image.shape[2:]), (3, 2), (5, 6), **options)
    for found, expected in (
        (conv2d(arrays[0], arrays[1], layer, arrays[2]), y),
        (conv_transpose2d(gradient, arrays[1], layer), dx),
        (conv2d_weight_grad(arrays[0], gradient, layer), dw),
        (conv_transpose2d(arrays[4], arrays[1], transposed, arrays[3]), image),
    ):
        numpy.testing.assert_allclose(found, expected.detach(), atol=1e-12, rtol=1e-12)


def layouts(array):
    """The same values in other memory orders: reversed axes, channels last, flipped, strided."""
    xp = array_module(array)
    yield xp.ascontiguousarray(array.transpose(3, 2, 1, 0)).transpose(3, 2, 1, 0)
    yield xp.ascontiguousarray(array.transpose(2, 0, 3, 1)).transpose(1, 3, 0, 2)
    yield xp.ascontiguousarray(array[::-1, :, ::-1])[::-1, :, ::-1]
    wide = xp.full(tuple(2 * n + 1 for n in array.shape), xp.nan, dtype=array.dtype)
    wide[tuple(slice(1, 1 + 2 * n, 2) for n in array.shape)] = array
    yield wide[tuple(slice(1, 1 + 2 * n, 2) for n in array.shape)]


@pytest.mark.parametrize(
    "name",
    ["plain", "wide channels", "groups, many channels", "stride leaves a remainder", "dilated rows"]
    + ["several tiles"],
)
def test_any_memory_layout_gives_the_same_result(name, device):
    *arrays, geometry = make(CASES[name])
    with use_device(device):
        x, weight, y, *biases = (to_device(array, device) for array in arrays)
        expected = maps(FAST, (x, weight, y, *biases), geometry)
        for laid_out in zip(layouts(x), layouts(weight), layouts(y), strict=True):
            found = maps(FAST, (*laid_out, *biases), geometry)
            for one, other in zip(map(to_numpy, found), map(to_numpy, expected), strict=True):
                numpy.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_a_broadcast_gradient_is_accepted():
    x, weight, y, _, _, geometry = make(CASES["wide channels"])
    ones, flat = numpy.ones_like(y), numpy.broadcast_to(numpy.ones(()), y.shape)
    numpy.testing.assert_array_equal(
        conv2d_weight_grad(x, flat, geometry), conv2d_weight_grad(x, ones, geometry)
    )
    numpy.testing.assert_array_equal(
        conv_transpose2d(flat, weight, geometry), conv_transpose2d(ones, weight, geometry)
    )


@each_case
def test_inputs_are_never_written_and_never_shared_with_the_result(case):
    *arrays, geometry = make(case)
    for array in arrays:
        array.flags.writeable = False
    for result in maps(FAST, arrays, geometry):
        assert result.flags.writeable
        assert not any(numpy.shares_memory(result, array) for array in arrays)


@pytest.mark.parametrize("name", ["wide channels", "groups, many channels"])
def test_results_are_ordered_in_memory_as_the_next_layer_reads_them(name):
    *arrays, geometry = make(CASES[name])
    for result in maps(FAST, arrays, geometry)[:2]:
        assert result.transpose(2, 0, 3, 1).flags.c_contiguous


# For a case's arrays x, weight, y, in_bias and out_bias: which is made another, and who refuses it.
WRONG = [
    (0, numpy.zeros((2, 3, 6, 6)), 0, ValueError, "^conv2d: "),
    (0, numpy.zeros((3, 6, 7)), 0, ValueError, "^conv2d: "),
    (1, numpy.zeros((4, 3, 3, 3)), 0, ValueError, "^conv2d: "),
    (1, numpy.zeros((4, 2, 3, 2)), 0, ValueError, "^conv2d: "),
    (4, numpy.zeros(3), 0, ValueError, "^conv2d: "),
    (0, numpy.zeros((2, 3, 6, 7), "f"), 0, TypeError, r"^conv2d: .*float32.*float64"),
    (2, numpy.zeros((2, 4, 4, 5)), 1, ValueError, "^conv_transpose2d: "),
    (2, numpy.zeros((2, 3, 4, 6)), 1, ValueError, "^conv_transpose2d: "),
    (3, numpy.zeros(4), 1, ValueError, "^conv_transpose2d: "),
    (3, numpy.zeros(3, "f"), 1, TypeError, "^conv_transpose2d: .*bias float32"),
    (2, numpy.zeros((3, 4, 4, 6)), 2, ValueError, "^conv2d_weight_grad: "),
    (2, numpy.zeros((2, 4, 6, 4)), 2, ValueError, "^conv2d_weight_grad: "),
    (2, numpy.zeros((2, 4, 4, 6), "f"), 2, TypeError, "^conv2d_weight_grad: "),
]


@pytest.mark.parametrize(("which", "wrong", "kernel", "error", "words"), WRONG)
def test_arrays_that_do_not_fit_are_refused_in_words(which, wrong, kernel, error, words):
    *arrays, geometry = make(CASES["plain"])
    arrays[which] = wrong
    kernels = [lambda *_: None] * 3
    kernels[kernel] = FAST[kernel]
    with pytest.raises(error, match=words):
        maps(kernels, arrays, geometry)


def test_groups_that_do_not_divide_the_channels_are_refused():
    geometry = Geometry((6, 7), (3, 2), (4, 6), groups=2)
    x, y = numpy.zeros((2, 3, 6, 7)), numpy.zeros((2, 4, 4, 6))
    with pytest.raises(ValueError, match=r"^conv2d_weight_grad: .*groups"):
        conv2d_weight_grad(x, y, geometry)
    with pytest.raises(ValueError, match=r"^conv2d: .*groups"):
        conv2d(numpy.zeros((2, 4, 6, 7)), numpy.zeros((3, 2, 3, 2)), geometry)


@pytest.mark.parametrize(
    "options",
    [
        dict(kernel_size=(0, 1)),
        dict(stride=(0, 1)),
        dict(dilation=(1, 0)),
        dict(padding=(-1, 0)),
        dict(output_size=(-1, 2)),
        dict(groups=0),
        dict(stride=(1, 1, 1)),
        dict(stride=2),
        dict(padding=(1.0, 0)),
    ],
)
def test_geometry_refuses_numbers_out_of_range(options):
    valid = dict(input_size=(6, 7), kernel_size=(3, 2), output_size=(4, 6))
    with pytest.raises(ValueError, match=rf"^Geometry: {next(iter(options))}"):
        Geometry(**(valid | options))
