"""float32 in, float32 out (and float64, float64) for every operation, gradients included."""

import operator
from fractions import Fraction

import numpy as np
import pytest
from operation_case import Functions
from operation_cases import each_group

import minigrad
from minigrad import Tensor, grad
from minigrad import functional as F


@each_group
def test_precision_is_kept_forward_and_through_two_backwards(group, device, tensor):
    functions = Functions(device)
    for case in group():
        for dtype in ("float32", "float64") if device.type == "cpu" else ("float32",):
            inputs = [tensor(values, requires_grad=True, dtype=dtype) for values in case.inputs]
            output = case.function(functions, *inputs)
            assert output.dtype == dtype, case.name
            seed = tensor(np.ones(output.shape), requires_grad=True, dtype=dtype)
            first = grad(output, inputs, seed, create_graph=True)
            assert [found.dtype for found in first] == [dtype] * len(inputs), case.name
            ones = [one.detach() for one in first]
            second = grad(first, [*inputs, seed], ones, allow_unused=True)
            found = {one.dtype.name for one in second if one is not None}
            assert found == {dtype}, case.name


SCALARS = [2, 2.5, True, np.float64(2.5), np.float32(2.5), np.int64(2), np.float16(2.5)]
OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "maximum": lambda a, b: F.maximum(a, b),
    "where": lambda a, b: F.where(Tensor(np.array([True, False])), a, b),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("symbol", OPERATORS)
def test_scalars_never_change_precision_from_either_side(symbol, dtype):
    x = Tensor(np.array([1.5, 2.0], dtype), requires_grad=True)
    for scalar in SCALARS:
        for result in (OPERATORS[symbol](x, scalar), OPERATORS[symbol](scalar, x)):
            assert isinstance(result, Tensor), type(scalar)
            assert result.dtype == dtype, type(scalar)
            assert grad(result.sum(), x)[0].dtype == dtype, type(scalar)


@pytest.mark.parametrize("symbol", ["+", "-", "*", "/", "**", "<", "@"])
def test_a_numpy_array_on_the_left_gives_a_tensor(symbol):
    x = Tensor(np.array([1.5, 2.0], "float32"), requires_grad=True)
    left = np.array([[3.0, 4.0]], "float32")
    function = {**SYMBOLS, "@": operator.matmul}[symbol]
    result = function(left, x)
    assert isinstance(result, Tensor)
    assert result.requires_grad == (symbol != "<")
    assert result.dtype == ("bool" if symbol == "<" else "float32")
    np.testing.assert_allclose(result.data, function(left, x.data), rtol=1e-6)
    if symbol != "<":
        result.sum().backward()
        assert x.grad.shape == (2,)


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
    whole, half = Tensor([1, 2]), Tensor(np.array([0.5, 0.5], "float32"))
    for result in (whole + half, half * whole, whole * 2.5, whole / whole, F.mean(whole)):
        assert result.dtype == np.float32
    assert F.exp(whole).dtype == np.float32
    assert (whole * 2).dtype.kind == "i"
    padded = F.pad(Tensor(np.array([7], "uint8")), (1, 1), value=0.5)
    np.testing.assert_array_equal(padded.numpy(), [0.5, 7, 0.5])
    pair = Tensor([True, False]), Tensor(np.array([3, 4], "uint8"))
    assert (pair[0] * pair[1]).dtype == (pair[1] * pair[0]).dtype == np.uint8
    for dtype in ("bool", "int32", "uint8", "int64"):  # sums count
        total = F.sum(Tensor(np.ones(300, dtype)))
        assert (total.item(), total.dtype) == (300, np.int64)


WHOLE = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
KINDS = [*(np.dtype(name).type for name in (*WHOLE, "float16", "float32", "float64", "longdouble"))]
NUMBERS = [True, np.True_, 3, 3.0, 2.5, Fraction(5, 2), *(kind(3) for kind in KINDS)]
SYMBOLS = {
    **{symbol: OPERATORS[symbol] for symbol in ("+", "-", "*", "/", "**")},
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "maximum": np.maximum,
    "minimum": np.minimum,
}
FUNCTIONS = {"maximum": F.maximum, "minimum": F.minimum}


@pytest.mark.parametrize("dtype", ["bool", *WHOLE, "float32", "float64"])
def test_every_kind_with_every_number_on_either_side_gives_what_floats_give(dtype, device):
    for symbol in SYMBOLS:
        with np.errstate(all="ignore"):
            check_with_every_number(symbol, dtype, device)


def check_with_every_number(symbol, dtype, device):
    kind = np.dtype(dtype).kind
    values = [0, 1, 3, 7] if symbol == "**" else [0, 1, 3, 100, 127]
    if kind == "u" and symbol != "**":
        values.append(255)
    values = np.array(values).astype(dtype)
    x = Tensor(values, device=device)
    function = FUNCTIONS.get(symbol, SYMBOLS[symbol])
    for number in NUMBERS:
        is_boolean = isinstance(number, (bool, np.bool_))
        is_whole = is_boolean or isinstance(number, (int, np.integer))
        if kind == "b" and is_boolean and symbol in ("-", "+", "*", "**"):
            continue  # logic, not arithmetic: no difference, 1 + 1 = 1
        for flip in (False, True):
            pair = (values.astype("float64"), float(number))
            expected = SYMBOLS[symbol](*(pair[::-1] if flip else pair))
            found = function(*((number, x) if flip else (x, number))).to("cpu").numpy()
            combination = f"{symbol} {number!r} {flip}"
            if expected.dtype != bool:
                wanted = dtype
                if kind != "f" and (symbol == "/" or not is_whole):
                    wanted = "float32"
                elif kind == "b" and not is_boolean:
                    wanted = "int64"
                if wanted not in ("float32", "float64", "bool"):  # modulo 2^bits, as everywhere
                    expected = expected.astype("int64")
                assert found.dtype == wanted, combination
                expected = expected.astype(wanted)
            np.testing.assert_allclose(found, expected, rtol=1e-6, err_msg=combination)


def test_whole_numbers_compare_with_any_number_without_rounding_or_wrapping(device):
    x = Tensor(np.array([0, 10, 255], "uint8"), device=device)
    for compared in (F.gt(300, x), x < np.int64(300), F.ne(-1, x), x > -1):
        assert compared.to("cpu").numpy().all()

    large = Tensor(np.array([2**24 + 1]), device=device)  # which float32 rounds
    assert not F.eq(2.0**24, large).item()
    assert not F.eq(large, 2.0**24).item()
    assert abs(large).item() == 2**24 + 1


def test_counting_right_predictions_works_and_modes_promote_no_constants():
    predicted, wanted = Tensor([1, 2, 3, 4]), Tensor([1, 0, 3, 0])
    assert (predicted == wanted).sum().item() == 2
    assert (predicted == wanted).mean().item() == 0.5
    with minigrad.no_grad(), minigrad.detect_anomaly():
        assert (Tensor([1.0]) * 2.0).dtype == np.float32
