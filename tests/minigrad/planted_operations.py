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


class PlantedOffByLittle(PlantedCube):
    def backward(self, gradient):
        return super().backward(gradient) * 1.001


class PlantedOneElementOff(PlantedCube):
    def backward(self, gradient):
        (x,) = self.saved
        factor = np.ones(x.shape)
        factor.flat[x.size // 3] = 1.001
        return super().backward(gradient) * Tensor(factor)


class PlantedZero(PlantedCube):
    def backward(self, gradient):
        return gradient * 0.0


class PlantedNone(PlantedCube):
    def backward(self, gradient):
        return None


class PlantedNan(PlantedCube):
    def backward(self, gradient):
        return super().backward(gradient) * float("nan")


class PlantedOnlyForOnes(PlantedCube):
    """Right when the cotangent is all ones, the mistake that tests ending in .sum() never see."""

    def backward(self, gradient):
        (x,) = self.saved
        return Tensor(np.broadcast_to(gradient.data.mean(), x.shape).copy()) * 3 * x * x


class PlantedNotDifferentiableAgain(PlantedCube):
    """The first derivative is right; written outside the graph, the second is 0."""

    def backward(self, gradient):
        (x,) = self.saved
        return gradient * Tensor(3 * x.data**2)


class PlantedWrongSecond(PlantedCube):
    """The first derivative is right, the second 0.1 % off."""

    def backward(self, gradient):
        (x,) = self.saved
        return gradient * (PlantedSquare()(x) * 3)


class PlantedSquare(Operation):
    def forward(self, x):
        return x**2

    def backward(self, gradient):
        (x,) = self.saved
        return gradient * x * 2.002


class PlantedSecondRaises(PlantedCube):
    def backward(self, gradient):
        (x,) = self.saved
        return gradient * PlantedNoBackward()(x)


class PlantedNoBackward(Operation):
    def forward(self, x):
        return 3 * x**2


class PlantedWritesInputForward(PlantedCube):
    def forward(self, x):
        y = x**3
        x += 1e-3
        return y


class PlantedWritesInputBackward(PlantedCube):
    def backward(self, gradient):
        result = super().backward(gradient)
        self.inputs[0].data[...] += 1e-3
        return result


class PlantedWritesCotangent(PlantedCube):
    def backward(self, gradient):
        (x,) = self.saved
        gradient.data *= 3 * x.data**2
        return gradient


class PlantedDifferentTheSecondTime(PlantedCube):
    """Right at first; what was saved is spoilt for a second backward."""

    spoilt = 1.0

    def backward(self, gradient):
        result = super().backward(gradient) * self.spoilt
        self.spoilt = 1 + 1e-15
        return result


class PlantedWrongDtype(PlantedCube):
    def backward(self, gradient):
        result = super().backward(gradient)
        return Tensor(result.data.astype("float32"))


class PlantedWrongShape(PlantedCube):
    def backward(self, gradient):
        return super().backward(gradient).reshape(-1)


class ElsewhereArray(np.ndarray):
    """Stands for an array of another library."""


class PlantedWrongDevice(PlantedCube):
    def backward(self, gradient):
        return Tensor._wrap(super().backward(gradient).data.view(ElsewhereArray))


class PlantedNoTensor(PlantedCube):
    def backward(self, gradient):
        return super().backward(gradient).data


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


FIRST_ORDER = [
    PlantedOffByLittle,
    PlantedOneElementOff,
    PlantedZero,
    PlantedNone,
    PlantedNan,
    PlantedOnlyForOnes,
    PlantedTransposed,
    PlantedWritesInputForward,
    PlantedWritesInputBackward,
    PlantedWritesCotangent,
    PlantedDifferentTheSecondTime,
    PlantedWrongDtype,
    PlantedWrongShape,
    PlantedWrongDevice,
    PlantedNoTensor,
    PlantedLosesPrecision,
    PlantedNoBackward,
]
