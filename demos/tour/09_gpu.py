# %% [markdown]
# # 9. A GPU: one kernel by hand, and the same lines on a card
#
# A GPU runs one function, a kernel, in thousands of threads at once. Threads come in blocks, and
# those of a block share a small, fast memory. minigrad's kernels are written in CUDA C, in
# `minigrad/kernels/cuda/`. Here is `conv2d.cu`, beside the loops, and without a GPU: the same text
# compiles as C++, behind `demos/emulation/cuda.h`, which lets a block's threads take turns.

# %%
import sys
import time
from pathlib import Path

import numpy

import autoencoder
import minigrad
from autoencoder.figures import image_panels, show
from autoencoder.models import AutoEncoder
from minigrad import Tensor, device, kernels, manual_seed, optim
from minigrad import functional as F
from minigrad.backend import one_blas_thread
from minigrad.kernels import cuda

sys.path.insert(0, str(Path(minigrad.__file__).parents[1] / "demos"))
import emulation

digit = autoencoder.load("mnist").images("test", 1).astype("float32")  # (1, 1, 28, 28)
w = numpy.random.default_rng(3).standard_normal((6, 1, 5, 5)).astype("float32")
geometry = kernels.Geometry((28, 28), (5, 5), (24, 24))
by_loops = kernels.conv2d_reference(digit, w, geometry)  # (1, 6, 24, 24)

# %% [markdown]
# In the loops an output pixel is a sum over kernel rows i, columns j and channels c:
#
#     y[n, o, p, q] = sum over i, j, c of  x[n, c, p + i, q + j] * w[o, c, i, j]
#
# Number the pixels (n, p, q) by m, and the terms (i, j, c) by k. Then it is a matrix product, and
# the left matrix, whose row m is a window of x, need not be made: a thread knows where in x its
# element lies. A block computes one tile of the result. It walks along k; at each step its threads
# load a tile of either matrix into the shared memory, wait for each other, multiply, and wait
# again. These are the stages, and every place where threads wait:

# %%
source = cuda.source("conv2d")
for number, line in enumerate(source.splitlines(), 1):
    if "// " in line.strip()[:3] or "__syncthreads" in line:
        print(f"conv2d.cu:{number:<4} {line.strip()}")

launch = cuda.conv2d_launch(geometry, images=1, channels=1, out_channels=6)
print(f"\n{launch.grid[0]} blocks of {launch.block[0]} threads, specialised by", *launch.macros)

# %% [markdown]
# Threads run in a shuffled order, each until it waits. Shared memory holds not-a-number before
# every block, so that what is read too early is seen. Take one of the three barriers away: some
# threads multiply what others have not loaded yet, or load over what others still need. What is
# wrong then is red.


# %%
def on_threads(source: str) -> numpy.ndarray:
    """What the kernel makes of the digit and w, (1, 6, 24, 24)."""
    kernel = emulation.Kernel(source, "conv2d", launch.options("float32"))
    y = numpy.full((1, 24, 24, 6), numpy.nan, "float32")  # channels last, as the kernel writes
    arrays = (numpy.ascontiguousarray(numpy.moveaxis(digit, 1, 3)), w, None, y)  # None: no bias
    kernel.launch(launch.grid, launch.block, (*arrays, *launch.typed_sizes))
    return y.transpose(0, 3, 1, 2)


def without_barrier(number: int) -> str:
    """The source with one barrier less."""
    parts = source.split("__syncthreads();")
    return "__syncthreads();".join(parts[:number]) + ";" + "__syncthreads();".join(parts[number:])


wrong: dict[str, float] = {}  # the share of pixels
if emulation.missing():
    print(f"no emulation here: {emulation.missing()}")
else:
    grey = (by_loops - by_loops.min()) / (by_loops.max() - by_loops.min())
    pictures = {"the loops": numpy.stack([grey[0]] * 3, axis=1)}  # (6, 3, 24, 24)
    sources = {"conv2d.cu": source}
    sources |= {f"without barrier {n}": without_barrier(n) for n in (1, 2, 3)}
    for name, text in sources.items():
        is_wrong = ~numpy.isclose(on_threads(text), by_loops, rtol=1e-4, atol=1e-4)
        wrong[name] = float(is_wrong.mean())
        red = numpy.array((0.8, 0.1, 0.1)).reshape(3, 1, 1)
        pictures[name] = numpy.where(is_wrong[0, :, None], red, pictures["the loops"])
        print(f"{name:18} {100 * wrong[name]:5.1f} % of the pixels are not what the loops give")
    show(image_panels(pictures, columns=2), "runs/tour/09_barriers")

# %% [markdown]
# The loops in full, for all geometries, are what the tests hold every kernel against, and every
# barrier and bound is taken away there: `python tests/minigrad/kernels/planted_faults.py`.
#
# **On a card** nothing changes but one name. A tensor's arrays belong to NumPy or to CuPy, and
# every operation asks its arrays which: see `array_module` in `minigrad/backend/array_switch.py`.
# Where there is no GPU, the library says what is missing; it never falls back by itself, but a
# script may.

# %%
places = ["cpu"]
try:
    device("cuda")
    places.append("cuda")
except RuntimeError as error:
    print(f"no GPU here: {error}\n")

images = numpy.random.default_rng(0).random((8, 1, 28, 28)).astype("float32")

# %% [markdown]
# Three training steps of the lecture's autoencoder on each device. Weights are drawn on the host,
# so both start from the same ones; `.item()` and `float()` wait for the device.

# %%
losses: dict[str, list[float]] = {}
for place in places:
    manual_seed(0)
    model = AutoEncoder(8).to(place)
    optimizer = optim.Adam(model.parameters())
    x = Tensor(images, device=place)
    found = []
    start = time.perf_counter()
    with one_blas_thread():
        for _ in range(3):
            loss = F.mse_loss(model(x), x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            found.append(loss.item())
    taken = time.perf_counter() - start
    losses[place] = found
    kind = type(next(model.parameters()).data).__module__
    print(f"{x.device!s:8} arrays of {kind:6} losses", *(f"{value:.7f}" for value in found), end="")
    print(f"  {taken:.2f} s")

# %% [markdown]
# Equal up to rounding: sums are added in another order there.

# %%
for place in places[1:]:
    apart = max(abs(a - b) for a, b in zip(losses["cpu"], losses[place]))
    print(f"largest difference between cpu and {place}: {apart:.1e}")
