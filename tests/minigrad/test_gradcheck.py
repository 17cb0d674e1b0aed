"""A checker is only worth its failures: wrong gradients are planted, each must be caught."""

import numpy as np
import pytest

import minigrad
from minigrad import Operation, Tensor
from minigrad.gradcheck import (
    GradcheckError,
    adjoint_check,
    away_from,
    distinct,
    gradcheck,
    gradgradcheck,
)


class PlantedCube(Operation):
    """y = x^3, with a backward to be got wrong."""

    def forward(self, x):
        return x**3

    def backward(self, gradient):
        (x,) = self.saved
        return gradient * 3 * x * x


class PlantedNoBackward(Operation):
    def forward(self, x):
        return 3 * x**2


class PlantedSquare(Operation):
    """y = x^2, its derivative 0.1 % off."""

    def forward(self, x):
        return x**2

    def backward(self, gradient):
        return gradient * self.saved[0] * 2.002


class ElsewhereArray(np.ndarray):
    """Stands for an array of another library."""


class PlantedWritesInputForward(PlantedCube):
    def forward(self, x):
        y = x**3
        x += 1e-3
        return y


class PlantedLosesPrecision(PlantedCube):
    def forward(self, x):
        return (x**3).astype("float32")


class PlantedTransposed(Operation):
    """y = a @ x for a fixed square a; the gradient forgets to transpose a."""

    matrix = np.random.default_rng(3).standard_normal((3, 3))

    def forward(self, x):
        return self.matrix @ x

    def backward(self, gradient):
        return Tensor(self.matrix @ gradient.data)


class PlantedMissingSum(Operation):
    """y = a + b with b repeated by the operation itself; the gradient of b is not summed up."""

    def forward(self, a, b):
        return a + b

    def backward(self, gradient):
        first = Tensor(gradient.data[:1].copy())
        return gradient, first if self.inputs[1].shape[0] == 1 else gradient


class PlantedKink(Operation):
    """y = |x|, rightly differentiated."""

    def forward(self, x):
        return np.abs(x)

    def backward(self, gradient):
        (x,) = self.saved
        return gradient * Tensor(np.sign(x.data))


