"""Numbers get into tensors as they are."""

import operator
from fractions import Fraction

import numpy
import pytest

from minigrad import Tensor, nn
from minigrad import functional as F


@pytest.mark.parametrize("data", [0.1, [0.1, 1 / 3], [[1e300]]])
def test_python_numbers_asked_for_in_float64_lose_no_digit_on_the_way(data):
    assert numpy.array_equal(Tensor(data, dtype="float64").data, numpy.array(data))
    x = Tensor(numpy.zeros(numpy.shape(data)))
    x.copy_(data)
    assert numpy.array_equal(x.data, numpy.array(data))


def test_python_numbers_and_lists_are_float32_and_arrays_keep_what_they_are():
    assert Tensor(0.1).dtype == Tensor([[1.0, 2.0]]).dtype == numpy.float32
    assert Tensor(numpy.array(0.1)).dtype == numpy.float64
    assert (Tensor([1, 2]).dtype, Tensor([True]).dtype) == (numpy.int64, bool)


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
def test_numpys_functions_take_a_tensors_values_at_once(name, monkeypatch):
    values = numpy.random.default_rng(0).random((200, 28, 28), dtype="float32")
    taken, getitem = [], Tensor.__getitem__
    monkeypatch.setattr(Tensor, "__getitem__", lambda t, key: taken.append(key) or getitem(t, key))
    call = FROM_NUMPY[name]
    found = call(Tensor(values))
    assert len(taken) <= 200  # rows at most: element by element it would be 156,800 times
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


def test_numpys_ufuncs_refuse_a_tensor():
    for function in (numpy.exp, numpy.isfinite):
        with pytest.raises(TypeError, match="Tensor"):
            function(Tensor(numpy.array([3.0, 5.0]), requires_grad=True))


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
    for words, call in {
        "sum: dim": lambda: x.sum(option),
        "flatten: dim": lambda: x.flatten(option),
        "reshape: ": lambda: x.reshape(option, -1),
        "pad: ": lambda: F.pad(x, (option, 0)),
        "max_pool2d: kernel_size": lambda: F.max_pool2d(x, option),
        "index: slices": lambda: x[option:],
    }.items():
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


def test_one_number_is_formatted_as_pythons_and_a_shape_refuses_a_format():
    assert f"{Tensor(1.5):.2f}|{nn.Parameter(0.25):8.3%}|{Tensor(7):04d}" == "1.50| 25.000%|0007"
    assert f"{Tensor(1.5)} {Tensor([1.5])}" == "1.5 Tensor([1.5])"
    with pytest.raises(TypeError, match=r"format: .*'\.2f', got a tensor of shape \(1,\)"):
        f"{Tensor([1.5]):.2f}"


REFUSED = ["float16", "longdouble", "complex64", "O", "U3", "S3", "datetime64[s]", "V4", "f4,i4"]


@pytest.mark.parametrize("dtype", REFUSED)
def test_types_of_number_that_are_not_supported_are_refused_naming_those_that_are(dtype):
    words = r"expected numbers \(float32, float64, whole or bool\), got "
    array = numpy.zeros(2, dtype)
    if array.dtype == numpy.float64:
        pytest.skip("a longdouble is a float64 here")
    calls = {
        "Tensor: ": lambda: Tensor(array),
        "Tensor: (?=e)": lambda: Tensor([1.0], dtype=dtype),
        "to: ": lambda: Tensor([1.0]).to(dtype),
        "relu: argument 0 is a ndarray": lambda: F.relu(array),
        "add: argument 1 is a ndarray": lambda: Tensor([1.0, 2.0]) + array,
        "conv2d: argument 1 is a ndarray": lambda: F.conv2d(numpy.ones((1, 3, 3)), array),
        "(Linear|Parameter): ": lambda: nn.Linear(2, 2, dtype=dtype),
        "Linear.to: ": lambda: nn.Linear(2, 2).to(dtype),
    }
    for name, call in calls.items():
        with pytest.raises(TypeError, match=f"^{name}(.*{words}|.*are floating point)"):
            call()


