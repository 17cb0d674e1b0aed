# %% [markdown]
# # 5. conv2d, from loops to the fast form
#
# A convolution slides a small kernel over images; each output is the sum of what lies under the
# kernel, weighted. The definition, in `minigrad/kernels/reference.py`, is a sum over seven indices:
#
#     y[n, o, p, q] = sum over c, i, j of  x[n, c, p + i, q + j] * w[o, c, i, j]
#
# Here are four ways to compute it. They do the same multiplications; only the order differs.

# %%
import time

import numpy

from autoencoder.figures import bar_chart, show
from minigrad import kernels

rng = numpy.random.default_rng(0)
N, C, O, H, K = 8, 16, 16, 20, 5  # noqa: E741 (images, channels in, out, input, kernel size)
P = H - K + 1
x = rng.standard_normal((N, C, H, H)).astype("float32")
w = rng.standard_normal((O, C, K, K)).astype("float32")
geometry = kernels.Geometry((H, H), (K, K), (P, P))

# %% [markdown]
# **Loops**, as the definition stands. To be finished this week, they get one image of one channel
# out, and the time is scaled up.


# %%
def with_loops(x, w):
    y = numpy.zeros((x.shape[0], w.shape[0], P, P), dtype=x.dtype)
    for n, o, p, q in numpy.ndindex(y.shape):
        for c, i, j in numpy.ndindex(w.shape[1:]):
            y[n, o, p, q] += x[n, c, p + i, q + j] * w[o, c, i, j]
    return y


# %% [markdown]
# **Shifts**: for each of the 25 places in the kernel, all images at once.


# %%
def with_shifts(x, w):
    y = numpy.zeros((N, O, P, P), dtype=x.dtype)
    for i, j in numpy.ndindex(K, K):
        y += numpy.einsum("ncpq,oc->nopq", x[:, :, i : i + P, j : j + P], w[:, :, i, j])
    return y


# %% [markdown]
# **Unfolding**: write every window as a row of a matrix, and let one matrix product do the rest.
# The matrix repeats each pixel 25 times. For a 3 x 3 image and a 2 x 2 kernel:
#
#     image  a b c        windows  a b d e     one row an output pixel
#            d e f                 b c e f
#            g h i                 d e g h
#                                  e f h i


# %%
def with_unfolding(x, w):
    windows = numpy.lib.stride_tricks.sliding_window_view(x, (K, K), axis=(2, 3))
    rows = windows.transpose(0, 2, 3, 1, 4, 5).reshape(N * P * P, C * K * K)  # copies
    y = rows @ w.reshape(O, C * K * K).T
    return y.reshape(N, P, P, O).transpose(0, 3, 1, 2)


# %% [markdown]
# **minigrad's form** unfolds the width only, so the matrix repeats each pixel 5 times and its rows
# overlap in memory: see the drawing at the top of `minigrad/kernels/unfold.py`.


# %%
def with_minigrad(x, w):
    return kernels.conv2d(x, w, geometry)


def seconds(function, x, w, times):
    """The shortest of several runs, and the result."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        y = function(x, w)
        found.append(time.perf_counter() - start)
    return min(found), y


multiplications = N * O * P * P * C * K * K
y = with_unfolding(x.astype("float64"), w.astype("float64"))  # the others are in float32
speeds = {}
print(f"{'':12} {'ms':>10} {'GFLOP/s':>10} {'error at most':>15}")
for name, function, times, part in (
    ("loops", with_loops, 1, (slice(1), slice(1))),
    ("shifts", with_shifts, 3, (slice(N), slice(O))),
    ("unfolding", with_unfolding, 5, (slice(N), slice(O))),
    ("minigrad", with_minigrad, 20, (slice(N), slice(O))),
):
    images, outputs = part
    taken, result = seconds(function, x[images], w[outputs], times)
    share = result.size / y.size
    speeds[name] = 2 * multiplications * share / taken / 1e9
    difference = numpy.abs(result - y[images, outputs]).max()
    print(f"{name:12} {1e3 * taken / share:10.2f} {speeds[name]:10.4f} {difference:15.1e}")

# %%
figure = bar_chart(speeds, "GFLOP/s", emphasised=["minigrad"], value_format="{:.3g}")
show(figure, "runs/tour/05_convolution")
