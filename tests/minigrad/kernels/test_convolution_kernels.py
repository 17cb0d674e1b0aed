"""The fast convolution kernels against the definition, scipy, PyTorch and their own adjoints."""

from __future__ import annotations

import functools
import math

import numpy
import pytest
from geometries import CASES, make
from scipy import signal

from minigrad.backend import array_module, device_of, to_device, to_numpy, use_device
from minigrad.kernels import (
    Geometry,
    conv2d,
    conv2d_reference,
    conv2d_weight_grad,
    conv2d_weight_grad_reference,
    conv_transpose2d,
    conv_transpose2d_reference,
    unfold,
    winograd,
)
from minigrad.kernels import convolution as conv

TOLERANCE = {"float64": 1e-12, "float32": 2e-5}


each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


@functools.cache
def definition(name, dtype):
    """What the loops give for a case: of conv2d, conv_transpose2d and conv2d_weight_grad."""
    x, weight, y, in_bias, out_bias, geometry = make(CASES[name], dtype)
    return (
        conv2d_reference(x, weight, geometry, out_bias),
        conv_transpose2d_reference(y, weight, geometry, in_bias),
        conv2d_weight_grad_reference(x, y, geometry),
    )


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_each_map_equals_its_definition_in_loops(name, dtype, device):
    *arrays, geometry = make(CASES[name], dtype)
    with use_device(device):
        x, weight, y, in_bias, out_bias = (to_device(array, device) for array in arrays)
        fast = (
            conv2d(x, weight, geometry, out_bias),
            conv_transpose2d(y, weight, geometry, in_bias),
            conv2d_weight_grad(x, y, geometry),
        )
    for found, expected in zip(fast, definition(name, dtype), strict=True):
        assert (found.dtype, found.shape, device_of(found)) == (dtype, expected.shape, device)
        numpy.testing.assert_allclose(
            to_numpy(found), expected, rtol=TOLERANCE[dtype], atol=10 * TOLERANCE[dtype]
        )


@pytest.mark.parametrize("name", CASES)
def test_whole_windows_as_on_a_gpu_give_the_definition_too(name, monkeypatch):
    monkeypatch.setattr(conv, "_copies_whole_windows", lambda array, geometry: True)
    test_each_map_equals_its_definition_in_loops(name, "float64", device_of(numpy.ones(1)))


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
    x, weight, y, _, _, geometry = make(LARGE["a 5x5 layer"])
    assert winograd.pays(geometry, 32, 32)
    errors = []
    for pays in (True, False):
        monkeypatch.setattr(winograd, "pays", lambda *_, pays=pays: pays)
        for kernel, *pair in ((conv2d, x, weight), (conv_transpose2d, y, weight)):
            exact, single = (kernel(*(a.astype(t) for a in pair), geometry) for t in ("f8", "f4"))
            errors.append(numpy.sqrt(((single - exact) ** 2).mean() / (exact**2).mean()))
        exact, single = (
            conv2d_weight_grad(x.astype(t), y.astype(t), geometry) for t in ("f8", "f4")
        )
        errors.append(numpy.sqrt(((single - exact) ** 2).mean() / (exact**2).mean()))
    tiled, plain = errors[:3], errors[3:]
    assert 0 < min(plain) < max(tiled) < 3e-6


def large_cases():
    five = dict(kernel_size=(5, 5))
    return {
        "a 5x5 layer": (4, 32, 32, five | dict(input_size=(16, 16), output_size=(12, 12))),
        "one input channel": (16, 1, 32, five | dict(input_size=(16, 16), output_size=(12, 12))),
        "strides and groups": (
            8, 16, 24,
            dict(input_size=(11, 30), kernel_size=(4, 3), output_size=(4, 14), stride=(2, 2))
            | dict(groups=2),
        ),
        "rows that divide badly": (
            1, 40, 40, dict(input_size=(5, 61), kernel_size=(3, 3), output_size=(3, 59)),
        ),
    }  # fmt: skip


LARGE = large_cases()


@pytest.mark.parametrize("case", LARGE.values(), ids=LARGE.keys())
@pytest.mark.parametrize("at_once", [1, 20_000, 1 << 20])
def test_products_cut_into_pieces_and_bands_equal_one_large_product(case, at_once, monkeypatch):
    x, weight, y, in_bias, out_bias, geometry = make(case)
    monkeypatch.setattr(unfold, "ELEMENTS_AT_ONCE", at_once)
    monkeypatch.setattr(winograd, "VALUES_AT_ONCE", at_once)
    for name, arguments in (
        ("conv2d", (x, weight, geometry, out_bias)),
        ("conv_transpose2d", (y, weight, geometry, in_bias)),
        ("conv2d_weight_grad", (x, y, geometry)),
    ):
        pieces = getattr(conv, name)(*arguments)
        with monkeypatch.context() as patch:
            patch.setattr(conv, "_copies_whole_windows", lambda array, geometry: True)
            whole = getattr(conv, name)(*arguments)
        numpy.testing.assert_allclose(pieces, whole, rtol=1e-11, atol=1e-11, err_msg=name)


