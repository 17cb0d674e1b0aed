"""Operations with gradients got wrong on purpose, for the tests of the gradient check."""

import numpy as np

from minigrad import Operation, Tensor


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
