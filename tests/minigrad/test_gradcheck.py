"""A checker is only worth its failures: wrong gradients are planted, each must be caught."""

import numpy as np
import pytest
from planted_operations import (
    FIRST_ORDER,
    SECOND_ORDER,
    PlantedCube,
    PlantedKink,
    PlantedMissingSum,
    PlantedNone,
    PlantedOffByLittle,
    PlantedOnlyForOnes,
    PlantedZero,
)

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
