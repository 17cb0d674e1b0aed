"""float32 in, float32 out (and float64, float64) for every operation, gradients included."""

import numpy as np
import pytest
from operation_case import Functions
from operation_table import CASES

import minigrad
from minigrad import Tensor, grad
from minigrad import functional as F


@pytest.mark.parametrize(
    ("device", "dtype"),
    [
        ("cpu", "float32"),
        ("cpu", "float64"),
        ("standin", "float32"),
        pytest.param("cuda", "float32", marks=pytest.mark.cuda),
    ],
    indirect=["device"],
)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_precision_is_kept_forward_and_through_two_backwards(case, dtype, device, tensor):
    functions = Functions(device)
    inputs = [tensor(values, requires_grad=True, dtype=dtype) for values in case.inputs]
    output = case.function(functions, *inputs)
    assert output.dtype == dtype
    seed = tensor(np.ones(output.shape), requires_grad=True, dtype=dtype)
    first = grad(output, inputs, seed, create_graph=True)
    assert [found.dtype for found in first] == [dtype] * len(inputs)
    second = grad(first, [*inputs, seed], [one.detach() for one in first], allow_unused=True)
    assert {found.dtype.name for found in second if found is not None} == {dtype}


SCALARS = [2, 2.5, True, np.float64(2.5), np.float32(2.5), np.int64(2), np.float16(2.5)]
OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: a**b,
    "maximum": lambda a, b: F.maximum(a, b),
    "where": lambda a, b: F.where(Tensor(np.array([True, False])), a, b),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scalar", SCALARS, ids=lambda value: f"{type(value).__name__}")
@pytest.mark.parametrize("symbol", OPERATORS)
def test_scalars_never_change_precision_from_either_side(symbol, scalar, dtype):
    x = Tensor(np.array([1.5, 2.0], dtype), requires_grad=True)
    for result in (OPERATORS[symbol](x, scalar), OPERATORS[symbol](scalar, x)):
        assert isinstance(result, Tensor)
        assert result.dtype == dtype
        assert grad(result.sum(), x)[0].dtype == dtype


@pytest.mark.parametrize("symbol", ["+", "-", "*", "/", "**"])
def test_a_numpy_array_on_the_left_gives_a_tensor(symbol):
    x = Tensor(np.array([1.5, 2.0], "float32"), requires_grad=True)
    left = np.array([[3.0, 4.0]], "float32")
    result = OPERATORS[symbol](left, x)
    assert isinstance(result, Tensor)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.data, OPERATORS[symbol](left, x.data), rtol=1e-6)
    result.sum().backward()
    assert x.grad.shape == (2,)


def test_a_numpy_matrix_on_the_left_of_matmul_and_comparisons_gives_a_tensor():
    x = Tensor([1.0, 2.0])
    assert isinstance(np.eye(2, dtype="float32") @ x, Tensor)
    compared = np.array([1.0, 3.0], "float32") < x
    assert isinstance(compared, Tensor)
    np.testing.assert_array_equal(compared.data, [False, False])


def test_python_numbers_and_lists_are_float32_and_arrays_keep_what_they_are():
    assert Tensor(1.5).dtype == np.float32
    assert Tensor([[1.0, 2.0]]).dtype == np.float32
    assert Tensor(np.ones(2)).dtype == np.float64
    assert Tensor([1, 2]).dtype.kind == "i"
    assert Tensor([True]).dtype == bool


def test_of_two_precisions_the_higher_wins_and_each_gradient_has_its_inputs():
    a = Tensor(np.ones(3, "float32"), requires_grad=True)
    b = Tensor(np.ones(3, "float64"), requires_grad=True)
    for f in (
        *(OPERATORS[symbol] for symbol in ("+", "-", "*", "/", "**", "maximum")),
        lambda a, b: F.cat([a, b]),
        lambda a, b: F.matmul(a, b),
        lambda a, b: F.mse_loss(a, b),
    ):
        result = f(a, b)
        assert result.dtype == np.float64
        by_a, by_b = grad(result.sum(), [a, b])
        assert (by_a.dtype, by_b.dtype) == (np.float32, np.float64)


def test_whole_numbers_yield_to_floating_point():
    whole, half = Tensor(np.array([1, 2])), Tensor(np.array([0.5, 0.5], "float32"))
    assert (whole + half).dtype == np.float32
    assert (half * whole).dtype == np.float32
    assert (whole * 2).dtype.kind == "i"
    assert (whole * 2.5).dtype == np.float32
    assert (whole / whole).dtype == np.float32
    assert F.mean(whole).dtype == np.float32
    assert F.exp(whole).dtype == np.float32


@pytest.mark.parametrize("dtype", ["bool", "int32", "uint8", "int64"])
def test_sums_of_whole_numbers_and_booleans_count(dtype):
    x = Tensor(np.ones(300, dtype))
    assert F.sum(x).item() == 300
    assert F.sum(x).dtype == np.int64


def test_counting_right_predictions_works():
    predicted, wanted = Tensor([1, 2, 3, 4]), Tensor([1, 0, 3, 0])
    assert (predicted == wanted).sum().item() == 2
    assert (predicted == wanted).mean().item() == 0.5


def test_constants_are_not_promoted_by_anomaly_mode_or_no_grad():
    with minigrad.no_grad(), minigrad.detect_anomaly():
        assert (Tensor([1.0]) * 2.0).dtype == np.float32
