# %% [markdown]
# # 3. A gradient check catches a bug
#
# An operation is a small class: `forward` computes, `backward` multiplies the arriving gradient by
# the derivative. This one is wrong. The derivative of `x^3` is `3 x^2`; put 3.0 here and run again.

# %%
import numpy

from autoencoder.figures import line_chart, show
from minigrad import Operation, Tensor
from minigrad.gradcheck import GradcheckError, gradcheck

FACTOR = 2.997  # the planted bug: 0.1 % off


class Cube(Operation):
    """``y = x^3``: dy/dx = 3 x^2."""

    def forward(self, x):
        return x * x * x

    def backward(self, gradient):
        (x,) = self.saved
        return gradient * FACTOR * x * x


# %% [markdown]
# The check knows nothing of `backward`: it compares the gradient with differences of values of
# `forward`, along every direction, and says where and by how much they disagree.

# %%
x = Tensor(numpy.array([0.5, -1.0, 2.0]), requires_grad=True)  # float64: differences need digits
try:
    gradcheck(lambda x: Cube()(x), x)
    verdict = "the gradient is right"
except GradcheckError as error:
    verdict = f"caught: {error}"
print(verdict)

# %% [markdown]
# Why not simply compare the gradient of `f(x).sum()`? Because some bugs cancel in a sum. The
# softmax's outputs add up to 1, so the gradient of their sum is 0, and this backward, which is
# always 0, passes. The check weighs the outputs with random numbers instead.


# %%
class ZeroSoftmax(Operation):
    """A softmax whose backward is wrong: it gives 0."""

    def forward(self, x):
        return numpy.exp(x) / numpy.exp(x).sum()

    def backward(self, gradient):
        return gradient * 0.0


of_the_sum = gradcheck(lambda x: ZeroSoftmax()(x).sum(), x, raise_exception=False)
of_the_outputs = gradcheck(lambda x: ZeroSoftmax()(x), x, raise_exception=False)
print(f"checked through .sum():          {'passes' if of_the_sum else 'caught'}")
print(f"checked with a random cotangent: {'passes' if of_the_outputs else 'caught'}")

# %% [markdown]
# How large a step? The error of the central difference of `x^3` at 2: too large a step and the
# curve bends away, too small and subtracting nearly equal numbers leaves only rounding. The check
# steps by 1e-6, near the bottom, where a bug of 0.1 % (the level) stands out by far.

# %%
steps = 10.0 ** numpy.arange(-13, 0.5, 0.5)
differences = ((2 + steps) ** 3 - (2 - steps) ** 3) / (2 * steps)
figure = line_chart(
    {"error of the difference": (steps, numpy.abs(differences / 12 - 1) + 1e-16)},
    "step $h$",
    "relative error",
    levels={"a bug of 0.1 %": 1e-3},
    log_x=True,
    log_y=True,
    title="Central differences of $x^3$ at 2",
)
show(figure, "runs/tour/03_step")
