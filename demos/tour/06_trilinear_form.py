# %% [markdown]
# # 6. One number, three maps, all derivatives
#
# Take an input x, a weight w and *any* array y of the output's shape, and multiply everything that
# meets in a convolution:
#
#     T(x, w, y) = sum of  x[n, c, p + i, q + j] * w[o, c, i, j] * y[n, o, p, q]
#
# T is linear in each of the three. So its derivative by y is what x and w make, a convolution; by x
# what y and w make, a transposed convolution; and by w what x and y make, the weight's gradient.

# %%
import numpy

from minigrad import Tensor, grad, kernels
from minigrad import functional as F

rng = numpy.random.default_rng(0)
x = rng.standard_normal((2, 3, 8, 8))
w = rng.standard_normal((4, 3, 3, 3))
y = rng.standard_normal((2, 4, 6, 6))
geometry = kernels.Geometry((8, 8), (3, 3), (6, 6))

by_y = kernels.conv2d(x, w, geometry)
by_x = kernels.conv_transpose2d(y, w, geometry)
by_w = kernels.conv2d_weight_grad(x, y, geometry)

# %% [markdown]
# A linear function is its derivative times its argument. So all three products are the same
# number, T itself, whatever x, w and y are: the adjoint identity. It needs no small step, holds to
# rounding, and is how the kernels are tested.

# %%
products = {
    "<conv2d(x, w), y>": (by_y * y).sum(),
    "<x, conv_transpose2d(y, w)>": (x * by_x).sum(),
    "<w, conv2d_weight_grad(x, y)>": (w * by_w).sum(),
}
for name, value in products.items():
    print(f"{name:32} {value:.12f}")

# %% [markdown]
# Now the backward pass needs no thought. A gradient g arrives at `conv2d(x, w)`; the loss changes
# as `<conv2d(x, w), g> = T(x, w, g)`; so x receives `conv_transpose2d(g, w)` and w receives
# `conv2d_weight_grad(x, g)`. That is all of `minigrad/functional/convolution.py`.

# %%
x_tensor, w_tensor = Tensor(x, requires_grad=True), Tensor(w, requires_grad=True)
found = grad(F.conv2d(x_tensor, w_tensor), [x_tensor, w_tensor], Tensor(y), create_graph=True)
print()
print(f"{'':24} {'largest difference':>20}")
for name, gradient, kernel in (("gradient of x", found[0], by_x), ("of w", found[1], by_w)):
    print(f"{name:24} {numpy.abs(gradient.data - kernel).max():20.1e}")

# %% [markdown]
# And since each gradient is again one of the three maps, it has a gradient itself: to any order.
# The mixed second derivative of T, by x along v and by w along u, is T(v, u, y).

# %%
v, u = rng.standard_normal(x.shape), rng.standard_normal(w.shape)
along_v = (found[0] * Tensor(v)).sum()
(mixed,) = grad(along_v, w_tensor)
by_engine = (mixed.data * u).sum()
by_definition = (kernels.conv2d_reference(v, u, geometry) * y).sum()
print(f"{'mixed second derivative':24} {abs(by_engine - by_definition):20.1e}")