@pytest.mark.parametrize("given", ["float16", "longdouble", ">f4", "<f8", ">i2"])
def test_a_conversion_that_is_asked_for_takes_any_real_number(given):
    array = numpy.array([1, -2]).astype(given)
    found = Tensor(array, dtype="float32")
    assert found.dtype is numpy.dtype("float32")
    assert found.data.tolist() == [1, -2]


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i2", ">u8"])
def test_numbers_in_the_other_byte_order_are_turned_round(dtype):
    """As they come from IDX and FITS files: else a gradient's dtype is never its input's."""
    x = Tensor(numpy.array([1, 2], dtype))
    assert x.dtype is numpy.dtype(dtype[1:])
    if x.dtype.kind == "f":
        x.requires_grad_()
        (x * x).sum().backward()
        assert x.grad.data.tolist() == [2, 4]


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_a_matrix_is_taken_as_an_array_whose_product_is_element_by_element():
    x = Tensor(numpy.asmatrix([[1.0, 2.0], [3.0, 4.0]]))
    assert (x * x).data.tolist() == [[1, 4], [9, 16]]


@pytest.mark.parametrize(
    "dtype", [sign + f"int{bits}" for bits in (8, 16, 32, 64) for sign in ("", "u")]
)
def test_a_number_out_of_a_tensors_range_is_refused_naming_the_operation(dtype, tensor):
    x, limits = tensor(numpy.array([1, 2], dtype)), numpy.iinfo(dtype)
    calls = [
        ("add", lambda n: x + n),
        ("add", lambda n: F.add(n, x)),
        ("sub", lambda n: x - n),
        ("sub", lambda n: n - x),
        ("mul", lambda n: x * n),
        ("mul", lambda n: n * x),
        ("pow", lambda n: n**x),
        ("maximum", lambda n: F.maximum(x, n)),
        ("minimum", lambda n: F.minimum(n, x)),
        ("where", lambda n: F.where(x > 1, x, n)),
        ("clamp", lambda n: F.clamp(x, max=n)),
        ("pad", lambda n: F.pad(x, (1, 1), value=n)),
        ("copy_", lambda n: x.copy_([n, n])),
        ("Tensor", lambda n: Tensor([n], dtype=dtype)),
    ]
    numbers = [int(limits.max) + 1, int(limits.min) - 1, 10**400, -(10**400)]
    for number in (*numbers, *(numpy.int64(n) for n in numbers if abs(n) < 2**63)):
        given_whole = abs(int(number)) < 2**63  # to Tensor and copy_
        for name, call in calls if given_whole else calls[:-2]:
            with pytest.raises(OverflowError, match=f"^{name}: .*out of the range") as caught:
                call(number)
            assert len(str(caught.value)) < 100
        is_larger = number > 0
        assert (x < number).to("cpu").data.tolist() == [is_larger] * 2
        assert (number <= x).to("cpu").data.tolist() == [not is_larger] * 2
        assert (x == number).to("cpu").data.tolist() == [False] * 2
    for end in (int(limits.max), int(limits.min)):
        assert F.maximum(x, end).to("cpu").data.tolist() == [max(1, end), max(2, end)]


def test_numbers_that_no_float_holds_are_refused_and_others_keep_the_precision():
    x = Tensor([1.0, 2.0])
    for call in (lambda: x + 10**400, lambda: x / 10**400, lambda: F.pad(x, (1, 1), value=10**400)):
        with pytest.raises(OverflowError, match=r"^(add|div|pad): a number beyond 2\*\*64"):
            call()
    assert (x < 10**400).data.tolist() == [True, True]
    for half in (Fraction(1, 2), numpy.longdouble(0.5), numpy.float64(0.5), numpy.float16(0.5)):
        for result in (x * half, half * x, F.maximum(x, half), F.clamp(x, half)):
            assert result.dtype == numpy.float32
        assert (x > half).data.tolist() == [True, True]
    for wrong in (numpy.str_("a"), numpy.datetime64(0, "s")):
        with pytest.raises(TypeError, match="mul: expected a number"):
            x * wrong


def test_booleans_beside_whole_numbers_count():
    yes = Tensor([True, False])
    assert F.maximum(yes, 300).data.tolist() == [300, 300]
    assert F.where(yes, yes, 300).data.tolist() == [1, 300]
    assert (yes + 300).data.tolist() == [301, 300]