def one_element_off(self, gradient, right):
    factor = np.ones(right.shape)
    factor.flat[right.size // 3] = 1.001
    return right * Tensor(factor)


def only_for_ones(self, gradient, right):
    """Right when the cotangent is all ones, the mistake that tests ending in .sum() never see."""
    (x,) = self.saved
    return Tensor(np.broadcast_to(gradient.data.mean(), x.shape).copy()) * 3 * x * x


def writes_input(self, gradient, right):
    self.inputs[0].data[...] += 1e-3
    return right


def writes_cotangent(self, gradient, right):
    gradient.data *= 3 * self.saved[0].data ** 2
    return gradient


def different_the_second_time(self, gradient, right):
    """Right at first; what was saved is spoilt for a second backward."""
    result = right * getattr(self, "spoilt", 1.0)
    self.spoilt = 1 + 1e-15
    return result


def cube(name, wrong):
    """The cube with a backward that is given the operation, the gradient and the right result."""

    def backward(self, gradient):
        return wrong(self, gradient, PlantedCube.backward(self, gradient))

    return type(f"Planted{name}", (PlantedCube,), {"backward": backward})


PlantedOffByLittle = cube("OffByLittle", lambda self, gradient, right: right * 1.001)
PlantedZero = cube("Zero", lambda self, gradient, right: gradient * 0.0)
PlantedNone = cube("None", lambda self, gradient, right: None)
PlantedOnlyForOnes = cube("OnlyForOnes", only_for_ones)

FIRST_ORDER = [
    PlantedOffByLittle,
    PlantedZero,
    PlantedNone,
    PlantedOnlyForOnes,
    PlantedTransposed,
    PlantedWritesInputForward,
    PlantedLosesPrecision,
    PlantedNoBackward,
    cube("OneElementOff", one_element_off),
    cube("Nan", lambda self, gradient, right: right * float("nan")),
    cube("WritesInputBackward", writes_input),
    cube("WritesCotangent", writes_cotangent),
    cube("DifferentTheSecondTime", different_the_second_time),
    cube("WrongDtype", lambda self, g, right: Tensor(right.data.astype("float32"))),
    cube("WrongShape", lambda self, gradient, right: right.reshape(-1)),
    cube("WrongDevice", lambda self, g, right: Tensor._wrap(right.data.view(ElsewhereArray))),
    cube("NoTensor", lambda self, gradient, right: right.data),
]
SECOND_ORDER = [  # the first derivative is right
    # Written outside the graph, the second derivative is 0.
    cube("NotDifferentiableAgain", lambda self, g, right: g * Tensor(3 * self.saved[0].data ** 2)),
    cube("WrongSecond", lambda self, g, right: g * (PlantedSquare()(self.saved[0]) * 3)),
    cube("SecondRaises", lambda self, g, right: g * PlantedNoBackward()(self.saved[0])),
]


def points(*shape, seed=0):
    values = np.random.default_rng(seed).uniform(0.5, 2.0, shape)
    return Tensor(values, requires_grad=True)


@pytest.mark.parametrize("planted", FIRST_ORDER, ids=lambda cls: cls.name)
@pytest.mark.parametrize("options", [{}, {"max_elements": 2}], ids=["elements", "directions"])
def test_a_planted_wrong_gradient_is_caught(planted, options):
    with pytest.raises(GradcheckError):
        gradcheck(lambda x: planted()(x), points(3, 3), **options)
    assert gradcheck(lambda x: planted()(x), points(3, 3), raise_exception=False) is False


def test_a_missing_broadcast_sum_is_caught():
    a, b = points(4, 3), points(1, 3, seed=1)
    with pytest.raises(GradcheckError, match=r"input 1 of shape \(1, 3\)"):
        gradcheck(lambda a, b: PlantedMissingSum()(a, b), [a, b])


@pytest.mark.parametrize("planted", SECOND_ORDER, ids=lambda cls: cls.name)
def test_a_wrong_second_derivative_is_caught_though_the_first_is_right(planted):
    x = points(2, 3)
    assert gradcheck(lambda x: planted()(x), x)
    with pytest.raises(GradcheckError, match=r"second derivative|backward raised"):
        gradgradcheck(lambda x: planted()(x), x)
    assert gradgradcheck(lambda x: planted()(x), x, raise_exception=False) is False


@pytest.mark.parametrize("shape", [(2, 3), (40, 30), (0, 3), ()])  # the second: along directions
def test_a_right_gradient_passes_at_both_orders(shape):
    x = points(*shape)
    assert gradcheck(lambda x: PlantedCube()(x), x)
    assert gradgradcheck(lambda x: PlantedCube()(x), x)
    assert x.grad is None


def test_the_planted_only_for_ones_gradient_would_pass_with_a_cotangent_of_ones():
    x = points(4)
    (found,) = minigrad.grad(PlantedOnlyForOnes()(x), x, Tensor(np.ones(4)))
    np.testing.assert_allclose(found.data, 3 * x.data**2)


def test_the_failure_names_the_input_the_worst_index_and_both_values():
    class PlantedThirdOff(Operation):
        def forward(self, a, b):
            return a * b

        def backward(self, gradient):
            a, b = self.saved
            wrong = np.ones(b.shape)
            wrong[1, 2] = 1.5
            wrong[0, 0] = 1.1
            return gradient * b, gradient * a * Tensor(wrong)

    a, b = Tensor(np.full((2, 3), 2.0), requires_grad=True), points(2, 3)
    for options in ({}, {"max_elements": 1}):
        with pytest.raises(GradcheckError) as caught:
            gradcheck(lambda a, b: PlantedThirdOff()(a, b), [a, b], **options)
        message = str(caught.value)
        assert "input 1 of shape (2, 3)" in message
        assert "index (1, 2)" in message
        words = message.replace(",", "").split()
        gradient = float(words[words.index("gradient") + 1])
        difference = float(words[words.index("difference") + 1])
        assert gradient == pytest.approx(1.5 * difference, rel=1e-6)


def test_a_kink_is_named_as_the_likely_cause_and_a_plain_wrong_value_is_not_called_one():
    x = Tensor(np.array([1.0, 0.0, -1.0]), requires_grad=True)
    x.data[1] = 1e-8
    with pytest.raises(GradcheckError, match="kink"):
        gradcheck(lambda x: PlantedKink()(x), x)
    x = Tensor(away_from(x.data), requires_grad=True)
    assert gradcheck(lambda x: PlantedKink()(x), x)
    with pytest.raises(GradcheckError) as caught:
        gradcheck(lambda x: PlantedOffByLittle()(x), points(3))
    assert "kink" not in str(caught.value)


def test_away_from_moves_only_what_is_near_and_keeps_the_side():
    values = np.array([-0.05, 0.05, 0.95, 1.02, 0.5])
    moved = away_from(values, points=(0, 1), margin=0.1)
    np.testing.assert_allclose(moved, [-0.1, 0.1, 0.9, 1.1, 0.5])
    assert values[0] == -0.05


def test_distinct_values_are_evenly_apart():
    values = distinct((4, 5), seed=2)
    assert values.shape == (4, 5)
    np.testing.assert_allclose(np.diff(np.sort(values.ravel())), 2 / 19)
    assert not np.array_equal(values, distinct((4, 5), seed=3))


def test_several_outputs_unused_held_and_cut_off_inputs_are_checked():
    a, b, whole = points(2), points(3), Tensor(np.array([1, 2]))
    assert gradcheck(lambda a, b: [PlantedCube()(a), PlantedCube()(b)], [a, b])
    assert gradcheck(lambda a, b: PlantedCube()(a), [a, b])
    assert gradcheck(lambda x, w: PlantedCube()(x), [a, whole])
    with pytest.raises(GradcheckError, match="input 1"):
        gradcheck(lambda a, b: [PlantedCube()(a), PlantedZero()(b)], [a, b])
    with pytest.raises(GradcheckError, match="input 0"):
        gradcheck(lambda x: PlantedCube()(x).detach(), points(2))


def test_the_memory_layout_under_test_is_kept():
    seen = []

    class PlantedLayout(PlantedCube):
        def forward(self, x):
            seen.append(x.flags.f_contiguous)
            return super().forward(x)

    x = Tensor(np.random.default_rng(0).standard_normal((3, 2)).T, requires_grad=True)
    gradcheck(lambda x: PlantedLayout()(x), x)
    assert seen[0]


class PlantedMatrix(Operation):
    """y = a x for a matrix a; ``transposed`` and ``factor`` get it wrong."""

    def __init__(self, matrix, factor=1.0, transpose=True):
        self.matrix, self.factor, self.transpose = matrix, factor, transpose

    def forward(self, x):
        return self.matrix @ x

    def backward(self, gradient):
        matrix = self.matrix.T if self.transpose else self.matrix
        return PlantedMatrix((matrix * self.factor).astype(matrix.dtype))(gradient)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_adjoint_identity_holds_to_rounding_and_catches_what_is_planted(dtype):
    generator = np.random.default_rng(0)
    matrix = generator.standard_normal((20, 20)).astype(dtype)
    x = Tensor(generator.standard_normal(20).astype(dtype), requires_grad=True)

    def check(raise_exception=True, **wrong):
        return adjoint_check(
            lambda x: PlantedMatrix(matrix, **wrong)(x), x, raise_exception=raise_exception
        )

    assert check()
    for wrong in ({"factor": 1.001}, {"transpose": False}, {"factor": 0.0}):
        with pytest.raises(GradcheckError, match="input 0"):
            check(**wrong)
        assert not check(raise_exception=False, **wrong)


def test_the_adjoint_check_sees_a_missing_gradient_and_a_map_that_is_not_linear():
    for planted in (PlantedNone, PlantedCube):
        with pytest.raises(GradcheckError):
            adjoint_check(lambda x, planted=planted: planted()(x), points(3))