@each_case
def test_the_three_maps_are_adjoint_to_rounding(case):
    x, weight, y, _, _, geometry = make(case, seed=1)
    by_output = float((conv2d(x, weight, geometry) * y).sum())
    by_input = float((conv_transpose2d(y, weight, geometry) * x).sum())
    by_weight = float((conv2d_weight_grad(x, y, geometry) * weight).sum())
    terms = math.sqrt(y.size * weight[0].size)
    assert by_input == pytest.approx(by_output, rel=1e-11, abs=1e-13 * terms)
    assert by_weight == pytest.approx(by_output, rel=1e-11, abs=1e-13 * terms)


@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
def test_conv2d_equals_scipy_correlate(stride):
    x, weight, *_ = make(
        (2, 3, 4, dict(input_size=(9, 11), kernel_size=(3, 4), output_size=(7, 8)))
    )
    whole = numpy.array(
        [[signal.correlate(image, kernel, mode="valid")[0] for kernel in weight] for image in x]
    )
    expected = whole[:, :, :: stride[0], :: stride[1]]
    geometry = Geometry((9, 11), (3, 4), expected.shape[2:], stride=stride)
    numpy.testing.assert_allclose(conv2d(x, weight, geometry), expected, atol=1e-12)


def test_conv_transpose2d_equals_scipy_full_convolution():
    case = (2, 3, 4, dict(input_size=(9, 11), kernel_size=(3, 4), output_size=(7, 8)))
    _, weight, y, *_, geometry = make(case)
    expected = numpy.zeros((2, 3, 9, 11))
    for n in range(2):
        for c in range(3):
            for o in range(4):
                expected[n, c] += signal.convolve2d(y[n, o], weight[o, c], mode="full")
    numpy.testing.assert_allclose(conv_transpose2d(y, weight, geometry), expected, atol=1e-12)


