"""Numbers get into tensors as they are."""

from __future__ import annotations

import operator
import time

import numpy
import pytest

from minigrad import Tensor, nn
from minigrad import functional as F


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


FROM_NUMPY = {
    "asarray": lambda t: numpy.asarray(t),
    "array": lambda t: numpy.array(t, dtype="float64", copy=True),
    "array-list": lambda t: numpy.array([t, t]),
    "array-rows": lambda t: numpy.asarray(list(t)),
    "mean": lambda t: numpy.mean(t),
    "sum": lambda t: numpy.sum(t, axis=(0, -1), keepdims=True),
    "max": lambda t: numpy.max(t, axis=1),
    "std": lambda t: numpy.std(t),
    "zeros_like": lambda t: numpy.zeros_like(t),
    "stack": lambda t: numpy.stack([t, t], axis=-1),
    "concatenate": lambda t: numpy.concatenate((t, t), axis=1),
    "where": lambda t: numpy.where(numpy.asarray(t) > 0.5, t, 0),
    "einsum": lambda t: numpy.einsum("nij->n", t),
    "norm": lambda t: numpy.linalg.norm(t),
    "quantile": lambda t: numpy.quantile(t, [0.1, 0.9]),
    "searchsorted": lambda t: numpy.searchsorted([0.1, 0.9], t[0]),
    "float32": lambda t: numpy.float32(t),
}


@pytest.mark.parametrize("name", FROM_NUMPY)
def test_numpys_functions_take_a_tensors_values_at_once(name):
    values = numpy.random.default_rng(0).random((200, 28, 28), dtype="float32")
    call, start = FROM_NUMPY[name], time.perf_counter()
    found = call(Tensor(values))
    assert time.perf_counter() - start < 1  # element by element these would take a minute
    expected = call(values)
    assert not isinstance(found, Tensor)
    assert found.dtype == expected.dtype
    numpy.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", FROM_NUMPY)
def test_numpys_functions_refuse_a_tensor_that_requires_gradients(name):
    for tensor in (Tensor(numpy.ones((2, 2, 2)), requires_grad=True), nn.Parameter([[[1.0]]]) * 2):
        with pytest.raises(RuntimeError, match=r"requires gradients; use detach\(\)"):
            FROM_NUMPY[name](tensor)


@pytest.mark.parametrize("name", FROM_NUMPY)
def test_numpys_functions_refuse_a_tensor_on_a_gpu(name, gpu):
    with pytest.raises(TypeError, match=r"the tensor is on cuda:\d; use to\('cpu'\)"):
        FROM_NUMPY[name](Tensor(numpy.ones((2, 2, 2)), device=gpu))


def test_an_array_made_from_a_tensor_shares_its_memory_unless_a_copy_is_asked_for():
    x = Tensor(numpy.zeros((2, 3)))
    assert numpy.shares_memory(numpy.asarray(x), x.data)
    assert numpy.shares_memory(numpy.array(x, copy=False), x.data)
    assert not numpy.shares_memory(numpy.array(x), x.data)
    with pytest.raises(ValueError, match="copy"):
        numpy.array(x, dtype="float32", copy=False)


def test_a_shape_is_told_without_values():
    x = Tensor(numpy.zeros((2, 3)), requires_grad=True)
    assert (numpy.shape(x), numpy.ndim(x), numpy.size(x), numpy.size(x, 1)) == ((2, 3), 2, 6, 3)


def test_operators_between_arrays_and_tensors_are_the_tensors():
    array, x = numpy.array([1.0, 2.0]), Tensor(numpy.array([3.0, 5.0]), requires_grad=True)
    for result in (array + x, array - x, array * x, array / x, array**x, array @ x):
        assert isinstance(result, Tensor)
        assert result.requires_grad
    for function in (numpy.exp, numpy.isfinite):
        with pytest.raises(TypeError, match="Tensor"):
            function(x)


def test_tensors_in_lists_keep_their_precision_and_never_lose_a_gradient():
    x = Tensor(numpy.array([0.1, 1 / 3]))
    assert Tensor([x, x]).data.tolist() == [[0.1, 1 / 3]] * 2
    x.requires_grad_()
    for call in (Tensor, F.exp, Tensor(numpy.zeros((2, 2))).copy_):
        with pytest.raises(RuntimeError, match="requires gradients"):
            call([x, x])


def test_one_number_becomes_pythons_and_only_a_whole_one_an_index():
    half, three = Tensor([[2.5]]), Tensor(numpy.array([3], "uint8"))
    assert (float(half), int(half), bool(half), complex(half)) == (2.5, 2, True, 2.5 + 0j)
    assert (operator.index(three), "abcd"[three], list(range(three))) == (3, "d", [0, 1, 2])
    for wrong in (half, Tensor([True]), Tensor([1, 2])):
        with pytest.raises(TypeError, match=r"index: expected one whole number, got .*of shape"):
            operator.index(wrong)
    for several in (float, int, complex):
        with pytest.raises(ValueError, match=r"item: expected one element, got shape \(2,\)"):
            several(Tensor([1.0, 2.0]))
    assert [row.data.tolist() for row in Tensor([[1, 2], [3, 4]])] == [[1, 2], [3, 4]]
    with pytest.raises(TypeError, match="without dimensions"):
        iter(Tensor(1.0))


@pytest.mark.parametrize("option", [Tensor(1), Tensor(1.5), numpy.array(1.5), True, 1.0])
def test_an_option_that_counts_is_no_tensor_and_is_never_rounded(option):
    x = Tensor(numpy.ones((1, 2, 4, 4)))
    calls = {
        "sum: dim": lambda: x.sum(option),
        "flatten: dim": lambda: x.flatten(option),
        "reshape: ": lambda: x.reshape(option, -1),
        "pad: ": lambda: F.pad(x, (option, 0)),
        "max_pool2d: kernel_size": lambda: F.max_pool2d(x, option),
        "index: slices": lambda: x[option:],
    }
    for words, call in calls.items():
        with pytest.raises((TypeError, ValueError), match=words):
            call()


@pytest.mark.parametrize("requires_grad", [False, True])
def test_matplotlib_draws_a_tensors_values_or_says_why_not(requires_grad):
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    values = numpy.random.default_rng(0).random((4, 5))
    x = Tensor(values, requires_grad=requires_grad)
    axes = Figure().subplots()
    calls = {
        "imshow": lambda: axes.imshow(x).get_array(),
        "plot": lambda: [line.get_ydata() for line in axes.plot(x.transpose(0, 1))],
        "scatter": lambda: axes.scatter(x[0], x[1]).get_offsets().T,
        "hist": lambda: axes.hist(x[0], bins=[0, 0.5, 1])[0],
    }
    expected = [values, values, values[:2], numpy.histogram(values[0], [0, 0.5, 1])[0]]
    for call, wanted in zip(calls.values(), expected):
        if requires_grad:
            with pytest.raises(RuntimeError, match="requires gradients"):
                call()
        else:
            numpy.testing.assert_array_equal(call(), wanted)