def test_conv2d_weight_grad_equals_scipy_correlate_of_images():
    case = (2, 3, 4, dict(input_size=(9, 11), kernel_size=(3, 4), output_size=(7, 8)))
    x, _, y, *_, geometry = make(case)
    expected = numpy.zeros((4, 3, 3, 4))
    for o in range(4):
        for c in range(3):
            expected[o, c] = sum(
                signal.correlate2d(x[n, c], y[n, o], mode="valid") for n in range(2)
            )
    numpy.testing.assert_allclose(conv2d_weight_grad(x, y, geometry), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups", "output_padding"),
    [
        (1, 0, 1, 1, 0),
        (2, 1, 1, 2, 1),
        ((2, 3), (1, 2), 1, 1, (0, 2)),
        (1, (2, 0), (2, 1), 2, 0),
        (3, 4, 2, 1, 2),
    ],
)
def test_both_layers_equal_pytorch(stride, padding, dilation, groups, output_padding):
    torch = pytest.importorskip("torch")
    pairs = [v if isinstance(v, tuple) else (v, v) for v in (stride, padding, dilation)]
    options = dict(stride=pairs[0], padding=pairs[1], dilation=pairs[2], groups=groups)
    rng = numpy.random.default_rng(3)
    weight = torch.from_numpy(rng.standard_normal((4, 6 // groups, 3, 2)))
    bias, other_bias = torch.from_numpy(rng.standard_normal(4)), torch.ones(6).double()

    x = torch.from_numpy(rng.standard_normal((2, 6, 9, 8))).requires_grad_()
    weight.requires_grad_()
    y = torch.nn.functional.conv2d(x, weight, bias, **options)
    gradient = torch.from_numpy(rng.standard_normal(y.shape))
    dx, dw = torch.autograd.grad(y, (x, weight), gradient)
    geometry = Geometry((9, 8), (3, 2), tuple(y.shape[2:]), **options)
    arrays = [t.detach().numpy() for t in (x, weight, bias, gradient)]
    close = dict(atol=1e-12, rtol=1e-12)
    numpy.testing.assert_allclose(
        conv2d(arrays[0], arrays[1], geometry, arrays[2]), y.detach(), **close
    )
    numpy.testing.assert_allclose(conv_transpose2d(arrays[3], arrays[1], geometry), dx, **close)
    numpy.testing.assert_allclose(conv2d_weight_grad(arrays[0], arrays[3], geometry), dw, **close)

    z = torch.from_numpy(rng.standard_normal((2, 4, 5, 6)))
    image = torch.nn.functional.conv_transpose2d(
        z, weight, other_bias, output_padding=output_padding, **options
    )
    geometry = Geometry(tuple(image.shape[2:]), (3, 2), (5, 6), **options)
    ours = conv_transpose2d(z.numpy(), arrays[1], geometry, other_bias.numpy())
    numpy.testing.assert_allclose(ours, image.detach(), **close)


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
    [
        "plain",
        "wide channels",
        "groups, many channels",
        "stride leaves a remainder",
        "dilated rows",
        "several tiles, channels enough to pay",
    ],
)
def test_any_memory_layout_gives_the_same_result(name, device):
    *arrays, geometry = make(CASES[name])
    with use_device(device):
        x, weight, y = (to_device(array, device) for array in arrays[:3])
        expected = (
            conv2d(x, weight, geometry),
            conv_transpose2d(y, weight, geometry),
            conv2d_weight_grad(x, y, geometry),
        )
        for a, w, b in zip(layouts(x), layouts(weight), layouts(y), strict=True):
            found = (
                conv2d(a, w, geometry),
                conv_transpose2d(b, w, geometry),
                conv2d_weight_grad(a, b, geometry),
            )
            for one, other in zip(found, expected, strict=True):
                numpy.testing.assert_allclose(
                    to_numpy(one), to_numpy(other), rtol=1e-12, atol=1e-12
                )


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
    x, weight, y, in_bias, out_bias = arrays
    for result in (
        conv2d(x, weight, geometry, out_bias),
        conv_transpose2d(y, weight, geometry, in_bias),
        conv2d_weight_grad(x, y, geometry),
    ):
        assert result.flags.writeable
        assert not any(numpy.shares_memory(result, array) for array in arrays)


def test_results_are_ordered_in_memory_as_the_next_layer_reads_them():
    x, weight, y, _, _, geometry = make(CASES["wide channels"])
    for result in (conv2d(x, weight, geometry), conv_transpose2d(y, weight, geometry)):
        assert result.transpose(2, 0, 3, 1).flags.c_contiguous
    x, weight, y, _, _, geometry = make(CASES["groups, many channels"])
    for result in (conv2d(x, weight, geometry), conv_transpose2d(y, weight, geometry)):
        assert result.transpose(2, 0, 3, 1).flags.c_contiguous


WRONG = {
    "x size": (dict(x=(2, 3, 6, 6)), "conv2d"),
    "x axes": (dict(x=(3, 6, 7)), "conv2d"),
    "weight size": (dict(weight=(4, 3, 3, 3)), "conv2d"),
    "weight channels": (dict(weight=(4, 2, 3, 2)), "conv2d"),
    "bias": (dict(out_bias=(3,)), "conv2d"),
    "transposed y size": (dict(y=(2, 4, 4, 5)), "conv_transpose2d"),
    "transposed y channels": (dict(y=(2, 3, 4, 6)), "conv_transpose2d"),
    "transposed bias": (dict(in_bias=(4,)), "conv_transpose2d"),
    "images of x and y": (dict(y=(3, 4, 4, 6)), "conv2d_weight_grad"),
    "y size": (dict(y=(2, 4, 6, 4)), "conv2d_weight_grad"),
}


@pytest.mark.parametrize(("change", "name"), WRONG.values(), ids=WRONG.keys())
def test_shapes_that_do_not_fit_are_refused_in_words(change, name):
    x, weight, y, in_bias, out_bias, geometry = make(CASES["plain"])
    arrays = dict(x=x, weight=weight, y=y, in_bias=in_bias, out_bias=out_bias)
    arrays |= {key: numpy.zeros(shape) for key, shape in change.items()}
    calls = {
        "conv2d": lambda: conv2d(arrays["x"], arrays["weight"], geometry, arrays["out_bias"]),
        "conv_transpose2d": lambda: conv_transpose2d(
            arrays["y"], arrays["weight"], geometry, arrays["in_bias"]
        ),
        "conv2d_weight_grad": lambda: conv2d_weight_grad(arrays["x"], arrays["y"], geometry),
    }
    with pytest.raises(ValueError, match=rf"^{name}: "):
        calls[name]()


def test_mixed_dtypes_are_refused_in_words():
    x, weight, y, in_bias, out_bias, geometry = make(CASES["plain"])
    single = numpy.float32
    with pytest.raises(TypeError, match=r"^conv2d: .*float32.*float64"):
        conv2d(x.astype(single), weight, geometry, out_bias)
    with pytest.raises(TypeError, match=r"^conv_transpose2d: .*bias float32"):
        conv_transpose2d(y, weight, geometry, in_bias.astype(single))
    with pytest.raises(TypeError, match=r"^conv2d_weight_grad: "):
        conv2d_weight_grad(x, y.astype(single), geometry)


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
